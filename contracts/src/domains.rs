//! Every domain string of the workspace, in one place.
//!
//! A hash or a signature of one kind can never be taken for another: each covers one of these
//! strings first. Strings are append-only; a test holds them unique.

/// Identifier of a transaction: `blake3(TX_ID ‖ body bytes)`.
pub const TX_ID: &[u8] = b"cets/v1/tx-id";
/// Message a representative signs: `TX_SIGNATURE ‖ TxId`.
pub const TX_SIGNATURE: &[u8] = b"cets/v1/tx-signature";
/// Identifier of a block: `blake3(BLOCK_ID ‖ header bytes)`.
pub const BLOCK_ID: &[u8] = b"cets/v1/block-id";
/// Digest of a block's transactions as carried.
pub const BLOCK_BODY: &[u8] = b"cets/v1/block-body";
/// Message of a prevote.
pub const PREVOTE: &[u8] = b"cets/v1/prevote";
/// Message of a precommit; those of more than two thirds of the power are a commit certificate.
pub const PRECOMMIT: &[u8] = b"cets/v1/precommit";
/// Message of a consensus proposal.
pub const PROPOSAL: &[u8] = b"cets/v1/proposal";
/// Message of a proposer that announces the stream of parts its block travels in.
pub const BLOCK_STREAM: &[u8] = b"cets/v1/block-stream";
/// Address of a validator: first 20 bytes of `blake3(VALIDATOR_ADDRESS ‖ public key)`.
pub const VALIDATOR_ADDRESS: &[u8] = b"cets/v1/validator-address";
/// Digest of a validator set.
pub const VALIDATOR_SET: &[u8] = b"cets/v1/validator-set";
/// Digest of all parameters in force.
pub const PARAMETERS: &[u8] = b"cets/v1/parameters";
/// Digest of the events of one transaction.
pub const EVENTS: &[u8] = b"cets/v1/events";
/// Key of the keyed hash of state leaves.
pub const STATE_LEAF: &[u8] = b"cets/v1/state-leaf";
/// Key of the keyed hash of inner nodes of the state tree.
pub const STATE_NODE: &[u8] = b"cets/v1/state-node";
/// State root: covers the depth and the top node of the tree.
pub const STATE_ROOT: &[u8] = b"cets/v1/state-root";
/// Digest of the genesis document; its first 16 bytes are the chain id.
pub const GENESIS: &[u8] = b"cets/v1/genesis";
/// Identifier of a pending task.
pub const TASK_ID: &[u8] = b"cets/v1/task-id";

/// All of the above, for the test that holds them unique and for the documentation.
pub const ALL: &[&[u8]] = &[
    TX_ID,
    TX_SIGNATURE,
    BLOCK_ID,
    BLOCK_BODY,
    PREVOTE,
    PRECOMMIT,
    PROPOSAL,
    BLOCK_STREAM,
    VALIDATOR_ADDRESS,
    VALIDATOR_SET,
    PARAMETERS,
    EVENTS,
    STATE_LEAF,
    STATE_NODE,
    STATE_ROOT,
    GENESIS,
    TASK_ID,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn domain_strings_are_unique_and_none_is_a_prefix_of_another() {
        let all: BTreeSet<_> = super::ALL.iter().collect();
        assert_eq!(all.len(), super::ALL.len());
        for a in super::ALL {
            for b in super::ALL {
                assert!(a == b || !b.starts_with(a), "{a:?} is a prefix of {b:?}");
            }
        }
    }
}
