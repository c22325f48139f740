//! Proofs, accusations, changes of validators and saved audits: judged by the sample ledger.
//!
//! What verifies must be true: whatever a changed proof still shows stands in the ledger whose
//! validators signed it.

use cets_contracts::audit::{
    AccusationFile, AuditSnapshot, Auditor, InvariantSchedule, SNAPSHOT_MAGIC,
};
use cets_contracts::block::{LogEntry, VoteStep, vote_sign_bytes};
use cets_contracts::codec;
use cets_contracts::proof::{
    Claim, ProofFile, ProvedRecord, ValidatorChain, ValidatorHistory, VerifiedProof,
    VerifiedReceipt,
};
use cets_contracts::state::{UnitPlace, UnitRange, keys, range_of_key};
use cets_contracts::types::{BlockId, SerialRange};

use super::sample::{self, ledger};
use super::target::{KIB, MIB, Target, canonical, text};
use crate::formats::samples;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("proof", proof)
        .reading("proof files of every kind, their bytes")
        .holding("one encoding; what verifies is true of the ledger, and verifies again as text")
        .up_to(16 * KIB)
        .weighing(80)
        .from_seeds(proof_seeds),
    Target::of_text("proof-text", proof_text)
        .reading("proof files as text")
        .holding("text and back; no character but white space at the end can differ")
        .up_to(32 * KIB)
        .weighing(80)
        .from_seeds(proof_text_seeds),
    Target::of_bytes("accusation", accusation)
        .reading("accusation files")
        .holding("one encoding, one text; who signed nothing twice is never charged")
        .weighing(60)
        .from_seeds(accusation_seeds),
    Target::of_bytes("validator-changes", validator_changes)
        .reading("chains of changes of the validator set")
        .holding("one encoding; what verifies is what the ledger decided")
        .up_to(16 * KIB)
        .weighing(150)
        .from_seeds(validator_changes_seeds),
    Target::of_bytes("snapshot", snapshot)
        .reading("saved audits: the whole state after a block")
        .holding("one encoding; an audit that goes on has the state that was certified")
        .up_to(64 * KIB)
        .within(16 * MIB)
        .weighing(30)
        .from_seeds(snapshot_seeds),
];

/// Reads the bytes of a proof file.
pub fn proof(bytes: &[u8]) -> bool {
    let Ok(file) = ProofFile::decode(bytes) else { return false };
    assert!(file.encode() == bytes, "accepted bytes that are not canonical");
    let Ok(shown) = file.verify(&ledger().genesis) else { return true };
    is_true(&shown);
    let again = ProofFile::from_text(&file.to_text()).expect("its own text is read");
    assert_eq!(again, file);
    again.verify(&ledger().genesis).expect("a proof that verifies still does as text");
    true
}

/// Reads a proof file as text.
pub fn proof_text(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(file) = ProofFile::from_text(text) else { return false };
    let written = file.to_text();
    let read = text.replace("\r\n", "\n");
    assert_eq!(read.trim_end(), written.trim_end(), "another text is accepted");
    proof(&file.encode());
    true
}

/// What a proof shows is what stands in the sample ledger.
fn is_true(shown: &VerifiedProof) {
    let known = ledger().blocks.iter().find(|block| block.anchor.height() == shown.height);
    let anchor = &known.expect("a block of the ledger").anchor;
    assert_eq!((shown.block_id, shown.time), (anchor.header.id(), anchor.time()));
    // The records of a block before the newest are not kept.
    let newest = shown.height == ledger().newest().anchor.height();
    match &shown.claim {
        Claim::Receipt(receipt) => receipt_is_true(receipt),
        Claim::Records(records) if newest => records.iter().for_each(record_is_true),
        Claim::Units(units) if newest => units.parts.iter().for_each(units_are_true),
        Claim::Statement(statement) if newest => statement.ranges.iter().for_each(units_are_true),
        Claim::Provenance(life) => {
            life.hops.iter().for_each(|hop| receipt_is_true(&hop.receipt));
            if newest {
                units_are_true(&(life.range, life.place));
            }
        }
        Claim::Dossier(dossier) => {
            dossier.transactions.iter().for_each(|(receipt, _)| receipt_is_true(receipt));
            if newest {
                dossier.records.iter().for_each(record_is_true);
            }
        }
        Claim::Records(_) | Claim::Units(_) | Claim::Statement(_) => {}
    }
}

fn receipt_is_true(shown: &VerifiedReceipt) {
    let (transaction, receipt) = (shown.transaction.bytes().to_vec(), shown.receipt.clone());
    let entry = LogEntry::Transaction { transaction, receipt }.encode();
    let known = usize::try_from(shown.index).ok().and_then(|at| ledger().entries.get(at));
    assert_eq!(known, Some(&entry), "an entry that is not in the log");
    if let Some(events) = &shown.events {
        assert_eq!(ledger().events(shown.index), Some(codec::encode(events)), "other events");
    }
}

fn record_is_true(record: &ProvedRecord) {
    let known = ledger().state.stored_raw(record.key()).map(|stored| stored.value.as_slice());
    assert_eq!(known, Some(record.value()), "a record that is not in the state");
}

fn units_are_true((range, place): &(SerialRange, UnitPlace)) {
    let (view, instrument) = (ledger().state.view(), range.instrument());
    let prefix = keys::unit_ranges(&instrument);
    let mut all = view.scan::<UnitRange>(&prefix).map(Result::unwrap);
    let holds = all.any(|(key, record)| {
        let stored = range_of_key(instrument, &key, record.end).unwrap();
        stored.start() <= range.start() && range.end() <= stored.end() && record.place == *place
    });
    assert!(holds, "{range} is elsewhere");
}

/// Reads an accusation.
pub fn accusation(bytes: &[u8]) -> bool {
    let Some(file) = canonical::<AccusationFile>(bytes) else { return false };
    let written = file.to_text();
    let again = AccusationFile::from_text(&written).expect("its own text is read");
    assert_eq!(again, file);
    // Validator 1 signs two things in the inputs to start from; nobody else ever does.
    if let Ok(charge) = file.verify(&ledger().genesis) {
        let liar = [sample::public_key(1), sample::public_key(101)];
        assert!(liar.contains(&charge.key), "an honest validator is charged");
    }
    true
}

/// Reads changes of the validator set.
pub fn validator_changes(bytes: &[u8]) -> bool {
    let Some(chain) = canonical::<ValidatorChain>(bytes) else { return false };
    if let Ok(history) = ValidatorHistory::verify(&ledger().genesis, &chain) {
        for block in &ledger().blocks {
            let known = block.anchor.height();
            // The last set counts until a change is shown.
            let shown = chain.changes.iter().any(|change| change.anchor.height() < known);
            assert!(!shown || history.at(known) == Some(&block.validators), "other validators");
        }
    }
    true
}

/// Reads a saved audit; the magic bytes and the digest are put around the input.
pub fn snapshot(bytes: &[u8]) -> bool {
    let mut whole = [SNAPSHOT_MAGIC.as_slice(), bytes].concat();
    let digest = blake3::hash(&whole);
    whole.extend_from_slice(digest.as_bytes());
    let Ok(snapshot) = AuditSnapshot::decode(&whole) else { return false };
    assert!(snapshot.encode() == whole, "accepted bytes that are not canonical");
    let height = snapshot.height();
    let schedule = InvariantSchedule { every_blocks: 0 };
    if let Ok(auditor) = Auditor::resume(&ledger().genesis, schedule, snapshot) {
        let known = ledger().blocks.iter().find(|block| block.anchor.height() == height);
        let certified = known.expect("a block of the ledger").anchor.header.state_root;
        assert_eq!(auditor.state().root(), certified);
    }
    true
}

/// The proof files of the format pages.
pub fn proof_seeds() -> Vec<Vec<u8>> {
    let read = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        ProofFile::from_text(&text).unwrap().encode()
    };
    proof_text_seeds().into_iter().map(read).collect()
}

/// The proof files of the format pages, as text.
pub fn proof_text_seeds() -> Vec<Vec<u8>> {
    let all = samples().into_iter().filter(|(name, _)| name.ends_with(".cets-proof"));
    all.map(|(_, text)| text.into_bytes()).collect()
}

fn accusation_seeds() -> Vec<Vec<u8>> {
    use cets_contracts::audit::{Accusation, SignedBytes};
    use cets_contracts::transparency::{Checkpoint, cosignature_message};
    use cets_contracts::types::LogRoot;
    let (chain_id, validators) = (ledger().genesis.chain_id(), ledger().validators.clone());
    let set = &ledger().at(2).validators;
    let member = set.members().iter().find(|it| it.consensus_key == sample::public_key(1));
    let member = member.unwrap();
    let statement = |block: u8, step| {
        let height = crate::sample_ledger::height(2);
        let message = vote_sign_bytes(chain_id, step, height, 0, Some(BlockId::new([block; 32])));
        SignedBytes { signature: sample::sign(1, &message), message }
    };
    let twice = |step| Accusation::Statements {
        validator: member.address(),
        first: statement(1, step),
        second: statement(2, step),
    };
    let checkpoint = |root: u8| {
        let checkpoint =
            Checkpoint { origin: ledger().origin(), size: 5, root: LogRoot::new([root; 32]) };
        let message = cosignature_message(&checkpoint.to_string(), 1_626_399_000);
        SignedBytes { signature: sample::sign(101, &message), message }
    };
    let roots = Accusation::Checkpoints {
        cosigner: member.cosigner_key,
        first: checkpoint(1),
        second: checkpoint(2),
    };
    let all = [twice(VoteStep::Prevote), twice(VoteStep::Precommit), roots];
    let file = |accusation| AccusationFile { validators: validators.clone(), accusation };
    all.into_iter().map(|accusation| codec::encode(&file(accusation))).collect()
}

fn validator_changes_seeds() -> Vec<Vec<u8>> {
    vec![codec::encode(&ledger().validators), codec::encode(&ValidatorChain::default())]
}

fn snapshot_seeds() -> Vec<Vec<u8>> {
    use cets_contracts::audit::{Frame, PreparedBlock};
    let genesis = &ledger().genesis;
    let mut auditor = Auditor::new(genesis, InvariantSchedule { every_blocks: 0 }).unwrap();
    let mut seeds = Vec::new();
    for frame in ledger().frames() {
        if let Frame::Block(stored) = frame {
            let height = crate::sample_ledger::height(seeds.len() as u64 + 1);
            auditor.check_block(PreparedBlock::new(height, stored).unwrap()).unwrap();
            let whole = auditor.snapshot().unwrap().encode();
            let content = whole.strip_prefix(SNAPSHOT_MAGIC.as_slice()).unwrap();
            seeds.push(content[..content.len() - 32].to_vec());
        }
    }
    seeds
}
