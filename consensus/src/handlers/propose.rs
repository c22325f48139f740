//! Builds the block this validator proposes, and streams it to the others.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use cets_contracts::types::{BlockId, Height, ValidatorAddress};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::LocallyProposedValue;
use malachitebft_app_channel::app::types::core::Round;
use malachitebft_app_channel::{NetworkMsg, Reply};
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use crate::app::App;
use crate::blocking::off_thread;
use crate::context::{BlockPart, BlockValue, EngineContext, EngineHeight, StreamStart};
use crate::engine::EngineError;
use crate::ledger::BuildLimits;
use crate::spawn::Role;
use crate::statements::stream_statement;

/// A block of a height that the others have probably decided: some milliseconds of work.
const HURRIED: BuildLimits = BuildLimits { waiting: Duration::ZERO, transactions: 500 };

/// What is announced at the start of a stream.
struct Announcement {
    height: Height,
    round: u32,
    polka_round: Option<u32>,
    proposer: ValidatorAddress,
    block_id: BlockId,
}

/// Builds a block and streams it. The ledger made it durable before it is named to the engine.
pub async fn build(
    app: &mut App,
    network: &mpsc::Sender<NetworkMsg<EngineContext>>,
    height: EngineHeight,
    round: Round,
    timeout: Duration,
    reply: Reply<LocallyProposedValue<EngineContext>>,
) -> Result<(), EngineError> {
    if height.0 != app.height() {
        warn!(%height, tip = %app.tip, "no block is built for a height that is not next");
        return Ok(());
    }
    let number = round.as_u32().unwrap_or(0);
    let proposer = app.role.address();
    // The others wait as long for the whole block, so half of it is for the way.
    let waiting = timeout.checked_div(2).unwrap_or_default();
    let calm = BuildLimits { waiting, ..BuildLimits::NO_WAITING };
    // The engine asks for nothing else until it has the block, not even for a decided one.
    let limits = if app.is_tip_fetched { HURRIED } else { calm };
    let block =
        app.on_ledger(move |ledger| ledger.propose(height.0, number, proposer, limits)).await?;
    debug!(%height, round = number, id = %block.id, bytes = block.bytes.len(), "proposes");
    app.valid.insert(block.id);
    reply.send(LocallyProposedValue::new(height, round, BlockValue(block.id))).ok();
    let announcement = Announcement {
        height: height.0,
        round: number,
        polka_round: None,
        proposer,
        block_id: block.id,
    };
    stream(app, network, announcement, block.bytes).await;
    Ok(())
}

/// Streams a block of an earlier round that is proposed again.
pub async fn again(
    app: &mut App,
    network: &mpsc::Sender<NetworkMsg<EngineContext>>,
    height: EngineHeight,
    round: Round,
    polka_round: Round,
    value: BlockValue,
) -> Result<(), EngineError> {
    let block_id = value.0;
    let Some(bytes) = app.on_ledger(move |ledger| ledger.undecided_block(block_id)).await? else {
        warn!(%height, id = %block_id, "a block that is proposed again is not here");
        return Ok(());
    };
    let announcement = Announcement {
        height: height.0,
        round: round.as_u32().unwrap_or(0),
        polka_round: polka_round.as_u32(),
        proposer: app.role.address(),
        block_id,
    };
    stream(app, network, announcement, bytes).await;
    Ok(())
}

/// Publishes the parts of a block in order. Failing to publish costs a round and nothing else.
async fn stream(
    app: &mut App,
    network: &mpsc::Sender<NetworkMsg<EngineContext>>,
    announcement: Announcement,
    bytes: Bytes,
) {
    let Role::Validator(signer) = &app.role else { return };
    let block_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let Announcement { height, round, polka_round, proposer, block_id } = announcement;
    let statement =
        stream_statement(app.chain_id, height, round, polka_round, block_id, block_bytes);
    let signer = Arc::clone(signer);
    let signature = match off_thread(move || signer.sign(&statement)).await {
        Ok(Ok(signature)) => signature,
        Ok(Err(fault)) => return error!(%fault, "the block stream is not signed"),
        Err(panic) => return error!(%panic, "the block stream is not signed"),
    };
    let start =
        StreamStart { height, round, polka_round, proposer, block_id, block_bytes, signature };
    let mut id = BytesMut::with_capacity(20);
    id.put_u64(height.get());
    id.put_u32(round);
    id.put_u64(app.stream_next);
    app.stream_next = app.stream_next.wrapping_add(1);
    let id = StreamId::new(id.freeze());
    for (sequence, content) in (0u64..).zip(contents(start, bytes, app.config.part_bytes)) {
        let message = StreamMessage::new(id.clone(), sequence, content);
        if network.send(NetworkMsg::PublishProposalPart(message)).await.is_err() {
            return;
        }
    }
}

/// The messages of a stream: the start, the pieces and the end.
fn contents(
    start: StreamStart,
    bytes: Bytes,
    part_bytes: usize,
) -> impl Iterator<Item = StreamContent<BlockPart>> {
    let mut rest = bytes;
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(part_bytes.min(rest.len()));
        (!piece.is_empty()).then_some(StreamContent::Data(BlockPart::Piece(piece)))
    });
    std::iter::once(StreamContent::Data(BlockPart::Start(start)))
        .chain(pieces)
        .chain(std::iter::once(StreamContent::Fin))
}
