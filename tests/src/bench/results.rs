//! What was measured, as `target/bench/results.json` holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eyre::WrapErr as _;
use serde::{Deserialize, Serialize};

use super::goal::Goal;

/// One goal: our figure, the others', and the runs behind them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// What was measured.
    pub title: String,
    /// Unit of `ours`, `other` and `runs`.
    pub unit: String,
    /// Median of `runs`.
    pub ours: f64,
    /// Least of `runs`.
    pub min: f64,
    /// Greatest of `runs`.
    pub max: f64,
    /// The figure of every run.
    pub runs: Vec<f64>,
    /// Medians of what it is compared with, by name, in the same unit.
    pub other: BTreeMap<String, f64>,
    /// The runs of each of these.
    pub other_runs: BTreeMap<String, Vec<f64>>,
    /// `ours` divided by each of `other`.
    pub ratio: BTreeMap<String, f64>,
    /// Medians of further figures, by name with unit: percentiles, processor time, sizes.
    pub figures: BTreeMap<String, f64>,
    /// Points of plots, by name: pairs of x and y.
    pub points: BTreeMap<String, Vec<(f64, f64)>>,
    /// Where the time of one unit goes, the dearest first.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// What a reader must know: sizes of the run, what was left out and why.
    pub notes: Vec<String>,
}

/// A part of the work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// What is done.
    pub name: String,
    /// Microseconds of processor time.
    pub micros: f64,
    /// How it was measured.
    pub source: String,
}

/// The middle of some figures; 0 without any.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (count, middle) if count % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The figure that so many of a thousand sorted figures do not exceed; 0 without any.
pub fn per_mille(figures: &[f64], mille: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * mille).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl Measured {
    /// Our side of a goal.
    pub fn of(goal: Goal, runs: Vec<f64>) -> Self {
        Self {
            title: goal.title().to_owned(),
            unit: goal.unit().to_owned(),
            ours: median(&runs),
            min: runs.iter().copied().reduce(f64::min).unwrap_or_default(),
            max: runs.iter().copied().reduce(f64::max).unwrap_or_default(),
            runs,
            ..Self::default()
        }
    }

    /// Adds another side.
    pub fn against(&mut self, name: &str, runs: Vec<f64>) {
        let theirs = median(&runs);
        self.other.insert(name.to_owned(), theirs);
        if theirs > 0.0 {
            self.ratio.insert(name.to_owned(), self.ours / theirs);
        }
        self.other_runs.insert(name.to_owned(), runs);
    }

    /// Adds a further figure.
    pub fn figure(&mut self, name: &str, figure: f64) {
        self.figures.insert(name.to_owned(), figure);
    }

    /// Adds a point to a line of a plot.
    pub fn point(&mut self, line: &str, x: f64, y: f64) {
        self.points.entry(line.to_owned()).or_default().push((x, y));
    }

    /// Adds a remark.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The lines that a terminal shows.
    pub fn lines(&self, goal: Goal) -> String {
        let (unit, count) = (&self.unit, self.runs.len());
        let (ours, min, max) = (shown(self.ours), shown(self.min), shown(self.max));
        let mut text = format!("{:<10}{}\n", goal.name(), self.title);
        match count {
            0 => text.push_str("       ours: not measured\n"),
            _ => text
                .push_str(&format!("       ours {ours} {unit} ({min} to {max}, {count} runs)\n")),
        }
        for (name, theirs) in &self.other {
            let ratio = self.ratio.get(name).map(|ratio| format!(", ratio {ratio:.2}"));
            let (theirs, ratio) = (shown(*theirs), ratio.unwrap_or_default());
            text.push_str(&format!("       {name} {theirs} {unit}{ratio}\n"));
        }
        for (name, figure) in &self.figures {
            text.push_str(&format!("       {name} {}\n", shown(*figure)));
        }
        for part in &self.parts {
            text.push_str(&format!("       {}: {} us\n", part.name, shown(part.micros)));
        }
        for note in &self.notes {
            text.push_str(&format!("       {note}\n"));
        }
        text
    }
}

/// A figure with as many digits as say something.
pub fn shown(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// All goals measured so far, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Results(pub BTreeMap<String, Measured>);

/// The folder that results are written to.
pub fn folder() -> PathBuf {
    crate::workspace::root().join("target").join("bench")
}

impl Results {
    /// All that was measured so far; see [`folder`].
    pub fn of_file() -> eyre::Result<Self> {
        Self::read(&folder().join("results.json"))
    }

    /// Reads the results of earlier runs; none when there is no file.
    pub fn read(file: &Path) -> eyre::Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .wrap_err_with(|| format!("{} holds no results; delete it", file.display())),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Writes them.
    pub fn write(&self, file: &Path) -> eyre::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_string_pretty(self)? + "\n")
            .wrap_err_with(|| format!("cannot write {}", file.display()))
    }

    /// A goal measured before.
    pub fn get(&self, goal: Goal) -> Option<&Measured> {
        self.0.get(&goal.name())
    }

    /// Adds or replaces a goal.
    pub fn put(&mut self, goal: Goal, measured: Measured) {
        self.0.insert(goal.name(), measured);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=1_000).map(f64::from).collect();
        assert_eq!(per_mille(&figures, 500), 500.0);
        assert_eq!(per_mille(&figures, 990), 990.0);
        assert_eq!(per_mille(&figures[..1], 990), 1.0);
        assert_eq!(per_mille(&[], 990), 0.0);
    }

    #[test]
    fn a_ratio_is_ours_by_theirs() {
        let mut measured = Measured::of(Goal::G1, vec![10.0, 30.0, 20.0]);
        measured.against("PostgreSQL", vec![5.0]);
        assert_eq!(measured.ratio["PostgreSQL"], 4.0);
        assert_eq!((measured.min, measured.max), (10.0, 30.0));
    }
}
