//! The light audit: headers, certificates and changes of the validator set, nothing else.
//!
//! It shows that one unbroken chain of headers was decided by the validators that the chain itself
//! names, from genesis on; a fork, a gap and a forged certificate are found. It does not show
//! that the rules were kept: for that every transaction is executed again ([`super::Auditor`]).

use serde::Serialize;

use crate::block::{Certificate, Header, ValidatorSet};
use crate::genesis::Genesis;
use crate::proof::{
    Anchor, ProofError, ValidatorChain, ValidatorChange, ValidatorChangeProblem, ValidatorHistory,
};
use crate::rules::Payload;
use crate::tx::Transaction;
use crate::types::{BlockId, BlockTime, ChainId, Digest, Height, LogRoot, StateRoot};

/// What the light audit found wrong; every variant names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightAuditError {
    /// The genesis document names no validator set.
    #[error("{0}")]
    Genesis(ProofError),
    /// Headers do not follow each other.
    #[error("header {expected} is missing: header {found} stands in its place")]
    Gap {
        /// Height that should follow.
        expected: Height,
        /// Height that stands there.
        found: Height,
    },
    /// A header names another parent: the chain is forked or cut here.
    #[error("header {height} names parent {found}, the header before it is {expected}")]
    Parent {
        /// Height.
        height: Height,
        /// Block before.
        expected: BlockId,
        /// Parent that the header names.
        found: BlockId,
    },
    /// Time or log do not grow.
    #[error("header {height}: {what} does not come after that of the header before")]
    NotLater {
        /// Height.
        height: Height,
        /// `block time` or `log size`.
        what: &'static str,
    },
    /// A certificate does not decide its header.
    #[error("header {height}: {error}")]
    Certificate {
        /// Height.
        height: Height,
        /// Why.
        error: ProofError,
    },
    /// The header announces a validator set that nobody showed.
    #[error("header {height} announces validators with digest {digest}, which are not shown")]
    SetMissing {
        /// Height.
        height: Height,
        /// Digest in the header.
        digest: Digest,
    },
    /// The shown set is not the one announced.
    #[error("header {height}: the validators of the next height: {problem}")]
    Set {
        /// Height.
        height: Height,
        /// What is wrong.
        problem: ValidatorChangeProblem,
    },
    /// The history ends elsewhere.
    #[error("the history says that it ends at block {said}, its last header is {found}")]
    End {
        /// Height named at the end.
        said: Height,
        /// Height of the last header.
        found: Height,
    },
}

/// What the light audit checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LightReport {
    /// The ledger.
    pub chain_id: ChainId,
    /// Name of the network.
    pub network: String,
    /// Last header.
    pub height: Height,
    /// Its identifier.
    pub block_id: BlockId,
    /// Its block time.
    pub time: BlockTime,
    /// State root that it names.
    pub state_root: StateRoot,
    /// Log size that it names.
    pub log_size: u64,
    /// Log root that it names.
    pub log_root: LogRoot,
    /// Certificates verified.
    pub certificates: u64,
    /// Signatures in them.
    pub signatures: u64,
    /// Heights from which a new validator set decides.
    pub set_changes: Vec<Height>,
}

/// Follows headers and certificates from genesis.
#[derive(Clone, Debug)]
pub struct LightAuditor {
    validators: ValidatorHistory,
    changes: Vec<ValidatorChange>,
    in_force: Digest,
    report: LightReport,
}

impl LightAuditor {
    /// Starts from genesis.
    ///
    /// # Errors
    /// [`LightAuditError::Genesis`].
    pub fn new(genesis: &Genesis) -> Result<Self, LightAuditError> {
        let validators = ValidatorHistory::new(genesis).map_err(LightAuditError::Genesis)?;
        let first = validators.at(Height::GENESIS.next()).map(ValidatorSet::digest);
        let report = LightReport {
            chain_id: genesis.chain_id(),
            network: genesis.network.clone(),
            height: Height::GENESIS,
            block_id: BlockId::new([0; 32]),
            time: genesis.time,
            state_root: StateRoot::new([0; 32]),
            log_size: 0,
            log_root: LogRoot::new([0; 32]),
            certificates: 0,
            signatures: 0,
            set_changes: Vec::new(),
        };
        let in_force = first.unwrap_or(Digest::new([0; 32]));
        Ok(Self { validators, changes: Vec::new(), in_force, report })
    }

    /// Checks the next header.
    ///
    /// `announced` gives the validator set of a digest; it is asked only when the set changes.
    ///
    /// # Errors
    /// [`LightAuditError`].
    pub fn check(
        &mut self,
        header: Header,
        certificate: Certificate,
        announced: impl FnOnce(&Digest) -> Option<ValidatorSet>,
    ) -> Result<(), LightAuditError> {
        self.check_order(&header)?;
        let height = header.height;
        let signatures = u64::try_from(certificate.signatures.len()).unwrap_or(u64::MAX);
        let anchor = Anchor { header, certificate };
        anchor
            .verify(&self.validators)
            .map_err(|error| LightAuditError::Certificate { height, error })?;
        let report = &mut self.report;
        let header = &anchor.header;
        report.height = height;
        report.block_id = header.id();
        report.time = header.time;
        report.state_root = header.state_root;
        report.log_size = header.log_size;
        report.log_root = header.log_root;
        report.certificates = report.certificates.saturating_add(1);
        report.signatures = report.signatures.saturating_add(signatures);
        let digest = header.next_validators;
        if digest == self.in_force {
            return Ok(());
        }
        let set = announced(&digest);
        let validators = set.ok_or(LightAuditError::SetMissing { height, digest })?;
        let change = ValidatorChange { anchor, validators };
        self.validators
            .extend(&change)
            .map_err(|problem| LightAuditError::Set { height, problem })?;
        self.changes.push(change);
        self.in_force = digest;
        self.report.set_changes.push(height.next());
        Ok(())
    }

    fn check_order(&self, header: &Header) -> Result<(), LightAuditError> {
        let before = &self.report;
        let (expected, found) = (before.height.next(), header.height);
        if found != expected {
            return Err(LightAuditError::Gap { expected, found });
        }
        let height = found;
        if header.parent != before.block_id {
            let (expected, found) = (before.block_id, header.parent);
            return Err(LightAuditError::Parent { height, expected, found });
        }
        if header.time <= before.time {
            return Err(LightAuditError::NotLater { height, what: "block time" });
        }
        // The header entry of the block before lies in between.
        let is_first = before.height == Height::GENESIS;
        if !is_first && header.log_size <= before.log_size {
            return Err(LightAuditError::NotLater { height, what: "log size" });
        }
        Ok(())
    }

    /// Refuses a history that names another end.
    ///
    /// # Errors
    /// [`LightAuditError::End`].
    pub fn check_end(&self, said: Height) -> Result<(), LightAuditError> {
        let found = self.report.height;
        if said == found { Ok(()) } else { Err(LightAuditError::End { said, found }) }
    }

    /// What was checked so far.
    pub const fn report(&self) -> &LightReport {
        &self.report
    }

    /// The validator set of every height so far.
    pub const fn validators(&self) -> &ValidatorHistory {
        &self.validators
    }

    /// Every change of the validator set so far, with its anchor: what proofs carry.
    pub fn into_chain(self) -> ValidatorChain {
        ValidatorChain { changes: self.changes }
    }
}

/// The validator sets that the transactions of a block order or propose, for
/// [`LightAuditor::check`]: a set announced later is one of them.
pub fn ordered_validator_sets<T: AsRef<[u8]>>(transactions: &[T]) -> Vec<ValidatorSet> {
    let payloads = transactions.iter().filter_map(|bytes| {
        let transaction = Transaction::decode(bytes.as_ref().to_vec()).ok()?;
        Some(transaction.body().payload.clone())
    });
    let sets = payloads.filter_map(|payload| match payload {
        Payload::SetValidators(order) => ValidatorSet::new(order.validators).ok(),
        Payload::Propose(proposed) => match *proposed.order {
            Payload::SetValidators(order) => ValidatorSet::new(order.validators).ok(),
            _ => None,
        },
        _ => None,
    });
    sets.collect()
}
