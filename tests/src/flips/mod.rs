//! One bit of one file of a node's folder flips: what notices it?
//!
//! - [`folder`]: a real folder, of a node that was killed under load
//! - [`campaign`]: many flips, each in a copy of its own, and who noticed
//!
//! A flip that neither the start of the node nor `cetsd check` names must be one that changes
//! nothing: every row of every table, the roots and the messages of the consensus log are then
//! compared with those of the folder before the flip.

pub mod campaign;
pub mod folder;
