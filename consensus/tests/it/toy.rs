//! A ledger in memory with real headers, blocks and certificates, and nodes that run on it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use cets_consensus::{
    BlockSource, BlockVerdict, BuildLimits, DecidedBlock, EngineConfig, EngineError, EngineKeys,
    EngineMonitor, EngineSigner, Evidence, GuardMark, Ledger, LedgerFault, LocalSigner,
    ProposedBlock, RoundTimeouts, peer_id, start,
};
use cets_contracts::block::{Block, Certificate, Header, Validator, ValidatorSet};
use cets_contracts::types::{
    BlockId, BlockTime, ChainId, Digest, Height, LogRoot, PublicKey, StateRoot, ValidatorAddress,
};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const CHAIN: ChainId = ChainId::new([0xC3; 16]);
/// Longest wait for anything in these tests; they need a small part of it.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn consensus_key(index: u8) -> SigningKey {
    SigningKey::from_bytes(&[index.wrapping_add(1); 32])
}

fn network_key(index: u8) -> SigningKey {
    SigningKey::from_bytes(&[index.wrapping_add(101); 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

fn member(index: u8) -> Validator {
    Validator {
        name: format!("node{index}"),
        consensus_key: public(&consensus_key(index)),
        cosigner_key: PublicKey::new([index.wrapping_add(201); 32]),
        power: 1,
    }
}

pub fn address(index: u8) -> ValidatorAddress {
    member(index).address()
}

pub fn validators(indexes: impl IntoIterator<Item = u8>) -> ValidatorSet {
    ValidatorSet::new(indexes.into_iter().map(member).collect()).unwrap()
}

/// What survives a restart.
#[derive(Default)]
pub struct Disk {
    pub decided: Vec<(Bytes, Certificate)>,
    pub proposed: BTreeMap<(u64, u32), ProposedBlock>,
    pub undecided: BTreeMap<BlockId, Bytes>,
    pub evidence: Vec<Evidence>,
    pub guard: Vec<GuardMark>,
}

/// Heights within which a node that may vote has voted; decided in a few seconds.
pub const HEIGHTS_MAX: u64 = 500;

/// Validators of a height.
pub type Schedule = Arc<dyn Fn(Height) -> ValidatorSet + Send + Sync>;

pub struct ToyLedger {
    pub disk: Mutex<Disk>,
    pub schedule: Schedule,
    /// Bytes of the one transaction of each block.
    pub filler: usize,
    /// Height from which every block is called invalid.
    pub refuses_from: Mutex<Option<Height>>,
    /// Height whose commit fails.
    pub fails_at: Mutex<Option<Height>>,
    /// Height from which the guard cannot be saved.
    pub guard_fails_from: Mutex<Option<Height>>,
    /// How long it takes to judge a proposed block.
    pub judges_for: Mutex<Duration>,
    /// What it was asked to propose: the last time of each height.
    pub asked: Mutex<BTreeMap<u64, BuildLimits>>,
}

impl ToyLedger {
    pub fn new(schedule: Schedule, filler: usize) -> Arc<Self> {
        Arc::new(Self {
            disk: Mutex::default(),
            schedule,
            filler,
            refuses_from: Mutex::default(),
            fails_at: Mutex::default(),
            guard_fails_from: Mutex::default(),
            judges_for: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    fn tip_of(disk: &Disk) -> Height {
        Height::new(disk.decided.len() as u64)
    }

    fn parent_of(disk: &Disk) -> BlockId {
        disk.decided.last().map_or(BlockId::new([0; 32]), |(_, certificate)| certificate.block_id)
    }

    fn build(&self, disk: &Disk, height: Height, round: u32, proposer: ValidatorAddress) -> Block {
        let transactions = vec![vec![(height.get() as u8) ^ (round as u8); self.filler]];
        Block {
            header: Header {
                chain_id: CHAIN,
                height,
                time: BlockTime::from_millis(height.get() * 1000),
                proposer,
                parent: Self::parent_of(disk),
                transactions: Block::transactions_digest(&transactions),
                log_size: height.get(),
                log_root: LogRoot::new([0; 32]),
                state_root: StateRoot::new([0; 32]),
                next_validators: (self.schedule)(height.next()).digest(),
                parameters: Digest::new([0; 32]),
            },
            transactions,
        }
    }

    /// What is wrong with a block, if anything.
    fn fault_of(&self, disk: &Disk, block: &Block, source: BlockSource) -> Option<String> {
        let header = &block.header;
        let height = Self::tip_of(disk).next();
        if self.refuses_from.lock().unwrap().is_some_and(|from| header.height >= from) {
            return Some("refused on purpose".to_owned());
        }
        if header.chain_id != CHAIN || header.height != height {
            return Some("another chain or height".to_owned());
        }
        if header.parent != Self::parent_of(disk) {
            return Some("another parent".to_owned());
        }
        if header.next_validators != (self.schedule)(height.next()).digest() {
            return Some("other next validators".to_owned());
        }
        if let BlockSource::Proposal { proposer } = source
            && header.proposer != proposer
        {
            return Some("another proposer".to_owned());
        }
        None
    }
}

impl Ledger for ToyLedger {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn tip(&self) -> Result<Height, LedgerFault> {
        Ok(Self::tip_of(&self.disk()))
    }

    fn history_min_height(&self) -> Result<Height, LedgerFault> {
        Ok(Height::new(1))
    }

    fn validators(&self, height: Height) -> Result<ValidatorSet, LedgerFault> {
        Ok((self.schedule)(height))
    }

    fn target_block_time(&self) -> Option<Duration> {
        None
    }

    fn propose(
        &self,
        height: Height,
        round: u32,
        proposer: ValidatorAddress,
        limits: BuildLimits,
    ) -> Result<ProposedBlock, LedgerFault> {
        self.asked.lock().unwrap().insert(height.get(), limits);
        let mut disk = self.disk();
        assert_eq!(height, Self::tip_of(&disk).next());
        if let Some(block) = disk.proposed.get(&(height.get(), round)) {
            return Ok(block.clone());
        }
        let block = self.build(&disk, height, round, proposer);
        let proposed = ProposedBlock { id: block.header.id(), bytes: block.encode().into() };
        disk.proposed.insert((height.get(), round), proposed.clone());
        disk.undecided.insert(proposed.id, proposed.bytes.clone());
        Ok(proposed)
    }

    fn validate(
        &self,
        height: Height,
        _round: u32,
        source: BlockSource,
        bytes: Bytes,
    ) -> Result<BlockVerdict, LedgerFault> {
        std::thread::sleep(*self.judges_for.lock().unwrap());
        let mut disk = self.disk();
        assert_eq!(height, Self::tip_of(&disk).next());
        let block = match Block::decode(&bytes) {
            Ok(block) => block,
            Err(error) => return Ok(BlockVerdict::Malformed { reason: error.to_string() }),
        };
        let id = block.header.id();
        if let Some(reason) = self.fault_of(&disk, &block, source) {
            return Ok(BlockVerdict::Invalid { id, reason });
        }
        disk.undecided.insert(id, bytes);
        Ok(BlockVerdict::Valid { id })
    }

    fn undecided_block(&self, id: BlockId) -> Result<Option<Bytes>, LedgerFault> {
        Ok(self.disk().undecided.get(&id).cloned())
    }

    fn commit(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        if *self.fails_at.lock().unwrap() == Some(certificate.height) {
            return Err(LedgerFault::new("commit the block", "the disk is gone"));
        }
        let mut disk = self.disk();
        assert_eq!(certificate.height, Self::tip_of(&disk).next());
        let bytes = disk.undecided.get(&certificate.block_id).cloned().unwrap();
        disk.undecided.clear();
        disk.proposed.clear();
        disk.decided.push((bytes, certificate.clone()));
        Ok(())
    }

    fn extend_certificate(&self, certificate: &Certificate) -> Result<(), LedgerFault> {
        let mut disk = self.disk();
        let (_, known) = disk.decided.last_mut().unwrap();
        assert_eq!(known.block_id, certificate.block_id);
        *known = certificate.clone();
        Ok(())
    }

    fn decided_block(&self, height: Height) -> Result<Option<DecidedBlock>, LedgerFault> {
        let disk = self.disk();
        let index = height.get().checked_sub(1).map(|index| index as usize);
        Ok(index.and_then(|index| disk.decided.get(index)).map(|(bytes, certificate)| {
            DecidedBlock { bytes: bytes.clone(), certificate: certificate.clone() }
        }))
    }

    fn record_evidence(&self, _height: Height, evidence: Vec<Evidence>) -> Result<(), LedgerFault> {
        self.disk().evidence.extend(evidence);
        Ok(())
    }

    fn load_guard(&self) -> Result<Vec<GuardMark>, LedgerFault> {
        Ok(self.disk().guard.clone())
    }

    fn save_guard(&self, marks: &[GuardMark]) -> Result<(), LedgerFault> {
        let mut disk = self.disk();
        let newest = marks.iter().map(|mark| mark.height).max().unwrap();
        if self.guard_fails_from.lock().unwrap().is_some_and(|from| newest >= from) {
            return Err(LedgerFault::new("write the guard", "the disk is full"));
        }
        disk.guard.retain(|mark| mark.height >= newest);
        disk.guard.extend_from_slice(marks);
        Ok(())
    }
}

/// A port that nobody listens on, that no other net of this program gets, and that no outgoing
/// connection takes: the system gives those higher ones.
fn unused_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let next =
            std::process::id().wrapping_mul(61).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + (next % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Nodes that know each other's addresses.
pub struct Net {
    ports: Vec<u16>,
    folder: TempDir,
}

impl Net {
    pub fn new(nodes: u8) -> Self {
        // `RUST_LOG=info cargo test … -- --nocapture` shows what the engines do.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init().ok();
        let ports = (0..nodes).map(|_| unused_port()).collect();
        Self { ports, folder: TempDir::new().unwrap() }
    }

    fn listen_address(&self, index: u8) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.ports[usize::from(index)])
    }

    pub fn wal_path(&self, index: u8) -> PathBuf {
        self.folder.path().join(format!("node{index}")).join("consensus.wal")
    }

    pub fn config(&self, index: u8) -> EngineConfig {
        let mut config = EngineConfig::new(
            format!("node{index}"),
            self.listen_address(index),
            self.wal_path(index),
        );
        config.persistent_peers = (0..self.ports.len() as u8)
            .filter(|other| *other != index)
            .map(|other| {
                let peer = peer_id(&public(&network_key(other))).unwrap();
                format!("{}/p2p/{peer}", self.listen_address(other))
            })
            .collect();
        config.persistent_peers_only = true;
        config.timeouts = RoundTimeouts {
            propose: Duration::from_millis(800),
            rebroadcast: Duration::from_millis(500),
            ..RoundTimeouts::default()
        };
        config.catch_up.status_interval = Duration::from_millis(200);
        config.part_bytes = 32 * 1024;
        config
    }

    pub async fn run(&self, index: u8, ledger: &Arc<ToyLedger>) -> Running {
        self.run_with(self.config(index), Some(index), index, ledger).await
    }

    /// A node without a consensus key.
    pub async fn follow(&self, index: u8, ledger: &Arc<ToyLedger>) -> Running {
        self.run_with(self.config(index), None, index, ledger).await
    }

    pub async fn run_with(
        &self,
        config: EngineConfig,
        signs_as: Option<u8>,
        index: u8,
        ledger: &Arc<ToyLedger>,
    ) -> Running {
        let signer = signs_as
            .map(|index| Arc::new(LocalSigner::new(consensus_key(index))) as Arc<dyn EngineSigner>);
        let keys = EngineKeys { consensus: signer, network: network_key(index) };
        let ledger: Arc<dyn Ledger> = Arc::<ToyLedger>::clone(ledger);
        let handle = start(config, keys, ledger).await.unwrap();
        let monitor = handle.monitor();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(handle.run_until(async move {
            stopped.await.ok();
        }));
        Running { monitor, stop, task }
    }
}

/// A node that runs.
pub struct Running {
    pub monitor: EngineMonitor,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), EngineError>>,
}

impl Running {
    /// Waits until a height is committed here.
    pub async fn reaches(&self, height: u64) {
        self.until(|health| health.tip >= Height::new(height)).await;
    }

    pub async fn until(&self, is_so: impl Fn(&cets_consensus::EngineHealth) -> bool) {
        let mut health = self.monitor.watch_health();
        let waited = tokio::time::timeout(PATIENCE, health.wait_for(|now| is_so(now))).await;
        // What was found is a lock on the health, which the next line takes again.
        let waited = waited.map(|found| found.map(drop));
        let now = self.monitor.health();
        waited.unwrap_or_else(|_| panic!("waited in vain at {now:?}")).unwrap();
    }

    /// Stops in good order.
    pub async fn stops(self) {
        self.stop.send(()).ok();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Stops as if killed: nothing is finished.
    pub async fn dies(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// The error with which the node stops by itself.
    pub async fn fails(self) -> EngineError {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap_err()
    }
}

/// Checks a chain from its first block: parents, validators, certificates.
pub fn verify_chain(ledger: &ToyLedger) -> Vec<BlockId> {
    let disk = ledger.disk();
    let mut parent = BlockId::new([0; 32]);
    let mut ids = Vec::new();
    for ((bytes, certificate), height) in disk.decided.iter().zip(1u64..) {
        let height = Height::new(height);
        let block = Block::decode(bytes).unwrap();
        let id = block.header.id();
        assert_eq!((block.header.height, block.header.parent), (height, parent));
        assert_eq!(certificate.height, height);
        certificate.verify(CHAIN, id, &(ledger.schedule)(height)).unwrap();
        parent = id;
        ids.push(id);
    }
    ids
}

/// Checks that all ledgers hold the same chain as far as each goes, at least to a height.
pub fn verify_agreement(ledgers: &[Arc<ToyLedger>], height: usize) {
    let chains: Vec<_> = ledgers.iter().map(|ledger| verify_chain(ledger)).collect();
    for chain in &chains {
        assert!(chain.len() >= height, "{} heights, {height} expected", chain.len());
        let common = chain.len().min(chains[0].len());
        assert_eq!(chain[..common], chains[0][..common]);
    }
}
