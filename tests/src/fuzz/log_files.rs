//! The log in the formats of C2SP: checkpoints, notes, keys, policies, proofs, tiles and bundles.

use cets_contracts::block::LogEntry;
use cets_contracts::codec;
use cets_contracts::log::{
    ConsistencyProof, LogHash, LogProof, Tile, consistency_proof, inclusion_proof, root_at,
};
use cets_contracts::transparency::{
    Checkpoint, Cosignature, LogPath, Note, Policy, TlogProof, VerifierKey, decode_bundle,
    encode_bundle,
};
use cets_contracts::types::LogRoot;

use super::sample::ledger;
use super::target::{KIB, Target, canonical, one_form, reads_back, text};
use crate::formats::samples;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_text("checkpoint", checkpoint)
        .reading("checkpoints")
        .holding("one form")
        .weighing(2_400)
        .from_seeds(checkpoint_seeds),
    Target::of_text("note", note)
        .reading("signed notes")
        .holding("one form; what the policy accepts is a checkpoint of the ledger")
        .up_to(8 * KIB)
        .weighing(20)
        .from_seeds(note_seeds),
    Target::of_text("verifier-key", verifier_key)
        .reading("verifier keys")
        .holding("one form")
        .up_to(512)
        .weighing(1_000)
        .from_seeds(verifier_key_seeds),
    Target::of_text("policy", policy)
        .reading("policies")
        .holding("what is written reads back")
        .up_to(8 * KIB)
        .weighing(200)
        .from_seeds(policy_seeds),
    Target::of_text("tlog-proof", tlog_proof)
        .reading("tlog-proof@v1 files")
        .holding("one form; what verifies stands in the log")
        .up_to(8 * KIB)
        .weighing(80)
        .from_seeds(tlog_proof_seeds),
    Target::of_bytes("bundle", bundle)
        .reading("entry bundles")
        .holding("one encoding, and of each entry")
        .up_to(64 * KIB)
        .weighing(500)
        .from_seeds(bundle_seeds),
    Target::of_text("log-path", log_path)
        .reading("paths of the files of the log")
        .holding("one path for each file")
        .up_to(128)
        .weighing(3_000)
        .from_seeds(log_path_seeds),
    Target::of_bytes("log-proof", log_proof)
        .reading("inclusion and consistency proofs, cosignatures")
        .holding("one encoding; what verifies against the ledger's roots is the ledger's own proof")
        .weighing(1_500)
        .from_seeds(log_proof_seeds),
];

/// Reads a checkpoint.
pub fn checkpoint(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| one_form::<Checkpoint>(text).is_some())
}

/// Reads a signed note.
pub fn note(bytes: &[u8]) -> bool {
    let Some(note) = text(bytes).and_then(one_form::<Note>) else { return false };
    let accepted = (1..=4).find_map(|height| ledger().policy(height).verify(&note).ok());
    if let Some(cosigned) = accepted {
        let mut known = (1..=4).map(|height| ledger().checkpoint(height));
        assert!(known.any(|known| known == cosigned.checkpoint), "a checkpoint of nothing");
    }
    true
}

/// Reads a verifier key.
pub fn verifier_key(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| one_form::<VerifierKey>(text).is_some())
}

/// Reads a policy.
pub fn policy(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| reads_back::<Policy>(text).is_some())
}

/// Reads a proof that an entry is in the log.
pub fn tlog_proof(bytes: &[u8]) -> bool {
    let Some(proof) = text(bytes).and_then(one_form::<TlogProof>) else { return false };
    if let Ok(shown) = proof.verify(&ledger().policy(2)) {
        let known = usize::try_from(shown.index).ok().and_then(|at| ledger().entries.get(at));
        assert_eq!(known, Some(&shown.entry.encode()), "an entry that is not in the log");
    }
    true
}

/// Reads a bundle of entries.
pub fn bundle(bytes: &[u8]) -> bool {
    let Ok(entries) = decode_bundle(bytes) else { return false };
    assert!(encode_bundle(&entries).expect("a bundle that was read is written") == bytes);
    entries.iter().for_each(|entry| drop(canonical::<LogEntry>(entry)));
    true
}

/// Reads a path.
pub fn log_path(bytes: &[u8]) -> bool {
    let Some(path) = text(bytes).and_then(one_form::<LogPath>) else { return false };
    for size in [0, 1, 255, 256, 70_000, 1 << 62, u64::MAX] {
        if let (true, Some(tile)) = (path.is_within(size), path.tile()) {
            assert!(Tile::at(tile.level, tile.index, size).is_some());
        }
    }
    true
}

/// Reads a proof of the log: a byte for its kind, one for the entry, then canonical bytes.
pub fn log_proof(bytes: &[u8]) -> bool {
    let [kind, place, rest @ ..] = bytes else { return false };
    // A proof speaks of a size together with the root of that size: beyond the log there is none.
    let root = |size: u64| root_at(ledger(), size).ok();
    match kind % 3 {
        0 => {
            let Some(proof) = canonical::<LogProof>(rest) else { return false };
            let entry = &ledger().entries[usize::from(*place) % ledger().entries.len()];
            let Some(root) = root(proof.size) else { return true };
            if proof.verify(entry, &root).is_ok() {
                let own = inclusion_proof(ledger(), proof.index, proof.size);
                assert_eq!(own.as_ref(), Ok(&proof.path));
                assert_eq!(ledger().entries.get(proof.index as usize), Some(entry));
            }
        }
        1 => {
            let Some(proof) = canonical::<ConsistencyProof>(rest) else { return false };
            let (Some(old), Some(new)) = (root(proof.old), root(proof.new)) else { return true };
            if proof.verify(&old, &new).is_ok() {
                let own: Result<Vec<LogHash>, _> =
                    consistency_proof(ledger(), proof.old, proof.new);
                assert_eq!(own, Ok(proof.path));
            }
        }
        _ => return canonical::<Cosignature>(rest).is_some(),
    }
    true
}

fn heights() -> impl Iterator<Item = u64> {
    1..=4
}

fn checkpoint_seeds() -> Vec<Vec<u8>> {
    heights().map(|height| ledger().checkpoint(height).to_string().into_bytes()).collect()
}

fn note_seeds() -> Vec<Vec<u8>> {
    heights().map(|height| ledger().cosigned(height, 3).to_string().into_bytes()).collect()
}

fn verifier_key_seeds() -> Vec<Vec<u8>> {
    use cets_contracts::transparency::{log_key, witness_key};
    let (origin, set) = (ledger().origin(), &ledger().at(1).validators);
    let keys = set.members().iter().take(2).flat_map(|member| {
        [log_key(&origin, member).unwrap(), witness_key(&origin, member).unwrap()]
    });
    keys.map(|key| key.to_string().into_bytes()).collect()
}

fn policy_seeds() -> Vec<Vec<u8>> {
    let own = ledger().policy(4).to_string();
    let mut lines: Vec<&str> = own.lines().collect();
    lines.retain(|line| line.starts_with("log") || line.starts_with("witness"));
    let names: Vec<&str> = lines.iter().filter_map(|it| it.strip_prefix("witness ")).collect();
    let name = |at: usize| names[at].split(' ').next().unwrap();
    let nested = format!(
        "# groups of groups\n{}\ngroup a any {} {}\ngroup b all {}\ngroup c 2 a b\nquorum c\n",
        lines.join("\n"),
        name(0),
        name(1),
        name(2)
    );
    vec![own.into_bytes(), nested.into_bytes(), b"quorum none\n".to_vec()]
}

fn tlog_proof_seeds() -> Vec<Vec<u8>> {
    let page = samples()["receipt.tlog-proof"].clone();
    let bare = TlogProof { entry: None, ..ledger().tlog_proof(0, 4, 4) };
    vec![page.into_bytes(), bare.to_string().into_bytes()]
}

fn bundle_seeds() -> Vec<Vec<u8>> {
    let entries = &ledger().entries;
    vec![encode_bundle(entries).unwrap(), encode_bundle(&entries[..2]).unwrap()]
}

fn log_path_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "checkpoint",
        "tlog-policy",
        "tile/0/000.p/5",
        "tile/entries/x001/x234/067",
        "tile/1/x001/000",
        "tile/7/000.p/255",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn log_proof_seeds() -> Vec<Vec<u8>> {
    let size = ledger().entries.len() as u64;
    let of = |kind: u8, place: u64, bytes: Vec<u8>| [&[kind, place as u8], &*bytes].concat();
    let inside = (0..size).step_by(2).map(|index| {
        let proof = LogProof::read(ledger(), index, size).unwrap();
        of(0, index, codec::encode(&proof))
    });
    let grown = [(0, 5), (3, size), (4, 7)].map(|(old, new)| {
        let proof = ConsistencyProof::read(ledger(), old, new).unwrap();
        of(1, 0, codec::encode(&proof))
    });
    let cosignature = Cosignature::sign(
        &ledger().checkpoint(1),
        ledger().at(1).anchor.time(),
        super::sample::public_key(101),
        |message| super::sample::sign(101, message),
    );
    let root = LogRoot::new([0; 32]);
    assert_ne!(root_at(ledger(), size), Ok(root));
    inside.chain(grown).chain([of(2, 0, codec::encode(&cosignature))]).collect()
}
