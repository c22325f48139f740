//! A proxy between the nodes: every node calls every other through a port of its own, so that
//! each direction of each pair can be cut, delayed, made lossy and narrow.
//!
//! - [`link`]: what happens to the bytes of a direction
//! - [`pump`]: carries the bytes of one direction of a connection
//! - [`relay`]: listens, connects, and holds the state of all links
//! - [`wiring`]: puts the relay between the nodes of a network, and looks for ways around it

mod link;
mod pump;
mod relay;
mod wiring;

pub use link::{Link, Weather};
pub use relay::Relay;
pub use wiring::{Wiring, strangers};
