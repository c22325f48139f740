//! `cets key`: the keys on this machine.

use std::path::PathBuf;

use cets_contracts::types::AccountId;
use clap::Subcommand;
use serde_json::json;

use crate::error::CliError;
use crate::keys::{PassphraseSource, PublicHalf};
use crate::output::{Cell, Report, left};
use crate::session::Session;
use crate::text;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Makes a new key, encrypted under a passphrase
    New {
        /// Name of the key
        name: String,
        /// Account that the key acts for
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<AccountId>,
    },
    /// Lists the keys; needs no passphrase
    List,
    /// Shows the public half of a key; needs no passphrase
    Show {
        /// Name of the key
        name: String,
    },
    /// Keeps a key from a PKCS#8 file under a name, encrypted
    Import {
        /// Name of the key
        name: String,
        /// PEM file with an Ed25519 private key, encrypted or not
        file: PathBuf,
        /// Account that the key acts for
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<AccountId>,
    },
    /// Says which account a key acts for
    Assign {
        /// Name of the key
        name: String,
        /// The account
        account: AccountId,
    },
    /// Changes the passphrase of a key
    Passphrase {
        /// Name of the key
        name: String,
        /// File whose first line is the new passphrase
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
}

/// Runs `cets key`.
pub fn run(command: KeyCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    let store = session.keys();
    match command {
        KeyCommand::New { name, account } => {
            refuse_taken(session, &name)?;
            let passphrase = session.passphrases().fresh(&name, session.lang())?;
            let public = store.create(&name, account, &passphrase)?;
            Ok(one(session, &public))
        }
        KeyCommand::List => Ok(list(&store.list()?)),
        KeyCommand::Show { name } => {
            if store.secret_path(&name).exists() && !store.public_path(&name).exists() {
                session.open_key(&name)?;
            }
            Ok(one(session, &store.public(&name)?))
        }
        KeyCommand::Import { name, file, account } => {
            refuse_taken(session, &name)?;
            let key = session.open_key_file(&file)?;
            let passphrase = session.passphrases().fresh(&name, session.lang())?;
            Ok(one(session, &store.insert(&name, account, &key, &passphrase)?))
        }
        KeyCommand::Assign { name, account } => {
            let public = PublicHalf { account: Some(account), ..store.public(&name)? };
            store.write_public(&public)?;
            Ok(one(session, &public))
        }
        KeyCommand::Passphrase { name, new_password_file } => {
            let key = session.open_key(&name)?;
            let new = PassphraseSource::new(new_password_file, None);
            let new = new.fresh(&name, session.lang())?;
            Ok(one(session, &store.change_passphrase(&name, &key, &new)?))
        }
    }
}

/// Refuses a taken name before anybody types a passphrase.
fn refuse_taken(session: &Session<'_>, name: &str) -> Result<(), CliError> {
    crate::keys::check_name(name)?;
    let path = session.keys().secret_path(name);
    if path.exists() {
        return Err(crate::keys::key_error(name, crate::keys::KeyFileError::Exists(path)));
    }
    Ok(())
}

fn account_text(public: &PublicHalf) -> Cell {
    Cell::same(public.account.map(|account| account.to_string()).unwrap_or_default())
}

fn list(keys: &[PublicHalf]) -> Report {
    let columns = vec![
        left(text!("name", "名称")),
        left(text!("account", "账户")),
        left(text!("public key", "公钥")),
    ];
    let rows = keys
        .iter()
        .map(|key| vec![Cell::same(&key.name), account_text(key), Cell::same(key.public_key)])
        .collect();
    Report::new(json!({ "keys": keys })).rows(columns, rows)
}

fn one(session: &Session<'_>, public: &PublicHalf) -> Report {
    let file = session.keys().secret_path(&public.name);
    let facts = vec![
        (text!("name", "名称"), Cell::same(&public.name)),
        (text!("account", "账户"), account_text(public)),
        (text!("public key", "公钥"), Cell::same(public.public_key)),
        (text!("file", "文件"), Cell::same(file.display())),
    ];
    Report::new(json!({
        "name": public.name,
        "account": public.account,
        "public_key": public.public_key,
        "file": file,
    }))
    .facts(facts)
}
