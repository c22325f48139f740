//! Validators that cosign a log which is not this one, and those that cosign both.

use std::collections::BTreeMap;

use cets_contracts::transparency::Cosignature;
use cets_contracts::types::PublicKey;

use super::gathering::{Checkpoints, Gathering, Taken};
use super::vote::CheckpointVote;
use crate::metrics;
use crate::store::{CheckpointFork, CosignedRoot, StoreError};

/// Cosignatures on other logs remembered of one validator; those on the shortest logs go first.
const CONTRARY_PER_VALIDATOR_MAX: usize = 16;

/// What a validator cosigned beside what this log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contrary {
    vote: CheckpointVote,
    /// Whether what contradicts it is known, and both are kept.
    is_kept: bool,
}

/// Verified cosignatures on other logs than this node's, by validator and size.
#[derive(Debug, Default)]
pub(super) struct Contraries(BTreeMap<PublicKey, BTreeMap<u64, Contrary>>);

impl Contraries {
    fn get(&self, cosigner: &PublicKey, size: u64) -> Option<Contrary> {
        self.0.get(cosigner)?.get(&size).copied()
    }

    fn set(&mut self, contrary: Contrary) {
        let of_validator = self.0.entry(contrary.vote.cosignature.cosigner).or_default();
        of_validator.insert(contrary.vote.size, contrary);
        while of_validator.len() > CONTRARY_PER_VALIDATOR_MAX {
            of_validator.pop_first();
        }
    }
}

const fn cosigned_root(vote: &CheckpointVote) -> CosignedRoot {
    CosignedRoot { root: vote.root, cosignature: vote.cosignature }
}

impl Checkpoints {
    /// Takes the cosignature of a validator on another log; `own` is its cosignature on this one.
    pub(super) fn take_contrary(
        &self,
        gathering: &mut Gathering,
        vote: &CheckpointVote,
        own: Option<CheckpointVote>,
    ) -> Result<Taken, StoreError> {
        let cosigner = vote.cosignature.cosigner;
        let before = gathering.contraries.get(&cosigner, vote.size);
        if before.is_some_and(|before| before.is_kept || before.vote.root == vote.root) {
            return Ok(Taken::Known);
        }
        if !self.is_signed(vote) {
            return Ok(Taken::Garbage);
        }
        match own.or(before.map(|before| before.vote)) {
            Some(other) => self.keep_fork(gathering, &other, vote)?,
            None => {
                report_other_log(vote);
                gathering.contraries.set(Contrary { vote: *vote, is_kept: false });
            }
        }
        Ok(Taken::Known)
    }

    /// Holds a verified cosignature on this log against what its validator said otherwise.
    pub(super) fn compare_with_contrary(
        &self,
        gathering: &mut Gathering,
        vote: &CheckpointVote,
    ) -> Result<(), StoreError> {
        match gathering.contraries.get(&vote.cosignature.cosigner, vote.size) {
            Some(Contrary { vote: other, is_kept: false }) if other.root != vote.root => {
                self.keep_fork(gathering, &other, vote)
            }
            _ => Ok(()),
        }
    }

    /// Takes a cosignature on a checkpoint below the served one: of use only when it contradicts.
    pub(super) fn take_past(
        &self,
        gathering: &mut Gathering,
        vote: &CheckpointVote,
    ) -> Result<Taken, StoreError> {
        let Some(past) = gathering.past.get(&vote.size) else { return Ok(Taken::Known) };
        let cosigner = vote.cosignature.cosigner;
        if !past.is_by_validator(&cosigner) {
            return Ok(Taken::Garbage);
        }
        let own = past.vote_of(&cosigner);
        if vote.root != past.checkpoint.root {
            return self.take_contrary(gathering, vote, own);
        }
        let contrary = gathering.contraries.get(&cosigner, vote.size);
        if contrary.is_some_and(|contrary| !contrary.is_kept) {
            if !self.is_signed(vote) {
                return Ok(Taken::Garbage);
            }
            self.compare_with_contrary(gathering, vote)?;
        }
        Ok(Taken::Known)
    }

    /// Keeps two verified cosignatures of one validator that contradict each other, and passes
    /// both on, so that every node has them.
    pub(super) fn keep_fork(
        &self,
        gathering: &mut Gathering,
        one: &CheckpointVote,
        other: &CheckpointVote,
    ) -> Result<(), StoreError> {
        let Cosignature { cosigner, .. } = one.cosignature;
        gathering.contraries.set(Contrary { vote: *one, is_kept: true });
        let fork = CheckpointFork::new(one.size, cosigned_root(one), cosigned_root(other));
        if !self.store().save_checkpoint_fork(&fork)? {
            return Ok(());
        }
        metrics::add("cets_checkpoint_conflicts_total", 1);
        tracing::error!(
            size = fork.size, root = %fork.first.root, other_root = %fork.second.root, %cosigner,
            "a validator cosigned two logs; both signatures are kept: accuse it with \
             `cets audit blame --out FOLDER`"
        );
        gathering.pass_on(*one);
        gathering.pass_on(*other);
        Ok(())
    }
}

fn report_other_log(vote: &CheckpointVote) {
    metrics::add("cets_checkpoint_conflicts_total", 1);
    tracing::error!(
        size = vote.size, root = %vote.root, cosigner = %vote.cosignature.cosigner,
        "a validator cosigned a log that is not this node's: the ledger is forked or a cosigner \
         key is misused; compare the ledgers of the nodes (cets audit compare)"
    );
}
