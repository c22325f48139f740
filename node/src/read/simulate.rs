//! Trial runs: a transaction on the newest state, dropped afterwards.

use cets_contracts::Fault;
use cets_contracts::block::{BlockError, BlockExecutor, PushError};
use cets_contracts::codec;
use cets_contracts::tx::{
    EnvelopeError, SignedTransaction, Transaction, TxBody, VerifiedTransaction,
};
use cets_contracts::types::{BlockTime, Height, ValidatorAddress};

use super::Reader;

/// What is to be tried.
#[derive(Clone, Debug)]
pub enum Simulation {
    /// A signed transaction; its signatures are verified.
    Signed(Vec<u8>),
    /// Canonical bytes of a body, as if its signers had signed it.
    Unsigned(Vec<u8>),
}

/// What would have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// Canonical bytes of the receipt.
    pub receipt: Vec<u8>,
    /// Canonical bytes of the event record; empty when refused.
    pub events: Vec<u8>,
    /// Height of the state it ran on.
    pub height: Height,
}

/// Why a trial run gives no receipt.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SimulationError {
    /// The transaction may not stand in a block.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// This node is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Reader {
    /// Executes a transaction on the newest state without ordering it, as of a clock time.
    pub fn simulate(
        &self,
        simulation: Simulation,
        now: BlockTime,
    ) -> Result<Simulated, SimulationError> {
        let transaction = match simulation {
            Simulation::Signed(bytes) => VerifiedTransaction::verify(Transaction::decode(bytes)?)?,
            Simulation::Unsigned(body) => assume_signed(&body)?,
        };
        let committed = self.state().read();
        let state = &committed.state;
        let time = now.max(state.tip.time.saturating_add_millis(1));
        let nobody = ValidatorAddress::new([0; ValidatorAddress::LEN]);
        let mut executor = BlockExecutor::new(state, time, nobody).map_err(block_fault)?;
        let outcome = executor.push(&transaction).map_err(|error| match error {
            PushError::Envelope(error) => SimulationError::Envelope(error),
            PushError::Fault(fault) => SimulationError::Fault(fault),
        })?;
        Ok(Simulated {
            receipt: codec::encode(&outcome.receipt),
            events: outcome.events.as_ref().map(codec::encode).unwrap_or_default(),
            height: state.tip.height,
        })
    }
}

fn assume_signed(body: &[u8]) -> Result<VerifiedTransaction, EnvelopeError> {
    let body: TxBody = codec::decode(body)?;
    let bytes = SignedTransaction::unsigned(body).encode();
    Transaction::decode(bytes).map(VerifiedTransaction::assume_verified)
}

fn block_fault(error: BlockError) -> SimulationError {
    match error {
        BlockError::Fault(fault) => fault.into(),
        BlockError::Envelope { error, .. } => error.into(),
        other => Fault::Inconsistent { what: other.to_string() }.into(),
    }
}
