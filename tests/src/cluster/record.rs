//! What was acknowledged to clients, kept outside the nodes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cets_contracts::block::Receipt;
use cets_contracts::types::BlockTime;
use tonic::Code;

/// How a client learnt that its transaction is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The node that took it answered.
    Answer,
    /// A node refused it as final already and was then asked for it.
    Retry,
}

/// A transaction that a node called final.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The answer.
    pub receipt: Receipt,
    /// Time of its block.
    pub block_time: BlockTime,
    /// When the client heard of it.
    pub at: Instant,
    /// How.
    pub way: Way,
}

/// A request that a node did not answer with what was asked for.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The node.
    pub node: usize,
    /// The kind of failure.
    pub code: Code,
    /// What the node or the connection said.
    pub message: String,
    /// When.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Kept {
    acknowledged: Vec<Acknowledged>,
    failures: Vec<Failure>,
    violations: Vec<String>,
}

/// The record of a load.
#[derive(Debug, Default)]
pub struct Record(Mutex<Kept>);

impl Record {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an acknowledgement.
    pub fn acknowledge(&self, acknowledged: Acknowledged) {
        self.kept().acknowledged.push(acknowledged);
    }

    /// Keeps a failed request.
    pub fn fail(&self, failure: Failure) {
        self.kept().failures.push(failure);
    }

    /// Keeps something that must not happen.
    pub fn violate(&self, what: String) {
        self.kept().violations.push(what);
    }

    /// Everything acknowledged until now.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.kept().acknowledged.clone()
    }

    /// Number of acknowledgements until now.
    pub fn count(&self) -> usize {
        self.kept().acknowledged.len()
    }

    /// Failed requests from a moment on.
    pub fn failures_since(&self, since: Instant) -> Vec<Failure> {
        self.kept().failures.iter().filter(|failure| failure.at >= since).cloned().collect()
    }

    /// What happened that must not.
    pub fn violations(&self) -> Vec<String> {
        self.kept().violations.clone()
    }

    /// When the first transaction of a block made at or after a time was acknowledged.
    pub fn first_of_block_after(&self, time: BlockTime, since: Instant) -> Option<Instant> {
        let kept = self.kept();
        let after = kept.acknowledged.iter().filter(|one| one.block_time >= time && one.at > since);
        after.map(|one| one.at).min()
    }

    /// The longest time without an acknowledgement between two moments.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let mut moments: Vec<Instant> = {
            let kept = self.kept();
            kept.acknowledged
                .iter()
                .map(|one| one.at)
                .filter(|at| (from..to).contains(at))
                .collect()
        };
        moments.extend([from, to]);
        moments.sort();
        let gaps = moments.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
        gaps.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use cets_contracts::block::Outcome;
    use cets_contracts::types::{Digest, Height, TxId};

    use super::*;

    fn at(at: Instant, block_millis: u64) -> Acknowledged {
        let receipt = Receipt {
            tx_id: TxId::new([0; 32]),
            height: Height::new(1),
            position: 0,
            outcome: Outcome::Accepted,
            events: Digest::new([0; 32]),
        };
        let block_time = BlockTime::from_millis(block_millis);
        Acknowledged { receipt, block_time, at, way: Way::Answer }
    }

    #[test]
    fn the_longest_gap_counts_from_and_to_the_ends() {
        let (record, start) = (Record::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(record.longest_gap(start, after(50)), Duration::from_millis(50));
        record.acknowledge(at(after(100), 0));
        record.acknowledge(at(after(130), 0));
        assert_eq!(record.longest_gap(start, after(150)), Duration::from_millis(100));
        assert_eq!(record.longest_gap(after(90), after(300)), Duration::from_millis(170));
        assert_eq!(record.longest_gap(after(99), after(131)), Duration::from_millis(30));
    }

    #[test]
    fn an_old_block_is_no_service_after_a_restart() {
        let (record, start) = (Record::default(), Instant::now());
        record.acknowledge(at(start + Duration::from_millis(5), 10));
        let restarted = BlockTime::from_millis(20);
        assert_eq!(record.first_of_block_after(restarted, start), None);
        let served = start + Duration::from_millis(9);
        record.acknowledge(at(served, 20));
        assert_eq!(record.first_of_block_after(restarted, start), Some(served));
    }
}
