//! Commits what was decided, keeps evidence, and starts the next height.

use cets_contracts::block::{Certificate, CommitSignature};
use malachitebft_app_channel::Reply;
use malachitebft_app_channel::app::engine::host::Next;
use malachitebft_app_channel::app::types::MisbehaviorEvidence;
use malachitebft_app_channel::app::types::core::CommitCertificate;
use tracing::{error, info, warn};

use crate::app::{App, Exit, Flow};
use crate::context::{EngineContext, EngineHeight};
use crate::engine::EngineError;
use crate::evidence::Evidence;
use crate::misbehavior;
use crate::spawn::Role;
use crate::status::EngineEvent;

/// The ledger's form of a certificate: signatures in the order of addresses.
fn certificate_of(certificate: &CommitCertificate<EngineContext>) -> Certificate {
    let mut signatures: Vec<CommitSignature> = certificate
        .commit_signatures
        .iter()
        .map(|signed| CommitSignature { validator: signed.address.0, signature: signed.signature })
        .collect();
    signatures.sort_by_key(|signed| signed.validator);
    Certificate {
        height: certificate.height.0,
        round: certificate.round.as_u32().unwrap_or(0),
        block_id: certificate.value_id.0,
        signatures,
    }
}

/// Commits the decided block; answers only when it is durable, so that peers hear of the height
/// no earlier.
pub async fn decided(
    app: &mut App,
    certificate: CommitCertificate<EngineContext>,
    reply: Reply<()>,
) -> Result<(), EngineError> {
    let certificate = certificate_of(&certificate);
    let (height, id) = (certificate.height, certificate.block_id);
    if height <= app.tip {
        reply.send(()).ok();
        return Ok(());
    }
    if height != app.height() {
        // Not answered: the height is not here, and `finalized` finds the way back.
        error!(%height, tip = %app.tip, "a height is decided that is not next");
        return Ok(());
    }
    let is_here = app.valid.contains(&id)
        || app.on_ledger(move |ledger| ledger.undecided_block(id)).await?.is_some();
    if !is_here {
        warn!(%height, %id, "a block is decided that is not here; it will be fetched");
        return Ok(());
    }
    let signatures = certificate.signatures.len();
    let committed = certificate.clone();
    app.on_ledger(move |ledger| ledger.commit(&committed)).await?;
    info!(%height, round = certificate.round, %id, signatures, "committed");
    app.advance(height, id, signatures).await?;
    app.shared.tell(EngineEvent::Committed { certificate });
    reply.send(()).ok();
    Ok(())
}

/// Keeps late signatures and evidence, then starts the next height.
pub async fn finalized(
    app: &mut App,
    certificate: CommitCertificate<EngineContext>,
    evidence: MisbehaviorEvidence<EngineContext>,
    reply: Reply<Next<EngineContext>>,
) -> Result<Flow, EngineError> {
    let certificate = certificate_of(&certificate);
    let height = certificate.height;
    let evidence = misbehavior::portable(app.chain_id, &evidence);
    if !evidence.is_empty() {
        record(app, &certificate, evidence).await?;
    }
    if height > app.tip {
        return Ok(refetch(app, reply));
    }
    if height == app.tip && certificate.signatures.len() > app.tip_signatures {
        app.on_ledger(move |ledger| ledger.extend_certificate(&certificate)).await?;
    }
    if app.abstains_until.is_some_and(|until| app.tip >= until)
        && !app.on_ledger(|ledger| ledger.withholds_votes()).await?
    {
        return Ok(Flow::Leave(Exit::Validate));
    }
    reply.send(Next::Start(EngineHeight(app.height()), app.height_params())).ok();
    Ok(Flow::Continue)
}

async fn record(
    app: &App,
    certificate: &Certificate,
    evidence: Vec<Evidence>,
) -> Result<(), EngineError> {
    let height = certificate.height;
    for piece in &evidence {
        let (validator, round, step) = (piece.validator, piece.round, piece.step);
        warn!(%height, round, %step, %validator, "a validator signed two conflicting statements");
        app.shared.tell(EngineEvent::EvidenceRecorded { evidence: Box::new(piece.clone()) });
    }
    let count = u64::try_from(evidence.len()).unwrap_or(u64::MAX);
    app.on_ledger(move |ledger| ledger.record_evidence(height, evidence)).await?;
    app.shared.update(|health| {
        health.evidence_recorded = health.evidence_recorded.saturating_add(count);
    });
    Ok(())
}

/// Starts the height after the tip again, to fetch the decided block from peers.
///
/// The engine resets its log when a height is started again, so that a validator could contradict
/// itself: it goes on without voting instead.
fn refetch(app: &App, reply: Reply<Next<EngineContext>>) -> Flow {
    match app.role {
        Role::Validator(_) => Flow::Leave(Exit::Follow { until: app.height() }),
        Role::Follower => {
            let next = Next::Restart(EngineHeight(app.height()), app.height_params());
            reply.send(next).ok();
            Flow::Continue
        }
    }
}
