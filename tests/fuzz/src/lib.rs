//! The fuzz targets of `cets-tests` for libFuzzer: the same files, compiled with what they need and
//! nothing else, because RocksDB takes ten minutes to build with instrumentation.

#![allow(dead_code, unused_imports)]

#[path = "../../src/fixture/mod.rs"]
pub mod fixture;
#[path = "../../src/formats/mod.rs"]
pub mod formats;
#[path = "../../src/model/mod.rs"]
pub mod model;
#[path = "../../src/sample_ledger.rs"]
pub mod sample_ledger;
#[path = "../../src/workload/mod.rs"]
pub mod workload;
#[path = "../../src/workspace.rs"]
pub mod workspace;

/// The targets.
pub mod fuzz {
    #[path = "../../../src/fuzz/log_files.rs"]
    pub mod log_files;
    #[path = "../../../src/fuzz/proofs.rs"]
    pub mod proofs;
    #[path = "../../../src/fuzz/sample.rs"]
    pub mod sample;
    #[path = "../../../src/fuzz/sequences.rs"]
    pub mod sequences;
    #[path = "../../../src/fuzz/target.rs"]
    pub mod target;
    #[path = "../../../src/fuzz/texts.rs"]
    pub mod texts;
    #[path = "../../../src/fuzz/transactions.rs"]
    pub mod transactions;
}
