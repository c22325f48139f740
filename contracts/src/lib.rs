#![doc = include_str!("../README.md")]

pub mod audit;
pub mod block;
pub mod codec;
pub mod crypto;
pub mod domains;
pub mod genesis;
pub mod invariants;
pub mod log;
pub mod proof;
pub mod rules;
pub mod state;
pub mod transparency;
pub mod tree;
pub mod tx;
pub mod types;

mod fault;
mod hash_path;

pub use fault::Fault;
