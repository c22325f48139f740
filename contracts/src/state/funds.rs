//! Moving money: the only code that writes funds of accounts.

use super::Overlay;
use crate::rules::{Abort, common};
use crate::types::{AccountId, Fen};

impl Overlay<'_> {
    /// Adds confirmed money to an account.
    pub fn deposit(&mut self, to: AccountId, amount: Fen) -> Result<(), Abort> {
        self.change_account(to, |account| {
            account.funds.free = account.funds.free.try_add(amount)?;
            Ok(())
        })?;
        self.effects_mut().moved_funds(None, Some(to), amount);
        Ok(())
    }

    /// Takes free money out of an account.
    pub fn withdraw(&mut self, from: AccountId, amount: Fen) -> Result<(), Abort> {
        self.take_free(from, amount)?;
        self.effects_mut().moved_funds(Some(from), None, amount);
        Ok(())
    }

    /// Pays from one account to another.
    pub fn pay(&mut self, from: AccountId, to: AccountId, amount: Fen) -> Result<(), Abort> {
        self.take_free(from, amount)?;
        self.change_account(to, |account| {
            account.funds.free = account.funds.free.try_add(amount)?;
            Ok(())
        })?;
        self.effects_mut().moved_funds(Some(from), Some(to), amount);
        Ok(())
    }

    fn take_free(&mut self, from: AccountId, amount: Fen) -> Result<(), Abort> {
        self.change_account(from, |account| {
            let free = account.funds.free;
            account.funds.free = free.try_sub(amount).map_err(|_| {
                common::FUNDS_INSUFFICIENT.reject(vec![from.into(), free.into(), amount.into()])
            })?;
            Ok(())
        })
    }
}
