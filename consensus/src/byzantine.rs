//! Misbehaviour on purpose, for fault tests.

use std::sync::Arc;

use cets_contracts::types::{BlockId, ChainId};
use malachitebft_app_channel::{ByzantineContext, NetworkIdentity};
use malachitebft_engine_byzantine::{ByzantineConfig, Trigger};

use crate::codec::WireCodec;
use crate::config::ConfigError;
use crate::context::{BlockValue, EngineAddress, EngineContext};
use crate::keys::{EngineSigner, validator_address};
use crate::signing::GuardedSigner;

/// Seed of the engine's own choices, so that a run can be repeated.
const SEED: u64 = 1;

/// A block id that differs in one bit: no such block exists.
fn other(value: Option<&BlockValue>) -> BlockValue {
    let mut bytes = value.map_or([0; BlockId::LEN], |value| *value.0.as_bytes());
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    BlockValue(BlockId::new(bytes))
}

/// The network of a validator that misbehaves as told: comma-separated `votes`, `proposals`,
/// `silent`.
pub fn network(
    what: &str,
    identity: NetworkIdentity,
    chain_id: ChainId,
    signer: Arc<dyn EngineSigner>,
) -> Result<ByzantineContext<EngineContext, WireCodec>, ConfigError> {
    let mut config = ByzantineConfig::new(Some(SEED));
    for word in what.split(',') {
        config = match word {
            "votes" => config.with_equivocate_votes(Trigger::Always),
            "proposals" => config.with_equivocate_proposals(Trigger::Always),
            "silent" => {
                config.with_drop_votes(Trigger::Always).with_drop_proposals(Trigger::Always)
            }
            _ => {
                let allowed = "a comma-separated list of votes, proposals and silent";
                return Err(ConfigError::Range { setting: "byzantine", allowed });
            }
        };
    }
    let address = EngineAddress(validator_address(&signer.public_key()));
    Ok(ByzantineContext {
        identity,
        codec: WireCodec,
        config,
        signer: Box::new(GuardedSigner::unguarded(chain_id, signer)),
        address,
        conflicting_value_fn: Some(Box::new(|value| other(Some(value)))),
        conflicting_vote_value_fn: Some(Box::new(other)),
    })
}
