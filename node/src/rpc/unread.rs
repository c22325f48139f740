//! Answers that wait for the reader at the other end of a connection, and until when they may.
//!
//! The budget bounds what answers hold, this how long they hold it: who takes nothing of an answer
//! for too long loses the connection. An answer that waits for the node, such as a stream that
//! follows the history, waits for nobody else and has no such end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::config::{READ_BYTES_PER_SECOND_MIN, RpcLimits};

/// Answers of one connection that wait for their reader; cheap to clone.
#[derive(Clone, Debug)]
pub struct Unread {
    longest: Duration,
    waits: Arc<Mutex<Waits>>,
}

#[derive(Debug, Default)]
struct Waits {
    next: u64,
    /// By answer, when it has waited too long.
    ends: BTreeMap<u64, Instant>,
}

/// An answer of a connection; waits for nobody any more when it is dropped.
#[derive(Debug)]
pub struct Waiting {
    answer: u64,
    unread: Unread,
}

impl Unread {
    /// Nothing waits yet on a connection under these limits.
    pub fn new(limits: &RpcLimits) -> Self {
        let longest = Duration::from_millis(limits.unread_millis_max);
        Self { longest, waits: Arc::default() }
    }

    /// A new answer, which waits for its reader from now on.
    pub fn answer(&self, now: Instant) -> Waiting {
        let answer = self.with(|waits| {
            let answer = waits.next;
            waits.next = answer.wrapping_add(1);
            answer
        });
        let waiting = Waiting { answer, unread: self.clone() };
        waiting.for_reader(0, now);
        waiting
    }

    /// Whether an answer has waited too long.
    pub fn is_over(&self, now: Instant) -> bool {
        self.with(|waits| waits.ends.values().any(|end| *end <= now))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waits) -> T) -> T {
        change(&mut self.waits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// It waits for its reader to take so many bytes, from now on.
    pub fn for_reader(&self, bytes: usize, now: Instant) {
        let seconds = bytes.checked_div(READ_BYTES_PER_SECOND_MIN).unwrap_or(0);
        let transfer = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
        let end = now.checked_add(self.unread.longest.saturating_add(transfer));
        self.unread.with(|waits| match end {
            Some(end) => waits.ends.insert(self.answer, end),
            None => waits.ends.remove(&self.answer),
        });
    }

    /// It waits for the node.
    pub fn for_node(&self) {
        self.unread.with(|waits| waits.ends.remove(&self.answer));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.for_node();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_waits_for_its_reader_is_over() {
        let limits = RpcLimits { unread_millis_max: 5_000, ..RpcLimits::default() };
        let unread = Unread::new(&limits);
        let begin = Instant::now();
        let at = |millis| begin.checked_add(Duration::from_millis(millis)).unwrap();
        let waiting = unread.answer(at(0));
        assert!(!unread.is_over(at(4_999)));
        assert!(unread.is_over(at(5_000)));
        waiting.for_reader(2 * READ_BYTES_PER_SECOND_MIN, at(4_000));
        assert!(!unread.is_over(at(10_999)), "two seconds more for what has to be taken");
        assert!(unread.is_over(at(11_000)));
        waiting.for_node();
        assert!(!unread.is_over(at(20_000)));
        let other = unread.answer(at(20_000));
        assert!(unread.is_over(at(25_000)));
        drop(other);
        assert!(!unread.is_over(at(25_000)), "an answer that was read is gone");
    }
}
