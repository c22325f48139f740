//! Sequences of transactions over a small world.
//!
//! In `sequence` the bytes are the choices of the workload's generator, so that every input is a
//! sequence of orders that make sense or nearly do, and the naive model says what must become of
//! each. In `orders` the bytes are the orders themselves, in the canonical codec and of any size:
//! there the invariants of the rule book judge, because a model that keeps every unit apart cannot
//! follow billions.

use std::sync::LazyLock;

use cets_contracts::block::{BlockExecutor, PushError, commit_block};
use cets_contracts::codec;
use cets_contracts::invariants;
use cets_contracts::rules::{Payload, RULES};
use cets_contracts::state::State;
use cets_contracts::tx::{
    SignedTransaction, Transaction, TxBody, VerifiedTransaction, signer_list,
};
use cets_contracts::types::{AccountId, PublicKey, ValidatorAddress};

use super::target::{KIB, MIB, Target};
use crate::workload::Run;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("sequence", sequence)
        .reading("sequences of orders over a small world, as the bytes choose")
        .holding("every answer, balance and serial is the naive model's; the invariants hold")
        .up_to(KIB)
        .within(64 * MIB)
        .weighing(1)
        .from_seeds(sequence_seeds),
    Target::of_bytes("orders", orders)
        .reading("sequences of orders of any content, two people signing for any account")
        .holding("no rule faults; the invariants hold after every block")
        .up_to(4 * KIB)
        .within(64 * MIB)
        .weighing(2)
        .from_seeds(order_seeds),
];

/// Orders tried before the bytes begin to choose.
const ORDERS_BEFORE: u64 = 700;
/// Orders of one block.
const ORDERS_PER_BLOCK: usize = 4;

/// A world with holders, units, obligations and tasks.
fn world() -> &'static Run {
    static WORLD: LazyLock<Run> = LazyLock::new(|| {
        let mut run = Run::new(11);
        run.until(ORDERS_BEFORE);
        run
    });
    &WORLD
}

/// Plays what the bytes choose, beside the model.
pub fn sequence(bytes: &[u8]) -> bool {
    let mut run = world().clone();
    let before = run.operations;
    run.play(bytes);
    run.operations > before
}

/// An order of the input: whose, and what.
struct Order {
    account: AccountId,
    signers: Vec<PublicKey>,
    payload: Payload,
}

/// Reads orders: a byte for the account, two for the length, the payload.
fn read_orders(mut bytes: &[u8], state: &State) -> Vec<Order> {
    let accounts: Vec<(AccountId, Vec<PublicKey>)> = world()
        .model
        .accounts
        .iter()
        .map(|(id, holder)| (*id, holder.people.iter().map(|person| person.key).collect()))
        .collect();
    assert!(!accounts.is_empty() && state.tip.height > cets_contracts::types::Height::GENESIS);
    let mut orders = Vec::new();
    while let [account, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (content, after) = rest.split_at(length);
        if let Ok(payload) = codec::decode(content) {
            let (account, keys) = accounts[usize::from(*account) % accounts.len()].clone();
            orders.push(Order { account, signers: keys, payload });
        }
        bytes = after;
    }
    orders
}

/// Carries the orders out in small blocks.
pub fn orders(bytes: &[u8]) -> bool {
    let mut state = world().state.clone();
    let orders = read_orders(bytes, &state);
    let (mut accepted, mut salt) = (false, 1_000_000u64);
    for block in orders.chunks(ORDERS_PER_BLOCK) {
        let now = state.tip.time.saturating_add_millis(1_000);
        let executed = {
            let mut executor =
                BlockExecutor::new(&state, now, ValidatorAddress::new([1; 20])).unwrap();
            for order in block {
                salt += 1;
                let body = TxBody {
                    chain_id: state.tip.chain_id,
                    account: order.account,
                    signers: signer_list(order.signers.iter().copied()),
                    valid_until: now.saturating_add_millis(1_000),
                    salt,
                    payload: order.payload.clone(),
                };
                let unsigned = SignedTransaction::unsigned(body);
                let Ok(transaction) = Transaction::decode(unsigned.encode()) else { continue };
                let pushed = executor.push(&VerifiedTransaction::assume_verified(transaction));
                match pushed {
                    Ok(outcome) => accepted |= outcome.receipt.outcome.is_accepted(),
                    Err(PushError::Envelope(_)) => {}
                    Err(PushError::Fault(fault)) => panic!("{fault}: {:?}", order.payload),
                }
            }
            executor.finish().unwrap().0
        };
        commit_block(&mut state, executed).unwrap();
        let violations = invariants::check(&state);
        assert!(violations.is_empty(), "{violations:#?}");
    }
    accepted
}

fn sequence_seeds() -> Vec<Vec<u8>> {
    let mut chooser = crate::workload::Chooser::new(5);
    (0..24u64)
        .map(|number| (0..64 + 24 * number).map(|_| chooser.below(256) as u8).collect())
        .collect()
}

fn order_seeds() -> Vec<Vec<u8>> {
    let mut run = world().clone();
    let mut names: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    let accounts: Vec<AccountId> = run.model.accounts.keys().copied().collect();
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let frame = |account: u8, payload: &Payload| {
        let content = codec::encode(payload);
        [&[account], &u16::try_from(content.len()).unwrap().to_be_bytes()[..], &content].concat()
    };
    for _ in 0..4_000 {
        let chain_id = run.state.tip.chain_id;
        let draft = run.workload.draft(&run.model, chain_id);
        // Some drafts are for accounts that do not exist.
        let place = accounts.iter().position(|id| *id == draft.body.account).unwrap_or(0);
        if names.insert(draft.body.payload.rule().name) {
            seeds.push(frame(place as u8, &draft.body.payload));
        }
    }
    seeds.push(seeds.concat());
    seeds.extend(RULES.iter().map(|rule| frame(1, &(rule.example)())));
    seeds
}
