//! Accounts of the committed state that are kept decoded.

use std::sync::Arc;

use super::numbered::Numbered;
use super::{Account, Key};

/// Accounts kept at most; further ones are decoded at each use.
const KNOWN_MAX: usize = 32_768;

/// Accounts that blocks changed, as they stand in the state: most orders of a day come from those
/// that ordered before, and every order reads its account in every node, at admission and in the
/// block.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownAccounts {
    by_key: Numbered<Arc<Account>>,
}

impl KnownAccounts {
    /// The account of a key, if it is kept.
    pub fn get(&self, key: &Key) -> Option<&Arc<Account>> {
        self.by_key.get(key)
    }

    /// Keeps an account as it was written, while there is room.
    pub fn know(&mut self, key: Key, account: Arc<Account>) {
        if self.by_key.len() < KNOWN_MAX {
            self.by_key.insert(&key, account);
        }
    }

    /// Keeps the record of a key no more: it is changed or deleted.
    pub fn forget(&mut self, key: &Key) {
        if key.prefix() == super::Table::Accounts.prefix() {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
impl super::State {
    /// Panics when an account that is kept is not the one that is stored.
    pub(crate) fn check_known_accounts(&self) {
        use super::Table;
        for (key, record) in self.records() {
            if Table::of(&key) == Some(Table::Accounts)
                && let Some(known) = self.known_account(&key)
            {
                assert_eq!(*crate::codec::encode(&**known), *record.value, "{key:?}");
            }
        }
        assert!(self.known_accounts().all(|key| self.stored(&key).is_some()), "one is deleted");
    }

    /// Keys of the accounts that are kept.
    pub(crate) fn known_accounts(&self) -> impl Iterator<Item = Key> {
        self.accounts.by_key.iter().map(|(key, _)| key)
    }
}
