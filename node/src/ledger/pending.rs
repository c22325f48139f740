//! Blocks of the next height that may be decided.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use cets_contracts::block::ExecutedBlock;
use cets_contracts::types::{BlockId, Height};

use crate::mempool::PooledTransaction;

/// An executed block with its transactions.
pub(super) struct Outcome {
    pub(super) executed: ExecutedBlock,
    pub(super) transactions: Vec<PooledTransaction>,
}

/// What this node knows about a block.
pub(super) enum Judgement {
    /// It executed and its roots are right.
    Valid(Box<Outcome>),
    /// Its bytes are kept, it was not executed yet.
    Unexecuted,
    /// No correct validator decides it; why.
    Invalid(String),
}

/// A block that may be decided, or that must not be.
pub(super) struct PendingBlock {
    pub(super) height: Height,
    /// Canonical bytes; empty when invalid.
    pub(super) bytes: Bytes,
    pub(super) judgement: Judgement,
}

/// All of them, and when the last block was committed.
pub(super) struct Pending {
    pub(super) blocks: BTreeMap<BlockId, PendingBlock>,
    pub(super) committed_at: Instant,
}

impl Pending {
    /// Blocks of a height and below, which the commit of that height ends.
    pub(super) fn ended_by(&self, height: Height) -> Vec<BlockId> {
        let ended = self.blocks.iter().filter(|(_, block)| block.height <= height);
        ended.map(|(id, _)| *id).collect()
    }

    /// Forgets blocks of a height and below.
    pub(super) fn forget(&mut self, height: Height) {
        self.blocks.retain(|_, block| block.height > height);
    }
}
