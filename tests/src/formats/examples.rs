//! Examples of transactions, blocks, the log and the state.

use std::collections::BTreeMap;

use cets_contracts::audit::{Frame, HISTORY_MAGIC};
use cets_contracts::block::{Block, EventRecord, Header, LogEntry, VoteStep, vote_sign_bytes};
use cets_contracts::codec;
use cets_contracts::domains;
use cets_contracts::log::{leaf_hash, node_hash};
use cets_contracts::state::{UnitRange, keys};
use cets_contracts::tree::{LeafHash, Slot, StateTree};
use cets_contracts::tx::{Transaction, signature_message};
use cets_contracts::types::{Serial, domain_hash};

use super::layout::{Layout, line};
use super::proof_examples;
use crate::sample_ledger::{SampleLedger, entity, instrument, public_key, range, signing_key};

const SIGNATURE_BYTES: usize = 64;

/// Every example by its name.
pub fn all() -> BTreeMap<&'static str, String> {
    let ledger = SampleLedger::story();
    let mut examples = BTreeMap::from([
        ("domains", domain_strings()),
        ("values", values()),
        ("body", body(&ledger)),
        ("signature", signature(&ledger)),
        ("receipt", receipt(&ledger)),
        ("refused", refused(&ledger)),
        ("events", events(&ledger)),
        ("entry", entry(&ledger)),
        ("header", header(&ledger)),
        ("block-body", block_body(&ledger)),
        ("vote", vote(&ledger)),
        ("certificate", certificate(&ledger)),
        ("validators", validators(&ledger)),
        ("genesis", genesis(&ledger)),
        ("log", log(&ledger)),
        ("leaf", leaf(&ledger)),
        ("tree", tree()),
        ("history", history(&ledger)),
    ]);
    examples.extend(proof_examples::all(&ledger));
    examples
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn domain_strings() -> String {
    domains::ALL.iter().map(|domain| format!("{}\n", text(domain))).collect()
}

fn values() -> String {
    let encoded = |name: &str, bytes: Vec<u8>| line(name, hex::encode(bytes));
    [
        encoded("account CN-KEE-1", codec::encode(&entity(1))),
        encoded("instrument CEA-2021", codec::encode(&instrument())),
        encoded("CCER-A210008-2021", {
            let ccer: cets_contracts::types::Instrument = "CCER-A210008-2021".parse().unwrap();
            codec::encode(&ccer)
        }),
        encoded("serials 101 to 200", codec::encode(&range(101, 200))),
        encoded("unit 150", codec::encode(&Serial { instrument: instrument(), number: 150 })),
    ]
    .concat()
}

fn first_transfer(ledger: &SampleLedger) -> Transaction {
    Transaction::decode(ledger.at(2).block.transactions[0].clone()).unwrap()
}

fn body(ledger: &SampleLedger) -> String {
    let transaction = first_transfer(ledger);
    let bytes = transaction.bytes();
    let body = &bytes[..bytes.len() - 1 - SIGNATURE_BYTES];
    let layout = Layout::of(body)
        .take(16, "chain_id")
        .take(8, "account")
        .take(1, "number of signers")
        .take(32, "signer")
        .take(8, "valid_until")
        .take(8, "salt")
        .note("payload: rule 3, transfer")
        .take(1, "rule")
        .take(8, "to")
        .take(1, "units: ranges")
        .take(1, "number of ranges")
        .take(1, "CEA")
        .take(2, "vintage")
        .take(8, "start")
        .take(8, "end")
        .done();
    let id = domain_hash(domains::TX_ID, &[body]);
    assert_eq!(&id, transaction.id().as_bytes());
    format!("{layout}{}", line("TxId", hex::encode(id)))
}

fn signature(ledger: &SampleLedger) -> String {
    let transaction = first_transfer(ledger);
    let bytes = transaction.bytes();
    let list = &bytes[bytes.len() - 1 - SIGNATURE_BYTES..];
    let message = signature_message(&transaction.id());
    let layout = Layout::of(list).take(1, "number of signatures").take(64, "signature").done();
    [
        line("secret key (RFC 8032)", hex::encode(signing_key(31).to_bytes())),
        line("public key", public_key(31)),
        line("message", hex::encode(message)),
        layout,
    ]
    .concat()
}

fn receipt_layout(entry: &[u8]) -> (Layout<'_>, usize) {
    let LogEntry::Transaction { transaction, .. } = codec::decode(entry).unwrap() else {
        panic!("a transaction entry")
    };
    // A tag, the length in two bytes (128 to 16,383), then the transaction.
    let before = 1 + 2 + transaction.len();
    (Layout::of(&entry[before..]), before)
}

fn receipt(ledger: &SampleLedger) -> String {
    let (layout, _) = receipt_layout(&ledger.entries[2]);
    let layout = layout.take(32, "tx_id").take(8, "height").take(4, "position");
    layout.take(1, "accepted").take(32, "events").done()
}

fn refused(ledger: &SampleLedger) -> String {
    let (layout, _) = receipt_layout(&ledger.entries[3]);
    let layout = layout.take(32, "tx_id").take(8, "height").take(4, "position");
    let layout = layout.take(1, "refused").take(2, "number 1009").take_all_but(32, "facts");
    layout.take(32, "events: digest of nothing").done()
}

fn place<'a>(layout: Layout<'a>, who: &str) -> Layout<'a> {
    layout.take(8, &format!("{who}: holder")).take(1, &format!("{who}: free"))
}

fn events(ledger: &SampleLedger) -> String {
    let bytes = ledger.events(2).unwrap();
    let layout = Layout::of(&bytes)
        .take(1, "movements of units")
        .take(1, "CEA")
        .take(2, "vintage")
        .take(8, "start")
        .take(8, "end")
        .take(1, "from somewhere");
    let layout = place(place(layout, "from"), "to").take(1, "movements of money");
    let layout = layout.take(1, "event of rule").take_all_but(0, "event").done();
    let digest = EventRecord::digest_of_bytes(&bytes);
    format!("{layout}{}", line("digest", digest))
}

fn entry(ledger: &SampleLedger) -> String {
    let entry = &ledger.entries[2];
    let (_, before) = receipt_layout(entry);
    let layout = Layout::of(entry)
        .take(1, "kind: transaction")
        .take(2, "length (ULEB128)")
        .take(before - 3, "signed transaction")
        .take_all_but(0, "receipt")
        .done();
    format!("{layout}{}", line("leaf hash", hex::encode(leaf_hash(entry))))
}

fn header_layout(header: &Header) -> String {
    Layout::of(&codec::encode(header))
        .take(16, "chain_id")
        .take(8, "height")
        .take(8, "time")
        .take(20, "proposer")
        .take(32, "parent")
        .take(32, "transactions")
        .take(8, "log_size")
        .take(32, "log_root")
        .take(32, "state_root")
        .take(32, "next_validators")
        .take(32, "parameters")
        .done()
}

fn header(ledger: &SampleLedger) -> String {
    let header = &ledger.at(2).anchor.header;
    let entry = &ledger.entries[usize::try_from(ledger.at(2).header_index).unwrap()];
    assert_eq!(entry[0], 1);
    let hash = line("leaf hash of its entry", hex::encode(leaf_hash(entry)));
    format!("{}{}{hash}", header_layout(header), line("BlockId", header.id()))
}

fn block_body(ledger: &SampleLedger) -> String {
    let block = &ledger.at(2).block;
    let lengths = block.transactions.iter().map(|transaction| {
        let length = u32::try_from(transaction.len()).unwrap().to_be_bytes();
        line("length (big-endian)", hex::encode(length))
    });
    let digest = Block::transactions_digest(&block.transactions);
    assert_eq!(digest, block.header.transactions);
    lengths.chain([line("transactions", digest)]).collect()
}

fn vote(ledger: &SampleLedger) -> String {
    let header = &ledger.at(2).anchor.header;
    let (chain_id, step) = (header.chain_id, VoteStep::Precommit);
    let bytes = vote_sign_bytes(chain_id, step, header.height, 0, Some(header.id()));
    Layout::of(&bytes)
        .take(domains::PRECOMMIT.len(), text(domains::PRECOMMIT))
        .take(16, "chain id")
        .take(8, "height (big-endian)")
        .take(4, "round (big-endian)")
        .take(1, "a block, not nil")
        .take(32, "BlockId")
        .done()
}

fn certificate(ledger: &SampleLedger) -> String {
    let bytes = codec::encode(&ledger.at(2).anchor.certificate);
    let mut layout = Layout::of(&bytes)
        .take(8, "height")
        .take(4, "round")
        .take(32, "block_id")
        .take(1, "number of signatures");
    for _ in &ledger.at(2).anchor.certificate.signatures {
        layout = layout.take(20, "validator").take(64, "signature");
    }
    layout.done()
}

fn validators(ledger: &SampleLedger) -> String {
    let set = &ledger.at(2).validators;
    let bytes = codec::encode(set);
    let mut layout = Layout::of(&bytes).take(1, "number of validators");
    for member in set.members() {
        layout = layout
            .take(1, "length of name")
            .take(member.name.len(), &member.name)
            .take(32, "consensus_key")
            .take(32, "cosigner_key")
            .take(8, "power");
    }
    let first = &set.members()[0];
    let address = line("address of the first", first.address());
    format!("{}{}{address}", layout.done(), line("digest", set.digest()))
}

fn genesis(ledger: &SampleLedger) -> String {
    let bytes = codec::encode(&ledger.genesis);
    let mut layout = Layout::of(&bytes)
        .take(1, "length of network")
        .take(6, "network: sample")
        .take(8, "time")
        .take(4, "business_date")
        .take(1, "clock: by order")
        .take(4, "block_interval_millis")
        .take(1, "number of validators");
    for member in &ledger.genesis.validators {
        layout = layout.take(1 + member.name.len(), &member.name).take(32 + 32 + 8, "keys, power");
    }
    layout = layout.take(1, "number of accounts");
    for account in &ledger.genesis.accounts {
        layout = layout
            .take(1, account.role.letters())
            .take(1 + account.name.len(), "name")
            .take(1, "no credit code")
            .take(1, "no province")
            .take(1 + 33 * account.representatives.len(), "representatives")
            .take(4, "thresholds");
    }
    layout = layout
        .take(1, "number of parameters")
        .take(1, "issue_cap")
        .take(1, "for one year")
        .take(2, "year")
        .take(4, "valid_from")
        .take(8, "value")
        .take_all_but(0, "article");
    let digest = domain_hash(domains::GENESIS, &[&bytes]);
    let id = line("chain id", ledger.genesis.chain_id());
    format!("{}{}{id}", layout.done(), line("digest", hex::encode(digest)))
}

fn log(ledger: &SampleLedger) -> String {
    let hash = |index: usize| leaf_hash(&ledger.entries[index]);
    let left = node_hash(&hash(0), &hash(1));
    let right = node_hash(&hash(2), &hash(3));
    let four = node_hash(&left, &right);
    assert_eq!(&four, ledger.at(2).anchor.header.log_root.as_bytes());
    let five = node_hash(&four, &hash(4));
    assert_eq!(&five, ledger.checkpoint(2).root.as_bytes());
    let leaves = (0..5).map(|index| line(&format!("leaf {index}"), hex::encode(hash(index))));
    let nodes = [
        line("node 0-1", hex::encode(left)),
        line("node 2-3", hex::encode(right)),
        line("root of 4 (header)", hex::encode(four)),
        line("root of 5 (checkpoint)", hex::encode(five)),
    ];
    leaves.chain(nodes).collect()
}

fn leaf(ledger: &SampleLedger) -> String {
    let record = ledger.record(&keys::unit_range(&instrument(), 150));
    let key = Layout::of(&record.key).take(1, "table: units").take(1, "CEA");
    let key = key.take(2, "vintage (big-endian)").take(8, "first serial").done();
    let value = Layout::of(&record.value).take(8, "end").take(8, "holder").take(1, "free").done();
    let range: UnitRange = codec::decode(&record.value).unwrap();
    assert_eq!((range.end, range.place.holder), (156, entity(2)));
    let domain = text(domains::STATE_LEAF);
    let hash_key = blake3::derive_key(domain, &[]);
    let length = u32::try_from(record.key.len()).unwrap().to_be_bytes();
    let input = [&length, record.key.as_slice(), &record.value].concat();
    let hash = blake3::keyed_hash(&hash_key, &input);
    assert_eq!(hash.as_bytes(), LeafHash::of(&record.key, &record.value).as_bytes());
    format!(
        "-- key\n{key}-- value\n{value}-- leaf\n{}{}{}",
        line("hash key", hex::encode(hash_key)),
        line("input", hex::encode(input)),
        line("leaf", hash.to_hex()),
    )
}

fn tree() -> String {
    let leaf = |slot: u8| LeafHash::of(&[slot], b"value");
    let slots = [0u8, 1, 2];
    let records = slots.map(|slot| (Slot::new(slot.into()).unwrap(), leaf(slot)));
    let tree = StateTree::rebuild(records).unwrap();
    let node_key = blake3::derive_key(text(domains::STATE_NODE), &[]);
    let node = |left: &[u8; 32], right: &[u8; 32]| {
        *blake3::keyed_hash(&node_key, &[*left, *right].concat()).as_bytes()
    };
    let left = node(leaf(0).as_bytes(), leaf(1).as_bytes());
    let right = node(leaf(2).as_bytes(), &[0; 32]);
    let top = node(&left, &right);
    let root = domain_hash(domains::STATE_ROOT, &[&[2], &top]);
    assert_eq!(&root, tree.root().as_bytes());
    let leaves =
        slots.map(|slot| line(&format!("slot {slot}"), hex::encode(leaf(slot).as_bytes())));
    [
        leaves.concat(),
        line("slot 3, unused", hex::encode([0; 32])),
        line("hash key of nodes", hex::encode(node_key)),
        line("node 0-1", hex::encode(left)),
        line("node 2-3", hex::encode(right)),
        line("top", hex::encode(top)),
        line("root, depth 2", hex::encode(root)),
    ]
    .concat()
}

fn history(ledger: &SampleLedger) -> String {
    let mut lines = vec![line("magic", hex::encode(HISTORY_MAGIC))];
    for frame in ledger.frames() {
        let bytes = frame.encode();
        let name = match &frame {
            Frame::Genesis(_) => "genesis",
            Frame::Block(_) => "block",
            Frame::Records(_) => "records",
            Frame::End(_) => "end",
        };
        let (length, body) = bytes.split_at(4);
        let start = hex::encode(&body[..body.len().min(9)]);
        let dots = if body.len() > 9 { " ..." } else { "" };
        lines.push(line(name, format!("{} {start}{dots}", hex::encode(length))));
    }
    lines.concat()
}
