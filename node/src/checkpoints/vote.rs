//! Cosignatures as they travel between nodes.

use bytes::Bytes;
use cets_contracts::codec;
use cets_contracts::transparency::{Checkpoint, Cosignature};
use cets_contracts::types::LogRoot;
use serde::{Deserialize, Serialize};

/// Version of the message: its first byte.
const VERSION: u8 = 1;
/// Most cosignatures of one message.
pub const VOTES_PER_MESSAGE_MAX: usize = 256;
/// Most bytes of one message.
pub const VOTES_BYTES_MAX: usize = 64 * 1024;

/// A validator's cosignature with the checkpoint that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointVote {
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// Root over them.
    pub root: LogRoot,
    /// The cosignature.
    pub cosignature: Cosignature,
}

impl CheckpointVote {
    /// The checkpoint, of the log with this origin.
    pub fn checkpoint(&self, origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: self.size, root: self.root }
    }
}

/// The message of these cosignatures, of the first [`VOTES_PER_MESSAGE_MAX`].
pub fn encode_votes(votes: &[CheckpointVote]) -> Bytes {
    let votes: Vec<_> = votes.iter().take(VOTES_PER_MESSAGE_MAX).copied().collect();
    let mut message = vec![VERSION];
    message.extend_from_slice(&codec::encode(&votes));
    message.into()
}

/// The cosignatures of a message; none when it is damaged or too large. A message of a later
/// version has none that this program knows.
pub fn decode_votes(message: &[u8]) -> Option<Vec<CheckpointVote>> {
    let (version, votes) = message.split_first()?;
    if *version > VERSION {
        return Some(Vec::new());
    }
    if *version < VERSION || message.len() > VOTES_BYTES_MAX {
        return None;
    }
    let votes: Vec<CheckpointVote> = codec::decode(votes).ok()?;
    (votes.len() <= VOTES_PER_MESSAGE_MAX).then_some(votes)
}

#[cfg(test)]
mod tests {
    use cets_contracts::types::{PublicKey, Signature};

    use super::*;

    fn vote(size: u64) -> CheckpointVote {
        let cosignature = Cosignature {
            cosigner: PublicKey::new([1; 32]),
            seconds: 5,
            signature: Signature::new([2; 64]),
            log_signature: Signature::new([3; 64]),
        };
        CheckpointVote { size, root: LogRoot::new([4; 32]), cosignature }
    }

    #[test]
    fn a_message_reads_back_and_damage_is_refused() {
        let votes = vec![vote(1), vote(2)];
        let message = encode_votes(&votes);
        assert_eq!(decode_votes(&message), Some(votes));
        for cut in [0, 1, message.len() - 1] {
            assert_eq!(decode_votes(&message[..cut]), None, "{cut}");
        }
        let mut longer = message.to_vec();
        longer.push(0);
        assert_eq!(decode_votes(&longer), None);
    }

    #[test]
    fn a_later_version_is_passed_over_and_version_0_is_damage() {
        let mut message = encode_votes(&[vote(1)]).to_vec();
        message[0] = VERSION + 1;
        assert_eq!(decode_votes(&message), Some(vec![]));
        message[0] = 0;
        assert_eq!(decode_votes(&message), None);
    }

    #[test]
    fn a_message_has_so_many_cosignatures_at_most_and_fits() {
        let many = vec![vote(1); VOTES_PER_MESSAGE_MAX + 1];
        let message = encode_votes(&many);
        assert!(message.len() <= VOTES_BYTES_MAX, "{}", message.len());
        assert_eq!(decode_votes(&message).unwrap().len(), VOTES_PER_MESSAGE_MAX);
        let mut more = vec![VERSION];
        more.extend_from_slice(&codec::encode(&many));
        assert_eq!(decode_votes(&more), None);
    }
}
