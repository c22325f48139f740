//! Which orders may travel together.
//!
//! The ledger promises no order among transactions that wait at the same time. The replay
//! therefore sends them in phases and waits until a phase is final before it sends the next. A day
//! has the phase that advances the date and, as far as it has such steps: opening of accounts;
//! registration of projects; everything else; offsets and surrenders by entities that bought on
//! that day; withdrawals.

use std::collections::{BTreeMap, BTreeSet};

use super::institutions::Desks;
use super::orders::{Order, OrderBook};
use crate::demo::error::PlanError;
use crate::demo::plan::{Plan, Step};

/// Orders that may travel together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// The orders.
    pub orders: Vec<Order>,
    /// Whether each must be final before the next is sent: account numbers follow their order.
    pub in_sequence: bool,
}

/// All phases of a plan.
pub fn phases(plan: &Plan, desks: &Desks) -> Result<Vec<Phase>, PlanError> {
    let mut book = OrderBook::new(plan, desks);
    let mut phases: Vec<Phase> = Vec::new();
    for day in plan.days() {
        let buyers = buyers(day);
        let mut groups: BTreeMap<Group, Vec<Order>> = BTreeMap::new();
        for step in day {
            let orders = book.orders(step)?;
            groups.entry(group(step, &buyers)).or_default().extend(orders);
        }
        phases.extend(
            groups
                .into_iter()
                .map(|(group, orders)| Phase { orders, in_sequence: group == Group::Accounts }),
        );
    }
    Ok(phases)
}

/// Parts of a day, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Date,
    Accounts,
    Projects,
    Market,
    AfterMarket,
    Withdrawals,
}

fn group(step: &Step, buyers: &BTreeSet<usize>) -> Group {
    match step {
        Step::AdvanceDate(_) => Group::Date,
        Step::OpenAccounts(_) | Step::OpenProvinces(_) | Step::OpenOwners(_) => Group::Accounts,
        Step::RegisterProjects(_) => Group::Projects,
        Step::RecordEmissions { .. }
        | Step::Issue { .. }
        | Step::IssueReductions(_)
        | Step::TransferReductions { .. }
        | Step::Deposit(_)
        | Step::Settle { .. } => Group::Market,
        Step::Offset { entity, .. } | Step::Surrender { entity, .. } => {
            if buyers.contains(entity) {
                Group::AfterMarket
            } else {
                Group::Market
            }
        }
        Step::Withdraw(_) => Group::Withdrawals,
    }
}

/// Entities that buy on a day.
fn buyers(day: &[Step]) -> BTreeSet<usize> {
    let trades = day.iter().filter_map(|step| match step {
        Step::Settle { trades, .. } => Some(trades),
        _ => None,
    });
    trades.flatten().map(|trade| trade.buyer).collect()
}
