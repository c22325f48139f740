//! Frozen vectors: the bytes, identifiers, receipts and roots that must never change by accident.
//!
//! Each rule has one file, made from its example and from its scenario; nothing in it is written
//! by hand. `cargo bless` writes the files, a test demands that nothing differs.

use std::path::PathBuf;

use cets_contracts::codec;
use cets_contracts::rules::{RULES, RuleEntry};
use cets_contracts::tx::{SignedTransaction, TxBody, signer_list};
use cets_contracts::types::{BlockTime, ChainId, Role};
use serde::Serialize;
use serde_json::Value;

use crate::fixture::{self, People};
use crate::scenario::{self, Step};
use crate::workspace;

/// The file of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct VectorFile {
    rule: &'static str,
    tag: u32,
    example: ExampleVector,
    scenario: Vec<StepVector>,
}

/// The rule's example in every form, signed by the desk of the exchange.
#[derive(Clone, Debug, Serialize)]
struct ExampleVector {
    payload: Value,
    payload_bytes: String,
    body_bytes: String,
    transaction_bytes: String,
    tx_id: String,
}

/// A transaction of the rule's scenario and what it left behind.
#[derive(Clone, Debug, Serialize)]
struct StepVector {
    line: usize,
    verb: String,
    transaction_bytes: String,
    receipt: Option<Value>,
    receipt_bytes: Option<String>,
    events_bytes: Option<String>,
    header_bytes: String,
    block_id: String,
    log_root: String,
    state_root: String,
}

/// Path of a rule's file.
pub fn path(rule: &RuleEntry) -> PathBuf {
    workspace::root().join(format!("tests/vectors/{}.json", rule.name))
}

/// Texts of all files, in the order of the rules.
pub fn all() -> Vec<(PathBuf, String)> {
    RULES.iter().map(|rule| (path(rule), text(rule))).collect()
}

/// The text of a rule's file.
pub fn text(rule: &RuleEntry) -> String {
    let path = format!("tests/scenarios/{}/{}.scn", rule.module, rule.name);
    let scenario = std::fs::read_to_string(workspace::root().join(&path)).unwrap();
    let run = scenario::run(&scenario).unwrap_or_else(|error| panic!("{path}, {error}"));
    let file = VectorFile {
        rule: rule.name,
        tag: rule.tag,
        example: example(rule),
        scenario: run.steps.iter().map(step).collect(),
    };
    let mut text = serde_json::to_string_pretty(&file).unwrap();
    text.push('\n');
    text
}

fn example(rule: &RuleEntry) -> ExampleVector {
    let mut people = People::default();
    let payload = (rule.example)();
    let body = TxBody {
        chain_id: ChainId::new([7; 16]),
        account: fixture::account(Role::Exchange, 1),
        signers: signer_list(people.desk("exchange").iter().map(|person| person.key)),
        valid_until: BlockTime::from_millis(fixture::GENESIS_MILLIS + 60_000),
        salt: 1,
        payload: payload.clone(),
    };
    let tx_id = body.id().to_string();
    let body_bytes = hex::encode(codec::encode(&body));
    let signed: SignedTransaction = people.sign(body);
    ExampleVector {
        payload_bytes: hex::encode(codec::encode(&payload)),
        payload: serde_json::to_value(payload).unwrap(),
        body_bytes,
        transaction_bytes: hex::encode(signed.encode()),
        tx_id,
    }
}

fn step(step: &Step) -> StepVector {
    let receipt = step.receipt.as_ref();
    StepVector {
        line: step.line,
        verb: step.verb.clone(),
        transaction_bytes: hex::encode(&step.transaction),
        receipt: receipt.map(|receipt| serde_json::to_value(receipt).unwrap()),
        receipt_bytes: receipt.map(|receipt| hex::encode(codec::encode(receipt))),
        events_bytes: step.events.as_ref().map(|events| hex::encode(codec::encode(events))),
        header_bytes: hex::encode(codec::encode(&step.header)),
        block_id: step.header.id().to_string(),
        log_root: step.header.log_root.to_string(),
        state_root: step.header.state_root.to_string(),
    }
}
