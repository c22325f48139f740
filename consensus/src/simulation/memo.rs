//! Verdicts on signatures, so that a simulation verifies each once for all of its nodes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cets_contracts::crypto::{self, SignedMessage};

/// Verdicts kept at most; then they are forgotten.
const VERDICTS_MAX: usize = 100_000;

type Verdicts = BTreeMap<[u8; 32], bool>;

thread_local! {
    static VERDICTS: RefCell<Option<Verdicts>> = const { RefCell::new(None) };
}

/// Remembers verdicts on this thread from now on; what was remembered is forgotten.
pub fn remember_signatures() {
    VERDICTS.with(|verdicts| *verdicts.borrow_mut() = Some(Verdicts::new()));
}

/// Whether a signature is good, from memory where this thread remembers.
pub(crate) fn remembered(signed: &SignedMessage<'_>) -> bool {
    VERDICTS.with(|verdicts| {
        let mut verdicts = verdicts.borrow_mut();
        let Some(verdicts) = verdicts.as_mut() else { return crypto::verify(signed) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(signed.key.as_bytes());
        hasher.update(signed.signature.as_bytes());
        hasher.update(signed.message);
        let digest = *hasher.finalize().as_bytes();
        if let Some(verdict) = verdicts.get(&digest) {
            return *verdict;
        }
        if verdicts.len() >= VERDICTS_MAX {
            verdicts.clear();
        }
        let verdict = crypto::verify(signed);
        verdicts.insert(digest, verdict);
        verdict
    })
}
