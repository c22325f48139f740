//! The small ledger that inputs are judged by.

use std::sync::LazyLock;

use cets_contracts::state::State;

pub use crate::sample_ledger::{public_key, sign, signing_key};

use crate::sample_ledger::SampleLedger;
use crate::workload::Run;

/// A ledger of four blocks.
pub fn ledger() -> &'static SampleLedger {
    static LEDGER: LazyLock<SampleLedger> = LazyLock::new(SampleLedger::story);
    &LEDGER
}

/// A state with records of nearly every table.
pub fn rich_state() -> &'static State {
    static STATE: LazyLock<State> = LazyLock::new(|| {
        let mut run = Run::new(1);
        run.until(3_000);
        run.state
    });
    &STATE
}
