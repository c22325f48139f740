//! Asking what the state says.

use cets_api::ledger_client::LedgerClient;
use cets_api::{
    GetAccountRequest, Holding as WireHolding, Hop as WireHop, ListAccountsRequest,
    ListHoldingsRequest, ListObligationsRequest, ListParametersRequest, ListRecordsResponse,
    ListSettlementsRequest, ListSuppliesRequest, ListTasksRequest, LookupSerialRequest,
    ProveRecordsRequest, PublicAccount, TraceRangeRequest,
};
use cets_contracts::proof::{Anchor, RecordInclusion};
use cets_contracts::rules::UnitMovement;
use cets_contracts::state::{
    Account, Key, KeyParts, Obligation, ParameterName, ParameterVersion, Settlement, Supply, Task,
    UnitPlace,
};
use cets_contracts::types::{
    AccountId, BlockTime, BusinessDate, Height, Instrument, LogIndex, SerialRange, TaskId, TxId,
    Vintage,
};

use super::{CallerChannel, Node};
use crate::error::{CliError, ErrorKind};
use crate::text;

/// Records asked for per page.
const PAGE_RECORDS: u32 = 1_000;

/// Units in one place.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The units.
    pub range: SerialRange,
    /// With whom and in which status.
    pub place: UnitPlace,
}

/// One movement in the life of a unit.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Index of the transaction's entry in the log.
    pub log_index: LogIndex,
    /// Block.
    pub height: Height,
    /// Time of the block.
    pub block_time: BlockTime,
    /// Transaction.
    pub tx_id: TxId,
    /// What moved; none when the reader sees neither side of it.
    pub movement: Option<UnitMovement>,
}

/// Where the units of a range are, and every movement that brought them there.
#[derive(Clone, Debug)]
pub struct RangeTrace {
    /// Parts that the reader sees, in the order of their serials.
    pub parts: Vec<Holding>,
    /// Movements that the reader sees, oldest first.
    pub hops: Vec<Hop>,
    /// First unit that the answer does not reach.
    pub next: Option<u64>,
    /// Whether older movements were left out, because there are too many.
    pub older_left_out: bool,
    /// Block whose state was asked.
    pub height: Height,
}

/// One version of a parameter.
#[derive(Clone, Debug)]
pub struct ParameterLine {
    /// Number of the parameter.
    pub tag: u16,
    /// Compliance year; none for all.
    pub year: Option<Vintage>,
    /// First day.
    pub valid_from: BusinessDate,
    /// The version.
    pub version: ParameterVersion,
}

impl ParameterLine {
    /// The parameter, if this program knows it.
    pub fn name(&self) -> Option<ParameterName> {
        ParameterName::ALL.iter().find(|name| name.tag() == self.tag).copied()
    }
}

impl Node {
    fn ledger(&self) -> LedgerClient<CallerChannel> {
        LedgerClient::new(self.channel()).max_decoding_message_size(super::ANSWER_BYTES_MAX)
    }

    /// An account and the height of the answer.
    pub fn account(&self, id: AccountId) -> Result<(Account, Height), CliError> {
        let request = GetAccountRequest { account: id.to_string() };
        let answer = self.wait(self.ledger().get_account(request))?;
        Ok((self.decode("account", &answer.value)?, Height::new(answer.height)))
    }

    /// What everyone may know of an account.
    pub fn public_account(&self, id: AccountId) -> Result<PublicAccount, CliError> {
        let request = GetAccountRequest { account: id.to_string() };
        self.wait(self.ledger().get_public_account(request))
    }

    /// What everyone may know of all accounts of a role, or of all roles.
    pub fn public_accounts(&self, role: Option<&str>) -> Result<Vec<PublicAccount>, CliError> {
        let role = role.unwrap_or_default().to_owned();
        let mut all = Vec::new();
        let mut page = Vec::new();
        loop {
            let request = ListAccountsRequest { role: role.clone(), page_size: PAGE_RECORDS, page };
            let answer = self.wait(self.ledger().list_public_accounts(request))?;
            all.extend(answer.accounts);
            page = answer.next_page;
            if page.is_empty() {
                return Ok(all);
            }
        }
    }

    /// All accounts of a role, or of all roles.
    pub fn accounts(&self, role: Option<&str>) -> Result<Vec<(AccountId, Account)>, CliError> {
        let role = role.unwrap_or_default().to_owned();
        self.all_records(
            "account",
            |page| {
                let request =
                    ListAccountsRequest { role: role.clone(), page_size: PAGE_RECORDS, page };
                self.wait(self.ledger().list_accounts(request))
            },
            |key, value: Account| match key {
                KeyParts::Account(id) => Some((id, value)),
                _ => None,
            },
        )
    }

    /// All ranges of a holder: by status, within one by instrument and serial.
    pub fn holdings(
        &self,
        account: AccountId,
        instrument: Option<Instrument>,
        include_ended: bool,
    ) -> Result<(Vec<Holding>, Height), CliError> {
        let mut all = Vec::new();
        let mut page = Vec::new();
        loop {
            let request = ListHoldingsRequest {
                account: account.to_string(),
                instrument: instrument.map(|one| one.to_string()).unwrap_or_default(),
                page_size: PAGE_RECORDS,
                page,
                include_ended,
            };
            let answer = self.wait(self.ledger().list_holdings(request))?;
            for holding in &answer.holdings {
                all.push(self.holding(holding)?);
            }
            page = answer.next_page;
            if page.is_empty() {
                return Ok((all, Height::new(answer.height)));
            }
        }
    }

    /// Where one unit is, and every movement of its life.
    pub fn serial(
        &self,
        instrument: Instrument,
        number: u64,
    ) -> Result<(Holding, Vec<Hop>, Height), CliError> {
        let request =
            |page| LookupSerialRequest { instrument: instrument.to_string(), number, page };
        let mut answer = self.wait(self.ledger().lookup_serial(request(Vec::new())))?;
        while !answer.next_page.is_empty() {
            let page = std::mem::take(&mut answer.next_page);
            let mut older = self.wait(self.ledger().lookup_serial(request(page)))?;
            older.hops.append(&mut answer.hops);
            (answer.hops, answer.next_page) = (older.hops, older.next_page);
        }
        let holding = answer.holding.as_ref().ok_or_else(|| {
            let unit = format!("{instrument} {number}");
            CliError::new(
                ErrorKind::Rejected,
                text!(
                    "this reader may not see who holds unit {unit}",
                    "该读者无权查看单位 {unit} 的持有者"
                ),
            )
            .hint(text!(
                "read as its holder or as an authority: --as ACCOUNT",
                "请以持有者或主管部门身份读取：--as 账户"
            ))
        })?;
        let hops = answer.hops.iter().map(|hop| self.hop(hop));
        let hops = hops.collect::<Result<_, CliError>>()?;
        Ok((self.holding(holding)?, hops, Height::new(answer.height)))
    }

    /// Issued, held and ended units of each instrument.
    pub fn supplies(&self) -> Result<Vec<(Instrument, Supply)>, CliError> {
        self.all_records(
            "supply",
            |page| {
                let request = ListSuppliesRequest { page_size: PAGE_RECORDS, page };
                self.wait(self.ledger().list_supplies(request))
            },
            |key, value: Supply| match key {
                KeyParts::Supply(instrument) => Some((instrument, value)),
                _ => None,
            },
        )
    }

    /// Obligations of an account, or of all that the caller may read.
    pub fn obligations(
        &self,
        account: Option<AccountId>,
    ) -> Result<Vec<(AccountId, Vintage, Obligation)>, CliError> {
        let account = account.map(|id| id.to_string()).unwrap_or_default();
        self.all_records(
            "obligation",
            |page| {
                let request = ListObligationsRequest {
                    account: account.clone(),
                    page_size: PAGE_RECORDS,
                    page,
                };
                self.wait(self.ledger().list_obligations(request))
            },
            |key, value: Obligation| match key {
                KeyParts::Obligation(id, year) => Some((id, year, value)),
                _ => None,
            },
        )
    }

    /// All versions of all parameters.
    pub fn parameters(&self) -> Result<Vec<ParameterLine>, CliError> {
        self.all_records(
            "parameter",
            |page| {
                let request = ListParametersRequest { page_size: PAGE_RECORDS, page };
                self.wait(self.ledger().list_parameters(request))
            },
            |key, version| match key {
                KeyParts::Parameter(tag, year, valid_from) => {
                    Some(ParameterLine { tag, year, valid_from, version })
                }
                _ => None,
            },
        )
    }

    /// Orders of an account that wait for approval.
    pub fn tasks(&self, account: AccountId) -> Result<Vec<(TaskId, Task)>, CliError> {
        let account = account.to_string();
        self.all_records(
            "task",
            |page| {
                let request =
                    ListTasksRequest { account: account.clone(), page_size: PAGE_RECORDS, page };
                self.wait(self.ledger().list_tasks(request))
            },
            |key, value: Task| match key {
                KeyParts::Task(_, id) => Some((id, value)),
                _ => None,
            },
        )
    }

    /// Settled batches of an exchange.
    pub fn settlements(
        &self,
        exchange: AccountId,
    ) -> Result<Vec<(BusinessDate, u32, Settlement)>, CliError> {
        self.all_records(
            "settlement",
            |page| {
                let request = ListSettlementsRequest {
                    exchange: exchange.to_string(),
                    page_size: PAGE_RECORDS,
                    page,
                };
                self.wait(self.ledger().list_settlements(request))
            },
            |key, value: Settlement| match key {
                KeyParts::Settlement(_, day, batch) => Some((day, batch, value)),
                _ => None,
            },
        )
    }

    /// Where the units of a range are and how they came there.
    pub fn trace(&self, range: SerialRange) -> Result<RangeTrace, CliError> {
        let request = TraceRangeRequest { range: range.to_string() };
        let answer = self.wait(self.ledger().trace_range(request))?;
        let parts = answer.parts.iter().map(|part| self.holding(part));
        let hops = answer.hops.iter().map(|hop| self.hop(hop));
        Ok(RangeTrace {
            parts: parts.collect::<Result<_, _>>()?,
            hops: hops.collect::<Result<_, _>>()?,
            next: (answer.next_number != 0).then_some(answer.next_number),
            older_left_out: answer.older_left_out,
            height: Height::new(answer.height),
        })
    }

    /// Records with their paths to one state root: of the newest state, or of the one after a
    /// height.
    pub fn prove(
        &self,
        keys: &[Key],
        height: Option<Height>,
    ) -> Result<(Vec<RecordInclusion>, Anchor), CliError> {
        let (records, anchor) = self.prove_found(keys, height)?;
        let same = records.iter().map(|record| record.key.as_slice());
        if !same.eq(keys.iter().map(Key::as_bytes)) {
            return Err(self.nonsense("state proof"));
        }
        Ok((records, anchor))
    }

    /// As [`Self::prove`]; for the key of a unit within a range the record of the range.
    pub fn prove_found(
        &self,
        keys: &[Key],
        height: Option<Height>,
    ) -> Result<(Vec<RecordInclusion>, Anchor), CliError> {
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        let height = height.map_or(0, Height::get);
        let answer =
            self.wait(self.ledger().prove_records(ProveRecordsRequest { keys, height }))?;
        let records = answer.records.into_iter().map(|record| {
            let state = self.decode("state proof", &record.proof)?;
            Ok(RecordInclusion { key: record.key, value: record.value, state })
        });
        let records = records.collect::<Result<_, CliError>>()?;
        let header = self.decode("header", &answer.header)?;
        let certificate = self.decode("certificate", &answer.certificate)?;
        Ok((records, Anchor { header, certificate }))
    }

    fn hop(&self, hop: &WireHop) -> Result<Hop, CliError> {
        Ok(Hop {
            log_index: hop.log_index,
            height: Height::new(hop.height),
            block_time: BlockTime::from_millis(hop.block_time_millis),
            tx_id: self.tx_id(&hop.tx_id)?,
            movement: match hop.movement.is_empty() {
                true => None,
                false => Some(self.decode("unit movement", &hop.movement)?),
            },
        })
    }

    fn holding(&self, holding: &WireHolding) -> Result<Holding, CliError> {
        Ok(Holding {
            range: holding.range.parse().map_err(|_| self.nonsense("serial range"))?,
            place: self.decode("place", &holding.place)?,
        })
    }

    /// A transaction identifier as the node sends it.
    pub(super) fn tx_id(&self, bytes: &[u8]) -> Result<TxId, CliError> {
        bytes.try_into().map(TxId::new).map_err(|_| self.nonsense("transaction identifier"))
    }

    fn all_records<V: serde::de::DeserializeOwned, T>(
        &self,
        what: &str,
        ask: impl Fn(Vec<u8>) -> Result<ListRecordsResponse, CliError>,
        keep: impl Fn(KeyParts, V) -> Option<T>,
    ) -> Result<Vec<T>, CliError> {
        let mut all = Vec::new();
        let mut page = Vec::new();
        loop {
            let answer = ask(page)?;
            all.extend(self.records(what, &answer, &keep)?);
            page = answer.next_page;
            if page.is_empty() {
                return Ok(all);
            }
        }
    }

    fn records<V: serde::de::DeserializeOwned, T>(
        &self,
        what: &str,
        answer: &ListRecordsResponse,
        keep: impl Fn(KeyParts, V) -> Option<T>,
    ) -> Result<Vec<T>, CliError> {
        let records = answer.records.iter().map(|record| {
            let key = KeyParts::of(&record.key).ok_or_else(|| self.nonsense(what))?;
            let value = self.decode(what, &record.value)?;
            keep(key, value).ok_or_else(|| self.nonsense(what))
        });
        records.collect()
    }
}
