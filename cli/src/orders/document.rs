//! Transactions as files: built on one machine, signed on others, submitted from a third.

use std::path::Path;

use cets_contracts::crypto::{SignedMessage, verify};
use cets_contracts::rules::Payload;
use cets_contracts::tx::{SignedTransaction, TxBody, TxSignature, signature_message};
use cets_contracts::types::{AccountId, BlockTime, ChainId, TxId};
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::error::CliError;
use crate::files::{read_json, replace_json, write_new_json};
use crate::text;

/// Name of the file format.
const FORMAT: &str = "cets-transaction/1";

/// A transaction file. The identifier is there for people and is checked when the file is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionDocument {
    format: String,
    id: TxId,
    body: TxBody,
    signatures: Vec<TxSignature>,
}

impl TransactionDocument {
    /// A transaction as a file.
    pub fn new(transaction: SignedTransaction) -> Self {
        let SignedTransaction { body, signatures } = transaction;
        Self { format: FORMAT.to_owned(), id: body.id(), body, signatures }
    }

    /// Reads a file and checks that its identifier is that of its body.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let document: Self = read_json(path)?;
        let shown = path.display();
        if document.format != FORMAT {
            let format = &document.format;
            return Err(CliError::user(text!(
                "{shown} has the format `{format}`, expected `{FORMAT}`",
                "{shown} 的格式为 `{format}`，应为 `{FORMAT}`"
            )));
        }
        let id = document.body.id();
        if document.id != id {
            return Err(CliError::user(text!(
                "{shown} was changed after it was built: its body is transaction {id}",
                "{shown} 在生成后被改动：其内容对应的交易号为 {id}"
            ))
            .hint(text!(
                "build it again; signatures cover the body as it was",
                "请重新生成；签名只对原内容有效"
            )));
        }
        Ok(document)
    }

    /// Writes a new file.
    pub fn write_new(&self, path: &Path) -> Result<(), CliError> {
        write_new_json(path, self)
    }

    /// Replaces a file.
    pub fn replace(&self, path: &Path) -> Result<(), CliError> {
        replace_json(path, self)
    }

    /// Identifier.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// What is signed.
    pub const fn body(&self) -> &TxBody {
        &self.body
    }

    /// Signatures, each with whether it verifies.
    pub fn signatures(&self) -> Vec<(TxSignature, bool)> {
        let message = signature_message(&self.id);
        let verified = self.signatures.iter().map(|signature| {
            let TxSignature { key, signature: made } = signature;
            (*signature, verify(&SignedMessage { key, signature: made, message: &message }))
        });
        verified.collect()
    }

    /// Adds a signature; a second one of the same key replaces the first.
    pub fn add(&mut self, signature: TxSignature) {
        self.signatures.retain(|known| known.key != signature.key);
        self.signatures.push(signature);
    }

    /// The transaction.
    pub fn into_transaction(self) -> SignedTransaction {
        SignedTransaction { body: self.body, signatures: self.signatures }
    }
}

/// A body for an order that may wait for so many milliseconds from now.
pub fn new_body(
    chain_id: ChainId,
    account: AccountId,
    payload: Payload,
    valid_for_millis: u64,
) -> Result<TxBody, CliError> {
    let salt = getrandom::u64()
        .map_err(|_| crate::keys::key_error("salt", crate::keys::KeyFileError::NoRandomness))?;
    let valid_until: BlockTime = now()?.saturating_add_millis(valid_for_millis);
    Ok(TxBody { chain_id, account, valid_until, salt, payload })
}
