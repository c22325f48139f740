//! Building, judging and committing blocks.

use cets_consensus::{BlockSource, BlockVerdict, Ledger};
use cets_contracts::block::{Block, LogEntry, Receipt, execute_block};
use cets_contracts::codec;
use cets_contracts::log::{leaf_hash, verify_inclusion};
use cets_contracts::state::keys;
use cets_contracts::tx::{EnvelopeError, Transaction, VerifiedTransaction};
use cets_contracts::types::{BlockId, BlockTime, Height};
use cets_node::mempool::SubmitError;
use cets_node::read::{ProveError, Simulation};

use crate::world::{
    Desk, START, address, certify, genesis, holder, instrument, issue, issued, transfer,
};

#[tokio::test]
async fn two_ledgers_reach_equal_roots_and_answers() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    issued(&a, &[&b]).await;
    for round in 0..5 {
        let (from, to) = if round % 2 == 0 { (1, 3) } else { (2, 4) };
        let order = transfer(&a.genesis, a.now(), round, from, to, 10 + round);
        let (proposer, other) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        proposer.submit(vec![order.clone()]).await;
        proposer.decide(&[other]);
        let id = Transaction::decode(order).unwrap().id();
        let answer = a.reader().transaction(&id).unwrap().unwrap();
        assert_eq!(b.reader().transaction(&id).unwrap().unwrap(), answer);
        assert_eq!(a.reader().tip().unwrap(), b.reader().tip().unwrap());
    }
    assert_eq!((a.free(1), a.free(3)), (10_000 - 10 - 12 - 14, 36));
    assert_eq!((b.free(2), b.free(4)), (5_000 - 11 - 13, 24));
    for height in 1..=6 {
        let height = Height::new(height);
        assert_eq!(a.reader().block(height).unwrap(), b.reader().block(height).unwrap());
    }
}

#[tokio::test]
async fn a_restart_after_each_block_gives_the_state_of_a_ledger_that_ran_on() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let steady = Desk::open(folders[0].path(), 0);
    let mut restarting = Desk::open(folders[1].path(), 1);
    issued(&steady, &[&restarting]).await;
    for salt in 0..6 {
        restarting = restarting.reopen();
        let order = transfer(&steady.genesis, steady.now(), salt, 1, 2 + salt % 3, 7);
        steady.submit(vec![order]).await;
        steady.decide(&[&restarting]);
        assert_eq!(restarting.reader().tip().unwrap(), steady.reader().tip().unwrap());
    }
    let restarting = restarting.reopen();
    assert_eq!(restarting.reader().tip().unwrap(), steady.reader().tip().unwrap());
}

#[tokio::test]
async fn a_stored_block_is_the_decided_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let orders = (0..50).map(|salt| transfer(&desk.genesis, desk.now(), salt, 1, 2, 1));
    desk.submit(orders.collect()).await;
    let block = desk.decide(&[]);
    let stored = desk.ledger.decided_block(Height::new(2)).unwrap().unwrap();
    assert_eq!(stored.bytes, block.bytes);
    assert_eq!(stored.certificate, certify(&desk.genesis, Height::new(2), block.id));
    let decoded = Block::decode(&stored.bytes).unwrap();
    assert_eq!(decoded.transactions.len(), 50);
    assert_eq!(desk.ledger.decided_block(Height::new(3)).unwrap(), None);
}

#[tokio::test]
async fn a_refused_transaction_has_a_final_answer_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let before = desk.reader().record(&keys::account(holder(1))).answer;
    let overspend = transfer(&desk.genesis, desk.now(), 0, 1, 2, 1_000_000);
    let id = Transaction::decode(overspend.clone()).unwrap().id();
    desk.submit(vec![overspend]).await;
    desk.decide(&[]);
    let answer = desk.reader().transaction(&id).unwrap().unwrap();
    let LogEntry::Transaction { receipt, .. } = codec::decode(&answer.entry).unwrap() else {
        panic!("the entry is a header")
    };
    assert!(!receipt.outcome.is_accepted());
    assert!(answer.events.is_empty());
    assert_eq!(desk.reader().record(&keys::account(holder(1))).answer, before);
}

#[tokio::test]
async fn replays_are_refused_by_admission_and_make_a_block_invalid() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    issued(&a, &[&b]).await;
    let order = transfer(&a.genesis, a.now(), 0, 1, 2, 1);
    a.submit(vec![order.clone()]).await;
    a.decide(&[&b]);
    let verdict = a.handle.submit(order.clone()).await;
    assert!(matches!(verdict, Err(SubmitError::Envelope(EnvelopeError::Replayed { .. }))));

    // A validator that orders it again all the same builds a block that nobody accepts.
    let mut block = Block::decode(&a.propose().bytes).unwrap();
    block.transactions.push(order);
    block.header.transactions = Block::transactions_digest(&block.transactions);
    let bytes = block.encode().into();
    let source = BlockSource::Proposal { proposer: address(&a.genesis, 0) };
    let verdict = b.ledger.validate(b.next(), 0, source, bytes).unwrap();
    let BlockVerdict::Invalid { reason, .. } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("already accepted"), "{reason}");
}

#[tokio::test]
async fn blocks_are_judged_by_proposer_time_form_and_roots() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    issued(&a, &[&b]).await;
    let proposed = a.propose();
    let judge =
        |source, bytes: Vec<u8>| b.ledger.validate(b.next(), 0, source, bytes.into()).unwrap();
    let by = |number| BlockSource::Proposal { proposer: address(&a.genesis, number) };

    let other = judge(by(1), proposed.bytes.to_vec());
    assert!(matches!(other, BlockVerdict::Invalid { .. }), "{other:?}");
    let again = |numbers: &[u8]| BlockSource::Reproposal {
        proposers: numbers.iter().map(|number| address(&a.genesis, *number)).collect(),
    };
    let foreign = judge(again(&[1, 2]), proposed.bytes.to_vec());
    assert!(matches!(foreign, BlockVerdict::Invalid { .. }), "{foreign:?}");
    let own = judge(again(&[3, 0]), proposed.bytes.to_vec());
    assert!(matches!(own, BlockVerdict::Valid { .. }), "{own:?}");
    let unasked = BlockSource::Decided { id: BlockId::new([7; 32]) };
    let unasked = judge(unasked, proposed.bytes.to_vec());
    assert!(matches!(unasked, BlockVerdict::Malformed { .. }), "{unasked:?}");
    let cut = judge(by(0), proposed.bytes[..proposed.bytes.len() - 1].to_vec());
    assert!(matches!(cut, BlockVerdict::Malformed { .. }), "{cut:?}");

    let mut block = Block::decode(&proposed.bytes).unwrap();
    block.header.state_root = cets_contracts::types::StateRoot::new([9; 32]);
    let forged = judge(by(0), block.encode());
    let BlockVerdict::Invalid { reason, id } = forged else { panic!("{forged:?}") };
    assert!(reason.contains("the state root"), "{reason}");
    assert_eq!(id, block.header.id());
    assert_eq!(b.ledger.undecided_block(id).unwrap(), None);

    // What a quorum decides although it is invalid here stops the node.
    let fault = b.ledger.commit(&certify(&b.genesis, b.next(), id)).unwrap_err();
    assert!(fault.to_string().contains("here it is invalid"), "{fault}");

    assert_eq!(judge(by(0), proposed.bytes.to_vec()), BlockVerdict::Valid { id: proposed.id });
    b.ledger.commit(&b.certificate(&proposed)).unwrap();
}

#[tokio::test]
async fn a_block_from_the_future_is_kept_but_not_voted_for() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    a.clock.set(BlockTime::from_millis(START + 60_000));
    let proposed = a.propose();
    let verdict = b.judge(&a, &proposed);
    assert!(matches!(verdict, BlockVerdict::Untimely { .. }), "{verdict:?}");
    assert_eq!(b.ledger.undecided_block(proposed.id).unwrap(), Some(proposed.bytes.clone()));
    // Within the drift it is valid.
    b.clock.set(BlockTime::from_millis(START + 59_500));
    assert_eq!(b.judge(&a, &proposed), BlockVerdict::Valid { id: proposed.id });
    // A quorum that decided it does not ask this clock.
    b.clock.set(BlockTime::from_millis(START));
    b.ledger.commit(&b.certificate(&proposed)).unwrap();
    assert_eq!(b.reader().tip().unwrap().height, Height::new(1));
}

#[tokio::test]
async fn proofs_lead_from_entries_and_records_to_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let account = keys::account(holder(1));
    let keys = [account.into_bytes()];
    let no_block = desk.reader().prove_records(&keys, None);
    assert!(matches!(no_block, Err(ProveError::NoBlock)));
    issued(&desk, &[]).await;
    for salt in 0..5 {
        desk.submit(vec![transfer(&desk.genesis, desk.now(), salt, 1, 3, 2)]).await;
        desk.decide(&[]);
    }
    let validators = desk.ledger.validators(desk.next()).unwrap();
    let chain_id = desk.genesis.chain_id();

    let proven = desk.reader().prove_records(&keys, None).unwrap();
    let (record, path) = &proven.records[0];
    path.verify(&record.key, &record.value, &proven.header.state_root).unwrap();
    proven.certificate.verify(chain_id, proven.header.id(), &validators).unwrap();

    let tip = desk.reader().tip().unwrap();
    for index in 0..tip.log_size - 1 {
        let proven = desk.reader().log_proof(index, None).unwrap();
        let (header, certificate) = proven.anchor.unwrap();
        proven.proof.verify(&proven.entry, &header.log_root).unwrap();
        certificate.verify(chain_id, header.id(), &validators).unwrap();
    }
    // Every older header anchors what came before it.
    let old = desk.reader().log_proof(0, Some(1)).unwrap();
    let (header, _) = old.anchor.unwrap();
    assert_eq!((header.height, header.log_size), (Height::new(1), 1));
    let leaf = leaf_hash(&old.entry);
    verify_inclusion(&leaf, 0, 1, &old.proof.path, &header.log_root).unwrap();
    let consistency = desk.reader().consistency_proof(1, tip.log_size - 1).unwrap();
    let newest = desk.reader().newest().unwrap().0;
    consistency.verify(&header.log_root, &newest.log_root).unwrap();
    assert!(desk.reader().log_proof(tip.log_size + 5, None).is_err());
}

#[tokio::test]
async fn lists_are_read_page_by_page_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    // Every second tonne of holder 1 goes away, which leaves many ranges.
    let mut orders = Vec::new();
    for salt in 0..20 {
        let start = 2 + salt * 2;
        let range =
            cets_contracts::types::SerialRange::inclusive(instrument(), start, start).unwrap();
        let units = cets_contracts::types::Selection::Ranges(vec![range]);
        orders.push(crate::world::transfer_of(&desk.genesis, desk.now(), salt, 1, 3, units));
    }
    desk.submit(orders).await;
    desk.decide(&[]);
    let whole = desk.reader().holdings(holder(1), None, false, None, 0).unwrap().answer;
    assert_eq!((whole.items.len(), whole.next), (21, None));
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = desk.reader().holdings(holder(1), Some(instrument()), true, after.as_deref(), 4);
        let page = page.unwrap().answer;
        assert!(page.items.len() <= 4);
        paged.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole.items);
    let sum: u64 = whole.items.iter().map(|held| held.range.tonnes().get()).sum();
    assert_eq!(sum, desk.free(1));

    let outcomes = desk.reader().outcomes(0, None, 7).unwrap();
    assert_eq!(outcomes.next, 7);
    let of_three = desk.reader().outcomes(0, Some(holder(3)), 100).unwrap();
    assert_eq!(of_three.outcomes.len(), 20);
    let first_half = desk.reader().outcomes(0, Some(holder(3)), 10).unwrap();
    let rest = desk.reader().outcomes(first_half.next, Some(holder(3)), 100).unwrap();
    assert_eq!([first_half.outcomes, rest.outcomes].concat(), of_three.outcomes);
    let receipt: Receipt = codec::decode(&of_three.outcomes[0].receipt).unwrap();
    assert!(receipt.outcome.is_accepted());
}

#[tokio::test]
async fn a_simulation_answers_as_the_ledger_would_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let root = desk.root();
    let simulated = desk.handle.simulate(Simulation::Signed(order.clone())).unwrap();
    let receipt: Receipt = codec::decode(&simulated.receipt).unwrap();
    assert!(receipt.outcome.is_accepted());
    let transaction = Transaction::decode(order).unwrap();
    let unsigned = Simulation::Unsigned(codec::encode(transaction.body()));
    assert_eq!(desk.handle.simulate(unsigned).unwrap().events, simulated.events);
    assert_eq!(desk.root(), root);
    let mut forged = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    *forged.last_mut().unwrap() ^= 1;
    assert!(desk.handle.simulate(Simulation::Signed(forged)).is_err());
}

#[tokio::test]
async fn waiting_callers_get_the_answer_that_the_store_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    issued(&desk, &[]).await;
    let order = transfer(&desk.genesis, desk.now(), 0, 1, 2, 5);
    let id = Transaction::decode(order.clone()).unwrap().id();
    let handle = desk.handle.clone();
    let waiting = tokio::spawn(async move {
        handle.submit_and_wait(order, std::time::Duration::from_secs(30)).await
    });
    while desk.handle.status().unwrap().mempool.transactions == 0 {
        tokio::task::yield_now().await;
    }
    desk.decide(&[]);
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(desk.reader().transaction(&id).unwrap().unwrap(), answer);
}

#[test]
fn a_folder_of_another_chain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Desk::open(folder.path(), 0));
    let store = cets_node::store::Store::open(folder.path()).unwrap();
    let mut other = genesis();
    other.network = "another".into();
    let error = cets_node::ledger::NodeLedger::load(&store, &other).unwrap_err();
    assert!(error.to_string().contains("use the genesis file of that ledger"), "{error}");
}

#[tokio::test]
async fn a_block_executes_the_same_without_a_mempool() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (Desk::open(folders[0].path(), 0), Desk::open(folders[1].path(), 1));
    a.submit(vec![issue(&a.genesis, a.now(), 0, &[(1, 9)])]).await;
    let block = a.decide(&[&b]);
    let decoded = Block::decode(&block.bytes).unwrap();
    let transactions: Vec<_> = decoded
        .transactions
        .into_iter()
        .map(|bytes| VerifiedTransaction::verify(Transaction::decode(bytes).unwrap()).unwrap())
        .collect();
    let state = a.genesis.state().unwrap();
    let executed = execute_block(&state, &decoded.header, &transactions).unwrap();
    assert_eq!(executed.header.state_root, a.root());
}
