//! Changes to `config.toml` that keep everything else in it: comments, order, spacing.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::{Config, Home};
use crate::error::CliError;
use crate::keys::{check_name, create_private_folder, key_error, replace_file};
use crate::text;

/// What to change in a context; nothing stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ContextChange {
    /// New addresses of nodes.
    pub nodes: Option<Vec<String>>,
    /// New keys.
    pub keys: Option<Vec<String>>,
    /// Other entries by key: chain, genesis, account, tls_ca, password_file.
    pub entries: Vec<(&'static str, String)>,
}

impl Home {
    /// Changes or adds a context; the first one becomes current.
    pub fn set_context(&self, name: &str, change: &ContextChange) -> Result<Config, CliError> {
        check_name(name)?;
        self.edit(|document| {
            let contexts = subtable(document.as_table_mut(), "contexts");
            contexts.set_implicit(true);
            let context = subtable(contexts, name);
            for (key, list) in [("nodes", &change.nodes), ("keys", &change.keys)] {
                if let Some(list) = list {
                    context[key] = value(list.iter().collect::<Array>());
                }
            }
            for (key, text) in &change.entries {
                context[*key] = value(text.as_str());
            }
            if document.get("current").is_none() {
                document["current"] = value(name);
            }
        })
    }

    /// Makes a context current.
    pub fn use_context(&self, name: &str) -> Result<Config, CliError> {
        self.config()?.context(Some(name))?;
        self.edit(|document| document["current"] = value(name))
    }

    /// Removes a context; when it was current, none is.
    pub fn remove_context(&self, name: &str) -> Result<Config, CliError> {
        let config = self.config()?;
        config.context(Some(name))?;
        self.edit(|document| {
            subtable(document.as_table_mut(), "contexts").remove(name);
            if config.current.as_deref() == Some(name) {
                document.remove("current");
            }
        })
    }

    /// Gives an account a name.
    pub fn name_account(&self, name: &str, account: &str) -> Result<Config, CliError> {
        check_name(name)?;
        self.edit(|document| {
            subtable(document.as_table_mut(), "accounts")[name] = value(account);
        })
    }

    fn edit(&self, change: impl FnOnce(&mut DocumentMut)) -> Result<Config, CliError> {
        let before = self.config_text()?;
        self.parse_config(&before)?;
        let path = self.config_path();
        let mut document: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| {
            let path = path.display();
            CliError::user(text!("{path}: {error}", "{path}：{error}"))
        })?;
        change(&mut document);
        let after = document.to_string();
        let config = self.parse_config(&after)?;
        create_private_folder(self.folder())?;
        replace_file(&path, after.as_bytes()).map_err(|error| key_error("config.toml", error))?;
        Ok(config)
    }
}

fn subtable<'a>(table: &'a mut Table, name: &str) -> &'a mut Table {
    let item = table.entry(name).or_insert_with(|| Item::Table(Table::new()));
    // The document was read as a configuration, so an inline table is the only other form.
    if let Some(inline) = item.as_inline_table() {
        *item = Item::Table(inline.clone().into_table());
    }
    item.as_table_mut().expect("a configuration holds tables here, or nothing")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn changes_keep_comments_and_order() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let before = "# my ledgers\n[contexts.z]  # last\nnodes = [\"http://z\"]\n\n\
                      [contexts.a]\nkeys = [\"k\"]\n";
        std::fs::write(home.config_path(), before).unwrap();
        let change = ContextChange {
            nodes: Some(vec!["http://y".to_owned()]),
            entries: vec![("account", "registry".to_owned())],
            ..ContextChange::default()
        };
        let config = home.set_context("z", &change).unwrap();
        assert_eq!(config.contexts["z"].nodes, ["http://y"]);
        assert_eq!(config.contexts["a"].keys, ["k"]);
        let after = home.config_text().unwrap();
        assert!(after.contains("# my ledgers") && after.contains("# last"), "{after}");
        assert!(after.find("contexts.z") < after.find("contexts.a"), "{after}");
    }

    #[test]
    fn contexts_are_made_used_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("new"));
        let nodes = |node: &str| ContextChange {
            nodes: Some(vec![node.to_owned()]),
            ..ContextChange::default()
        };
        assert_eq!(home.set_context("a", &nodes("http://a")).unwrap().current.unwrap(), "a");
        assert_eq!(home.set_context("b", &nodes("http://b")).unwrap().current.unwrap(), "a");
        assert_eq!(home.use_context("b").unwrap().current.unwrap(), "b");
        assert!(home.use_context("c").is_err());
        assert_eq!(home.remove_context("b").unwrap().current, None);
        assert!(home.config().unwrap().contexts.contains_key("a"));
    }

    #[test]
    fn inline_contexts_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        std::fs::write(home.config_path(), "contexts = { a = { keys = [\"k\"] } }\n").unwrap();
        let change = ContextChange {
            entries: vec![("account", "x".to_owned())],
            ..ContextChange::default()
        };
        let config = home.set_context("a", &change).unwrap();
        assert_eq!(config.contexts["a"].account.as_deref(), Some("x"));
    }

    #[test]
    fn a_change_that_would_break_the_file_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let change = ContextChange {
            entries: vec![("chain", "not hexadecimal".to_owned())],
            ..ContextChange::default()
        };
        assert!(home.set_context("a", &change).is_err());
        assert!(!home.config_path().exists());
    }
}
