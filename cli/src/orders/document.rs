//! Transactions as files: built on one machine, signed on others, submitted from a third.

use std::collections::BTreeMap;
use std::path::Path;

use cets_contracts::crypto::{SignedMessage, verify};
use cets_contracts::rules::Payload;
use cets_contracts::tx::{SignedTransaction, TxBody, signature_message};
use cets_contracts::types::{AccountId, BlockTime, ChainId, PublicKey, Signature, TxId};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::{public_key, sign};
use crate::clock::now;
use crate::error::CliError;
use crate::files::{parse_json, read_text, replace_json, write_new_json};
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
    signatures: BTreeMap<PublicKey, Signature>,
}

impl TransactionDocument {
    /// A transaction that nobody has signed yet.
    pub fn new(body: TxBody) -> Self {
        let (id, signatures) = (body.id(), BTreeMap::new());
        Self { format: FORMAT.to_owned(), id, body, signatures }
    }

    /// Reads a file and checks that its identifier is that of its body.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        Self::parse(&read_text(path)?, path)
    }

    /// Reads the text of a file.
    pub fn parse(text: &str, path: &Path) -> Result<Self, CliError> {
        let document: Self = parse_json(text, path)?;
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

    /// Each signer with whether its signature verifies; none when it has not signed.
    pub fn signers(&self) -> Vec<(PublicKey, Option<bool>)> {
        let message = signature_message(&self.id);
        let verdict = |key: &PublicKey| {
            let signature = self.signatures.get(key)?;
            Some(verify(&SignedMessage { key, signature, message: &message }))
        };
        self.body.signers.iter().map(|key| (*key, verdict(key))).collect()
    }

    /// Signs with a key that the body lists; a second time replaces the first.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), CliError> {
        let public = public_key(key);
        if !self.body.signers.contains(&public) {
            return Err(CliError::user(text!(
                "the transaction does not list {public} among its signers",
                "交易所列签名人中没有 {public}"
            ))
            .hint(text!(
                "sign with a key that `cets tx show FILE` lists, or build it again with --key",
                "请使用 `cets tx show 文件` 所列密钥签名，或用 --key 重新生成"
            )));
        }
        self.signatures.insert(public, sign(&self.body, key));
        Ok(())
    }

    /// The transaction, once all its signers have signed.
    pub fn into_transaction(self) -> Result<SignedTransaction, CliError> {
        let missing: Vec<String> = self
            .body
            .signers
            .iter()
            .filter(|key| !self.signatures.contains_key(key))
            .map(ToString::to_string)
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(CliError::user(text!(
                "not all have signed yet; missing: {missing}",
                "尚未全部签名，缺少：{missing}"
            ))
            .hint(text!(
                "let them sign with `cets tx sign FILE`",
                "请其使用 `cets tx sign 文件` 签名"
            )));
        }
        let Self { body, signatures, .. } = self;
        let signatures = body.signers.iter().filter_map(|key| signatures.get(key).copied());
        let signatures = signatures.collect();
        Ok(SignedTransaction { body, signatures })
    }
}

impl From<SignedTransaction> for TransactionDocument {
    fn from(transaction: SignedTransaction) -> Self {
        let SignedTransaction { body, signatures } = transaction;
        let signatures = body.signers.iter().copied().zip(signatures).collect();
        Self { signatures, ..Self::new(body) }
    }
}

/// A body for an order that may wait for so many milliseconds from now.
pub fn new_body(
    chain_id: ChainId,
    account: AccountId,
    signers: Vec<PublicKey>,
    payload: Payload,
    valid_for_millis: u64,
) -> Result<TxBody, CliError> {
    let salt = getrandom::u64()
        .map_err(|_| crate::keys::key_error("salt", crate::keys::KeyFileError::NoRandomness))?;
    let valid_until: BlockTime = now()?.saturating_add_millis(valid_for_millis);
    Ok(TxBody { chain_id, account, signers, valid_until, salt, payload })
}
