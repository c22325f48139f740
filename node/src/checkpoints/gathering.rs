//! What a node knows of the cosignatures on its own log.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cets_contracts::block::Header;
use cets_contracts::genesis::Genesis;
use cets_contracts::transparency::{Checkpoint, Cosignature, origin};
use cets_contracts::types::{Height, PublicKey, Signature};
use ed25519_dalek::{Signer as _, SigningKey};
use tokio::sync::watch;

use super::forks::Contraries;
use super::served::{Gathered, ServedCheckpoint};
use super::vote::{CheckpointVote, VOTES_PER_MESSAGE_MAX};
use crate::metrics;
use crate::read::SharedState;
use crate::store::{CosignedMark, Store, StoreError};

/// Checkpoints above the served one that gather cosignatures at a time; the oldest go first.
const GATHERED_MAX: usize = 16;
/// Checkpoints below the served one whose cosignatures are still compared.
const PAST_MAX: usize = 16;

/// The checkpoints of a node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Checkpoints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    state: SharedState,
    origin: String,
    gathering: Mutex<Gathering>,
    served: watch::Sender<Option<Arc<ServedCheckpoint>>>,
}

#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// By size; none is smaller than the served one, which is among them.
    gathered: BTreeMap<u64, Gathered>,
    /// By size; the newest below the served one, of which only contradictions still matter.
    pub(super) past: BTreeMap<u64, Gathered>,
    /// The newest cosignature of each validator on a log longer than this node's.
    early: BTreeMap<PublicKey, CheckpointVote>,
    /// Cosignatures on other logs.
    pub(super) contraries: Contraries,
    /// Cosignatures of others that peers may not have; the oldest go first.
    fresh: VecDeque<CheckpointVote>,
}

/// What became of a cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Counted for the first time.
    Fresh,
    /// Known already, or nothing that counts, or of no use any more.
    Known,
    /// No correct node would have passed it on.
    Garbage,
}

impl Checkpoints {
    /// Checkpoints of a ledger: the newest that had a quorum before the node stopped is served.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(store: Store, state: SharedState, genesis: &Genesis) -> Result<Self, StoreError> {
        let checkpoints = Self(Arc::new(Shared {
            store,
            state,
            origin: origin(&genesis.network, genesis.chain_id()),
            gathering: Mutex::default(),
            served: watch::channel(None).0,
        }));
        let Some(stored) = checkpoints.0.store.served_checkpoint()? else { return Ok(checkpoints) };
        let mut gathering = checkpoints.gathering();
        let votes = stored.cosignatures.iter().map(|cosignature| CheckpointVote {
            size: stored.size,
            root: stored.root,
            cosignature: *cosignature,
        });
        // Checked like those of others: the folder may have been changed while the node was off.
        for vote in votes {
            checkpoints.take(&mut gathering, &vote)?;
        }
        gathering.fresh.clear();
        drop(gathering);
        Ok(checkpoints)
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The newest checkpoint with a quorum.
    pub fn served(&self) -> Option<Arc<ServedCheckpoint>> {
        self.0.served.borrow().clone()
    }

    /// The newest checkpoint with a quorum, renewed as it changes.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<ServedCheckpoint>>> {
        self.0.served.subscribe()
    }

    /// Cosignatures for a peer that connects: the served checkpoint's and the newer ones, the
    /// newest of them first.
    pub fn for_welcome(&self) -> Vec<CheckpointVote> {
        let gathering = self.gathering();
        let votes = gathering.gathered.values().rev().flat_map(Gathered::votes);
        votes.take(VOTES_PER_MESSAGE_MAX).collect()
    }

    /// Cosignatures of others that were counted, or found to contradict each other, since the
    /// last call: each is given once, so that peers without a way to its author get it.
    pub fn take_fresh(&self) -> Vec<CheckpointVote> {
        self.gathering().fresh.drain(..).collect()
    }

    /// Takes cosignatures that a peer sent and says how many no correct node would have sent.
    /// Blocks: it verifies and reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn receive(&self, votes: &[CheckpointVote]) -> Result<u32, StoreError> {
        let mut gathering = self.gathering();
        let mut garbage = 0u32;
        for vote in votes {
            match self.take(&mut gathering, vote)? {
                Taken::Fresh => gathering.pass_on(*vote),
                Taken::Known => {}
                Taken::Garbage => garbage = garbage.saturating_add(1),
            }
        }
        Ok(garbage)
    }

    /// Begins to gather for the newest checkpoint of the log, takes what came early, and returns
    /// this node's own cosignature when it has one to give. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn advance(&self, key: Option<&SigningKey>) -> Result<Option<CheckpointVote>, StoreError> {
        let Some(height) = self.newest_cosigned_height()? else { return Ok(None) };
        let mut gathering = self.gathering();
        let Some(gathered) = self.gather(&mut gathering, height)? else { return Ok(None) };
        let (checkpoint, time) = (gathered.checkpoint.clone(), gathered.time);
        let own = key.map(|key| (key, PublicKey::new(key.verifying_key().to_bytes())));
        let own = own.filter(|(_, public)| gathered.is_by_validator(public));
        self.take_early(&mut gathering)?;
        self.show();
        let Some((key, public)) = own else { return Ok(None) };
        if !self.may_sign(&checkpoint)? {
            return Ok(None);
        }
        let sign = |message: &[u8]| Signature::new(key.sign(message).to_bytes());
        let cosignature = Cosignature::sign(&checkpoint, time, public, sign);
        let Checkpoint { size, root, .. } = checkpoint;
        let vote = CheckpointVote { size, root, cosignature };
        self.take(&mut gathering, &vote)?;
        self.show();
        metrics::set("cets_checkpoint_own_entries", size);
        Ok(Some(vote))
    }

    /// Whether this node may cosign a checkpoint; keeps that it does before it does.
    fn may_sign(&self, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let mark = CosignedMark { size: checkpoint.size, root: checkpoint.root };
        match self.0.store.cosigned_mark()? {
            Some(before) if before == mark => Ok(true),
            Some(before) if before.size >= mark.size => {
                tracing::error!(
                    size = mark.size, root = %mark.root,
                    cosigned_size = before.size, cosigned_root = %before.root,
                    "this log contradicts or precedes what was cosigned before; not cosigned"
                );
                Ok(false)
            }
            _ => self.0.store.save_cosigned_mark(&mark).map(|()| true),
        }
    }

    /// Height of the newest block that begins a second of block time.
    fn newest_cosigned_height(&self) -> Result<Option<Height>, StoreError> {
        let tip = self.0.state.read().state.tip.height;
        let Some(mut header) = self.0.store.header(tip)? else { return Ok(None) };
        while !self.begins_second(&header)? {
            let Some(before) = self.parent(&header)? else { return Ok(None) };
            header = before;
        }
        Ok(Some(header.height))
    }

    fn begins_second(&self, header: &Header) -> Result<bool, StoreError> {
        let Some(before) = self.parent(header)? else { return Ok(true) };
        Ok(Cosignature::seconds_of(header.time) > Cosignature::seconds_of(before.time))
    }

    fn parent(&self, header: &Header) -> Result<Option<Header>, StoreError> {
        let parent = header.height.get().checked_sub(1).map(Height::new);
        parent.map_or(Ok(None), |parent| self.0.store.header(parent))
    }

    /// The checkpoint of a height in the gathering, added when it is not there; none when it is
    /// older than the served one.
    fn gather<'a>(
        &self,
        gathering: &'a mut Gathering,
        height: Height,
    ) -> Result<Option<&'a mut Gathered>, StoreError> {
        let Some(header) = self.0.store.header(height)? else { return Ok(None) };
        let size = header.log_size.saturating_add(1);
        if self.served().is_some_and(|served| served.size > size) {
            return Ok(None);
        }
        if let Entry::Vacant(place) = gathering.gathered.entry(size) {
            let Some(validators) = self.0.store.validators(height)? else { return Ok(None) };
            let root = self.0.store.log_root(size)?;
            let checkpoint = Checkpoint { origin: self.0.origin.clone(), size, root };
            let (time, cosignatures) = (header.time, BTreeMap::new());
            place.insert(Gathered { height, time, checkpoint, validators, cosignatures });
            gathering.bound(self.served().map(|served| served.size));
        }
        Ok(gathering.gathered.get_mut(&size))
    }

    /// Takes one cosignature: cheap checks first, the signature last.
    fn take(&self, gathering: &mut Gathering, vote: &CheckpointVote) -> Result<Taken, StoreError> {
        let size = vote.size;
        if self.served().is_some_and(|served| served.size > size) {
            return self.take_past(gathering, vote);
        }
        if size > self.0.state.read().state.log.size() {
            return self.take_ahead(gathering, vote);
        }
        let header = self.0.store.header_ending(size)?;
        let Some(header) = header else { return self.refuse(gathering, vote) };
        if !self.begins_second(&header)? {
            return self.refuse(gathering, vote);
        }
        let Some(gathered) = self.gather(gathering, header.height)? else {
            return Ok(Taken::Known);
        };
        let key = vote.cosignature.cosigner;
        let own = gathered.vote_of(&key);
        if vote.root != gathered.checkpoint.root {
            if !gathered.is_by_validator(&key) {
                return Ok(Taken::Garbage);
            }
            return self.take_contrary(gathering, vote, own);
        }
        if own.is_some() {
            return Ok(Taken::Known);
        }
        let on_time = vote.cosignature.seconds == Cosignature::seconds_of(gathered.time);
        if !on_time || !gathered.is_by_validator(&key) || !self.is_signed(vote) {
            return Ok(Taken::Garbage);
        }
        gathered.cosignatures.insert(key, vote.cosignature);
        self.compare_with_contrary(gathering, vote)?;
        self.serve_if_quorum(gathering, size)?;
        Ok(Taken::Fresh)
    }

    /// A cosignature on a size that ends no cosigned checkpoint here.
    fn refuse(
        &self,
        gathering: &mut Gathering,
        vote: &CheckpointVote,
    ) -> Result<Taken, StoreError> {
        if self.is_by_present_validator(vote)? {
            return self.take_contrary(gathering, vote, None);
        }
        Ok(Taken::Garbage)
    }

    /// A cosignature on a longer log: kept until this node is as far, the newest of each key.
    fn take_ahead(
        &self,
        gathering: &mut Gathering,
        vote: &CheckpointVote,
    ) -> Result<Taken, StoreError> {
        let key = vote.cosignature.cosigner;
        let known = gathering.early.get(&key).copied();
        let contradicted = known.filter(|one| one.size == vote.size && one.root != vote.root);
        if contradicted.is_none() && known.is_some_and(|known| known.size >= vote.size) {
            return Ok(Taken::Known);
        }
        // A node far behind does not know later validators yet, and nobody is to blame for that.
        if !self.is_by_present_validator(vote)? {
            return Ok(Taken::Known);
        }
        if contradicted.is_some() {
            return self.take_contrary(gathering, vote, contradicted);
        }
        if !self.is_signed(vote) {
            return Ok(Taken::Garbage);
        }
        gathering.early.insert(key, *vote);
        Ok(Taken::Known)
    }

    fn take_early(&self, gathering: &mut Gathering) -> Result<(), StoreError> {
        let log_size = self.0.state.read().state.log.size();
        let reached = gathering.early.extract_if(.., |_, vote| vote.size <= log_size);
        let reached: Vec<CheckpointVote> = reached.map(|(_, vote)| vote).collect();
        for vote in reached {
            if self.take(gathering, &vote)? == Taken::Fresh {
                gathering.pass_on(vote);
            }
        }
        Ok(())
    }

    fn is_by_present_validator(&self, vote: &CheckpointVote) -> Result<bool, StoreError> {
        let next = self.0.state.read().state.tip.height.next();
        let validators = self.0.store.validators(next)?;
        Ok(validators.is_some_and(|set| {
            set.members().iter().any(|member| member.cosigner_key == vote.cosignature.cosigner)
        }))
    }

    pub(super) fn is_signed(&self, vote: &CheckpointVote) -> bool {
        vote.cosignature.verify(&vote.checkpoint(&self.0.origin))
    }

    /// Serves and keeps a checkpoint that has a quorum; older ones are forgotten.
    fn serve_if_quorum(&self, gathering: &mut Gathering, size: u64) -> Result<(), StoreError> {
        let Some(gathered) = gathering.gathered.get(&size).filter(|one| one.has_quorum()) else {
            return Ok(());
        };
        let served = match gathered.serve() {
            Ok(served) => served,
            Err(error) => {
                tracing::error!(size, %error, "a checkpoint cannot be written as a note");
                return Ok(());
            }
        };
        self.0.store.save_served_checkpoint(&gathered.stored())?;
        self.0.served.send_replace(Some(Arc::new(served)));
        gathering.set_past(size);
        Ok(())
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Shows the served checkpoint in the figures.
    fn show(&self) {
        let served = self.served().map_or(0, |served| served.size);
        let log_size = self.0.state.read().state.log.size();
        metrics::set("cets_checkpoint_entries", served);
        metrics::set("cets_checkpoint_lag_entries", log_size.saturating_sub(served));
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        self.0.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathering {
    /// Forgets the oldest checkpoints above the served one when there are too many.
    fn bound(&mut self, served: Option<u64>) {
        while self.gathered.len() > GATHERED_MAX {
            let oldest = self.gathered.keys().copied().find(|size| Some(*size) != served);
            let Some(oldest) = oldest else { return };
            self.gathered.remove(&oldest);
        }
    }

    /// Puts away the checkpoints below one that is served.
    fn set_past(&mut self, served: u64) {
        let newer = self.gathered.split_off(&served);
        self.past.append(&mut std::mem::replace(&mut self.gathered, newer));
        while self.past.len() > PAST_MAX {
            self.past.pop_first();
        }
    }

    /// Remembers to pass a cosignature on; the oldest are forgotten when there are too many.
    pub(super) fn pass_on(&mut self, vote: CheckpointVote) {
        self.fresh.push_back(vote);
        while self.fresh.len() > VOTES_PER_MESSAGE_MAX {
            self.fresh.pop_front();
        }
    }
}
