//! The first height, and the start of each round.

use std::time::Duration;

use malachitebft_app_channel::app::consensus::Role as RoundRole;
use malachitebft_app_channel::app::types::ProposedValue;
use malachitebft_app_channel::app::types::core::{HeightParams, Round};
use malachitebft_app_channel::{NetworkRequest, Reply};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::receive;
use crate::app::{App, Exit, Flow, Shutdown};
use crate::context::{EngineAddress, EngineContext, EngineHeight};
use crate::engine::{EngineError, connected_peers};
use crate::status::EngineEvent;

/// Interval at which connected peers are counted.
const PEERS_POLL: Duration = Duration::from_millis(50);

/// Peers without which nothing can be decided.
fn peers_needed(app: &App) -> usize {
    let others = app.members.others_for_quorum(app.role.address()).unwrap_or(1);
    others.min(app.config.persistent_peers.len())
}

/// Answers where to start, once a quorum is connected or the wait is over.
///
/// A proposal that is published before the others are connected is lost and costs a round.
pub async fn ready(
    app: &mut App,
    network: &mpsc::Sender<NetworkRequest>,
    mut shutdown: Shutdown<'_>,
    reply: Reply<(EngineHeight, HeightParams<EngineContext>)>,
) -> Result<Flow, EngineError> {
    let needed = peers_needed(app);
    let started = tokio::time::Instant::now();
    let mut connected = 0;
    while connected < needed && started.elapsed() < app.config.peers_wait {
        connected = connected_peers(network).await.len();
        if connected >= needed {
            break;
        }
        tokio::select! {
            biased;
            () = shutdown.as_mut() => return Ok(Flow::Leave(Exit::Shutdown)),
            () = tokio::time::sleep(PEERS_POLL) => {}
        }
    }
    let height = app.height();
    if connected < needed {
        warn!(%height, connected, needed, "starts without a quorum of connected peers");
    } else {
        info!(%height, connected, waited = ?started.elapsed(), "starts");
    }
    app.set_running();
    reply.send((EngineHeight(height), app.height_params())).ok();
    Ok(Flow::Continue)
}

/// Notes the round and gives the engine the blocks that arrived before their height.
pub async fn round(
    app: &mut App,
    height: EngineHeight,
    round: Round,
    proposer: EngineAddress,
    role: RoundRole,
    reply: Reply<Vec<ProposedValue<EngineContext>>>,
) -> Result<(), EngineError> {
    let round = round.as_u32().unwrap_or(0);
    let proposer = proposer.0;
    debug!(%height, round, %proposer, ?role, "round starts");
    if height.0 == app.height() {
        app.round = round;
    }
    app.shared.update(|health| {
        health.height = height.0;
        health.round = round;
        health.proposer = Some(proposer);
        health.is_validator = role != RoundRole::None;
        health.rounds_extra = health.rounds_extra.saturating_add(u64::from(round > 0));
    });
    app.shared.tell(EngineEvent::RoundStarted { height: height.0, round, proposer });
    let mut values = Vec::new();
    for block in app.streams.started(height.0) {
        values.extend(receive::assess(app, block).await?);
    }
    reply.send(values).ok();
    Ok(())
}
