//! Hashes of leaves, nodes, empty subtrees and the root.

use core::fmt;

use blake3::IncrementCounter;
use blake3::platform::Platform;

use super::DEPTH_MAX;
use crate::domains;
use crate::types::{StateRoot, domain_hash};

/// A node of the tree.
pub(super) type Node = [u8; 32];

/// What an unused slot holds.
pub(super) const EMPTY_LEAF: Node = [0; 32];

/// `blake3::derive_key` of [`domains::STATE_LEAF`] over no key material; a test holds it to that.
const LEAF_KEY: [u8; 32] = [
    0xef, 0x64, 0x90, 0xaf, 0x39, 0xa2, 0x1a, 0xe4, 0x69, 0x30, 0xe4, 0xa7, 0xc0, 0x61, 0xd4, 0x1a,
    0x99, 0xff, 0xb2, 0x2a, 0x03, 0x37, 0x65, 0x95, 0x34, 0x88, 0xab, 0x9b, 0xde, 0xdd, 0x86, 0x49,
];
/// `blake3::derive_key` of [`domains::STATE_NODE`] over no key material; a test holds it to that.
const NODE_KEY: [u8; 32] = [
    0x46, 0xa3, 0x52, 0x04, 0xc1, 0xa8, 0xbf, 0xd4, 0xcf, 0x31, 0x9e, 0xc8, 0x61, 0x4b, 0x41, 0xb5,
    0x77, 0x18, 0xb6, 0x87, 0xa4, 0xd6, 0x83, 0xb3, 0xcc, 0x9b, 0x4e, 0x94, 0xd0, 0x60, 0x1e, 0xef,
];
const NODE_KEY_WORDS: [u32; 8] = words(&NODE_KEY);

/// Flags of the BLAKE3 compression function (BLAKE3 paper, 2.2, table 3).
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

/// Pairs hashed by one call; a multiple of the widest vector unit (16 lanes), and even.
pub(super) const PAIRS_PER_CALL: usize = 64;
/// Longest leaf input that is put together on the stack.
const LEAF_INPUT_BYTES_STACK: usize = 512;

/// Digest of one state record: its key and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LeafHash(Node);

impl LeafHash {
    /// Digest of a record: keyed BLAKE3 of the key length (u32 BE), the key and the value.
    pub fn of(key: &[u8], value: &[u8]) -> Self {
        let key_length =
            u32::try_from(key.len()).expect("a state key is shorter than 4 GiB").to_be_bytes();
        let mut buffer = [0u8; LEAF_INPUT_BYTES_STACK];
        let mut filled = 0usize;
        for part in [&key_length[..], key, value] {
            let end = filled.saturating_add(part.len());
            let Some(target) = buffer.get_mut(filled..end) else {
                return Self::of_long(key_length, key, value);
            };
            target.copy_from_slice(part);
            filled = end;
        }
        let input = buffer.get(..filled).unwrap_or_default();
        Self(*blake3::keyed_hash(&LEAF_KEY, input).as_bytes())
    }

    fn of_long(key_length: [u8; 4], key: &[u8], value: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&LEAF_KEY);
        hasher.update(&key_length).update(key).update(value);
        Self(*hasher.finalize().as_bytes())
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The leaf a node of level 0 stands for; none for an unused slot.
    pub(super) fn from_node(node: Node) -> Option<Self> {
        (node != EMPTY_LEAF).then_some(Self(node))
    }
}

impl fmt::Debug for LeafHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafHash({})", hex::encode(self.0))
    }
}

/// Two siblings, in one cache line, as the input of their parent.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Pair(pub [Node; 2]);

impl Pair {
    pub(super) const ZERO: Self = Self([EMPTY_LEAF; 2]);

    fn input(&self) -> &[u8; 64] {
        self.0.as_flattened().first_chunk().expect("two nodes of 32 bytes are 64 bytes")
    }
}

/// The parent of two nodes.
pub(super) fn node_hash(pair: &Pair) -> Node {
    *blake3::keyed_hash(&NODE_KEY, pair.input()).as_bytes()
}

/// Hands the parents of all pairs to `sink`, in order, [`PAIRS_PER_CALL`] at a time.
///
/// A keyed BLAKE3 hash of 64 bytes is one compression, so the library's vector code (which it
/// uses itself for the chunks of long inputs) computes up to sixteen of them at once. That entry
/// point is outside the library's documented interface; a test holds it equal to [`node_hash`].
pub(super) fn hash_pairs(pairs: &[Pair], mut sink: impl FnMut(&[Node])) {
    let platform = Platform::detect();
    let mut inputs = [&[0u8; 64]; PAIRS_PER_CALL];
    let mut parents = [EMPTY_LEAF; PAIRS_PER_CALL];
    for pairs in pairs.chunks(PAIRS_PER_CALL) {
        for (input, pair) in inputs.iter_mut().zip(pairs) {
            *input = pair.input();
        }
        let (inputs, parents) = (&inputs[..pairs.len()], &mut parents[..pairs.len()]);
        platform.hash_many::<64>(
            inputs,
            &NODE_KEY_WORDS,
            0,
            IncrementCounter::No,
            KEYED_HASH,
            CHUNK_START,
            CHUNK_END | ROOT,
            parents.as_flattened_mut(),
        );
        sink(parents);
    }
}

/// The node of an empty subtree of each level, from the empty leaf up.
pub(super) fn empty_nodes() -> Vec<Node> {
    let mut nodes = vec![EMPTY_LEAF];
    let mut below = EMPTY_LEAF;
    for _ in 0..DEPTH_MAX {
        below = node_hash(&Pair([below; 2]));
        nodes.push(below);
    }
    nodes
}

/// The root of a tree: covers its depth, so that a path cannot be read at another level.
pub(super) fn state_root(depth: u8, top: &Node) -> StateRoot {
    StateRoot::new(domain_hash(domains::STATE_ROOT, &[&[depth], top]))
}

/// The little-endian words of a key, as the compression function takes it.
const fn words(key: &[u8; 32]) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = key.as_chunks::<4>().0 else { panic!("eight words") };
    [
        u32::from_le_bytes(*a),
        u32::from_le_bytes(*b),
        u32::from_le_bytes(*c),
        u32::from_le_bytes(*d),
        u32::from_le_bytes(*e),
        u32::from_le_bytes(*f),
        u32::from_le_bytes(*g),
        u32::from_le_bytes(*h),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

    use super::*;

    fn derived_key(domain: &[u8]) -> [u8; 32] {
        blake3::derive_key(std::str::from_utf8(domain).unwrap(), &[])
    }

    #[test]
    fn the_keys_are_derived_from_the_domain_strings() {
        assert_eq!(hex::encode(LEAF_KEY), hex::encode(derived_key(domains::STATE_LEAF)));
        assert_eq!(hex::encode(NODE_KEY), hex::encode(derived_key(domains::STATE_NODE)));
    }

    #[test]
    fn hashing_many_pairs_equals_hashing_each() {
        let pair = |i: u32| {
            let half = |side: u32| *blake3::hash(&(2 * i + side).to_be_bytes()).as_bytes();
            Pair([half(0), half(1)])
        };
        for count in (0..=150).chain([1000]) {
            let pairs: Vec<Pair> = (0..count).map(pair).collect();
            let mut many = Vec::new();
            hash_pairs(&pairs, |parents| many.extend_from_slice(parents));
            let each: Vec<Node> = pairs.iter().map(node_hash).collect();
            assert_eq!(many, each, "{count} pairs");
        }
    }

    #[test]
    fn leaf_hash_separates_key_from_value_at_every_length() {
        let text = vec![7u8; 2 * LEAF_INPUT_BYTES_STACK];
        for total in [0, 1, 200, 507, 508, 509, 1024] {
            for key_bytes in [0, total / 3, total] {
                let (key, value) = text[..total].split_at(key_bytes);
                let mut input = u32::try_from(key_bytes).unwrap().to_be_bytes().to_vec();
                input.extend_from_slice(&text[..total]);
                let expected = blake3::keyed_hash(&derived_key(domains::STATE_LEAF), &input);
                assert_eq!(LeafHash::of(key, value).as_bytes(), expected.as_bytes());
            }
        }
        assert_ne!(LeafHash::of(b"ab", b"c"), LeafHash::of(b"a", b"bc"));
    }
}
