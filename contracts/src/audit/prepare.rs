//! What can be checked of a block on its own: bytes, limits and every signature.

use std::sync::Arc;

use super::{AuditError, StoredBlock};
use crate::block::{Block, Certificate, EventRecord, ValidatorSet};
use crate::codec;
use crate::crypto::KnownKeys;
use crate::tx::{EnvelopeError, Transaction, VerifiedTransaction, verify_batch};
use crate::types::{Digest, Height};

/// A block whose bytes and transaction signatures were checked.
#[derive(Clone, Debug)]
pub struct PreparedBlock {
    pub(super) block: Block,
    pub(super) certificate: Certificate,
    pub(super) transactions: Vec<VerifiedTransaction>,
    pub(super) receipts: Vec<Vec<u8>>,
    /// Digest of each stored event record; none for an empty one.
    pub(super) events: Vec<Option<Digest>>,
    pub(super) signatures: u64,
    /// Validators against which the certificate was verified already.
    pub(super) certified_by: Option<Arc<ValidatorSet>>,
}

/// A block that was decoded; its signatures are not verified yet.
struct Decoded {
    block: Block,
    certificate: Certificate,
    transactions: Vec<Transaction>,
    stored: (Vec<Vec<u8>>, Vec<Vec<u8>>),
}

impl Decoded {
    fn of(position: Height, stored: StoredBlock) -> Result<Self, AuditError> {
        let mut block = Block::decode(&stored.block)
            .map_err(|error| AuditError::Block { height: position, error })?;
        let certificate: Certificate = codec::decode(&stored.certificate)
            .map_err(|error| AuditError::CertificateBytes { height: position, error })?;
        let mut transactions = Vec::with_capacity(block.transactions.len());
        // The decoded transactions carry the same bytes.
        for (index, bytes) in core::mem::take(&mut block.transactions).into_iter().enumerate() {
            let transaction = Transaction::decode(bytes).map_err(|error| AuditError::Envelope {
                height: position,
                index,
                error,
            })?;
            transactions.push(transaction);
        }
        let StoredBlock { receipts, events, .. } = stored;
        Ok(Self { block, certificate, transactions, stored: (receipts, events) })
    }
}

impl PreparedBlock {
    /// Decodes a stored block and verifies its transactions' signatures in one batch.
    ///
    /// `position` is the height at which the block stands in the history; a block that cannot be
    /// decoded is named by it.
    pub fn new(position: Height, stored: StoredBlock) -> Result<Self, AuditError> {
        let mut prepared = Self::many(position, vec![stored], &mut KnownKeys::none());
        prepared.pop().unwrap_or(Err(AuditError::Gap { expected: position, found: position }))
    }

    /// Decodes consecutive blocks and verifies the signatures of all in one batch, which costs
    /// less per signature than a batch per block; ends with the first block that is bad.
    ///
    /// `first` is the height at which the first of them stands in the history; `known` are keys
    /// of earlier calls.
    pub fn many(
        first: Height,
        stored: impl IntoIterator<Item = StoredBlock>,
        known: &mut KnownKeys,
    ) -> Vec<Result<Self, AuditError>> {
        let (mut blocks, mut all, mut failure) = (Vec::new(), Vec::new(), None);
        let mut position = first;
        for stored in stored {
            match Decoded::of(position, stored) {
                Ok(mut decoded) => {
                    let transactions = core::mem::take(&mut decoded.transactions);
                    blocks.push((position, decoded, transactions.len()));
                    all.extend(transactions);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            position = position.next();
        }
        let mut verdicts = verify_batch(all, known).into_iter();
        let mut prepared = Vec::with_capacity(blocks.len());
        for (position, decoded, count) in blocks {
            let block = Self::of(position, decoded, verdicts.by_ref().take(count));
            let failed = block.is_err();
            prepared.push(block);
            if failed {
                return prepared;
            }
        }
        prepared.extend(failure.map(Err));
        prepared
    }

    fn of(
        height: Height,
        decoded: Decoded,
        verdicts: impl Iterator<Item = Result<VerifiedTransaction, EnvelopeError>>,
    ) -> Result<Self, AuditError> {
        let mut transactions = Vec::with_capacity(verdicts.size_hint().0);
        let mut signatures = 0u64;
        for (index, verdict) in verdicts.enumerate() {
            let verified =
                verdict.map_err(|error| AuditError::Envelope { height, index, error })?;
            let count = u64::try_from(verified.signatures().len()).unwrap_or(u64::MAX);
            signatures = signatures.saturating_add(count);
            transactions.push(verified);
        }
        let Decoded { block, certificate, stored: (receipts, events), .. } = decoded;
        let certified_by = None;
        let digest =
            |bytes: &Vec<u8>| (!bytes.is_empty()).then(|| EventRecord::digest_of_bytes(bytes));
        let events = events.iter().map(digest).collect();
        Ok(Self { block, certificate, transactions, receipts, events, signatures, certified_by })
    }

    /// Verifies the certificate against the validators that will probably decide the block, so
    /// that the auditor need not when it comes to them. No verdict of its own: a certificate that
    /// does not verify is judged in its turn.
    pub fn check_certificate(&mut self, validators: &Arc<ValidatorSet>) {
        let header = &self.block.header;
        let verified = self.certificate.verify(header.chain_id, header.id(), validators);
        self.certified_by = verified.is_ok().then(|| Arc::clone(validators));
    }

    /// Transactions.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether the block orders nothing.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Height in the header.
    pub const fn height(&self) -> Height {
        self.block.header.height
    }
}
