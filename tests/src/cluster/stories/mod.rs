//! What happens to the nodes in each story, and what is measured.
//!
//! - [`kills`]: one node, all nodes, the proposer
//! - [`restarts`]: stopped, restarted in good order, without a disk
//! - [`links`]: cut, delayed, lossy, narrow
//! - [`disk_full`]: no room for another byte
//! - [`clock`]: a clock that is stepped while the node runs
//! - [`byzantine`]: a validator that signs two things, or nothing
//! - [`returns`]: how a node comes back, the same in every story

pub mod byzantine;
pub mod clock;
pub mod disk_full;
pub mod kills;
pub mod links;
pub mod restarts;
pub mod returns;
