//! Limits, envelope checks, expiry and order of the mempool.

use std::time::Duration;

use cets_contracts::block::Block;
use cets_contracts::rules::accounts::set_representatives::SetRepresentatives;
use cets_contracts::tx::{EnvelopeError, Transaction};
use cets_contracts::types::{BlockTime, ChainId, Digest, Representative, Right, Thresholds};
use cets_node::mempool::{Fresh, MempoolLimits, Origin, SubmitError};

use crate::world::{
    Desk, START, body, genesis, holder, holder_key, issued, public, registry, registry_keys, sign,
    transfer,
};

fn refusal(verdict: Result<cets_contracts::types::TxId, SubmitError>) -> EnvelopeError {
    match verdict {
        Err(SubmitError::Envelope(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_envelope_failure_is_refused_at_once_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let good = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let numbered = async |bytes: Vec<u8>| refusal(desk.handle.submit(bytes).await).number();

    assert_eq!(numbered(good[..good.len() - 1].to_vec()).await, 1);
    assert_eq!(numbered([good.as_slice(), &[0]].concat()).await, 1);
    assert_eq!(numbered(vec![0; 70_000]).await, 2);
    let unsigned = sign(Transaction::decode(good.clone()).unwrap().body().clone(), &[]);
    assert_eq!(numbered(unsigned).await, 3);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(numbered(forged).await, 4);

    let payload = Transaction::decode(good.clone()).unwrap().body().payload.clone();
    let mut other = body(&desk.genesis, desk.now(), holder(1), 0, payload.clone());
    other.chain_id = ChainId::new([9; 16]);
    assert_eq!(numbered(sign(other, &[holder_key(1)])).await, 5);
    let mut old = body(&desk.genesis, desk.now(), holder(1), 0, payload.clone());
    old.valid_until = BlockTime::from_millis(START);
    assert_eq!(numbered(sign(old, &[holder_key(1)])).await, 6);
    let mut long = body(&desk.genesis, desk.now(), holder(1), 0, payload);
    long.valid_until = BlockTime::from_millis(START + 25 * 3_600_000);
    assert_eq!(numbered(sign(long, &[holder_key(1)])).await, 7);

    assert_eq!(desk.handle.status().unwrap().mempool.transactions, 0);
    desk.handle.submit(good).await.unwrap();
}

#[tokio::test]
async fn who_gives_up_while_its_transaction_is_taken_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let mut waiting = Box::pin(desk.handle.submit_and_wait(order, Duration::from_secs(60)));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert!(desk.mempool.has_waiters());
    drop(waiting);
    assert!(!desk.mempool.has_waiters());
}

#[tokio::test]
async fn one_bad_signature_in_a_batch_refuses_only_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let mut batch: Vec<_> =
        (0..40).map(|salt| transfer(&desk.genesis, desk.now(), salt, 1, 2, 5)).collect();
    for bad in [3, 17, 39] {
        *batch[bad].last_mut().unwrap() ^= 1;
    }
    let verdicts = desk.handle.submit_batch(batch).await;
    for (position, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.is_err(), [3, 17, 39].contains(&position), "{position}");
    }
    assert_eq!(desk.handle.status().unwrap().mempool.transactions, 37);
}

#[tokio::test]
async fn submitting_the_same_again_while_it_waits_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let first = desk.handle.submit(order.clone()).await.unwrap();
    assert_eq!(desk.handle.submit(order.clone()).await.unwrap(), first);
    let twice = desk.handle.submit_batch(vec![order.clone(), order]).await;
    assert!(twice.into_iter().all(|verdict| verdict.unwrap() == first));
    assert_eq!(desk.handle.status().unwrap().mempool.transactions, 1);
}

#[tokio::test]
async fn limits_hold_by_count_by_bytes_and_by_account() {
    let wide = MempoolLimits::default();
    let one = transfer(&genesis(), START, 0, 1, 2, 5).len();
    for (limits, taken, full_account) in [
        (MempoolLimits { transactions_max: 3, ..wide }, 3, false),
        (MempoolLimits { bytes_max: one * 2, ..wide }, 2, false),
        (MempoolLimits { transactions_per_account_max: 4, ..wide }, 4, true),
        (MempoolLimits { bytes_per_account_max: one * 5, ..wide }, 5, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open_with(folder.path(), 0, limits);
        let orders = (0..6).map(|salt| transfer(&desk.genesis, desk.now(), salt, 1, 2, 5));
        let verdicts = desk.handle.submit_batch(orders.collect()).await;
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), taken);
        let error = verdicts.into_iter().find_map(Result::err).unwrap();
        assert_eq!(matches!(error, SubmitError::AccountFull { .. }), full_account, "{error}");
        if full_account {
            let other = transfer(&desk.genesis, desk.now(), 0, 2, 1, 5);
            desk.handle.submit(other).await.unwrap();
        }
        // Room comes back when transactions become final.
        desk.decide(&[]);
        let again = transfer(&desk.genesis, desk.now(), 99, 1, 2, 5);
        desk.handle.submit(again).await.unwrap();
    }
}

#[tokio::test]
async fn gossip_takes_what_clients_sent_and_still_waits_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), 0);
    let orders: Vec<_> =
        (0..6).map(|salt| transfer(&desk.genesis, desk.now(), salt, 1, 2, 5)).collect();
    let taken = |fresh: &mut Fresh, limit| -> Vec<Vec<u8>> {
        fresh.take(limit).iter().map(|transaction| transaction.bytes().to_vec()).collect()
    };
    desk.submit(orders[..2].to_vec()).await;
    desk.mempool.submit(orders[2].clone(), Origin::Peer).await.unwrap();
    desk.submit(orders[3..5].to_vec()).await;
    assert_eq!(taken(&mut desk.fresh, 2), orders[..2]);
    assert_eq!(taken(&mut desk.fresh, 9), orders[3..5]);
    assert!(taken(&mut desk.fresh, 9).is_empty(), "each once");
    desk.submit(orders[5..].to_vec()).await;
    assert_eq!(desk.fresh.next(9).await.len(), 1);
    let ordered = transfer(&desk.genesis, desk.now(), 9, 1, 2, 5);
    desk.submit(vec![ordered]).await;
    desk.decide(&[]);
    assert!(taken(&mut desk.fresh, 9).is_empty(), "what is ordered needs no passing on");
}

#[tokio::test]
async fn expired_transactions_leave_and_who_waits_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let handle = desk.handle.clone();
    let waiting =
        tokio::spawn(async move { handle.submit_and_wait(order, Duration::from_secs(30)).await });
    while desk.handle.status().unwrap().mempool.transactions == 0 {
        tokio::task::yield_now().await;
    }
    desk.clock.advance(2 * 3_600_000);
    let block = desk.decide(&[]);
    assert!(Block::decode(&block.bytes).unwrap().transactions.is_empty());
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Envelope(EnvelopeError::Expired { .. })), "{error}");
    assert_eq!(desk.handle.status().unwrap().mempool.transactions, 0);
}

#[tokio::test]
async fn transactions_are_ordered_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let mut orders = Vec::new();
    for salt in 0..30 {
        let order = transfer(&desk.genesis, desk.now(), salt, 1 + salt % 2, 3, 1);
        desk.handle.submit(order.clone()).await.unwrap();
        orders.push(order);
    }
    let block = desk.decide(&[]);
    assert_eq!(Block::decode(&block.bytes).unwrap().transactions, orders);
}

#[tokio::test]
async fn what_a_client_calls_too_long_is_answered_with_its_identifier() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let id = Transaction::decode(order.clone()).unwrap().id();
    let error = desk.handle.submit_and_wait(order, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, SubmitError::TimedOut { id: late } if late == id), "{error}");
    assert_eq!(desk.handle.status().unwrap().mempool.transactions, 1);
}

#[tokio::test]
async fn strangers_wait_a_little_and_are_never_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let limits = MempoolLimits { strangers_max: 3, ..MempoolLimits::default() };
    let desk = Desk::open_with(folder.path(), 0, limits);
    issued(&desk, &[]).await;
    let payload = |salt| {
        let order = transfer(&desk.genesis, desk.now(), salt, 1, 2, 5);
        Transaction::decode(order).unwrap().body().payload.clone()
    };
    // Another holder's key, and an account that does not exist.
    let foreign = sign(body(&desk.genesis, desk.now(), holder(1), 0, payload(0)), &[holder_key(2)]);
    let unknown =
        sign(body(&desk.genesis, desk.now(), holder(99), 0, payload(0)), &[holder_key(1)]);
    let mut waits = Vec::new();
    for order in [foreign, unknown] {
        let handle = desk.handle.clone();
        waits.push(tokio::spawn(async move {
            handle.submit_and_wait(order, Duration::from_secs(30)).await
        }));
    }
    while desk.handle.status().unwrap().mempool.transactions < 2 {
        tokio::task::yield_now().await;
    }
    let block = desk.decide(&[]);
    assert!(Block::decode(&block.bytes).unwrap().transactions.is_empty());
    let mut codes = Vec::new();
    for wait in waits {
        let Err(SubmitError::Stranger(reject)) = wait.await.unwrap() else { panic!("no stranger") };
        codes.push(reject.number);
    }
    assert_eq!(codes, [1004, 1001]);

    let many = (0..5).map(|salt| {
        sign(body(&desk.genesis, desk.now(), holder(1), salt, payload(0)), &[holder_key(2)])
    });
    let verdicts = desk.handle.submit_batch(many.collect()).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 3);
    assert!(matches!(verdicts.last(), Some(Err(SubmitError::StrangersFull { waiting: 3 }))));
}

#[tokio::test]
async fn every_block_decides_who_is_a_stranger_also_where_others_proposed_it() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [proposer, other] =
        [0, 1].map(|number: u8| Desk::open(folders[usize::from(number)].path(), number));
    issued(&proposer, &[&other]).await;
    let by_the_second = |account, salt| {
        let order = transfer(&other.genesis, other.now(), salt, 1, 2, 5);
        let payload = Transaction::decode(order).unwrap().body().payload.clone();
        sign(body(&other.genesis, other.now(), account, salt, payload), &[holder_key(2)])
    };
    // Who represents holder 1 from the next block on, and who never represents holder 3.
    other.submit(vec![by_the_second(holder(1), 0)]).await;
    let handle = other.handle.clone();
    let order = by_the_second(holder(3), 1);
    let refused =
        tokio::spawn(async move { handle.submit_and_wait(order, Duration::from_secs(30)).await });
    while other.handle.status().unwrap().mempool.transactions < 2 {
        tokio::task::yield_now().await;
    }
    let representative =
        Representative { key: public(&holder_key(2)), right: Right::InitiateAndApprove };
    let change = SetRepresentatives {
        account: holder(1),
        representatives: vec![representative],
        thresholds: Thresholds::uniform(1),
        material: Digest::new([1; 32]),
    };
    let change = body(&proposer.genesis, proposer.now(), registry(), 7, change.into());
    proposer.submit(vec![sign(change, &registry_keys())]).await;
    proposer.decide(&[&other]);
    let error = refused.await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Stranger(_)), "{error}");
    assert_eq!(other.handle.status().unwrap().mempool.transactions, 1);
    other.decide(&[&proposer]);
    assert_eq!(other.handle.status().unwrap().mempool.transactions, 0);
    assert_eq!(other.free(1), 9_995);
}
