//! The signed envelope around a payload.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::crypto::{self, KnownKeys, SignedMessage};
use crate::domains;
use crate::rules::Payload;
use crate::types::{AccountId, BlockTime, ChainId, PublicKey, Signature, TxId, domain_hash};

/// Most bytes of a signed transaction; a log entry (with receipt) stays below 65,536.
pub const TRANSACTION_BYTES_MAX: usize = 61_440;
/// Most signers of a transaction.
pub const SIGNERS_PER_TRANSACTION_MAX: usize = 16;
/// Longest life of a transaction after block time, in milliseconds: 24 hours.
pub const TRANSACTION_LIFE_MILLIS_MAX: u64 = 24 * 3_600_000;

/// What is signed: who asks the ledger to do what, on which chain and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxBody {
    /// The ledger it is meant for.
    pub chain_id: ChainId,
    /// The account that acts.
    pub account: AccountId,
    /// Keys of the representatives who sign, ascending. Being signed themselves, they cannot be
    /// fewer or others on the way to the ledger.
    pub signers: Vec<PublicKey>,
    /// Last block time at which it may be ordered; at most 24 h after block time.
    pub valid_until: BlockTime,
    /// Makes two equal orders two transactions.
    pub salt: u64,
    /// The order.
    pub payload: Payload,
}

impl TxBody {
    /// Identifier: `blake3(domain ‖ canonical body bytes)`.
    pub fn id(&self) -> TxId {
        TxId::new(domain_hash(domains::TX_ID, &[&codec::encode(self)]))
    }
}

/// Keys as a body lists them: ascending, each once.
pub fn signer_list(keys: impl IntoIterator<Item = PublicKey>) -> Vec<PublicKey> {
    keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A body and the signatures of its signers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// What is signed.
    pub body: TxBody,
    /// One Ed25519 signature over [`signature_message`] per signer, in the order of the signers.
    pub signatures: Vec<Signature>,
}

impl SignedTransaction {
    /// Canonical bytes, as they travel.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// A body with what a function signs for each of its signers: it is given the key and the
    /// message.
    pub fn new(body: TxBody, mut sign: impl FnMut(&PublicKey, &[u8]) -> Signature) -> Self {
        let message = signature_message(&body.id());
        let signatures = body.signers.iter().map(|key| sign(key, &message)).collect();
        Self { body, signatures }
    }

    /// A body with empty signatures, for a dry run before anybody signs.
    pub fn unsigned(body: TxBody) -> Self {
        Self::new(body, |_, _| Signature::new([0; Signature::LEN]))
    }
}

/// The message that each signer signs: `domain ‖ TxId`.
pub fn signature_message(id: &TxId) -> Vec<u8> {
    [domains::TX_SIGNATURE, id.as_bytes()].concat()
}

/// Why an envelope may not stand in a block. A block that holds one is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are no canonical transaction.
    #[error("the bytes are no transaction: {0}")]
    Malformed(#[from] CodecError),
    /// More than [`TRANSACTION_BYTES_MAX`].
    #[error("the transaction has {bytes} bytes, at most {TRANSACTION_BYTES_MAX} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No signer, too many, out of order, or not one signature of each.
    #[error(
        "a transaction lists 1 to {SIGNERS_PER_TRANSACTION_MAX} signers in ascending order and \
         carries one signature of each"
    )]
    SignatureCount,
    /// A signature does not verify.
    #[error("the signature of key {key} does not verify")]
    BadSignature {
        /// The key.
        key: PublicKey,
    },
    /// Meant for another ledger.
    #[error("the transaction is for chain {found}, this is chain {expected}")]
    WrongChain {
        /// Chain named in the body.
        found: ChainId,
        /// This chain.
        expected: ChainId,
    },
    /// `valid_until` has passed.
    #[error("the transaction was valid until {} ms, block time is {} ms",
        valid_until.as_millis(), block_time.as_millis())]
    Expired {
        /// Last time it could be ordered.
        valid_until: BlockTime,
        /// Time of the block.
        block_time: BlockTime,
    },
    /// `valid_until` lies more than 24 h ahead.
    #[error("valid_until is more than 24 h after block time {} ms", block_time.as_millis())]
    ValidTooLong {
        /// Time of the block.
        block_time: BlockTime,
    },
    /// The same transaction was ordered before.
    #[error("transaction {id} was already accepted")]
    Replayed {
        /// Its identifier.
        id: TxId,
    },
}

impl EnvelopeError {
    /// Stable number of the error, for programs; receipts never carry it.
    pub const fn number(&self) -> u16 {
        match self {
            Self::Malformed(_) => 1,
            Self::TooLarge { .. } => 2,
            Self::SignatureCount => 3,
            Self::BadSignature { .. } => 4,
            Self::WrongChain { .. } => 5,
            Self::Expired { .. } => 6,
            Self::ValidTooLong { .. } => 7,
            Self::Replayed { .. } => 8,
        }
    }
}

/// A decoded transaction with the bytes it came in and its identifier.
#[derive(Clone, Debug)]
pub struct Transaction {
    bytes: Vec<u8>,
    signed: SignedTransaction,
    id: TxId,
}

impl Transaction {
    /// Decodes and checks everything that needs neither state nor curve arithmetic.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        if bytes.len() > TRANSACTION_BYTES_MAX {
            return Err(EnvelopeError::TooLarge { bytes: bytes.len() });
        }
        let signed: SignedTransaction = codec::decode(&bytes)?;
        let signers = &signed.body.signers;
        let count = signed.signatures.len();
        if !(1..=SIGNERS_PER_TRANSACTION_MAX).contains(&count)
            || signers.len() != count
            || !signers.is_sorted_by(|one, next| one < next)
        {
            return Err(EnvelopeError::SignatureCount);
        }
        let body_len = bytes.len().saturating_sub(signatures_len(count));
        let id =
            TxId::new(domain_hash(domains::TX_ID, &[bytes.get(..body_len).unwrap_or_default()]));
        Ok(Self { bytes, signed, id })
    }

    /// The bytes as carried.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identifier.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// The body.
    pub const fn body(&self) -> &TxBody {
        &self.signed.body
    }

    /// Each signer with its signature.
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = (&PublicKey, &Signature)> {
        self.signed.body.signers.iter().zip(&self.signed.signatures)
    }
}

/// Bytes of a list of so many signatures at the end of an envelope: a length byte and 64 each.
const fn signatures_len(count: usize) -> usize {
    count.saturating_mul(Signature::LEN).saturating_add(1)
}

/// A transaction whose signatures were verified.
#[derive(Clone, Debug)]
pub struct VerifiedTransaction(Transaction);

impl VerifiedTransaction {
    /// Verifies one transaction.
    pub fn verify(transaction: Transaction) -> Result<Self, EnvelopeError> {
        let mut verdicts = verify_batch(vec![transaction], &mut KnownKeys::none());
        verdicts.pop().unwrap_or(Err(EnvelopeError::SignatureCount))
    }

    /// Takes the caller's word that these very bytes were verified before, for example from a
    /// cache keyed by a digest of the whole envelope.
    pub const fn assume_verified(transaction: Transaction) -> Self {
        Self(transaction)
    }
}

impl core::ops::Deref for VerifiedTransaction {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        &self.0
    }
}

/// Verifies the signatures of many transactions in one batch; the verdicts keep the order.
pub fn verify_batch(
    transactions: Vec<Transaction>,
    known: &mut KnownKeys,
) -> Vec<Result<VerifiedTransaction, EnvelopeError>> {
    let messages: Vec<Vec<u8>> =
        transactions.iter().map(|transaction| signature_message(&transaction.id)).collect();
    let signed: Vec<SignedMessage<'_>> = transactions
        .iter()
        .zip(&messages)
        .flat_map(|(transaction, message)| {
            transaction.signatures().map(move |(key, signature)| SignedMessage {
                key,
                signature,
                message,
            })
        })
        .collect();
    let mut verdicts = crypto::verify_each(&signed, known).into_iter();
    transactions
        .into_iter()
        .map(|transaction| {
            // Takes this transaction's verdicts, all of them, before looking for a bad one.
            let own: Vec<bool> = verdicts.by_ref().take(transaction.signatures().len()).collect();
            let bad = transaction.signatures().zip(own).find(|(_, good)| !good);
            match bad {
                Some(((key, _), _)) => Err(EnvelopeError::BadSignature { key: *key }),
                None => Ok(VerifiedTransaction(transaction)),
            }
        })
        .collect()
}
