#![doc = include_str!("../README.md")]

mod generated;
pub mod key_cost;
pub mod token;

pub use generated::*;
