//! What every story does: a node comes back, and is seen to vote.

use std::time::{Duration, Instant};

use cets_cli::client::Node;
use cets_cli::text::Lang;
use cets_contracts::types::{Height, ValidatorAddress};

use super::super::nodes::PATIENCE;
use super::super::story::Stage;

/// Time from the start of a process until it answers.
pub const ANSWERS: &str = "start of a node until it answers";
/// Time from the start of a process until it has the blocks of the others.
pub const CAUGHT_UP: &str = "start of a node until it has caught up";
/// Gap in service.
pub const GAP: &str = "longest time without an acknowledgement";

/// Starts a node that is down and waits until it has caught up; says when it had.
pub fn come_back(stage: &mut Stage, node: usize) -> eyre::Result<Instant> {
    let started = stage.nodes.start(&[node])?;
    for answered in stage.nodes.answer(&[node], started)? {
        stage.figures.time(ANSWERS, answered);
    }
    let caught_up = stage.nodes.catch_up(node)?;
    stage.figures.time(CAUGHT_UP, caught_up - started);
    Ok(caught_up)
}

/// Waits until another node holds a certificate with a vote of a node on a new block.
pub fn wait_for_vote(stage: &mut Stage, node: usize) -> eyre::Result<Instant> {
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

/// Whether the certificate of a block holds a vote of a validator.
pub fn votes(reader: &Node, height: u64, validator: &ValidatorAddress) -> eyre::Result<bool> {
    let (_, certificate) = reader.header(Some(Height::new(height)))?;
    Ok(certificate.signatures.iter().any(|signed| signed.validator == *validator))
}

/// How many blocks of a range bear a vote of a node, as another node holds their certificates.
pub fn votes_between(stage: &Stage, node: usize, from: u64, to: u64) -> eyre::Result<u64> {
    let validator = stage.market.network.genesis.validators[node].address();
    let other = stage.others(node)[0];
    let reader = Node::connect_to(&stage.nodes.files(other).address(), None, Lang::En)?;
    let mut count = 0;
    for height in from..to {
        count += u64::from(votes(&reader, height, &validator)?);
    }
    Ok(count)
}

/// Tells whoever watches.
pub fn show(line: &str) {
    println!("  {line}");
}
