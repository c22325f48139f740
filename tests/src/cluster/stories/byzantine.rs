//! A validator that signs two things, or nothing: a node built to misbehave, in its place.

use std::time::{Duration, Instant};

use cets_cli::audit::evidence_of_node;
use cets_cli::client::Node;
use cets_cli::text::Lang;
use cets_contracts::audit::Act;
use eyre::{OptionExt as _, ensure};
use toml::{Table, Value};

use super::super::nodes::{PATIENCE, program};
use super::super::story::Stage;
use super::returns::{GAP, come_back, show};

/// The node built with the feature `byzantine`.
pub const PROGRAM: &str = "cetsd-byzantine";
/// What it is told to do, in turn; whether that leaves evidence.
const ACTS: [(&str, bool); 4] =
    [("votes", true), ("silent", false), ("proposals", true), ("votes,proposals", true)];

/// Lets one validator misbehave under load; the others go on and keep evidence against it alone.
pub fn byzantine(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let liar = stage.choose_node();
    stage.one_lies = true;
    for round in 0..rounds {
        let (act, leaves_evidence) = ACTS[round as usize % ACTS.len()];
        stage.run_on(300, 800)?;
        stage.nodes.stop(liar)?;
        tell_to(stage, liar, Some(act))?;
        stage.nodes.start_by(liar, &[], program(PROGRAM)?);
        let started = Instant::now();
        come_back(stage, liar)?;
        let from = stage.nodes.height(&stage.others(liar));
        stage.run_on(2_000, 4_000)?;
        if leaves_evidence {
            wait_for_evidence(stage, liar, from)?;
        }
        let gap = stage.load.record().longest_gap(started, Instant::now());
        stage.figures.time(GAP, gap);
        stage.nodes.stop(liar)?;
        tell_to(stage, liar, None)?;
        stage.nodes.start_by(liar, &[], program("cetsd")?);
        come_back(stage, liar)?;
        let evidence = if leaves_evidence { "evidence is kept" } else { "nothing to prove" };
        show(&format!("node {liar}: {act}, gap {gap:.2?}, {evidence}"));
    }
    let kept = accused_heights(stage, liar)?.len() as u64;
    stage.figures.count("acts of a Byzantine validator", rounds.into());
    stage.figures.count("pieces of evidence that honest nodes list and that verify", kept);
    Ok(())
}

/// Writes into the configuration of a node how it misbehaves, or that it does not.
fn tell_to(stage: &Stage, node: usize, act: Option<&str>) -> eyre::Result<()> {
    let path = &stage.nodes.files(node).config_path;
    let mut table: Table = std::fs::read_to_string(path)?.parse()?;
    let section = table.get_mut("consensus").and_then(Value::as_table_mut);
    let section = section.ok_or_eyre("a node without a section `consensus`")?;
    match act {
        Some(act) => section.insert("byzantine".to_owned(), Value::String(act.to_owned())),
        None => section.remove("byzantine"),
    };
    Ok(std::fs::write(path, toml::to_string(&table)?)?)
}

/// Heights of all pieces of evidence on honest nodes; each must verify, and accuse the liar.
fn accused_heights(stage: &Stage, liar: usize) -> eyre::Result<Vec<u64>> {
    let genesis = &stage.market.network.genesis;
    let address = genesis.validators[liar].address();
    let mut heights = Vec::new();
    for node in stage.others(liar) {
        let reader = Node::connect_to(&stage.nodes.files(node).address(), None, Lang::En)?;
        let (accused, unproven) = evidence_of_node(genesis, &reader)?;
        ensure!(unproven == 0, "{unproven} pieces of evidence of node {node} do not verify");
        for one in &accused {
            let name = &one.charge.name;
            ensure!(one.charge.validator == address, "node {node} accuses {name}, who is honest");
            if let Act::Statements { height, .. } = one.charge.act {
                heights.push(height.get());
            }
        }
    }
    Ok(heights)
}

fn wait_for_evidence(stage: &mut Stage, liar: usize, from: u64) -> eyre::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if accused_heights(stage, liar)?.iter().any(|height| *height > from) {
            return Ok(());
        }
        stage.nodes.still_wait(&stage.others(liar), deadline, "keep evidence")?;
        std::thread::sleep(Duration::from_millis(100));
    }
}
