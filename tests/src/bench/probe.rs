//! One transfer in flight: from its submission to a proof that verifies. A process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cets_api::blocks_client::BlocksClient;
use cets_api::transactions_client::TransactionsClient;
use cets_api::{GetBlockRequest, LogProofRequest, SubmitAndWaitRequest};
use cets_contracts::block::{Certificate, Header, LogEntry, Outcome, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::{LogHash, LogProof};
use eyre::{WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use tonic::transport::{Channel, Endpoint};

use super::orders;

/// Longest wait for one answer, in milliseconds.
const WAIT_MILLIS: u32 = 30_000;

/// What the process is told, as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeTask {
    /// Address of the node that is asked.
    pub address: String,
    /// Signed transfers, one sent after the other.
    pub orders: PathBuf,
    /// The genesis document: where trust begins.
    pub genesis: PathBuf,
    /// How long to go on at most, in milliseconds.
    pub millis: u64,
    /// Pause between two transfers, in milliseconds.
    pub pause_millis: u64,
}

/// Milliseconds of each transfer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latencies {
    /// Until the final answer arrived.
    pub answered: Vec<f64>,
    /// Until header, certificate and path to the root were fetched and verified, too.
    pub proven: Vec<f64>,
}

/// A probe that runs.
#[derive(Debug)]
pub struct Probe(std::process::Child);

impl Probe {
    /// Starts the process.
    pub fn start(task: &ProbeTask, folder: &Path) -> eyre::Result<Self> {
        let file = folder.join("probe-task.json");
        std::fs::write(&file, serde_json::to_string(task)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.arg("probe").arg(&file).stdout(Stdio::piped()).spawn()?))
    }

    /// Waits until it is done.
    pub fn finish(self) -> eyre::Result<Latencies> {
        let output = self.0.wait_with_output()?;
        ensure!(output.status.success(), "the probe failed: {}", output.status);
        serde_json::from_slice(&output.stdout).wrap_err("the probe said nothing")
    }
}

/// What the process does.
pub fn run_as_process(task: &Path) -> eyre::Result<()> {
    let task: ProbeTask = serde_json::from_str(&std::fs::read_to_string(task)?)?;
    let genesis: Genesis = serde_json::from_str(&std::fs::read_to_string(&task.genesis)?)?;
    let orders = orders::read(&task.orders)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let latencies = runtime.block_on(async {
        let asker = Asker::connect(&task.address, &genesis).await?;
        let (started, mut latencies) = (Instant::now(), Latencies::default());
        for order in orders {
            if started.elapsed() > Duration::from_millis(task.millis) {
                break;
            }
            let (answered, proven) = asker.ask(order).await?;
            latencies.answered.push(answered.as_secs_f64() * 1_000.0);
            latencies.proven.push(proven.as_secs_f64() * 1_000.0);
            tokio::time::sleep(Duration::from_millis(task.pause_millis)).await;
        }
        eyre::Ok(latencies)
    })?;
    println!("{}", serde_json::to_string(&latencies)?);
    Ok(())
}

struct Asker {
    transactions: TransactionsClient<Channel>,
    blocks: BlocksClient<Channel>,
    validators: ValidatorSet,
    chain_id: cets_contracts::types::ChainId,
}

impl Asker {
    async fn connect(address: &str, genesis: &Genesis) -> eyre::Result<Self> {
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
        let channel = endpoint.connect().await?;
        Ok(Self {
            transactions: TransactionsClient::new(channel.clone()),
            blocks: BlocksClient::new(channel),
            validators: ValidatorSet::new(genesis.validators.clone())?,
            chain_id: genesis.chain_id(),
        })
    }

    async fn ask(&self, transaction: Vec<u8>) -> eyre::Result<(Duration, Duration)> {
        let (mut transactions, mut blocks) = (self.transactions.clone(), self.blocks.clone());
        let started = Instant::now();
        let request = SubmitAndWaitRequest { transaction, timeout_millis: WAIT_MILLIS };
        let answer = transactions.submit_and_wait(request).await?.into_inner();
        let answered = started.elapsed();
        let request = GetBlockRequest { height: answer.height };
        let block = blocks.get_block(request).await?.into_inner();
        let header: Header = codec::decode(&block.header)?;
        let certificate: Certificate = codec::decode(&block.certificate)?;
        let log_index = answer.log_index;
        let request = LogProofRequest { log_index, log_size: header.log_size };
        let proof = blocks.get_log_proof(request).await?.into_inner();
        let path = proof.path.iter().map(|hash| LogHash::try_from(hash.as_slice()));
        let path = path.collect::<Result<_, _>>()?;
        certificate.verify(self.chain_id, header.id(), &self.validators)?;
        let proof = LogProof { index: log_index, size: header.log_size, path };
        proof.verify(&answer.entry, &header.log_root)?;
        let LogEntry::Transaction { receipt, .. } = codec::decode(&answer.entry)? else {
            eyre::bail!("the answer is no transaction");
        };
        ensure!(receipt.outcome == Outcome::Accepted, "refused: {:?}", receipt.outcome);
        Ok((answered, started.elapsed()))
    }
}
