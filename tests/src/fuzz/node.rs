//! What a node reads beside consensus: pushes of its peers, its configuration, access tokens.

use std::path::Path;

use cets_api::token::{self, TOKEN_BYTES_MAX};
use cets_contracts::tx::TRANSACTION_BYTES_MAX;
use cets_node::checkpoints::{CheckpointVote, decode_votes, encode_votes};
use cets_node::config::NodeConfig;
use cets_node::rpc::access::check_bearer;
use cets_node::simulation::{read_push, write_push};

use super::sample::{ledger, signing_key};
use super::target::{KIB, Target, text};
use super::transactions::transaction_seeds;
use crate::workspace;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("push", push)
        .reading("pushes of transactions between nodes")
        .up_to(64 * KIB)
        .weighing(700)
        .from_seeds(push_seeds),
    Target::of_bytes("votes", votes)
        .reading("cosignatures between nodes")
        .weighing(700)
        .from_seeds(vote_seeds),
    Target::of_text("node-config", node_config)
        .reading("node.toml")
        .holding("an accepted one gives settings in their limits, and the same when read again")
        .up_to(16 * KIB)
        .weighing(12)
        .from_seeds(config_seeds),
    Target::of_text("token", access_token)
        .reading("access tokens, as the header that carries them")
        .holding("one that is accepted was signed for its account by its key")
        .up_to(TOKEN_BYTES_MAX + 16)
        .weighing(150)
        .from_seeds(token_seeds),
];

/// Reads a push.
pub fn push(bytes: &[u8]) -> bool {
    let Some(transactions) = read_push(bytes) else { return false };
    assert!(transactions.iter().all(|transaction| transaction.len() <= TRANSACTION_BYTES_MAX));
    assert!(write_push(&transactions) == bytes, "accepted bytes that are not canonical");
    !bytes.is_empty()
}

/// Reads a message with cosignatures.
pub fn votes(bytes: &[u8]) -> bool {
    let Some(votes) = decode_votes(bytes) else { return false };
    // A later version has nothing that this one knows.
    assert!(bytes[0] > 1 && votes.is_empty() || encode_votes(&votes) == bytes);
    !votes.is_empty()
}

/// Reads a configuration.
pub fn node_config(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let file = Path::new("/etc/cets/node.toml");
    let config = match NodeConfig::parse(text, file) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.to_string().contains("node.toml"));
            return false;
        }
    };
    assert_eq!(NodeConfig::parse(text, file).ok().as_ref(), Some(&config));
    assert!(config.api.limits.ranges().iter().all(|(holds, ..)| *holds));
    assert!(config.gossip_config().is_ok() && config.data.is_absolute());
    assert!(config.ledger_settings().block_transactions_max > 0);
    assert!(config.mempool_limits().transactions_max > 0);
    drop((config.engine(), config.store_folder()));
    true
}

/// Second at which tokens are judged.
const NOW: u64 = 1_700_000_000;

/// Judges the value of an authorization header.
pub fn access_token(bytes: &[u8]) -> bool {
    let Some(value) = text(bytes) else { return false };
    let chain_id = ledger().genesis.chain_id().to_string();
    let Ok(proven) = check_bearer(value, &chain_id, NOW) else { return false };
    let own = signing_key(31).verifying_key();
    assert_eq!(proven.key.as_bytes(), own.as_bytes(), "a token that nobody signed");
    assert_eq!(proven.account, crate::sample_ledger::entity(1));
    true
}

fn push_seeds() -> Vec<Vec<u8>> {
    let all = transaction_seeds();
    vec![write_push(&all[..3]), write_push(&all), write_push(&[Vec::new(), vec![1, 2, 3]])]
}

fn vote_seeds() -> Vec<Vec<u8>> {
    use cets_contracts::transparency::Cosignature;
    let votes: Vec<CheckpointVote> = (1..=4u8)
        .map(|height| {
            let checkpoint = ledger().checkpoint(height.into());
            let time = ledger().at(height.into()).anchor.time();
            let key = super::sample::public_key(101);
            let sign = |message: &[u8]| super::sample::sign(101, message);
            let cosignature = Cosignature::sign(&checkpoint, time, key, sign);
            CheckpointVote { size: checkpoint.size, root: checkpoint.root, cosignature }
        })
        .collect();
    vec![encode_votes(&votes).to_vec(), encode_votes(&votes[..1]).to_vec(), vec![2, 0]]
}

fn config_seeds() -> Vec<Vec<u8>> {
    let example = workspace::root().join("network-config/node.example.toml");
    let peer = "/ip4/10.0.0.2/tcp/26656/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let short = format!(
        "name = 'a'\ngenesis = 'genesis.json'\ndata = 'data'\n[keys]\nnetwork = 'network.pem'\n\
         [consensus]\nlisten = '/ip4/0.0.0.0/tcp/26656'\npeers = ['{peer}']\npart_bytes = 131072\n\
         [gossip]\nlisten = '/ip4/0.0.0.0/tcp/26657'\npeers = ['{peer}']\n\
         [api]\nlisten = '127.0.0.1:0'\n[api.limits]\nstreams_max = 2\n"
    );
    vec![std::fs::read(example).unwrap(), short.into_bytes()]
}

fn token_seeds() -> Vec<Vec<u8>> {
    let chain_id = ledger().genesis.chain_id().to_string();
    let account = crate::sample_ledger::entity(1).to_string();
    let mint = |now| {
        let minted = token::mint(&signing_key(31), &account, &chain_id, now, 300, [9; 16]);
        token::bearer(&minted).into_bytes()
    };
    vec![mint(NOW), mint(NOW - 400), mint(NOW + 400), b"Basic YTpi".to_vec()]
}
