//! Serves decided blocks to nodes that are behind, and takes them when this node is.

use std::ops::RangeInclusive;

use bytes::Bytes;
use cets_contracts::block::Certificate;
use cets_contracts::types::Height;
use malachitebft_app_channel::Reply;
use malachitebft_app_channel::app::engine::host::SyncedValueOutcome;
use malachitebft_app_channel::app::types::ProposedValue;
use malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, Round, Validity,
};
use malachitebft_app_channel::app::types::sync::RawDecidedValue;
use tracing::{debug, warn};

use crate::app::App;
use crate::codec::SyncedBlock;
use crate::context::{BlockValue, EngineAddress, EngineContext, EngineHeight};
use crate::engine::EngineError;
use crate::ledger::{BlockSource, BlockVerdict, DecidedBlock, Ledger, LedgerFault};

/// Most blocks read for one request.
const BLOCKS_READ_MAX: u64 = 64;
/// Bytes after which no further block is read for one request.
const BYTES_PER_ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Tells the least height this node can serve.
pub async fn history_min(app: &App, reply: Reply<EngineHeight>) -> Result<(), EngineError> {
    let height = app.on_ledger(|ledger| ledger.history_min_height()).await?;
    reply.send(EngineHeight(height)).ok();
    Ok(())
}

/// The engine's form of a certificate.
fn certificate_of(certificate: &Certificate) -> ExtendedCommitCertificate<EngineContext> {
    let signature = |signed: &cets_contracts::block::CommitSignature| {
        ExtendedCommitSignature::new(EngineAddress(signed.validator), signed.signature, None)
    };
    ExtendedCommitCertificate {
        height: EngineHeight(certificate.height),
        round: Round::new(certificate.round),
        value_id: BlockValue(certificate.block_id),
        commit_signatures: certificate.signatures.iter().map(signature).collect(),
    }
}

/// Answers with consecutive blocks from the start of a range; fewer than asked when they are
/// large or not here.
pub async fn decided_blocks(
    app: &App,
    range: RangeInclusive<EngineHeight>,
    reply: Reply<Vec<RawDecidedValue<EngineContext>>>,
) -> Result<(), EngineError> {
    let (start, end) = (range.start().0, range.end().0.min(app.tip));
    let blocks = app.on_ledger(move |ledger| read_blocks(ledger, start, end)).await?;
    let values = blocks.into_iter().map(|DecidedBlock { bytes, certificate }| {
        let proof = certificate_of(&certificate);
        RawDecidedValue::new(SyncedBlock { certificate, block: bytes }.encode(), proof)
    });
    reply.send(values.collect()).ok();
    Ok(())
}

fn read_blocks(
    ledger: &dyn Ledger,
    start: Height,
    end: Height,
) -> Result<Vec<DecidedBlock>, LedgerFault> {
    let mut blocks = Vec::new();
    let (mut height, mut size) = (start, 0usize);
    let behind = Height::new(start.get().saturating_add(BLOCKS_READ_MAX));
    while height <= end && height < behind && size < BYTES_PER_ANSWER_MAX {
        let Some(block) = ledger.decided_block(height)? else { break };
        size = size.saturating_add(block.bytes.len());
        blocks.push(block);
        height = height.next();
    }
    Ok(blocks)
}

/// Judges a block that a peer sent because this node is behind. The engine has verified the
/// certificate beside it, and compares the id.
pub async fn received_block(
    app: &mut App,
    height: EngineHeight,
    round: Round,
    proposer: EngineAddress,
    bytes: Bytes,
    reply: Reply<SyncedValueOutcome<EngineContext>>,
) -> Result<(), EngineError> {
    let outcome = if height.0 != app.height() {
        SyncedValueOutcome::LocalTransientError
    } else {
        match judge(app, height.0, round, bytes).await? {
            Some(value) => {
                app.shared.update(|health| {
                    health.blocks_synced = health.blocks_synced.saturating_add(1);
                });
                SyncedValueOutcome::Verdict(ProposedValue {
                    height,
                    round,
                    valid_round: Round::Nil,
                    proposer,
                    value,
                    validity: Validity::Valid,
                })
            }
            None => SyncedValueOutcome::PeerFault,
        }
    };
    reply.send(outcome).ok();
    Ok(())
}

/// The block when it is good, nothing when the peer is to blame, an error when a quorum decided
/// what is invalid here.
async fn judge(
    app: &mut App,
    height: Height,
    round: Round,
    bytes: Bytes,
) -> Result<Option<BlockValue>, EngineError> {
    let SyncedBlock { certificate, block } = match SyncedBlock::decode(bytes) {
        Ok(synced) => synced,
        Err(error) => {
            warn!(%height, %error, "a peer sent a damaged block");
            return Ok(None);
        }
    };
    let number = round.as_u32().unwrap_or(0);
    let chain_id = app.chain_id;
    // The engine compares the certificate beside the block with what is found here, afterwards.
    let verdict = app.on_ledger(move |ledger| {
        let validators = ledger.validators(height)?;
        let id = certificate.block_id;
        let named = certificate.height == height;
        if !named || certificate.verify(chain_id, id, &validators).is_err() {
            return Ok(None);
        }
        ledger.validate(height, number, BlockSource::Decided { id }, block).map(Some)
    });
    let Some(verdict) = verdict.await? else {
        warn!(%height, "a peer sent a block that nobody decided");
        return Ok(None);
    };
    match verdict {
        BlockVerdict::Valid { id } | BlockVerdict::Untimely { id, .. } => {
            debug!(%height, %id, "takes a block from a peer");
            app.valid.insert(id);
            app.fetched.insert(id);
            Ok(Some(BlockValue(id)))
        }
        BlockVerdict::Malformed { reason } => {
            warn!(%height, reason, "a peer sent a malformed block");
            Ok(None)
        }
        BlockVerdict::Invalid { id, reason } => {
            Err(EngineError::DecidedInvalid { height, id, reason })
        }
    }
}
