//! What must hold in the end: nothing acknowledged is lost, nothing forks, every folder is sound.

use std::collections::BTreeMap;
use std::process::Command;

use cets_cli::client::Node;
use cets_cli::text::Lang;
use cets_contracts::block::{Header, Receipt};
use cets_contracts::types::{BlockId, Height, Role, TxId};
use eyre::{OptionExt as _, WrapErr as _, ensure};

use super::market::Market;
use super::nodes::{Nodes, program};
use super::record::{Acknowledged, Record};

/// Acknowledged transactions that each node is asked for by identifier, spread over all.
const LOOK_UPS: usize = 200;

/// Words that no log of a node may hold, whatever happened to it.
const FORBIDDEN_IN_LOGS: &[&str] =
    &["panicked", ACCUSED, "the double-sign guard stopped the engine", "a request failed"];

/// What a node writes when it keeps evidence against a validator.
const ACCUSED: &str = "signed two conflicting statements";

/// The history of a node as clients read it.
struct History {
    blocks: Vec<BlockId>,
    receipts: BTreeMap<TxId, Receipt>,
}

/// How much was compared.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// Heights of which every node holds the same header.
    pub heights: u64,
    /// Transactions of which every node holds the same receipt.
    pub transactions: usize,
    /// Data folders that pass the audit.
    pub audited: usize,
}

/// Compares all nodes with each other and with the record, stops them and audits their folders.
/// What does not hold is added to `violations`. Evidence may only be kept where one lied.
pub fn check(
    nodes: &mut Nodes,
    market: &Market,
    record: &Record,
    one_lied: bool,
    violations: &mut Vec<String>,
) -> eyre::Result<Checked> {
    let all = nodes.all();
    let height = nodes.height(&all);
    for node in &all {
        nodes.reach(*node, height)?;
    }
    let acknowledged = record.acknowledged();
    let mut first: Option<History> = None;
    for node in &all {
        let name = nodes.files(*node).name.clone();
        let reader = reader(nodes, *node, market)?;
        let history = read(&reader, height).wrap_err_with(|| format!("reading {name}"))?;
        look_up(&reader, &acknowledged, violations);
        match &first {
            None => {
                compare_with_record(&history, &acknowledged, violations);
                first = Some(history);
            }
            Some(first) => compare(first, &history, &name, violations),
        }
    }
    let transactions = first.map_or(0, |history| history.receipts.len());
    let audited = stop_and_audit(nodes, market, violations)?;
    read_logs(nodes, one_lied, violations);
    Ok(Checked { heights: height, transactions, audited })
}

fn reader(nodes: &Nodes, node: usize, market: &Market) -> eyre::Result<Node> {
    let auditor = market.institution(Role::Auditor)?;
    let key = auditor.keys.first().ok_or_eyre("the auditor has no key")?;
    let node = Node::connect_to(&nodes.files(node).address(), None, Lang::En)?;
    Ok(node.read_for(auditor.account, key)?)
}

fn read(node: &Node, height: u64) -> eyre::Result<History> {
    let mut history = History { blocks: Vec::new(), receipts: BTreeMap::new() };
    let mut stream = node.stream_blocks(Height::new(1), Height::new(height))?;
    while let Some(answer) = node.next_block(&mut stream)? {
        let header: Header = node.decode("header", &answer.header)?;
        history.blocks.push(header.id());
        for bytes in &answer.receipts {
            let receipt: Receipt = node.decode("receipt", bytes)?;
            let again = history.receipts.insert(receipt.tx_id, receipt);
            ensure!(again.is_none(), "{again:?} was ordered twice");
        }
    }
    ensure!(history.blocks.len() as u64 == height, "{} blocks", history.blocks.len());
    Ok(history)
}

/// A block's identifier covers state root, log root and transactions.
fn compare(first: &History, other: &History, name: &str, violations: &mut Vec<String>) {
    let pairs = first.blocks.iter().zip(&other.blocks);
    for (height, (one, two)) in (1u64..).zip(pairs).filter(|(_, (one, two))| one != two) {
        violations.push(format!("fork at height {height}: {one}, but {two} at {name}"));
    }
    if first.receipts != other.receipts {
        violations.push(format!("{name} holds other receipts than the first node"));
    }
}

fn compare_with_record(
    history: &History,
    acknowledged: &[Acknowledged],
    violations: &mut Vec<String>,
) {
    for told in acknowledged.iter().map(|one| &one.receipt) {
        match history.receipts.get(&told.tx_id) {
            Some(held) if held == told => {}
            Some(held) => violations.push(format!("told {told:?}, but the ledger says {held:?}")),
            None => violations.push(format!("acknowledged and lost: {told:?}")),
        }
    }
}

/// Asks by identifier, which goes through other indexes than reading blocks.
fn look_up(node: &Node, acknowledged: &[Acknowledged], violations: &mut Vec<String>) {
    let step = (acknowledged.len() / LOOK_UPS).max(1);
    for told in acknowledged.iter().step_by(step).map(|one| &one.receipt) {
        match node.transaction(told.tx_id) {
            Ok(found) if found.receipt == *told => {}
            Ok(found) => {
                let (address, held) = (node.address(), found.receipt);
                violations.push(format!("told {told:?}, but {address} says {held:?}"));
            }
            Err(error) => {
                violations.push(format!("acknowledged {}, but: {error}", told.tx_id));
            }
        }
    }
}

fn stop_and_audit(
    nodes: &mut Nodes,
    market: &Market,
    violations: &mut Vec<String>,
) -> eyre::Result<usize> {
    let mut audited = 0;
    for node in nodes.all() {
        if let Err(error) = nodes.stop(node) {
            violations.push(error.to_string());
        }
    }
    for node in nodes.all() {
        let answer = Command::new(program("cetsd")?)
            .args(["audit", "--invariants-every", "0", "--data"])
            .arg(nodes.data_folder(node))
            .arg("--genesis")
            .arg(&market.network.genesis_path)
            .output()?;
        if answer.status.success() {
            audited += 1;
        } else {
            let (name, said) = (&nodes.files(node).name, String::from_utf8_lossy(&answer.stderr));
            violations.push(format!("the audit of {name} fails: {said}"));
        }
    }
    Ok(audited)
}

fn read_logs(nodes: &Nodes, one_lied: bool, violations: &mut Vec<String>) {
    for node in nodes.all() {
        let (name, log) = (&nodes.files(node).name, nodes.log(node));
        for line in log.lines() {
            let accuses = line.contains(ACCUSED) && one_lied;
            if !accuses && FORBIDDEN_IN_LOGS.iter().any(|words| line.contains(words)) {
                violations.push(format!("{name} wrote: {line}"));
            }
        }
    }
}
