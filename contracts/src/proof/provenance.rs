//! The life of one unit: its hops since the issue, and that the last is the newest.

use serde::{Deserialize, Serialize};

use super::receipt::verify_entry;
use super::{
    Anchor, ProofError, ProvenanceProblem, ReceiptInclusion, RecordInclusion, ValidatorHistory,
    VerifiedReceipt,
};
use crate::block::{Header, LogEntry};
use crate::log::LogProof;
use crate::rules::UnitMovement;
use crate::state::UnitPlace;
use crate::types::{BlockTime, Height, LogIndex, Serial, SerialRange};

/// Most hops in one proof.
pub const PROVENANCE_HOPS_MAX: usize = 4_096;

/// One transaction that moved the unit, and the header of its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenanceHop {
    /// The transaction with its receipt and its event record.
    pub receipt: ReceiptInclusion,
    /// Header entry of its block, for the time; none when the block is that of the anchor.
    pub block: Option<BlockInclusion>,
}

/// A header entry and its path to the log root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockInclusion {
    /// Canonical bytes of the log entry.
    pub entry: Vec<u8>,
    /// Path to the log root.
    pub log: LogProof,
}

/// The hops of one unit since its issue, without a gap, each in the log, and the record that holds
/// it now.
///
/// A round trip that ended in the very place and status where it began may be left out without
/// being missed; the audit from genesis shows that none was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenanceProof {
    /// The unit.
    pub serial: Serial,
    /// The hops in the order of the log.
    pub hops: Vec<ProvenanceHop>,
    /// Record of the range that holds the unit.
    pub last: RecordInclusion,
    /// Header and certificate of the block that the proof speaks of.
    pub anchor: Anchor,
}

/// A hop that a proof showed.
#[derive(Clone, Debug)]
pub struct VerifiedHop {
    /// The transaction and its receipt.
    pub receipt: VerifiedReceipt,
    /// Time of its block.
    pub time: BlockTime,
    /// Movements of the unit within the transaction, in order; at least one.
    pub movements: Vec<UnitMovement>,
}

/// The life of a unit that a proof showed.
#[derive(Clone, Debug)]
pub struct VerifiedProvenance {
    /// The hops.
    pub hops: Vec<VerifiedHop>,
    /// Where the unit is.
    pub place: UnitPlace,
    /// Range of the record that holds it.
    pub range: SerialRange,
}

impl ProvenanceProof {
    /// Checks the anchor, every hop, that hops join without a gap, and that the unit is in the
    /// state where the last hop left it.
    ///
    /// # Errors
    /// [`ProofError`] of the anchor, the entry or the record; [`ProofError::Provenance`] with the
    /// number of the hop; [`ProofError::ProvenanceEnd`].
    pub fn verify(&self, validators: &ValidatorHistory) -> Result<VerifiedProvenance, ProofError> {
        self.anchor.verify(validators)?;
        let header = &self.anchor.header;
        let (found, max) = (self.hops.len(), PROVENANCE_HOPS_MAX);
        if found == 0 || found > max {
            return Err(ProofError::Count { found, max });
        }
        let mut hops: Vec<VerifiedHop> = Vec::with_capacity(found);
        let mut place = None;
        for (number, hop) in self.hops.iter().enumerate() {
            let previous = hops.last().map(|hop| hop.receipt.index);
            let verified = self.verify_hop(number, hop, header, previous, &mut place)?;
            hops.push(verified);
        }
        let (range, now) = self.last.verify(header)?.unit_range()?;
        if !range.contains(&self.serial) {
            let unit = self.serial;
            let range = SerialRange::inclusive(unit.instrument, unit.number, unit.number);
            return Err(range.map_or(ProofError::Count { found, max }, |range| {
                ProofError::RangeNotCovered { range }
            }));
        }
        if place != Some(now) {
            let index = hops.last().map_or(0, |hop| hop.receipt.index);
            return Err(ProofError::ProvenanceEnd { index, height: header.height });
        }
        Ok(VerifiedProvenance { hops, place: now, range })
    }

    fn verify_hop(
        &self,
        number: usize,
        hop: &ProvenanceHop,
        header: &Header,
        previous: Option<LogIndex>,
        place: &mut Option<UnitPlace>,
    ) -> Result<VerifiedHop, ProofError> {
        let index = hop.receipt.log.index;
        let problem = |problem| ProofError::Provenance { hop: number, index, problem };
        let (receipt, time) = hop.verify(number, header, previous)?;
        if !receipt.receipt.outcome.is_accepted() {
            return Err(problem(ProvenanceProblem::Refused));
        }
        let events = receipt.events.as_ref().ok_or_else(|| problem(ProvenanceProblem::NoEvents))?;
        let moved = events.effects.units.iter().filter(|moved| moved.range.contains(&self.serial));
        let movements: Vec<UnitMovement> = moved.cloned().collect();
        if movements.is_empty() {
            return Err(problem(ProvenanceProblem::NotMoved));
        }
        for movement in &movements {
            if movement.from != *place {
                let issue = place.is_none() || movement.from.is_none();
                let wrong = if issue { ProvenanceProblem::Issue } else { ProvenanceProblem::Gap };
                return Err(problem(wrong));
            }
            *place = Some(movement.to);
        }
        Ok(VerifiedHop { receipt, time, movements })
    }
}

impl ProvenanceHop {
    /// Checks the transaction and the header of its block; gives the time of the block.
    ///
    /// `number` is its place in the proof, for errors; `previous` the log index of the one before.
    pub(super) fn verify(
        &self,
        number: usize,
        header: &Header,
        previous: Option<LogIndex>,
    ) -> Result<(VerifiedReceipt, BlockTime), ProofError> {
        let index = self.receipt.log.index;
        let problem = |problem| ProofError::Provenance { hop: number, index, problem };
        if previous.is_some_and(|previous| index <= previous) {
            return Err(problem(ProvenanceProblem::NotLater));
        }
        let receipt = self.receipt.verify(header)?;
        let height = receipt.receipt.height;
        let time = match &self.block {
            None if height == header.height => header.time,
            None => return Err(problem(ProvenanceProblem::NoBlock)),
            Some(block) => block
                .verify(header, height, index)?
                .ok_or_else(|| problem(ProvenanceProblem::OtherBlock))?,
        };
        Ok((receipt, time))
    }
}

impl BlockInclusion {
    /// Time of the block; none when the entry is not the header of `height` after entry `index`.
    fn verify(
        &self,
        header: &Header,
        height: Height,
        index: LogIndex,
    ) -> Result<Option<BlockTime>, ProofError> {
        let own = self.log.index;
        let LogEntry::Header(block) = verify_entry(&self.entry, &self.log, header)? else {
            return Err(ProofError::EntryKind { index: own, expected: "header" });
        };
        let belongs = block.height == height && index < own && block.log_size == own;
        Ok(belongs.then_some(block.time))
    }
}
