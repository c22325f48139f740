//! Seeded changes of inputs.

/// A small and fast source of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed and a position under it.
    pub fn new(seed: u64, position: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ position);
        random.0 = random.number() ^ position.rotate_left(32);
        random
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit; 0 when the limit is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.number()) * limit as u128) >> 64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.number() as u8
    }
}

/// Numbers at which programs stumble.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    1 << 62,
    i64::MAX as u64,
    u64::MAX,
];

/// Pieces of text at which readers stumble.
const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    " ",
    "\t",
    "\"",
    "'",
    "\\",
    "/",
    "../",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "]]",
    ":",
    ",",
    "=",
    "==",
    "+",
    "-",
    "_",
    ".",
    "#",
    "null",
    "true",
    "\u{2014} ",
    "\u{feff}",
    "\u{0}",
    "0",
    "00",
    "-1",
    "+1",
    "1e9",
    "0x1",
    "1_000",
    "18446744073709551615",
    "18446744073709551616",
    "999999999999",
    "-----BEGIN ",
    "-----END ",
    "%00",
    "%2e",
    "\u{4e2d}\u{56fd}",
    "\\u0000",
    "A==",
];

/// Most changes of one input.
const CHANGES_MAX: usize = 6;
/// Most bytes that one change adds.
const ADDED_MAX: usize = 64;

/// Makes inputs from others.
#[derive(Clone, Debug)]
pub struct Mutator {
    inputs: Vec<Vec<u8>>,
    is_text: bool,
    bytes_max: usize,
    seed: u64,
}

impl Mutator {
    /// A source of inputs under a seed.
    pub fn new(inputs: Vec<Vec<u8>>, is_text: bool, bytes_max: usize, seed: u64) -> Self {
        Self { inputs, is_text, bytes_max, seed }
    }

    /// Input of a number, in place of what a buffer held: first the inputs as they are, then
    /// changed ones.
    pub fn write(&self, number: u64, input: &mut Vec<u8>) {
        input.clear();
        if let Some(own) = usize::try_from(number).ok().and_then(|at| self.inputs.get(at)) {
            input.extend_from_slice(own);
            return;
        }
        let mut random = Random::new(self.seed, number);
        if let Some(base) = self.inputs.get(random.below(self.inputs.len())) {
            input.extend_from_slice(base);
        }
        for _ in 0..=random.below(CHANGES_MAX) {
            self.change(input, &mut random);
        }
        input.truncate(self.bytes_max);
    }

    fn change(&self, input: &mut Vec<u8>, random: &mut Random) {
        if input.is_empty() {
            let count = random.below(ADDED_MAX);
            input.extend((0..count).map(|_| random.byte()));
            return;
        }
        if self.is_text && random.below(3) > 0 {
            return change_text(input, random);
        }
        let at = random.below(input.len());
        match random.below(12) {
            0 => input[at] ^= 1 << random.below(if self.is_text { 7 } else { 8 }),
            1 => input[at] = NUMBERS[random.below(6)] as u8,
            2 => input[at] = random.byte(),
            3 => input[at] = input[at].wrapping_add((random.below(35) as u8).wrapping_sub(17)),
            4 => change_number(input, at, random),
            5 => input.truncate(at),
            6 => drop(input.drain(at..(at + random.below(ADDED_MAX) + 1).min(input.len()))),
            7 => {
                let end = (at + random.below(ADDED_MAX) + 1).min(input.len());
                let copy = input[at..end].to_vec();
                insert(input, random, &copy);
            }
            8 => {
                let added: Vec<u8> = (0..=random.below(8)).map(|_| random.byte()).collect();
                insert(input, random, &added);
            }
            9 => {
                let other = random.below(input.len());
                input.swap(at, other);
            }
            10 => self.cross(input, at, random),
            _ => {
                let length = random.below(ADDED_MAX).min(input.len() - at);
                let from = random.below(input.len() - length + 1);
                input.copy_within(from..from + length, at);
            }
        }
    }

    /// Goes on with the rest, or a piece, of another input.
    fn cross(&self, input: &mut Vec<u8>, at: usize, random: &mut Random) {
        let Some(other) = self.inputs.get(random.below(self.inputs.len())) else { return };
        let from = random.below(other.len());
        if random.below(2) == 0 {
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        } else {
            let end = (from + random.below(4 * ADDED_MAX)).min(other.len());
            insert(input, random, &other[from..end]);
        }
    }
}

fn insert(input: &mut Vec<u8>, random: &mut Random, added: &[u8]) {
    let at = random.below(input.len() + 1);
    input.splice(at..at, added.iter().copied());
}

/// Writes or moves a number of 1, 2, 4 or 8 bytes in either order, or of variable length.
fn change_number(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let number = match random.below(3) {
        0 => random.below(17) as u64,
        1 => input.len() as u64,
        _ => NUMBERS[random.below(NUMBERS.len())],
    };
    let width = 1 << random.below(4);
    if random.below(4) == 0 {
        let mut rest = number;
        let mut written = Vec::with_capacity(10);
        while rest > 0x7f {
            written.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        written.push(rest as u8);
        let end = (at + width).min(input.len());
        input.splice(at..end, written);
        return;
    }
    let bytes = match random.below(2) {
        0 => number.to_le_bytes()[..width].to_vec(),
        _ => number.to_be_bytes()[8 - width..].to_vec(),
    };
    for (place, byte) in input[at..].iter_mut().zip(bytes) {
        *place = byte;
    }
}

fn change_text(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len());
    match random.below(6) {
        0 | 1 => {
            let word = WORDS[random.below(WORDS.len())];
            insert(input, random, word.as_bytes());
        }
        2 => {
            let word = WORDS[random.below(WORDS.len())].as_bytes();
            let end = (at + word.len()).min(input.len());
            input.splice(at..end, word.iter().copied());
        }
        3 => input[at] = b' ' + random.below(95) as u8,
        4 => {
            // Another digit where there is one.
            let digit = input[at..].iter().position(u8::is_ascii_digit);
            if let Some(digit) = digit {
                input[at + digit] = b'0' + random.below(10) as u8;
            }
        }
        _ => {
            // A line goes, comes twice, or moves to the end.
            let start = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |it| it + 1);
            let end = input[at..].iter().position(|byte| *byte == b'\n');
            let end = end.map_or(input.len(), |it| at + it + 1);
            let line = input[start..end].to_vec();
            match random.below(3) {
                0 => drop(input.drain(start..end)),
                1 => drop(input.splice(start..start, line)),
                _ => {
                    input.drain(start..end);
                    input.extend(line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_depends_on_seed_and_number_alone_and_keeps_its_bound() {
        let inputs = vec![b"one line\nand 12 more\n".to_vec(), vec![7; 90]];
        for is_text in [false, true] {
            let make = |seed: u64, number: u64| {
                let mut input = vec![1, 2, 3];
                Mutator::new(inputs.clone(), is_text, 100, seed).write(number, &mut input);
                input
            };
            assert_eq!(make(1, 0), inputs[0]);
            assert_eq!(make(1, 1), inputs[1]);
            let all: std::collections::BTreeSet<_> = (2..3_000).map(|it| make(1, it)).collect();
            assert!(all.len() > 2_000, "{}", all.len());
            assert!(all.iter().all(|input| input.len() <= 100));
            assert!((2..100).all(|number| make(1, number) == make(1, number)));
            assert!((2..100).filter(|number| make(1, *number) != make(2, *number)).count() > 90);
        }
    }

    #[test]
    fn without_inputs_there_are_random_ones() {
        let mut input = Vec::new();
        Mutator::new(Vec::new(), false, 10, 1).write(5, &mut input);
        Mutator::new(Vec::new(), false, 10, 1).write(6, &mut input);
        assert!(input.len() <= 10);
    }
}
