//! The whole network in one process, under one seed and one virtual clock.
//!
//! Every node is the real one but for what a seed must decide: its engine is the sans-IO core
//! behind the real application (`cets_consensus::simulation`), its store is the real one over a
//! disk in memory, its mempool verifies on the calling thread. Clients submit orders of every rule
//! beside the naive model; faults come as the seed draws them; after every commit the oracles look.
//!
//! Same seed, same trace: the digest of a run says whether two runs were one.

mod byzantine;
mod clients;
mod faults;
mod governance;
mod machine;
mod network;
mod oracle;
mod plan;
mod runner;
mod template;
mod world;

pub use oracle::Oracle;
pub use plan::{Plan, Shape};
pub use runner::{Outcome, Search, Templates, Total, again, corpus, run_seed, search};
pub use template::{Template, settings};
pub use world::World;
