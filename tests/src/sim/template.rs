//! The ledger that every seed starts from: made once, then shared.

use std::path::Path;
use std::sync::Arc;

use cets_consensus::simulation::Device;
use cets_consensus::{BuildLimits, Ledger as _};
use cets_contracts::block::{Certificate, CommitSignature, VoteStep, vote_sign_bytes};
use cets_contracts::genesis::Genesis;
use cets_contracts::rules::Payload;
use cets_contracts::types::{BlockTime, ChainId, Signature, ValidatorAddress};
use cets_node::clock::SetClock;
use cets_node::ledger::{KeepRules, LedgerSettings, NodeLedger};
use cets_node::mempool::{Mempool, MempoolLimits, Origin};
use cets_node::store::{SimulatedDisk, Store};
use ed25519_dalek::Signer as _;
use std::time::Duration;

use super::Oracle;
use crate::fixture::{self, GENESIS_MILLIS, People, signing_key};
use crate::model::Model;
use crate::workload::{Draft, Workload, parameters};

/// Blocks of the ledger that seeds start from.
const BLOCKS: u64 = 8;
/// Orders tried for each of them.
const ORDERS: usize = 60;

/// Label of the consensus key of a node; keys change.
pub fn key_label(node: u16, turn: u32) -> String {
    match turn {
        0 => format!("consensus/{}", node + 1),
        _ => format!("consensus/{}/{turn}", node + 1),
    }
}

/// How nodes of a simulation build blocks: nothing depends on the machine's clock.
pub fn settings() -> LedgerSettings {
    LedgerSettings {
        block_build_time_max: Duration::from_secs(100_000),
        idle_block_interval: Duration::ZERO,
        block_transactions_max: 40,
        ..LedgerSettings::default()
    }
}

/// States are not kept: that is a thread's work.
pub fn keeps_nothing() -> KeepRules {
    KeepRules { keep_deadlines: false, ..KeepRules::default() }
}

/// A draft that does not change the validators: simulations do that themselves.
pub fn draft(workload: &mut Workload, model: &Model, chain_id: ChainId) -> Draft {
    loop {
        let draft = workload.draft(model, chain_id);
        let order = match &draft.body.payload {
            Payload::Propose(proposal) => proposal.order.as_ref(),
            order => order,
        };
        if !matches!(order, Payload::SetValidators(_)) {
            return draft;
        }
    }
}

/// A ledger with some history, shared by all seeds of a number of validators.
#[derive(Debug)]
pub struct Template {
    /// Its genesis document.
    pub genesis: Genesis,
    /// What is stored.
    pub disk: SimulatedDisk,
    /// What the oracle knows.
    pub oracle: Oracle,
    /// The generator of orders.
    pub workload: Workload,
    /// Time of the newest block.
    pub now: BlockTime,
}

impl Template {
    /// Makes the ledger.
    pub fn new(validators: u16, block_interval_millis: u32) -> Self {
        cets_consensus::simulation::remember_signatures();
        cets_node::simulation::remember_envelopes();
        let mut people = People::default();
        let mut genesis = fixture::genesis(&mut people, parameters());
        genesis.validators = (1..=u64::from(validators)).map(fixture::validator).collect();
        genesis.block_interval_millis = block_interval_millis;
        let disk = SimulatedDisk::new(Device::default(), Path::new("simulated/template"));
        let clock = SetClock::new(BlockTime::from_millis(GENESIS_MILLIS));
        let mut template = Self {
            oracle: Oracle::new(&genesis),
            workload: Workload::new(u64::from(validators), people),
            now: genesis.time,
            genesis,
            disk,
        };
        template.fill(&clock);
        template
    }

    fn fill(&mut self, clock: &SetClock) {
        let store = Store::simulated(self.disk.clone()).unwrap();
        let state = NodeLedger::load(&store, &self.genesis).unwrap();
        let shared: Arc<SetClock> = Arc::new(clock.clone());
        let limits = MempoolLimits::default();
        let (mempool, _) = Mempool::without_threads(limits, state.clone(), shared.clone());
        let settings = LedgerSettings { block_transactions_max: ORDERS, ..settings() };
        let (pool, known) = (mempool.clone(), state.clone());
        let ledger =
            NodeLedger::new(settings, &self.genesis, store.clone(), state, mempool, shared)
                .unwrap()
                .keeping(keeps_nothing());
        let chain_id = self.genesis.chain_id();
        let proposer = self.genesis.validators[0].address();
        for _ in 0..BLOCKS {
            clock.advance(1_000);
            for _ in 0..ORDERS {
                let draft = draft(&mut self.workload, &self.oracle.model, chain_id);
                let signed = self.workload.people.sign(draft.body).encode();
                pool.submit_in_place(vec![signed], Origin::Client);
            }
            let height = ledger.tip().unwrap().next();
            let block = ledger.propose(height, 0, proposer, BuildLimits::NO_WAITING).unwrap();
            let certificate = self.certify(height, block.id);
            ledger.commit(&certificate).unwrap();
            self.oracle.observe("template", &store, &known, height);
        }
        assert_eq!(self.oracle.violations, Vec::<String>::new());
        self.now = known.read().state.tip.time;
    }

    fn certify(
        &self,
        height: cets_contracts::types::Height,
        id: cets_contracts::types::BlockId,
    ) -> Certificate {
        let chain_id = self.genesis.chain_id();
        let message = vote_sign_bytes(chain_id, VoteStep::Precommit, height, 0, Some(id));
        let count = self.genesis.validators.len() as u16;
        let mut signatures: Vec<CommitSignature> = (0..count)
            .map(|node| {
                let key = signing_key(&key_label(node, 0));
                let validator: ValidatorAddress =
                    self.genesis.validators[usize::from(node)].address();
                let signature = Signature::new(key.sign(&message).to_bytes());
                CommitSignature { validator, signature }
            })
            .collect();
        signatures.sort_by_key(|signed| signed.validator);
        Certificate { height, round: 0, block_id: id, signatures }
    }
}
