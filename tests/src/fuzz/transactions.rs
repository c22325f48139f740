//! Transactions, payloads, blocks, receipts and records: the canonical codec.

use cets_contracts::audit::Frame;
use cets_contracts::block::{
    Block, Certificate, EventRecord, Header, LogEntry, Outcome, Receipt, ValidatorSet,
};
use cets_contracts::codec;
use cets_contracts::rules::{Language, Payload, RULES};
use cets_contracts::state::{
    Account, Freeze, FundOrder, HolderEntry, KeyParts, Ledger, Obligation, ParameterVersion,
    Project, Settlement, Supply, Table, Task, UnitRange,
};
use cets_contracts::tx::{SignedTransaction, TRANSACTION_BYTES_MAX, Transaction, TxBody};
use cets_contracts::types::{AccountId, BlockTime, ChainId, PublicKey, Role};

use super::sample::{self, ledger};
use super::target::{KIB, MIB, Target, canonical, survives_json, text};
use crate::sample_ledger::SampleBlock;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("envelope", envelope)
        .reading("signed transactions of every type, as clients and peers send them")
        .holding("one encoding; the identifier is that of the body; JSON and back")
        .up_to(TRANSACTION_BYTES_MAX + 1)
        .weighing(1_000)
        .from_seeds(transaction_seeds),
    Target::of_bytes("payload", payload)
        .reading("payloads of every transaction type")
        .holding("one encoding; JSON and back")
        .weighing(2_400)
        .from_seeds(payload_seeds),
    Target::of_text("payload-json", payload_json)
        .reading("orders as JSON files")
        .holding("canonical bytes and JSON read back")
        .weighing(600)
        .from_seeds(payload_json_seeds),
    Target::of_bytes("block", block)
        .reading("proposed and synced blocks")
        .holding("one encoding; the body is the header's")
        .up_to(128 * KIB)
        .weighing(300)
        .from_seeds(block_seeds),
    Target::of_bytes("log-entry", log_entry)
        .reading("entries of the log: transactions with receipts, headers")
        .holding("one encoding; refusals have words")
        .up_to(64 * KIB)
        .weighing(800)
        .from_seeds(log_entry_seeds),
    Target::of_bytes("events", events)
        .reading("event records and histories: frames with blocks and records")
        .up_to(64 * KIB)
        .weighing(1_200)
        .from_seeds(event_seeds),
    Target::of_bytes("certificate", certificate)
        .reading("commit certificates, headers and validator sets")
        .holding("one encoding; a certificate that verifies is of a block that was decided")
        .weighing(250)
        .from_seeds(certificate_seeds),
    Target::of_bytes("record", record)
        .reading("records of the state with their keys")
        .weighing(1_000)
        .from_seeds(record_seeds),
    Target::of_text("genesis", genesis)
        .reading("genesis documents")
        .holding("JSON and back; the state of an accepted one keeps the invariants")
        .up_to(32 * KIB)
        .within(8 * MIB)
        .weighing(15)
        .from_seeds(genesis_seeds),
];

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// Reads a signed transaction.
pub fn envelope(bytes: &[u8]) -> bool {
    let transaction = match Transaction::decode(bytes.to_vec()) {
        Ok(transaction) => transaction,
        Err(error) => {
            for language in LANGUAGES {
                assert!(!error.explain(language).sentence.contains('\n'));
            }
            return false;
        }
    };
    let body = transaction.body().clone();
    assert_eq!(transaction.id(), body.id());
    let signatures = transaction.signatures().map(|(_, signature)| *signature).collect();
    let signed = SignedTransaction { body, signatures };
    assert!(signed.encode() == bytes, "accepted bytes that are not canonical");
    survives_json(&signed);
    true
}

/// Reads a payload.
pub fn payload(bytes: &[u8]) -> bool {
    let Some(payload) = canonical::<Payload>(bytes) else { return false };
    assert_eq!(Some(payload.rule().tag), bytes.first().copied().map(u32::from));
    survives_json(&payload);
    true
}

/// Reads an order as JSON.
pub fn payload_json(bytes: &[u8]) -> bool {
    let Ok(payload) = serde_json::from_slice::<Payload>(bytes) else { return false };
    survives_json(&payload);
    let again: Payload = codec::decode(&codec::encode(&payload)).expect("what is encoded decodes");
    assert_eq!(again, payload);
    true
}

/// Reads a block.
pub fn block(bytes: &[u8]) -> bool {
    let Ok(block) = Block::decode(bytes) else { return canonical::<Block>(bytes).is_some() };
    assert!(block.encode() == bytes, "accepted bytes that are not canonical");
    assert_eq!(Block::transactions_digest(&block.transactions), block.header.transactions);
    true
}

/// Reads an entry of the log.
pub fn log_entry(bytes: &[u8]) -> bool {
    match canonical::<LogEntry>(bytes) {
        None => canonical::<Receipt>(bytes).is_some_and(|receipt| has_words(&receipt)),
        Some(LogEntry::Header(header)) => header.id() == header.id(),
        Some(LogEntry::Transaction { transaction, receipt }) => {
            envelope(&transaction);
            has_words(&receipt)
        }
    }
}

/// A refusal is explained, whatever its number and facts.
fn has_words(receipt: &Receipt) -> bool {
    if let Outcome::Rejected(reject) = &receipt.outcome {
        for language in LANGUAGES {
            assert!(!reject.explain(language).sentence.is_empty());
        }
    }
    true
}

/// Reads an event record, or a frame of a history.
pub fn events(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    if kind % 2 == 0 {
        return canonical::<EventRecord>(rest).is_some();
    }
    let Some(frame) = canonical::<Frame>(rest) else { return false };
    if let Frame::Block(stored) = &frame {
        block(&stored.block);
        stored.receipts.iter().for_each(|receipt| drop(canonical::<Receipt>(receipt)));
        stored.events.iter().for_each(|events| drop(canonical::<EventRecord>(events)));
    }
    true
}

/// Reads a certificate, a header or a validator set.
pub fn certificate(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    match kind % 3 {
        0 => canonical::<Certificate>(rest).is_some_and(|certificate| {
            is_of_the_sample(&certificate);
            true
        }),
        1 => canonical::<Header>(rest).is_some_and(|header| header.id() == header.id()),
        _ => canonical::<ValidatorSet>(rest).is_some_and(|set| {
            assert!(set.power_quorum() <= set.power_total());
            survives_json(&set);
            true
        }),
    }
}

/// A certificate that the sample's validators verify names the block that they decided.
fn is_of_the_sample(certificate: &Certificate) {
    let of_height = |block: &&SampleBlock| block.anchor.height() == certificate.height;
    for known in ledger().blocks.iter().filter(of_height) {
        let (chain_id, set) = (ledger().genesis.chain_id(), &known.validators);
        if certificate.verify(chain_id, certificate.block_id, set).is_ok() {
            let decided = ledger().blocks.iter().any(|block| {
                let of = &block.anchor.certificate;
                of.height == certificate.height && of.block_id == certificate.block_id
            });
            assert!(decided, "a certificate of nothing that was decided verifies");
        }
    }
}

/// Reads a record: a byte with the length of its key, the key, the value.
pub fn record(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first() else { return false };
    let Some((key, value)) = rest.split_at_checked(usize::from(*length)) else { return false };
    let parts = KeyParts::of(key);
    let Some(table) = Table::of(key) else {
        assert_eq!(parts, None);
        return false;
    };
    let read = match table {
        Table::Ledger => canonical::<Ledger>(value).is_some(),
        Table::Accounts => canonical::<Account>(value).is_some(),
        Table::Units => canonical::<UnitRange>(value).is_some(),
        Table::Supplies => canonical::<Supply>(value).is_some(),
        Table::Projects => canonical::<Project>(value).is_some(),
        Table::Parameters => canonical::<ParameterVersion>(value).is_some(),
        Table::Validators => canonical::<ValidatorSet>(value).is_some(),
        Table::Tasks => canonical::<Task>(value).is_some(),
        Table::Obligations => canonical::<Obligation>(value).is_some_and(|it| {
            // Sums of what is on record may be too large, never a panic.
            it.met().is_ok() || it.outstanding().is_err()
        }),
        Table::Settlements => canonical::<Settlement>(value).is_some(),
        Table::Freezes => canonical::<Freeze>(value).is_some(),
        Table::Holders => canonical::<HolderEntry>(value).is_some(),
        Table::FundOrders => canonical::<FundOrder>(value).is_some(),
        Table::UnitsByHolder | Table::Replays => true,
    };
    read && parts.is_some()
}

/// Reads a genesis document.
pub fn genesis(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(genesis) = serde_json::from_str::<cets_contracts::genesis::Genesis>(text) else {
        return false;
    };
    survives_json(&genesis);
    let Ok(state) = genesis.state() else { return false };
    assert_eq!(cets_contracts::invariants::check(&state), vec![]);
    true
}

/// A body around a payload.
fn body(payload: Payload) -> TxBody {
    TxBody {
        chain_id: ChainId::new([7; 16]),
        account: AccountId::new(Role::Exchange, 1).unwrap(),
        signers: vec![sample::public_key(1)],
        valid_until: BlockTime::from_millis(1_626_393_660_000),
        salt: 1,
        payload,
    }
}

/// The example of every rule, signed.
pub fn transaction_seeds() -> Vec<Vec<u8>> {
    let sign = |payload| {
        let sign = |_: &PublicKey, message: &[u8]| sample::sign(1, message);
        SignedTransaction::new(body(payload), sign).encode()
    };
    let examples = RULES.iter().map(|rule| sign((rule.example)()));
    let story = ledger().blocks.iter().flat_map(|block| block.block.transactions.clone());
    examples.chain(story).collect()
}

/// The example of every rule.
pub fn payload_seeds() -> Vec<Vec<u8>> {
    RULES.iter().map(|rule| codec::encode(&(rule.example)())).collect()
}

fn payload_json_seeds() -> Vec<Vec<u8>> {
    RULES.iter().map(|rule| serde_json::to_vec(&(rule.example)()).unwrap()).collect()
}

fn block_seeds() -> Vec<Vec<u8>> {
    ledger().blocks.iter().map(|block| block.block.encode()).collect()
}

fn log_entry_seeds() -> Vec<Vec<u8>> {
    let reject = ledger().outcome(2, 1);
    let receipt = |entry: &Vec<u8>| match codec::decode(entry).unwrap() {
        LogEntry::Transaction { receipt, .. } => Some(codec::encode(&receipt)),
        LogEntry::Header(_) => None,
    };
    assert!(!reject.is_accepted());
    let entries = ledger().entries.iter();
    entries.clone().cloned().chain(entries.filter_map(receipt)).collect()
}

fn event_seeds() -> Vec<Vec<u8>> {
    let indexes = 0..ledger().entries.len() as u64;
    let records =
        indexes.filter_map(|index| ledger().events(index)).map(|it| [&[0], &*it].concat());
    let frames = ledger().frames();
    records.chain(frames.iter().map(|it| [&[1], &*codec::encode(it)].concat())).collect()
}

fn certificate_seeds() -> Vec<Vec<u8>> {
    let of = |kind: u8, bytes: Vec<u8>| [&[kind], bytes.as_slice()].concat();
    let all = ledger().blocks.iter().flat_map(|block| {
        let anchor = &block.anchor;
        [
            of(0, codec::encode(&anchor.certificate)),
            of(1, codec::encode(&anchor.header)),
            of(2, codec::encode(&block.validators)),
        ]
    });
    all.collect()
}

fn record_seeds() -> Vec<Vec<u8>> {
    let of = |key: &[u8], value: &[u8]| [&[key.len() as u8], key, value].concat();
    let records = ledger().state.records().chain(sample::rich_state().records());
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (key, record) in records {
        // Two of each table are enough to start from.
        let same = seeds.iter().filter(|seed| seed.get(1) == key.first()).count();
        if same < 2 {
            seeds.push(of(&key, &record.value));
        }
    }
    seeds
}

fn genesis_seeds() -> Vec<Vec<u8>> {
    let sample = serde_json::to_vec_pretty(&ledger().genesis).unwrap();
    let mut people = crate::fixture::People::default();
    let parameters = crate::fixture::published_parameters();
    let fixture = crate::fixture::genesis(&mut people, parameters);
    vec![sample, serde_json::to_vec(&fixture).unwrap()]
}
