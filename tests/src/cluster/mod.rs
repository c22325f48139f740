//! Clusters of real `cetsd` processes under load, and what must hold whatever happens to them.
//!
//! - [`market`]: the network that is made, its holders, and what they order
//! - [`client`]: submits like a client of the ledger: the same bytes again, at another node
//! - [`record`]: what was acknowledged, kept outside the nodes
//! - [`load`]: orders without pause while things happen to the nodes
//! - [`nodes`]: the processes: started, killed, stopped, asked
//! - [`check`]: nothing acknowledged is lost, nothing forks, every folder passes the audit
//! - [`proxy`]: links between the nodes that can be cut, delayed, made lossy and narrow
//! - [`machine`]: small disks and clocks of single processes, where the machine allows them
//! - [`stories`], [`story`]: what happens to the nodes
//! - [`figures`]: what was measured

pub mod check;
pub mod client;
pub mod figures;
pub mod load;
pub mod machine;
pub mod market;
pub mod nodes;
pub mod proxy;
pub mod record;
pub mod stories;
pub mod story;
