//! Confirms deposits and withdrawals of money.
//!
//! # Purpose
//! Money of market participants lies in dedicated accounts at the settlement institution
//! (Settlement rules (Trial) art. 5). The ledger counts it in fen: it comes in and goes out only
//! by this order, each movement with the bank's reference, used once.
//!
//! # Who signs
//! The settlement institution, two people at least.
//!
//! # Checks in order
//! 1. One to [`FUND_LINES_MAX`] lines, none of zero fen, no reference twice.
//! 2. No reference was confirmed before.
//! 3. The account is a holder's; it exists and is not closed, for withdrawals it is open.
//! 4. Withdrawals are covered by free money, in the order of the lines.
//!
//! # Writes
//! Accounts, fund orders. All lines or none.
//!
//! # Event
//! Sums of deposits and of withdrawals.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::rules::{Abort, Authority, Reject, RejectCode, Rule, TxContext, common};
use crate::state::{FundOrder, Overlay, Table, keys};
use crate::types::{AccountId, Digest, Fen, OperationClass, Role};

/// Most lines of one order.
pub const FUND_LINES_MAX: usize = 1_000;

/// Whether money comes in or goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FundDirection {
    /// From the bank to the ledger.
    Deposit,
    /// From the ledger to the bank.
    Withdrawal,
}

/// One confirmed movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundLine {
    /// Whose money.
    pub account: AccountId,
    /// In or out.
    pub direction: FundDirection,
    /// How much.
    pub amount: Fen,
    /// Digest of the bank's reference.
    pub reference: Digest,
}

/// Order: record confirmed movements of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmFunds {
    /// The movements.
    pub lines: Vec<FundLine>,
}

/// Movements of money were confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundsConfirmed {
    /// Sum of the deposits.
    pub deposited: Fen,
    /// Sum of the withdrawals.
    pub withdrawn: Fen,
}

crate::reject_codes! { REJECTS:
    4001 FUND_REFERENCE_USED "Settlement rules (Trial) art. 5" [reference]
        en "The bank reference {reference} was confirmed before or stands twice."
        zh "银行凭证 {reference} 已确认过或重复出现。"
        hint "Confirm each movement once; compare with the bank statement."
        hint_zh "每笔资金只能确认一次，请与银行对账单核对。";
    4002 ACCOUNT_HOLDS_NO_MONEY "Settlement rules (Trial) art. 5" [account]
        en "Account {account} has no money on the ledger."
        zh "账户 {account} 不设资金。"
        hint "Only entities, project owners, traders and the government account hold money."
        hint_zh "仅重点排放单位、项目业主、其他交易主体和政府账户设有资金。";
}

impl Rule for ConfirmFunds {
    type Event = FundsConfirmed;
    const NAME: &'static str = "confirm_funds";
    const AUTHORITY: Authority =
        Authority::quorum(&[Role::Settlement], OperationClass::Operation, 2);
    const WRITES: &'static [Table] = &[Table::Accounts, Table::FundOrders];
    const REJECTS: &'static [&'static RejectCode] = REJECTS;

    fn check(&self, _tx: &TxContext) -> Result<(), Reject> {
        common::check_lines(self.lines.len(), FUND_LINES_MAX)?;
        let mut references = BTreeSet::new();
        for line in &self.lines {
            common::check_amount(line.amount)?;
            if !references.insert(line.reference) {
                return Err(FUND_REFERENCE_USED.reject(vec![line.reference.into()]));
            }
        }
        Ok(())
    }

    fn apply(&self, _tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort> {
        for line in &self.lines {
            if state.contains(&keys::fund_order(&line.reference)) {
                return Err(FUND_REFERENCE_USED.reject(vec![line.reference.into()]).into());
            }
        }
        for line in &self.lines {
            if !common::HOLDER_ROLES.contains(&line.account.role()) {
                return Err(ACCOUNT_HOLDS_NO_MONEY.reject(vec![line.account.into()]).into());
            }
            match line.direction {
                FundDirection::Deposit => common::living_account(state, line.account)?,
                FundDirection::Withdrawal => common::open_account(state, line.account)?,
            };
        }

        let mut event = FundsConfirmed { deposited: Fen::ZERO, withdrawn: Fen::ZERO };
        for line in &self.lines {
            let FundLine { account, amount, .. } = *line;
            let deposit = line.direction == FundDirection::Deposit;
            if deposit {
                state.deposit(account, amount)?;
                event.deposited = event.deposited.try_add(amount)?;
            } else {
                state.withdraw(account, amount)?;
                event.withdrawn = event.withdrawn.try_add(amount)?;
            }
            let order = FundOrder { account, amount, deposit };
            state.put(keys::fund_order(&line.reference), &order)?;
        }

        Ok(event)
    }

    fn example() -> Self {
        Self {
            lines: vec![FundLine {
                account: crate::rules::example_account(Role::KeyEmittingEntity, 1),
                direction: FundDirection::Deposit,
                amount: Fen::new(100_000_000),
                reference: Digest::new([3; 32]),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{Market, digest, entity, first};

    fn line(account: AccountId, direction: FundDirection, fen: u64, reference: u64) -> FundLine {
        FundLine { account, direction, amount: Fen::new(fen), reference: digest(reference) }
    }

    fn deposit(account: AccountId, fen: u64, reference: u64) -> FundLine {
        line(account, FundDirection::Deposit, fen, reference)
    }

    fn withdrawal(account: AccountId, fen: u64, reference: u64) -> FundLine {
        line(account, FundDirection::Withdrawal, fen, reference)
    }

    fn confirm(lines: &[FundLine]) -> ConfirmFunds {
        ConfirmFunds { lines: lines.to_vec() }
    }

    fn bank() -> AccountId {
        first(Role::Settlement)
    }

    #[test]
    fn money_comes_in_and_goes_out() {
        let mut market = Market::new();
        let lines =
            [deposit(entity(1), 500, 1), deposit(entity(2), 7, 2), withdrawal(entity(1), 200, 3)];
        let event = market.accept(bank(), confirm(&lines));
        let (deposited, withdrawn) = (Fen::new(507), Fen::new(200));
        assert_eq!(event, FundsConfirmed { deposited, withdrawn }.into());
        assert_eq!((market.money(entity(1)), market.money(entity(2))), (300, 7));
    }

    #[test]
    fn an_order_has_lines_of_at_least_a_fen() {
        let mut market = Market::new();
        assert_eq!(market.refusal(bank(), confirm(&[])), "LINES_COUNT");
        let many: Vec<_> = (0..1_001).map(|number| deposit(entity(1), 1, number)).collect();
        assert_eq!(market.refusal(bank(), confirm(&many)), "LINES_COUNT");
        market.accept(bank(), confirm(&many[1..]));
        let nothing = confirm(&[deposit(entity(1), 0, 9_999)]);
        assert_eq!(market.refusal(bank(), nothing), "QUANTITY_ZERO");
    }

    #[test]
    fn a_bank_reference_counts_once() {
        let mut market = Market::new();
        let twice = confirm(&[deposit(entity(1), 1, 1), deposit(entity(2), 1, 1)]);
        assert_eq!(market.refusal(bank(), twice), "FUND_REFERENCE_USED");
        market.accept(bank(), confirm(&[deposit(entity(1), 1, 1)]));
        let again = confirm(&[deposit(entity(2), 1, 2), withdrawal(entity(1), 1, 1)]);
        assert_eq!(market.refusal(bank(), again), "FUND_REFERENCE_USED");
    }

    #[test]
    fn only_holders_have_money() {
        let mut market = Market::new();
        let order = confirm(&[deposit(first(Role::Exchange), 1, 1)]);
        assert_eq!(market.refusal(bank(), order), "ACCOUNT_HOLDS_NO_MONEY");
        let order = confirm(&[deposit(entity(99), 1, 1)]);
        assert_eq!(market.refusal(bank(), order), "ACCOUNT_UNKNOWN");
    }

    #[test]
    fn a_frozen_account_receives_and_pays_nothing_out() {
        use crate::rules::enforcement::freeze::Freeze;
        let mut market = Market::new();
        let freeze = Freeze { account: entity(1), units: None, order: digest(9) };
        market.accept(first(Role::Registry), freeze);
        market.accept(bank(), confirm(&[deposit(entity(1), 5, 1)]));
        let order = confirm(&[withdrawal(entity(1), 5, 2)]);
        assert_eq!(market.refusal(bank(), order), "ACCOUNT_NOT_OPEN");
    }

    #[test]
    fn only_free_money_goes_out_and_all_lines_or_none_count() {
        let mut market = Market::new();
        let order = confirm(&[deposit(entity(1), 5, 1), withdrawal(entity(1), 6, 2)]);
        assert_eq!(market.refusal(bank(), order), "FUNDS_INSUFFICIENT");
        assert_eq!(market.money(entity(1)), 0);
        let huge = confirm(&[deposit(entity(1), u64::MAX, 1), deposit(entity(1), 1, 2)]);
        assert_eq!(market.refusal(bank(), huge), "AMOUNT_TOO_LARGE");
    }

    #[test]
    fn nobody_else_confirms_money_and_never_one_person_alone() {
        let mut market = Market::new();
        let order = confirm(&[deposit(entity(1), 5, 1)]);
        assert_eq!(market.refusal(first(Role::Registry), order.clone()), "ROLE_NOT_ALLOWED");
        assert_eq!(market.refusal_by(bank(), &[1], order), "SIGNATURES_INSUFFICIENT");
    }
}
