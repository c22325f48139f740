//! Gathering cosignatures on a ledger without network.

use cets_consensus::BlockVerdict;
use cets_contracts::block::ValidatorSet;
use cets_contracts::transparency::{Checkpoint, Cosignature, Policy};
use cets_contracts::types::{Height, LogRoot, Signature};
use cets_node::checkpoints::{CheckpointVote, Checkpoints};
use cets_node::store::CosignedMark;
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;

use crate::world::{Desk, issued, key, public};

fn cosigner(number: u8) -> SigningKey {
    key(4, number)
}

/// A cosignature on the newest block of a ledger, by any key.
fn vote(desk: &Desk, key: &SigningKey) -> CheckpointVote {
    let tip = desk.reader().tip().unwrap();
    vote_on(desk, key, tip.log_size, desk.store.log_root(tip.log_size).unwrap())
}

fn vote_on(desk: &Desk, key: &SigningKey, size: u64, root: LogRoot) -> CheckpointVote {
    let origin = desk.handle.checkpoints().origin().to_owned();
    let checkpoint = Checkpoint { origin, size, root };
    let time = desk.reader().tip().unwrap().time;
    let sign = |message: &[u8]| Signature::new(key.sign(message).to_bytes());
    let cosignature = Cosignature::sign(&checkpoint, time, public(key), sign);
    CheckpointVote { size, root, cosignature }
}

/// A ledger with one block, whose checkpoint is the first.
async fn first_block() -> (TempDir, Desk) {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    (folder, desk)
}

fn checkpoints(desk: &Desk) -> &Checkpoints {
    desk.handle.checkpoints()
}

#[tokio::test]
async fn a_checkpoint_is_served_from_its_quorum_on_and_gathers_later_cosignatures() {
    let (_folder, desk) = first_block().await;
    let set = ValidatorSet::new(desk.genesis.validators.clone()).unwrap();
    let policy = Policy::of_validators(checkpoints(&desk).origin(), &set).unwrap();
    for number in 0..2 {
        assert_eq!(checkpoints(&desk).receive(&[vote(&desk, &cosigner(number))]).unwrap(), 0);
        assert!(checkpoints(&desk).served().is_none(), "{} are no quorum", number + 1);
    }
    for number in 2..4u8 {
        let cosigned = vote(&desk, &cosigner(number));
        assert_eq!(checkpoints(&desk).receive(&[cosigned, cosigned]).unwrap(), 0);
        let served = checkpoints(&desk).served().unwrap();
        assert_eq!(served.cosigned, usize::from(number) + 1);
        let verified = policy.verify(&served.note.parse().unwrap()).unwrap();
        assert_eq!(verified.witnesses.len(), served.cosigned);
        assert_eq!((served.height, served.policy.clone()), (Height::new(1), policy.to_string()));
    }
    let restarted = desk.reopen();
    let served = checkpoints(&restarted).served().unwrap();
    assert_eq!(served.cosigned, 4, "a restart serves it at once");
}

#[tokio::test]
async fn strangers_forgeries_and_other_roots_are_never_counted() {
    let (_folder, desk) = first_block().await;
    let stranger = vote(&desk, &key(9, 9));
    let mut forged = vote(&desk, &cosigner(0));
    forged.cosignature.cosigner = public(&cosigner(1));
    let mut late = vote(&desk, &cosigner(0));
    late.cosignature.seconds += 1;
    let size = desk.reader().tip().unwrap().log_size;
    let root = desk.store.log_root(size - 1).unwrap();
    let between = vote_on(&desk, &cosigner(0), size - 1, root);
    for (what, garbage) in
        [("stranger", stranger), ("forged", forged), ("late", late), ("between", between)]
    {
        assert_eq!(checkpoints(&desk).receive(&[garbage]).unwrap(), 1, "{what}");
    }
    // Validators of another log: whoever passes it on is not to blame.
    let fork = LogRoot::new([9; 32]);
    let forks: Vec<_> =
        (0..4).map(|number| vote_on(&desk, &cosigner(number), size, fork)).collect();
    assert_eq!(checkpoints(&desk).receive(&forks).unwrap(), 0);
    assert!(checkpoints(&desk).served().is_none());
    assert!(checkpoints(&desk).for_welcome().is_empty());
}

#[tokio::test]
async fn a_cosignature_on_a_longer_log_counts_once_this_one_is_as_long() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (ahead, behind) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    let order = crate::world::issue(&ahead.genesis, ahead.now(), 0, &[(1, 10_000)]);
    ahead.submit(vec![order]).await;
    let block = ahead.decide(&[]);
    let votes: Vec<_> = (0..3).map(|number| vote(&ahead, &cosigner(number))).collect();
    assert_eq!(checkpoints(&behind).receive(&votes).unwrap(), 0);
    assert!(checkpoints(&behind).served().is_none());
    assert_eq!(behind.judge(&ahead, &block), BlockVerdict::Valid { id: block.id });
    let certificate = crate::world::certify(&behind.genesis, Height::new(1), block.id);
    cets_consensus::Ledger::commit(&behind.ledger, &certificate).unwrap();
    assert_eq!(checkpoints(&behind).advance(None).unwrap(), None);
    assert_eq!(checkpoints(&behind).served().unwrap().cosigned, 3);
}

#[tokio::test]
async fn only_the_first_block_of_a_second_is_cosigned_and_the_same_bytes_again() {
    let (_folder, desk) = first_block().await;
    let own = cosigner(0);
    let first = checkpoints(&desk).advance(Some(&own)).unwrap().unwrap();
    assert_eq!(first, vote(&desk, &own));
    desk.decide(&[]);
    assert_eq!(checkpoints(&desk).advance(Some(&own)).unwrap(), Some(first), "the same second");
    assert_eq!(checkpoints(&desk).receive(&[vote(&desk, &cosigner(1))]).unwrap(), 1);
    desk.clock.advance(1_000);
    desk.decide(&[]);
    let second = checkpoints(&desk).advance(Some(&own)).unwrap().unwrap();
    assert!(second.size > first.size);
    assert_eq!(second, vote(&desk, &own));
    assert_eq!(checkpoints(&desk).advance(Some(&key(9, 9))).unwrap(), None, "no validator's key");
}

#[tokio::test]
async fn what_was_cosigned_is_never_contradicted() {
    let (_folder, desk) = first_block().await;
    let own = cosigner(0);
    let size = desk.reader().tip().unwrap().log_size;
    for mark in [
        CosignedMark { size, root: LogRoot::new([9; 32]) },
        CosignedMark { size: size + 1, root: LogRoot::new([9; 32]) },
    ] {
        desk.store.save_cosigned_mark(&mark).unwrap();
        assert_eq!(checkpoints(&desk).advance(Some(&own)).unwrap(), None, "{mark:?}");
    }
    assert!(checkpoints(&desk).for_welcome().is_empty());
}
