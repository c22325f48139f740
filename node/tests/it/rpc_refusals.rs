//! Bad input through the interface: each with its own code and sentence, nothing changed.

use cets_api::{SimulateRequest, SubmitAndWaitRequest, SubmitRequest};
use cets_contracts::block::Outcome;
use cets_contracts::codec;
use cets_contracts::rules::accounts::open_account::OpenAccount;
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::compliance::offset::Offset;
use cets_contracts::rules::compliance::surrender::Surrender;
use cets_contracts::rules::enforcement::freeze::Freeze;
use cets_contracts::rules::{Payload, Rule as _};
use cets_contracts::tx::{SignedTransaction, TRANSACTION_BYTES_MAX};
use cets_contracts::types::{AccountId, BlockTime, ChainId, Role, Selection, SerialRange, Tonnes};
use tonic::Code;

use super::rpc_market::{
    DUE, ISSUED, Market, Party, body, ccer, cea, digest, outcome, quantity, sign, year,
};
use super::rpc_network::{Client, report};

/// Submits bytes in every way and expects the same refusal of the envelope each time.
async fn expect_envelope(market: &Market, bytes: Vec<u8>, number: u16, code: Code) {
    let before = root(market).await;
    let client = market.network.public().await;
    let one = SubmitRequest { transaction: bytes.clone() };
    let refused = client.transactions().submit(client.ask(one.clone())).await.unwrap_err();
    let found = report(&refused);
    assert_eq!((found.number, refused.code()), (number, code), "{found:?}");
    assert_eq!(found.kind, "envelope");
    assert_eq!(refused.message(), found.sentence);
    assert!(!found.hint.is_empty() && !found.name.is_empty());
    let waiting = SubmitAndWaitRequest { transaction: bytes.clone(), timeout_millis: 1_000 };
    let refused = client.transactions().submit_and_wait(client.ask(waiting)).await.unwrap_err();
    assert_eq!(report(&refused), found);
    let stream = client.ask(futures::stream::iter([one]));
    let mut answers = client.transactions().submit_stream(stream).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let streamed: super::rpc_network::Report = serde_json::from_str(&answer.error).unwrap();
    assert_eq!(streamed, found);
    assert!(answer.tx_id.is_empty());
    let chinese = Client { language: "zh-CN", ..client.clone() };
    let request = chinese.ask(SubmitRequest { transaction: bytes });
    let refused = chinese.transactions().submit(request).await.unwrap_err();
    assert_eq!(report(&refused).number, number);
    assert_ne!(report(&refused).sentence, found.sentence);
    assert_eq!(root(market).await, before);
}

/// Submits a transaction that is ordered and refused by its rule, and simulates it before.
async fn expect_reject(market: &Market, signed: &SignedTransaction, number: u16) {
    let before = root(market).await;
    let client = market.network.public().await;
    let request = SimulateRequest { transaction: signed.encode(), ..SimulateRequest::default() };
    let tried = client.transactions().simulate(client.ask(request)).await.unwrap().into_inner();
    let receipt: cets_contracts::block::Receipt = codec::decode(&tried.receipt).unwrap();
    let answer = market.final_answer(signed).await;
    let Outcome::Rejected(reject) = outcome(&answer) else { panic!("{number} was accepted") };
    assert_eq!(reject.number, number);
    assert_eq!(receipt.outcome, Outcome::Rejected(reject.clone()));
    let explained = reject.explain(cets_contracts::rules::Language::English);
    assert!(!explained.sentence.is_empty() && !explained.hint.is_empty());
    assert!(answer.events.is_empty());
    assert_eq!(root(market).await, before);
}

/// Submits a transaction that nobody of its account signed: it is never ordered.
async fn expect_turned_away(market: &Market, signed: &SignedTransaction, number: u16) {
    let before = root(market).await;
    let client = market.network.public().await;
    let request = SubmitAndWaitRequest { transaction: signed.encode(), timeout_millis: 20_000 };
    let refused = client.transactions().submit_and_wait(client.ask(request)).await.unwrap_err();
    let found = report(&refused);
    assert_eq!((found.number, found.kind.as_str()), (number, "rule"), "{found:?}");
    assert!(!found.sentence.is_empty() && !found.hint.is_empty());
    assert_eq!(root(market).await, before);
}

async fn root(market: &Market) -> String {
    let client = market.network.public().await;
    let status = client.operations().get_status(client.ask(Default::default())).await;
    status.unwrap().into_inner().state_root
}

fn transfer(to: Party, units: Selection) -> Transfer {
    Transfer { to: to.account, units }
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_that_no_block_may_hold_are_refused_at_the_door() {
    let market = Market::open().await;
    let order = || transfer(market.trader, quantity(cea(), 1));
    let good = market.signed(market.mill, order());
    let encoded = good.encode();

    let truncated = encoded[..encoded.len() - 1].to_vec();
    expect_envelope(&market, truncated, 1, Code::InvalidArgument).await;
    let mut trailing = encoded.clone();
    trailing.push(0);
    expect_envelope(&market, trailing, 1, Code::InvalidArgument).await;
    expect_envelope(&market, Vec::new(), 1, Code::InvalidArgument).await;
    // The tag of the payload follows chain id, account, two signers, valid_until and salt.
    let mut unknown_tag = encoded.clone();
    unknown_tag[16 + 8 + 1 + 2 * 32 + 8 + 8] = 0x7f;
    expect_envelope(&market, unknown_tag, 1, Code::InvalidArgument).await;
    let too_large = vec![0u8; TRANSACTION_BYTES_MAX + 1];
    expect_envelope(&market, too_large, 2, Code::InvalidArgument).await;

    let unsigned = SignedTransaction { signatures: Vec::new(), body: good.body.clone() };
    expect_envelope(&market, unsigned.encode(), 3, Code::InvalidArgument).await;
    let mut shorter = good.clone();
    shorter.signatures.pop();
    expect_envelope(&market, shorter.encode(), 3, Code::InvalidArgument).await;
    let mut twice = good.clone();
    twice.body.signers = vec![good.body.signers[0]; 2];
    expect_envelope(&market, twice.encode(), 3, Code::InvalidArgument).await;
    // A relay that takes a signer and its signature away makes another transaction of it.
    let mut stripped = good.clone();
    stripped.body.signers.pop();
    stripped.signatures.pop();
    expect_envelope(&market, stripped.encode(), 4, Code::Unauthenticated).await;

    let mut forged = good.clone();
    forged.signatures[0] = good.signatures[1];
    expect_envelope(&market, forged.encode(), 4, Code::Unauthenticated).await;
    let mut changed = good.clone();
    changed.body.salt += 1;
    expect_envelope(&market, changed.encode(), 4, Code::Unauthenticated).await;

    let now = market.network.handle.now().as_millis();
    let elsewhere =
        body(ChainId::new([9; 16]), market.mill.account, &market.mill.people(), now, order());
    let elsewhere = sign(elsewhere, &market.mill.people());
    expect_envelope(&market, elsewhere.encode(), 5, Code::FailedPrecondition).await;
    let mut late = market.body(market.mill, order());
    late.valid_until = BlockTime::from_millis(1);
    let late = sign(late, &market.mill.people());
    expect_envelope(&market, late.encode(), 6, Code::FailedPrecondition).await;
    let mut long = market.body(market.mill, order());
    long.valid_until = BlockTime::from_millis(now + 48 * 3_600_000);
    let long = sign(long, &market.mill.people());
    expect_envelope(&market, long.encode(), 7, Code::InvalidArgument).await;

    super::rpc_market::assert_accepted(&market.final_answer(&good).await);
    expect_envelope(&market, encoded, 8, Code::AlreadyExists).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_break_a_rule_are_refused_with_its_number_and_change_nothing() {
    let market = Market::open().await;
    let (mill, plant, trader) = (market.mill, market.plant, market.trader);
    let range = |start, end| SerialRange::new(cea(), start, end).unwrap();
    let by = |party: Party, payload: Payload| market.signed(party, payload);

    let overspend = transfer(trader, quantity(cea(), ISSUED + 1));
    expect_reject(&market, &by(mill, overspend.into()), 1009).await;
    let zero = transfer(trader, quantity(cea(), 0));
    expect_reject(&market, &by(mill, zero.into()), 1006).await;
    let overlapping = Selection::Ranges(vec![range(5_000, 5_010), range(5_005, 5_020)]);
    expect_reject(&market, &by(mill, transfer(trader, overlapping).into()), 1007).await;
    let foreign = Selection::Ranges(vec![range(ISSUED + 1_000, ISSUED + 1_010)]);
    expect_reject(&market, &by(mill, transfer(trader, foreign).into()), 1010).await;
    let nobody = AccountId::new(Role::Trader, 77).unwrap();
    let order = Transfer { to: nobody, units: quantity(cea(), 1) };
    expect_reject(&market, &by(mill, order.into()), 1001).await;

    // The plant asks for two people on a transfer.
    let order = transfer(trader, quantity(cea(), 1));
    let alone = market.signed_by(plant.account, order.clone(), &[plant.seed]);
    expect_reject(&market, &alone, 1005).await;
    let stranger = market.signed_by(mill.account, order.clone(), &trader.people());
    expect_turned_away(&market, &stranger, 1004).await;
    let reader = market.signed_by(mill.account, order, &[mill.reader()]);
    expect_reject(&market, &reader, 1004).await;

    let line = IssueLine { account: mill.account, tonnes: Tonnes::new(1) };
    let issue = |lines| Issue { vintage: year(), lines, document: digest(9) };
    expect_reject(&market, &by(mill, issue(vec![line]).into()), 1003).await;
    expect_reject(&market, &by(market.registry, issue(vec![]).into()), 1015).await;
    let lone =
        market.signed_by(market.registry.account, issue(vec![line]), &[market.registry.seed]);
    expect_reject(&market, &lone, 1005).await;
    let open = OpenAccount::example();
    expect_reject(&market, &by(market.exchange, open.into()), 1003).await;

    let too_much = Surrender { year: year(), units: quantity(cea(), DUE + 1) };
    expect_reject(&market, &by(mill, too_much.into()), 1022).await;
    let above_cap = Offset { year: year(), units: quantity(ccer(), DUE / 20 + 1) };
    expect_reject(&market, &by(mill, above_cap.into()), 6008).await;
    let reductions = Surrender { year: year(), units: quantity(ccer(), 1) };
    let refused = market.final_answer(&by(mill, reductions.into())).await;
    assert!(!outcome(&refused).is_accepted());

    let freeze = Freeze { account: trader.account, units: None, order: digest(10) };
    market.must(market.registry, freeze).await;
    let order = transfer(mill, quantity(cea(), 1));
    expect_reject(&market, &by(trader, order.into()), 1002).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_bytes_are_refused_one_by_one_and_the_node_goes_on() {
    let market = Market::open().await;
    let before = root(&market).await;
    let client = market.network.public().await;
    let good = market.signed(market.mill, transfer(market.trader, quantity(cea(), 1))).encode();
    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        damaged.push(flipped);
    }
    let count = damaged.len();
    let requests = damaged.into_iter().map(|transaction| SubmitRequest { transaction });
    let stream = client.ask(futures::stream::iter(requests));
    let mut answers = client.transactions().submit_stream(stream).await.unwrap().into_inner();
    let mut refused = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        assert!(answer.tx_id.is_empty(), "damaged bytes were taken");
        let found: super::rpc_network::Report = serde_json::from_str(&answer.error).unwrap();
        assert_eq!(found.kind, "envelope");
        refused += 1;
    }
    assert_eq!(refused, count);
    assert_eq!(root(&market).await, before);
    market.must(market.mill, transfer(market.trader, quantity(cea(), 1))).await;
}
