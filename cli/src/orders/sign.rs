//! Opening keys and signing.

use std::path::Path;

use cets_contracts::tx::{SignedTransaction, TxBody, signature_message, signer_list};
use cets_contracts::types::{AccountId, PublicKey, Signature};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::error::CliError;
use crate::session::Session;
use crate::text;

/// The public half of a key.
pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

/// The signature of a key over a body.
pub fn sign(body: &TxBody, key: &SigningKey) -> Signature {
    Signature::new(key.sign(&signature_message(&body.id())).to_bytes())
}

/// A body with the signatures of all its signers.
///
/// # Panics
/// When the body lists a signer whose key is not among these.
pub fn sign_all(body: TxBody, keys: &[SigningKey]) -> SignedTransaction {
    SignedTransaction::new(body, |signer, message| {
        let key = keys.iter().find(|key| public_key(key) == *signer);
        let key = key.expect("the body was built for these keys");
        Signature::new(key.sign(message).to_bytes())
    })
}

/// Names of the keys that sign for an account: those given, else the context's, else those of
/// the key store that act for it.
pub fn signing_keys(
    session: &Session<'_>,
    account: AccountId,
    given: &[String],
) -> Result<Vec<String>, CliError> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let context = session.context();
    let of_context = match &context.account {
        Some(name) => session.account_named(name)? == account,
        None => true,
    };
    if of_context && !context.keys.is_empty() {
        return Ok(context.keys.clone());
    }
    let keys = session.keys().list()?;
    let names: Vec<String> =
        keys.into_iter().filter(|key| key.account == Some(account)).map(|key| key.name).collect();
    if names.is_empty() {
        return Err(CliError::user(text!(
            "no key acts for account {account}",
            "没有代表账户 {account} 的密钥"
        ))
        .hint(text!(
            "give --key NAME, or `cets key assign NAME {account}`",
            "请使用 --key 名称，或 `cets key assign 名称 {account}`"
        )));
    }
    Ok(names)
}

/// Whether a key is named by its file instead of its name.
fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".pem")
}

/// A public key by the name or file of a key, or by its own digits; needs no passphrase for keys
/// of the store.
pub fn named_public_key(session: &Session<'_>, name: &str) -> Result<PublicKey, CliError> {
    if let Ok(key) = name.parse() {
        return Ok(key);
    }
    match is_path(name) {
        false => Ok(session.keys().public(name)?.public_key),
        true => Ok(public_key(&open_key(session, name)?)),
    }
}

/// Who signs, as a body lists them: see [`named_public_key`].
pub fn signers(session: &Session<'_>, names: &[String]) -> Result<Vec<PublicKey>, CliError> {
    let keys = names.iter().map(|name| named_public_key(session, name));
    Ok(signer_list(keys.collect::<Result<Vec<_>, CliError>>()?))
}

/// Opens a key by name or file.
pub fn open_key(session: &Session<'_>, name: &str) -> Result<SigningKey, CliError> {
    if is_path(name) { session.open_key_file(Path::new(name)) } else { session.open_key(name) }
}

/// Opens keys by name or file.
pub fn open_keys(session: &Session<'_>, names: &[String]) -> Result<Vec<SigningKey>, CliError> {
    names.iter().map(|name| open_key(session, name)).collect()
}
