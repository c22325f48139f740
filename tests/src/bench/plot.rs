//! Plots as SVG, drawn by hand: one line per series, axes with a few round figures.

use super::results::shown;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 5] = ["#1f5fa8", "#c0392b", "#2e8b57", "#8e5ea2", "#d08a1d"];
/// Figures on each axis.
const TICKS: u32 = 5;

/// A line of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points, by rising x.
    pub points: Vec<(f64, f64)>,
}

/// How an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Logarithmic,
}

/// What is on a plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Title.
    pub title: String,
    /// Name and unit of x.
    pub x: String,
    /// How x counts.
    pub x_axis: Axis,
    /// Name and unit of y; y starts at 0.
    pub y: String,
    /// The lines.
    pub series: Vec<Series>,
}

impl Plot {
    /// The plot as a document; none without points.
    pub fn svg(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let place = |x: f64| match self.x_axis {
            Axis::Linear => x,
            Axis::Logarithmic => x.max(1e-9).log10(),
        };
        let least = points().map(|(x, _)| place(x)).reduce(f64::min)?;
        let most = points().map(|(x, _)| place(x)).reduce(f64::max)?;
        let top = points().map(|(_, y)| y).reduce(f64::max)?.max(1e-9) * 1.1;
        let span = (most - least).max(1e-9);
        let across = |x: f64| LEFT + (place(x) - least) / span * (WIDTH - LEFT - RIGHT);
        let up = |y: f64| HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"18\" font-size=\"13\">{}</text>\n",
            self.title
        );
        for tick in 0..=TICKS {
            let share = f64::from(tick) / f64::from(TICKS);
            let (y, value) = (up(top * share), shown(top * share));
            svg.push_str(&format!(
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            ));
            let at = least + span * share;
            let value = if self.x_axis == Axis::Logarithmic { 10f64.powf(at) } else { at };
            let x = across(value);
            svg.push_str(&format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                HEIGHT - BOTTOM + 16.0,
                shown(value)
            ));
        }
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line =
                series.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y)));
            let line = line.collect::<Vec<_>>().join(" ");
            svg.push_str(&format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
                 points=\"{line}\"/>\n"
            ));
        }
        for (row, (series, colour)) in (0u32..).zip(self.series.iter().zip(COLOURS.iter().cycle()))
        {
            let y = TOP + 12.0 + f64::from(row) * 14.0;
            svg.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>\n",
                LEFT + 8.0,
                series.name
            ));
        }
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
             <text x=\"14\" y=\"{:.1}\" transform=\"rotate(-90 14 {:.1})\" \
             text-anchor=\"middle\">{}</text>\n</svg>\n",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 12.0,
            self.x,
            HEIGHT / 2.0,
            HEIGHT / 2.0,
            self.y
        ));
        Some(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        let series = vec![Series { name: "ours".to_owned(), points }];
        let (x, y) = ("ranges".to_owned(), "transfers/s".to_owned());
        Plot { title: "cost".to_owned(), x, x_axis: Axis::Logarithmic, y, series }
    }

    #[test]
    fn a_plot_without_points_is_not_drawn() {
        assert_eq!(plot(Vec::new()).svg(), None);
    }

    #[test]
    fn the_greatest_figure_is_above_the_least_and_powers_of_ten_are_evenly_apart() {
        let svg = plot(vec![(1e4, 10.0), (1e5, 20.0), (1e6, 30.0)]).svg().unwrap();
        let line = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let points: Vec<(f64, f64)> = line
            .split(' ')
            .map(|point| point.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert!(points[0].1 > points[1].1 && points[1].1 > points[2].1, "{points:?}");
        let (left, right) = (points[1].0 - points[0].0, points[2].0 - points[1].0);
        assert!((left - right).abs() < 0.2, "{points:?}");
    }
}
