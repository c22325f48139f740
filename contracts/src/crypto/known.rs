//! Keys that were seen before, as points of the curve.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};

use crate::types::PublicKey;

/// Places for keys, by the first two bytes of a key; with a key on each they take 13 MB.
const PLACES: usize = 1 << 16;

/// Points of keys that signed before: to find the point of a key again costs as much as a third of
/// verifying a signature in a batch.
///
/// Holds a bounded number; a key takes the place of another that falls on the same one. Verdicts do
/// not depend on what is known.
#[derive(Clone, Debug)]
pub struct KnownKeys {
    places: Vec<Option<Box<(PublicKey, EdwardsPoint)>>>,
}

impl KnownKeys {
    /// Knows no key yet and remembers those that it sees.
    pub fn new() -> Self {
        Self { places: vec![None; PLACES] }
    }

    /// Remembers nothing.
    pub const fn none() -> Self {
        Self { places: Vec::new() }
    }

    /// The point of a key; none when its bytes are no point of the curve.
    pub(super) fn point(&mut self, key: &PublicKey) -> Option<EdwardsPoint> {
        let [first, second, ..] = *key.as_bytes();
        let place = self.places.get_mut(usize::from(u16::from_le_bytes([first, second])));
        if let Some(Some(known)) = &place
            && known.0 == *key
        {
            return Some(known.1);
        }
        let point = CompressedEdwardsY(*key.as_bytes()).decompress()?;
        if let Some(place) = place {
            *place = Some(Box::new((*key, point)));
        }
        Some(point)
    }
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self::new()
    }
}
