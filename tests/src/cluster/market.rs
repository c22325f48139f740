//! The network of a story, the desks of its holders, and their orders.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use cets_cli::clock::now;
use cets_cli::demo::runner::institutions::{Desk, account_keys, representatives};
use cets_cli::network::{Institution, Network, NetworkPlan, write_network};
use cets_contracts::genesis::{ClockRule, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
use cets_contracts::state::ParameterName;
use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::{
    AccountId, ChainId, Digest, Fen, Instrument, ProvinceCode, Role, Selection, Thresholds, Tonnes,
    Vintage,
};
use eyre::{OptionExt as _, eyre};

use crate::fixture::{account, credit_code};
use crate::workload::Chooser;

/// Holders that transfer to each other.
const HOLDERS: u64 = 24;
/// Units of each holder at the start; more than it can transfer in any story.
const TONNES_EACH: u64 = 1_000_000;
/// Money of each holder in fen.
const FEN_EACH: u64 = 10_000_000;
/// How long an order may wait to be final, in milliseconds; longer than any story waits.
const VALID_FOR_MILLIS: u64 = 3_600_000;
/// Vintage of all units.
const VINTAGE: u16 = 2024;

/// Who runs a node, in order; provinces follow.
const FIRST_NODES: [(&str, Role); 3] = [
    ("ets-registry", Role::Registry),
    ("exchange", Role::Exchange),
    ("ccer-registry", Role::CcerRegistry),
];

/// The network, its desks, and the next order's number.
#[derive(Debug)]
pub struct Market {
    /// Folders, addresses and keys.
    pub network: Network,
    chain_id: ChainId,
    seed: u64,
    orders: AtomicU64,
}

impl Market {
    /// Writes a network of so many validators into a folder.
    pub fn write(folder: PathBuf, validators: usize, seed: u64) -> eyre::Result<Self> {
        let time = now()?;
        let day = time.civil_date();
        let cap = ParameterName::IssueCap;
        let plan = NetworkPlan {
            folder,
            network: "cluster".to_owned(),
            time,
            business_date: day,
            clock: ClockRule::ByOrder,
            block_interval_millis: 0,
            nodes: node_names(validators)?,
            accounts: vec![
                institution("settlement", Role::Settlement, None),
                institution("auditor", Role::Auditor, None),
            ],
            parameters: vec![GenesisParameter {
                name: cap,
                year: Some(Vintage::new(VINTAGE)?),
                valid_from: day,
                value: i64::try_from(HOLDERS * TONNES_EACH)?,
                article: cap.article().to_owned(),
            }],
            host: "127.0.0.1".parse()?,
            base_port: None,
            passphrase: None,
        };
        let network = write_network(&plan)?;
        let chain_id = network.genesis.chain_id();
        Ok(Self { network, chain_id, seed, orders: AtomicU64::new(0) })
    }

    /// The desk of an institution of the genesis.
    pub fn institution(&self, role: Role) -> eyre::Result<Desk> {
        let mut desks = self.network.accounts.iter().zip(&self.network.representatives);
        let found = desks.find(|((_, account), _)| account.role() == role);
        let ((_, account), keys) = found.ok_or_else(|| eyre!("no institution is a {role:?}"))?;
        Ok(Desk { account: *account, keys: keys.clone() })
    }

    /// The desk of a holder.
    pub fn holder(&self, number: u64) -> Desk {
        let account = holder_account(number);
        Desk { account, keys: account_keys(self.seed, account) }
    }

    /// What opens the market, in order: accounts, money, units.
    pub fn founding(&self) -> eyre::Result<Vec<(Desk, SignedTransaction)>> {
        let registry = self.institution(Role::Registry)?;
        let settlement = self.institution(Role::Settlement)?;
        let holders = || (1..=HOLDERS).map(holder_account);
        let accounts = (1..=HOLDERS).map(|number| self.new_account(number));
        let accounts = OpenAccount { accounts: accounts.collect::<eyre::Result<_>>()? };
        let funds = holders().map(|account| FundLine {
            account,
            direction: FundDirection::Deposit,
            amount: Fen::new(FEN_EACH),
            reference: digest(b"bank", &account),
        });
        let lines =
            holders().map(|account| IssueLine { account, tonnes: Tonnes::new(TONNES_EACH) });
        let units = Issue {
            vintage: Vintage::new(VINTAGE)?,
            lines: lines.collect(),
            document: digest(b"allocation", &registry.account),
        };
        Ok(vec![
            self.sign(registry.clone(), accounts)?,
            self.sign(settlement, ConfirmFunds { lines: funds.collect() })?,
            self.sign(registry, units)?,
        ])
    }

    /// A tonne from one holder to another.
    pub fn transfer(&self, chooser: &mut Chooser) -> eyre::Result<(Desk, SignedTransaction)> {
        let from = chooser.within(1, HOLDERS);
        let to = 1 + (from - 1 + chooser.within(1, HOLDERS - 1)) % HOLDERS;
        let instrument = Instrument::Cea(Vintage::new(VINTAGE)?);
        let units = Selection::Quantity { instrument, tonnes: Tonnes::new(1) };
        self.sign(self.holder(from), Transfer { to: holder_account(to), units })
    }

    fn sign(
        &self,
        desk: Desk,
        payload: impl Into<Payload>,
    ) -> eyre::Result<(Desk, SignedTransaction)> {
        let valid_until = now()?.saturating_add_millis(VALID_FOR_MILLIS);
        let salt = self.orders.fetch_add(1, Ordering::Relaxed);
        let transaction = desk.sign(self.chain_id, valid_until, salt, payload.into());
        Ok((desk, transaction))
    }

    fn new_account(&self, number: u64) -> eyre::Result<NewAccount> {
        let account = holder_account(number);
        Ok(NewAccount {
            role: account.role(),
            name: format!("Company {number}"),
            credit_code: credit_code(number),
            province: ProvinceCode::new(42).map_err(|_| eyre!("42 is no province"))?,
            representatives: representatives(self.seed, account),
            thresholds: Thresholds { operation: 1, administration: 2, transfer: 2, compliance: 2 },
            material: digest(b"material", &account),
        })
    }
}

fn holder_account(number: u64) -> AccountId {
    account(Role::KeyEmittingEntity, number)
}

fn digest(what: &[u8], account: &AccountId) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(what).update(&account.to_key());
    Digest::new(*hasher.finalize().as_bytes())
}

fn institution(name: &str, role: Role, province: Option<ProvinceCode>) -> Institution {
    Institution { name: name.to_owned(), role, province }
}

fn node_names(validators: usize) -> eyre::Result<Vec<Institution>> {
    let mut nodes: Vec<Institution> =
        FIRST_NODES.iter().map(|(name, role)| institution(name, *role, None)).collect();
    for (code, name, _) in ProvinceCode::ALL {
        let code = ProvinceCode::new(*code).map_err(|_| eyre!("{name} is no province"))?;
        let name = name.to_lowercase().replace(' ', "-");
        nodes.push(institution(&name, Role::Province, Some(code)));
    }
    let nodes = nodes.get(..validators).ok_or_eyre("a cluster has at most 34 validators")?;
    Ok(nodes.to_vec())
}
