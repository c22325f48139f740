//! The double-sign guard: one statement per height, round and step, whatever happens to the WAL.
//!
//! The engine signs, appends to its write-ahead log, flushes it and only then publishes. The
//! guard stands between the last two: marks of what was signed are synced to the ledger after
//! the flush and before the publication. So a mark on disk implies that the log holds the
//! statement, and a restart from an intact log repeats the same statement. A conflict with a
//! mark therefore means that the log was lost, reset or belongs to an older copy of the node,
//! and the only safe answer is not to sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cets_contracts::types::{Digest, Height};
use tokio::sync::Notify;

use crate::evidence::SignedStep;
use crate::ledger::{Ledger, LedgerFault};

/// Length of [`GuardMark::to_key`] in bytes.
pub const GUARD_KEY_BYTES: usize = 13;

/// What this validator signed at a height, round and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardMark {
    /// Height of the statement.
    pub height: Height,
    /// Round of the statement.
    pub round: u32,
    /// Step of the statement.
    pub step: SignedStep,
    /// BLAKE3 of the sign bytes.
    pub statement: Digest,
}

impl GuardMark {
    /// Key in the store: height, round (both big-endian) and step, so that keys sort by height.
    pub fn to_key(&self) -> [u8; GUARD_KEY_BYTES] {
        let mut key = [0u8; GUARD_KEY_BYTES];
        key[..8].copy_from_slice(&self.height.get().to_be_bytes());
        key[8..12].copy_from_slice(&self.round.to_be_bytes());
        key[12] = self.step.tag();
        key
    }

    /// Value in the store.
    pub const fn to_value(&self) -> [u8; Digest::LEN] {
        *self.statement.as_bytes()
    }

    /// The mark of a key and a value, or nothing when they are not those of a mark.
    pub fn from_parts(key: &[u8], value: &[u8]) -> Option<Self> {
        let key: &[u8; GUARD_KEY_BYTES] = key.try_into().ok()?;
        let (height, rest) = key.split_first_chunk::<8>()?;
        let (round, rest) = rest.split_first_chunk::<4>()?;
        let [step] = rest else { return None };
        Some(Self {
            height: Height::new(u64::from_be_bytes(*height)),
            round: u32::from_be_bytes(*round),
            step: SignedStep::from_tag(*step)?,
            statement: Digest::new(value.try_into().ok()?),
        })
    }
}

/// The signature that was asked for would contradict one already given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "refused to sign a second, different {step} for height {height}, round {round}: the consensus \
     log of this height is lost or older than the double-sign guard"
)]
pub struct DoubleSign {
    /// Height of the refused statement.
    pub height: Height,
    /// Round of the refused statement.
    pub round: u32,
    /// Step of the refused statement.
    pub step: SignedStep,
}

/// Why the guard did not let a signature out.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It would be a double signature.
    #[error(transparent)]
    DoubleSign(#[from] DoubleSign),
    /// The mark could not be saved; [`Guard::take_fault`] says why.
    #[error("the double-sign guard could not be saved")]
    NotSaved,
}

#[derive(Debug, Default)]
struct Marks {
    /// Height of all marks; nothing is signed below it.
    height: Height,
    /// What was signed at that height.
    signed: BTreeMap<(u32, SignedStep), Digest>,
    /// Marks not yet saved.
    unsaved: Vec<GuardMark>,
    /// While the log is replayed nothing is flushed, so marks are saved at once.
    replaying: bool,
    /// The last refusal.
    refused: Option<DoubleSign>,
    /// The last failure to save.
    fault: Option<LedgerFault>,
}

/// Remembers what this validator signed and refuses to contradict it.
pub struct Guard {
    ledger: Arc<dyn Ledger>,
    marks: Mutex<Marks>,
    /// Rings when a signature was refused or a mark could not be saved.
    alarm: Notify,
}

impl Guard {
    /// A guard that knows what the ledger remembers.
    pub fn load(ledger: Arc<dyn Ledger>) -> Result<Self, LedgerFault> {
        let mut marks = Marks::default();
        let saved = ledger.load_guard()?;
        marks.height = saved.iter().map(|mark| mark.height).max().unwrap_or_default();
        for mark in saved.iter().filter(|mark| mark.height == marks.height) {
            marks.signed.insert((mark.round, mark.step), mark.statement);
        }
        Ok(Self { ledger, marks: Mutex::new(marks), alarm: Notify::new() })
    }

    /// Height of the newest mark, when there is one.
    pub fn height(&self) -> Option<Height> {
        let marks = self.lock();
        (!marks.signed.is_empty()).then_some(marks.height)
    }

    /// Admits a statement before it is signed.
    ///
    /// The same statement is admitted any number of times, another for the same height, round and
    /// step never, and nothing at a lower height than the newest mark.
    pub fn admit(
        &self,
        height: Height,
        round: u32,
        step: SignedStep,
        message: &[u8],
    ) -> Result<(), GuardError> {
        let statement = Digest::new(*blake3::hash(message).as_bytes());
        let mut marks = self.lock();
        let known = marks.signed.get(&(round, step));
        let contradicts = height == marks.height && known.is_some_and(|known| *known != statement);
        if height < marks.height || contradicts {
            let refused = DoubleSign { height, round, step };
            marks.refused = Some(refused);
            self.alarm.notify_one();
            return Err(refused.into());
        }
        if height > marks.height {
            marks.height = height;
            marks.signed.clear();
            marks.unsaved.clear();
        }
        if marks.signed.contains_key(&(round, step)) {
            return Ok(());
        }
        let mark = GuardMark { height, round, step, statement };
        if marks.replaying {
            if let Err(fault) = self.ledger.save_guard(&[mark]) {
                marks.fault = Some(fault);
                self.alarm.notify_one();
                return Err(GuardError::NotSaved);
            }
        } else {
            marks.unsaved.push(mark);
        }
        marks.signed.insert((round, step), statement);
        Ok(())
    }

    /// Saves what was signed since the last call; called after the log was flushed.
    ///
    /// What could not be saved is saved by the next call, so that no signature whose mark is not
    /// on disk is ever published.
    pub fn save(&self) -> Result<(), GuardError> {
        let unsaved = std::mem::take(&mut self.lock().unsaved);
        if unsaved.is_empty() {
            return Ok(());
        }
        self.ledger.save_guard(&unsaved).map_err(|fault| {
            let mut marks = self.lock();
            let height = marks.height;
            let since = std::mem::take(&mut marks.unsaved);
            let of_height = unsaved.into_iter().filter(|mark| mark.height == height);
            marks.unsaved = of_height.chain(since).collect();
            marks.fault = Some(fault);
            self.alarm.notify_one();
            GuardError::NotSaved
        })
    }

    /// Waits until a signature was refused or a mark could not be saved.
    pub async fn alarm(&self) {
        self.alarm.notified().await;
    }

    /// Takes the last refusal.
    pub fn take_refused(&self) -> Option<DoubleSign> {
        self.lock().refused.take()
    }

    /// Takes the last failure to save.
    pub fn take_fault(&self) -> Option<LedgerFault> {
        self.lock().fault.take()
    }

    /// Tells that the log starts or stops to be replayed.
    pub fn set_replaying(&self, replaying: bool) {
        self.lock().replaying = replaying;
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        // A poisoned lock still guards: marks are inserted in one step at the end of `admit`.
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use bytes::Bytes;
    use cets_contracts::block::{Certificate, ValidatorSet};
    use cets_contracts::types::{BlockId, ChainId, ValidatorAddress};

    use super::*;
    use crate::evidence::Evidence;
    use crate::ledger::{BlockSource, BlockVerdict, BuildLimits, DecidedBlock, ProposedBlock};

    /// Keeps marks and nothing else, unless its disk is full.
    #[derive(Default)]
    struct Marked(Mutex<Vec<GuardMark>>, AtomicBool);

    fn unused<T>() -> Result<T, LedgerFault> {
        Err(LedgerFault::new("use the guard's ledger for more", "it keeps marks only"))
    }

    impl Ledger for Marked {
        fn chain_id(&self) -> ChainId {
            ChainId::new([0; 16])
        }
        fn tip(&self) -> Result<Height, LedgerFault> {
            unused()
        }
        fn history_min_height(&self) -> Result<Height, LedgerFault> {
            unused()
        }
        fn validators(&self, _: Height) -> Result<ValidatorSet, LedgerFault> {
            unused()
        }
        fn target_block_time(&self) -> Option<Duration> {
            None
        }
        fn propose(
            &self,
            _: Height,
            _: u32,
            _: ValidatorAddress,
            _: BuildLimits,
        ) -> Result<ProposedBlock, LedgerFault> {
            unused()
        }
        fn validate(
            &self,
            _: Height,
            _: u32,
            _: BlockSource,
            _: Bytes,
        ) -> Result<BlockVerdict, LedgerFault> {
            unused()
        }
        fn undecided_block(&self, _: BlockId) -> Result<Option<Bytes>, LedgerFault> {
            unused()
        }
        fn commit(&self, _: &Certificate) -> Result<(), LedgerFault> {
            unused()
        }
        fn decided_block(&self, _: Height) -> Result<Option<DecidedBlock>, LedgerFault> {
            unused()
        }
        fn record_evidence(&self, _: Height, _: Vec<Evidence>) -> Result<(), LedgerFault> {
            unused()
        }
        fn load_guard(&self) -> Result<Vec<GuardMark>, LedgerFault> {
            Ok(self.0.lock().unwrap().clone())
        }
        fn save_guard(&self, marks: &[GuardMark]) -> Result<(), LedgerFault> {
            if self.1.load(Ordering::SeqCst) {
                return Err(LedgerFault::new("save marks", "the disk is full"));
            }
            self.0.lock().unwrap().extend_from_slice(marks);
            Ok(())
        }
    }

    const SEVEN: Height = Height::new(7);

    fn is_double(outcome: Result<(), GuardError>) -> bool {
        matches!(outcome, Err(GuardError::DoubleSign(_)))
    }

    #[test]
    fn a_second_different_statement_for_one_step_is_refused() {
        let guard = Guard::load(Arc::new(Marked::default())).unwrap();
        guard.admit(SEVEN, 0, SignedStep::Prevote, b"one").unwrap();
        guard.admit(SEVEN, 0, SignedStep::Prevote, b"one").unwrap();
        assert!(is_double(guard.admit(SEVEN, 0, SignedStep::Prevote, b"two")));
        let refused = guard.take_refused().unwrap();
        assert_eq!((refused.height, refused.round), (SEVEN, 0));
        guard.admit(SEVEN, 0, SignedStep::Precommit, b"two").unwrap();
        guard.admit(SEVEN, 0, SignedStep::Proposal, b"two").unwrap();
        guard.admit(SEVEN, 1, SignedStep::Prevote, b"two").unwrap();
        guard.admit(SEVEN.next(), 0, SignedStep::Prevote, b"two").unwrap();
        assert!(is_double(guard.admit(SEVEN, 5, SignedStep::Prevote, b"two")));
    }

    #[test]
    fn a_guard_that_was_saved_refuses_the_same_after_a_restart() {
        let ledger = Arc::new(Marked::default());
        let guard = Guard::load(Arc::<Marked>::clone(&ledger)).unwrap();
        guard.admit(SEVEN, 2, SignedStep::Precommit, b"one").unwrap();
        assert!(ledger.0.lock().unwrap().is_empty());
        guard.save().unwrap();
        guard.save().unwrap();
        assert_eq!(ledger.0.lock().unwrap().len(), 1);
        let guard = Guard::load(ledger).unwrap();
        assert_eq!(guard.height(), Some(SEVEN));
        assert!(is_double(guard.admit(SEVEN, 2, SignedStep::Precommit, b"two")));
        guard.admit(SEVEN, 2, SignedStep::Precommit, b"one").unwrap();
    }

    #[test]
    fn marks_that_could_not_be_saved_are_saved_by_the_next_call() {
        let ledger = Arc::new(Marked::default());
        let guard = Guard::load(Arc::<Marked>::clone(&ledger)).unwrap();
        guard.admit(SEVEN, 0, SignedStep::Prevote, b"one").unwrap();
        ledger.1.store(true, Ordering::SeqCst);
        assert!(guard.save().is_err());
        assert!(guard.take_fault().is_some());
        guard.admit(SEVEN, 0, SignedStep::Precommit, b"one").unwrap();
        assert!(guard.save().is_err());
        ledger.1.store(false, Ordering::SeqCst);
        guard.save().unwrap();
        let steps: Vec<_> = ledger.0.lock().unwrap().iter().map(|mark| mark.step).collect();
        assert_eq!(steps, [SignedStep::Prevote, SignedStep::Precommit]);
    }

    #[test]
    fn while_the_log_is_replayed_marks_are_saved_before_the_signature() {
        let ledger = Arc::new(Marked::default());
        let guard = Guard::load(Arc::<Marked>::clone(&ledger)).unwrap();
        guard.set_replaying(true);
        guard.admit(SEVEN, 0, SignedStep::Prevote, b"one").unwrap();
        assert_eq!(ledger.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn marks_round_trip_through_keys_and_values() {
        let mark = GuardMark {
            height: SEVEN,
            round: 3,
            step: SignedStep::Precommit,
            statement: Digest::new([4; 32]),
        };
        assert_eq!(GuardMark::from_parts(&mark.to_key(), &mark.to_value()), Some(mark));
        assert_eq!(GuardMark::from_parts(&mark.to_key()[1..], &mark.to_value()), None);
        let mut key = mark.to_key();
        key[12] = 9;
        assert_eq!(GuardMark::from_parts(&key, &mark.to_value()), None);
    }
}
