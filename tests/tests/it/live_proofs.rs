//! What real nodes prove: written by `cets prove` and `cets certificate`, verified without them,
//! and an old proof that is shown as newest.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_cli::clock::now;
use cets_cli::demo::runner::institutions::Desk;
use cets_cli::orders::TransactionDocument;
use cets_contracts::rules::Payload;
use cets_contracts::rules::allowances::cancel::{Cancel, CancelReason};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::{Instrument, Selection, Tonnes, TxId};
use cets_tests::cluster::market::Market;
use cets_tests::cluster::nodes::{Nodes, program};
use serde_json::Value;

/// Longest wait for a checkpoint; far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(180);

struct World {
    market: Arc<Market>,
    nodes: Nodes,
    folder: tempfile::TempDir,
}

impl World {
    /// Four nodes; holder 1 sold ten units to holder 2, then cancelled five.
    fn start() -> (Self, TxId) {
        let folder = tempfile::tempdir().unwrap();
        let market = Arc::new(Market::write(folder.path().join("network"), 4, 11).unwrap());
        for node in &market.network.nodes {
            let mut text = std::fs::read_to_string(&node.config_path).unwrap();
            text.push_str("\n[proofs]\nkeep_every = 3\n");
            std::fs::write(&node.config_path, text).unwrap();
        }
        let mut nodes = Nodes::new(market.network.clone()).unwrap();
        let all = nodes.all();
        let started = nodes.start(&all).unwrap();
        nodes.answer(&all, started).unwrap();
        let world = Self { market, nodes, folder };
        for (number, (_, order)) in world.market.founding().unwrap().into_iter().enumerate() {
            world.submit(&format!("founding{number}"), order);
        }
        world.transfer("first", 10);
        let cancel =
            Cancel { units: quantity(5), reason: CancelReason::PublicWelfare, statement: None };
        let cancel = world.sign(&world.market.holder(1), 2, cancel.into());
        let id = cancel.body.id();
        world.submit("cancel", cancel);
        (world, id)
    }

    fn sign(&self, desk: &Desk, salt: u64, order: Payload) -> SignedTransaction {
        let valid_until = now().unwrap().saturating_add_millis(3_600_000);
        desk.sign(self.market.network.genesis.chain_id(), valid_until, 1_000 + salt, order)
    }

    fn transfer(&self, name: &str, tonnes: u64) {
        let to = self.market.holder(2).account;
        let order = Transfer { to, units: quantity(tonnes) };
        let order = self.sign(&self.market.holder(1), tonnes, order.into());
        self.submit(name, order);
    }

    fn submit(&self, name: &str, order: SignedTransaction) {
        let path = self.folder.path().join(format!("{name}.json"));
        TransactionDocument::from(order).write_new(&path).unwrap();
        self.good(&format!("tx submit {}", path.display()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `cets` as the auditor; `@` before a word is the folder of the test.
    fn run(&self, line: &str) -> (u8, String, String) {
        let home = self.market.network.client_home.to_str().unwrap();
        let words = ["cets", "--home", home, "--context", "auditor", "--lang", "en"];
        let folder = format!("{}/", self.folder.path().display());
        let words = words.into_iter().map(str::to_owned);
        let words = words.chain(line.split_whitespace().map(|word| word.replace('@', &folder)));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = cets_cli::run(words, &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn good(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, 0, "{line}: {out}{err}");
        out
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.good(&format!("{line} --output json"))).unwrap()
    }

    /// Demands a refusal with this exit code and these words.
    fn refused(&self, line: &str, code: u8, words: &str) {
        let (found, out, err) = self.run(line);
        assert_eq!(found, code, "{line}: {out}{err}");
        assert!(err.contains(words), "{line}: {words} is missing in {err}");
    }
}

fn quantity(tonnes: u64) -> Selection {
    let instrument: Instrument = "CEA-2024".parse().unwrap();
    Selection::Quantity { instrument, tonnes: Tonnes::new(tonnes) }
}

#[test]
fn what_a_node_proves_is_verified_without_it_and_an_old_proof_is_not_newest() {
    let (world, cancelled) = World::start();
    let genesis = world.market.network.genesis_path.display().to_string();
    receipts(&world, cancelled);
    traces(&world, &genesis);
    states(&world, &genesis);
    certificates(&world, cancelled, &genesis);
    old_proofs(&world, &genesis);
    kept_states(&world, &genesis);
}

fn receipts(world: &World, id: TxId) {
    world.good(&format!("prove tx {id} -o @tx.tlog-proof --policy @policy"));
    let shown = world.json("verify @tx.tlog-proof --policy @policy");
    assert_eq!(shown["entry"]["tx_id"], id.to_string());
    assert_eq!(shown["witnesses"].as_array().unwrap().len(), 3, "the quorum and nobody else");
    world.good("verify @tx.tlog-proof --policy @policy --newest --max-age 10m");
    world.good(&format!("prove receipt {id} -o @receipt.proof"));
    let text = std::fs::read_to_string(world.path("tx.tlog-proof")).unwrap();
    std::fs::write(world.path("bad.tlog-proof"), text.replace("extra A", "extra B")).unwrap();
    world.refused("verify @bad.tlog-proof --policy @policy", 1, "is not in the log");
}

fn traces(world: &World, genesis: &str) {
    let one = world.json("trace CEA-2024 11");
    assert_eq!(one["hops"].as_array().unwrap().len(), 2, "{one}");
    assert_eq!(one["place"]["status"], "Cancelled");
    let many = world.json("trace CEA-2024 1 20");
    let tonnes = |part: &Value| {
        let range: cets_contracts::types::SerialRange =
            part["range"].as_str().unwrap().parse().unwrap();
        range.tonnes().get()
    };
    let parts: Vec<u64> = many["parts"].as_array().unwrap().iter().map(tonnes).collect();
    assert_eq!(parts, [10, 5, 5], "{many}");
    assert_eq!(many["hops"].as_array().unwrap().len(), 3, "{many}");
    let table = world.good("trace CEA-2024 1 20");
    for word in ["issued", "transferred", "ended", "cancelled"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    world.good("prove serial CEA-2024 11 -o @life.proof");
    let life = world.json(&format!("verify @life.proof --genesis {genesis}"));
    assert_eq!(life["claim"]["place"]["status"], "Cancelled");
}

fn states(world: &World, genesis: &str) {
    let account = world.market.holder(1).account;
    world.good(&format!("prove account {account} --units -o @statement.proof"));
    world.good("prove units CEA-2024 1 10 -o @units.proof");
    world.refused("prove units CEA-2024 1 20 -o @no.proof", 1, "has several holders");
    world.good("prove parameter issue_cap -o @cap.proof");
    for (file, kind) in [("statement", "statement"), ("units", "units"), ("cap", "records")] {
        let shown = world.json(&format!("verify @{file}.proof --genesis {genesis}"));
        assert_eq!(shown["kind"], kind);
    }
    let old = format!("prove account {account} --height 1 -o @no.proof");
    world.refused(&old, 3, "keeps no state of height 1, only those of");
    assert!(!world.path("no.proof").exists(), "nothing is written that proves nothing");
}

fn certificates(world: &World, id: TxId, genesis: &str) {
    for name in ["cancelled.json", "cancelled.pdf"] {
        world.good(&format!("certificate cancellation --tx {id} -o @{name}"));
        let shown = world.json(&format!("verify @{name} --genesis {genesis}"));
        assert_eq!(shown["certifies"]["cancellation"]["tonnes"], 5);
    }
    let entity = world.market.holder(1).account;
    let line = format!("certificate compliance --entity {entity} --year 2024 -o @no.json");
    world.refused(&line, 3, "record");
    world.refused(&format!("certificate cancellation --tx {id} -o @no.txt"), 2, ".pdf");
}

fn old_proofs(world: &World, genesis: &str) {
    let account = world.market.holder(1).account;
    world.good(&format!("prove account {account} -o @old.proof"));
    let newest = format!("verify @old.proof --genesis {genesis} --newest");
    world.good(&format!("{newest} --max-age 10m"));
    world.transfer("second", 7);
    world.refused(&newest, 1, "an old proof: the proof speaks of height");
    let started = Instant::now();
    let tlog = "verify @tx.tlog-proof --policy @policy --newest";
    while world.run(tlog).0 == 0 {
        assert!(started.elapsed() < PATIENCE, "no checkpoint of what was ordered since");
        std::thread::sleep(Duration::from_millis(200));
    }
    world.refused(tlog, 1, "an old proof: it knows");
}

/// States that the nodes keep by their configuration, and one that an operator keeps afterwards.
fn kept_states(world: &World, genesis: &str) {
    let (seller, buyer) = (world.market.holder(1).account, world.market.holder(2).account);
    let newest = world.nodes.height(&[0]);
    let (every, other) =
        (newest - newest % 3, newest - 1 - u64::from((newest - 1).is_multiple_of(3)));
    world.transfer("third", 3);
    let prove = |height: u64, file: &str| {
        let line = format!("prove account {seller} --height {height} -o @{file}.proof");
        world.good(&line);
        let line = format!("verify @{file}.proof --genesis {genesis}");
        let shown = world.json(&line);
        assert_eq!(shown["height"], height, "{shown}");
    };
    prove(every, "every");
    let line = format!("prove units CEA-2024 23 25 --height {other} -o @kept.proof");
    world.refused(&line, 3, &format!("keeps no state of height {other}, only those of"));
    for node in world.nodes.all() {
        let done = std::process::Command::new(program("cetsd").unwrap())
            .args(["keep", "--height", &other.to_string(), "--data"])
            .arg(world.nodes.data_folder(node))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    world.good(&line);
    prove(other, "other");
    world.good("prove units CEA-2024 23 25 -o @now.proof");
    for (file, holder) in [("kept", seller), ("now", buyer)] {
        let shown = world.json(&format!("verify @{file}.proof --genesis {genesis}"));
        assert_eq!(shown["claim"][0]["place"]["holder"], holder.to_string(), "{file}: {shown}");
    }
}
