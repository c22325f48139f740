//! What the interfaces of a node are given: reads, submission, status.

use std::sync::Arc;
use std::time::Duration;

use cets_contracts::genesis::Genesis;
use cets_contracts::tx::Transaction;
use cets_contracts::types::{BlockTime, ChainId, TxId};
use tokio::sync::watch;

use crate::checkpoints::Checkpoints;
use crate::clock::Clock;
use crate::health::Health;
use crate::mempool::{Mempool, Origin, PoolSize, SubmitError, WaitEnd};
use crate::read::{
    FinalTransaction, ReadError, Reader, Simulated, Simulation, SimulationError, TipSummary,
};

/// Longest wait for a final answer when the caller names none.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// What a node says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// The ledger.
    pub chain_id: ChainId,
    /// Name of the network.
    pub network: String,
    /// Name of the node.
    pub node_name: String,
    /// Version of the program.
    pub version: &'static str,
    /// The newest block.
    pub tip: TipSummary,
    /// Connected peers of the consensus network.
    pub peers: usize,
    /// What waits in the mempool.
    pub mempool: PoolSize,
    /// Whether the node votes at the height being decided.
    pub is_validator: bool,
    /// Whether the newest block is younger than 15 seconds: an idle network makes one a second.
    pub is_synced: bool,
    /// What is wrong; none when healthy.
    pub problem: Option<String>,
}

/// Parts of a node that its interfaces use.
#[derive(Debug)]
pub struct NodeParts {
    /// Name of the node.
    pub node_name: String,
    /// The genesis document.
    pub genesis: Genesis,
    /// Reads.
    pub reader: Reader,
    /// Cosigned checkpoints.
    pub checkpoints: Checkpoints,
    /// Transactions that wait.
    pub mempool: Mempool,
    /// The newest block, renewed by each commit.
    pub commits: watch::Receiver<TipSummary>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How the engine is.
    pub health: Health,
}

/// A handle to a running node; cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    parts: Arc<NodeParts>,
    chain_id: ChainId,
    genesis_json: Arc<str>,
}

impl NodeHandle {
    /// A handle to these parts.
    ///
    /// # Errors
    /// The genesis document cannot be written as JSON.
    pub fn new(parts: NodeParts) -> Result<Self, serde_json::Error> {
        let chain_id = parts.genesis.chain_id();
        let json = serde_json::to_string_pretty(&parts.genesis)?;
        Ok(Self { parts: Arc::new(parts), chain_id, genesis_json: json.into() })
    }

    /// The ledger.
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Name of the network, from the genesis document.
    pub fn network(&self) -> &str {
        &self.parts.genesis.network
    }

    /// Name of the node, from its configuration.
    pub fn node_name(&self) -> &str {
        &self.parts.node_name
    }

    /// The genesis document.
    pub fn genesis(&self) -> &Genesis {
        &self.parts.genesis
    }

    /// The genesis document as JSON.
    pub fn genesis_json(&self) -> &str {
        &self.genesis_json
    }

    /// The machine's time, in the unit of block times.
    pub fn now(&self) -> BlockTime {
        self.parts.clock.now()
    }

    /// Reads of state and history. They block for microseconds to milliseconds.
    pub fn reader(&self) -> &Reader {
        &self.parts.reader
    }

    /// Cosigned checkpoints of the log.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.parts.checkpoints
    }

    /// The newest block; changes with every commit. Followers read on from their own position
    /// when it changes, so a slow one misses nothing.
    pub fn commits(&self) -> watch::Receiver<TipSummary> {
        self.parts.commits.clone()
    }

    /// Puts a signed transaction into the mempool.
    pub async fn submit(&self, transaction: Vec<u8>) -> Result<TxId, SubmitError> {
        self.parts.mempool.submit(transaction, Origin::Client).await
    }

    /// Puts many into the mempool; one answer each, in order. Much cheaper than one by one.
    pub async fn submit_batch(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<TxId, SubmitError>> {
        self.parts.mempool.submit_batch(transactions, Origin::Client).await
    }

    /// Puts a signed transaction into the mempool and waits until it is final.
    pub async fn submit_and_wait(
        &self,
        transaction: Vec<u8>,
        timeout: Duration,
    ) -> Result<FinalTransaction, SubmitError> {
        // Waits from before the submission, so that no commit falls between the two.
        let id = Transaction::decode(transaction.clone())?.id();
        // Made before the wait, so that it is dropped after it, wherever the caller gives up.
        let _forgotten = self.parts.mempool.forget_at_drop(id);
        let end = self.parts.mempool.wait_for(id);
        let outcome = match self.submit(transaction).await {
            Ok(_) => tokio::time::timeout(timeout, end).await,
            Err(error) => return Err(error),
        };
        match outcome {
            Ok(Ok(WaitEnd::Final(answer))) => Ok(answer),
            Ok(Ok(WaitEnd::Dropped(error))) => Err(error),
            Ok(Err(_)) => Err(SubmitError::Stopping),
            Err(_) => Err(SubmitError::TimedOut { id }),
        }
    }

    /// Executes a transaction on the newest state without ordering it.
    pub fn simulate(&self, simulation: Simulation) -> Result<Simulated, SimulationError> {
        self.parts.reader.simulate(simulation, self.now())
    }

    /// What the node says about itself.
    pub fn status(&self) -> Result<NodeStatus, ReadError> {
        let parts = &self.parts;
        let engine = parts.health.engine();
        Ok(NodeStatus {
            chain_id: self.chain_id,
            network: parts.genesis.network.clone(),
            node_name: parts.node_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            tip: parts.reader.tip()?,
            peers: engine.peers,
            mempool: parts.mempool.size(),
            is_validator: engine.is_validator,
            is_synced: engine.is_synced,
            problem: engine.problem,
        })
    }
}
