//! The audit of exported histories, and that it sees every kind of tampering.

use cets_contracts::audit::{HistoryRecord, StoredBlock};
use cets_contracts::block::{Block, Certificate};
use cets_contracts::codec;
use cets_contracts::state::Table;
use cets_contracts::types::Signature;

use crate::runner::{Desk, Ran};
use crate::small_ledger::SmallLedger;

struct Bench {
    desk: Desk,
    ledger: SmallLedger,
}

impl Bench {
    fn new() -> Self {
        let desk = Desk::new();
        let ledger = SmallLedger::new(&desk.path("net"));
        Self { desk, ledger }
    }

    fn audit(&self, history: &[u8]) -> Ran {
        std::fs::write(self.desk.path("history.cets"), history).unwrap();
        self.desk.run("audit verify --export history.cets --output json")
    }

    fn audit_of(&self, blocks: &[StoredBlock], records: Vec<HistoryRecord>) -> Ran {
        self.audit(&self.ledger.history(blocks, records))
    }

    /// Demands that the audit fails with these words.
    fn refuses(&self, ran: &Ran, words: &str) {
        assert_eq!(ran.code, 1, "{words}: {}", ran.out);
        let error = &ran.json()["error"];
        assert_eq!(error["audit"], "broken", "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
    }
}

#[test]
fn a_sound_history_holds_and_says_what_was_checked() {
    let bench = Bench::new();
    let ran = bench.audit_of(&bench.ledger.blocks, bench.ledger.records());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let audit = &ran.json()["audits"][0];
    assert_eq!(audit["report"]["certificates"], 4);
    assert_eq!(audit["report"]["transactions"], 4);
    assert_eq!(audit["report"]["accepted"], 3);
    assert_eq!(audit["report"]["signatures"], 2 + 2 + 1 + 1);
    assert_eq!(audit["records_compared"], bench.ledger.records().len());
    assert_eq!(ran.json()["anchored"], false);
    let own = bench.desk.good(
        "audit verify --export . --genesis net/genesis.json --invariants-every 1 --output json",
    );
    assert_eq!(own.json()["anchored"], true);
    let shown = bench.desk.good("audit verify --export history.cets --lang zh").out;
    assert!(shown.contains("账本历史成立"), "{shown}");
}

#[test]
fn a_flipped_bit_in_a_transaction_is_seen_with_its_block() {
    let bench = Bench::new();
    let mut blocks = bench.ledger.blocks.clone();
    let mut block = Block::decode(&blocks[2].block).unwrap();
    let last = block.transactions[0].len() - 1;
    block.transactions[0][last] ^= 1;
    blocks[2].block = block.encode();
    let ran = bench.audit_of(&blocks, Vec::new());
    bench.refuses(&ran, "block 3: the transactions are not those that the header");
}

#[test]
fn a_flipped_bit_anywhere_in_the_blocks_is_seen() {
    let bench = Bench::new();
    for index in 0..bench.ledger.blocks.len() {
        for part in 0..4 {
            let mut blocks = bench.ledger.blocks.clone();
            let bytes = match part {
                0 => Some(&mut blocks[index].block),
                1 => Some(&mut blocks[index].certificate),
                2 => blocks[index].receipts.last_mut(),
                _ => blocks[index].events.first_mut(),
            };
            let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { continue };
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            let ran = bench.audit_of(&blocks, Vec::new());
            assert_eq!(ran.code, 1, "block {index}, part {part}: {}", ran.out);
            assert_eq!(ran.json()["error"]["audit"], "broken");
        }
    }
}

#[test]
fn a_removed_block_is_seen() {
    let bench = Bench::new();
    let mut blocks = bench.ledger.blocks.clone();
    blocks.remove(1);
    bench.refuses(&bench.audit_of(&blocks, Vec::new()), "block 2 is missing");
    let mut blocks = bench.ledger.blocks.clone();
    blocks.pop();
    bench.refuses(&bench.audit_of(&blocks, Vec::new()), "ends at block 4");
}

#[test]
fn forged_and_short_certificates_are_seen() {
    let bench = Bench::new();
    let mut blocks = bench.ledger.blocks.clone();
    let mut certificate: Certificate = codec::decode(&blocks[1].certificate).unwrap();
    certificate.signatures[0].signature = Signature::new([7; 64]);
    blocks[1].certificate = codec::encode(&certificate);
    bench.refuses(&bench.audit_of(&blocks, Vec::new()), "is forged or damaged");

    let mut blocks = bench.ledger.blocks.clone();
    blocks[1] = bench.ledger.shorten_certificate(1, 3);
    assert_eq!(bench.audit_of(&blocks, Vec::new()).code, 0, "three of four decide");
    blocks[1] = bench.ledger.shorten_certificate(1, 2);
    bench.refuses(&bench.audit_of(&blocks, Vec::new()), "has power 2, needs 3");
}

#[test]
fn a_changed_balance_is_seen() {
    let bench = Bench::new();
    let mut records = bench.ledger.records();
    let account =
        records.iter_mut().rfind(|record| Table::of(&record.key) == Some(Table::Accounts)).unwrap();
    let last = account.value.len() - 8;
    account.value[last] ^= 1;
    let ran = bench.audit_of(&bench.ledger.blocks, records);
    bench.refuses(&ran, "of table accounts: the stored value is not what execution gives");
    let mut records = bench.ledger.records();
    records.remove(3);
    bench.refuses(&bench.audit_of(&bench.ledger.blocks, records), "missing");
}

#[test]
fn cut_off_and_foreign_files_are_refused() {
    let bench = Bench::new();
    let whole = bench.ledger.history(&bench.ledger.blocks, bench.ledger.records());
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        let ran = bench.audit(&whole[..length]);
        assert_eq!(ran.code, 1, "{length}: {}", ran.out);
        assert_eq!(ran.json()["error"]["audit"], "broken", "{length}: {}", ran.out);
    }
    bench.refuses(&bench.audit(&[&whole[..], b"x"].concat()), "goes on after its end");
    bench.refuses(&bench.audit(b"something else"), "no history");
}

#[test]
fn a_history_of_another_chain_is_refused() {
    let bench = Bench::new();
    bench.audit_of(&bench.ledger.blocks, Vec::new());
    bench.desk.good("network init --folder other --institutions a:registry");
    let ran = bench
        .desk
        .run("audit verify --export history.cets --genesis other/genesis.json --output json");
    bench.refuses(&ran, "the history is of chain");
}

#[test]
fn a_flipped_bit_in_any_byte_of_an_export_is_seen() {
    use cets_cli::audit::{AuditPlan, StoredHistory, audit};
    use cets_contracts::audit::InvariantSchedule;

    let bench = Bench::new();
    let path = bench.desk.path("history.cets");
    let whole = bench.ledger.history(&bench.ledger.blocks, bench.ledger.records());
    let chain = bench.ledger.network.genesis.chain_id();
    let sound = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut history = StoredHistory::open(&path)?;
        let plan = AuditPlan::whole(InvariantSchedule { every_blocks: 0 });
        audit(&mut history, &plan, &|_| {}).map(|audited| audited.report.chain_id)
    };
    assert_eq!(sound(&whole).unwrap(), chain);
    // A step that is prime to every length meets all fields; every byte is met in a few runs.
    let step = std::env::var("STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(7);
    for at in (0..whole.len()).step_by(step) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        match sound(&flipped) {
            Err(error) => assert!(!error.to_human(cets_cli::text::Lang::En).is_empty()),
            // A hexadecimal digit of the genesis document may be written large: it says the same.
            Ok(found) => {
                assert!(at < 24 + bench.ledger.genesis_json().len(), "byte {at}");
                assert_eq!(found, chain, "byte {at}");
            }
        }
    }
}

#[test]
fn a_deleted_last_block_is_seen_also_when_the_end_says_so() {
    let bench = Bench::new();
    let whole = bench.ledger.history(&bench.ledger.blocks[..2], bench.ledger.records());
    // The end frame is the last thirteen bytes: length, tag, height.
    let mut shortened = whole[..whole.len() - 13].to_vec();
    shortened
        .extend(cets_contracts::audit::Frame::End(cets_contracts::types::Height::new(2)).encode());
    bench.refuses(&bench.audit(&shortened), "of table");
}

#[test]
fn a_forked_history_is_seen_at_its_height_by_both_audits() {
    let bench = Bench::new();
    for index in 0..3 {
        let mut blocks = bench.ledger.blocks.clone();
        blocks[index] = bench.ledger.forked(index, 4);
        let ran = bench.audit_of(&blocks, Vec::new());
        bench.refuses(&ran, &format!("the parent of block {}", index + 2));
        let light = bench.desk.run("audit light --export history.cets --output json");
        bench.refuses(&light, &format!("header {} names parent", index + 2));
    }
}

#[test]
fn the_light_audit_follows_certificates_and_sees_what_breaks_them() {
    let bench = Bench::new();
    bench.audit_of(&bench.ledger.blocks, bench.ledger.records());
    let ran = bench.desk.good("audit light --export history.cets --output json");
    let report = &ran.json()["report"];
    assert_eq!((report["certificates"].as_u64(), report["height"].as_u64()), (Some(4), Some(4)));
    assert_eq!(report["signatures"], 16);
    let light = |blocks: &[StoredBlock]| {
        bench.audit_of(blocks, Vec::new());
        bench.desk.run("audit light --export history.cets --output json")
    };
    let mut blocks = bench.ledger.blocks.clone();
    blocks.remove(1);
    bench.refuses(&light(&blocks), "header 2 is missing");
    let mut blocks = bench.ledger.blocks.clone();
    blocks[1] = bench.ledger.shorten_certificate(1, 2);
    bench.refuses(&light(&blocks), "header 2");
    let mut blocks = bench.ledger.blocks.clone();
    blocks.pop();
    bench.refuses(&light(&blocks), "ends at block 4");
}

#[test]
fn an_audit_goes_on_from_its_saved_state_and_from_no_other() {
    let bench = Bench::new();
    bench.audit_of(&bench.ledger.blocks[..2], Vec::new());
    // The shortened history ends early: the audit has saved the state after block 2 all the same.
    let ran = bench
        .desk
        .run("audit verify --export history.cets --resume state --save-every 1 --output json");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(bench.desk.path("state").exists());
    bench.audit_of(&bench.ledger.blocks, bench.ledger.records());
    let ran = bench.desk.good("audit verify --export history.cets --resume state --output json");
    let audit = &ran.json()["audits"][0];
    assert_eq!(audit["report"]["resumed_after"], 2);
    assert_eq!(
        (audit["report"]["transactions"].as_u64(), audit["executed"].as_u64()),
        (Some(4), Some(2))
    );
    let saved = std::fs::read(bench.desk.path("state")).unwrap();
    for at in (0..saved.len()).step_by(997) {
        let mut flipped = saved.clone();
        flipped[at] ^= 1;
        std::fs::write(bench.desk.path("state"), flipped).unwrap();
        let ran = bench.desk.run("audit verify --export history.cets --resume state --output json");
        assert_eq!(ran.json()["error"]["audit"], "not resumed", "byte {at}: {}", ran.out);
    }
    std::fs::write(bench.desk.path("state"), saved).unwrap();
    let other = Bench::new();
    other.audit_of(&other.ledger.blocks, Vec::new());
    std::fs::copy(bench.desk.path("state"), other.desk.path("state")).unwrap();
    let ran = other.desk.run("audit verify --export history.cets --resume state --output json");
    assert_eq!(ran.json()["error"]["audit"], "not resumed", "{}", ran.out);
}

#[test]
fn an_own_list_is_compared_to_the_serial() {
    let bench = Bench::new();
    bench.audit_of(&bench.ledger.blocks, bench.ledger.records());
    let (one, two) = (crate::small_ledger::entity(1), crate::small_ledger::entity(2));
    let list = |lines: &[(String, u64, u64)]| {
        let lines: Vec<String> = lines
            .iter()
            .map(|(account, first, last)| format!("{account},CEA-1920,{first},{last}"))
            .collect();
        let text = format!("account,instrument,first,last\n{}\n", lines.join("\n"));
        std::fs::write(bench.desk.path("own.csv"), text).unwrap();
        bench.desk.run("audit compare history.cets own.csv --output json")
    };
    let (one, two) = (one.to_string(), two.to_string());
    let equal = list(&[(two.clone(), 1, 400), (one.clone(), 401, 700), (one.clone(), 701, 1_000)]);
    assert_eq!(equal.code, 0, "{}", equal.out);
    assert_eq!(equal.json()["equal"], true);
    let other = list(&[(two, 1, 399), (one.clone(), 400, 1_000), (one.clone(), 1_001, 1_001)]);
    assert_eq!(other.code, 1, "{}", other.out);
    let found = &other.json()["comparisons"][0]["differences"];
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    assert!(found[0]["serials"].as_str().unwrap().contains("000000000400-000000000400"));
    assert_eq!(found[0]["right"]["account"], one);
    assert!(found[1]["left"].is_null());
    let shown = bench.desk.run("audit compare history.cets own.csv --lang zh").out;
    assert!(shown.contains("000000000400") && shown.contains("差异"), "{shown}");
}

#[test]
fn two_sides_of_a_fork_accuse_who_signed_both_and_nobody_else() {
    let bench = Bench::new();
    let mut blocks = bench.ledger.blocks.clone();
    blocks[2] = bench.ledger.forked(2, 3);
    bench.audit_of(&blocks[..3], Vec::new());
    std::fs::rename(bench.desk.path("history.cets"), bench.desk.path("forked.cets")).unwrap();
    bench.audit_of(&bench.ledger.blocks, Vec::new());
    let ran = bench.desk.run("audit blame history.cets forked.cets --out found --output json");
    assert_eq!(ran.code, 1, "{}", ran.out);
    let charges = ran.json()["charges"].as_array().unwrap().clone();
    assert_eq!(charges.len(), 3, "{charges:?}");
    for charge in &charges {
        let file = charge["file"].as_str().unwrap();
        let line = format!("audit blame --check {file} --genesis net/genesis.json --output json");
        let checked = bench.desk.good(&line);
        assert_eq!(checked.json()["charge"], charge["charge"]);
    }
    let file = bench.desk.path(charges[0]["file"].as_str().unwrap());
    let text = std::fs::read_to_string(&file).unwrap();
    let bytes = text.clone().into_bytes();
    for at in (0..bytes.len()).step_by(11) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let Ok(flipped) = String::from_utf8(flipped) else { continue };
        std::fs::write(bench.desk.path("flipped"), &flipped).unwrap();
        let ran =
            bench.desk.run("audit blame --check flipped --genesis net/genesis.json --output json");
        assert_eq!(ran.json()["error"]["accusation"], "unproven", "byte {at}: {flipped}");
    }
    bench.desk.good("network init --folder other --institutions a:registry");
    let line = format!("audit blame --check {} --genesis other/genesis.json", file.display());
    assert_eq!(bench.desk.run(&line).code, 1);
    let same = bench.desk.good("audit blame history.cets history.cets --output json");
    assert_eq!(same.json()["proven"], false);
}

#[test]
fn two_bare_certificates_of_one_height_accuse_who_signed_both() {
    let bench = Bench::new();
    let certificate =
        |block: &StoredBlock| -> Certificate { codec::decode(&block.certificate).unwrap() };
    let honest = certificate(&bench.ledger.blocks[2]);
    let mut forked = certificate(&bench.ledger.forked(2, 3));
    let write = |name: &str, json: serde_json::Value| {
        bench.desk.write(name, &serde_json::to_string_pretty(&json).unwrap());
    };
    write("honest.json", serde_json::json!(honest));
    // As `cets block` shows it, among other fields.
    write("forked.json", serde_json::json!({ "block_id": forked.block_id, "certificate": forked }));
    let genesis = "--genesis net/genesis.json --output json";
    let ran = bench.desk.run(&format!("audit blame honest.json forked.json --out found {genesis}"));
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let charges = ran.json()["charges"].as_array().unwrap().clone();
    assert_eq!(charges.len(), 3, "{charges:?}");
    for charge in &charges {
        let file = charge["file"].as_str().unwrap();
        let checked = bench.desk.good(&format!("verify {file} {genesis}"));
        assert_eq!(checked.json()["charge"], charge["charge"]);
        assert_eq!(checked.json()["charge"]["act"]["statements"]["height"], 3);
    }

    // A forged signature accuses nobody, nor do other rounds, other heights, or one block.
    let nobody = |json: serde_json::Value, words: &str| {
        write("other.json", json);
        let line = "audit blame honest.json other.json --genesis net/genesis.json";
        let ran = bench.desk.good(line);
        assert!(ran.out.contains(words) && ran.out.contains("Nobody is proven"), "{}", ran.out);
    };
    let mut round = forked.clone();
    round.round = 1;
    nobody(serde_json::json!(round), "in rounds 0 and 1");
    let height = certificate(&bench.ledger.blocks[1]);
    nobody(serde_json::json!(height), "of heights 3 and 2");
    nobody(serde_json::json!(honest), "the same block 3");
    for one in &mut forked.signatures {
        one.signature = Signature::new([7; 64]);
    }
    nobody(serde_json::json!(forked), "two blocks 3 in round 0");
    let ran = bench.desk.run("audit blame honest.json net/genesis.json --genesis net/genesis.json");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no certificate of a block"), "{}", ran.err);
}
