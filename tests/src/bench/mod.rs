//! Measurements of the whole network against what a user would pick instead.
//!
//! - [`course`]: the goals in their order
//! - [`goal`]: what is measured, and what is asked for
//! - [`results`]: what was measured, as the file that programs read
//! - [`world`]: real nodes with accounts and live ranges
//! - [`orders`]: transfers and settlements signed beforehand
//! - [`drive`]: the client, a process of its own: submits in streams and follows the blocks
//! - [`receipts`]: what counts: entries of the log under a certified header
//! - [`probe`]: one transfer in flight, from submission to a verified proof
//! - [`throughput`], [`sweep`], [`latency`], [`faults`], [`sizes`], [`trades`], [`deadline`],
//!   [`proofs`], [`reader`], [`restore`], [`scaling`], [`fragments`], [`audit`]: the goals
//! - [`postgres`], [`against`]: the other side
//! - [`ordering`], [`opaque`]: the engine of the nodes without ledger
//! - [`machine`]: processor time, memory, disk, and the machine's own limits
//! - [`hot_paths`]: the parts of the work, for counting instructions and time
//! - [`profile`]: where the time of a transfer goes
//! - [`page`], [`plot`]: the page made from the results
//! - [`held_back`]: why a goal is not reached, and what would change it

pub mod against;
pub mod audit;
pub mod course;
pub mod deadline;
pub mod drive;
pub mod faults;
pub mod fragments;
pub mod goal;
pub mod held_back;
pub mod hot_paths;
pub mod latency;
pub mod machine;
pub mod opaque;
pub mod ordering;
pub mod orders;
pub mod page;
pub mod plot;
pub mod postgres;
pub mod probe;
pub mod profile;
pub mod proofs;
pub mod reader;
pub mod receipts;
pub mod restore;
pub mod results;
pub mod scaling;
pub mod sizes;
pub mod sweep;
pub mod throughput;
pub mod trades;
pub mod world;
