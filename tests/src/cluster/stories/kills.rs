//! Nodes that are killed: one, all, and the one whose turn it is.

use std::time::{Duration, Instant};

use cets_cli::clock::now;
use cets_contracts::block::ValidatorSet;
use eyre::eyre;

use super::super::nodes::PATIENCE;
use super::super::story::Stage;
use super::returns::{ANSWERS, GAP, come_back, show};

/// Time before a kill that belongs to the gap around it.
const AROUND: Duration = Duration::from_millis(200);

/// Kills one node after the other under load; the others go on, it comes back and catches up.
pub fn kill_one(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    for _ in 0..rounds {
        stage.run_on(300, 1_500)?;
        let node = stage.choose_node();
        let killed = Instant::now();
        stage.nodes.kill(&[node])?;
        let missed_from = stage.nodes.height(&stage.others(node));
        stage.run_on(500, 2_500)?;
        let missed = stage.nodes.height(&stage.others(node)) - missed_from;
        let caught_up = come_back(stage, node)?;
        let gap = stage.load.record().longest_gap(killed, caught_up);
        stage.figures.time(GAP, gap);
        show(&format!("node {node}: {missed} blocks missed, gap {gap:.2?}"));
    }
    stage.figures.count("kills of one node", rounds.into());
    Ok(())
}

/// Kills all nodes at one moment under load, and starts them again.
pub fn kill_all(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let all = stage.nodes.all();
    for _ in 0..rounds {
        stage.run_on(200, 2_500)?;
        stage.nodes.kill(&all)?;
        let acknowledged = stage.load.record().count();
        let clock = now()?;
        let started = stage.nodes.start(&all)?;
        let answered = stage.nodes.answer(&all, started)?;
        let last = answered.iter().max().copied().unwrap_or_default();
        answered.iter().for_each(|after| stage.figures.time(ANSWERS, *after));
        let deadline = Instant::now() + PATIENCE;
        let served = loop {
            if let Some(at) = stage.load.record().first_of_block_after(clock, started) {
                break at - started;
            }
            stage.nodes.still_wait(&all, deadline, "make a transaction final")?;
            std::thread::sleep(Duration::from_millis(5));
        };
        stage.figures.time("start of all nodes until a transaction is final", served);
        show(&format!("{acknowledged} acknowledged, answers in {last:.2?}, final in {served:.2?}"));
    }
    stage.figures.count("kills of all nodes", rounds.into());
    Ok(())
}

/// Kills the node whose turn it is to propose; the others go on without it.
pub fn kill_proposer(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let turns = turns(stage)?;
    let mut hits = 0;
    for _ in 0..rounds {
        stage.run_on(200, 1_200)?;
        let watched = stage.choose_node();
        let height = stage.nodes.status(watched).map_or(0, |status| status.height);
        let node = turns[(height as usize + 1) % turns.len()];
        let killed = Instant::now();
        stage.nodes.kill_now(node)?;
        let tip = stage.nodes.height(&stage.others(node));
        let hit = turns[(tip as usize + 1) % turns.len()] == node;
        hits += u64::from(hit);
        stage.run_on(1_500, 2_500)?;
        let gap = stage.load.record().longest_gap(killed - AROUND, Instant::now());
        stage.figures.time("gap after the kill of a proposer", gap);
        come_back(stage, node)?;
        let turn = if hit { "at its turn" } else { "just after its turn" };
        show(&format!("node {node}: killed {turn}, gap {gap:.2?}"));
    }
    stage.figures.count("kills of a proposer", rounds.into());
    stage.figures.count("of these before its block was decided", hits);
    Ok(())
}

/// The nodes in the order in which they propose: at each height the next one.
fn turns(stage: &Stage) -> eyre::Result<Vec<usize>> {
    let validators = &stage.market.network.genesis.validators;
    let set = ValidatorSet::new(validators.clone())?;
    let node_of = |name: &str| validators.iter().position(|one| one.name == name);
    let turns = set.members().iter().map(|member| node_of(&member.name));
    turns.collect::<Option<_>>().ok_or_else(|| eyre!("a validator without a node"))
}
