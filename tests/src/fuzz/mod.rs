//! Fuzzing of everything that reads bytes from outside.
//!
//! A [`Target`] is a function of bytes that asserts properties. Its inputs lie in
//! `tests/fuzz/corpus/<target>`; `cargo fuzz-all` runs each target on seeded mutations of them, in
//! processes of their own, and measures time and memory of every execution. Input number *n* under
//! a seed depends on the inputs, the seed and *n* alone, so that a number is enough to run it
//! again.

mod certificates;
mod corpus;
mod files;
pub mod log_files;
mod measure;
mod mutate;
mod node;
mod planted;
pub mod proofs;
mod requests;
mod runner;
mod sample;
pub mod sequences;
mod service;
pub mod signatures;
mod target;
pub mod texts;
pub mod transactions;
mod wire;

pub use corpus::{Corpus, corpus_folder, keep_finding, write_seeds};
pub use measure::{MemoryMeter, Watched, watch};
pub use mutate::{Mutator, Random};
pub use runner::{Job, Report, again, planted, report_line, run_job, targets};
pub use target::Target;
