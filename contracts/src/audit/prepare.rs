//! What can be checked of a block on its own: bytes, limits and every signature.

use super::{AuditError, StoredBlock};
use crate::block::{Block, Certificate};
use crate::codec;
use crate::tx::{Transaction, VerifiedTransaction, verify_batch};
use crate::types::Height;

/// A block whose bytes and transaction signatures were checked.
#[derive(Clone, Debug)]
pub struct PreparedBlock {
    pub(super) block: Block,
    pub(super) certificate: Certificate,
    pub(super) transactions: Vec<VerifiedTransaction>,
    pub(super) receipts: Vec<Vec<u8>>,
    pub(super) events: Vec<Vec<u8>>,
    pub(super) signatures: u64,
}

impl PreparedBlock {
    /// Decodes a stored block and verifies its transactions' signatures in one batch.
    ///
    /// `position` is the height at which the block stands in the history; a block that cannot be
    /// decoded is named by it.
    pub fn new(position: Height, stored: StoredBlock) -> Result<Self, AuditError> {
        let block = Block::decode(&stored.block)
            .map_err(|error| AuditError::Block { height: position, error })?;
        let certificate: Certificate = codec::decode(&stored.certificate)
            .map_err(|error| AuditError::CertificateBytes { height: position, error })?;
        let mut decoded = Vec::with_capacity(block.transactions.len());
        let mut signatures = 0u64;
        for (index, bytes) in block.transactions.iter().enumerate() {
            let transaction = Transaction::decode(bytes.clone())
                .map_err(|error| AuditError::Envelope { height: position, index, error })?;
            let count = u64::try_from(transaction.signatures().len()).unwrap_or(u64::MAX);
            signatures = signatures.saturating_add(count);
            decoded.push(transaction);
        }
        let mut transactions = Vec::with_capacity(decoded.len());
        for (index, verdict) in verify_batch(decoded).into_iter().enumerate() {
            transactions.push(verdict.map_err(|error| AuditError::Envelope {
                height: position,
                index,
                error,
            })?);
        }
        let StoredBlock { receipts, events, .. } = stored;
        Ok(Self { block, certificate, transactions, receipts, events, signatures })
    }

    /// Height in the header.
    pub const fn height(&self) -> Height {
        self.block.header.height
    }
}
