//! Blocks that may still be decided, and which of them this node proposed.

use bytes::Bytes;
use cets_contracts::block::Block;
use cets_contracts::codec;
use cets_contracts::types::{BlockId, Height};

use super::database::{Durability, Writes};
use super::{Column, Store, StoreError};

/// A block that may still be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndecidedBlock {
    /// Digest of its header.
    pub id: BlockId,
    /// Its height.
    pub height: Height,
    /// Canonical bytes.
    pub bytes: Bytes,
}

/// The only key of [`Column::Proposals`]: one value that is replaced leaves no deleted keys behind.
const PROPOSALS_KEY: &[u8] = b"proposals";

/// Height, round and block id of what this node proposed.
type Proposals = Vec<(Height, u32, BlockId)>;

impl Store {
    /// Keeps a block that was found valid or untimely. Synced before it returns.
    pub fn save_undecided(
        &self,
        id: BlockId,
        height: Height,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        self.put_undecided(&mut writes, id, height, bytes);
        self.write(writes, Durability::Synced, "keep an undecided block")
    }

    /// Keeps a block that this node proposes in a round. Synced before it returns.
    pub fn save_proposal(
        &self,
        id: BlockId,
        height: Height,
        round: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        self.put_undecided(&mut writes, id, height, bytes);
        let mut proposals = self.proposals()?;
        proposals.push((height, round, id));
        self.put(&mut writes, Column::Proposals, PROPOSALS_KEY, &codec::encode(&proposals));
        self.write(writes, Durability::Synced, "keep a proposed block")
    }

    fn put_undecided(&self, writes: &mut Writes, id: BlockId, height: Height, bytes: &[u8]) {
        let mut value = Vec::with_capacity(bytes.len().saturating_add(8));
        value.extend_from_slice(&height.get().to_be_bytes());
        value.extend_from_slice(bytes);
        self.put(writes, Column::Undecided, id.as_bytes(), &value);
    }

    /// The block that this node proposed in a round.
    pub fn proposal(&self, height: Height, round: u32) -> Result<Option<BlockId>, StoreError> {
        let proposals = self.proposals()?;
        let found = proposals.into_iter().find(|(at, of, _)| (*at, *of) == (height, round));
        Ok(found.map(|(_, _, id)| id))
    }

    fn proposals(&self) -> Result<Proposals, StoreError> {
        Ok(self.get_decoded(Column::Proposals, PROPOSALS_KEY)?.unwrap_or_default())
    }

    /// All blocks that may still be decided, each held against its identifier: once a quorum
    /// decided it, only its transactions and roots are looked at.
    pub fn undecided(&self) -> Result<Vec<UndecidedBlock>, StoreError> {
        let mut blocks = Vec::new();
        let mut cursor = self.cursor(Column::Undecided);
        cursor.seek_to_first();
        while let Some((key, value)) = cursor.item() {
            let decoded = key.try_into().ok().zip(value.split_first_chunk::<8>());
            let (id, (height, bytes)) = decoded.ok_or_else(|| {
                StoreError::damaged(Column::Undecided, hex::encode(key), "it is no block")
            })?;
            let id = BlockId::new(id);
            if !Block::decode(bytes).is_ok_and(|block| block.header.id() == id) {
                let reason = "it is not the block of its identifier";
                return Err(StoreError::damaged(Column::Undecided, id, reason));
            }
            blocks.push(UndecidedBlock {
                id,
                height: Height::new(u64::from_be_bytes(*height)),
                bytes: Bytes::copy_from_slice(bytes),
            });
            cursor.next();
        }
        self.check_cursor(&cursor)?;
        Ok(blocks)
    }

    /// Deletes these blocks, and all proposals up to a height, in a batch.
    pub(super) fn delete_undecided(
        &self,
        writes: &mut Writes,
        ids: &[BlockId],
        height: Height,
    ) -> Result<(), StoreError> {
        for id in ids {
            self.delete(writes, Column::Undecided, id.as_bytes());
        }
        let mut proposals = self.proposals()?;
        let before = proposals.len();
        proposals.retain(|(proposed, ..)| *proposed > height);
        if proposals.len() < before {
            self.put(writes, Column::Proposals, PROPOSALS_KEY, &codec::encode(&proposals));
        }
        Ok(())
    }
}
