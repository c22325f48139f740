//! The history as a standard transparency log: the C2SP formats, so that verifiers written by
//! others check this ledger.
//!
//! | module | specification | what it does |
//! | --- | --- | --- |
//! | [`Note`], [`VerifierKey`] | `signed-note` | text and signature lines |
//! | [`Checkpoint`] | `tlog-checkpoint` | origin, size and root of the log |
//! | [`Cosignature`] | `tlog-cosignature` (type 0x04) | a validator's statement on a checkpoint |
//! | [`Policy`] | `tlog-policy` | whose signatures suffice |
//! | [`TlogProof`] | `tlog-proof@v1` | an entry is in the log |
//! | [`encode_bundle`] | `tlog-tiles` | entries as files; hash tiles are [`Tile`] |
//! | [`LogPath`] | `tlog-tiles` | the names of the files |
//! | [`walk_log`] | `tlog-tiles` | every file against the root of a checkpoint |
//!
//! # Decisions
//!
//! **Origin.** One for ever: `cets-ledger/<network>/<chain id>` ([`origin`]). Everything in it is
//! fixed by the genesis document.
//!
//! **Size.** A checkpoint has the size *after* the header entry of its block, so that every
//! checkpoint ends a block and its last entry is the header that commits to the state: whoever
//! holds a checkpoint and that entry holds the state root too, and the newest block cannot be cut
//! off unnoticed. The header itself commits to the size *before* its own entry, as nothing can
//! contain its own hash. A receipt is therefore proved at the larger size under a checkpoint
//! ([`TlogProof`]) and at the smaller one under a header ([`crate::proof::ReceiptProof`]).
//!
//! **Who signs.** There is no log operator. Each validator cosigns with its cosigner key, under a
//! name of its own (type 0x04), and signs the same text as the log, under the origin (type 0x01),
//! because common clients ask for at least one signature of the log. The two messages cannot be
//! confused: one begins with `cosignature/v1`, the other with the origin. What counts is the
//! quorum of cosignatures that the policy states.
//!
//! **Time.** The time of a cosignature is the block time of the checkpoint's block in whole
//! seconds, so that a validator that signs again signs the same bytes.
//!
//! **Voting power.** `tlog-policy` counts members. The policy asks for the least number of
//! validators of which *any* choice has more than two thirds of the power: exact for equal powers,
//! stricter otherwise, never weaker ([`Policy::of_validators`]).
//!
//! [`Tile`]: crate::log::Tile

mod bundle;
mod checkpoint;
mod cosignature;
mod note;
mod path;
mod policy;
mod policy_text;
mod tlog_proof;
mod walk;

#[cfg(test)]
mod tests;

pub use bundle::{BundleError, bundle_path, decode_bundle, encode_bundle};
pub use checkpoint::{Checkpoint, CheckpointError, cosigner_name, origin};
pub use cosignature::{Cosignature, cosignature_message, log_key, witness_key};
pub use note::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature};
pub use note::{SignatureKind, VerifierKey};
pub use path::{LogPath, LogPathError};
pub use policy::{Cosigned, Policy, PolicyError, PolicyMember, quorum_count};
pub use policy_text::{POLICY_BYTES_MAX, PolicyTextError};
pub use tlog_proof::{TlogProof, TlogProofError, VerifiedEntry};
pub use walk::{LogFiles, WalkError, Walked, root_of_files, walk_log};
