//! What a node knows of the cosignatures on its own log.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cets_contracts::block::Header;
use cets_contracts::genesis::Genesis;
use cets_contracts::transparency::{Checkpoint, Cosignature, origin};
use cets_contracts::types::{Height, PublicKey, Signature};
use ed25519_dalek::{Signer as _, SigningKey};
use tokio::sync::watch;

use super::served::{Gathered, ServedCheckpoint};
use super::vote::{CheckpointVote, VOTES_PER_MESSAGE_MAX};
use crate::metrics;
use crate::read::SharedState;
use crate::store::{CosignedMark, Store, StoreError};

/// Checkpoints above the served one that gather cosignatures at a time; the oldest go first.
const GATHERED_MAX: usize = 16;

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
struct Gathering {
    /// By size; none is smaller than the served one, which is among them.
    gathered: BTreeMap<u64, Gathered>,
    /// The newest cosignature of each validator on a log longer than this node's.
    early: BTreeMap<PublicKey, CheckpointVote>,
}

/// What became of a cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// Counted, or known already, or of no use any more.
    Fine,
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
        let votes = gathering.gathered.values().rev().flat_map(|gathered| {
            gathered.cosignatures.values().map(|cosignature| CheckpointVote {
                size: gathered.checkpoint.size,
                root: gathered.checkpoint.root,
                cosignature: *cosignature,
            })
        });
        votes.take(VOTES_PER_MESSAGE_MAX).collect()
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
            if self.take(&mut gathering, vote)? == Taken::Garbage {
                garbage = garbage.saturating_add(1);
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
            return Ok(Taken::Fine);
        }
        if size > self.0.state.read().state.log.size() {
            return self.take_ahead(gathering, vote);
        }
        let header = self.0.store.header_ending(size)?;
        let Some(header) = header else { return self.refuse(vote) };
        if !self.begins_second(&header)? {
            return self.refuse(vote);
        }
        let Some(gathered) = self.gather(gathering, header.height)? else {
            return Ok(Taken::Fine);
        };
        let key = vote.cosignature.cosigner;
        let known = gathered.cosignatures.get(&key);
        if known.is_some() && vote.root == gathered.checkpoint.root {
            return Ok(Taken::Fine);
        }
        if !gathered.is_by_validator(&key) || !self.is_signed(vote) {
            return Ok(Taken::Garbage);
        }
        if vote.root != gathered.checkpoint.root {
            report_fork(vote, &gathered.checkpoint);
            return Ok(Taken::Fine);
        }
        if vote.cosignature.seconds != Cosignature::seconds_of(gathered.time) {
            return Ok(Taken::Garbage);
        }
        gathered.cosignatures.insert(key, vote.cosignature);
        self.serve_if_quorum(gathering, size)?;
        Ok(Taken::Fine)
    }

    /// A cosignature on a size that ends no cosigned checkpoint here.
    fn refuse(&self, vote: &CheckpointVote) -> Result<Taken, StoreError> {
        if self.is_by_present_validator(vote)? && self.is_signed(vote) {
            tracing::error!(
                size = vote.size, root = %vote.root, cosigner = %vote.cosignature.cosigner,
                "a validator cosigned a size that no checkpoint of this log has; compare the \
                 ledgers of the nodes (cets audit compare)"
            );
            metrics::add("cets_checkpoint_conflicts_total", 1);
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
        if gathering.early.get(&key).is_some_and(|known| known.size >= vote.size) {
            return Ok(Taken::Fine);
        }
        // A node far behind does not know later validators yet, and nobody is to blame for that.
        if !self.is_by_present_validator(vote)? {
            return Ok(Taken::Fine);
        }
        if !self.is_signed(vote) {
            return Ok(Taken::Garbage);
        }
        gathering.early.insert(key, *vote);
        Ok(Taken::Fine)
    }

    fn take_early(&self, gathering: &mut Gathering) -> Result<(), StoreError> {
        let log_size = self.0.state.read().state.log.size();
        let reached = gathering.early.extract_if(.., |_, vote| vote.size <= log_size);
        let reached: Vec<CheckpointVote> = reached.map(|(_, vote)| vote).collect();
        for vote in reached {
            self.take(gathering, &vote)?;
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

    fn is_signed(&self, vote: &CheckpointVote) -> bool {
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
        gathering.gathered.retain(|other, _| *other >= size);
        Ok(())
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
}

fn report_fork(vote: &CheckpointVote, own: &Checkpoint) {
    metrics::add("cets_checkpoint_conflicts_total", 1);
    tracing::error!(
        size = vote.size, root = %vote.root, own_root = %own.root,
        cosigner = %vote.cosignature.cosigner, signature = %vote.cosignature.signature,
        "a validator cosigned another log: the ledger is forked or a cosigner key is misused; \
         compare the ledgers of the nodes (cets audit compare)"
    );
}
