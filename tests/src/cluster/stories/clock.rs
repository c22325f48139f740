//! A clock that is stepped while the node runs.

use std::time::Instant;

use super::super::machine::Clock;
use super::super::nodes::program;
use super::super::story::Stage;
use super::returns::{GAP, come_back, show};

/// How far clocks are off, in milliseconds: within the drift that is allowed, and far beyond it.
const AHEAD_MILLIS: [i64; 8] = [200, 2_000, 30_000, 1_800_000, -200, -2_000, -30_000, -1_800_000];

/// Steps the clock of one node, forth and back; the others go on, and it follows them.
pub fn clock(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    stage.load.clocks_differ();
    for round in 0..rounds {
        stage.run_on(200, 600)?;
        let node = stage.choose_node();
        let file = stage.nodes.files(node).config_path.with_file_name("clock");
        let clock = Clock::new(file)?;
        stage.nodes.stop(node)?;
        stage.nodes.start_by(node, &clock.within(), program("cetsd")?);
        come_back(stage, node)?;
        // The first is far ahead, the second far behind, so that few rounds show both.
        let ahead = match round {
            0 => AHEAD_MILLIS[3],
            1 => AHEAD_MILLIS[7],
            _ => *stage.chooser.one(&AHEAD_MILLIS).unwrap_or(&0),
        };
        let stepped = Instant::now();
        clock.set_ahead(ahead)?;
        stage.run_on(2_000, 4_000)?;
        stage.nodes.catch_up(node)?;
        let gap = stage.load.record().longest_gap(stepped, Instant::now());
        stage.figures.time(GAP, gap);
        let back = Instant::now();
        clock.set_ahead(0)?;
        stage.run_on(500, 1_000)?;
        let caught_up = stage.nodes.catch_up(node)?;
        stage.figures.time("clock right again until it has caught up", caught_up - back);
        show(&format!("node {node}: clock {ahead:+} ms off, gap {gap:.2?}"));
    }
    stage.figures.count("steps of a clock, forth and back", rounds.into());
    Ok(())
}
