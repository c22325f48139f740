//! What a node serves over HTTP, beside gRPC on the same port.
//!
//! | path | what | who |
//! | --- | --- | --- |
//! | `/checkpoint` | newest cosigned checkpoint (C2SP `tlog-checkpoint`) | everyone |
//! | `/tlog-policy` | policy of the validators of its height (C2SP `tlog-policy`) | everyone |
//! | `/tile/<L>/<N>[.p/<W>]` | hashes of the log (C2SP `tlog-tiles`) | everyone |
//! | `/tile/entries/<N>[.p/<W>]` | entries of the log | who may see all blocks |
//! | `/metrics` | figures (Prometheus text) | everyone |
//! | `/health`, `/ready` | alive; healthy and synced | everyone |
//!
//! Callers, limits and refusals are those of gRPC: `authorization: Bearer TOKEN` says who reads,
//! `accept-language` in which language a refusal is. Nothing beyond the served checkpoint is
//! served, so that whoever mirrors the files always holds a log that a quorum vouches for.

mod health;
mod log;

pub use health::router;
pub(crate) use log::log_router;
