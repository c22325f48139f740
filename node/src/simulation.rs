//! What a simulation does once for all of its nodes.

use std::cell::RefCell;
use std::collections::HashSet;

use cets_contracts::crypto::KnownKeys;
use cets_contracts::tx::{EnvelopeError, Transaction, VerifiedTransaction, verify_batch};

/// Envelopes remembered at most; then they are forgotten.
const ENVELOPES_MAX: usize = 100_000;

thread_local! {
    static GOOD: RefCell<Option<HashSet<[u8; 32]>>> = const { RefCell::new(None) };
}

/// Remembers on this thread which envelopes have good signatures, from now on.
pub fn remember_envelopes() {
    GOOD.with(|good| *good.borrow_mut() = Some(HashSet::new()));
}

/// Verifies signatures, of each envelope once where this thread remembers.
pub(crate) fn verify_remembered(
    batch: Vec<Transaction>,
    known: &mut KnownKeys,
) -> Vec<Result<VerifiedTransaction, EnvelopeError>> {
    GOOD.with(|good| {
        let mut good = good.borrow_mut();
        let Some(good) = good.as_mut() else { return verify_batch(batch, known) };
        if good.len() >= ENVELOPES_MAX {
            good.clear();
        }
        batch
            .into_iter()
            .map(|transaction| {
                let digest = *blake3::hash(transaction.bytes()).as_bytes();
                if good.contains(&digest) {
                    return Ok(VerifiedTransaction::assume_verified(transaction));
                }
                let verified = VerifiedTransaction::verify(transaction);
                if verified.is_ok() {
                    good.insert(digest);
                }
                verified
            })
            .collect()
    })
}
