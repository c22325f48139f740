//! The durable form of the ledger: the only place that names RocksDB.
//!
//! One folder, one database, one synced batch per block. What is written when, and why a crash
//! between any two writes is safe:
//!
//! 1. A block that is proposed or voted for is written to [`Column::Undecided`], synced, before
//!    its id leaves the node. A crash after it finds the same block again.
//! 2. A decided block is one batch: entries, outcomes, log nodes, certificate, records, indexes
//!    and the tip, synced. Before it the tip is the parent and consensus decides again from its
//!    log; after it there is nothing to do.
//! 3. What the cosigner key signs is written to [`Column::Checkpoints`], synced, before the
//!    signature leaves. A crash after it signs the same bytes again. Cosignatures of others are
//!    not synced, what a crash loses is gathered again; two that contradict each other are, for
//!    they may not come a second time.
//!
//! History is kept once: a block is its header and its log entries, and is put together from them.

mod backend;
mod batch;
mod check;
mod checkpoints;
mod columns;
mod database;
mod error;
pub mod files;
mod histories;
mod history;
mod inspect;
mod kept;
mod links;
mod migrations;
mod nodes;
mod records;
mod remembered;
mod runs;
#[cfg(feature = "simulation")]
mod simulated;
mod undecided;
mod upgrade;
mod validators;
mod votes;
mod withheld;

pub use batch::BlockBatch;
pub use check::{RowChecker, SavedRows};
pub use checkpoints::{
    CheckpointFork, CosignedMark, CosignedRoot, FORKS_PER_COSIGNER_MAX, StoredCheckpoint,
};
pub use columns::Column;
pub use database::Store;
pub use error::StoreError;
pub(crate) use history::decode_entry;
pub use history::{BlockPosition, StoredBlock, StoredOutcome};
pub use inspect::{RowDamage, TableScan};
pub use kept::{KeptFor, KeptRecords, KeptStates};
pub use links::{Link, MovementId, MovementLinks};
#[cfg(feature = "simulation")]
pub use simulated::SimulatedDisk;
pub use undecided::UndecidedBlock;
pub use withheld::Carried;
