//! The files of the log over HTTP and gRPC.

use std::net::SocketAddr;
use std::time::Duration;

use cets_api::{GetCheckpointRequest, GetLogFileRequest, GetValidatorChangesRequest};
use cets_contracts::codec;
use cets_contracts::log::leaf_hash;
use cets_contracts::proof::ValidatorChain;
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::transparency::{Checkpoint, Note, Policy, decode_bundle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::rpc_market::{Market, cea, quantity};
use super::rpc_network::report;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn get(address: SocketAddr, path: &str, bearer: Option<&str>) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let who = bearer.map(|bearer| format!("authorization: {bearer}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.0\r\nhost: node\r\n{who}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// A market whose newest block is checkpointed.
async fn checkpointed() -> (Market, Checkpoint) {
    let market = Market::open().await;
    market.network.clock.advance(2_000);
    let units = quantity(cea(), 1);
    let order = Transfer { to: market.trader.account, units };
    market.must(market.mill, order).await;
    let size = market.network.handle.reader().tip().unwrap().log_size;
    let mut served = market.network.handle.checkpoints().watch();
    let reached = served.wait_for(|served| served.as_ref().is_some_and(|one| one.size == size));
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap().unwrap();
    let note: Note = reached.as_ref().unwrap().note.parse().unwrap();
    (market, note.text().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoint_policy_and_hash_tiles_are_for_everyone() {
    let (market, checkpoint) = checkpointed().await;
    let address = market.network.address;
    let served = get(address, "/checkpoint", None).await;
    assert_eq!(served.status, 200);
    assert!(served.head.contains("content-type: text/plain; charset=utf-8"), "{}", served.head);
    assert!(served.head.contains("cache-control: public, max-age=1"), "{}", served.head);
    let policy = get(address, "/tlog-policy", None).await;
    let policy: Policy = policy.text().parse().unwrap();
    let cosigned = policy.verify(&served.text().parse().unwrap()).unwrap();
    assert_eq!(cosigned.checkpoint, checkpoint);

    let path = format!("/tile/0/000.p/{}", checkpoint.size);
    let tile = get(address, &path, None).await;
    assert_eq!((tile.status, tile.body.len()), (200, checkpoint.size as usize * 32));
    assert!(tile.head.contains("content-type: application/octet-stream"), "{}", tile.head);
    let part = get(address, "/tile/0/000.p/2", None).await;
    assert_eq!(part.body, tile.body[..64], "a partial tile of an earlier size");

    let public = market.network.public().await;
    let answer = public.blocks().get_checkpoint(public.ask(GetCheckpointRequest {})).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!((answer.checkpoint.as_str(), &answer.policy), (served.text(), &policy.to_string()));
    let file = GetLogFileRequest { path: path[1..].to_owned() };
    let file = public.blocks().get_log_file(public.ask(file)).await.unwrap().into_inner();
    assert_eq!(file.content, tile.body);
    let request = public.ask(GetValidatorChangesRequest {});
    let changes = public.blocks().get_validator_changes(request).await.unwrap().into_inner();
    assert_eq!(codec::decode(&changes.changes), Ok(ValidatorChain::default()));
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_bundles_are_for_those_who_see_all_blocks() {
    let (market, checkpoint) = checkpointed().await;
    let address = market.network.address;
    let path = format!("/tile/entries/000.p/{}", checkpoint.size);
    let as_public = get(address, &path, None).await;
    assert_eq!(as_public.status, 401);
    assert!(as_public.head.contains("www-authenticate: Bearer"), "{}", as_public.head);
    assert_eq!(as_public.text(), "The public may not read blocks with transactions.\n");
    let garbled = get(address, &path, Some("Bearer nonsense")).await;
    assert_eq!(garbled.status, 401, "{}", garbled.text());
    for party in [market.mill, market.exchange, market.hubei] {
        let bearer = market.network.bearer(party.account, party.reader());
        let refused = get(address, &path, Some(&bearer)).await;
        assert_eq!(refused.status, 403, "{}", party.account);
        assert_eq!(refused.text(), "This account may not read blocks with transactions.\n");
        assert!(refused.head.contains("cache-control: no-store"));
    }
    let tile = get(address, &format!("/tile/0/000.p/{}", checkpoint.size), None).await;
    for party in [market.auditor, market.registry, market.ministry, market.ccer_registry] {
        let bearer = market.network.bearer(party.account, party.reader());
        let bundle = get(address, &path, Some(&bearer)).await;
        assert_eq!(bundle.status, 200, "{}", party.account);
        assert!(bundle.head.contains("cache-control: private"), "{}", bundle.head);
        let entries = decode_bundle(&bundle.body).unwrap();
        let hashes: Vec<u8> = entries.iter().flat_map(|entry| leaf_hash(entry)).collect();
        assert_eq!(hashes, tile.body);
    }
    let mill = market.client(market.mill).await;
    let request = mill.ask(GetLogFileRequest { path: path[1..].to_owned() });
    let refused = mill.blocks().get_log_file(request).await.unwrap_err();
    assert_eq!((refused.code(), report(&refused).number), (Code::PermissionDenied, 103));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_and_what_the_checkpoint_does_not_cover_are_refused_with_the_reason() {
    let (market, checkpoint) = checkpointed().await;
    let address = market.network.address;
    // The checkpoint stands still while the log grows: its blocks are of one second.
    let order = Transfer { to: market.trader.account, units: quantity(cea(), 1) };
    market.must(market.mill, order).await;
    assert!(market.network.handle.reader().tip().unwrap().log_size > checkpoint.size);
    let beyond = checkpoint.size + 1;
    for (path, status, reason) in [
        (format!("/tile/0/000.p/{beyond}"), 404, "entries that the checkpoint covers"),
        ("/tile/0/000".to_owned(), 404, "entries that the checkpoint covers"),
        ("/tile/1/000.p/1".to_owned(), 404, "entries that the checkpoint covers"),
        ("/tile/0/x001/000".to_owned(), 404, "entries that the checkpoint covers"),
        ("/tile/8/000".to_owned(), 400, "the level of a tile is a number from 0 to 7"),
        ("/tile/0/0".to_owned(), 400, "groups of three digits"),
        ("/tile/0/000.p/256".to_owned(), 400, "the width of a partial tile"),
        ("/tile/0/../../checkpoint".to_owned(), 400, "groups of three digits"),
        ("/tile/nonsense".to_owned(), 400, "the files of the log are"),
    ] {
        let answer = get(address, &path, None).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(reason), "{path}: {}", answer.text());
    }
}
