//! Measurements of the whole network against what a user would pick instead.
//!
//! - [`goal`]: what is measured, and what is asked for
//! - [`results`]: what was measured, as the file that programs read
//! - [`world`]: four real nodes with accounts and live ranges
//! - [`orders`]: transfers and settlements signed beforehand
//! - [`drive`]: the client, a process of its own: submits in streams and follows the blocks
//! - [`receipts`]: what counts: entries of the log under a certified header
//! - [`probe`]: one transfer in flight, from submission to a verified proof
//! - [`throughput`], [`latency`], [`faults`], [`sizes`], [`trades`]: the goals
//! - [`postgres`]: the other side
//! - [`machine`]: processor time, memory, disk, and the machine's own limits
//! - [`hot_paths`]: the parts of the work, for counting instructions
//! - [`page`], [`plot`]: the page made from the results

pub mod drive;
pub mod faults;
pub mod goal;
pub mod hot_paths;
pub mod latency;
pub mod machine;
pub mod orders;
pub mod page;
pub mod plot;
pub mod postgres;
pub mod probe;
pub mod receipts;
pub mod results;
pub mod sizes;
pub mod throughput;
pub mod trades;
pub mod world;
