//! What happens to the nodes in each story, and what is measured.

use std::time::{Duration, Instant};

use cets_cli::client::Node;
use cets_cli::clock::now;
use cets_cli::text::Lang;
use cets_contracts::types::{Height, ValidatorAddress};
use eyre::ensure;
use tonic::Code;

use super::nodes::PATIENCE;
use super::story::Stage;

const ANSWERS: &str = "start of a node until it answers";
const CAUGHT_UP: &str = "start of a node until it has caught up";
const GAP: &str = "longest time without an acknowledgement";

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

/// Starts a node that is down and waits until it has caught up; says when it had.
fn come_back(stage: &mut Stage, node: usize) -> eyre::Result<Instant> {
    let started = stage.nodes.start(&[node])?;
    for answered in stage.nodes.answer(&[node], started)? {
        stage.figures.time(ANSWERS, answered);
    }
    let caught_up = stage.nodes.catch_up(node)?;
    stage.figures.time(CAUGHT_UP, caught_up - started);
    Ok(caught_up)
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

/// Takes the disk of a node that is down; it joins from nothing, catches up and votes again.
pub fn empty_disk(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    for _ in 0..rounds {
        stage.run_on(1_000, 2_000)?;
        let node = stage.choose_node();
        stage.nodes.kill(&[node])?;
        // A node that forgot what it signed may only come back once that height is decided.
        let height = stage.nodes.height(&stage.others(node));
        for other in stage.others(node) {
            stage.nodes.reach(other, height + 2)?;
        }
        std::fs::remove_dir_all(stage.nodes.data_folder(node))?;
        let started = Instant::now();
        let caught_up = come_back(stage, node)?;
        let voted = wait_for_vote(stage, node)?;
        stage.figures.time("caught up until its vote is in a certificate", voted - caught_up);
        let (height, took) = (stage.nodes.height(&[node]), caught_up - started);
        show(&format!("node {node}: {height} blocks from nothing in {took:.2?}"));
    }
    stage.figures.count("disks lost", rounds.into());
    Ok(())
}

/// Waits until another node holds a certificate with a vote of a node on a new block.
fn wait_for_vote(stage: &mut Stage, node: usize) -> eyre::Result<Instant> {
    let validator = stage.market.network.genesis.validators[node].address();
    let other = stage.others(node)[0];
    let reader = Node::connect_to(&stage.nodes.files(other).address(), None, Lang::En)?;
    let mut next = reader.status_now()?.height + 1;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tip = reader.status_now()?.height;
        // The certificate of the newest block may still gain late votes.
        while next < tip {
            if votes(&reader, next, &validator)? {
                return Ok(Instant::now());
            }
            next += 1;
        }
        stage.nodes.still_wait(&[node, other], deadline, "vote again")?;
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn votes(reader: &Node, height: u64, validator: &ValidatorAddress) -> eyre::Result<bool> {
    let (_, certificate) = reader.header(Some(Height::new(height)))?;
    Ok(certificate.signatures.iter().any(|signed| signed.validator == *validator))
}

/// Stops a node for some seconds (SIGSTOP) and lets it go on.
pub fn stop_continue(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    for _ in 0..rounds {
        stage.run_on(500, 1_500)?;
        let node = stage.choose_node();
        let stopped = Instant::now();
        stage.nodes.signal(&[node], "STOP")?;
        let run = stage.run_on(1_000, 6_000);
        stage.nodes.signal(&[node], "CONT")?;
        run?;
        let continued = Instant::now();
        let caught_up = stage.nodes.catch_up(node)?;
        stage.figures.time("end of the stop until it has caught up", caught_up - continued);
        let gap = stage.load.record().longest_gap(stopped, caught_up);
        stage.figures.time(GAP, gap);
        show(&format!("node {node}: stopped for {:.2?}, gap {gap:.2?}", continued - stopped));
    }
    stage.figures.count("stops of one node", rounds.into());
    Ok(())
}

/// Restarts all nodes in good order (SIGTERM), one after the other.
pub fn rolling(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let mut slow = 0;
    for _ in 0..rounds {
        for node in stage.nodes.all() {
            stage.run_on(300, 600)?;
            let asked = Instant::now();
            stage.nodes.stop(node)?;
            stage.figures.time("request to end until the process is gone", asked.elapsed());
            let caught_up = come_back(stage, node)?;
            stage.run_on(100, 200)?;
            let gap = stage.load.record().longest_gap(asked, caught_up);
            stage.figures.time(GAP, gap);
            for failure in stage.load.record().failures_since(asked) {
                if failure.node == node {
                    continue;
                }
                // A late answer of a busy machine is no failure: the node goes on with it.
                if failure.code == Code::DeadlineExceeded {
                    slow += 1;
                    continue;
                }
                let (other, code, message) = (failure.node, failure.code, failure.message);
                stage.violations.push(format!(
                    "node {other} failed while node {node} restarted: {code}: {message}"
                ));
            }
            show(&format!("node {node}: restarted, gap {gap:.2?}"));
        }
    }
    stage.figures.count("restarts in good order", u64::from(rounds) * stage.nodes.count() as u64);
    stage.figures.count("answers of other nodes that took over 2 s", slow);
    ensure!(stage.load.record().count() > 0, "nothing was acknowledged");
    Ok(())
}

fn show(line: &str) {
    println!("  {line}");
}
