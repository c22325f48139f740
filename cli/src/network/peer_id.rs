//! libp2p peer ids of Ed25519 keys.

/// Alphabet of base58 as Bitcoin and libp2p use it.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The peer id of an Ed25519 public key: base58 of the identity multihash of its protobuf form.
pub fn peer_id(public_key: &[u8; 32]) -> String {
    // Identity multihash (0x00) of 36 bytes; key type Ed25519 (field 1 = 1); 32 bytes (field 2).
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend_from_slice(public_key);
    base58(&bytes)
}

fn base58(bytes: &[u8]) -> String {
    // Digits of the number in base 58, least significant first.
    let mut digits: Vec<u8> = Vec::with_capacity(64);
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry = u32::from(*digit).saturating_mul(256).saturating_add(carry);
            *digit = u8::try_from(carry % 58).unwrap_or(0);
            carry /= 58;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 58).unwrap_or(0));
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| 0u8);
    zeros
        .chain(digits.into_iter().rev())
        .filter_map(|digit| BASE58.get(usize::from(digit)).copied().map(char::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_matches_the_vectors_of_its_specification() {
        assert_eq!(base58(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(base58(&[0, 0, 0x28, 0x7f, 0xb4, 0xcd]), "11233QC4");
        assert_eq!(base58(&[]), "");
    }

    #[test]
    fn peer_ids_of_ed25519_keys_have_their_usual_prefix() {
        // The example key of the libp2p peer id specification.
        let key = "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
        let mut bytes = [0; 32];
        assert_eq!(hex::decode_to_slice(key, &mut bytes), Ok(()));
        assert!(peer_id(&bytes).starts_with("12D3KooW"), "{}", peer_id(&bytes));
        assert_eq!(peer_id(&bytes).len(), 52);
    }
}
