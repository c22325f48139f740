//! What `config.toml` may say; unknown keys are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cets_contracts::types::{AccountId, ChainId};
use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::text;

/// Largest configuration file that is read, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// One ledger and who is at its desk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Addresses of nodes; the first that answers is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Chain that the nodes must be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainId>,
    /// Genesis file, which proves chain and validators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis: Option<PathBuf>,
    /// Account that acts unless another is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Keys that sign unless others are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Certificate authority (PEM) of the nodes' TLS certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// File whose first line opens the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Lets tokens travel unencrypted to other machines: inside a network that is trusted.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub plaintext: bool,
}

/// The configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Context in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Contexts by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
    /// Names of accounts; usable wherever an account number is.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountId>,
}

/// The directory that holds configuration and keys.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// A directory given by the user.
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// `$XDG_CONFIG_HOME/cets`, else `~/.config/cets`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, CliError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let base = set("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")));
        base.map(|base| Self(base.join("cets"))).ok_or_else(|| {
            CliError::usage(text!(
                "neither HOME nor XDG_CONFIG_HOME is set, so there is no home directory",
                "HOME 和 XDG_CONFIG_HOME 均未设置，无法确定主目录"
            ))
            .hint(text!("give --home DIRECTORY", "请使用 --home 目录"))
        })
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// `config.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The folder of keys.
    pub fn keys_folder(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The text of `config.toml`; nothing when there is none.
    pub fn config_text(&self) -> Result<String, CliError> {
        let path = self.config_path();
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(String::new());
            }
            Ok(found) if found.len() > CONFIG_BYTES_MAX => {
                let path = path.display();
                return Err(CliError::user(text!(
                    "{path} has more than {CONFIG_BYTES_MAX} bytes",
                    "{path} 超过 {CONFIG_BYTES_MAX} 字节"
                )));
            }
            other => other.map_err(|error| CliError::file(&path, &error))?,
        };
        std::fs::read_to_string(&path).map_err(|error| CliError::file(&path, &error))
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config, CliError> {
        self.parse_config(&self.config_text()?)
    }

    /// Reads a configuration text; says which key or value is wrong and where.
    pub fn parse_config(&self, text: &str) -> Result<Config, CliError> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let path = self.config_path();
            let path = path.display();
            let reason = error.to_string();
            let reason = reason.trim_end();
            CliError::user(text!("{path}: {reason}", "{path}：{reason}")).hint(text!(
                "correct the file; known keys are current, contexts.NAME.{{nodes, chain, genesis, \
                 account, keys, tls_ca, password_file, plaintext}} and accounts.NAME",
                "请修正该文件；可用的键为 current、contexts.名称.{{nodes, chain, genesis, account, \
                 keys, tls_ca, password_file, plaintext}} 和 accounts.名称"
            ))
        })?;
        match &config.current {
            Some(current) if !config.contexts.contains_key(current) => {
                let path = self.config_path();
                let path = path.display();
                Err(CliError::user(text!(
                    "{path}: the current context `{current}` is not defined",
                    "{path}：当前上下文 `{current}` 未定义"
                )))
            }
            _ => Ok(config),
        }
    }

    /// A path of the configuration: relative ones start at the home directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }
}

impl Config {
    /// The context of a name, else the current one, else an empty one.
    pub fn context(&self, name: Option<&str>) -> Result<(Option<String>, Context), CliError> {
        let Some(name) = name.or(self.current.as_deref()) else {
            return Ok((None, Context::default()));
        };
        match self.contexts.get(name) {
            Some(context) => Ok((Some(name.to_owned()), context.clone())),
            None => Err(unknown_context(name)),
        }
    }
}

/// No context has this name.
pub fn unknown_context(name: &str) -> CliError {
    CliError::user(text!("there is no context `{name}`", "没有名为 `{name}` 的上下文")).hint(text!(
        "`cets context list` shows them, `cets context set {name} --node ADDRESS` makes one",
        "`cets context list` 列出上下文，`cets context set {name} --node 地址` 新建"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, CliError> {
        Home::new("/home/x/.config/cets".into()).parse_config(text)
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = parse("[contexts.a]\nnode = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("node") && error.contains("line 2"), "{error}");
        assert!(parse("colour = 1").unwrap_err().to_string().contains("colour"));
    }

    #[test]
    fn the_current_context_must_exist() {
        assert!(parse("current = \"a\"").is_err());
        let config = parse("current = \"a\"\n[contexts.a]\nnodes = [\"http://x\"]").unwrap();
        assert_eq!(config.context(None).unwrap().0.as_deref(), Some("a"));
        assert!(config.context(Some("b")).is_err());
    }

    #[test]
    fn the_home_directory_follows_the_environment() {
        let home = |set: &'static [(&str, &str)]| {
            Home::from_environment(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
            })
        };
        assert_eq!(
            home(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).unwrap().folder(),
            Path::new("/x/cets")
        );
        assert_eq!(home(&[("HOME", "/h")]).unwrap().folder(), Path::new("/h/.config/cets"));
        assert!(home(&[]).is_err());
    }
}
