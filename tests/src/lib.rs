#![doc = include_str!("../README.md")]
// A panic here is a failed test, and the arithmetic is on the tests' own small numbers.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_arithmetic
)]

pub mod bench;
pub mod cluster;
pub mod fixture;
pub mod flips;
pub mod formats;
pub mod fuzz;
pub mod hostile;
pub mod licences;
pub mod model;
pub mod sample_ledger;
pub mod scenario;
pub mod sim;
pub mod vectors;
pub mod workload;
pub mod workspace;
