#![doc = include_str!("../README.md")]

pub mod app;
pub mod client;
pub mod commands;
pub mod config;
pub mod error;
pub mod help;
pub mod keys;
pub mod output;
pub mod session;
pub mod text;

pub use app::run;
