//! What one client cannot take from the others.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use cets_api::blocks_client::BlocksClient;
use cets_api::{GetGenesisRequest, StreamBlocksRequest, SubmitRequest};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_node::mempool::MempoolLimits;
use cets_node::rpc::RpcLimits;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::rpc_market::{Market, cea, quantity};
use super::rpc_network::{Network, report};

const ALL: StreamBlocksRequest = StreamBlocksRequest { from_height: 1, to_height: 0, follow: true };

async fn open_with(limits: RpcLimits) -> Market {
    Market::open_on(|genesis| async move {
        Network::start_with(genesis, limits, None, MempoolLimits::default()).await
    })
    .await
}

fn endpoint(market: &Market) -> Endpoint {
    Channel::from_shared(format!("http://{}", market.network.address)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_leaves_calls_for_another_and_gets_its_own_back() {
    let limits = RpcLimits { calls_max: 3, calls_per_address_max: 2, ..RpcLimits::default() };
    let market = open_with(limits).await;
    let client = market.network.public().await;
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let other = endpoint(&market).local_address(Some(other)).connect().await.unwrap();
    let mut other = BlocksClient::new(other);

    let follow = async || client.blocks().stream_blocks(client.ask(ALL)).await;
    let (first, _second) = (follow().await.unwrap(), follow().await.unwrap());
    let refused = follow().await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::ResourceExhausted, 106));
    assert!(report(&refused).sentence.contains("2 calls of one address"), "{refused:?}");

    let _third = other.stream_blocks(ALL).await.unwrap();
    let refused = other.stream_blocks(ALL).await.unwrap_err();
    assert!(report(&refused).sentence.contains("3 calls in all"), "{refused:?}");

    drop(first);
    // The place is free when the node has seen the end of the stream.
    while follow().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_leaves_streams_for_another_and_readers_leave_submitters_theirs() {
    let limits = RpcLimits { streams_max: 3, streams_per_address_max: 2, ..RpcLimits::default() };
    let market = open_with(limits).await;
    let client = market.network.public().await;
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let other = endpoint(&market).local_address(Some(other)).connect().await.unwrap();
    let mut other = BlocksClient::new(other);

    let follow = async || client.blocks().stream_blocks(client.ask(ALL)).await;
    let (_first, _second) = (follow().await.unwrap(), follow().await.unwrap());
    let refused = follow().await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::ResourceExhausted, 106));
    assert!(report(&refused).sentence.contains("2 streams of one address"), "{refused:?}");
    let _third = other.stream_blocks(ALL).await.unwrap();
    let refused = other.stream_blocks(ALL).await.unwrap_err();
    assert!(report(&refused).sentence.contains("3 streams in all"), "{refused:?}");

    let transfer = Transfer { to: market.trader.account, units: quantity(cea(), 1) };
    let transaction = market.signed(market.mill, transfer).encode();
    let submissions = futures::stream::iter([SubmitRequest { transaction }]);
    let answers = client.transactions().submit_stream(client.ask(submissions)).await.unwrap();
    assert_eq!(answers.into_inner().next().await.unwrap().unwrap().error, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_an_answer_loses_the_connection_and_who_waits_for_a_block_does_not() {
    let limits = RpcLimits {
        unread_millis_max: 1_000,
        keep_alive_millis: 1_000,
        keep_alive_timeout_millis: 1_000,
        ..RpcLimits::default()
    };
    let market = open_with(limits).await;
    let client = market.client(market.mill).await;
    let mut blocks = client.blocks().stream_blocks(client.ask(ALL)).await.unwrap().into_inner();
    let mut height = blocks.next().await.unwrap().unwrap().height;

    // It answers probes and lets nothing be sent.
    let reads_nothing = endpoint(&market).initial_stream_window_size(0).connect().await.unwrap();
    let lost = BlocksClient::new(reads_nothing).get_genesis(GetGenesisRequest {}).await;
    lost.unwrap_err();

    let tip = market.network.handle.status().unwrap().tip.height.get();
    let transfer = Transfer { to: market.trader.account, units: quantity(cea(), 1) };
    let transaction = market.signed(market.mill, transfer).encode();
    client.transactions().submit(client.ask(SubmitRequest { transaction })).await.unwrap();
    while height <= tip {
        height = blocks.next().await.unwrap().unwrap().height;
    }
}
