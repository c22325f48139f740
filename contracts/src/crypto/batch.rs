//! Many signatures verified by one equation.
//!
//! With a random factor `z` for each signature `(R, s)` of a key `A` over a message whose challenge
//! is `k`, all signatures of a batch hold when `8 (sum(z R) + sum(z k A) - sum(z s) B)` is the
//! neutral element, but for a chance of 2^-128. Signatures of one key share one term for `A`.

use core::iter::once;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha512};

use super::{KnownKeys, SignedMessage, verify};
use crate::types::Signature;

/// A signature as the equation needs it.
struct Term<'a> {
    signed: &'a SignedMessage<'a>,
    /// Place among the messages.
    place: usize,
    /// Point of the key.
    key: EdwardsPoint,
    commitment: EdwardsPoint,
    response: Scalar,
    challenge: Scalar,
}

/// Whether each signature verifies, in the order given.
///
/// Verifies all in one batch; when the batch fails, halves it until the bad ones are found.
pub fn verify_each(all: &[SignedMessage<'_>], known: &mut KnownKeys) -> Vec<bool> {
    let mut verdicts = vec![false; all.len()];
    let mut by_key: Vec<(usize, &SignedMessage<'_>)> = all.iter().enumerate().collect();
    by_key.sort_by_key(|(_, signed)| signed.key.as_bytes());
    let mut terms = Vec::with_capacity(by_key.len());
    for same_key in by_key.chunk_by(|(_, one), (_, next)| one.key == next.key) {
        let point = same_key.first().and_then(|(_, signed)| known.point(signed.key));
        let Some(point) = point else { continue };
        terms.extend(same_key.iter().filter_map(|(place, signed)| Term::of(*place, signed, point)));
    }
    bisect(&terms, &mut verdicts);
    verdicts
}

/// Whether all signatures verify; remembers no key.
pub fn verify_all(all: &[SignedMessage<'_>]) -> bool {
    verify_each(all, &mut KnownKeys::none()).into_iter().all(|good| good)
}

impl<'a> Term<'a> {
    /// None when the signature is no point, or the response is not reduced: no equation can hold
    /// for it.
    fn of(place: usize, signed: &'a SignedMessage<'a>, key: EdwardsPoint) -> Option<Self> {
        let (commitment, response) = signed.signature.as_bytes().split_first_chunk::<32>()?;
        let response = Option::from(Scalar::from_canonical_bytes(response.try_into().ok()?))?;
        let challenge = Sha512::new().chain_update(commitment).chain_update(signed.key.as_bytes());
        let challenge = challenge.chain_update(signed.message).finalize();
        let challenge = Scalar::from_bytes_mod_order_wide(&challenge.into());
        let commitment = CompressedEdwardsY(*commitment).decompress()?;
        Some(Self { signed, place, key, commitment, response, challenge })
    }
}

fn bisect(terms: &[Term<'_>], verdicts: &mut [bool]) {
    match terms {
        [] => {}
        [term] => settle(term, verify(term.signed), verdicts),
        terms if holds(terms) => terms.iter().for_each(|term| settle(term, true, verdicts)),
        terms => {
            let (left, right) = terms.split_at(terms.len() / 2);
            bisect(left, verdicts);
            bisect(right, verdicts);
        }
    }
}

fn settle(term: &Term<'_>, good: bool, verdicts: &mut [bool]) {
    if let Some(verdict) = verdicts.get_mut(term.place) {
        *verdict = good;
    }
}

/// Whether the equation of some signatures holds, those of one key beside each other.
#[expect(clippy::arithmetic_side_effects, reason = "scalars are the elements of a field")]
fn holds(terms: &[Term<'_>]) -> bool {
    let mut factors = factors(terms);
    let (mut scalars, mut points) = (Vec::new(), Vec::new());
    let mut base = Scalar::ZERO;
    for same_key in terms.chunk_by(|one, next| one.signed.key == next.signed.key) {
        let mut of_key = Scalar::ZERO;
        for term in same_key {
            let mut factor = [0u8; 16];
            factors.fill_bytes(&mut factor);
            let factor = Scalar::from(u128::from_le_bytes(factor));
            base -= factor * term.response;
            of_key += factor * term.challenge;
            scalars.push(factor);
            points.push(term.commitment);
        }
        scalars.push(of_key);
        points.extend(same_key.first().map(|term| term.key));
    }
    EdwardsPoint::vartime_multiscalar_mul(
        once(&base).chain(&scalars),
        once(&ED25519_BASEPOINT_POINT).chain(&points),
    )
    .mul_by_cofactor()
    .is_identity()
}

/// Factors that nobody could know before all messages, keys and signatures were chosen: a challenge
/// is a digest of message, key and commitment, and the response is the rest of the signature.
fn factors(terms: &[Term<'_>]) -> ChaCha20Rng {
    // In one piece, of which BLAKE3 hashes many parts side by side.
    let mut seed = Vec::with_capacity(terms.len().saturating_mul(Signature::LEN));
    for term in terms {
        seed.extend_from_slice(term.challenge.as_bytes());
        seed.extend_from_slice(term.response.as_bytes());
    }
    ChaCha20Rng::from_seed(*blake3::hash(&seed).as_bytes())
}
