//! What must hold, whatever happens: looked at after every commit of every honest node.

use std::collections::BTreeMap;

use cets_contracts::block::{
    Certificate, Header, Outcome, Validator, ValidatorSet, VoteStep, vote_sign_bytes,
};
use cets_contracts::genesis::Genesis;
use cets_contracts::invariants;
use cets_contracts::tx::Transaction;
use cets_contracts::types::{BlockId, ChainId, Height, TxId};
use cets_node::read::{FinalTransaction, SharedState};
use cets_node::store::{Store, StoreError, StoredBlock};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::model::{Model, Seen, Verdict};

/// Every so many heights, the whole state is held against the model and the invariants.
const WHOLE_STATE_EVERY: u64 = 10;

/// A decided height.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Its block.
    pub id: BlockId,
    /// Who decided it.
    pub validators: ValidatorSet,
}

/// Watches all nodes.
#[derive(Clone, Debug)]
pub struct Oracle {
    chain_id: ChainId,
    /// The naive ledger after the newest height.
    pub model: Model,
    /// All heights from 1.
    pub decided: Vec<Decided>,
    /// Who decides the next height.
    pub validators: ValidatorSet,
    /// Where each transaction is ordered.
    pub ordered: BTreeMap<TxId, Height>,
    /// What clients were told is final.
    pub acknowledged: BTreeMap<TxId, Height>,
    /// What does not hold.
    pub violations: Vec<String>,
    /// Whether [`Self::observe`] could not read something that a fault damaged.
    pub unreadable: u64,
}

fn canonical(members: &[Validator]) -> ValidatorSet {
    ValidatorSet::new(members.to_vec()).expect("the model takes validator sets only")
}

impl Oracle {
    /// An oracle before the first block.
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            chain_id: genesis.chain_id(),
            model: Model::new(genesis),
            decided: Vec::new(),
            validators: canonical(&genesis.validators),
            ordered: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            violations: Vec::new(),
            unreadable: 0,
        }
    }

    /// The newest decided height.
    pub fn tip(&self) -> Height {
        Height::new(self.decided.len() as u64)
    }

    /// Something does not hold.
    pub fn violated(&mut self, what: String) {
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// A node committed a height.
    pub fn observe(&mut self, who: &str, store: &Store, state: &SharedState, height: Height) {
        let seen = if height > self.tip() {
            self.first(who, store, state, height)
        } else {
            self.again(who, store, height)
        };
        if let Err(error) = seen {
            // Damage that shows itself is no violation; the node stops when it meets it.
            self.unreadable += 1;
            let _: StoreError = error;
        }
    }

    /// Another node has a height that is known: same block, a certificate of its own.
    fn again(&mut self, who: &str, store: &Store, height: Height) -> Result<(), StoreError> {
        let known = self.decided[height.get() as usize - 1].clone();
        let Some(header) = store.header(height)? else {
            self.violated(format!("{who} lost the header of {height}"));
            return Ok(());
        };
        if header.id() != known.id {
            let id = header.id();
            self.violated(format!("AGREEMENT: {who} has {id} at {height}, others {}", known.id));
            return Ok(());
        }
        let Some(certificate) = store.certificate(height)? else {
            self.violated(format!("{who} has no certificate of {height}"));
            return Ok(());
        };
        self.certified(who, &certificate, known.id, &known.validators);
        Ok(())
    }

    /// A quorum of the validators of a height signed its block; by the crate's own check and by
    /// one that shares nothing with it.
    fn certified(&mut self, who: &str, it: &Certificate, id: BlockId, set: &ValidatorSet) {
        if let Err(error) = it.verify(self.chain_id, id, set) {
            self.violated(format!("CERTIFICATE: {who}: {error}"));
        }
        let step = VoteStep::Precommit;
        let message = vote_sign_bytes(self.chain_id, step, it.height, it.round, Some(id));
        let has_signed = |member: &&Validator| {
            let mut of_member = it.signatures.iter().filter(|it| it.validator == member.address());
            let signed = of_member.next().zip(of_member.next().is_none().then_some(()));
            signed.is_some_and(|(signed, ())| {
                let signature = Signature::from_bytes(signed.signature.as_bytes());
                VerifyingKey::from_bytes(member.consensus_key.as_bytes())
                    .is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
            })
        };
        let signed: u64 = set.members().iter().filter(has_signed).map(|it| it.power).sum();
        let all: u64 = set.members().iter().map(|member| member.power).sum();
        if it.block_id != id || signed * 3 <= all * 2 {
            let height = it.height;
            self.violated(format!("CERTIFICATE: {who} at {height}: {signed} of {all} signed"));
        }
    }

    /// The first node that has a height.
    fn first(
        &mut self,
        who: &str,
        store: &Store,
        state: &SharedState,
        height: Height,
    ) -> Result<(), StoreError> {
        if height != self.tip().next() {
            self.violated(format!("{who} has {height}, the height before is nobody's"));
            return Ok(());
        }
        let Some(block) = store.block(height)? else {
            self.violated(format!("{who} lost the block {height}"));
            return Ok(());
        };
        let header = block.block.header.clone();
        let validators = self.validators.clone();
        self.certified(who, &block.certificate, header.id(), &validators);
        self.linked(who, &header, height);
        self.carried_out(who, &block);
        self.validators = canonical(&self.model.validators);
        if self.validators.digest() != header.next_validators {
            self.violated(format!("AUTHORITY: the validators after {height} are not the model's"));
        }
        let committed = state.read();
        if committed.state.tip.height == height && committed.state.root() != header.state_root {
            let root = committed.state.root();
            self.violated(format!("{who}: root {root} in memory, {} signed", header.state_root));
        }
        self.decided.push(Decided { id: header.id(), validators });
        if height.get().is_multiple_of(WHOLE_STATE_EVERY) {
            drop(committed);
            self.whole_state(who, state);
        }
        Ok(())
    }

    fn linked(&mut self, who: &str, header: &Header, height: Height) {
        let parent = self.decided.last().map_or(BlockId::new([0; 32]), |last| last.id);
        if header.height != height || header.parent != parent {
            self.violated(format!("{who}: the block of {height} does not follow its parent"));
        }
        if self.validators.by_address(&header.proposer).is_none() {
            self.violated(format!("AUTHORITY: {height} was proposed by no validator"));
        }
    }

    /// Every order has the answer that the model gives it.
    fn carried_out(&mut self, who: &str, stored: &StoredBlock) {
        let height = stored.block.header.height;
        self.model.start_block(stored.block.header.time);
        if stored.block.transactions.len() != stored.receipts.len() {
            self.violated(format!("{who}: {height} has not one receipt per transaction"));
        }
        for (bytes, receipt) in stored.block.transactions.iter().zip(&stored.receipts) {
            let transaction = match Transaction::decode(bytes.clone()) {
                Ok(transaction) => transaction,
                Err(error) => {
                    self.violated(format!("{who}: {height} holds no transaction: {error}"));
                    continue;
                }
            };
            let (id, body) = (transaction.id(), transaction.body());
            let expected = self.model.take(Seen { id, body, signers: &body.signers });
            let found = match &receipt.outcome {
                Outcome::Accepted => Verdict::Accepted,
                Outcome::Rejected(reject) => Verdict::Refused(reject.number),
            };
            if found != expected {
                let rule = body.payload.rule().name;
                self.violated(format!(
                    "RULE: {rule} {id} at {height}: ledger {found:?}, model {expected:?}"
                ));
            }
            if let Some(before) = self.ordered.insert(id, height) {
                self.violated(format!("{id} is ordered at {before} and at {height}"));
            }
        }
    }

    /// Invariants of the whole state, and the model's view of it.
    pub fn whole_state(&mut self, who: &str, state: &SharedState) {
        let committed = state.read();
        if committed.state.tip.height != self.tip() {
            return;
        }
        let height = self.tip();
        for violation in invariants::check(&committed.state) {
            self.violated(format!("INVARIANT: {who} at {height}: {violation:?}"));
        }
        for difference in self.model.differences(&committed.state) {
            self.violated(format!("MODEL: {who} at {height}: {difference}"));
        }
        for serial in self.model.serials_elsewhere(&committed.state).0 {
            self.violated(format!("SERIAL: {who} at {height}: {serial}"));
        }
    }

    /// A node told a client that its order is final.
    pub fn acknowledge(&mut self, who: &str, id: TxId, answer: &FinalTransaction) {
        if self.ordered.get(&id) != Some(&answer.height) {
            let at = answer.height;
            self.violated(format!("ACKNOWLEDGED: {who} says {id} is final at {at}; it is not"));
        }
        self.acknowledged.insert(id, answer.height);
    }

    /// Everything a node holds at the end, up to a height.
    pub fn at_end(&mut self, who: &str, store: &Store, state: &SharedState, last: Height) {
        for (number, known) in (1..=last.get()).zip(self.decided.clone()) {
            match store.header(Height::new(number)) {
                Ok(Some(header)) if header.id() == known.id => {}
                Ok(other) => {
                    let found = other.map(|header| header.id());
                    self.violated(format!("AGREEMENT: {who} has {found:?} at {number}"));
                }
                Err(error) => self.violated(format!("{who} at the end: {error}")),
            }
        }
        for (id, height) in self.acknowledged.clone() {
            if height > last {
                continue;
            }
            match store.transaction_index(&id) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.violated(format!("LOST: {who} does not know {id}, final at {height}"));
                }
                Err(error) => self.violated(format!("{who} at the end: {error}")),
            }
        }
        self.whole_state(who, state);
    }
}
