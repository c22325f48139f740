//! Records with their paths to a state root.

use cets_api::{
    GetValidatorChangesResponse, ProveRecordsRequest, ProveRecordsResponse, ProvenRecord,
};
use cets_contracts::codec;
use cets_contracts::proof::{RECORDS_PER_PROOF_MAX, ValidatorChain};
use cets_contracts::state::KeyParts;
use cets_contracts::types::Height;

use super::RpcError;
use super::access::{Caller, Subject};
use super::desk::{Desk, read_failed};
use super::ledger::subject_of;
use crate::read::{ProveError, RawRecord};

/// Records of one state, each with its path, for a caller that may see all of them.
pub(super) fn prove_records(
    desk: &Desk,
    caller: &Caller,
    query: ProveRecordsRequest,
) -> Result<ProveRecordsResponse, RpcError> {
    if query.keys.is_empty() || query.keys.len() > RECORDS_PER_PROOF_MAX {
        let reason = format!("1 to {RECORDS_PER_PROOF_MAX} keys are proven at once");
        return Err(RpcError::Argument { field: "keys", reason });
    }
    query.keys.iter().try_for_each(|key| require_by_key(desk, caller, key))?;
    let height = (query.height != 0).then(|| Height::new(query.height));
    let proven = desk.reader().prove_records(&query.keys, height).map_err(failure)?;
    let mut records = Vec::with_capacity(proven.records.len());
    for (record, proof) in proven.records {
        if let Some((subject, holder)) = subject_of(&record)? {
            desk.require(caller, subject, holder)?;
        }
        let RawRecord { key, value } = record;
        records.push(ProvenRecord { key, value, proof: codec::encode(&proof) });
    }
    Ok(ProveRecordsResponse {
        records,
        header: codec::encode(&proven.header),
        certificate: codec::encode(&proven.certificate),
    })
}

/// Refuses what a key alone decides, before any state is looked at: whose record it is mostly
/// stands in the key; where it stands in the value, who sees nothing of the subject is refused.
fn require_by_key(desk: &Desk, caller: &Caller, key: &[u8]) -> Result<(), RpcError> {
    let Some(parts) = KeyParts::of(key) else { return Err(failure(ProveError::NoRecord)) };
    match parts {
        KeyParts::Ledger
        | KeyParts::Supply(_)
        | KeyParts::Project(_)
        | KeyParts::Parameter(..)
        | KeyParts::Validators
        | KeyParts::Settlement(..)
        | KeyParts::Replay(..) => Ok(()),
        KeyParts::Account(id) => desk.require(caller, Subject::Accounts, id),
        KeyParts::Obligation(id, _) | KeyParts::Freeze(id, ..) => {
            desk.require(caller, Subject::Obligations, id)
        }
        KeyParts::Task(id, _) => desk.require(caller, Subject::Tasks, id),
        KeyParts::UnitByHolder(id, ..) => desk.require(caller, Subject::Units, id),
        KeyParts::Holder(..) => caller.require_some(Subject::Accounts),
        KeyParts::UnitRange(..) => caller.require_some(Subject::Units),
        KeyParts::FundOrder(_) => caller.require_some(Subject::Obligations),
    }
}

/// Every change of the validators since genesis; everyone may see them.
pub(super) fn validator_changes(desk: &Desk) -> Result<GetValidatorChangesResponse, RpcError> {
    let changes = desk.reader().validator_changes().map_err(read_failed)?;
    Ok(GetValidatorChangesResponse { changes: codec::encode(&ValidatorChain { changes }) })
}

/// Why records of a state cannot be given, as callers get it.
pub(super) fn failure(error: ProveError) -> RpcError {
    match error {
        ProveError::NoRecord => RpcError::NotFound { what: "record of this key".to_owned() },
        ProveError::NotCommitted { .. } => {
            RpcError::Argument { field: "keys", reason: error.to_string() }
        }
        ProveError::NotKept { .. } => {
            RpcError::Argument { field: "height", reason: error.to_string() }
        }
        ProveError::Busy => RpcError::Overloaded { what: error.to_string() },
        ProveError::NoBlock => RpcError::NotFound { what: "block yet".to_owned() },
        ProveError::Read(error) => read_failed(error),
    }
}
