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
