//! What a rule is, who may call it, what it sees and what it leaves behind.

use serde::{Deserialize, Serialize};

use super::{Abort, Reject, RejectCode};
use crate::state::{Overlay, Table, UnitPlace};
use crate::types::{
    AccountId, BlockTime, ChainId, Fen, Height, OperationClass, PublicKey, Role, SerialRange, TxId,
};

/// Who may call a rule. The executor enforces it before the rule runs.
#[derive(Clone, Copy, Debug)]
pub struct Authority {
    /// Roles whose accounts may call it.
    pub roles: &'static [Role],
    /// Which of the account's thresholds counts.
    pub class: OperationClass,
    /// Fewest people, whatever the account's thresholds say.
    pub people_min: u8,
    /// Whose signatures count.
    pub signing: Signing,
}

/// Whose signatures a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// One who may initiate, and as many people as the rule and the account's threshold ask for.
    Quorum,
    /// One who may initiate; the account's threshold counts later, when others approve.
    Initiator,
    /// People who may approve; the account's threshold counts for the order they approve.
    Approver,
    /// Anyone who may initiate or approve.
    Representative,
}

impl Authority {
    /// An authority under the account's threshold for a class of operations.
    pub const fn quorum(roles: &'static [Role], class: OperationClass, people_min: u8) -> Self {
        Self { roles, class, people_min, signing: Signing::Quorum }
    }

    /// An authority of every role for a step in collecting signatures.
    pub const fn collecting(signing: Signing) -> Self {
        Self { roles: Role::ALL, class: OperationClass::Operation, people_min: 1, signing }
    }
}

/// All that a rule sees of its transaction.
#[derive(Clone, Debug)]
pub struct TxContext {
    /// The ledger.
    pub chain_id: ChainId,
    /// Height of the block.
    pub height: Height,
    /// Block time.
    pub block_time: BlockTime,
    /// The transaction.
    pub tx_id: TxId,
    /// Account that acts.
    pub account: AccountId,
    /// Keys that signed, verified; each once.
    pub signers: Vec<PublicKey>,
}

/// A transaction type: one deterministic step of the ledger.
pub trait Rule: Sized {
    /// What happened, for events and receipts.
    type Event: Into<super::Event>;
    /// Stable verb in snake case.
    const NAME: &'static str;
    /// Who may call it.
    const AUTHORITY: Authority;
    /// Tables it may write; the overlay enforces it.
    const WRITES: &'static [Table];
    /// Codes that this rule alone raises.
    const REJECTS: &'static [&'static RejectCode];

    /// Checks shape and limits; sees the transaction only.
    fn check(&self, tx: &TxContext) -> Result<(), Reject>;

    /// Checks everything against state, then writes.
    fn apply(&self, tx: &TxContext, state: &mut Overlay<'_>) -> Result<Self::Event, Abort>;

    /// A well-formed order: documentation, help, vectors and fuzz seeds.
    fn example() -> Self;
}

/// Units that moved: from nowhere when issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitMovement {
    /// The units.
    pub range: SerialRange,
    /// Where they were.
    pub from: Option<UnitPlace>,
    /// Where they are.
    pub to: UnitPlace,
}

/// Money that moved: from or to a bank when a side is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundMovement {
    /// Who paid.
    pub from: Option<AccountId>,
    /// Who received.
    pub to: Option<AccountId>,
    /// How much.
    pub amount: Fen,
}

/// Everything that moved within a transaction, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Units.
    pub units: Vec<UnitMovement>,
    /// Money.
    pub funds: Vec<FundMovement>,
}

impl Effects {
    pub(crate) fn moved_units(
        &mut self,
        range: SerialRange,
        from: Option<UnitPlace>,
        to: UnitPlace,
    ) {
        self.units.push(UnitMovement { range, from, to });
    }

    pub(crate) fn moved_funds(
        &mut self,
        from: Option<AccountId>,
        to: Option<AccountId>,
        amount: Fen,
    ) {
        self.funds.push(FundMovement { from, to, amount });
    }

    pub(crate) fn append(&mut self, mut later: Self) {
        self.units.append(&mut later.units);
        self.funds.append(&mut later.funds);
    }
}
