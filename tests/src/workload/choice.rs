//! Choices from a seed, or from bytes.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A source of choices.
#[derive(Clone, Debug)]
pub struct Chooser(Source);

#[derive(Clone, Debug)]
enum Source {
    Seeded(Box<ChaCha8Rng>),
    Bytes(std::vec::IntoIter<u8>),
}

impl Chooser {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Source::Seeded(Box::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    /// Takes every choice from these bytes, as few for each as it needs; zeros when none are left.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Source::Bytes(bytes.into_iter()))
    }

    /// Whether there is something left to choose by.
    pub fn is_exhausted(&self) -> bool {
        matches!(&self.0, Source::Bytes(bytes) if bytes.len() == 0)
    }

    /// A number below a limit; 0 when the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        match &mut self.0 {
            Source::Seeded(random) => random.next_u64() % limit,
            Source::Bytes(bytes) => {
                let width = match limit - 1 {
                    0 => 0,
                    1..=0xff => 1,
                    0x100..=0xffff => 2,
                    _ => 8,
                };
                let number = bytes.take(width).fold(0u64, |sum, byte| sum << 8 | u64::from(byte));
                number % limit
            }
        }
    }

    /// A number from `from` to `to`, both included.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the things.
    pub fn one<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let at = self.below(things.len() as u64);
        things.get(at as usize)
    }

    /// Thirty-two bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut chosen = [0; 32];
        match &mut self.0 {
            Source::Seeded(random) => random.fill_bytes(&mut chosen),
            Source::Bytes(bytes) => chosen.fill(bytes.next().unwrap_or(0)),
        }
        chosen
    }
}

/// A number from the environment, or the default; the chosen one is printed.
pub fn number_from_environment(name: &str, default: u64) -> u64 {
    let number = match std::env::var(name) {
        Ok(text) => text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text}")),
        Err(_) => default,
    };
    println!("{name}={number}");
    number
}
