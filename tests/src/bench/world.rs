//! Real nodes with accounts and live ranges.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cets_cli::clock::now;
use cets_cli::demo::runner::institutions::Desk;
use cets_cli::network::{Institution, Network, NetworkPlan, write_network};
use cets_contracts::genesis::{ClockRule, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::rules::accounts::open_account::{NewAccount, OpenAccount};
use cets_contracts::rules::allowances::issue::{Issue, IssueLine};
use cets_contracts::rules::settlement::confirm_funds::{ConfirmFunds, FundDirection, FundLine};
use cets_contracts::state::ParameterName;
use cets_contracts::tx::SignedTransaction;
use cets_contracts::types::{
    AccountId, BusinessDate, ChainId, Digest, Fen, ProvinceCode, PublicKey, Representative, Right,
    Role, Thresholds, Tonnes, Vintage,
};
use ed25519_dalek::SigningKey;
use eyre::{OptionExt as _, ensure, eyre};
use tempfile::TempDir;

use super::drive::{self, Lane};
use super::machine::Meter;
use super::results;
use crate::cluster::nodes::Nodes;
use crate::fixture::{account, credit_code};

/// Vintage of all units.
pub const VINTAGE: u16 = 2024;
/// Tonnes of a range at the start; none is used up in any run.
const TONNES_PER_RANGE: u64 = 90_000;
/// Money of each holder in fen.
const FEN_EACH: u64 = 1_000_000_000_000;
/// Accounts opened by one order.
const ACCOUNTS_PER_ORDER: u64 = 100;
/// Lines of one order to issue, or to confirm funds.
const LINES_PER_ORDER: u64 = 1_000;
/// How long an order may wait, in milliseconds; as `cets transfer` sets it.
const VALID_FOR_MILLIS: u64 = 600_000;
/// Founding orders on their way at a time.
const FOUNDING_IN_FLIGHT: usize = 64;
/// Founding orders signed at a time: they are final long before they expire.
const FOUNDING_SIGNED: usize = 500;
/// Longest time for the founding orders that were signed at a time.
const FOUNDING_WAIT: Duration = Duration::from_secs(600);
/// Institutions that run a node, the first ones when there are fewer nodes.
const INSTITUTIONS: [(&str, Role); 4] = [
    ("ets-registry", Role::Registry),
    ("exchange", Role::Exchange),
    ("ccer-registry", Role::CcerRegistry),
    ("hubei", Role::Province),
];

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Validators, one to four.
    pub validators: usize,
    /// Live ranges at the start.
    pub ranges: u64,
    /// Accounts that hold them.
    pub accounts: u64,
}

/// A network that runs, and all who sign in it.
#[derive(Debug)]
pub struct World {
    /// The processes.
    pub nodes: Nodes,
    /// Folders, addresses and keys.
    pub network: Network,
    /// Its identity.
    pub chain_id: ChainId,
    /// Its size at the start.
    pub scale: Scale,
    /// Business date.
    pub day: BusinessDate,
    holders: Vec<Desk>,
    salts: u64,
    folder: TempDir,
}

impl Scale {
    /// Tonnes of all ranges; serial numbers go from 1 to it.
    pub const fn tonnes(&self) -> u64 {
        self.ranges * TONNES_PER_RANGE
    }
}

impl World {
    /// Makes a network, starts its nodes, opens the accounts and issues the ranges.
    pub fn open(scale: Scale) -> eyre::Result<Self> {
        ensure!(scale.accounts >= 2, "ranges need two accounts at least to lie between");
        let most = INSTITUTIONS.len();
        ensure!((1..=most).contains(&scale.validators), "1 to {most} institutions run a node");
        let parent = results::folder();
        std::fs::create_dir_all(&parent)?;
        let folder = TempDir::with_prefix_in("world-", parent)?;
        let network = network(folder.path().join("network"), scale)?;
        let nodes = Nodes::new(network.clone())?;
        let (chain_id, day) = (network.genesis.chain_id(), network.genesis.business_date);
        let holders = (1..=scale.accounts).map(holder).collect();
        let mut world = Self { nodes, network, chain_id, scale, day, holders, salts: 0, folder };
        let all = world.nodes.all();
        let started = world.nodes.start(&all)?;
        world.nodes.answer(&all, started)?;
        world.found()?;
        Ok(world)
    }

    /// Folder of the network.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder on disk, with the nodes' data and logs.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// The desk of a holder, from 1.
    pub fn holder(&self, number: u64) -> &Desk {
        &self.holders[number as usize - 1]
    }

    /// Desks of all holders.
    pub fn holders(&self) -> &[Desk] {
        &self.holders
    }

    /// The desk of an institution of the genesis.
    pub fn institution(&self, role: Role) -> eyre::Result<Desk> {
        let mut desks = self.network.accounts.iter().zip(&self.network.representatives);
        let found = desks.find(|((_, account), _)| account.role() == role);
        let ((_, account), keys) = found.ok_or_else(|| eyre!("no institution is a {role:?}"))?;
        Ok(Desk { account: *account, keys: keys.clone() })
    }

    /// So many salts that no order has.
    pub fn salts(&mut self, count: u64) -> std::ops::Range<u64> {
        let first = self.salts;
        self.salts += count;
        first..self.salts
    }

    /// Signs an order of a desk.
    pub fn sign(&mut self, desk: &Desk, payload: impl Into<Payload>) -> eyre::Result<Vec<u8>> {
        Ok(self.signed(desk, payload)?.encode())
    }

    /// A signed order of a desk.
    pub fn signed(
        &mut self,
        desk: &Desk,
        payload: impl Into<Payload>,
    ) -> eyre::Result<SignedTransaction> {
        let valid_until = now()?.saturating_add_millis(VALID_FOR_MILLIS);
        let salt = self.salts(1).start;
        Ok(desk.sign(self.chain_id, valid_until, salt, payload.into()))
    }

    /// Addresses of the nodes that run.
    pub fn addresses(&self) -> Vec<String> {
        let running = self.nodes.all().into_iter().filter(|node| self.nodes.runs(*node));
        running.map(|node| self.nodes.files(node).address()).collect()
    }

    /// Processor time of the nodes that run.
    pub fn meter(&self) -> Meter {
        Meter::start(self.nodes.all().into_iter().filter_map(|node| self.nodes.process_id(node)))
    }

    /// Restarts every node, so that its write-ahead log is sorted into its files; returns the
    /// longest time until one answered.
    pub fn restart(&mut self) -> eyre::Result<Duration> {
        let all = self.nodes.all();
        for node in &all {
            self.nodes.stop(*node)?;
        }
        let started = self.nodes.start(&all)?;
        let answered = self.nodes.answer(&all, started)?;
        // Those stopped last went on without the others, which fetch what they missed.
        let newest = self.nodes.height(&all);
        for node in all {
            self.nodes.reach(node, newest)?;
        }
        Ok(answered.into_iter().max().unwrap_or_default())
    }

    /// Opens accounts, pays money in and issues the ranges.
    fn found(&mut self) -> eyre::Result<()> {
        let started = Instant::now();
        let registry = self.institution(Role::Registry)?;
        let settlement = self.institution(Role::Settlement)?;
        let numbers: Vec<u64> = (1..=self.scale.accounts).collect();
        let mut orders = Vec::new();
        for chunk in numbers.chunks(ACCOUNTS_PER_ORDER as usize) {
            let accounts = chunk.iter().map(|number| self.new_account(*number));
            let order = OpenAccount { accounts: accounts.collect::<eyre::Result<_>>()? };
            orders.push(self.sign(&registry, order)?);
        }
        // Numbers are given in the order of the blocks: one order after the other.
        self.finalise(orders, 1)?;
        let mut orders = Vec::new();
        for chunk in numbers.chunks(LINES_PER_ORDER as usize) {
            let line = |number: &u64| FundLine {
                account: self.holder(*number).account,
                direction: FundDirection::Deposit,
                amount: Fen::new(FEN_EACH),
                reference: digest(b"bank", *number),
            };
            let order = ConfirmFunds { lines: chunk.iter().map(line).collect() };
            orders.push(self.sign(&settlement, order)?);
        }
        self.finalise(orders, FOUNDING_IN_FLIGHT)?;
        self.issue(&registry)?;
        let Scale { validators, ranges, accounts } = self.scale;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{validators} validators: {accounts} accounts hold {ranges} ranges after {seconds:.1} s"
        );
        Ok(())
    }

    /// Issues the ranges: neighbours to different holders.
    fn issue(&mut self, registry: &Desk) -> eyre::Result<()> {
        let Scale { ranges, accounts, .. } = self.scale;
        let firsts: Vec<u64> = (0..ranges).step_by(LINES_PER_ORDER as usize).collect();
        for part in firsts.chunks(FOUNDING_SIGNED) {
            let mut orders = Vec::with_capacity(part.len());
            for first in part {
                let line = |range: u64| IssueLine {
                    account: self.holder(1 + range % accounts).account,
                    tonnes: Tonnes::new(TONNES_PER_RANGE),
                };
                let order = Issue {
                    vintage: Vintage::new(VINTAGE)?,
                    lines: (*first..ranges.min(first + LINES_PER_ORDER)).map(line).collect(),
                    document: digest(b"allocation", *first),
                };
                orders.push(self.sign(registry, order)?);
            }
            self.finalise(orders, FOUNDING_IN_FLIGHT)?;
        }
        Ok(())
    }

    /// Sends orders to the first node until all are final.
    pub fn finalise(&self, orders: Vec<Vec<u8>>, in_flight: usize) -> eyre::Result<()> {
        let address = self.addresses().into_iter().next().ok_or_eyre("no node runs")?;
        let count = orders.len() as u64;
        let lane = Lane { address, orders };
        let driven =
            drive::drive(vec![lane], &drive::Pace::all(in_flight, FOUNDING_WAIT), || Ok(()))?;
        let first = driven.refusals.first().map(String::as_str).unwrap_or("none");
        ensure!(driven.finalised() >= count, "not all orders became final; refusals: {first}");
        Ok(())
    }

    fn new_account(&self, number: u64) -> eyre::Result<NewAccount> {
        let desk = self.holder(number);
        let person = |key: &SigningKey| Representative {
            key: PublicKey::new(key.verifying_key().to_bytes()),
            right: Right::InitiateAndApprove,
        };
        Ok(NewAccount {
            role: desk.account.role(),
            name: format!("Company {number}"),
            credit_code: credit_code(number),
            province: ProvinceCode::new(42).map_err(|_| eyre!("42 is no province"))?,
            representatives: desk.keys.iter().map(person).collect(),
            thresholds: Thresholds::uniform(1),
            material: digest(b"material", number),
        })
    }
}

/// A holder with one person who may do everything.
fn holder(number: u64) -> Desk {
    let account: AccountId = account(Role::KeyEmittingEntity, number);
    let seed = blake3::derive_key("cets bench simulated person", &account.to_key());
    Desk { account, keys: vec![SigningKey::from_bytes(&seed)] }
}

/// A digest of what lies outside of the ledger.
pub fn digest(what: &[u8], number: u64) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(what).update(&number.to_be_bytes());
    Digest::new(*hasher.finalize().as_bytes())
}

fn network(folder: PathBuf, scale: Scale) -> eyre::Result<Network> {
    let time = now()?;
    let day = time.civil_date();
    let institution =
        |name: &str, role, province| Institution { name: name.to_owned(), role, province };
    let hubei = ProvinceCode::new(42).map_err(|_| eyre!("42 is no province"))?;
    let parameter = |name: ParameterName, year, value| GenesisParameter {
        name,
        year,
        valid_from: day,
        value,
        article: name.article().to_owned(),
    };
    let cap = i64::try_from(scale.tonnes())?;
    let year = Some(Vintage::new(VINTAGE)?);
    let of_province = |role| Some(hubei).filter(|_| role == Role::Province);
    let mut founders: Vec<Institution> = INSTITUTIONS
        .into_iter()
        .map(|(name, role)| institution(name, role, of_province(role)))
        .collect();
    let without_node = founders.split_off(scale.validators);
    let plan = NetworkPlan {
        folder,
        network: "bench".to_owned(),
        time,
        business_date: day,
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        nodes: founders,
        accounts: without_node
            .into_iter()
            .chain([
                institution("settlement", Role::Settlement, None),
                institution("auditor", Role::Auditor, None),
            ])
            .collect(),
        parameters: vec![
            parameter(ParameterName::IssueCap, year, cap),
            parameter(ParameterName::BlockTradeMin, None, 100_000),
            parameter(ParameterName::SurrenderVintageMin, year, VINTAGE.into()),
            parameter(ParameterName::SurrenderVintageMax, year, VINTAGE.into()),
        ],
        host: "127.0.0.1".parse()?,
        base_port: None,
        passphrase: None,
    };
    Ok(write_network(&plan)?)
}
