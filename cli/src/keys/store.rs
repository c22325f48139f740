//! The folder of keys: names, public halves and opening them.

use std::fs;
use std::path::{Path, PathBuf};

use cets_contracts::types::{AccountId, PublicKey};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::{
    KeyFileError, Passphrase, decrypt_key, encrypt_key, generate_key, read_key_text, replace_file,
    write_new_file,
};
use crate::error::CliError;
use crate::text;

/// Longest name of a key in characters.
pub const KEY_NAME_CHARS_MAX: usize = 64;

/// The public half of a key, as `NAME.pub` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicHalf {
    /// Name within the store.
    pub name: String,
    /// Ed25519 public key.
    pub public_key: PublicKey,
    /// Account that the key acts for, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

/// Keys by name in one folder.
#[derive(Clone, Debug)]
pub struct KeyStore {
    folder: PathBuf,
}

impl KeyStore {
    /// The store in a folder; the folder need not exist.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the keys are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// File of the secret half.
    pub fn secret_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// File of the public half.
    pub fn public_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pub"))
    }

    /// Makes a new key.
    pub fn create(
        &self,
        name: &str,
        account: Option<AccountId>,
        passphrase: &Passphrase,
    ) -> Result<PublicHalf, CliError> {
        let key = generate_key().map_err(|error| key_error(name, error))?;
        self.insert(name, account, &key, passphrase)
    }

    /// Keeps a key under a new name.
    ///
    /// The secret half is written first: a crash in between loses nothing, because the public half
    /// is written again whenever the secret half is opened without it.
    pub fn insert(
        &self,
        name: &str,
        account: Option<AccountId>,
        key: &SigningKey,
        passphrase: &Passphrase,
    ) -> Result<PublicHalf, CliError> {
        check_name(name)?;
        create_private_folder(&self.folder)?;
        let public = PublicHalf {
            name: name.to_owned(),
            public_key: PublicKey::new(key.verifying_key().to_bytes()),
            account,
        };
        let pem = encrypt_key(key, passphrase).map_err(|error| key_error(name, error))?;
        write_new_file(&self.secret_path(name), pem.as_bytes())
            .map_err(|error| key_error(name, error))?;
        self.write_public(&public)?;
        Ok(public)
    }

    /// Writes the public half, replacing an older one.
    pub fn write_public(&self, public: &PublicHalf) -> Result<(), CliError> {
        let mut json = serde_json::to_string_pretty(public).map_err(|error| {
            CliError::bug(text!("a public key is no JSON: {error}", "公钥无法写成 JSON：{error}"))
        })?;
        json.push('\n');
        replace_file(&self.public_path(&public.name), json.as_bytes())
            .map_err(|error| key_error(&public.name, error))
    }

    /// The public half of a key.
    pub fn public(&self, name: &str) -> Result<PublicHalf, CliError> {
        check_name(name)?;
        let path = self.public_path(name);
        let json = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.unknown(name));
            }
            other => other.map_err(|error| CliError::file(&path, &error))?,
        };
        let public: PublicHalf = serde_json::from_str(&json).map_err(|error| {
            let path = path.display();
            CliError::user(text!(
                "{path} is no public key: {error}",
                "{path} 不是公钥文件：{error}"
            ))
            .hint(text!(
                "move it away; it is written again when the key is used",
                "请将其移走；下次使用该密钥时会重新生成"
            ))
        })?;
        if public.name != name {
            let (path, found) = (path.display(), public.name);
            return Err(CliError::user(text!(
                "{path} speaks of key {found}",
                "{path} 记录的是密钥 {found}"
            )));
        }
        Ok(public)
    }

    /// The public halves of all keys, sorted by name.
    pub fn list(&self) -> Result<Vec<PublicHalf>, CliError> {
        let folder = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| CliError::file(&self.folder, &error))?,
        };
        let mut names = Vec::new();
        for entry in folder {
            let entry = entry.map_err(|error| CliError::file(&self.folder, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".pub").filter(|name| !name.starts_with('.')) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.iter().map(|name| self.public(name)).collect()
    }

    /// Refuses a name that no key has, before anybody types a passphrase.
    pub fn check_known(&self, name: &str) -> Result<(), CliError> {
        check_name(name)?;
        if self.secret_path(name).exists() { Ok(()) } else { Err(self.unknown(name)) }
    }

    /// Opens a key by name; writes its public half when that is missing.
    pub fn open(&self, name: &str, passphrase: &Passphrase) -> Result<SigningKey, CliError> {
        self.check_known(name)?;
        let path = self.secret_path(name);
        let pem = read_key_text(&path).map_err(|error| key_error(name, error))?;
        let key = decrypt_key(&pem, passphrase).map_err(|error| key_error(name, error))?;
        let public_key = PublicKey::new(key.verifying_key().to_bytes());
        if !self.public_path(name).exists() {
            self.write_public(&PublicHalf { name: name.to_owned(), public_key, account: None })?;
        }
        if self.public(name)?.public_key != public_key {
            return Err(CliError::user(text!(
                "{name}.pub is not the public half of {name}.pem",
                "{name}.pub 不是 {name}.pem 对应的公钥"
            )));
        }
        Ok(key)
    }

    /// Encrypts a key of the store, opened before, under another passphrase.
    pub fn change_passphrase(
        &self,
        name: &str,
        key: &SigningKey,
        passphrase: &Passphrase,
    ) -> Result<PublicHalf, CliError> {
        let pem = encrypt_key(key, passphrase).map_err(|error| key_error(name, error))?;
        replace_file(&self.secret_path(name), pem.as_bytes())
            .map_err(|error| key_error(name, error))?;
        self.public(name)
    }

    fn unknown(&self, name: &str) -> CliError {
        let folder = self.folder.display();
        CliError::user(text!(
            "no key named {name} in {folder}",
            "{folder} 中没有名为 {name} 的密钥"
        ))
        .hint(text!(
            "`cets key list` shows the keys, `cets key new {name}` makes this one",
            "`cets key list` 列出密钥，`cets key new {name}` 新建该密钥"
        ))
        .fact("key", name)
    }
}

/// Refuses names that are no plain file names or look like account numbers.
pub fn check_name(name: &str) -> Result<(), CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_plain
        && name.len() <= KEY_NAME_CHARS_MAX
        && name.chars().all(plain)
        && !name.starts_with("CN-")
    {
        return Ok(());
    }
    Err(CliError::usage(text!(
        "`{name}` is no name: 1 to {KEY_NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`, \
         starting with a letter or digit and not with `CN-`",
        "`{name}` 不能用作名称：应为 1 至 {KEY_NAME_CHARS_MAX} 个字母、数字、`-`、`_` 或 `.`，\
         以字母或数字开头且不以 `CN-` 开头"
    )))
}

/// Makes a folder that only its owner can enter.
pub fn create_private_folder(folder: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| CliError::file(folder, &error))
}

/// Says what is wrong with a key file and what to do.
pub fn key_error(name: &str, error: KeyFileError) -> CliError {
    let failure = match &error {
        KeyFileError::WrongPassphrase => CliError::user(text!(
            "the passphrase does not open key {name}",
            "口令无法打开密钥 {name}"
        )),
        KeyFileError::NotAKey => CliError::user(text!(
            "key {name} is no PKCS#8 Ed25519 private key in PEM form",
            "密钥 {name} 不是 PEM 格式的 PKCS#8 Ed25519 私钥"
        )),
        KeyFileError::Cost(error) => CliError::user(text!(
            "key {name}: {error}",
            "密钥 {name}：打开它的代价过高（scrypt 至多 64 MiB，PBKDF2 至多 100 万次迭代）"
        ))
        .hint(text!(
            "encrypt it again at the usual cost, for example with `openssl pkcs8 -topk8 -scrypt`",
            "请按常用参数重新加密，例如使用 `openssl pkcs8 -topk8 -scrypt`"
        )),
        KeyFileError::Exists(path) => {
            let path = path.display();
            CliError::user(text!(
                "key {name} exists ({path}) and is never overwritten",
                "密钥 {name} 已存在（{path}），不会被覆盖"
            ))
            .hint(text!("choose another name", "请换一个名称"))
        }
        KeyFileError::NoRandomness => {
            CliError::user(text!("the system gave no random numbers", "系统未能提供随机数"))
        }
        KeyFileError::Io { path, error } => CliError::file(path, error),
    };
    failure.fact("key", name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, KeyStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::new(folder.path().join("keys"));
        (folder, store)
    }

    #[test]
    fn keys_are_listed_and_shown_without_a_passphrase() {
        let (_folder, store) = store();
        assert_eq!(store.list().unwrap(), []);
        let passphrase = Passphrase::new("correct horse");
        let b = store.create("b", None, &passphrase).unwrap();
        let a = store.create("a", None, &passphrase).unwrap();
        assert_eq!(store.list().unwrap(), [a.clone(), b]);
        assert_eq!(store.public("a").unwrap(), a);
        assert!(store.create("a", None, &passphrase).is_err());
    }

    #[test]
    fn a_lost_public_half_is_written_again() {
        let (_folder, store) = store();
        let passphrase = Passphrase::new("correct horse");
        let public = store.create("a", None, &passphrase).unwrap();
        fs::remove_file(store.public_path("a")).unwrap();
        store.open("a", &passphrase).unwrap();
        assert_eq!(store.public("a").unwrap(), public);
    }

    #[test]
    fn a_public_half_of_another_key_is_noticed() {
        let (_folder, store) = store();
        let passphrase = Passphrase::new("correct horse");
        let mut public = store.create("a", None, &passphrase).unwrap();
        public.public_key = PublicKey::new([9; 32]);
        store.write_public(&public).unwrap();
        let error = store.open("a", &passphrase).unwrap_err();
        assert!(error.to_string().contains("not the public half"), "{error}");
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        for name in ["", "../a", "a/b", ".hidden", "a b", "CN-KEE-0000000001-19"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("ets-registry.desk_1").is_ok());
    }

    #[test]
    fn changing_the_passphrase_keeps_the_key() {
        let (_folder, store) = store();
        let (old, new) = (Passphrase::new("correct horse"), Passphrase::new("battery staple"));
        let public = store.create("a", None, &old).unwrap();
        let key = store.open("a", &old).unwrap();
        store.change_passphrase("a", &key, &new).unwrap();
        assert!(store.open("a", &old).is_err());
        let key = store.open("a", &new).unwrap();
        assert_eq!(key.verifying_key().to_bytes(), *public.public_key.as_bytes());
    }
}
