#![doc = include_str!("../README.md")]

pub mod app;
pub mod audit;
pub mod certificates;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod error;
pub mod files;
pub mod help;
pub mod keys;
pub mod log;
pub mod network;
pub mod orders;
pub mod output;
pub mod progress;
pub mod proofs;
pub mod session;
pub mod text;

pub use app::run;
