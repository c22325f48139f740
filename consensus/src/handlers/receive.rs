//! Takes the parts of proposed blocks, and judges each block that is complete.

use bytes::Bytes;
use cets_contracts::crypto::SignedMessage;
use malachitebft_app_channel::Reply;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use malachitebft_app_channel::app::types::ProposedValue;
use malachitebft_app_channel::app::types::core::{Round, Validity};
use tracing::{debug, warn};

use crate::app::App;
use crate::context::{
    BlockPart, BlockValue, EngineAddress, EngineContext, EngineHeight, StreamStart,
};
use crate::engine::EngineError;
use crate::ledger::{BlockSource, BlockVerdict};
use crate::signing::holds;
use crate::statements::stream_statement;
use crate::status::EngineEvent;
use crate::streams::{ReceivedBlock, StreamKey, StreamPart};

/// Most fresh blocks of one round that are executed; an honest proposer has one.
const BLOCKS_PER_ROUND_MAX: usize = 4;
/// Rounds above the present one whose blocks are executed.
const ROUNDS_AHEAD_MAX: u32 = 16;

/// Takes one part; answers with the block when it completes it.
pub async fn part(
    app: &mut App,
    publisher: Bytes,
    message: StreamMessage<BlockPart>,
    reply: Reply<Option<ProposedValue<EngineContext>>>,
) -> Result<(), EngineError> {
    let value = match collect(app, publisher, message) {
        Some(block) => assess(app, block).await?,
        None => None,
    };
    reply.send(value).ok();
    Ok(())
}

/// Adds a part to its stream, unless the stream is not the proposer's.
fn collect(
    app: &mut App,
    publisher: Bytes,
    message: StreamMessage<BlockPart>,
) -> Option<ReceivedBlock> {
    let key = StreamKey { publisher, stream: message.stream_id.to_bytes() };
    if let StreamContent::Data(BlockPart::Start(start)) = &message.content
        && start.height > app.tip
        && !is_from_proposer(app, start)
    {
        // Pieces that came before their start go with it.
        app.streams.forget(&key);
        return refuse(app, "not announced by the proposer of the round");
    }
    let part = match message.content {
        StreamContent::Data(part) => StreamPart::Part(part),
        StreamContent::Fin => StreamPart::End,
    };
    match app.streams.add(app.tip, key, message.sequence, part) {
        Ok(block) => block,
        // Streams of heights that are decided by now are no offence.
        Err(crate::streams::StreamError::Height { height }) if height <= app.tip => None,
        Err(error) => refuse(app, &error.to_string()),
    }
}

/// Counts a stream or a block that is not taken.
fn refuse(app: &App, reason: &str) -> Option<ReceivedBlock> {
    warn!(reason, "a block stream is dropped");
    app.shared.update(|health| {
        health.streams_dropped = health.streams_dropped.saturating_add(1);
    });
    None
}

/// Whether the start is signed by who may propose. The validators of the height after the tip are
/// known; for later heights any of them is let through, and judged when the height starts.
fn is_from_proposer(app: &App, start: &StreamStart) -> bool {
    let due = start.height != app.height()
        || start.proposer == app.members.proposer_address(start.height, start.round);
    let Some(key) = app.members.key(start.proposer).filter(|_| due) else { return false };
    let message = stream_statement(
        app.chain_id,
        start.height,
        start.round,
        start.polka_round,
        start.block_id,
        start.block_bytes,
    );
    holds(&SignedMessage { key: &key, signature: &start.signature, message: &message })
}

/// Judges a complete block, or keeps it until its height starts.
pub async fn assess(
    app: &mut App,
    block: ReceivedBlock,
) -> Result<Option<ProposedValue<EngineContext>>, EngineError> {
    let start = block.start.clone();
    if start.height <= app.tip {
        return Ok(None);
    }
    if start.height != app.height() {
        if let Err(error) = app.streams.wait(block) {
            refuse(app, &error.to_string());
        }
        return Ok(None);
    }
    let (height, round, id) = (start.height, start.round, start.block_id);
    if start.proposer != app.members.proposer_address(height, round) {
        refuse(app, "not announced by the proposer of the round");
        return Ok(None);
    }
    if round > app.round.saturating_add(ROUNDS_AHEAD_MAX) {
        refuse(app, "too many rounds ahead");
        return Ok(None);
    }
    if start.polka_round.is_some_and(|polka_round| polka_round >= round) {
        refuse(app, "its polka lies in no earlier round");
        return Ok(None);
    }
    if start.polka_round.is_some() && app.valid.contains(&id) {
        return Ok(Some(value_of(&start, Validity::Valid)));
    }
    let assessed = app.assessed.entry(round).or_default();
    *assessed = assessed.saturating_add(1);
    if *assessed > BLOCKS_PER_ROUND_MAX {
        refuse(app, "too many blocks in one round");
        return Ok(None);
    }
    let source = match start.polka_round {
        None => BlockSource::Proposal { proposer: start.proposer },
        Some(polka_round) => {
            BlockSource::Reproposal { proposers: app.members.proposers_until(height, polka_round) }
        }
    };
    let bytes = block.bytes;
    let verdict =
        app.on_ledger(move |ledger| ledger.validate(height, round, source, bytes)).await?;
    Ok(judge(app, &start, verdict))
}

/// Turns a verdict into what the engine votes on.
fn judge(
    app: &mut App,
    start: &StreamStart,
    verdict: BlockVerdict,
) -> Option<ProposedValue<EngineContext>> {
    let (height, round) = (start.height, start.round);
    let found = match &verdict {
        BlockVerdict::Valid { id }
        | BlockVerdict::Invalid { id, .. }
        | BlockVerdict::Untimely { id, .. } => *id,
        BlockVerdict::Malformed { reason } => {
            refuse(app, reason);
            return None;
        }
    };
    if found != start.block_id {
        refuse(app, "the block is not the announced one");
        return None;
    }
    match verdict {
        BlockVerdict::Valid { id } => {
            debug!(%height, round, %id, "accepts a proposal");
            app.valid.insert(id);
            app.shared.tell(EngineEvent::ProposalAccepted { height, round, id });
            Some(value_of(start, Validity::Valid))
        }
        BlockVerdict::Invalid { reason, .. } | BlockVerdict::Untimely { reason, .. } => {
            warn!(%height, round, reason, "votes against a proposal");
            app.shared.tell(EngineEvent::ProposalRefused { height, round, reason });
            Some(value_of(start, Validity::Invalid))
        }
        BlockVerdict::Malformed { .. } => None,
    }
}

fn value_of(start: &StreamStart, validity: Validity) -> ProposedValue<EngineContext> {
    ProposedValue {
        height: EngineHeight(start.height),
        round: Round::new(start.round),
        valid_round: Round::from(start.polka_round),
        proposer: EngineAddress(start.proposer),
        value: BlockValue(start.block_id),
        validity,
    }
}
