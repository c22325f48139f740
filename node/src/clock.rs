//! The machine's clock, behind a trait so that tests decide the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cets_contracts::types::BlockTime;

/// Tells the civil time.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Now.
    fn now(&self) -> BlockTime;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> BlockTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        BlockTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that shows what it is told; for tests and simulations.
#[derive(Clone, Debug)]
pub struct SetClock(Arc<AtomicU64>);

impl SetClock {
    /// A clock that shows a time until it is set.
    pub fn new(time: BlockTime) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    /// Shows another time from now on.
    pub fn set(&self, time: BlockTime) {
        self.0.store(time.as_millis(), Ordering::SeqCst);
    }

    /// Moves the time forward.
    pub fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> BlockTime {
        BlockTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}
