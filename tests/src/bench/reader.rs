//! G17: reads with proof. Readers are processes of their own, one beside each node.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_api::ProveRecordsRequest;
use cets_api::ledger_client::LedgerClient;
use cets_cli::client::{ANSWER_BYTES_MAX, CallerChannel, Node};
use cets_cli::text::Lang;
use cets_contracts::block::Header;
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{Anchor, RecordInclusion, ValidatorHistory};
use cets_contracts::state::keys;
use cets_contracts::types::{AccountId, Instrument, Role, Vintage};
use ed25519_dalek::SigningKey;
use eyre::{OptionExt as _, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::goal::Goal;
use super::machine;
use super::results::{Measured, median};
use super::world::{VINTAGE, World};
use crate::workload::Chooser;

/// Readers, each at a node of its own as far as there are nodes.
const READERS: usize = 2;
/// Questions of a reader on their way at a time.
const IN_FLIGHT: u64 = 16;
/// Records that a question asks for when it asks for many.
const MANY: usize = 64;

/// What the process of a reader is told, as a file that only its owner reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReaderTask {
    /// Address of the node.
    pub address: String,
    /// The genesis document: where trust begins.
    pub genesis: PathBuf,
    /// Who reads, and the key of a representative of a network that ends with the measurement.
    reader: (AccountId, [u8; 32]),
    /// Serial numbers below this one are asked for.
    serials: u64,
    /// Records of a question.
    records: usize,
    /// How long to ask, in milliseconds.
    millis: u64,
    seed: u64,
}

/// What a reader did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Read {
    /// Records whose path led to the root of a certified header.
    verified: u64,
    /// Certificates verified.
    certificates: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// What the process does.
pub fn run_as_process(task: &Path) -> eyre::Result<()> {
    let task: ReaderTask = serde_json::from_str(&std::fs::read_to_string(task)?)?;
    let genesis: Genesis = serde_json::from_str(&std::fs::read_to_string(&task.genesis)?)?;
    let trusted = Arc::new(ValidatorHistory::new(&genesis)?);
    let (account, key) = task.reader;
    let node = Node::connect_to(&task.address, None, Lang::En)?
        .read_for(account, &SigningKey::from_bytes(&key))?;
    let (started, cpu) = (Instant::now(), machine::cpu_seconds(std::process::id()));
    let until = started + Duration::from_millis(task.millis);
    let read = node.block_on(async {
        let mut questions = JoinSet::new();
        for number in 0..IN_FLIGHT {
            let client = LedgerClient::new(node.channel());
            let client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
            let chooser = Chooser::new(task.seed.wrapping_mul(IN_FLIGHT).wrapping_add(number));
            questions.spawn(ask(client, chooser, Arc::clone(&trusted), task.clone(), until));
        }
        let mut read = Read::default();
        while let Some(answered) = questions.join_next().await {
            let (verified, certificates) = answered??;
            read.verified += verified;
            read.certificates += certificates;
        }
        eyre::Ok(read)
    })?;
    let cpu_seconds = machine::cpu_seconds(std::process::id()) - cpu;
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&Read { seconds, cpu_seconds, ..read })?);
    Ok(())
}

/// Asks for ranges chosen at random until a moment; counts the records and certificates verified.
async fn ask(
    mut client: LedgerClient<CallerChannel>,
    mut chooser: Chooser,
    trusted: Arc<ValidatorHistory>,
    task: ReaderTask,
    until: Instant,
) -> eyre::Result<(u64, u64)> {
    let instrument = Instrument::Cea(Vintage::new(VINTAGE)?);
    let mut known: Option<(Vec<u8>, Header)> = None;
    let (mut verified, mut certificates) = (0, 0);
    while Instant::now() < until {
        let mut key = || keys::unit_range(&instrument, chooser.within(1, task.serials));
        let keys = (0..task.records).map(|_| key().as_bytes().to_vec()).collect();
        let answer = client.prove_records(ProveRecordsRequest { keys, height: 0 }).await?;
        let answer = answer.into_inner();
        ensure!(answer.records.len() == task.records, "records are missing");
        // A header that was verified once need not be verified again.
        let header = match known.take().filter(|(bytes, _)| *bytes == answer.header) {
            Some((_, header)) => header,
            None => {
                let header = codec::decode(&answer.header)?;
                let certificate = codec::decode(&answer.certificate)?;
                let anchor = Anchor { header, certificate };
                anchor.verify(&trusted)?;
                certificates += 1;
                anchor.header
            }
        };
        for record in answer.records {
            let state = codec::decode(&record.proof)?;
            let record = RecordInclusion { key: record.key, value: record.value, state };
            record.verify(&header)?.unit_range()?;
            verified += 1;
        }
        known = Some((answer.header, header));
    }
    Ok((verified, certificates))
}

fn start(task: &ReaderTask, folder: &Path) -> eyre::Result<Child> {
    let file = folder.join(format!("reader-task-{}.json", task.seed));
    std::fs::write(&file, serde_json::to_string(task)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg("reader").arg(&file).stdout(Stdio::piped()).spawn()?)
}

/// Lets readers ask; returns verified records a second, and the processor microseconds of all
/// nodes and of the readers per record.
fn run(world: &World, records: usize, seconds: u64, seed: u64) -> eyre::Result<[f64; 3]> {
    let auditor = world.institution(Role::Auditor)?;
    let key = auditor.keys.first().ok_or_eyre("the auditor has no key")?;
    let addresses = world.addresses();
    let meter = world.meter();
    let mut readers = Vec::new();
    for (number, address) in (0..).zip(addresses.iter().cycle().take(READERS)) {
        let task = ReaderTask {
            address: address.clone(),
            genesis: world.network.genesis_path.clone(),
            reader: (auditor.account, key.to_bytes()),
            serials: world.scale.tonnes(),
            records,
            millis: seconds * 1_000,
            seed: seed * READERS as u64 + number,
        };
        readers.push(start(&task, world.folder())?);
    }
    let mut all = Read::default();
    for reader in readers {
        let output = reader.wait_with_output()?;
        ensure!(output.status.success(), "a reader failed: {}", output.status);
        let read: Read =
            serde_json::from_slice(&output.stdout).wrap_err("a reader said nothing")?;
        ensure!(read.certificates > 0, "a reader verified no certificate");
        all.verified += read.verified;
        all.seconds = all.seconds.max(read.seconds);
        all.cpu_seconds += read.cpu_seconds;
    }
    let verified = all.verified as f64;
    let micros = |cpu: f64| cpu * 1e6 / verified.max(1.0);
    Ok([verified / all.seconds, micros(meter.cpu_seconds()), micros(all.cpu_seconds)])
}

/// Measures G17: one record a question, then many.
pub fn measure(world: &World, seconds: u64, runs: usize) -> eyre::Result<Measured> {
    let each = |records| {
        let runs = (0..runs).map(|number| run(world, records, seconds, number as u64));
        runs.collect::<eyre::Result<Vec<_>>>()
    };
    let (single, many) = (each(1)?, each(MANY)?);
    let of = |runs: &[[f64; 3]], place: usize| -> Vec<f64> {
        runs.iter().map(|run| run[place]).collect()
    };
    let mut measured = Measured::of(Goal::G17, of(&single, 0));
    measured.figure("processor us of all nodes per record", median(&of(&single, 1)));
    measured.figure("processor us of the readers per record", median(&of(&single, 2)));
    measured.figure(&format!("records/s, {MANY} a question"), median(&of(&many, 0)));
    let name = format!("processor us of all nodes per record, {MANY} a question");
    measured.figure(&name, median(&of(&many, 1)));
    measured.note(format!(
        "{READERS} readers beside the nodes on the same processors, {IN_FLIGHT} questions each on \
         their way, one record a question, ranges at random among {}; the reader shows a token; \
         certificate, path and record are verified",
        world.scale.ranges
    ));
    Ok(measured)
}
