//! New networks.
//!
//! A real one: every institution makes its keys itself and hands out a public card
//! ([`make_card`]), a coordinator joins the cards into a genesis and a list of peers
//! ([`join_cards`]), and every institution writes the configuration of its node from them, after
//! its own keys were found in it ([`write_node`]).
//!
//! For training and tests: genesis, keys and configurations of all in one folder
//! ([`write_network`]).
//!
//! ```text
//! FOLDER/
//!   genesis.json          the same file for every node; its digest is the chain id
//!   passphrase            opens all keys of this folder, when none was given (mode 0600)
//!   NAME/node.toml        configuration of a node
//!   NAME/*.pem            its keys: consensus, network, cosigner
//!   client/               a home directory for `cets --home`: contexts, names, account keys
//! ```

mod card;
mod institution;
mod join;
mod node_config;
mod own_node;
mod peer_id;
mod ports;
mod write;

pub use card::*;
pub use institution::*;
pub use join::*;
pub use node_config::*;
pub use own_node::*;
pub use peer_id::*;
pub use write::*;
