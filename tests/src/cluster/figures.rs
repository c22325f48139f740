//! What was measured, as a table.

use std::fmt;
use std::time::Duration;

/// Figures of a story in the order in which they were first given.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    counts: Vec<(&'static str, u64)>,
    times: Vec<(&'static str, Vec<Duration>)>,
}

impl Figures {
    /// Sets a number.
    pub fn count(&mut self, name: &'static str, number: u64) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = number,
            None => self.counts.push((name, number)),
        }
    }

    /// Adds a measured time.
    pub fn time(&mut self, name: &'static str, time: Duration) {
        match self.times.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(time),
            None => self.times.push((name, vec![time])),
        }
    }

    /// The longest time of a name.
    pub fn longest(&self, name: &str) -> Option<Duration> {
        let (_, times) = self.times.iter().find(|(known, _)| *known == name)?;
        times.iter().max().copied()
    }
}

/// The time that so many per cent of the sorted times do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, number) in &self.counts {
            writeln!(f, "  {name:<52} {number:>9}")?;
        }
        let (times, middle, high, most) = ("measured", "median", "p99", "longest");
        writeln!(f, "  {:<52} {times:>9} {middle:>9} {high:>9} {most:>9}", "")?;
        for (name, times) in &self.times {
            let mut sorted = times.clone();
            sorted.sort();
            let count = sorted.len();
            let shown = [50, 99, 100]
                .map(|percent| format!("{:.3} s", percentile(&sorted, percent).as_secs_f64()));
            let [middle, high, most] = shown;
            writeln!(f, "  {name:<52} {count:>9} {middle:>9} {high:>9} {most:>9}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_median_high_and_longest() {
        let mut figures = Figures::default();
        figures.count("acknowledged", 7);
        for millis in 1..=100 {
            figures.time("gap", Duration::from_millis(millis));
        }
        let shown = figures.to_string();
        assert!(shown.contains("acknowledged"), "{shown}");
        assert!(shown.contains("0.050 s   0.099 s   0.100 s"), "{shown}");
        assert_eq!(figures.longest("gap"), Some(Duration::from_millis(100)));
    }
}
