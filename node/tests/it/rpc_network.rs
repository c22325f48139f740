//! A network of one: a node with its interface, whose blocks are decided with the key of its only
//! validator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cets_api::blocks_client::BlocksClient;
use cets_api::ledger_client::LedgerClient;
use cets_api::operations_client::OperationsClient;
use cets_api::token;
use cets_api::transactions_client::TransactionsClient;
use cets_consensus::{BuildLimits, Ledger as _};
use cets_contracts::block::{Certificate, CommitSignature, VoteStep, vote_sign_bytes};
use cets_contracts::genesis::Genesis;
use cets_contracts::types::{AccountId, BlockTime, ChainId, PublicKey, Signature};
use cets_node::checkpoints::{Checkpoints, Cosigner};
use cets_node::clock::SetClock;
use cets_node::ledger::{LedgerSettings, NodeLedger};
use cets_node::mempool::{Mempool, MempoolLimits};
use cets_node::read::Reader;
use cets_node::rpc::{RpcConfig, RpcLimits, RpcServer, TlsConfig};
use cets_node::store::Store;
use cets_node::{EngineView, Health, NodeHandle, NodeParts};
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

/// Genesis time and the clock's first time: 2022-06-01 00:00 in UTC+8.
pub const START: BlockTime = BlockTime::from_millis(1_654_012_800_000);
/// Seed of the validator's key.
pub const VALIDATOR: u8 = 200;

pub fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn public(seed: u8) -> PublicKey {
    PublicKey::new(*secret(seed).verifying_key().as_bytes())
}

/// The running network.
pub struct Network {
    pub handle: NodeHandle,
    pub address: SocketAddr,
    pub clock: SetClock,
    pub stop: CancellationToken,
    pub served: JoinHandle<()>,
    paused: Arc<AtomicBool>,
    _folder: TempDir,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Network {
    pub async fn start(genesis: Genesis) -> Self {
        Self::start_with(genesis, RpcLimits::default(), None, MempoolLimits::default()).await
    }

    pub async fn start_with(
        genesis: Genesis,
        limits: RpcLimits,
        tls: Option<TlsConfig>,
        mempool_limits: MempoolLimits,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = SetClock::new(START);
        let store = Store::open(folder.path()).unwrap();
        let state = NodeLedger::load(&store, &genesis).unwrap();
        let shared_clock = Arc::new(clock.clone());
        let (mempool, _) =
            Mempool::start(mempool_limits, state.clone(), shared_clock.clone(), 1).unwrap();
        let settings = LedgerSettings::default();
        let (chain, pool) = (genesis.chain_id(), mempool.clone());
        let ledger = NodeLedger::new(
            settings,
            &genesis,
            store.clone(),
            state.clone(),
            pool.clone(),
            shared_clock.clone(),
        )
        .unwrap();
        let health = Health::default();
        health.set(EngineView { is_validator: true, is_synced: true, ..EngineView::default() });
        let checkpoints = Checkpoints::open(store.clone(), state.clone(), &genesis).unwrap();
        let handle = NodeHandle::new(NodeParts {
            node_name: "registry-1".to_owned(),
            genesis,
            reader: Reader::new(store, state),
            checkpoints: checkpoints.clone(),
            mempool,
            commits: ledger.commits(),
            clock: shared_clock,
            health,
        })
        .unwrap();
        let (stop, paused) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (outgoing, _) = mpsc::channel(1);
        let (key, commits) = (Some(secret(VALIDATOR + 1)), ledger.commits());
        let cosigner = Cosigner { checkpoints, key, commits, outgoing };
        tokio::spawn(cosigner.run(stop.clone()));
        let (decider_stop, decider_paused) = (stop.clone(), Arc::clone(&paused));
        std::thread::spawn(move || {
            while !decider_stop.is_cancelled() {
                if decider_paused.load(Ordering::SeqCst) || pool.size().transactions == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                } else {
                    decide(&ledger, chain);
                }
            }
        });
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = RpcServer::bind(RpcConfig { listen, tls, limits }).await.unwrap();
        let address = server.address();
        let serving = server.serve(handle.clone(), axum::Router::new(), stop.clone());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        Self { handle, address, clock, stop, served, paused, _folder: folder }
    }

    /// Decides no block until [`Self::resume`].
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    pub fn chain(&self) -> ChainId {
        self.handle.chain_id()
    }

    /// A client that reads as nobody known.
    pub async fn public(&self) -> Client {
        Client { channel: self.channel().await, bearer: None, language: "en" }
    }

    /// A client that reads for an account with the key of a seed.
    pub async fn client(&self, account: AccountId, seed: u8) -> Client {
        Client { bearer: Some(self.bearer(account, seed)), ..self.public().await }
    }

    pub fn bearer(&self, account: AccountId, seed: u8) -> String {
        let now = self.handle.now().as_millis() / 1_000;
        let chain = self.chain().to_string();
        let token = token::mint(&secret(seed), &account.to_string(), &chain, now, 300, [seed; 16]);
        token::bearer(&token)
    }

    async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }
}

/// Decides the next block: proposes it and certifies it with the only validator's key.
fn decide(ledger: &NodeLedger, chain: ChainId) {
    let (key, address) = (secret(VALIDATOR), super::rpc_market::validator().address());
    let height = ledger.tip().unwrap().next();
    let limits = BuildLimits { waiting: Duration::from_millis(100), ..BuildLimits::NO_WAITING };
    let block = ledger.propose(height, 0, address, limits).unwrap();
    let message = vote_sign_bytes(chain, VoteStep::Precommit, height, 0, Some(block.id));
    let signature = Signature::new(key.sign(&message).to_bytes());
    let signatures = vec![CommitSignature { validator: address, signature }];
    let certificate = Certificate { height, round: 0, block_id: block.id, signatures };
    ledger.commit(&certificate).unwrap();
}

/// A caller of the interface.
#[derive(Clone)]
pub struct Client {
    pub channel: Channel,
    pub bearer: Option<String>,
    pub language: &'static str,
}

impl Client {
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.mark(request.metadata_mut());
        request
    }

    pub fn mark(&self, metadata: &mut MetadataMap) {
        metadata.insert("accept-language", self.language.parse().unwrap());
        if let Some(bearer) = &self.bearer {
            metadata.insert(token::TOKEN_METADATA, bearer.parse().unwrap());
        }
    }

    pub fn transactions(&self) -> TransactionsClient<Channel> {
        TransactionsClient::new(self.channel.clone())
    }

    pub fn ledger(&self) -> LedgerClient<Channel> {
        LedgerClient::new(self.channel.clone())
    }

    pub fn blocks(&self) -> BlocksClient<Channel> {
        BlocksClient::new(self.channel.clone())
    }

    pub fn operations(&self) -> OperationsClient<Channel> {
        OperationsClient::new(self.channel.clone())
    }
}

/// A node's error report.
#[derive(Debug, serde::Deserialize, PartialEq, Eq)]
pub struct Report {
    pub kind: String,
    pub number: u16,
    pub name: String,
    pub sentence: String,
    pub hint: String,
    pub article: String,
}

/// The report of a refusal.
pub fn report(status: &tonic::Status) -> Report {
    let trailer = status.metadata().get("cets-error");
    let trailer = trailer.unwrap_or_else(|| panic!("no report: {status:?}"));
    serde_json::from_str(trailer.to_str().unwrap()).unwrap()
}
