//! Block headers and blocks as they are proposed, stored and exported.

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::domains;
use crate::types::{
    BlockId, BlockTime, ChainId, Digest, Height, LogRoot, StateRoot, ValidatorAddress, domain_hash,
};

/// Most bytes of all transactions of one block.
pub const BLOCK_TRANSACTIONS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most transactions of one block.
pub const BLOCK_TRANSACTIONS_MAX: usize = 40_000;
/// Most bytes of an encoded block.
pub const BLOCK_BYTES_MAX: usize = BLOCK_TRANSACTIONS_BYTES_MAX + 4 * BLOCK_TRANSACTIONS_MAX + 4096;

/// Bytes of transactions that are hashed in one piece.
const DIGEST_PIECE_BYTES: usize = 64 * 1024;

/// What a block commits to; its digest is what validators decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The ledger.
    pub chain_id: ChainId,
    /// Height, from 1.
    pub height: Height,
    /// Block time: after the parent's, judged by validators when they vote.
    pub time: BlockTime,
    /// Validator that built the block.
    pub proposer: ValidatorAddress,
    /// The block before; zero for the first.
    pub parent: BlockId,
    /// Digest of the transactions as carried, in order.
    pub transactions: Digest,
    /// Number of log entries before this block's header entry.
    pub log_size: u64,
    /// RFC 6962 root over those entries.
    pub log_root: LogRoot,
    /// Root of the state tree after this block.
    pub state_root: StateRoot,
    /// Digest of the validators of the next height.
    pub next_validators: Digest,
    /// Digest of all parameters after this block.
    pub parameters: Digest,
}

impl Header {
    /// Identifier of the block: `blake3(domain ‖ canonical header bytes)`.
    pub fn id(&self) -> BlockId {
        BlockId::new(domain_hash(domains::BLOCK_ID, &[&codec::encode(self)]))
    }
}

/// A header and the transactions it orders, each as the bytes its signer sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Signed transactions in order.
    #[serde(with = "codec::byte_strings")]
    pub transactions: Vec<Vec<u8>>,
}

/// Why bytes are no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFormatError {
    /// The bytes do not decode.
    #[error("the block does not decode: {0}")]
    Codec(#[from] CodecError),
    /// A limit is exceeded.
    #[error("the block exceeds {BLOCK_TRANSACTIONS_MAX} transactions or its bytes")]
    TooLarge,
    /// The transactions are not those of the header.
    #[error("the transactions are not those that the header of height {height} names")]
    OtherTransactions {
        /// Height in the header.
        height: Height,
    },
}

impl Block {
    /// Digest of transactions as carried: each preceded by its length as u32 BE.
    pub fn transactions_digest<T: AsRef<[u8]>>(transactions: &[T]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(domains::BLOCK_BODY);
        // The hash takes many pieces of a long input at once, and short ones one by one.
        let mut together = Vec::with_capacity(DIGEST_PIECE_BYTES);
        for transaction in transactions {
            let bytes = transaction.as_ref();
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
            let after = together.len().saturating_add(length.len()).saturating_add(bytes.len());
            if after > DIGEST_PIECE_BYTES {
                hasher.update(&together);
                together.clear();
            }
            together.extend_from_slice(&length);
            together.extend_from_slice(bytes);
        }
        hasher.update(&together);
        Digest::new(*hasher.finalize().as_bytes())
    }

    /// Decodes a block and checks limits and that the body is the header's.
    ///
    /// Nothing else is checked: signatures, rules and roots are the executor's.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockFormatError> {
        if bytes.len() > BLOCK_BYTES_MAX {
            return Err(BlockFormatError::TooLarge);
        }
        let block: Self = codec::decode(bytes)?;
        let size = block.transactions.iter().fold(0usize, |sum, tx| sum.saturating_add(tx.len()));
        if block.transactions.len() > BLOCK_TRANSACTIONS_MAX || size > BLOCK_TRANSACTIONS_BYTES_MAX
        {
            return Err(BlockFormatError::TooLarge);
        }
        if Self::transactions_digest(&block.transactions) != block.header.transactions {
            return Err(BlockFormatError::OtherTransactions { height: block.header.height });
        }
        Ok(block)
    }

    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
