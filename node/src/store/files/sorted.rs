//! Sorted files: blocks of rows, then blocks about them, then the footer.
//!
//! Index and filter are blocks that name their parts, which are blocks, too.
//!
//! Every block is followed by its compression (u8) and a checksum (u32 LE) over both. The footer
//! has 53 bytes: kind of checksum, places of the index of blocks about the file and of the index of
//! rows, format (u32 LE) and a magic number (u64 LE). Blocks of rows are verified by whoever reads
//! the rows; the others are verified here, for the database passes over filters and properties
//! whose checksum does not hold.

use super::crc32c::{extend, masked};
use super::database_files::FileDamage;

const FOOTER_BYTES: usize = 53;
const TRAILER_BYTES: usize = 5;
const MAGIC: u64 = 0x88e2_41b7_85f4_cff7;
/// Format of the files that this program writes.
const FORMAT: u32 = 5;
/// Kind of checksum of the files that this program writes.
const CRC32C: u8 = 1;
/// Kind of checksum of the files that the first versions of this program wrote; more than one bit
/// away from the other.
const XXH3: u8 = 4;
/// The block about a file that says how many bytes its rows take.
const PROPERTIES: &[u8] = b"rocksdb.properties";
const ROWS_BYTES: &[u8] = b"rocksdb.data.size";
const TABLE: &[u8] = b"rocksdb.column.family.name";

/// What a sorted file is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Table whose rows it holds, where its properties can be read.
    pub(super) table: Option<String>,
    /// What is wrong outside of the rows.
    pub(super) damage: Vec<FileDamage>,
}

/// Where a block stands; its trailer follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    offset: usize,
    bytes: usize,
}

impl Place {
    fn end(self) -> usize {
        self.offset.saturating_add(self.bytes).saturating_add(TRAILER_BYTES)
    }
}

/// Looks at every byte of a file that belongs to no row.
pub(super) fn check(bytes: &[u8]) -> Sorted {
    let mut sorted = Sorted::default();
    if let Err(damage) = check_blocks(bytes, &mut sorted) {
        sorted.damage.push(damage);
    }
    sorted
}

fn damaged(offset: usize, what: impl Into<String>) -> FileDamage {
    FileDamage { offset, what: what.into(), harmless: false }
}

fn check_blocks(bytes: &[u8], sorted: &mut Sorted) -> Result<(), FileDamage> {
    let footer_at = bytes.len().saturating_sub(FOOTER_BYTES);
    let (about_at, index_at) = footer(bytes, footer_at)?;
    let about = block(bytes, about_at, "the index of blocks about the file")?;
    let mut places = vec![about_at, index_at];
    let mut rows_bytes = None;
    for (name, value) in entries(about) {
        let shown = String::from_utf8_lossy(&name).into_owned();
        let place = place(&mut &value[..]).map(|(offset, bytes)| Place { offset, bytes });
        let place = place.ok_or_else(|| damaged(about_at.offset, "it names no place"))?;
        let content = match block(bytes, place, &shown) {
            Ok(content) => content,
            Err(damage) => {
                sorted.damage.push(damage);
                places.push(place);
                continue;
            }
        };
        places.push(place);
        if name == PROPERTIES {
            for (name, value) in entries(content) {
                if name == ROWS_BYTES {
                    rows_bytes = varint(&mut &value[..]);
                } else if name == TABLE {
                    sorted.table = String::from_utf8(value).ok();
                }
            }
        }
    }
    if let Err(damage) = block(bytes, index_at, "the index of rows") {
        sorted.damage.push(damage);
    }
    // The blocks follow each other without a gap, from the end of the rows to the footer.
    places.sort_unstable();
    let mut next = rows_bytes.unwrap_or_else(|| places.first().map_or(0, |first| first.offset));
    for place in places {
        check_parts(bytes, next, place.offset)?;
        next = place.end();
    }
    check_parts(bytes, next, footer_at)
}

/// Parts of the index and of the filter, which only they name: block after block, each found by
/// its checksum, for nowhere else does it hold.
fn check_parts(bytes: &[u8], begin: usize, end: usize) -> Result<(), FileDamage> {
    let mut at = begin;
    while at < end {
        let part = bytes.get(at..end).and_then(part_length);
        let length = part.ok_or_else(|| {
            damaged(at, "a part of the index or of the filter has not its checksum")
        })?;
        at = at.saturating_add(length);
    }
    if at == end { Ok(()) } else { Err(damaged(end, "two blocks overlap")) }
}

/// Bytes of the first block with its trailer.
fn part_length(bytes: &[u8]) -> Option<usize> {
    let mut crc = 0;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        crc = extend(crc, &[*byte]);
        let stored = after.first_chunk::<4>()?;
        if masked(crc) == u32::from_le_bytes(*stored) {
            return bytes.len().checked_sub(after.len())?.checked_add(4);
        }
        rest = after;
    }
    None
}

/// Places of the index of blocks about the file and of the index of rows.
fn footer(bytes: &[u8], footer_at: usize) -> Result<(Place, Place), FileDamage> {
    let wrong = |what: &str| damaged(footer_at, what);
    let footer = bytes.get(footer_at..).and_then(|footer| footer.first_chunk::<FOOTER_BYTES>());
    let footer = footer.ok_or_else(|| wrong("the file is cut off"))?;
    let (rest, magic) = footer.split_last_chunk::<8>().ok_or_else(|| wrong("no footer"))?;
    if u64::from_le_bytes(*magic) != MAGIC {
        return Err(wrong("the footer has another magic number"));
    }
    let (rest, format) = rest.split_last_chunk::<4>().ok_or_else(|| wrong("no footer"))?;
    let format = u32::from_le_bytes(*format);
    if format != FORMAT {
        return Err(wrong(&format!("the footer names format {format}, files here have {FORMAT}")));
    }
    let (kind, mut rest) = rest.split_first().ok_or_else(|| wrong("no footer"))?;
    if *kind == XXH3 {
        let damage = wrong("it was written by an earlier version: only its rows are checked");
        return Err(FileDamage { harmless: true, ..damage });
    }
    if *kind != CRC32C {
        return Err(wrong(&format!("the footer names checksum {kind}, files here have {CRC32C}")));
    }
    let mut next = || {
        let (offset, bytes) = place(&mut rest)?;
        Some(Place { offset, bytes })
    };
    let places = next().zip(next()).ok_or_else(|| wrong("the footer names no places"))?;
    if rest.iter().any(|byte| *byte != 0) {
        let damage = wrong("the padding of the footer is not zero");
        return Err(FileDamage { harmless: true, ..damage });
    }
    Ok(places)
}

/// A block whose checksum holds.
fn block<'b>(bytes: &'b [u8], at: Place, name: &str) -> Result<&'b [u8], FileDamage> {
    let wrong = |what: &str| damaged(at.offset, format!("{name}: {what}"));
    let whole = bytes.get(at.offset..at.end()).ok_or_else(|| wrong("it is not in the file"))?;
    let (covered, stored) = whole.split_last_chunk::<4>().ok_or_else(|| wrong("it is cut off"))?;
    if masked(extend(0, covered)) != u32::from_le_bytes(*stored) {
        return Err(wrong("the block has not its checksum"));
    }
    covered.get(..at.bytes).ok_or_else(|| wrong("it is cut off"))
}

/// A number in groups of seven bits, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn place(bytes: &mut &[u8]) -> Option<(usize, usize)> {
    Some((varint(bytes)?, varint(bytes)?))
}

/// Names and values of a block about the file: each entry says how much of the name before it
/// shares, how long the rest and the value are; at the end stand the places where names begin anew.
fn entries(block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let restarts = block.split_last_chunk::<4>().map_or(0, |(_, count)| {
        usize::try_from(u32::from_le_bytes(*count)).unwrap_or(0).saturating_add(1)
    });
    let end = block.len().saturating_sub(restarts.saturating_mul(4));
    let mut rest = block.get(..end).unwrap_or_default();
    let (mut all, mut name) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let Some((shared, added)) = place(&mut rest) else { break };
        let Some(length) = varint(&mut rest) else { break };
        let Some((added, after)) = rest.split_at_checked(added) else { break };
        let Some((value, after)) = after.split_at_checked(length) else { break };
        name.truncate(shared);
        name.extend_from_slice(added);
        all.push((name.clone(), value.to_vec()));
        rest = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(content: &[u8]) -> Vec<u8> {
        let covered = [content, &[0]].concat();
        let crc = masked(extend(0, &covered)).to_le_bytes();
        [&covered[..], &crc].concat()
    }

    #[test]
    fn parts_are_found_by_their_checksums_and_every_flipped_bit_is_found() {
        let good = [block(&[3; 100]), block(b"a part"), block(&[0; 40])].concat();
        assert_eq!(part_length(&good), Some(105));
        assert!(check_parts(&good, 0, good.len()).is_ok());
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(check_parts(&bad, 0, bad.len()).is_err(), "byte {at}, bit {bit}");
            }
        }
        assert!(check_parts(&good, 0, good.len() - 1).is_err());
    }

    #[test]
    fn numbers_and_entries_are_read_as_they_are_written() {
        assert_eq!(varint(&mut &[0xac, 0x02][..]), Some(300));
        assert_eq!(varint(&mut &[0x80][..]), None);
        // "key" -> 1, "kept" shares "ke" -> 2; one restart.
        let entries_of = [0, 3, 1, b'k', b'e', b'y', 1, 2, 2, 1, b'p', b't', 2];
        let restarts = [0, 0, 0, 0, 1, 0, 0, 0];
        let read = entries(&[&entries_of[..], &restarts].concat());
        assert_eq!(read, [(b"key".to_vec(), vec![1]), (b"kept".to_vec(), vec![2])]);
    }
}
