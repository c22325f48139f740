//! A desk in the network that stays: the keys of one entity that still holds allowances.

use cets_contracts::state::StatusKind;
use cets_contracts::types::{AccountId, Instrument, Role, Tonnes};

use super::institutions::Desks;
use crate::client::Node;
use crate::config::{ContextChange, Home};
use crate::error::CliError;
use crate::keys::KeyStore;
use crate::network::Network;

/// Name of the context, of the account and, numbered, of the keys.
pub const HOLDER_NAME: &str = "entity";

/// An entity whose keys are in the key store.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its account.
    pub account: AccountId,
    /// What it holds most of, free.
    pub instrument: Instrument,
    /// Another entity.
    pub other: AccountId,
}

/// Puts the keys of the entity that holds most free allowances into the key store of the network,
/// with a context; none when nobody holds any.
pub fn open_desk(
    node: &Node,
    network: &Network,
    desks: &Desks,
) -> Result<Option<Holder>, CliError> {
    let accounts = node.accounts(Some(Role::KeyEmittingEntity.letters()))?;
    let free = accounts.iter().flat_map(|(account, record)| {
        record.totals.iter().filter_map(move |((instrument, status), tonnes)| {
            let free = *status == StatusKind::Free && !instrument.is_ccer();
            free.then_some((*tonnes, *instrument, *account))
        })
    });
    let most: Option<(Tonnes, Instrument, AccountId)> = free.max();
    let Some((_, instrument, account)) = most else { return Ok(None) };
    let Some(other) = accounts.iter().map(|(other, _)| *other).find(|other| *other != account)
    else {
        return Ok(None);
    };

    let store = KeyStore::new(network.client_home.join("keys"));
    let mut names = Vec::new();
    for (number, key) in (1u8..).zip(&desks.desk(account).keys) {
        let name = format!("{HOLDER_NAME}-{number}");
        store.insert(&name, Some(account), key, &network.passphrase)?;
        names.push(name);
    }
    let home = Home::new(network.client_home.clone());
    home.name_account(HOLDER_NAME, &account.to_string())?;
    let change = ContextChange {
        nodes: Some(network.nodes.iter().map(crate::network::NodeFiles::address).collect()),
        keys: Some(names),
        entries: vec![
            ("chain", network.genesis.chain_id().to_string()),
            ("genesis", "../genesis.json".to_owned()),
            ("account", HOLDER_NAME.to_owned()),
            ("password_file", "../passphrase".to_owned()),
        ],
    };
    home.set_context(HOLDER_NAME, &change)?;
    Ok(Some(Holder { account, instrument, other }))
}
