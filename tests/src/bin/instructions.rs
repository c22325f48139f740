//! Counts the instructions of the hot paths, which time on a shared machine cannot show.
//!
//! ```sh
//! cargo instructions            # every part beside the recorded figures; fails when one is dearer
//! cargo instructions --bless    # records the figures
//! cargo instructions verify_batch
//! ```
//! Needs valgrind. The figures are of the code that runs without AVX-512, which valgrind lacks.

#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use cets_tests::bench::hot_paths::{HOT_PATHS, HotPath, ROUNDS_MAX};
use cets_tests::workspace;
use clap::Parser;
use eyre::{OptionExt as _, WrapErr as _, bail, ensure};

/// How much dearer than recorded a part may be, in per cent: compilers and processors differ.
const TOLERANCE_PER_CENT: f64 = 5.0;

#[derive(Parser)]
#[command(about = "Counts the instructions of the hot paths under valgrind")]
struct Arguments {
    /// Parts to count; all without
    parts: Vec<String>,
    /// Records the figures instead of comparing them
    #[arg(long)]
    bless: bool,
    /// Runs the parts so many rounds without counting; what valgrind is given
    #[arg(long, hide = true)]
    rounds: Option<u64>,
    /// Names the instructions that the code finds; what valgrind is given
    #[arg(long, hide = true)]
    processor: bool,
}

/// Instructions per unit, by part.
type Figures = BTreeMap<String, f64>;

fn main() -> eyre::Result<ExitCode> {
    let arguments = Arguments::parse();
    let parts = chosen(&arguments.parts)?;
    if let Some(rounds) = arguments.rounds {
        ensure!(rounds <= ROUNDS_MAX, "at most {ROUNDS_MAX} rounds");
        parts.iter().for_each(|part| part.run(rounds));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.processor {
        println!("{}", processor());
        return Ok(ExitCode::SUCCESS);
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed (apt-get install valgrind)");
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = recorded()?;
    let kind = under_valgrind(&["--processor".to_owned()])?.0;
    println!("processor as valgrind shows it: {kind}");
    let mut recorded = all.remove(&kind).unwrap_or_default();
    let mut dearer = Vec::new();
    println!("{:20} {:>14} {:>14}  {:>7}", "part", "instructions", "recorded", "change");
    for part in parts {
        let found = count(part)?;
        let before = recorded.insert(part.name.to_owned(), found.round());
        let change = before.map(|before| 100.0 * (found / before - 1.0));
        let text = change.map_or("new".to_owned(), |change| format!("{change:+.1} %"));
        let shown = before.map_or("-".to_owned(), |before| format!("{before:.0}"));
        println!("{:20} {found:>14.0} {shown:>14}  {text:>7}  per {}", part.name, part.unit);
        if change.is_some_and(|change| change > TOLERANCE_PER_CENT) {
            dearer.push(part.name);
        }
    }
    if arguments.bless {
        all.insert(kind, recorded);
        std::fs::write(file(), serde_json::to_string_pretty(&all)? + "\n")?;
        println!("recorded in {}", file().display());
        return Ok(ExitCode::SUCCESS);
    }
    if dearer.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "more than {TOLERANCE_PER_CENT} % dearer than recorded: {}; find out why, or record the \
         figures with --bless and say why in the commit",
        dearer.join(", ")
    );
    Ok(ExitCode::FAILURE)
}

fn chosen(names: &[String]) -> eyre::Result<Vec<&'static HotPath>> {
    if names.is_empty() {
        return Ok(HOT_PATHS.iter().collect());
    }
    let find = |name: &String| {
        let known = || HOT_PATHS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
        let part = HOT_PATHS.iter().find(|part| part.name == name);
        part.ok_or_else(|| eyre::eyre!("no part is called {name}; the parts are {}", known()))
    };
    names.iter().map(find).collect()
}

fn file() -> PathBuf {
    workspace::root().join("tests/instructions.json")
}

/// Figures by kind of processor: the code picks other instructions on another kind.
fn recorded() -> eyre::Result<BTreeMap<String, Figures>> {
    match std::fs::read_to_string(file()) {
        Ok(text) => serde_json::from_str(&text).wrap_err("tests/instructions.json"),
        Err(_) => Ok(BTreeMap::new()),
    }
}

/// Instructions per unit: those of twice as many rounds less those of half of them.
fn count(part: &HotPath) -> eyre::Result<f64> {
    let half = ROUNDS_MAX / 2;
    let (few, many) = (instructions(part, half)?, instructions(part, ROUNDS_MAX)?);
    let units = part.units * (ROUNDS_MAX - half);
    Ok(many.saturating_sub(few) as f64 / units as f64)
}

fn instructions(part: &HotPath, rounds: u64) -> eyre::Result<u64> {
    let arguments = ["--rounds".to_owned(), rounds.to_string(), part.name.to_owned()];
    Ok(under_valgrind(&arguments)?.1)
}

/// What this program prints under valgrind, and how many instructions it ran.
fn under_valgrind(arguments: &[String]) -> eyre::Result<(String, u64)> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(arguments)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{} fails under valgrind:\n{said}", arguments.join(" "));
    }
    let counted = said.lines().find_map(|line| line.split("Collected :").nth(1));
    let counted = counted.ok_or_eyre("valgrind does not say how many instructions it counted")?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((printed, counted.trim().parse()?))
}

/// The vector and hash instructions that the code may pick.
#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let found = [
        ("x86_64", true),
        ("ssse3", std::is_x86_feature_detected!("ssse3")),
        ("sse4.1", std::is_x86_feature_detected!("sse4.1")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("bmi2", std::is_x86_feature_detected!("bmi2")),
        ("adx", std::is_x86_feature_detected!("adx")),
        ("sha", std::is_x86_feature_detected!("sha")),
    ];
    let names: Vec<&str> = found.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    names.join(" ")
}

/// The vector and hash instructions that the code may pick.
#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.to_owned()
}
