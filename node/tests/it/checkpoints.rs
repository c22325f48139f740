//! Gathering cosignatures on a ledger without network.

use cets_consensus::BlockVerdict;
use cets_contracts::block::ValidatorSet;
use cets_contracts::transparency::{Checkpoint, Cosignature, Policy};
use cets_contracts::types::{Height, LogRoot, Signature};
use cets_node::checkpoints::{CheckpointVote, Checkpoints};
use cets_node::store::{CosignedMark, FORKS_PER_COSIGNER_MAX};
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
    for (what, garbage) in [("stranger", stranger), ("forged", forged), ("late", late)] {
        assert_eq!(checkpoints(&desk).receive(&[garbage]).unwrap(), 1, "{what}");
    }
    // Validators of another log: whoever passes it on is not to blame.
    assert_eq!(checkpoints(&desk).receive(&[between]).unwrap(), 0);
    let fork = LogRoot::new([9; 32]);
    let forks: Vec<_> =
        (0..4).map(|number| vote_on(&desk, &cosigner(number), size, fork)).collect();
    assert_eq!(checkpoints(&desk).receive(&forks).unwrap(), 0);
    assert!(checkpoints(&desk).served().is_none());
    assert!(checkpoints(&desk).for_welcome().is_empty());
    assert!(checkpoints(&desk).take_fresh().is_empty(), "nothing of it is passed on");
    assert_eq!(desk.store.checkpoint_forks().unwrap(), [], "each signed one root alone");
}

#[tokio::test]
async fn what_counts_is_passed_on_once_and_what_is_known_is_not() {
    let (_folder, desk) = first_block().await;
    let own = checkpoints(&desk).advance(Some(&cosigner(0))).unwrap().unwrap();
    assert!(checkpoints(&desk).take_fresh().is_empty(), "its own leaves at once");
    let votes: Vec<_> = (0..3).map(|number| vote(&desk, &cosigner(number))).collect();
    assert_eq!(votes[0], own);
    checkpoints(&desk).receive(&votes).unwrap();
    assert_eq!(checkpoints(&desk).take_fresh(), votes[1..]);
    checkpoints(&desk).receive(&votes).unwrap();
    assert!(checkpoints(&desk).take_fresh().is_empty());
}

/// A cosignature on another log of the same size.
fn forked(desk: &Desk, number: u8, root: u8) -> CheckpointVote {
    let size = desk.reader().tip().unwrap().log_size;
    vote_on(desk, &cosigner(number), size, LogRoot::new([root; 32]))
}

#[tokio::test]
async fn a_validator_that_cosigns_two_roots_of_one_size_is_kept_as_evidence_for_good() {
    for honest_first in [true, false] {
        let (_folder, desk) = first_block().await;
        let (honest, fork) = (vote(&desk, &cosigner(2)), forked(&desk, 2, 9));
        let order = if honest_first { [honest, fork] } else { [fork, honest] };
        assert_eq!(checkpoints(&desk).receive(&order).unwrap(), 0);
        let kept = desk.store.checkpoint_forks().unwrap();
        assert_eq!(kept.len(), 1, "{honest_first}");
        let mut roots = [honest.root, fork.root];
        roots.sort();
        assert_eq!([kept[0].first.root, kept[0].second.root], roots);
        let passed_on = checkpoints(&desk).take_fresh();
        assert!(passed_on.contains(&honest) && passed_on.contains(&fork), "peers get both");
        // Once per validator and size, whatever it signs besides.
        checkpoints(&desk).receive(&[fork, forked(&desk, 2, 8), honest]).unwrap();
        assert_eq!(desk.store.checkpoint_forks().unwrap(), kept);
        assert!(checkpoints(&desk).take_fresh().is_empty());
        let desk = desk.reopen();
        assert_eq!(desk.reader().checkpoint_forks().unwrap(), kept, "a restart keeps it");
        checkpoints(&desk).receive(&order).unwrap();
        assert_eq!(desk.store.checkpoint_forks().unwrap(), kept);
    }
}

#[tokio::test]
async fn a_fork_is_found_ahead_of_this_log_and_a_little_below_the_served_checkpoint() {
    let (_folder, desk) = first_block().await;
    let size = desk.reader().tip().unwrap().log_size;
    let ahead = |root| vote_on(&desk, &cosigner(1), size + 9, LogRoot::new([root; 32]));
    checkpoints(&desk).receive(&[ahead(1), ahead(2)]).unwrap();
    assert_eq!(desk.store.checkpoint_forks().unwrap()[0].size, size + 9);
    // Two are served, one after the other; then validator 3 contradicts the first.
    let first: Vec<_> = (0..4).map(|number| vote(&desk, &cosigner(number))).collect();
    let other = forked(&desk, 3, 7);
    checkpoints(&desk).receive(&first).unwrap();
    desk.clock.advance(1_000);
    desk.decide(&[]);
    let second: Vec<_> = (0..3).map(|number| vote(&desk, &cosigner(number))).collect();
    checkpoints(&desk).receive(&second).unwrap();
    assert_eq!(checkpoints(&desk).served().unwrap().size, second[0].size);
    checkpoints(&desk).receive(&[other]).unwrap();
    let kept = desk.store.checkpoint_forks().unwrap();
    assert!(kept.iter().any(|fork| fork.size == size), "{kept:?}");
}

#[tokio::test]
async fn evidence_of_one_validator_is_bounded() {
    let (_folder, desk) = first_block().await;
    for ahead in 0..40 {
        for root in [1, 2] {
            let size = desk.reader().tip().unwrap().log_size + 1 + ahead;
            let vote = vote_on(&desk, &cosigner(1), size, LogRoot::new([root; 32]));
            checkpoints(&desk).receive(&[vote]).unwrap();
        }
    }
    assert_eq!(desk.store.checkpoint_forks().unwrap().len(), FORKS_PER_COSIGNER_MAX);
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
    checkpoints(&desk).receive(&[vote(&desk, &cosigner(1))]).unwrap();
    assert!(checkpoints(&desk).take_fresh().is_empty(), "it counts for nothing");
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
