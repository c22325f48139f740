//! CRC-32C, the checksum of all files of the database; eight bytes at a step.

/// Reversed polynomial of Castagnoli.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// What RocksDB adds to a stored checksum, so that bytes with checksums in them have good ones.
const MASK: u32 = 0xa282_ead8;

const TABLES: [[u32; 256]; 8] = tables();

#[allow(clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0usize;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut step = 1;
    while step < 8 {
        let mut byte = 0usize;
        while byte < 256 {
            let before = tables[step - 1][byte];
            tables[step][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        step += 1;
    }
    tables
}

/// Entry of a table for the lowest byte of a word.
fn entry(table: usize, word: u32) -> u32 {
    let [lowest, ..] = word.to_le_bytes();
    TABLES[table][usize::from(lowest)]
}

/// Continues a checksum over more bytes; begin with 0.
pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    let (mut crc, (words, rest)) = (!crc, bytes.as_chunks::<8>());
    for [a, b, c, d, e, f, g, h] in words {
        let low = crc ^ u32::from_le_bytes([*a, *b, *c, *d]);
        let high = u32::from_le_bytes([*e, *f, *g, *h]);
        crc = entry(7, low)
            ^ entry(6, low >> 8)
            ^ entry(5, low >> 16)
            ^ entry(4, low >> 24)
            ^ entry(3, high)
            ^ entry(2, high >> 8)
            ^ entry(1, high >> 16)
            ^ entry(0, high >> 24);
    }
    for byte in rest {
        crc = entry(0, crc ^ u32::from(*byte)) ^ (crc >> 8);
    }
    !crc
}

/// A checksum as it is stored.
pub(super) const fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(extend(0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(extend(0, &[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(extend(0, &ascending), 0x46dd_794e);
        assert_eq!(extend(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_checksum_may_be_made_in_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in [0, 1, 7, 8, 9, 100, 256] {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(extend(extend(0, first), second), extend(0, &bytes), "{cut}");
        }
    }
}
