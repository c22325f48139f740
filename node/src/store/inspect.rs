//! Reading every row of a table, past what cannot be read.

use cets_contracts::types::Digest;

use super::{Column, Store, StoreError};

/// Places that are named per table at most.
const DAMAGE_PER_TABLE_MAX: usize = 50;

/// What reading a whole table found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableScan {
    /// Rows read.
    pub rows: u64,
    /// BLAKE3 of all keys and values, each preceded by its length as u64 BE.
    pub digest: Digest,
    /// Places that cannot be read.
    pub damage: Vec<RowDamage>,
}

/// Rows that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDamage {
    /// The last row before them, or the start of the table.
    pub after: String,
    /// What the database says.
    pub reason: String,
}

impl Store {
    /// Reads every row of a table and goes on after what cannot be read.
    pub fn scan_table(&self, column: Column) -> TableScan {
        let mut scan = TableScan { rows: 0, digest: Digest::new([0; 32]), damage: Vec::new() };
        let mut hasher = blake3::Hasher::new();
        let mut from: Option<Vec<u8>> = None;
        loop {
            let mut cursor = self.cursor(column);
            match &from {
                None => cursor.seek_to_first(),
                Some(key) => cursor.seek(key),
            }
            let mut last = from.clone();
            while let Some((key, value)) = cursor.item() {
                scan.rows = scan.rows.saturating_add(1);
                for part in [key, value] {
                    let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
                    hasher.update(&length.to_be_bytes()).update(part);
                }
                last = Some(key.to_vec());
                cursor.next();
            }
            scan.digest = Digest::new(*hasher.finalize().as_bytes());
            let Err(error) = self.check_cursor(&cursor) else { return scan };
            let after = last.as_ref().map_or_else(
                || "the start of the table".to_owned(),
                |key| column.describe_key(key),
            );
            let reason = match error {
                StoreError::Corrupt { reason, .. } | StoreError::Disk { reason, .. } => reason,
                other => other.to_string(),
            };
            let next = self.end_of_named_file(&reason);
            scan.damage.push(RowDamage { after, reason });
            let goes_on = next.filter(|next| last.as_ref().is_none_or(|last| next > last));
            if goes_on.is_none() || scan.damage.len() >= DAMAGE_PER_TABLE_MAX {
                return scan;
            }
            from = goes_on;
        }
    }

    /// First key after the sorted file that a message names.
    fn end_of_named_file(&self, reason: &str) -> Option<Vec<u8>> {
        let files = self.live_files().ok()?;
        let named = files.into_iter().find(|file| reason.contains(file.name.as_str()))?;
        let mut next = named.end_key?;
        next.push(0);
        Some(next)
    }
}

impl Column {
    /// A key in words.
    pub fn describe_key(self, key: &[u8]) -> String {
        let number = |bytes: &[u8]| bytes.first_chunk::<8>().map(|n| u64::from_be_bytes(*n));
        let named = match self {
            Self::Headers | Self::Certificates | Self::ValidatorSets | Self::Evidence => {
                number(key).map(|height| format!("height {height}"))
            }
            Self::BlockStarts | Self::Entries | Self::Outcomes => {
                number(key).map(|index| format!("log index {index}"))
            }
            Self::Meta | Self::Guard | Self::Proposals => {
                std::str::from_utf8(key).ok().map(str::to_owned)
            }
            _ => None,
        };
        named.unwrap_or_else(|| format!("key {}", hex::encode(key)))
    }
}
