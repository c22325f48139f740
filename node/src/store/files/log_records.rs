//! Write-ahead logs and manifests: records in blocks of 32 KiB.
//!
//! A record is a checksum (u32), a length (u16), a type (u8), all little-endian, and its bytes; it
//! never crosses a block: what does not fit goes on as further records. The last bytes of a block
//! that cannot hold a header are zero.
//!
//! The checksum covers the type and the bytes, not the length. So a damaged length in the last
//! block of a file looks like a record whose end was never written, and the database drops it with
//! all that follows. A record that was really torn has no good checksum at any length; one whose
//! length is damaged has, at its true length.

use super::crc32c::{extend, masked};
use super::database_files::FileDamage;

pub(super) const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;
/// Types of records of the current format that carry no number of the log.
const TYPES: [u8; 7] = [1, 2, 3, 4, 9, 10, 130];

/// What the records of a file are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// Records that are sound.
    pub(super) count: u64,
    /// What is wrong, in the order of the file.
    pub(super) damage: Vec<FileDamage>,
    /// Bytes of a last record that was not written to its end.
    pub(super) torn: usize,
}

/// Looks at every byte of a file.
pub(super) fn check(bytes: &[u8]) -> Records {
    let mut records = Records::default();
    for (number, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
        let start = number.saturating_mul(BLOCK_BYTES);
        check_block(&mut records, start, block);
    }
    records
}

fn check_block(records: &mut Records, start: usize, block: &[u8]) {
    let mut at = 0usize;
    let damaged = |at: usize, what: &'static str| FileDamage {
        offset: start.saturating_add(at),
        what: what.to_owned(),
        harmless: false,
    };
    loop {
        let rest = block.get(at..).unwrap_or_default();
        let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() else {
            if block.len() == BLOCK_BYTES && rest.iter().any(|byte| *byte != 0) {
                let what = "the padding at the end of a block is not zero";
                records.damage.push(FileDamage { harmless: true, ..damaged(at, what) });
            } else if block.len() < BLOCK_BYTES {
                records.torn = rest.len();
            }
            return;
        };
        if block.len() < BLOCK_BYTES && rest.iter().all(|byte| *byte == 0) {
            // The file grew, its bytes were not written.
            records.torn = rest.len();
            return;
        }
        let [c0, c1, c2, c3, l0, l1, kind] = *header;
        let stored = u32::from_le_bytes([c0, c1, c2, c3]);
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let Some(content) = after.get(..length) else {
            if let Some(true_length) = length_of(stored, kind, after) {
                let what = format!(
                    "a record says that it has {length} bytes, its checksum is that of \
                     {true_length}: what follows would be dropped as a torn write"
                );
                records.damage.push(FileDamage { what, ..damaged(at, "") });
            } else if block.len() == BLOCK_BYTES {
                records.damage.push(damaged(at, "a record is longer than its block"));
            } else {
                records.torn = rest.len();
            }
            return;
        };
        if masked(extend(extend(0, &[kind]), content)) != stored {
            let what = if length_of(stored, kind, after).is_some() {
                "the length of a record is damaged"
            } else {
                "a record has not its checksum"
            };
            records.damage.push(damaged(at, what));
            return;
        }
        if !TYPES.contains(&kind) {
            records.damage.push(damaged(at, "a record is of a type that is not known here"));
        }
        records.count = records.count.saturating_add(1);
        at = at.saturating_add(HEADER_BYTES).saturating_add(length);
    }
}

/// The length at which bytes have a checksum.
fn length_of(stored: u32, kind: u8, bytes: &[u8]) -> Option<usize> {
    let mut crc = extend(0, &[kind]);
    for (length, byte) in bytes.iter().enumerate() {
        if masked(crc) == stored {
            return Some(length);
        }
        crc = extend(crc, &[*byte]);
    }
    (masked(crc) == stored).then_some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: &[u8]) -> Vec<u8> {
        let crc = masked(extend(extend(0, &[1]), content)).to_le_bytes();
        let length = u16::try_from(content.len()).unwrap().to_le_bytes();
        [&crc[..], &length, &[1], content].concat()
    }

    fn file() -> Vec<u8> {
        [record(&[7; 90]), record(b"middle"), record(&[9; 40])].concat()
    }

    #[test]
    fn sound_records_are_counted() {
        let records = check(&file());
        assert_eq!(records, Records { count: 3, damage: Vec::new(), torn: 0 });
        assert_eq!(check(&[]), Records::default());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = file();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let records = check(&bad);
                assert!(!records.damage.is_empty(), "byte {at}, bit {bit}: {records:?}");
            }
        }
    }

    #[test]
    fn a_record_that_was_not_written_to_its_end_is_torn_and_not_damaged() {
        let good = file();
        let before_last = good.len() - record(&[9; 40]).len();
        for length in before_last..good.len() {
            let records = check(&good[..length]);
            assert_eq!(records.damage, [], "{length}");
            assert_eq!((records.count, records.torn), (2, length - before_last));
        }
    }

    #[test]
    fn padding_at_the_end_of_a_block_is_zero() {
        let filler = record(&vec![5; BLOCK_BYTES - HEADER_BYTES - 3]);
        let mut bytes = [&filler[..], &[0, 0, 0], &record(b"next")].concat();
        assert_eq!(check(&bytes).count, 2);
        bytes[BLOCK_BYTES - 2] ^= 1;
        let records = check(&bytes);
        assert_eq!(records.count, 2);
        assert!(records.damage[0].harmless, "{records:?}");
    }
}
