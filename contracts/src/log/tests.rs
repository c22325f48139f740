//! The log against RFC 6962 read literally, and against published vectors.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::codec;
use crate::types::LogRoot;

/// Largest log that is tested with all its indexes and older sizes.
const SIZE_MAX: usize = 130;

/// Entries of the Certificate Transparency reference tree.
const REFERENCE_ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Its roots of 0 to 8 entries.
const REFERENCE_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), LogHash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<LogHash> {
        self.0.get(&(level, index)).copied()
    }
}

impl Nodes {
    fn extend(&mut self, nodes: Vec<LogNode>) {
        for node in nodes {
            assert_eq!(self.0.insert((node.level, node.index), node.hash), None, "{node:?}");
        }
    }
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("entry {index}").into_bytes()).collect()
}

fn stored<T: AsRef<[u8]>>(entries: &[T]) -> Nodes {
    let mut nodes = Nodes::default();
    nodes.extend(LogFrontier::new().append_all(entries.iter().map(|e| leaf_hash(e.as_ref()))));
    nodes
}

fn size(entries: &[Vec<u8>]) -> u64 {
    entries.len() as u64
}

/// `MTH` of RFC 6962 section 2.1.
fn naive_root(entries: &[Vec<u8>]) -> LogHash {
    match entries {
        [] => *empty_root().as_bytes(),
        [one] => leaf_hash(one),
        _ => {
            let (left, right) = entries.split_at(naive_split(entries.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_split(length: usize) -> usize {
    let mut split = 1;
    while 2 * split < length {
        split *= 2;
    }
    split
}

/// `PATH` of RFC 6962 section 2.1.1.
fn naive_path(index: usize, entries: &[Vec<u8>]) -> Vec<LogHash> {
    if entries.len() == 1 {
        return Vec::new();
    }
    let split = naive_split(entries.len());
    let (left, right) = entries.split_at(split);
    if index < split {
        [naive_path(index, left), vec![naive_root(right)]].concat()
    } else {
        [naive_path(index - split, right), vec![naive_root(left)]].concat()
    }
}

/// `SUBPROOF` of RFC 6962 section 2.1.2.
fn naive_subproof(old: usize, entries: &[Vec<u8>], whole: bool) -> Vec<LogHash> {
    if old == entries.len() {
        return if whole { Vec::new() } else { vec![naive_root(entries)] };
    }
    let split = naive_split(entries.len());
    let (left, right) = entries.split_at(split);
    if old <= split {
        [naive_subproof(old, left, whole), vec![naive_root(right)]].concat()
    } else {
        [naive_subproof(old - split, right, false), vec![naive_root(left)]].concat()
    }
}

fn hex_all(path: &[LogHash]) -> Vec<String> {
    path.iter().map(hex::encode).collect()
}

#[test]
fn roots_of_the_reference_tree_are_the_published_ones() {
    let entries = REFERENCE_ENTRIES.map(|text| hex::decode(text).unwrap());
    let nodes = stored(&entries);
    let mut frontier = LogFrontier::new();
    for (size, root) in REFERENCE_ROOTS.iter().enumerate() {
        assert_eq!(&frontier.root().to_string(), root);
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(&root_at(&nodes, size as u64).unwrap().to_string(), root);
        if let Some(entry) = entries.get(size) {
            frontier.append(leaf_hash(entry));
        }
    }
}

#[test]
fn proofs_of_the_reference_tree_are_the_published_ones() {
    let nodes = stored(&REFERENCE_ENTRIES.map(|text| hex::decode(text).unwrap()));
    let inclusion = |index, size| hex_all(&inclusion_proof(&nodes, index, size).unwrap());
    let consistency = |old, new| hex_all(&consistency_proof(&nodes, old, new).unwrap());
    assert_eq!(
        inclusion(0, 8),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    assert_eq!(
        inclusion(5, 8),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        inclusion(2, 3),
        ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]
    );
    assert_eq!(
        consistency(6, 8),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        consistency(2, 5),
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ]
    );
}

#[test]
fn roots_and_frontiers_of_every_size_are_those_of_the_naive_log() {
    let entries = entries(SIZE_MAX);
    let nodes = stored(&entries);
    let mut frontier = LogFrontier::new();
    for count in 0..=SIZE_MAX {
        let root = LogRoot::new(naive_root(&entries[..count]));
        assert_eq!(frontier.root(), root, "{count} entries");
        assert_eq!(root_at(&nodes, count as u64), Ok(root));
        assert_eq!(LogFrontier::read(&nodes, count as u64).as_ref(), Ok(&frontier));
        if let Some(entry) = entries.get(count) {
            frontier.append(leaf_hash(entry));
        }
    }
}

#[test]
fn appending_in_any_portions_completes_the_same_nodes_once() {
    let entries = entries(SIZE_MAX);
    let whole = stored(&entries);
    for portion in [1, 2, 3, 7, 64, 100] {
        let (mut frontier, mut nodes) = (LogFrontier::new(), Nodes::default());
        for some in entries.chunks(portion) {
            nodes.extend(frontier.append_all(some.iter().map(|entry| leaf_hash(entry))));
        }
        assert_eq!(nodes.0, whole.0, "portions of {portion}");
    }
    for ((level, index), hash) in &whole.0 {
        let width = 1usize << level;
        let begin = usize::try_from(*index).unwrap() * width;
        assert_eq!(*hash, naive_root(&entries[begin..begin + width]), "{level} {index}");
    }
}

#[test]
fn inclusion_proofs_of_every_entry_and_size_are_those_of_the_naive_log() {
    let entries = entries(SIZE_MAX);
    let nodes = stored(&entries);
    for count in 1..=SIZE_MAX {
        let log = &entries[..count];
        let root = LogRoot::new(naive_root(log));
        for (index, entry) in log.iter().enumerate() {
            let proof = LogProof::read(&nodes, index as u64, size(log)).unwrap();
            assert_eq!(proof.path, naive_path(index, log), "entry {index} of {count}");
            assert_eq!(proof.verify(entry, &root), Ok(()), "entry {index} of {count}");
        }
    }
}

#[test]
fn inclusion_proofs_show_nothing_else() {
    let entries = entries(40);
    let nodes = stored(&entries);
    for count in 1..=40u64 {
        let root = root_at(&nodes, count).unwrap();
        for index in 0..count {
            let good = LogProof::read(&nodes, index, count).unwrap();
            let entry = &entries[usize::try_from(index).unwrap()];
            assert_eq!(good.verify(b"another", &root), Err(LogProofError::OtherRoot));
            for other in (0..count + 2).filter(|other| *other != index) {
                let moved = LogProof { index: other, ..good.clone() };
                assert!(moved.verify(entry, &root).is_err(), "{index} as {other} of {count}");
            }
            let mut long = good.clone();
            long.path.push([0; 32]);
            let wrong = Err(LogProofError::PathLength { path: long.path.len() });
            assert_eq!(long.verify(entry, &root), wrong);
            let mut short = good.clone();
            if short.path.pop().is_some() {
                let wrong = Err(LogProofError::PathLength { path: short.path.len() });
                assert_eq!(short.verify(entry, &root), wrong);
            }
            for at in 0..good.path.len() {
                let mut changed = good.clone();
                changed.path[at][7] ^= 1;
                assert_eq!(changed.verify(entry, &root), Err(LogProofError::OtherRoot));
            }
        }
    }
}

#[test]
fn consistency_proofs_between_every_two_sizes_are_those_of_the_naive_log() {
    let entries = entries(SIZE_MAX);
    let nodes = stored(&entries);
    let roots: Vec<LogRoot> =
        (0..=SIZE_MAX).map(|count| LogRoot::new(naive_root(&entries[..count]))).collect();
    for new in 0..=SIZE_MAX {
        for old in 0..=new {
            let proof = ConsistencyProof::read(&nodes, old as u64, new as u64).unwrap();
            if old > 0 {
                assert_eq!(proof.path, naive_subproof(old, &entries[..new], true), "{old} {new}");
            }
            assert_eq!(proof.verify(&roots[old], &roots[new]), Ok(()), "{old} to {new}");
        }
    }
}

#[test]
fn consistency_proofs_show_nothing_else() {
    let entries = entries(40);
    let nodes = stored(&entries);
    let root = |count| root_at(&nodes, count).unwrap();
    let other = LogRoot::new([9; 32]);
    for new in 0..=40u64 {
        for old in 0..=new {
            let good = ConsistencyProof::read(&nodes, old, new).unwrap();
            assert!(good.verify(&other, &root(new)).is_err(), "{old} {new}");
            if old > 0 {
                assert!(good.verify(&root(old), &other).is_err(), "{old} {new}");
            }
            let mut long = good.clone();
            long.path.push([0; 32]);
            let wrong = Err(LogProofError::PathLength { path: long.path.len() });
            assert_eq!(long.verify(&root(old), &root(new)), wrong);
            let mut short = good.clone();
            if short.path.pop().is_some() {
                let wrong = Err(LogProofError::PathLength { path: short.path.len() });
                assert_eq!(short.verify(&root(old), &root(new)), wrong, "{old} {new}");
            }
            for at in 0..good.path.len() {
                let mut changed = good.clone();
                changed.path[at][7] ^= 1;
                assert!(changed.verify(&root(old), &root(new)).is_err(), "{old} {new}");
            }
        }
    }
    let reversed = ConsistencyProof { old: 3, new: 2, path: Vec::new() };
    let refused = Err(LogProofError::SizesReversed { old: 3, new: 2 });
    assert_eq!(reversed.verify(&root(3), &root(2)), refused);
}

#[test]
fn a_log_with_one_changed_entry_is_not_consistent() {
    let (honest, mut forged) = (entries(20), entries(30));
    forged[11] = b"forged".to_vec();
    let nodes = stored(&forged);
    let new_root = root_at(&nodes, 30).unwrap();
    for old in 12..=20 {
        let old_root = LogRoot::new(naive_root(&honest[..old]));
        let proof = ConsistencyProof::read(&nodes, old as u64, 30).unwrap();
        assert!(proof.verify(&old_root, &new_root).is_err(), "{old}");
    }
}

#[test]
fn impossible_proofs_and_missing_nodes_are_named() {
    let nodes = stored(&entries(5));
    assert_eq!(inclusion_proof(&nodes, 5, 5), Err(LogError::IndexBeyondSize { index: 5, size: 5 }));
    assert_eq!(inclusion_proof(&nodes, 0, 0), Err(LogError::IndexBeyondSize { index: 0, size: 0 }));
    let missing = LogError::NodeMissing { level: 1, index: 2 };
    assert_eq!(inclusion_proof(&nodes, 0, 6), Err(missing));
    assert_eq!(root_at(&nodes, 6), Err(missing));
    assert_eq!(LogFrontier::read(&nodes, 6), Err(missing));
    assert_eq!(consistency_proof(&nodes, 4, 6), Err(missing));
    assert_eq!(consistency_proof(&nodes, 6, 5), Err(LogError::SizesReversed { old: 6, new: 5 }));
}

#[test]
fn a_frontier_is_read_back_and_refused_with_the_wrong_number_of_subtrees() {
    let mut frontier = LogFrontier::new();
    frontier.append_all(entries(21).iter().map(|entry| leaf_hash(entry)));
    let bytes = codec::encode(&frontier);
    assert_eq!(codec::decode::<LogFrontier>(&bytes), Ok(frontier));
    let mut other_size = bytes;
    other_size[0] = 20;
    assert!(codec::decode::<LogFrontier>(&other_size).is_err());
    let full = [u64::MAX.to_le_bytes().to_vec(), vec![64], vec![0; 64 * 32]].concat();
    assert!(codec::decode::<LogFrontier>(&full).is_err());
}

#[test]
fn paths_are_hexadecimal_for_people_and_read_back() {
    let nodes = stored(&entries(7));
    let proof = LogProof::read(&nodes, 4, 7).unwrap();
    let json = serde_json::to_value(&proof).unwrap();
    assert_eq!(json["path"][0], hex::encode(proof.path[0]));
    assert_eq!(serde_json::from_value::<LogProof>(json).unwrap(), proof);
}

#[test]
fn proofs_have_one_encoding_and_are_read_back() {
    let nodes = stored(&entries(7));
    let proof = LogProof::read(&nodes, 4, 7).unwrap();
    let mut expected = [4u64.to_le_bytes(), 7u64.to_le_bytes()].concat();
    expected.push(3);
    expected.extend(proof.path.concat());
    assert_eq!(codec::encode(&proof), expected);
    assert_eq!(codec::decode::<LogProof>(&expected), Ok(proof));
    let proof = ConsistencyProof::read(&nodes, 4, 7).unwrap();
    assert_eq!(codec::decode::<ConsistencyProof>(&codec::encode(&proof)), Ok(proof));
}

#[test]
fn a_store_of_tile_rows_answers_every_node() {
    let entries = entries(700);
    let nodes = stored(&entries);
    let in_tile =
        |level: u8, index: u64, hash: LogHash| LogNode { level, index, hash }.is_in_tile();
    let rows = nodes.0.iter().filter(|((level, index), hash)| in_tile(*level, *index, **hash));
    let rows = TileRows(Nodes(rows.map(|(place, hash)| (*place, *hash)).collect()));
    assert_eq!(rows.0.0.len(), 700 + 2);
    for ((level, index), hash) in &nodes.0 {
        assert_eq!(rows.node(*level, *index), Some(*hash), "{level} {index}");
    }
    assert_eq!(rows.node(1, 350), None);
    assert_eq!(inclusion_proof(&rows, 600, 700), inclusion_proof(&nodes, 600, 700));
}

#[test]
fn tiles_cover_the_log_and_carry_their_standard_paths() {
    let tile = |level, index, size| Tile::at(level, index, size).unwrap();
    assert_eq!(tile(0, 0, 256).to_string(), "tile/0/000");
    assert_eq!(tile(0, 273, 70_000).to_string(), "tile/0/273.p/112");
    assert_eq!(tile(1, 1, 70_000).to_string(), "tile/1/001.p/17");
    assert_eq!(tile(2, 0, 70_000).to_string(), "tile/2/000.p/1");
    assert_eq!(tile(0, 1_234_067, 1_234_068 * 256).to_string(), "tile/0/x001/x234/067");
    assert_eq!(Tile::at(0, 1, 256), None);
    assert_eq!(Tile::at(3, 0, 70_000), None);
    assert_eq!(Tile::at(8, 0, u64::MAX), None);
    let nodes: Vec<_> = tile(1, 1, 70_000).nodes().collect();
    assert_eq!((nodes[0], nodes[16], nodes.len()), ((8, 256), (8, 272), 17));
}

#[test]
fn tile_bytes_are_its_hashes() {
    let entries = entries(600);
    let nodes = stored(&entries);
    let row = Tile::at(0, 2, 600).unwrap().read(&nodes).unwrap();
    let hashes: Vec<LogHash> = entries[512..].iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(row, hashes.concat());
    let above = Tile::at(1, 0, 600).unwrap().read(&nodes).unwrap();
    assert_eq!(above, [naive_root(&entries[..256]), naive_root(&entries[256..512])].concat());
}

#[test]
fn growth_adds_exactly_the_tiles_whose_width_changed() {
    let tiles = |size: u64| -> std::collections::BTreeSet<Tile> {
        let at = |level, index| Tile::at(level, index, size);
        (0..3).flat_map(|level| (0..).map_while(move |index| at(level, index))).collect()
    };
    for (old, new) in [(0, 0), (0, 1), (0, 255), (0, 256), (255, 257), (256, 256), (300, 66_000)] {
        let added: Vec<Tile> = Tile::added(old, new).collect();
        let expected: Vec<Tile> = tiles(new).difference(&tiles(old)).copied().collect();
        assert_eq!(added, expected, "{old} to {new}");
    }
}
