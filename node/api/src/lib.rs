#![doc = include_str!("../README.md")]

mod generated;
pub mod token;

pub use generated::*;
