//! Nodes that are stopped, restarted, or come back without their disk.

use std::time::Instant;

use eyre::ensure;
use tonic::Code;

use super::super::story::Stage;
use super::returns::{GAP, come_back, show, wait_for_vote};

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
