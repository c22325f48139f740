//! The log as a folder of files (C2SP `tlog-tiles`): written from a node, verified offline.
//!
//! Besides the files of the specification the folder holds what a verifier needs who trusts
//! nobody: `genesis.json`, and `validator-changes`, every change of the validators since with its
//! proof (canonical bytes of a `ValidatorChain`). A web server may serve the folder as it is.

mod export;
mod folder;
mod trust;
mod verify;

pub use export::{Exported, export};
pub use folder::LogFolder;
pub use trust::{CHANGES_FILE, GENESIS_FILE, Judged, Trust};
pub use verify::{Verified, verify_folder};
