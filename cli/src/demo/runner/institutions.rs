//! The network of the replay, and the desks of all who sign in it.
//!
//! Four institutions run a node: the registry for allowances, the exchange, the registry for
//! reductions and one province. Ministry, settlement institution and auditor have an account. All
//! others are opened in the course of the replay. Their keys come from the seed: they belong to
//! simulated people and protect nothing outside this network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use cets_contracts::genesis::{ClockRule, GenesisParameter};
use cets_contracts::rules::Payload;
use cets_contracts::state::ParameterName;
use cets_contracts::tx::{SignedTransaction, TxBody, signer_list};
use cets_contracts::types::{
    AccountId, BlockTime, BusinessDate, ChainId, ProvinceCode, PublicKey, Representative, Right,
    Role, Thresholds, Vintage,
};
use ed25519_dalek::SigningKey;

use crate::demo::error::PlanError;
use crate::demo::figures::COMPLIANCE;
use crate::demo::lots::BLOCK_TONNES_MIN;
use crate::demo::plan::Plan;
use crate::demo::population::OFFSET_PER_CENT_MAX;
use crate::demo::schedule::FOUNDING_PROVINCE;
use crate::network::{Institution, Network, NetworkPlan};
use crate::orders::{public_key, sign_all};

/// Names of the institutions that run a node; each is the name of its node, too.
pub const NODE_NAMES: [&str; 4] = ["ets-registry", "exchange", "ccer-registry", "hubei"];
/// Business date of the genesis.
const FIRST_DAY: (u32, u32, u32) = (2021, 6, 1);
/// People of every account that is opened in the replay.
const PEOPLE: u8 = 2;
/// Registrations under the rules of 2012 ended before 2017-03-14, rule book 4.2.
const OLD_PROJECTS: ((u32, u32, u32), (u32, u32, u32)) = ((2013, 1, 1), (2017, 3, 13));

/// People needed in the accounts that are opened in the replay: four eyes wherever units move.
pub const HOLDER_THRESHOLDS: Thresholds =
    Thresholds { operation: 1, administration: 2, transfer: 2, compliance: 2 };

/// What network the replay makes.
pub fn network_plan(folder: PathBuf, time: BlockTime) -> Result<NetworkPlan, PlanError> {
    let province = ProvinceCode::new(FOUNDING_PROVINCE).map_err(|_| PlanError::Arithmetic)?;
    let institution =
        |name: &str, role, province| Institution { name: name.to_owned(), role, province };
    let [registry, exchange, ccer_registry, authority] = NODE_NAMES;
    Ok(NetworkPlan {
        folder,
        network: "cets-demo".to_owned(),
        time,
        business_date: date(FIRST_DAY)?,
        clock: ClockRule::ByOrder,
        block_interval_millis: 0,
        nodes: vec![
            institution(registry, Role::Registry, None),
            institution(exchange, Role::Exchange, None),
            institution(ccer_registry, Role::CcerRegistry, None),
            institution(authority, Role::Province, Some(province)),
        ],
        accounts: vec![
            institution("ministry", Role::Ministry, None),
            institution("settlement", Role::Settlement, None),
            institution("auditor", Role::Auditor, None),
        ],
        parameters: parameters()?,
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        base_port: None,
        passphrase: None,
    })
}

fn date((year, month, day): (u32, u32, u32)) -> Result<BusinessDate, PlanError> {
    BusinessDate::from_ymd(year, month, day).map_err(|_| PlanError::Arithmetic)
}

/// Parameters of the replayed years: caps as published, vintages of the same or earlier years.
fn parameters() -> Result<Vec<GenesisParameter>, PlanError> {
    let valid_from = date(FIRST_DAY)?;
    let parameter = |name: ParameterName, year, value| GenesisParameter {
        name,
        year,
        valid_from,
        value,
        article: name.article().to_owned(),
    };
    let whole = |number: u64| i64::try_from(number).map_err(|_| PlanError::Arithmetic);
    let basis_points = OFFSET_PER_CENT_MAX.saturating_mul(100);
    let mut parameters = vec![
        parameter(ParameterName::OffsetCap, None, whole(basis_points)?),
        parameter(ParameterName::BlockTradeMin, None, whole(BLOCK_TONNES_MIN)?),
        parameter(ParameterName::SurrenderVintageMin, None, 1_920),
    ];
    let (first, last) = OLD_PROJECTS;
    let (first, last) = (i64::from(date(first)?.as_days()), i64::from(date(last)?.as_days()));
    for figures in &COMPLIANCE {
        let year = Some(Vintage::new(figures.vintage).map_err(|_| PlanError::Arithmetic)?);
        let vintage_max = i64::from(figures.vintage);
        parameters.extend([
            parameter(ParameterName::IssueCap, year, whole(figures.issued)?),
            parameter(ParameterName::SurrenderVintageMax, year, vintage_max),
            parameter(ParameterName::OffsetRegisteredFrom, year, first),
            parameter(ParameterName::OffsetRegisteredUntil, year, last),
        ]);
    }
    Ok(parameters)
}

/// An account and the people who sign for it.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The account.
    pub account: AccountId,
    /// Keys of its people, the one who initiates first.
    pub keys: Vec<SigningKey>,
}

impl Desk {
    /// A transaction signed by all people of the desk.
    pub fn sign(
        &self,
        chain_id: ChainId,
        valid_until: BlockTime,
        salt: u64,
        payload: Payload,
    ) -> SignedTransaction {
        let signers = signer_list(self.keys.iter().map(public_key));
        let body = TxBody { chain_id, account: self.account, signers, valid_until, salt, payload };
        sign_all(body, &self.keys)
    }
}

/// Keys of an account that is opened in the replay.
pub fn account_keys(seed: u64, account: AccountId) -> Vec<SigningKey> {
    let key = |person: u8| {
        let mut hasher = blake3::Hasher::new_derive_key("cets demo 2021-2023 simulated person");
        hasher.update(&seed.to_be_bytes());
        hasher.update(&account.to_key());
        hasher.update(&[person]);
        SigningKey::from_bytes(hasher.finalize().as_bytes())
    };
    (0..PEOPLE).map(key).collect()
}

/// The people of an account that is opened in the replay, as the registry records them.
pub fn representatives(seed: u64, account: AccountId) -> Vec<Representative> {
    let rights = [Right::Initiate, Right::Approve];
    let people = account_keys(seed, account).into_iter().zip(rights);
    people
        .map(|(key, right)| Representative {
            key: PublicKey::new(key.verifying_key().to_bytes()),
            right,
        })
        .collect()
}

/// All desks of the replay.
#[derive(Clone, Debug)]
pub struct Desks {
    seed: u64,
    founders: BTreeMap<AccountId, Desk>,
    provinces: BTreeMap<ProvinceCode, AccountId>,
}

impl Desks {
    /// Desks of a network, and of everyone whom the plan opens an account for.
    pub fn new(seed: u64, network: &Network, plan: &Plan) -> Result<Self, PlanError> {
        let desks = network.accounts.iter().zip(&network.representatives);
        let desks =
            desks.map(|((_, account), keys)| Desk { account: *account, keys: keys.clone() });
        Self::of_founders(seed, desks, plan)
    }

    /// Desks of given institutions, and of everyone whom the plan opens an account for.
    pub fn of_founders(
        seed: u64,
        founders: impl IntoIterator<Item = Desk>,
        plan: &Plan,
    ) -> Result<Self, PlanError> {
        let founders = founders.into_iter().map(|desk| (desk.account, desk)).collect();
        let founding = ProvinceCode::new(FOUNDING_PROVINCE).map_err(|_| PlanError::Arithmetic)?;
        let mut provinces = BTreeMap::new();
        for (number, province) in (1u64..).zip([founding].into_iter().chain(plan.provinces())) {
            let account =
                AccountId::new(Role::Province, number).map_err(|_| PlanError::Arithmetic)?;
            provinces.insert(province, account);
        }
        Ok(Self { seed, founders, provinces })
    }

    /// Seed of the keys.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The desk of an account.
    pub fn desk(&self, account: AccountId) -> Desk {
        let founder = self.founders.get(&account).cloned();
        founder.unwrap_or_else(|| Desk { account, keys: account_keys(self.seed, account) })
    }

    /// The only institution of a role.
    pub fn institution(&self, role: Role) -> Result<AccountId, PlanError> {
        let account = self.founders.keys().find(|account| account.role() == role);
        account.copied().ok_or(PlanError::Arithmetic)
    }

    /// The authority of a province.
    pub fn province(&self, province: ProvinceCode) -> Result<AccountId, PlanError> {
        self.provinces.get(&province).copied().ok_or(PlanError::Arithmetic)
    }
}
