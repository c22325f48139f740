//! What the ledger writes, checked by programs that nobody here wrote.
//!
//! Here the crates `signed_note` and `tlog_tiles`, which see text and files only; the crate
//! `metamorphic-log` in `tests/foreign`, and a verifier in Python in `formats.rs`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cets_contracts::log::{consistency_proof, leaf_hash};
use cets_contracts::transparency::decode_bundle;
use cets_tests::sample_ledger::SampleLedger;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    HashReader as _, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash, stored_hash_index, tree_hash,
};

/// Long enough for full tiles of level 0, a tile of level 1, and full and partial bundles.
const LOG_ENTRIES: usize = 600;

/// Keys of the lines of a policy that begin with a word, and the numeric threshold of its group.
fn policy_keys(policy: &str, word: &str) -> Vec<String> {
    let lines = policy.lines().filter(|line| line.split(' ').next() == Some(word));
    lines.map(|line| line.split(' ').next_back().unwrap().to_owned()).collect()
}

pub(crate) fn policy_threshold(policy: &str) -> usize {
    let group = policy.lines().find(|line| line.starts_with("group ")).unwrap();
    group.split(' ').nth(2).unwrap().parse().unwrap()
}

/// A cosignature in the frame of the note library: `tlog-cosignature`, type 0x04.
struct Cosigner {
    name: String,
    key: [u8; 33],
}

impl signed_note::Verifier for Cosigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(&self.name, &self.key)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let head = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        let key = ed25519_dalek::VerifyingKey::from_bytes(self.key[1..].try_into().unwrap());
        let signature = ed25519_dalek::Signature::from_slice(signature);
        let (Ok(key), Ok(signature)) = (key, signature) else { return false };
        key.verify_strict(&[head.as_bytes(), message].concat(), &signature).is_ok()
    }
}

/// Cosignatures of a note that are good; an error when one is not.
pub(crate) fn cosigned(note: &str, policy: &str) -> Result<usize, signed_note::NoteError> {
    let cosigner = |key: &String| {
        let mut parts = key.splitn(3, '+');
        let name = parts.next().unwrap().to_owned();
        let key = STANDARD.decode(parts.nth(1).unwrap()).unwrap();
        Box::new(Cosigner { name, key: key.try_into().unwrap() }) as Box<dyn signed_note::Verifier>
    };
    let verifiers = policy_keys(policy, "witness").iter().map(cosigner).collect();
    let note = Note::from_bytes(note.as_bytes())?;
    Ok(note.verify(&VerifierList::new(verifiers))?.0.len())
}

#[test]
fn the_note_library_of_a_log_operator_counts_the_quorum_of_cosignatures() {
    let ledger = SampleLedger::story();
    for (height, quorum) in [(1, 3), (2, 3), (4, 4)] {
        let policy = ledger.policy(height).to_string();
        assert_eq!(policy_threshold(&policy), quorum, "height {height}");
        for count in [quorum, quorum - 1, 1] {
            let note = ledger.cosigned(height, count);
            let good = cosigned(&note.to_string(), &policy).unwrap();
            assert_eq!(good, count);
            assert_eq!(ledger.policy(height).verify(&note).is_ok(), good >= quorum);
        }
    }
    let policy = ledger.policy(2).to_string();
    let larger = ledger.cosigned(2, 3).to_string().replacen("\n5\n", "\n6\n", 1);
    assert!(cosigned(&larger, &policy).is_err());
}

#[test]
fn the_note_library_of_a_log_operator_verifies_the_signature_of_every_validator_as_the_log() {
    let ledger = SampleLedger::story();
    let text = ledger.cosigned(2, 3).to_string();
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    let policy = ledger.policy(2).to_string();
    let verifiers: Vec<Box<dyn signed_note::Verifier>> = policy_keys(&policy, "log")
        .iter()
        .map(|key| Box::new(StandardVerifier::new(key).unwrap()) as Box<dyn signed_note::Verifier>)
        .collect();
    let (verified, unknown) = note.verify(&VerifierList::new(verifiers)).unwrap();
    assert_eq!(verified.len(), 3);
    assert!(verified.iter().all(|line| line.name() == ledger.origin()));
    assert_eq!(unknown.len(), 3, "the cosignatures, of a type that it does not know");
    assert_eq!(note.to_bytes(), text.as_bytes());
}

/// Reads tiles from a folder as a client reads them from a web server.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// The path of the specification: the library writes the height of tiles in front.
    fn path(&self, tile: &Tile) -> PathBuf {
        let path = tile.path();
        self.0.join(format!("tile/{}", path.strip_prefix("tile/8/").unwrap()))
    }
}

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile| std::fs::read(self.path(tile));
        tiles.iter().map(|tile| read(tile).map_err(|_| tlog_tiles::Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// Walks a whole log from its files: every entry of every bundle against authenticated tiles.
pub(crate) fn walk(folder: &Path) -> Result<u64, String> {
    let note = Note::from_bytes(&std::fs::read(folder.join("checkpoint")).unwrap()).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let tiles = Folder(folder.to_owned());
    let reader = TileHashReader::new(size, root, &tiles);
    let mut index = 0;
    while index < size {
        let mut tile = Tile::from_index(8, stored_hash_index(0, index)).parent(0, size).unwrap();
        tile.set_is_data();
        let path = tile.path().replace("tile/8/data/", "tile/entries/");
        let bundle = std::fs::read(folder.join(path)).map_err(|error| error.to_string())?;
        let entries = decode_bundle(&bundle).map_err(|error| error.to_string())?;
        let indexes: Vec<u64> =
            (index..).take(entries.len()).map(|entry| stored_hash_index(0, entry)).collect();
        let hashes = reader.read_hashes(&indexes).map_err(|error| format!("{error:?}"))?;
        for (hash, entry) in hashes.iter().zip(&entries) {
            if *hash != record_hash(entry) {
                return Err(format!("entry {index} is not the one in its tile"));
            }
            index += 1;
        }
    }
    let whole = tree_hash(size, &reader).map_err(|error| format!("{error:?}"))?;
    assert_eq!(whole, root);
    Ok(index)
}

#[test]
fn another_implementation_walks_the_whole_log_from_its_files() {
    let ledger = SampleLedger::long(LOG_ENTRIES);
    let height = ledger.newest().anchor.height().get();
    let folder = tempfile::tempdir().unwrap();
    ledger.write_log(folder.path(), height, 4);
    assert_eq!(walk(folder.path()), Ok(ledger.checkpoint(height).size));

    for (path, byte) in [
        ("tile/0/000", 77),
        ("tile/0/001", 8_191),
        ("tile/1/000.p/2", 3),
        ("tile/entries/000", 1_000),
        ("tile/entries/001", 5),
    ] {
        let path = folder.path().join(path);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[byte] ^= 1;
        std::fs::write(&path, bad).unwrap();
        assert!(walk(folder.path()).is_err(), "{}", path.display());
        std::fs::write(&path, good).unwrap();
    }
    let checkpoint = folder.path().join("checkpoint");
    let shorter = ledger.cosigned(height - 1, 4).to_string();
    std::fs::write(
        &checkpoint,
        shorter.replace(
            &format!("\n{}\n", ledger.checkpoint(height - 1).size),
            &format!("\n{}\n", ledger.checkpoint(height).size),
        ),
    )
    .unwrap();
    assert!(walk(folder.path()).is_err(), "the root of another size");
}

#[test]
fn another_implementation_verifies_inclusion_of_every_entry() {
    let ledger = SampleLedger::long(150);
    let height = ledger.newest().anchor.height().get();
    let folder = tempfile::tempdir().unwrap();
    ledger.write_log(folder.path(), height, 4);
    let checkpoint = ledger.checkpoint(height);
    let tiles = Folder(folder.path().to_owned());
    let root = tlog_tiles::Hash(*checkpoint.root.as_bytes());
    let reader = TileHashReader::new(checkpoint.size, root, &tiles);
    for (index, entry) in (0..).zip(&ledger.entries) {
        let proof = ledger.tlog_proof(index, height, 4);
        let leaf = record_hash(entry);
        assert_eq!(leaf.0, leaf_hash(entry));
        let hashes = proof.path.iter().copied().map(tlog_tiles::Hash).collect();
        check_record(&hashes, checkpoint.size, root, index, leaf).unwrap();
        assert_eq!(prove_record(checkpoint.size, index, &reader).unwrap(), hashes);
        let neighbour = (index + 1) % checkpoint.size;
        assert!(check_record(&hashes, checkpoint.size, root, neighbour, leaf).is_err());
    }
}

#[test]
fn another_implementation_verifies_that_the_log_only_grew_and_refuse_a_fork() {
    let ledger = SampleLedger::long(200);
    let newest = ledger.newest().anchor.height().get();
    let folder = tempfile::tempdir().unwrap();
    ledger.write_log(folder.path(), newest, 4);
    let checkpoint = ledger.checkpoint(newest);
    let hash = |checkpoint: &cets_contracts::transparency::Checkpoint| {
        tlog_tiles::Hash(*checkpoint.root.as_bytes())
    };
    let tiles = Folder(folder.path().to_owned());
    let reader = TileHashReader::new(checkpoint.size, hash(&checkpoint), &tiles);
    for height in 1..newest {
        let old = ledger.checkpoint(height);
        let path = consistency_proof(&ledger, old.size, checkpoint.size).unwrap();
        let hashes: Vec<_> = path.iter().copied().map(tlog_tiles::Hash).collect();
        let (size, root) = (checkpoint.size, hash(&checkpoint));
        check_tree(&hashes, size, root, old.size, hash(&old)).unwrap();
        assert_eq!(prove_tree(size, old.size, &reader).unwrap(), hashes);

        let mut fork = old.clone();
        fork.root = checkpoint.root;
        assert!(check_tree(&hashes, size, root, old.size, hash(&fork)).is_err());
    }
}
