//! Deterministic draws from a seed (SplitMix64); the same seed gives the same market anywhere.

/// A stream of numbers that depends only on its seed and purpose.
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// A stream for one purpose; different purposes of one seed are independent.
    pub const fn new(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed.wrapping_add(mix(purpose))) }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `bound`; nothing but zero is below zero or one.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()).wrapping_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A position in a list of so many items.
    pub fn position(&mut self, items: usize) -> usize {
        let bound = u64::try_from(items).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low.saturating_add(self.below(width))
    }

    /// Puts a list into a drawn order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.position(last.saturating_add(1));
            items.swap(last, other);
        }
    }
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_purpose_others() {
        let draw = |seed, purpose| {
            let mut draws = Draws::new(seed, purpose);
            (0..8).map(|_| draws.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_both_ends() {
        let mut draws = Draws::new(7, 0);
        let drawn: Vec<u64> = (0..1_000).map(|_| draws.between(3, 6)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&6)));
        assert_eq!(draws.below(1), 0);
        assert_eq!(draws.position(0), 0);
    }
}
