//! Asking for what auditors compare and keep: stored ranges of units, and evidence.

use cets_api::ledger_client::LedgerClient;
use cets_api::operations_client::OperationsClient;
use cets_api::{ListEvidenceRequest, StreamUnitsRequest};
use cets_contracts::audit::{Accusation, HistoryRecord, SignedBytes};
use cets_contracts::block::EventRecord;
use cets_contracts::rules::UnitMovement;
use cets_contracts::state::{UnitPlace, UnitRange, keys, range_of_key};
use cets_contracts::types::{
    AccountId, Height, PublicKey, SerialRange, Signature, ValidatorAddress,
};

use super::Node;
use crate::error::CliError;

impl Node {
    /// All stored ranges of units at one height, of one holder when named; and that height: the
    /// newest, or one that the node keeps.
    pub fn stored_units(
        &self,
        account: Option<AccountId>,
        at: Option<Height>,
    ) -> Result<(Height, Vec<(SerialRange, UnitPlace)>), CliError> {
        let request = StreamUnitsRequest {
            account: account.map(|account| account.to_string()).unwrap_or_default(),
            height: at.map_or(0, Height::get),
        };
        let mut client =
            LedgerClient::new(self.channel()).max_decoding_message_size(super::ANSWER_BYTES_MAX);
        let mut stream = self.wait(client.stream_units(request))?;
        let mut height = None;
        let mut ranges = Vec::new();
        loop {
            let chunk = self
                .block_on(stream.message())
                .map_err(|status| super::status_failure(self.address(), &status))?;
            let Some(chunk) = chunk else { break };
            if height.is_some_and(|height| height != chunk.height) {
                return Err(self.nonsense("list of units"));
            }
            height = Some(chunk.height);
            let records: Vec<HistoryRecord> = self.decode("list of units", &chunk.records)?;
            for record in records {
                let range = unit_range(&record).ok_or_else(|| self.nonsense("range of units"))?;
                ranges.push(range);
            }
        }
        let height = height.ok_or_else(|| self.nonsense("list of units"))?;
        Ok((Height::new(height), ranges))
    }

    /// Every movement of units in the blocks after a height, up to another.
    pub fn movements(&self, after: Height, to: Height) -> Result<Vec<UnitMovement>, CliError> {
        let mut movements = Vec::new();
        if after >= to {
            return Ok(movements);
        }
        let mut stream = self.stream_blocks(after.next(), to)?;
        while let Some(block) = self.next_block(&mut stream)? {
            for events in block.events.iter().filter(|events| !events.is_empty()) {
                let events: EventRecord = self.decode("event record", events)?;
                movements.extend(events.effects.units);
            }
        }
        Ok(movements)
    }

    /// Evidence that the node keeps, as accusations that are not verified yet.
    pub fn evidence(&self) -> Result<Vec<Accusation>, CliError> {
        let mut client = OperationsClient::new(self.channel());
        let answer = self.wait(client.list_evidence(ListEvidenceRequest {}))?;
        let nonsense = || self.nonsense("piece of evidence");
        let statements = answer.evidence.into_iter().map(|piece| {
            let address = piece.validator.try_into().map_err(|_| nonsense())?;
            Ok(Accusation::Statements {
                validator: ValidatorAddress::new(address),
                first: signed(piece.first).ok_or_else(nonsense)?,
                second: signed(piece.second).ok_or_else(nonsense)?,
            })
        });
        let forks = answer.checkpoint_forks.into_iter().map(|fork| {
            let cosigner = fork.cosigner.try_into().map_err(|_| nonsense())?;
            Ok(Accusation::Checkpoints {
                cosigner: PublicKey::new(cosigner),
                first: signed(fork.first).ok_or_else(nonsense)?,
                second: signed(fork.second).ok_or_else(nonsense)?,
            })
        });
        statements.chain(forks).collect()
    }
}

fn signed(said: Option<cets_api::SignedStatement>) -> Option<SignedBytes> {
    let said = said?;
    let signature = said.signature.try_into().ok()?;
    Some(SignedBytes { message: said.message, signature: Signature::new(signature) })
}

/// The range and the place of a record of units.
pub fn unit_range(record: &HistoryRecord) -> Option<(SerialRange, UnitPlace)> {
    let UnitRange { end, place } = cets_contracts::codec::decode(&record.value).ok()?;
    let instrument = keys::instrument_of(&record.key)?;
    Some((range_of_key(instrument, &record.key, end).ok()?, place))
}
