//! The service `Ledger`: what the state says.

use cets_api::ledger_server::Ledger;
use cets_api::{
    Compliance, GetAccountRequest, Holding, Hop, ListAccountsRequest, ListHoldingsRequest,
    ListHoldingsResponse, ListObligationsRequest, ListParametersRequest, ListProjectsRequest,
    ListPublicAccountsResponse, ListRecordsResponse, ListSettlementsRequest, ListSuppliesRequest,
    ListTasksRequest, LookupSerialRequest, LookupSerialResponse, ProveRecordsRequest,
    ProveRecordsResponse, PublicAccount, RecordResponse, StreamUnitsRequest, TraceRangeRequest,
    TraceRangeResponse, UnitsChunk,
};
use cets_contracts::codec;
use cets_contracts::state::{
    Account, AccountStatus, FundOrder, HolderEntry, Key, KeyParts, Obligation, Record, Table,
    UnitRange, keys,
};
use cets_contracts::types::{AccountId, Height, Serial};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::access::{Caller, Sight, Subject};
use super::desk::{Desk, read_failed};
use super::listing::{RecordPage, page_of};
use super::prove::prove_records;
use super::trace::{holders_of, hop, trace_range};
use super::units::UnitsQuery;
use super::{RpcError, argument};
use crate::read::{HeldRange, PAGE_RECORDS_MAX, RawRecord};

/// Accounts whose obligations are looked up under one lock of the state.
const ACCOUNTS_PER_READ: usize = 64;

/// Answers of the service `Ledger`.
#[derive(Clone, Debug)]
pub struct LedgerService(pub Desk);

#[tonic::async_trait]
impl Ledger for LedgerService {
    type StreamUnitsStream = ReceiverStream<Result<UnitsChunk, Status>>;

    async fn stream_units(
        &self,
        request: Request<StreamUnitsRequest>,
    ) -> Result<Response<Self::StreamUnitsStream>, Status> {
        let asker = self.0.asker(&request)?;
        let query = UnitsQuery::open(&self.0, &asker, request.get_ref())
            .map_err(|error| error.into_status(asker.language))?;
        Ok(Response::new(query.stream(self.0.clone(), asker)))
    }

    async fn get_public_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<PublicAccount>, Status> {
        self.0.answer(request, get_public_account).await
    }

    async fn list_public_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListPublicAccountsResponse>, Status> {
        self.0.answer(request, list_public_accounts).await
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<RecordResponse>, Status> {
        self.0.answer(request, get_account).await
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0.answer(request, list_accounts).await
    }

    async fn list_holdings(
        &self,
        request: Request<ListHoldingsRequest>,
    ) -> Result<Response<ListHoldingsResponse>, Status> {
        self.0.answer(request, list_holdings).await
    }

    async fn lookup_serial(
        &self,
        request: Request<LookupSerialRequest>,
    ) -> Result<Response<LookupSerialResponse>, Status> {
        self.0.answer(request, lookup_serial).await
    }

    async fn list_obligations(
        &self,
        request: Request<ListObligationsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0.answer(request, list_obligations).await
    }

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0.answer(request, list_tasks).await
    }

    async fn list_supplies(
        &self,
        request: Request<ListSuppliesRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0
            .answer(request, |desk, _, query| {
                list_disclosed(
                    desk,
                    &keys::table_prefix(Table::Supplies),
                    &query.page,
                    query.page_size,
                )
            })
            .await
    }

    async fn list_parameters(
        &self,
        request: Request<ListParametersRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0
            .answer(request, |desk, _, query| {
                let prefix = keys::table_prefix(Table::Parameters);
                list_disclosed(desk, &prefix, &query.page, query.page_size)
            })
            .await
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0
            .answer(request, |desk, _, query| {
                let prefix = keys::table_prefix(Table::Projects);
                list_disclosed(desk, &prefix, &query.page, query.page_size)
            })
            .await
    }

    async fn list_settlements(
        &self,
        request: Request<ListSettlementsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        self.0
            .answer(request, |desk, _, query| {
                let prefix = match argument::optional_account("exchange", &query.exchange)? {
                    Some(exchange) => keys::settlements_of(exchange),
                    None => keys::table_prefix(Table::Settlements),
                };
                list_disclosed(desk, &prefix, &query.page, query.page_size)
            })
            .await
    }

    async fn trace_range(
        &self,
        request: Request<TraceRangeRequest>,
    ) -> Result<Response<TraceRangeResponse>, Status> {
        self.0.answer(request, trace_range).await
    }

    async fn prove_records(
        &self,
        request: Request<ProveRecordsRequest>,
    ) -> Result<Response<ProveRecordsResponse>, Status> {
        self.0.answer(request, prove_records).await
    }
}

fn get_public_account(
    desk: &Desk,
    _: &Caller,
    query: GetAccountRequest,
) -> Result<PublicAccount, RpcError> {
    let id = argument::account("account", &query.account)?;
    let found = desk.reader().account(id).map_err(read_failed)?;
    let account = found.answer.ok_or_else(|| no_account(id))?;
    let obligations = desk.reader().list(&keys::obligations_of(id), None, 0).answer.items;
    public_account(id, &account, &obligations, found.height)
}

fn list_public_accounts(
    desk: &Desk,
    _: &Caller,
    query: ListAccountsRequest,
) -> Result<ListPublicAccountsResponse, RpcError> {
    let prefix = accounts_prefix(&query)?;
    let size = desk.page_size(query.page_size);
    let page = page_of(desk.reader(), &prefix, &query.page, size, |_| Ok(true))?;
    let mut accounts = Vec::with_capacity(page.records.len());
    for records in page.records.chunks(ACCOUNTS_PER_READ) {
        let ids = records.iter().map(|record| account_of_key(&record.key));
        let ids: Vec<AccountId> = ids.collect::<Result<_, _>>()?;
        let prefixes: Vec<Key> = ids.iter().map(|id| keys::obligations_of(*id)).collect();
        let obligations = desk.reader().lists(&prefixes).answer;
        for ((id, record), obligations) in ids.into_iter().zip(records).zip(&obligations) {
            accounts.push(public_account(id, &decode(record)?, obligations, page.height)?);
        }
    }
    Ok(ListPublicAccountsResponse { accounts, next_page: page.next, height: page.height.get() })
}

fn public_account(
    id: AccountId,
    account: &Account,
    obligations: &[RawRecord],
    height: Height,
) -> Result<PublicAccount, RpcError> {
    let mut compliance = Vec::new();
    for record in obligations {
        let obligation: Obligation = decode(record)?;
        if let Some(KeyParts::Obligation(_, year)) = KeyParts::of(&record.key) {
            let completed_on = obligation.completed_on.map(|day| day.to_string());
            compliance.push(Compliance {
                year: year.get().into(),
                completed_on: completed_on.unwrap_or_default(),
            });
        }
    }
    let status = match account.status {
        AccountStatus::Open => "open",
        AccountStatus::Frozen { .. } => "frozen",
        AccountStatus::Closed => "closed",
    };
    Ok(PublicAccount {
        account: id.to_string(),
        name: account.name.clone(),
        role: id.role().letters().to_owned(),
        province: account.province.map_or(0, |province| province.get().into()),
        status: status.to_owned(),
        compliance,
        height: height.get(),
    })
}

fn get_account(
    desk: &Desk,
    caller: &Caller,
    query: GetAccountRequest,
) -> Result<RecordResponse, RpcError> {
    let id = argument::account("account", &query.account)?;
    desk.require(caller, Subject::Accounts, id)?;
    let found = desk.reader().record(&keys::account(id));
    let record = found.answer.ok_or_else(|| no_account(id))?;
    Ok(RecordResponse { key: record.key, value: record.value, height: found.height.get() })
}

fn list_accounts(
    desk: &Desk,
    caller: &Caller,
    query: ListAccountsRequest,
) -> Result<ListRecordsResponse, RpcError> {
    caller.require_some(Subject::Accounts)?;
    let mut prefix = accounts_prefix(&query)?;
    let sight = caller.sight(Subject::Accounts);
    if let (Sight::Own, Caller::Known { account, .. }) = (sight, caller) {
        let own = keys::account(*account);
        if !own.as_bytes().starts_with(prefix.as_bytes()) {
            return Ok(ListRecordsResponse::default());
        }
        prefix = own;
    }
    let size = desk.page_size(query.page_size);
    page_of(desk.reader(), &prefix, &query.page, size, |record| {
        let id = account_of_key(&record.key)?;
        let account: Account = decode(record)?;
        caller.sees(Subject::Accounts, id, |_| Ok(account.province))
    })
    .map(Into::into)
}

fn list_holdings(
    desk: &Desk,
    caller: &Caller,
    query: ListHoldingsRequest,
) -> Result<ListHoldingsResponse, RpcError> {
    let id = argument::account("account", &query.account)?;
    let instrument = argument::optional_instrument("instrument", &query.instrument)?;
    desk.require(caller, Subject::Units, id)?;
    let after = (!query.page.is_empty()).then_some(query.page.as_slice());
    let size = desk.page_size(query.page_size);
    let page = desk
        .reader()
        .holdings(id, instrument, query.include_ended, after, size)
        .map_err(read_failed)?;
    Ok(ListHoldingsResponse {
        holdings: page.answer.items.iter().map(holding).collect(),
        next_page: page.answer.next.unwrap_or_default(),
        height: page.height.get(),
    })
}

pub(super) fn holding(held: &HeldRange) -> Holding {
    Holding { range: held.range.to_string(), place: codec::encode(&held.place) }
}

fn lookup_serial(
    desk: &Desk,
    caller: &Caller,
    query: LookupSerialRequest,
) -> Result<LookupSerialResponse, RpcError> {
    caller.require_some(Subject::Units)?;
    let instrument = argument::instrument("instrument", &query.instrument)?;
    let serial = Serial { instrument, number: query.number };
    let page = argument::movement_page("page", &query.page)?;
    let found = desk.reader().serial(serial, page, PAGE_RECORDS_MAX).map_err(read_failed)?;
    let not_found = || RpcError::NotFound { what: format!("{instrument} unit {}", query.number) };
    let history = found.answer.ok_or_else(not_found)?;
    let holder = history.holding.place.holder;
    let holders = holders_of(&history.hops).chain([holder]).collect();
    let seen_holders = desk.seen(caller, Subject::Units, holders)?;
    let sees = |holder| seen_holders.contains(&holder);
    let seen = sees(holder);
    let mut any = seen;
    let hops = history.hops.iter().map(|found| {
        let from = found.movement.from.map(|place| place.holder);
        let visible = sees(found.movement.to.holder) || from.is_some_and(sees);
        any |= visible;
        let hop = hop(found);
        if visible { hop } else { Hop { movement: Vec::new(), ..hop } }
    });
    let mut hops: Vec<Hop> = hops.collect();
    if !any {
        // What it may see can lie on another page; of this one it learns nothing.
        if page.is_none() && history.older.is_none() {
            return Err(caller.refusal(Subject::Units));
        }
        hops.clear();
    }
    let next_page = history.older.map(|older| older.to_bytes().to_vec()).unwrap_or_default();
    let holding = seen.then(|| holding(&history.holding));
    Ok(LookupSerialResponse { holding, hops, height: found.height.get(), next_page })
}

fn list_obligations(
    desk: &Desk,
    caller: &Caller,
    query: ListObligationsRequest,
) -> Result<ListRecordsResponse, RpcError> {
    caller.require_some(Subject::Obligations)?;
    let asked = argument::optional_account("account", &query.account)?;
    let prefix = match (asked, caller, caller.sight(Subject::Obligations)) {
        (Some(account), ..) => {
            desk.require(caller, Subject::Obligations, account)?;
            keys::obligations_of(account)
        }
        (None, Caller::Known { account, .. }, Sight::Own) => keys::obligations_of(*account),
        (None, ..) => keys::table_prefix(Table::Obligations),
    };
    list_seen(desk, caller, Subject::Obligations, &prefix, &query.page, query.page_size)
}

fn list_tasks(
    desk: &Desk,
    caller: &Caller,
    query: ListTasksRequest,
) -> Result<ListRecordsResponse, RpcError> {
    caller.require_some(Subject::Tasks)?;
    let asked = argument::optional_account("account", &query.account)?;
    let prefix = match (asked, caller, caller.sight(Subject::Tasks)) {
        (Some(account), ..) => {
            desk.require(caller, Subject::Tasks, account)?;
            keys::tasks_of(account)
        }
        (None, Caller::Known { account, .. }, Sight::Own) => keys::tasks_of(*account),
        (None, ..) => keys::table_prefix(Table::Tasks),
    };
    list_seen(desk, caller, Subject::Tasks, &prefix, &query.page, query.page_size)
}

/// Records of a subject under a prefix, those of holders that the caller sees.
fn list_seen(
    desk: &Desk,
    caller: &Caller,
    subject: Subject,
    prefix: &Key,
    page: &[u8],
    asked: u32,
) -> Result<ListRecordsResponse, RpcError> {
    page_of(desk.reader(), prefix, page, desk.page_size(asked), |record| {
        let (_, holder) = subject_of(record)?.ok_or_else(|| corrupt(&record.key))?;
        desk.sees(caller, subject, holder)
    })
    .map(Into::into)
}

fn list_disclosed(
    desk: &Desk,
    prefix: &Key,
    page: &[u8],
    asked: u32,
) -> Result<ListRecordsResponse, RpcError> {
    let page: RecordPage =
        page_of(desk.reader(), prefix, page, desk.page_size(asked), |_| Ok(true))?;
    Ok(page.into())
}

/// Whose record it is and what it tells of the holder; none when it is disclosed.
pub(super) fn subject_of(record: &RawRecord) -> Result<Option<(Subject, AccountId)>, RpcError> {
    let parts = KeyParts::of(&record.key).ok_or_else(|| corrupt(&record.key))?;
    Ok(match parts {
        KeyParts::Ledger
        | KeyParts::Supply(_)
        | KeyParts::Project(_)
        | KeyParts::Parameter(..)
        | KeyParts::Validators
        | KeyParts::Settlement(..) => None,
        KeyParts::Account(id) => Some((Subject::Accounts, id)),
        KeyParts::Holder(..) => Some((Subject::Accounts, decode::<HolderEntry>(record)?.account)),
        KeyParts::UnitRange(..) => {
            Some((Subject::Units, decode::<UnitRange>(record)?.place.holder))
        }
        KeyParts::Obligation(id, _) => Some((Subject::Obligations, id)),
        KeyParts::Freeze(account, ..) => Some((Subject::Obligations, account)),
        KeyParts::FundOrder(_) => {
            Some((Subject::Obligations, decode::<FundOrder>(record)?.account))
        }
        KeyParts::Task(id, _) => Some((Subject::Tasks, id)),
        KeyParts::UnitByHolder(holder, ..) => Some((Subject::Units, holder)),
        KeyParts::Replay(..) => return Err(corrupt(&record.key)),
    })
}

fn accounts_prefix(query: &ListAccountsRequest) -> Result<Key, RpcError> {
    Ok(match argument::optional_role("role", &query.role)? {
        Some(role) => keys::accounts_of(role),
        None => keys::table_prefix(Table::Accounts),
    })
}

fn account_of_key(key: &[u8]) -> Result<AccountId, RpcError> {
    match KeyParts::of(key) {
        Some(KeyParts::Account(id)) => Ok(id),
        _ => Err(corrupt(key)),
    }
}

fn decode<R: Record>(record: &RawRecord) -> Result<R, RpcError> {
    codec::decode(&record.value).map_err(|_| corrupt(&record.key))
}

fn corrupt(key: &[u8]) -> RpcError {
    RpcError::failed(format_args!("record {} cannot be read", hex::encode(key)))
}

fn no_account(id: AccountId) -> RpcError {
    RpcError::NotFound { what: format!("account {id}") }
}
