//! What goes wrong with the store, in words that say what to do.

use std::path::{Path, PathBuf};

use cets_contracts::types::ChainId;

use super::Column;

/// Why the store cannot serve. Every one of these stops the node.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be opened.
    #[error(
        "cannot open the ledger in {folder}: {reason}; check that the folder is writable and that \
         no other cetsd uses it"
    )]
    Open {
        /// Data folder.
        folder: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The files of the database do not have their checksums; the reason names the file.
    #[error(
        "the files of the ledger in {folder} are damaged: {reason}; do not repair them by hand: \
         `cetsd repair` moves them aside and fetches the ledger from the other nodes"
    )]
    Corrupt {
        /// Data folder.
        folder: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// A read or a write failed.
    #[error(
        "cannot {action} in {folder}: {reason}; check the disk (space, errors, permissions) and \
         start the node again"
    )]
    Disk {
        /// What was being done.
        action: &'static str,
        /// Data folder.
        folder: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// Something stored does not decode or contradicts the rest.
    #[error(
        "the ledger is damaged: table {table}, {key}: {reason}; do not repair it by hand: \
         `cetsd repair` moves it aside and fetches the ledger from the other nodes"
    )]
    Damaged {
        /// Table.
        table: &'static str,
        /// Where in the table.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A kept state does not say what its header says. The ledger itself is sound.
    #[error("the kept state {file} is damaged: {reason}; delete it and make it again: cetsd keep")]
    Kept {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The folder was written by a newer program.
    #[error(
        "the ledger in {folder} has schema version {found}, this program knows up to {known}; \
         start a newer cetsd"
    )]
    TooNew {
        /// Data folder.
        folder: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// The folder was written by an older program and is only read.
    #[error(
        "the ledger in {folder} has schema version {found}, this program reads {known}; start its \
         node once with this version"
    )]
    TooOld {
        /// Data folder.
        folder: PathBuf,
        /// Version found.
        found: u32,
        /// Version this program reads.
        known: u32,
    },
    /// The folder holds another ledger.
    #[error(
        "the data folder {folder} holds chain {found}, the genesis file is of chain {expected}; \
         use the genesis file of that ledger, or another data folder"
    )]
    OtherChain {
        /// Data folder.
        folder: PathBuf,
        /// Chain of the folder.
        found: ChainId,
        /// Chain of the genesis file.
        expected: ChainId,
    },
    /// The folder holds no ledger.
    #[error("there is no ledger in {folder}; check the path, or start the node once")]
    NoLedger {
        /// Data folder.
        folder: PathBuf,
    },
}

impl StoreError {
    /// What became of opening a folder.
    pub(super) fn open(folder: &Path, reason: String) -> Self {
        let folder = folder.to_owned();
        if is_corruption(&reason) {
            Self::Corrupt { folder, reason }
        } else {
            Self::Open { folder, reason }
        }
    }

    /// What became of reading or writing in a folder.
    pub(super) fn disk(action: &'static str, folder: &Path, reason: String) -> Self {
        let folder = folder.to_owned();
        if is_corruption(&reason) {
            return Self::Corrupt { folder, reason };
        }
        Self::Disk { action, folder, reason }
    }

    /// Damage at a key.
    pub fn damaged(
        column: Column,
        key: impl std::fmt::Display,
        reason: impl std::fmt::Display,
    ) -> Self {
        Self::Damaged { table: column.name(), key: key.to_string(), reason: reason.to_string() }
    }
}

/// Whether the database says that a checksum does not hold.
fn is_corruption(reason: &str) -> bool {
    reason.starts_with("Corruption")
}
