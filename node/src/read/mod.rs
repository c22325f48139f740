//! What the interfaces ask: the newest state under a lock held briefly, history from the store.

mod answers;
mod committed;
mod prove;
mod reader;
mod simulate;
mod trace;

pub use crate::store::MovementId;
pub use answers::*;
pub use committed::{Committed, SharedState};
pub use reader::{HOLDINGS_SCANNED_MAX, Reader};
pub use simulate::{Simulated, Simulation, SimulationError};
pub use trace::TRACE_MOVEMENTS_MAX;
