//! Each caller sees what the access table gives it, and not more.

use cets_api::{
    GetAccountRequest, GetBlockRequest, GetTransactionRequest, ListAccountsRequest,
    ListEvidenceRequest, ListHoldingsRequest, ListObligationsRequest, ListTasksRequest,
    ListTransactionsRequest, LogProofRequest, LookupSerialRequest, ProveRecordsRequest,
    SimulateRequest, StreamBlocksRequest, StreamEventsRequest, StreamUnitsRequest,
    TraceRangeRequest,
};
use cets_contracts::audit::HistoryRecord;
use cets_contracts::block::EventRecord;
use cets_contracts::codec;
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::{Effects, Event, UnitMovement};
use cets_contracts::state::{Key, Table, UnitPlace, UnitRange, keys};
use cets_contracts::types::{AccountId, PublicKey, Selection, SerialRange};
use tonic::{Code, Status};

use super::rpc_market::{
    ISSUED, Market, Party, TRADED_BY_TRANSFER, assert_accepted, cea, quantity, year,
};
use super::rpc_network::{Client, public, report};

fn text(party: Party) -> String {
    party.account.to_string()
}

/// What the table expects of a call about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Given,
    NotAllowed,
    TokenRequired,
}

fn answer_of<T>(outcome: Result<T, Status>) -> Answer {
    match outcome {
        Ok(_) => Answer::Given,
        Err(status) => match (status.code(), report(&status).number) {
            (Code::PermissionDenied, 103) => Answer::NotAllowed,
            (Code::Unauthenticated, 105) => Answer::TokenRequired,
            other => panic!("{other:?}: {status:?}"),
        },
    }
}

async fn account(client: &Client, of: Party) -> Answer {
    let request = client.ask(GetAccountRequest { account: text(of) });
    answer_of(client.ledger().get_account(request).await)
}

async fn holdings(client: &Client, of: Party) -> Answer {
    let request = ListHoldingsRequest { account: text(of), ..Default::default() };
    answer_of(client.ledger().list_holdings(client.ask(request)).await)
}

async fn obligations(client: &Client, of: Party) -> Answer {
    let request = ListObligationsRequest { account: text(of), ..Default::default() };
    answer_of(client.ledger().list_obligations(client.ask(request)).await)
}

async fn tasks(client: &Client, of: Party) -> Answer {
    let request = ListTasksRequest { account: text(of), ..Default::default() };
    answer_of(client.ledger().list_tasks(client.ask(request)).await)
}

async fn history(client: &Client, of: Party) -> Answer {
    let request = ListTransactionsRequest { account: text(of), ..Default::default() };
    answer_of(client.transactions().list_transactions(client.ask(request)).await)
}

async fn proof(client: &Client, key: Key) -> Answer {
    let request = ProveRecordsRequest { keys: vec![key.into_bytes()], height: 0 };
    answer_of(client.ledger().prove_records(client.ask(request)).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_a_record_is_told_so_before_a_past_state_is_looked_for() {
    let market = Market::open().await;
    let public = market.network.public().await;
    let plant = market.client(market.plant).await;
    let proof = async |client: &Client, key: Key| {
        let request = ProveRecordsRequest { keys: vec![key.into_bytes()], height: 1_000_000 };
        client.ledger().prove_records(client.ask(request)).await
    };
    let account = || keys::account(market.mill.account);
    assert_eq!(answer_of(proof(&public, account()).await), Answer::TokenRequired);
    assert_eq!(answer_of(proof(&plant, account()).await), Answer::NotAllowed);
    let unit = keys::unit_range(&cea(), 1);
    assert_eq!(answer_of(proof(&public, unit).await), Answer::TokenRequired);
    let not_kept = proof(&public, keys::single(Table::Validators)).await.unwrap_err();
    assert_eq!(report(&not_kept).number, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_table_holds_for_every_level_and_subject() {
    use Answer::{Given, NotAllowed, TokenRequired};
    let market = Market::open().await;
    let public = market.network.public().await;
    let mill = market.client(market.mill).await;
    let exchange = market.client(market.exchange).await;
    let hubei = market.client(market.hubei).await;
    let auditor = market.client(market.auditor).await;
    let registry = market.client(market.registry).await;
    let ministry = market.client(market.ministry).await;
    let ccer_registry = market.client(market.ccer_registry).await;

    // The mill is in Hubei, the plant in Hebei. Per caller: of the mill, of the plant.
    let everything = [Given, Given];
    let nothing = [TokenRequired, TokenRequired];
    let first = [Given, NotAllowed];
    let none = [NotAllowed, NotAllowed];
    let rows = [
        (&public, [nothing, nothing, nothing, nothing, nothing]),
        (&mill, [first, first, first, first, first]),
        (&exchange, [everything, none, none, none, none]),
        (&hubei, [first, first, first, none, first]),
        (&auditor, [everything; 5]),
        (&registry, [everything; 5]),
        (&ministry, [everything; 5]),
        (&ccer_registry, [everything; 5]),
    ];
    for (row, (client, expected)) in rows.into_iter().enumerate() {
        let mut found = [[Given; 2]; 5];
        for (column, of) in [market.mill, market.plant].into_iter().enumerate() {
            found[0][column] = account(client, of).await;
            found[1][column] = holdings(client, of).await;
            found[2][column] = obligations(client, of).await;
            found[3][column] = tasks(client, of).await;
            found[4][column] = history(client, of).await;
            assert_eq!(found[0][column], proof(client, keys::account(of.account)).await);
            let obligation = keys::obligation(of.account, year());
            assert_eq!(found[2][column], proof(client, obligation).await);
        }
        assert_eq!(found, expected, "row {row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_only_what_the_caller_sees() {
    let market = Market::open().await;
    let listed = async |client: &Client| -> Vec<AccountId> {
        let request = client.ask(ListAccountsRequest::default());
        let answer = client.ledger().list_accounts(request).await.unwrap().into_inner();
        let keys = answer.records.iter().map(|record| record.key[1..].try_into().unwrap());
        keys.map(|key| AccountId::from_key(key).unwrap()).collect()
    };
    let mill = market.client(market.mill).await;
    assert_eq!(listed(&mill).await, [market.mill.account]);
    let hubei = listed(&market.client(market.hubei).await).await;
    let expected = [market.hubei, market.mill, market.owner, market.trader];
    assert_eq!(hubei, expected.map(|party| party.account));
    assert_eq!(listed(&market.client(market.auditor).await).await.len(), 12);
    let of = async |client: &Client| {
        let request = client.ask(ListObligationsRequest::default());
        let answer = client.ledger().list_obligations(request).await.unwrap();
        answer.into_inner().records.len()
    };
    assert_eq!(of(&mill).await, 1);
    assert_eq!(of(&market.client(market.hebei).await).await, 1);
    assert_eq!(of(&market.client(market.trader).await).await, 0);
    assert_eq!(of(&market.client(market.auditor).await).await, 2);
    let tasks = async |client: &Client| {
        let request = client.ask(ListTasksRequest::default());
        client.ledger().list_tasks(request).await.unwrap().into_inner().records.len()
    };
    assert_eq!(tasks(&market.client(market.plant).await).await, 1);
    assert_eq!(tasks(&mill).await, 0);
    assert_eq!(tasks(&market.client(market.auditor).await).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_knows_an_account_by_name_status_and_compliance_alone() {
    let market = Market::open().await;
    let client = market.network.public().await;
    let request = client.ask(GetAccountRequest { account: text(market.mill) });
    let known = client.ledger().get_public_account(request).await.unwrap().into_inner();
    assert_eq!((known.name.as_str(), known.role.as_str()), ("Mill", "KEE"));
    assert_eq!((known.province, known.status.as_str()), (42, "open"));
    assert_eq!(known.compliance.len(), 1);
    assert_eq!((known.compliance[0].year, known.compliance[0].completed_on.as_str()), (2021, ""));
    let units = quantity(cea(), super::rpc_market::DUE);
    let order = cets_contracts::rules::compliance::surrender::Surrender { year: year(), units };
    market.must(market.mill, order).await;
    let request = client.ask(ListAccountsRequest { role: "KEE".to_owned(), ..Default::default() });
    let all = client.ledger().list_public_accounts(request).await.unwrap().into_inner().accounts;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].compliance[0].completed_on, "2022-06-01");
    assert_eq!(all[1].compliance[0].completed_on, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bilateral_transaction_is_seen_whole_by_both_sides_and_by_nobody_else() {
    let market = Market::open().await;
    let order = Transfer { to: market.trader.account, units: quantity(cea(), 7) };
    let signed = market.signed(market.mill, order);
    let tx_id = signed.body.id().as_bytes().to_vec();
    market.final_answer(&signed).await;
    let ask = async |client: Client| {
        let request = client.ask(GetTransactionRequest { tx_id: tx_id.clone() });
        client.transactions().get_transaction(request).await
    };
    for party in [market.mill, market.trader, market.hubei, market.auditor] {
        let seen = ask(market.client(party).await).await.unwrap().into_inner();
        assert!(!seen.entry.is_empty() && !seen.events.is_empty() && seen.own_effects.is_empty());
    }
    for party in [market.plant, market.hebei, market.exchange, market.owner] {
        let refused = ask(market.client(party).await).await.unwrap_err();
        assert_eq!(report(&refused).number, 103);
    }
    let refused = ask(market.network.public().await).await.unwrap_err();
    assert_eq!(report(&refused).number, 105);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_of_a_batch_sees_its_own_movements_and_not_the_lines_of_others() {
    let market = Market::open().await;
    let settled = async |client: Client| {
        let request = client.ask(StreamEventsRequest::default());
        let mut stream = client.operations().stream_events(request).await.unwrap().into_inner();
        let mut found = Vec::new();
        while let Some(event) = stream.message().await.unwrap() {
            found.push(event);
        }
        found
    };
    // The exchange acted and sees the whole batch; the mill is one of three parties.
    let whole = settled(market.client(market.exchange).await).await;
    assert_eq!(whole.len(), 1);
    let record: EventRecord = codec::decode(&whole[0].events).unwrap();
    assert!(matches!(record.event, Event::SettleTrades(_)));
    assert_eq!(record.effects.units.len(), 2);
    let events = settled(market.client(market.mill).await).await;
    let batch = events.iter().find(|event| event.log_index == whole[0].log_index).unwrap();
    assert!(batch.events.is_empty());
    let own: Effects = codec::decode(&batch.own_effects).unwrap();
    assert_eq!(own.units.len(), 1);
    assert_eq!(own.units[0].from.unwrap().holder, market.mill.account);
    assert!(own.funds.iter().all(|paid| paid.to == Some(market.mill.account)));
    assert_eq!(own.funds.len(), 1);
    // The same part in the history, and no entry in the proof of the log.
    let mill = market.client(market.mill).await;
    let request = ListTransactionsRequest { account: text(market.mill), ..Default::default() };
    let history = mill.transactions().list_transactions(mill.ask(request)).await.unwrap();
    let part = history.into_inner().transactions;
    let part = part.iter().find(|part| part.log_index == batch.log_index).unwrap();
    assert!(part.entry.is_empty() && part.events.is_empty());
    assert_eq!((&part.own_effects, &part.receipt), (&batch.own_effects, &batch.receipt));
    let request = LogProofRequest { log_index: batch.log_index, log_size: 0 };
    let proof = mill.blocks().get_log_proof(mill.ask(request)).await.unwrap().into_inner();
    assert!(proof.entry.is_empty() && !proof.path.is_empty() && proof.leaf_hash.len() == 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_gets_headers_and_certificates_without_transactions() {
    let market = Market::open().await;
    for party in [None, Some(market.mill), Some(market.hubei), Some(market.exchange)] {
        let client = match party {
            None => market.network.public().await,
            Some(party) => market.client(party).await,
        };
        let request = client.ask(StreamBlocksRequest::default());
        let mut blocks = client.blocks().stream_blocks(request).await.unwrap().into_inner();
        let mut count = 0;
        while let Some(block) = blocks.message().await.unwrap() {
            assert!(block.block.is_empty() && block.receipts.is_empty());
            assert!(block.events.is_empty());
            assert!(!block.header.is_empty() && !block.certificate.is_empty());
            count += 1;
        }
        assert!(count > 5);
        let request =
            client.ask(StreamEventsRequest { account: text(market.plant), ..Default::default() });
        let refused = client.operations().stream_events(request).await.unwrap_err();
        assert!(matches!(report(&refused).number, 103 | 105));
    }
    let auditor = market.client(market.auditor).await;
    let block = auditor.blocks().get_block(auditor.ask(GetBlockRequest { height: 1 })).await;
    let block = block.unwrap().into_inner();
    assert!(!block.block.is_empty());
    assert_eq!(block.receipts.len(), block.events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_unit_shows_each_caller_its_own_movements() {
    let market = Market::open().await;
    // Unit 1 was issued to the mill and transferred to the trader.
    let look = async |client: &Client, number| {
        let request = LookupSerialRequest { instrument: cea().to_string(), number, page: vec![] };
        client.ledger().lookup_serial(client.ask(request)).await
    };
    let shown = |answer: &cets_api::LookupSerialResponse| -> Vec<bool> {
        answer.hops.iter().map(|hop| !hop.movement.is_empty()).collect()
    };
    let mill = market.client(market.mill).await;
    let seen = look(&mill, 1).await.unwrap().into_inner();
    assert!(seen.holding.is_none(), "the trader holds it now");
    assert_eq!(shown(&seen), [true, true]);
    let trader = market.client(market.trader).await;
    let seen = look(&trader, 1).await.unwrap().into_inner();
    assert!(seen.holding.is_some());
    assert_eq!(shown(&seen), [false, true]);
    let plant = market.client(market.plant).await;
    assert_eq!(answer_of(look(&plant, 1).await), Answer::NotAllowed);
    let public = market.network.public().await;
    assert_eq!(answer_of(look(&public, 1).await), Answer::TokenRequired);
    let auditor = market.client(market.auditor).await;
    assert_eq!(shown(&look(&auditor, TRADED_BY_TRANSFER).await.unwrap().into_inner()).len(), 2);
    let missing = look(&auditor, 900_000).await.unwrap_err();
    assert_eq!(report(&missing).number, 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn trial_runs_for_an_account_need_its_token_unless_they_are_signed() {
    let market = Market::open().await;
    let order = Transfer { to: market.trader.account, units: quantity(cea(), 1_000_000) };
    let body = market.body(market.mill, order);
    let run = async |client: Client| {
        let request = SimulateRequest { transaction: Vec::new(), body: codec::encode(&body) };
        client.transactions().simulate(client.ask(request)).await
    };
    assert_eq!(answer_of(run(market.network.public().await).await), Answer::TokenRequired);
    assert_eq!(answer_of(run(market.client(market.plant).await).await), Answer::NotAllowed);
    assert_eq!(answer_of(run(market.client(market.mill).await).await), Answer::Given);
    assert_eq!(answer_of(run(market.client(market.hubei).await).await), Answer::Given);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_prove_nothing_are_refused_everywhere() {
    use cets_api::token::{self, Claims};
    let market = Market::open().await;
    let now = market.network.handle.now().as_millis() / 1_000;
    let chain = market.network.chain().to_string();
    let secret = super::rpc_network::secret;
    let key = |seed: u8| -> PublicKey { public(seed) };
    let mint = |seed, account: &str, chain: &str, at| {
        token::mint(&secret(seed), account, chain, at, 300, [1; 16])
    };
    let mill = text(market.mill);
    let seed = market.mill.seed;
    let long = Claims {
        account: mill.clone(),
        key: key(seed).to_string(),
        chain_id: chain.clone(),
        issued_at: now,
        expires_at: now + 3_600,
        token_id: "1".to_owned(),
    };
    let refused = [
        "no token".to_owned(),
        token::bearer("a.b.c"),
        token::bearer(&mint(seed, &mill, &chain, now - 301)),
        token::bearer(&mint(seed, &mill, &chain, now + 120)),
        token::bearer(&mint(seed, &mill, "00", now)),
        token::bearer(&mint(seed, &text(market.auditor), &chain, now)),
        token::bearer(&mint(seed, "CN-AUD-0000000009-99", &chain, now)),
        token::bearer(&mint(99, &mill, &chain, now)),
        token::bearer(&token::sign(&secret(seed), &long)),
    ];
    for bearer in refused {
        let client = Client { bearer: Some(bearer), ..market.network.public().await };
        let request = client.ask(GetAccountRequest { account: mill.clone() });
        let status = client.ledger().get_account(request).await.unwrap_err();
        assert_eq!((status.code(), report(&status).number), (Code::Unauthenticated, 104));
        let request = client.ask(Default::default());
        let status = client.operations().get_status(request).await.unwrap_err();
        assert_eq!(report(&status).number, 104, "also where no token is needed");
        let request = client.ask(StreamBlocksRequest::default());
        let status = client.blocks().stream_blocks(request).await.unwrap_err();
        assert_eq!(report(&status).number, 104);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time_and_with_the_representative() {
    use cets_contracts::rules::accounts::set_representatives::SetRepresentatives;
    use cets_contracts::types::{Representative, Right, Thresholds};
    let market = Market::open().await;
    let mill = market.client(market.mill).await;
    let request = StreamEventsRequest { follow: true, ..Default::default() };
    let mut following =
        mill.operations().stream_events(mill.ask(request)).await.unwrap().into_inner();
    assert!(following.message().await.unwrap().is_some());
    // The reader's key is taken out of the account: its token and its open stream end.
    let representatives = market
        .mill
        .people()
        .map(|seed| Representative { key: public(seed), right: Right::InitiateAndApprove })
        .to_vec();
    let order = SetRepresentatives {
        account: market.mill.account,
        representatives,
        thresholds: Thresholds::uniform(1),
        material: super::rpc_market::digest(1),
    };
    market.must(market.mill, order).await;
    let ended = loop {
        match following.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(report(&ended).number, 103);
    let request = mill.ask(GetAccountRequest { account: text(market.mill) });
    let refused = mill.ledger().get_account(request).await.unwrap_err();
    assert_eq!(report(&refused).number, 104);

    let trader = market.client(market.trader).await;
    assert_eq!(account(&trader, market.trader).await, Answer::Given);
    market.network.clock.advance(301_000);
    let request = trader.ask(GetAccountRequest { account: text(market.trader) });
    let refused = trader.ledger().get_account(request).await.unwrap_err();
    assert_eq!(report(&refused).number, 104);
}

/// All ranges that a caller gets, or why none.
async fn stored_units(client: &Client, of: Option<Party>) -> Result<Vec<UnitRange>, Answer> {
    let account = of.map(text).unwrap_or_default();
    let request = StreamUnitsRequest { account, height: 0 };
    let stream = client.ledger().stream_units(client.ask(request)).await;
    let mut stream = match stream {
        Ok(stream) => stream.into_inner(),
        Err(status) => return Err(answer_of::<()>(Err(status))),
    };
    let mut ranges = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        assert!(chunk.height > 0);
        let records: Vec<HistoryRecord> = codec::decode(&chunk.records).unwrap();
        for record in records {
            assert_eq!(Table::of(&record.key), Some(Table::Units));
            ranges.push(codec::decode(&record.value).unwrap());
        }
    }
    Ok(ranges)
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_ranges_are_streamed_to_auditors_whole_and_to_holders_their_own() {
    let market = Market::open().await;
    let auditor = market.client(market.auditor).await;
    let all = stored_units(&auditor, None).await.unwrap();
    let of = |party: Party| {
        all.iter().filter(|range| range.place.holder == party.account).cloned().collect::<Vec<_>>()
    };
    assert!(!of(market.mill).is_empty() && of(market.mill).len() < all.len());
    assert_eq!(stored_units(&auditor, Some(market.mill)).await.unwrap(), of(market.mill));
    let mill = market.client(market.mill).await;
    assert_eq!(stored_units(&mill, Some(market.mill)).await.unwrap(), of(market.mill));
    assert_eq!(stored_units(&mill, None).await, Err(Answer::NotAllowed));
    assert_eq!(stored_units(&mill, Some(market.plant)).await, Err(Answer::NotAllowed));
    let anybody = market.network.public().await;
    assert_eq!(stored_units(&anybody, None).await, Err(Answer::TokenRequired));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_for_everyone() {
    let market = Market::open().await;
    let anybody = market.network.public().await;
    let kept = anybody.operations().list_evidence(anybody.ask(ListEvidenceRequest {})).await;
    let kept = kept.unwrap().into_inner();
    assert_eq!((kept.evidence, kept.checkpoint_forks), (vec![], vec![]));
}

/// The parts and movements of a range that a caller gets, as texts of serials and holders.
async fn traced(client: &Client, range: SerialRange) -> Result<(Vec<String>, Vec<String>), Answer> {
    let request = client.ask(TraceRangeRequest { range: range.to_string() });
    let answer = match client.ledger().trace_range(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(answer_of::<()>(Err(status))),
    };
    let parts = answer.parts.iter().map(|part| {
        let place: UnitPlace = codec::decode(&part.place).unwrap();
        format!("{} {}", part.range, place.holder)
    });
    let hops = answer.hops.iter().map(|hop| {
        let movement: UnitMovement = codec::decode(&hop.movement).unwrap();
        let from = movement.from.map(|place| place.holder.to_string()).unwrap_or_default();
        format!("{} {from} > {}", movement.range, movement.to.holder)
    });
    Ok((parts.collect(), hops.collect()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_traced_as_far_as_the_caller_sees_a_side_of_each_movement() {
    let market = Market::open().await;
    // Units 1 to 1,000 went from the mill (Hubei) to the trader (Hubei); 1 to 100 go on to the
    // plant (Hebei).
    let first = SerialRange::inclusive(cea(), 1, 100).unwrap();
    let units = Selection::Ranges(vec![first]);
    let order = Transfer { to: market.plant.account, units };
    assert_accepted(&market.final_answer(&market.signed(market.trader, order)).await);
    let asked = SerialRange::inclusive(cea(), 1, TRADED_BY_TRANSFER).unwrap();
    let [mill, trader, plant] = [market.mill, market.trader, market.plant].map(text);
    let of = |first: u64, last: u64| SerialRange::inclusive(cea(), first, last).unwrap();
    let parts =
        [format!("{} {plant}", of(1, 100)), format!("{} {trader}", of(101, TRADED_BY_TRANSFER))];
    let hops = [
        format!("{}  > {mill}", of(1, ISSUED)),
        format!("{} {mill} > {trader}", of(1, TRADED_BY_TRANSFER)),
        format!("{} {trader} > {plant}", of(1, 100)),
    ];
    for (party, sees_parts, sees_hops) in [
        (market.mill, &parts[..0], &hops[..2]),
        (market.trader, &parts[1..], &hops[1..]),
        (market.plant, &parts[..1], &hops[2..]),
        (market.hubei, &parts[1..], &hops[..]),
        (market.hebei, &parts[..1], &hops[2..]),
        (market.auditor, &parts[..], &hops[..]),
        (market.registry, &parts[..], &hops[..]),
    ] {
        let client = market.client(party).await;
        let (found_parts, found_hops) = traced(&client, asked).await.unwrap();
        assert_eq!(found_parts, sees_parts, "{party:?}");
        assert_eq!(found_hops, sees_hops, "{party:?}");
    }
    // The plant had nothing to do with the rest, the owner and the exchange with nothing.
    let plant = market.client(market.plant).await;
    assert_eq!(traced(&plant, of(101, TRADED_BY_TRANSFER)).await, Err(Answer::NotAllowed));
    for party in [market.owner, market.exchange, market.settlement] {
        let client = market.client(party).await;
        assert_eq!(traced(&client, asked).await, Err(Answer::NotAllowed), "{party:?}");
    }
    let anybody = market.network.public().await;
    assert_eq!(traced(&anybody, asked).await, Err(Answer::TokenRequired));
}
