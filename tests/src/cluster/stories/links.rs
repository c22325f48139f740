//! Links between nodes that are cut, delayed, lossy or narrow.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use eyre::OptionExt as _;

use super::super::proxy::{Link, Weather, Wiring};
use super::super::story::Stage;
use super::returns::{GAP, show};

/// Time from the end of a cut until the next acknowledgement.
const SERVED: &str = "end of a cut without a quorum until a new order is final";
/// Time from the end of a fault of the network until all nodes have the same blocks.
const WHOLE: &str = "links healed until every node has caught up";
/// Pause between two looks for connections past the proxy.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How a cut is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Nothing arrives any more, in both directions.
    Silent,
    /// Connections are reset.
    Refused,
    /// The side is not heard, but hears the others.
    Mute,
}

/// Cuts the network at random sides under load and heals it.
pub fn cut(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    let count = stage.nodes.count();
    let (mut minorities, mut halves) = (0u64, 0u64);
    for _ in 0..rounds {
        stage.run_on(300, 1_500)?;
        let side = choose_side(stage);
        let manner = *stage
            .chooser
            .one(&[Manner::Silent, Manner::Refused, Manner::Mute])
            .ok_or_eyre("no manner")?;
        // More than two thirds decide.
        let has_quorum = 3 * (count - side.len()) > 2 * count;
        let cut = Instant::now();
        part(stage.wiring()?, count, &side, manner);
        let frontier = stage.nodes.height(&stage.nodes.all());
        let what = if has_quorum {
            minorities += 1;
            stage.run_on(1_500, 4_000)?;
            let gap = stage.load.record().longest_gap(cut, Instant::now());
            stage.figures.time("longest time without an acknowledgement in a cut", gap);
            format!("the others go on, gap {gap:.2?}")
        } else {
            halves += 1;
            std::thread::sleep(Duration::from_millis(stage.chooser.within(1_000, 4_000)));
            stand_still(stage, &side, frontier);
            "nobody decides".to_owned()
        };
        look_for_ways_around(stage)?;
        heal(stage, if has_quorum { None } else { Some(SERVED) })?;
        show(&format!("nodes {side:?} cut off, {manner:?}, for {:.2?}: {what}", cut.elapsed()));
    }
    stage.figures.count("cuts with a quorum on one side", minorities);
    stage.figures.count("cuts without a quorum", halves);
    count_carried(stage)
}

/// A side of random size, at most half of the nodes.
fn choose_side(stage: &mut Stage) -> Vec<usize> {
    let count = stage.nodes.count();
    let size = stage.chooser.within(1, count as u64 / 2) as usize;
    let mut side = BTreeSet::new();
    while side.len() < size {
        side.insert(stage.choose_node());
    }
    side.into_iter().collect()
}

fn part(wiring: &Wiring, count: usize, side: &[usize], manner: Manner) {
    match manner {
        Manner::Silent => wiring.relay.part(side, Link::Silent),
        Manner::Refused => wiring.relay.part(side, Link::Refused),
        Manner::Mute => {
            for one in side {
                for other in (0..count).filter(|other| !side.contains(other)) {
                    wiring.relay.set(*one, other, Link::Silent);
                }
            }
        }
    }
}

/// Without a quorum at most the block is decided whose votes had arrived.
fn stand_still(stage: &mut Stage, side: &[usize], frontier: u64) {
    let now = stage.nodes.height(&stage.nodes.all());
    if now > frontier + 1 {
        stage.violations.push(format!(
            "block {now} was decided while {side:?} was cut off at block {frontier}, although no \
             side has a quorum"
        ));
    }
}

/// Heals all links and waits until every node has caught up and orders are final.
fn heal(stage: &mut Stage, served: Option<&'static str>) -> eyre::Result<()> {
    let before = stage.load.record().count();
    let healed = Instant::now();
    stage.wiring()?.relay.set_all(Link::Open);
    stage.served_after(before)?;
    if let Some(name) = served {
        stage.figures.time(name, healed.elapsed());
    }
    let mut whole = healed;
    for node in stage.nodes.all() {
        whole = whole.max(stage.nodes.catch_up(node)?);
    }
    stage.figures.time(WHOLE, whole - healed);
    Ok(())
}

/// A connection of nodes that does not go through the proxy would make a cut worth nothing.
fn look_for_ways_around(stage: &mut Stage) -> eyre::Result<()> {
    let first: BTreeSet<String> = stage.wiring()?.ways_around().into_iter().collect();
    if first.is_empty() {
        return Ok(());
    }
    // A connection that just opened or closed may be in one of two lists only.
    std::thread::sleep(LOOK_AGAIN);
    let again = stage.wiring()?.ways_around();
    stage.violations.extend(again.into_iter().filter(|one| first.contains(one)));
    Ok(())
}

/// Delays, jitter, loss and narrow links under load; at some hours of all nodes, at some of one.
pub fn delay(stage: &mut Stage, rounds: u32) -> eyre::Result<()> {
    for _ in 0..rounds {
        stage.run_on(300, 1_000)?;
        let (weather, node) = choose_weather(stage);
        let started = Instant::now();
        let count = stage.nodes.count();
        let relay = &stage.wiring()?.relay;
        match node {
            None => relay.set_all(Link::Bad(weather)),
            Some(node) => {
                for other in (0..count).filter(|other| *other != node) {
                    relay.set(node, other, Link::Bad(weather));
                    relay.set(other, node, Link::Bad(weather));
                }
            }
        }
        let before = stage.load.record().count();
        stage.run_on(3_000, 6_000)?;
        let ended = Instant::now();
        let acknowledged = stage.load.record().count() - before;
        let gap = stage.load.record().longest_gap(started, ended);
        stage.figures.time(GAP, gap);
        look_for_ways_around(stage)?;
        heal(stage, None)?;
        let whose = node.map_or("all links".to_owned(), |node| format!("links of node {node}"));
        let Weather { delay, jitter, loss_percent, bytes_per_second } = weather;
        show(&format!(
            "{whose}: {delay:?} and up to {jitter:?} late, {loss_percent} % lost, \
             {bytes_per_second} bytes/s (0: no limit): {acknowledged} acknowledged, gap {gap:.2?}"
        ));
    }
    stage.figures.count("hours of bad weather", rounds.into());
    count_carried(stage)
}

/// All links somewhat bad, or those of one node very bad.
fn choose_weather(stage: &mut Stage) -> (Weather, Option<usize>) {
    let one = stage.chooser.percent(50).then(|| stage.choose_node());
    let worse = if one.is_some() { 6 } else { 1 };
    let chooser = &mut stage.chooser;
    let weather = Weather {
        delay: Duration::from_millis(chooser.within(2, 60) * worse),
        jitter: Duration::from_millis(chooser.within(0, 40) * worse),
        loss_percent: chooser.within(0, 3) * worse,
        bytes_per_second: *chooser.one(&[0, 0, 1_000_000, 250_000]).unwrap_or(&0),
    };
    (weather, one)
}

fn count_carried(stage: &mut Stage) -> eyre::Result<()> {
    let carried = stage.wiring()?.relay.carried();
    stage.figures.count("kilobytes carried by the proxy", carried / 1_000);
    if carried == 0 {
        stage.violations.push("the nodes do not use the proxy".to_owned());
    }
    Ok(())
}
