//! Who may decide which height: the genesis set and every change since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Anchor, ProofError, ValidatorChangeProblem};
use crate::block::ValidatorSet;
use crate::genesis::{Genesis, GenesisError};
use crate::types::{ChainId, Height};

/// A new validator set and the anchor whose header announced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorChange {
    /// Anchor of the last height that the set before decided; its header carries the new digest.
    pub anchor: Anchor,
    /// The set from the next height on.
    pub validators: ValidatorSet,
}

/// Every change of the validator set since genesis, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorChain {
    /// The changes; heights rise.
    pub changes: Vec<ValidatorChange>,
}

/// The validator set of every height, verified from the genesis document on.
///
/// The last set counts for every later height until a change is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorHistory {
    chain_id: ChainId,
    /// Sets by the first height that they decide.
    sets: BTreeMap<Height, ValidatorSet>,
}

impl ValidatorHistory {
    /// The history of a ledger whose validators never changed.
    ///
    /// # Errors
    /// [`ProofError::Genesis`] when the document names no validator set.
    pub fn new(genesis: &Genesis) -> Result<Self, ProofError> {
        let set = ValidatorSet::new(genesis.validators.clone()).map_err(GenesisError::from)?;
        let sets = BTreeMap::from([(Height::GENESIS.next(), set)]);
        Ok(Self { chain_id: genesis.chain_id(), sets })
    }

    /// The history that a chain of changes shows.
    ///
    /// # Errors
    /// [`ProofError::Genesis`] or [`ProofError::ValidatorChange`].
    pub fn verify(genesis: &Genesis, chain: &ValidatorChain) -> Result<Self, ProofError> {
        let mut history = Self::new(genesis)?;
        for (position, change) in chain.changes.iter().enumerate() {
            history.extend(change).map_err(|problem| ProofError::ValidatorChange {
                position,
                height: change.anchor.height(),
                problem,
            })?;
        }
        Ok(history)
    }

    /// Adds the next change after checking its anchor against the set in force.
    ///
    /// # Errors
    /// [`ValidatorChangeProblem`].
    pub fn extend(&mut self, change: &ValidatorChange) -> Result<(), ValidatorChangeProblem> {
        let height = change.anchor.height();
        let digest = change.validators.digest();
        let Some((newest, in_force)) = self.sets.last_key_value() else {
            return Err(ValidatorChangeProblem::NotLater);
        };
        if height < *newest {
            return Err(ValidatorChangeProblem::NotLater);
        }
        if digest == in_force.digest() {
            return Err(ValidatorChangeProblem::NoChange);
        }
        change
            .anchor
            .verify(self)
            .map_err(|error| ValidatorChangeProblem::Anchor(Box::new(error)))?;
        if change.anchor.header.next_validators != digest {
            return Err(ValidatorChangeProblem::OtherSet);
        }
        self.sets.insert(height.next(), change.validators.clone());
        Ok(())
    }

    /// The ledger.
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// The set that decides a height; none for height 0.
    pub fn at(&self, height: Height) -> Option<&ValidatorSet> {
        self.sets.range(..=height).next_back().map(|(_, set)| set)
    }

    /// Each set with the first height that it decides, in order.
    pub fn sets(&self) -> impl Iterator<Item = (Height, &ValidatorSet)> {
        self.sets.iter().map(|(height, set)| (*height, set))
    }
}
