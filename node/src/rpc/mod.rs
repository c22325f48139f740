//! The gRPC interface of a node.
//!
//! One file per service ([`transactions`], [`ledger`], [`blocks`], [`operations`]); [`access`]
//! says who reads what, [`error`] how refusals look, [`server`] what is listened on.
//!
//! A request is a message, a caller and a language; [`desk`] makes them out and runs the answer
//! on a thread that may block, so many at a time. Streams read on from their own position in the
//! history when a block is committed; a slow reader fills a small buffer and then only waits.

pub mod access;
mod answers;
pub mod config;
pub mod error;

mod argument;
mod blocks;
mod connections;
mod desk;
mod evidence;
#[cfg(feature = "simulation")]
mod in_process;
mod ledger;
mod listing;
mod log_files;
mod operations;
mod prove;
mod report;
mod server;
mod shares;
mod streams;
mod trace;
mod transactions;
mod units;
mod unread;
mod visible;

pub(crate) use answers::Held;
pub(crate) use desk::Desk;
pub(crate) use log_files::{LogFile, log_file};

pub use config::{RpcConfig, RpcLimits, TlsConfig};
pub use error::{ERROR_TRAILER, NODE_CODES, RpcError};
#[cfg(feature = "simulation")]
pub use in_process::{Answered, InProcess};
pub(crate) use server::serve_web;
pub use server::{RpcServer, ServeError};
