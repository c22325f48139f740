//! The one trait through which consensus reaches the ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use cets_contracts::block::{Certificate, ValidatorSet};
use cets_contracts::types::{BlockId, ChainId, Height, ValidatorAddress};

use crate::evidence::Evidence;
use crate::guard::GuardMark;

/// This node can no longer serve its ledger: the disk failed, the store is damaged or a decided
/// block does not execute. Any fault stops the node with this message.
#[derive(Debug, thiserror::Error)]
#[error("{action}: {cause}")]
pub struct LedgerFault {
    action: &'static str,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl LedgerFault {
    /// A fault met while doing something, for example `"write the block of the next height"`.
    pub fn new(
        action: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { action, cause: cause.into() }
    }
}

/// A block that this node built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedBlock {
    /// Digest of the header.
    pub id: BlockId,
    /// Canonical bytes of the block.
    pub bytes: Bytes,
}

/// How much may go into building a block, beside the ledger's own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// Longest wait for a first transaction.
    pub waiting: Duration,
    /// Most transactions.
    pub transactions: usize,
}

impl BuildLimits {
    /// A block of any size, at once.
    pub const NO_WAITING: Self = Self { waiting: Duration::ZERO, transactions: usize::MAX };
}

/// Where a block that is to be validated came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockSource {
    /// A fresh proposal. The header must name exactly this validator, and the block time is
    /// judged against the clock.
    Proposal {
        /// Proposer of the round.
        proposer: ValidatorAddress,
    },
    /// A block of an earlier round that is proposed again. The header must name the proposer of
    /// one of those rounds; the block time is judged against the clock.
    Reproposal {
        /// Proposers of the rounds up to that of the polka.
        proposers: BTreeSet<ValidatorAddress>,
    },
    /// A block with a verified certificate. The header may name any validator of the height; the
    /// clock is not asked, the quorum already did.
    Decided {
        /// Id that the certificate names. Any other block is malformed: it is neither executed nor
        /// kept.
        id: BlockId,
    },
}

/// What the ledger says about a block it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockVerdict {
    /// It executes on the tip and its roots are right; it is durable and may be voted for.
    Valid {
        /// Digest of the header.
        id: BlockId,
    },
    /// It is a block, but no correct validator decides it. When it is decided all the same, this
    /// node is broken or too old and stops.
    Invalid {
        /// Digest of the header.
        id: BlockId,
        /// Why; for people.
        reason: String,
    },
    /// Its time lies outside of what this node's clock allows. Voted against like an invalid
    /// block, but durable, and executed without the clock when a quorum decides it.
    Untimely {
        /// Digest of the header.
        id: BlockId,
        /// Why; for people.
        reason: String,
    },
    /// The bytes are no block, or the body is not the header's: they prove nothing about the
    /// block whose header they carry and are dropped.
    Malformed {
        /// Why; for people.
        reason: String,
    },
}

/// A block with the certificate that decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBlock {
    /// Canonical bytes of the block.
    pub bytes: Bytes,
    /// Its certificate.
    pub certificate: Certificate,
}

/// What consensus needs from the node's store and executor.
///
/// All methods block; the engine calls each on a thread that may block and never two of them at
/// the same time, except [`Ledger::save_guard`], which may overlap with any other.
pub trait Ledger: Send + Sync + 'static {
    /// The chain this ledger is.
    fn chain_id(&self) -> ChainId;

    /// Height of the last committed block; [`Height::GENESIS`] before the first.
    fn tip(&self) -> Result<Height, LedgerFault>;

    /// Whether this node may have signed what neither its log nor its guard knows any more, so
    /// that it must follow without voting for now. Asked at the start and after each commit; the
    /// default trusts log and guard.
    fn withholds_votes(&self) -> Result<bool, LedgerFault> {
        Ok(false)
    }

    /// Least height for which [`Ledger::decided_block`] still has an answer; 1 on a full history.
    fn history_min_height(&self) -> Result<Height, LedgerFault>;

    /// Validators that decide a height, asked for `tip + 1` and below.
    fn validators(&self, height: Height) -> Result<ValidatorSet, LedgerFault>;

    /// Least time between the starts of two heights; `None` lets heights follow at once.
    fn target_block_time(&self) -> Option<Duration>;

    /// Builds the block of `tip + 1` that this validator proposes in a round.
    ///
    /// Called again for the same height and round, also after a crash, returns the same block.
    /// Durable before it returns.
    fn propose(
        &self,
        height: Height,
        round: u32,
        proposer: ValidatorAddress,
        limits: BuildLimits,
    ) -> Result<ProposedBlock, LedgerFault>;

    /// Executes a block of `tip + 1` against the tip. Durable before it returns
    /// [`BlockVerdict::Valid`] or [`BlockVerdict::Untimely`].
    fn validate(
        &self,
        height: Height,
        round: u32,
        source: BlockSource,
        bytes: Bytes,
    ) -> Result<BlockVerdict, LedgerFault>;

    /// Bytes of a block of `tip + 1` that was proposed here or found valid or untimely.
    fn undecided_block(&self, id: BlockId) -> Result<Option<Bytes>, LedgerFault>;

    /// Commits the block of `tip + 1` that the certificate names: block, certificate and state in
    /// one synced batch. Returns only when durable; committing the tip again changes nothing.
    fn commit(&self, certificate: &Certificate) -> Result<(), LedgerFault>;

    /// Replaces the certificate of a committed height by one with more signatures for the same
    /// block. Needs not be synced: losing it loses nothing but signatures beyond the quorum.
    /// The default keeps the certificate of the decision.
    fn extend_certificate(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        let _ = certificate;
        Ok(())
    }

    /// A committed block with its certificate, for nodes that catch up.
    fn decided_block(&self, height: Height) -> Result<Option<DecidedBlock>, LedgerFault>;

    /// Keeps proof that validators signed two conflicting statements at a height.
    fn record_evidence(&self, height: Height, evidence: Vec<Evidence>) -> Result<(), LedgerFault>;

    /// All marks of the greatest height for which [`Ledger::save_guard`] was called.
    fn load_guard(&self) -> Result<Vec<GuardMark>, LedgerFault>;

    /// Adds marks. Synced before it returns; may drop marks of lower heights in the same write.
    fn save_guard(&self, marks: &[GuardMark]) -> Result<(), LedgerFault>;
}
