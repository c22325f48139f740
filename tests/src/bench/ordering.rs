//! G4: what ordering alone reaches, with the engine and the disk of the nodes.
//!
//! Each of four processes makes blocks of bytes drawn by itself. Nobody signs them, nobody sends
//! them from outside, and they mean nothing: what is left is consensus, network and disk.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cets_consensus::{EngineConfig, EngineKeys, Ledger, LocalSigner, peer_id};
use cets_contracts::block::{Validator, ValidatorSet};
use cets_contracts::types::PublicKey;
use ed25519_dalek::SigningKey;
use eyre::{OptionExt as _, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::goal::{Goal, ORDERING};
use super::opaque::{OpaqueLedger, TRANSACTION_BYTES};
use super::postgres::free_port;
use super::results::{self, Measured, median};
use super::{machine, results::Results};

/// Processes.
const NODES: u8 = 4;
/// Transactions of a block that are tried; the best counts.
const PER_BLOCK: [usize; 3] = [2_000, 8_000, 30_000];
/// Time that does not count at the start, in milliseconds.
const WARM_UP_MILLIS: u64 = 1_500;
/// What a process says when it has connections.
const READY: &str = "ready";

/// What a process is told, as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrdererTask {
    number: u8,
    ports: Vec<u16>,
    folder: PathBuf,
    per_block: usize,
    millis: u64,
}

/// What a process saw.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Saw {
    /// Transactions ordered a second.
    rate: f64,
    /// Blocks decided a second.
    blocks: f64,
    /// Processor seconds, and of what time.
    cpu_seconds: f64,
    seconds: f64,
}

fn key(what: &str, number: u8) -> SigningKey {
    SigningKey::from_bytes(&blake3::derive_key(what, &[number]))
}

fn consensus_key(number: u8) -> SigningKey {
    key("cets bench ordering consensus", number)
}

fn network_key(number: u8) -> SigningKey {
    key("cets bench ordering network", number)
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

fn validators() -> eyre::Result<ValidatorSet> {
    let member = |number| Validator {
        name: format!("node{number}"),
        consensus_key: public(&consensus_key(number)),
        cosigner_key: public(&key("cets bench ordering cosigner", number)),
        power: 1,
    };
    Ok(ValidatorSet::new((0..NODES).map(member).collect())?)
}

fn config(task: &OrdererTask) -> eyre::Result<EngineConfig> {
    let at = |number: u8| format!("/ip4/127.0.0.1/tcp/{}", task.ports[usize::from(number)]);
    let own = task.number;
    let wal = task.folder.join("wal");
    let mut config = EngineConfig::new(format!("node{own}"), at(own), wal);
    for other in (0..NODES).filter(|other| *other != own) {
        let peer = peer_id(&public(&network_key(other)))?;
        config.persistent_peers.push(format!("{}/p2p/{peer}", at(other)));
    }
    config.persistent_peers_only = true;
    Ok(config)
}

/// What the process does: orders until its time is over, then says what it saw.
pub fn run_as_process(task: &Path) -> eyre::Result<()> {
    let task: OrdererTask = serde_json::from_str(&std::fs::read_to_string(task)?)?;
    let seed = task.number.into();
    let ledger = OpaqueLedger::new(&task.folder, validators()?, task.per_block, seed)?;
    let ledger = Arc::new(ledger);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let saw = runtime.block_on(async {
        let keys = EngineKeys {
            consensus: Some(Arc::new(LocalSigner::new(consensus_key(task.number)))),
            network: network_key(task.number),
        };
        let dyn_ledger: Arc<dyn Ledger> = Arc::<OpaqueLedger>::clone(&ledger);
        let engine = cets_consensus::start(config(&task)?, keys, dyn_ledger).await?;
        println!("{READY}");
        let seen = Arc::clone(&ledger);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let over = async move {
            let saw = watch(&seen, task.millis).await;
            // The engine ends after it; nobody waits when it failed before.
            sender.send(saw).ok();
        };
        engine.run_until(over).await?;
        eyre::Ok(receiver.await?)
    })?;
    println!("{}", serde_json::to_string(&saw)?);
    Ok(())
}

/// Waits for the first block and counts what follows it.
async fn watch(ledger: &OpaqueLedger, millis: u64) -> Saw {
    while ledger.ordered().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(WARM_UP_MILLIS)).await;
    let (before, cpu) = (ledger.ordered().len(), machine::cpu_seconds(std::process::id()));
    tokio::time::sleep(Duration::from_millis(millis)).await;
    let cpu_seconds = machine::cpu_seconds(std::process::id()) - cpu;
    let ordered = ledger.ordered();
    let window = ordered.get(before.saturating_sub(1)..).unwrap_or_default();
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return Saw::default() };
    let seconds = (last.at - first.at).as_secs_f64().max(1e-3);
    let transactions: u64 = window.iter().skip(1).map(|block| block.transactions).sum();
    let blocks = window.len() as f64 - 1.0;
    Saw { rate: transactions as f64 / seconds, blocks: blocks / seconds, cpu_seconds, seconds }
}

struct Orderer {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Orderer {
    fn start(task: &OrdererTask) -> eyre::Result<Self> {
        std::fs::create_dir_all(&task.folder)?;
        let file = task.folder.join("task.json");
        let mut written = std::fs::File::create(&file)?;
        written.write_all(serde_json::to_string(task)?.as_bytes())?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("orderer").arg(&file).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or_eyre("it has no output")?);
        Ok(Self { child, output })
    }

    fn line(&mut self) -> eyre::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "a process that orders ended: {}", self.child.wait()?);
        Ok(line)
    }
}

impl Drop for Orderer {
    fn drop(&mut self) {
        // One that ended already needs no killing.
        self.child.kill().and_then(|()| self.child.wait().map(drop)).ok();
    }
}

/// One run: ordered a second by the median of the nodes, and processor seconds of all a second.
fn run(per_block: usize, seconds: u64) -> eyre::Result<(Saw, f64)> {
    let folder = TempDir::with_prefix_in("ordering-", results::folder())?;
    let ports = (0..NODES).map(|_| free_port()).collect::<eyre::Result<Vec<u16>>>()?;
    let mut orderers = Vec::new();
    for number in 0..NODES {
        let folder = folder.path().join(number.to_string());
        let (ports, millis) = (ports.clone(), seconds * 1_000);
        orderers.push(Orderer::start(&OrdererTask { number, ports, folder, per_block, millis })?);
    }
    let mut saw = Vec::new();
    for orderer in &mut orderers {
        ensure!(orderer.line()?.trim() == READY, "a process that orders does not connect");
    }
    for orderer in &mut orderers {
        let line = orderer.line()?;
        let seen: Saw = serde_json::from_str(&line).wrap_err("it said nothing of its blocks")?;
        saw.push(seen);
    }
    let of = |figure: fn(&Saw) -> f64| median(&saw.iter().map(figure).collect::<Vec<_>>());
    let busy: f64 = saw.iter().map(|one| one.cpu_seconds).sum::<f64>() / seconds as f64;
    let middle = Saw {
        rate: of(|one| one.rate),
        blocks: of(|one| one.blocks),
        cpu_seconds: of(|one| one.cpu_seconds),
        seconds: of(|one| one.seconds),
    };
    Ok((middle, busy))
}

/// Measures G4 beside the throughput of the network.
pub fn measure(results: &Results, seconds: u64, runs: usize) -> eyre::Result<Measured> {
    let ours = results.get(Goal::G1).map(|g1| g1.runs.clone()).unwrap_or_default();
    let mut measured = Measured::of(Goal::G4, ours);
    std::fs::create_dir_all(results::folder())?;
    let mut best: Option<(f64, usize)> = None;
    for per_block in PER_BLOCK {
        let (saw, _) = run(per_block, seconds.min(5))?;
        if best.is_none_or(|(rate, _)| saw.rate > rate) {
            best = Some((saw.rate, per_block));
        }
    }
    let (_, per_block) = best.ok_or_eyre("nothing was ordered")?;
    let (mut rates, mut micros, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (saw, busy) = run(per_block, seconds)?;
        rates.push(saw.rate);
        micros.push(busy * 1e6 / saw.rate.max(1.0));
        blocks.push(saw.blocks);
    }
    measured.against(ORDERING, rates);
    measured.figure("processor us of all four per unsigned transaction", median(&micros));
    measured.figure("blocks/s of unsigned transactions", median(&blocks));
    measured.note(format!(
        "the other side orders {TRANSACTION_BYTES} bytes a transaction, {per_block} a block (the \
         best of {PER_BLOCK:?}), made where they are proposed: no client, no signature of a \
         holder, no gossip, no execution; synced like a node"
    ));
    measured.note(
        "Mysticeti, which the goal names, is not measured here: it is a source tree without \
         release. Its published 100,000/s and more are of larger machines",
    );
    Ok(measured)
}
