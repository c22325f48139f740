//! Arguments of requests, read with errors that name the field.

use cets_contracts::types::{AccountId, Instrument, Role, SerialRange, TxId};

use super::RpcError;
use crate::read::MovementId;

fn invalid(field: &'static str, reason: impl ToString) -> RpcError {
    RpcError::Argument { field, reason: reason.to_string() }
}

/// An account number.
pub fn account(field: &'static str, text: &str) -> Result<AccountId, RpcError> {
    text.parse().map_err(|error| invalid(field, error))
}

/// An account number; none when the text is empty.
pub fn optional_account(field: &'static str, text: &str) -> Result<Option<AccountId>, RpcError> {
    if text.is_empty() { Ok(None) } else { account(field, text).map(Some) }
}

/// An instrument.
pub fn instrument(field: &'static str, text: &str) -> Result<Instrument, RpcError> {
    text.parse().map_err(|error| invalid(field, error))
}

/// An instrument; none when the text is empty.
pub fn optional_instrument(
    field: &'static str,
    text: &str,
) -> Result<Option<Instrument>, RpcError> {
    if text.is_empty() { Ok(None) } else { instrument(field, text).map(Some) }
}

/// A range of units.
pub fn range(field: &'static str, text: &str) -> Result<SerialRange, RpcError> {
    text.parse().map_err(|error| invalid(field, error))
}

/// A role by its three letters; none when the text is empty.
pub fn optional_role(field: &'static str, text: &str) -> Result<Option<Role>, RpcError> {
    if text.is_empty() {
        return Ok(None);
    }
    let role = Role::ALL.iter().find(|role| role.letters() == text);
    role.copied().map(Some).ok_or_else(|| invalid(field, "no role has these three letters"))
}

/// A transaction identifier.
pub fn tx_id(field: &'static str, bytes: &[u8]) -> Result<TxId, RpcError> {
    bytes.try_into().map(TxId::new).map_err(|_| invalid(field, "it must have 32 bytes"))
}

/// A movement from a page token; none when it is empty.
pub fn movement_page(field: &'static str, page: &[u8]) -> Result<Option<MovementId>, RpcError> {
    if page.is_empty() {
        return Ok(None);
    }
    let movement = MovementId::from_bytes(page);
    movement.map(Some).ok_or_else(|| invalid(field, "it is no page of this list"))
}

/// A position in the log from a page token; the start when it is empty.
pub fn log_page(field: &'static str, page: &[u8]) -> Result<u64, RpcError> {
    if page.is_empty() {
        return Ok(0);
    }
    let bytes = page.try_into().map_err(|_| invalid(field, "it is no page of this list"))?;
    Ok(u64::from_be_bytes(bytes))
}
