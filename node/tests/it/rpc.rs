//! Every method of the interface, its streams and its limits.

use cets_api::{
    ConsistencyProofRequest, GetAccountRequest, GetBlockRequest, GetGenesisRequest,
    GetStatusRequest, GetTransactionRequest, GetValidatorChangesRequest, GetValidatorsRequest,
    ListAccountsRequest, ListHoldingsRequest, ListParametersRequest, ListProjectsRequest,
    ListSettlementsRequest, ListSuppliesRequest, ListTasksRequest, ListTransactionsRequest,
    LogProofRequest, LookupSerialRequest, ProveRecordsRequest, SimulateRequest,
    StreamBlocksRequest, StreamEventsRequest, SubmitAndWaitRequest, SubmitRequest,
};
use cets_contracts::block::{
    Block, Certificate, EventRecord, Header, LogEntry, Receipt, ValidatorSet,
};
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::log::{ConsistencyProof, LogProof, leaf_hash, verify_inclusion};
use cets_contracts::proof::ValidatorChain;
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::state::{Account, KeyParts, StatusKind, Supply, Table, Task, UnitPlace, keys};
use cets_contracts::tree::StateProof;
use cets_contracts::tx::TxBody;
use cets_contracts::types::{SerialRange, Tonnes};
use cets_node::mempool::MempoolLimits;
use cets_node::rpc::RpcLimits;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::rpc_market::{
    ISSUED, Market, TRADED_BY_TRANSFER, assert_accepted, cea, quantity, validator,
};
use super::rpc_network::{Network, Report, report};

fn one_tonne(market: &Market) -> Transfer {
    Transfer { to: market.trader.account, units: quantity(cea(), 1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_transaction_becomes_final_and_its_answer_is_found_again() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    let signed = market.signed(market.mill, one_tonne(&market));
    let request = client.ask(SubmitRequest { transaction: signed.encode() });
    let taken = client.transactions().submit(request).await.unwrap().into_inner();
    assert_eq!(taken.tx_id, signed.body.id().as_bytes());
    let other = market.signed(market.mill, one_tonne(&market));
    let waited = market.final_answer(&other).await;
    let request = client.ask(GetTransactionRequest { tx_id: taken.tx_id });
    let found = client.transactions().get_transaction(request).await.unwrap().into_inner();
    assert_accepted(&found);
    assert!(found.log_index < waited.log_index && found.height <= waited.height);
    assert!(found.block_time_millis > 0);
    let events: EventRecord = codec::decode(&found.events).unwrap();
    assert_eq!(events.effects.units.len(), 1);
    let unknown = client.ask(GetTransactionRequest { tx_id: vec![7; 32] });
    let refused = client.transactions().get_transaction(unknown).await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::NotFound, 102));
    let short = client.ask(GetTransactionRequest { tx_id: vec![7; 3] });
    let refused = client.transactions().get_transaction(short).await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::InvalidArgument, 101));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_is_told_at_once_that_the_node_stops() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    market.network.pause();
    let transaction = market.signed(market.mill, one_tonne(&market)).encode();
    let request = client.ask(SubmitAndWaitRequest { transaction, timeout_millis: 0 });
    let mut transactions = client.transactions();
    let waiting = tokio::spawn(async move { transactions.submit_and_wait(request).await });
    while market.network.handle.status().unwrap().mempool.transactions == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    market.network.stop.cancel();
    let told = waiting.await.unwrap().unwrap_err();
    assert_eq!((told.code(), report(&told).number), (Code::Unavailable, 109));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_in_time_and_the_transaction_can_still_become_final() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    market.network.pause();
    let signed = market.signed(market.mill, one_tonne(&market));
    let request = SubmitAndWaitRequest { transaction: signed.encode(), timeout_millis: 50 };
    let late = client.transactions().submit_and_wait(client.ask(request)).await.unwrap_err();
    assert_eq!((late.code(), report(&late).number), (Code::DeadlineExceeded, 108));
    market.network.resume();
    assert_accepted(&market.final_answer(&market.signed(market.mill, one_tonne(&market))).await);
    let request = GetTransactionRequest { tx_id: signed.body.id().as_bytes().to_vec() };
    let found = client.transactions().get_transaction(client.ask(request)).await.unwrap();
    assert_accepted(&found.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_stream_answers_in_order_and_goes_on_after_a_bad_one() {
    const COUNT: usize = 600;
    const BAD: usize = 300;
    let market = Market::open().await;
    let client = market.network.public().await;
    let all: Vec<_> = (0..COUNT).map(|_| market.signed(market.mill, one_tonne(&market))).collect();
    let requests: Vec<SubmitRequest> = all
        .iter()
        .enumerate()
        .map(|(at, signed)| {
            let transaction = if at == BAD { vec![1, 2, 3] } else { signed.encode() };
            SubmitRequest { transaction }
        })
        .collect();
    let stream = client.ask(futures::stream::iter(requests));
    let mut answers = client.transactions().submit_stream(stream).await.unwrap().into_inner();
    for (at, signed) in all.iter().enumerate() {
        let answer = answers.message().await.unwrap().unwrap();
        if at == BAD {
            let refused: Report = serde_json::from_str(&answer.error).unwrap();
            assert_eq!((refused.kind.as_str(), refused.number), ("envelope", 1));
        } else {
            assert_eq!(answer.error, "");
            assert_eq!(answer.tx_id, signed.body.id().as_bytes());
        }
    }
    assert!(answers.message().await.unwrap().is_none());
    assert_accepted(&market.final_answer(&market.signed(market.mill, one_tonne(&market))).await);
    let mill = market.client(market.mill).await;
    let last = all.last().unwrap().body.id().as_bytes().to_vec();
    let request = mill.ask(GetTransactionRequest { tx_id: last });
    assert_accepted(&mill.transactions().get_transaction(request).await.unwrap().into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_run_shows_what_would_move_and_moves_nothing() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    let body = market.body(market.mill, one_tonne(&market));
    let request = SimulateRequest { transaction: Vec::new(), body: codec::encode(&body) };
    let before = status(&market.network).await;
    let tried = client.transactions().simulate(client.ask(request)).await.unwrap().into_inner();
    let receipt: Receipt = codec::decode(&tried.receipt).unwrap();
    assert!(receipt.outcome.is_accepted());
    assert_eq!(receipt.tx_id, body.id());
    let events: EventRecord = codec::decode(&tried.events).unwrap();
    assert_eq!(events.effects.units[0].to.holder, market.trader.account);
    assert_eq!(tried.height, before.height);
    assert_eq!(status(&market.network).await.state_root, before.state_root);
    let empty = client.ask(SimulateRequest::default());
    let refused = client.transactions().simulate(empty).await.unwrap_err();
    assert_eq!(report(&refused).number, 101);
    let keyless = codec::encode(&TxBody { signers: Vec::new(), ..body });
    let keyless = SimulateRequest { body: keyless, ..SimulateRequest::default() };
    let refused = client.transactions().simulate(client.ask(keyless)).await.unwrap_err();
    assert_eq!(report(&refused).number, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_reads_its_history_page_by_page() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    let account = market.mill.account.to_string();
    let mut all = Vec::new();
    let mut page = Vec::new();
    loop {
        let request =
            ListTransactionsRequest { account: account.clone(), page_size: 2, page: page.clone() };
        let answer = client.transactions().list_transactions(client.ask(request)).await;
        let answer = answer.unwrap().into_inner();
        assert!(answer.transactions.len() <= 2);
        all.extend(answer.transactions.into_iter().map(|found| found.log_index));
        page = answer.next_page;
        if page.is_empty() {
            break;
        }
    }
    // Opened, issued, emissions, reductions received, units sent, money, trades.
    assert_eq!(all.len(), 7);
    assert!(all.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_listed_page_by_page() {
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let request = client.ask(GetAccountRequest { account: market.mill.account.to_string() });
    let record = client.ledger().get_account(request).await.unwrap().into_inner();
    let account: Account = codec::decode(&record.value).unwrap();
    let held = ISSUED - TRADED_BY_TRANSFER - 300;
    assert_eq!(account.total(cea(), StatusKind::Free), Tonnes::new(held));
    assert_eq!(KeyParts::of(&record.key), Some(KeyParts::Account(market.mill.account)));

    let mut accounts = Vec::new();
    let mut page = Vec::new();
    loop {
        let request = ListAccountsRequest { role: String::new(), page_size: 5, page };
        let answer = client.ledger().list_accounts(client.ask(request)).await.unwrap();
        let answer = answer.into_inner();
        accounts.extend(answer.records.into_iter().map(|record| record.key));
        page = answer.next_page;
        if page.is_empty() {
            break;
        }
    }
    assert_eq!(accounts.len(), 12);
    assert!(accounts.is_sorted());
    let request = ListAccountsRequest { role: "KEE".to_owned(), ..Default::default() };
    let entities = client.ledger().list_accounts(client.ask(request)).await.unwrap();
    assert_eq!(entities.into_inner().records.len(), 2);

    let request = ListHoldingsRequest {
        account: market.trader.account.to_string(),
        instrument: cea().to_string(),
        ..Default::default()
    };
    let holdings = client.ledger().list_holdings(client.ask(request)).await.unwrap().into_inner();
    let tonnes: u64 = holdings
        .holdings
        .iter()
        .map(|holding| {
            let place: UnitPlace = codec::decode(&holding.place).unwrap();
            assert_eq!(place.holder, market.trader.account);
            holding.range.parse::<SerialRange>().unwrap().tonnes().get()
        })
        .sum();
    assert_eq!(tonnes, TRADED_BY_TRANSFER + 300 + 400);

    let supplies = client.ledger().list_supplies(client.ask(ListSuppliesRequest::default())).await;
    let supplies = supplies.unwrap().into_inner().records;
    assert_eq!(supplies.len(), 2);
    let supply: Supply = codec::decode(&supplies[0].value).unwrap();
    assert_eq!(supply.issued, Tonnes::new(2 * ISSUED));
    let parameters = client.ask(ListParametersRequest { page_size: 3, page: Vec::new() });
    let parameters = client.ledger().list_parameters(parameters).await.unwrap().into_inner();
    assert_eq!(parameters.records.len(), 3);
    assert!(!parameters.next_page.is_empty());
    let projects = client.ask(ListProjectsRequest::default());
    let projects = client.ledger().list_projects(projects).await.unwrap().into_inner();
    assert_eq!(projects.records.len(), 1);
    let exchange = market.exchange.account.to_string();
    let settlements = client.ask(ListSettlementsRequest { exchange, ..Default::default() });
    let settlements = client.ledger().list_settlements(settlements).await.unwrap().into_inner();
    assert_eq!(settlements.records.len(), 1);
    let tasks = client.ledger().list_tasks(client.ask(ListTasksRequest::default())).await;
    let tasks = tasks.unwrap().into_inner().records;
    let task: Task = codec::decode(&tasks[0].value).unwrap();
    assert_eq!(task.account, market.plant.account);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_unit_is_told_from_its_issue_on() {
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let request = LookupSerialRequest { instrument: cea().to_string(), number: 1, page: vec![] };
    let found = client.ledger().lookup_serial(client.ask(request)).await.unwrap().into_inner();
    assert_eq!(found.hops.len(), 2);
    assert!(found.hops[0].log_index < found.hops[1].log_index);
    let holding = found.holding.unwrap();
    let place: UnitPlace = codec::decode(&holding.place).unwrap();
    assert_eq!(place.holder, market.trader.account);
    let nonsense =
        LookupSerialRequest { instrument: "CEA-99".to_owned(), number: 1, ..Default::default() };
    let refused = client.ledger().lookup_serial(client.ask(nonsense)).await.unwrap_err();
    assert_eq!(report(&refused).number, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proven_from_the_validators_of_genesis_alone() {
    let market = Market::open().await;
    let client = market.client(market.mill).await;
    let key = keys::account(market.mill.account);
    let prove = |key: Vec<u8>, height| {
        let request = client.ask(ProveRecordsRequest { keys: vec![key], height });
        let mut ledger = client.ledger();
        async move { ledger.prove_records(request).await }
    };
    let proven = prove(key.as_bytes().to_vec(), 0).await.unwrap().into_inner();
    let header: Header = codec::decode(&proven.header).unwrap();
    let certificate: Certificate = codec::decode(&proven.certificate).unwrap();
    let record = &proven.records[0];
    let proof: StateProof = codec::decode(&record.proof).unwrap();
    let validators = ValidatorSet::new(vec![validator()]).unwrap();
    certificate.verify(market.network.chain(), header.id(), &validators).unwrap();
    proof.verify(&record.key, &record.value, &header.state_root).unwrap();
    let same = prove(key.as_bytes().to_vec(), header.height.get()).await.unwrap().into_inner();
    assert_eq!(same, proven);
    let old = prove(key.as_bytes().to_vec(), 1).await.unwrap_err();
    assert_eq!(report(&old).number, 101);
    assert!(old.message().contains("keeps no state of height 1"), "{old}");
    let derived = keys::units_of_holder(market.mill.account);
    let refused = prove(derived.into_bytes(), 0).await.unwrap_err();
    assert_eq!(report(&refused).number, 102);
    let refused = prove(keys::table_prefix(Table::Settlements).into_bytes(), 0).await.unwrap_err();
    assert_eq!(report(&refused).number, 102);
    let none = client.ask(ProveRecordsRequest::default());
    assert_eq!(report(&client.ledger().prove_records(none).await.unwrap_err()).number, 101);
    let changes = client.ask(GetValidatorChangesRequest {});
    let changes = client.blocks().get_validator_changes(changes).await.unwrap().into_inner();
    assert_eq!(codec::decode::<ValidatorChain>(&changes.changes), Ok(ValidatorChain::default()));
    let validators = client.blocks().get_validators(client.ask(GetValidatorsRequest {})).await;
    let validators = validators.unwrap().into_inner();
    let set: ValidatorSet = codec::decode(&validators.validators).unwrap();
    assert_eq!(set.digest(), header.next_validators);
    assert_eq!(validators.height, header.height.get() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_proves_its_entries_and_that_it_only_grows() {
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let request = LogProofRequest { log_index: 2, log_size: 0 };
    let proven = client.blocks().get_log_proof(client.ask(request)).await.unwrap().into_inner();
    let header: Header = codec::decode(&proven.header).unwrap();
    assert_eq!(header.log_size, proven.log_size);
    let path: Vec<[u8; 32]> =
        proven.path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    let leaf = leaf_hash(&proven.entry);
    assert_eq!(leaf.as_slice(), proven.leaf_hash);
    verify_inclusion(&leaf, 2, proven.log_size, &path, &header.log_root).unwrap();
    let proof = LogProof { index: 2, size: proven.log_size, path };
    proof.verify(&proven.entry, &header.log_root).unwrap();
    assert!(codec::decode::<LogEntry>(&proven.entry).is_ok());

    let first = client.blocks().get_block(client.ask(GetBlockRequest { height: 2 })).await;
    let old: Header = codec::decode(&first.unwrap().into_inner().header).unwrap();
    let sizes = ConsistencyProofRequest { old_size: old.log_size, new_size: header.log_size };
    let answer = client.blocks().get_consistency_proof(client.ask(sizes)).await.unwrap();
    let path = answer.into_inner().path;
    let path = path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    let consistency = ConsistencyProof { old: old.log_size, new: header.log_size, path };
    consistency.verify(&old.log_root, &header.log_root).unwrap();

    for (log_index, log_size) in [(1_000_000, 0), (5, 3), (0, 1_000_000)] {
        let request = client.ask(LogProofRequest { log_index, log_size });
        match client.blocks().get_log_proof(request).await {
            Err(refused) => assert_eq!(report(&refused).number, 101),
            Ok(_) => assert!(log_size == 1_000_000, "a longer log is proven as far as it goes"),
        }
    }
    let backwards = ConsistencyProofRequest { old_size: 9, new_size: 3 };
    let refused = client.blocks().get_consistency_proof(client.ask(backwards)).await.unwrap_err();
    assert_eq!(report(&refused).number, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_stream_in_order_verify_and_can_be_followed() {
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let genesis = client.blocks().get_genesis(client.ask(GetGenesisRequest {})).await.unwrap();
    let genesis: Genesis = serde_json::from_str(&genesis.into_inner().genesis).unwrap();
    assert_eq!(genesis.chain_id(), market.network.chain());
    let validators = ValidatorSet::new(genesis.validators).unwrap();
    let request = client.ask(StreamBlocksRequest { follow: true, ..Default::default() });
    let mut stream = client.blocks().stream_blocks(request).await.unwrap().into_inner();
    let tip = status(&market.network).await.height;
    let mut parent = None;
    for height in 1..=tip + 3 {
        if height > tip {
            market.must(market.mill, one_tonne(&market)).await;
        }
        let next = stream.message().await.unwrap().unwrap();
        assert_eq!(next.height, height);
        let block = Block::decode(&next.block).unwrap();
        let header: Header = codec::decode(&next.header).unwrap();
        assert_eq!(block.header, header);
        assert_eq!(block.transactions.len(), next.receipts.len());
        assert_eq!(block.transactions.len(), next.events.len());
        assert!(parent.is_none_or(|parent| parent == header.parent));
        let certificate: Certificate = codec::decode(&next.certificate).unwrap();
        certificate.verify(genesis_chain(&market), header.id(), &validators).unwrap();
        parent = Some(header.id());
    }
    let request = StreamBlocksRequest { from_height: 2, to_height: 4, follow: true };
    let mut part = client.blocks().stream_blocks(client.ask(request)).await.unwrap().into_inner();
    let mut heights = Vec::new();
    while let Some(block) = part.message().await.unwrap() {
        heights.push(block.height);
    }
    assert_eq!(heights, [2, 3, 4]);
    let missing = client.ask(GetBlockRequest { height: 10_000 });
    let refused = client.blocks().get_block(missing).await.unwrap_err();
    assert_eq!(report(&refused).number, 102);
    let newest = client.blocks().get_block(client.ask(GetBlockRequest { height: 0 })).await;
    assert_eq!(newest.unwrap().into_inner().height, tip + 3);
}

fn genesis_chain(market: &Market) -> cets_contracts::types::ChainId {
    market.network.chain()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_resume_at_an_index_without_loss_or_repetition() {
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let indexes = async |from_log_index: u64, limit: usize| {
        let request = StreamEventsRequest { from_log_index, ..Default::default() };
        let mut stream =
            client.operations().stream_events(client.ask(request)).await.unwrap().into_inner();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(event) = stream.message().await.unwrap() else { break };
            found.push(event.log_index);
        }
        found
    };
    let all = indexes(0, usize::MAX).await;
    assert!(all.is_sorted() && all.len() > 10);
    let mut resumed = Vec::new();
    while resumed.len() < all.len() {
        let from = resumed.last().map_or(0, |last| last + 1);
        resumed.extend(indexes(from, 3).await);
    }
    assert_eq!(resumed, all);
    assert!(indexes(1_000_000, usize::MAX).await.is_empty());

    let request = StreamEventsRequest {
        from_log_index: all.last().unwrap() + 1,
        follow: true,
        account: market.trader.account.to_string(),
    };
    let mut following =
        client.operations().stream_events(client.ask(request)).await.unwrap().into_inner();
    let elsewhere = Transfer { to: market.plant.account, units: quantity(cea(), 1) };
    market.must(market.mill, elsewhere).await;
    let answer = market.must(market.mill, one_tonne(&market)).await;
    let event = following.message().await.unwrap().unwrap();
    assert_eq!((event.log_index, event.height), (answer.log_index, answer.height));
    assert_eq!(event.events, answer.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_events_loses_nothing() {
    const COUNT: usize = 300;
    let market = Market::open().await;
    let client = market.client(market.auditor).await;
    let from_log_index = status(&market.network).await.log_size;
    let request = StreamEventsRequest { from_log_index, follow: true, account: String::new() };
    let mut stream =
        client.operations().stream_events(client.ask(request)).await.unwrap().into_inner();
    let requests: Vec<SubmitRequest> = (0..COUNT)
        .map(|_| market.signed(market.mill, one_tonne(&market)).encode())
        .map(|transaction| SubmitRequest { transaction })
        .collect();
    let submission = client.ask(futures::stream::iter(requests));
    let mut answers = client.transactions().submit_stream(submission).await.unwrap().into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.error, "");
    }
    assert_accepted(&market.final_answer(&market.signed(market.mill, one_tonne(&market))).await);
    let mut last = 0;
    for _ in 0..=COUNT {
        let event = stream.message().await.unwrap().unwrap();
        assert!(event.log_index > last);
        last = event.log_index;
    }
}

async fn status(network: &Network) -> cets_api::NodeStatus {
    let client = network.public().await;
    let answer = client.operations().get_status(client.ask(GetStatusRequest {})).await;
    answer.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_health_and_reflection_answer_everybody() {
    let market = Market::open().await;
    let said = status(&market.network).await;
    assert_eq!(said.chain_id, market.network.chain().to_string());
    assert_eq!((said.network.as_str(), said.node_name.as_str()), ("test market", "registry-1"));
    assert_eq!(said.business_date, "2022-06-01");
    assert!(said.is_validator && said.is_synced && said.problem.is_empty());
    assert!(said.height > 5 && said.log_size > said.height);
    let channel = market.network.public().await.channel;
    for service in ["", "cets.v1.Ledger", "cets.v1.Transactions"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(channel.clone()).check(request).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(futures::stream::iter([request])).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("no list of services");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["Transactions", "Ledger", "Blocks", "Operations"] {
        assert!(names.contains(&format!("cets.v1.{service}")), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limits_are_refused_with_a_report() {
    let limits = RpcLimits {
        request_bytes_max: 100_000,
        streams_max: 2,
        page_size_max: 3,
        connections_per_address_max: 40,
        ..RpcLimits::default()
    };
    let mempool = MempoolLimits { transactions_per_account_max: 2, ..MempoolLimits::default() };
    let market = Market::open_on(|genesis| async move {
        Network::start_with(genesis, limits, None, mempool).await
    })
    .await;
    let client = market.client(market.auditor).await;
    let request = client.ask(SubmitRequest { transaction: vec![0; 200_000] });
    let refused = client.transactions().submit(request).await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::OutOfRange, 110));

    let follow = StreamBlocksRequest { follow: true, ..Default::default() };
    let open = async || client.blocks().stream_blocks(client.ask(follow)).await;
    let (first, _second) = (open().await.unwrap(), open().await.unwrap());
    let refused = open().await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::ResourceExhausted, 106));
    drop(first);
    // The place is free when the node has seen that the reader left.
    while open().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    let request = client.ask(ListAccountsRequest { page_size: 1_000, ..Default::default() });
    let page = client.ledger().list_accounts(request).await.unwrap().into_inner();
    assert_eq!(page.records.len(), 3);

    market.network.pause();
    let submit = async || {
        let transaction = market.signed(market.mill, one_tonne(&market)).encode();
        client.transactions().submit(client.ask(SubmitRequest { transaction })).await
    };
    submit().await.unwrap();
    submit().await.unwrap();
    let refused = submit().await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::ResourceExhausted, 106));

    let mut channels = Vec::new();
    let mut refused = false;
    for _ in 0..60 {
        let endpoint =
            tonic::transport::Channel::from_shared(format!("http://{}", market.network.address));
        let Ok(channel) = endpoint.unwrap().connect().await else {
            refused = true;
            break;
        };
        let client = super::rpc_network::Client { channel, ..client.clone() };
        let answer = client.operations().get_status(client.ask(GetStatusRequest {})).await;
        if answer.is_err() {
            refused = true;
            break;
        }
        channels.push(client);
    }
    assert!(refused, "connections of one address are counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_with_a_reason_and_frees_the_port() {
    let mut market = Market::open().await;
    let client = market.client(market.auditor).await;
    let request = client.ask(StreamEventsRequest { follow: true, ..Default::default() });
    let mut stream = client.operations().stream_events(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    market.network.stop.cancel();
    let end = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(report(&end).number, 109);
    (&mut market.network.served).await.unwrap();
    assert!(tokio::net::TcpStream::connect(market.network.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_methods_and_broken_messages_get_a_report() {
    let market = Market::open().await;
    let client = market.network.public().await;
    let answer = call_raw(&client, "/cets.v1.Ledger/Nothing", vec![0, 0, 0, 0, 0]).await;
    assert_eq!(answer.0, "12");
    assert_eq!(answer.1.unwrap().number, 102);
    let answer = call_raw(&client, "/cets.v1.Nope/x", vec![0, 0, 0, 0, 0]).await;
    assert_eq!((answer.0.as_str(), answer.1.unwrap().number), ("12", 102));
    let broken = vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff];
    let answer = call_raw(&client, "/cets.v1.Ledger/GetAccount", broken).await;
    assert_eq!(answer.1.unwrap().number, 110);
}

/// Sends bytes as the body of a call; returns the status and the report.
async fn call_raw(
    client: &super::rpc_network::Client,
    path: &str,
    body: Vec<u8>,
) -> (String, Option<Report>) {
    use tonic::codegen::Service as _;
    use tonic::codegen::http;
    let request = http::Request::builder()
        .method("POST")
        .uri(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(axum::body::Body::from(body)))
        .unwrap();
    let mut channel = client.channel.clone();
    futures::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let answer = channel.call(request).await.unwrap();
    let header = |name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let report = header("cets-error").map(|json| serde_json::from_str(&json).unwrap());
    (header("grpc-status").unwrap_or_default(), report)
}
