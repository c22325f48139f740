//! New networks: genesis, keys and configurations of named institutions in one folder.
//!
//! ```text
//! FOLDER/
//!   genesis.json          the same file for every node; its digest is the chain id
//!   passphrase            opens all keys of this folder, when none was given (mode 0600)
//!   NAME/node.toml        configuration of a node
//!   NAME/*.pem            its keys: consensus, network, cosigner
//!   client/               a home directory for `cets --home`: contexts, names, account keys
//! ```

mod institution;
mod node_config;
mod peer_id;
mod ports;
mod write;

pub use institution::*;
pub use node_config::*;
pub use peer_id::*;
pub use write::*;
