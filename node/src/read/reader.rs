//! Reads of the newest state and of history.

use std::sync::Arc;

use cets_consensus::Evidence;
use cets_contracts::Fault;
use cets_contracts::block::{Certificate, EventRecord, Header, LogEntry, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::log::{ConsistencyProof, Tile};
use cets_contracts::state::{Account, Key, KeyParts, RangeEnd, StatusKind, Table, keys};
use cets_contracts::types::{AccountId, Height, Instrument, LogIndex, Serial, SerialRange, TxId};

use super::prove::Kept;
use super::{
    At, BlockBytes, CertifiedHeader, FinalTransaction, HeldRange, LogReadError, LoggedOutcome,
    OutcomePage, PAGE_RECORDS_DEFAULT, PAGE_RECORDS_MAX, Page, ProvenEntry, RawRecord, ReadError,
    SerialHistory, SharedState, TipSummary,
};
use crate::store::{
    BlockPosition, CheckpointFork, KeptStates, MovementId, Store, StoreError, decode_entry,
};

/// Ranges looked at for one page of holdings.
pub const HOLDINGS_SCANNED_MAX: usize = 5_000;

/// Answers reads; cheap to clone. Methods block for microseconds to a few milliseconds.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Store,
    state: SharedState,
    kept: Arc<Kept>,
}

impl Reader {
    /// A reader of a store and its newest state.
    pub fn new(store: Store, state: SharedState) -> Self {
        let kept = Arc::new(Kept::new(KeptStates::beside(store.folder())));
        Self { store, state, kept }
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) const fn state(&self) -> &SharedState {
        &self.state
    }

    /// The newest committed block in short.
    pub fn tip(&self) -> Result<TipSummary, ReadError> {
        Ok(self.state.read().summary()?)
    }

    /// Header and certificate of the newest block; none before the first.
    pub fn newest(&self) -> Option<(Header, Certificate)> {
        self.state.read().newest.clone()
    }

    /// A record of the newest state.
    pub fn record(&self, key: &Key) -> At<Option<RawRecord>> {
        let committed = self.state.read();
        let answer = committed
            .state
            .stored(key)
            .map(|stored| RawRecord { key: key.as_bytes().to_vec(), value: stored.value.to_vec() });
        At { height: committed.state.tip.height, answer }
    }

    /// An account of the newest state, decoded.
    pub fn account(&self, id: AccountId) -> Result<At<Option<Account>>, ReadError> {
        let committed = self.state.read();
        let answer = committed.state.view().account(id)?.map(Arc::unwrap_or_clone);
        Ok(At { height: committed.state.tip.height, answer })
    }

    /// Records whose key starts with a prefix, after a key, at most `limit` (0 for
    /// [`PAGE_RECORDS_DEFAULT`], never more than [`PAGE_RECORDS_MAX`]).
    pub fn list(&self, prefix: &Key, after: Option<&[u8]>, limit: usize) -> At<Page<RawRecord>> {
        let limit = page_limit(limit);
        let committed = self.state.read();
        let mut items: Vec<RawRecord> = Vec::new();
        let mut next = None;
        for (key, stored) in committed.state.records_of(prefix, after) {
            if items.len() >= limit {
                next = items.last().map(|record| record.key.clone());
                break;
            }
            items.push(RawRecord { key: key.to_vec(), value: stored.value.to_vec() });
        }
        At { height: committed.state.tip.height, answer: Page { items, next } }
    }

    /// Records under each of some prefixes, all of one state; of each at most
    /// [`PAGE_RECORDS_DEFAULT`].
    pub fn lists(&self, prefixes: &[Key]) -> At<Vec<Vec<RawRecord>>> {
        let committed = self.state.read();
        let lists = prefixes.iter().map(|prefix| {
            let records = committed.state.records_of(prefix, None).take(PAGE_RECORDS_DEFAULT);
            let raw = records
                .map(|(key, stored)| RawRecord { key: key.to_vec(), value: stored.value.to_vec() });
            raw.collect()
        });
        At { answer: lists.collect(), height: committed.state.tip.height }
    }

    /// Ranges of units of a holder, by status, then instrument and serial.
    ///
    /// A page looks at [`HOLDINGS_SCANNED_MAX`] ranges at most, under one lock of the state: it may
    /// hold fewer than asked for and still lead on.
    pub fn holdings(
        &self,
        account: AccountId,
        instrument: Option<Instrument>,
        include_ended: bool,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<At<Page<HeldRange>>, ReadError> {
        let limit = page_limit(limit);
        let committed = self.state.read();
        let view = committed.state.view();
        let prefix = keys::units_of_holder(account);
        let mut items: Vec<HeldRange> = Vec::new();
        let (mut next, mut last) = (None, None);
        for (scanned, (key, stored)) in committed.state.records_of(&prefix, after).enumerate() {
            if items.len() >= limit || scanned >= HOLDINGS_SCANNED_MAX {
                next = last;
                break;
            }
            last = Some(key.to_vec());
            let (kind, range) = held_range(&key, &stored.value)?;
            let wanted = instrument.is_none_or(|only| only == range.instrument());
            if !wanted || !(include_ended || kind.is_held()) {
                continue;
            }
            let (_, place) = view
                .range_at(&range.instrument(), range.start())?
                .ok_or_else(|| lost_range(range))?;
            items.push(HeldRange { range, place });
        }
        Ok(At { height: committed.state.tip.height, answer: Page { items, next } })
    }

    /// Where a unit is and the movements of its life, at most `limit` (as in [`Self::list`]): the
    /// newest, or those up to a movement where a newer page said that it goes on. None when the
    /// unit was never issued, or never moved by that movement.
    pub fn serial(
        &self,
        serial: Serial,
        newest: Option<MovementId>,
        limit: usize,
    ) -> Result<At<Option<SerialHistory>>, ReadError> {
        let (height, found, log_size) = {
            let committed = self.state.read();
            let found = committed.state.view().range_at(&serial.instrument, serial.number)?;
            (committed.state.tip.height, found, committed.state.log.size())
        };
        let Some((range, place)) = found else { return Ok(At { height, answer: None }) };
        if let Some(id) = newest
            && !(id.log_index < log_size && self.is_movement_of(&serial, id)?)
        {
            return Ok(At { height, answer: None });
        }
        let mut hops = Vec::new();
        let (movements, older) = self.store.movements_of(&serial, newest, page_limit(limit))?;
        for id in movements.into_iter().rev() {
            // A block may have been committed since; its movements are not of this height.
            if id.log_index < log_size {
                self.hops_of(id.log_index, &[id.position], &mut hops)?;
            }
        }
        let holding = HeldRange { range, place };
        Ok(At { height, answer: Some(SerialHistory { holding, hops, older }) })
    }

    /// Whether a movement, which a caller may have made up, moved a unit.
    fn is_movement_of(&self, serial: &Serial, id: MovementId) -> Result<bool, ReadError> {
        let Some(outcome) = self.store.outcome(id.log_index)? else { return Ok(false) };
        if outcome.events.is_empty() {
            return Ok(false);
        }
        let record: EventRecord =
            codec::decode(&outcome.events).map_err(|error| StoreError::Damaged {
                table: "outcomes",
                key: id.log_index.to_string(),
                reason: error.to_string(),
            })?;
        let position = usize::try_from(id.position).unwrap_or(usize::MAX);
        let movement = record.effects.units.get(position);
        Ok(movement.is_some_and(|movement| movement.range.contains(serial)))
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn block_position(&self, index: LogIndex) -> Result<BlockPosition, StoreError> {
        self.store.position_of(index)?.ok_or_else(|| StoreError::Damaged {
            table: "block_starts",
            key: index.to_string(),
            reason: "no block holds this entry".to_owned(),
        })
    }

    /// A committed header with its certificate; none above the tip.
    pub fn header(&self, height: Height) -> Result<Option<CertifiedHeader>, ReadError> {
        let Some(position) = self.store.position(height)? else { return Ok(None) };
        let Some(certificate) = self.store.certificate(height)? else { return Ok(None) };
        let BlockPosition { header, first_log_index } = position;
        Ok(Some(CertifiedHeader { header, certificate, first_log_index }))
    }

    /// A committed block; none above the tip.
    pub fn block(&self, height: Height) -> Result<Option<BlockBytes>, ReadError> {
        let Some(stored) = self.store.block(height)? else { return Ok(None) };
        Ok(Some(BlockBytes {
            height,
            block: stored.block.encode(),
            certificate: codec::encode(&stored.certificate),
            receipts: stored.receipts.iter().map(codec::encode).collect(),
            events: stored.events,
            first_log_index: stored.first_log_index,
        }))
    }

    /// The final answer to a transaction; none when it was never ordered.
    pub fn transaction(&self, id: &TxId) -> Result<Option<FinalTransaction>, ReadError> {
        let Some(log_index) = self.store.transaction_index(id)? else { return Ok(None) };
        self.transaction_at(log_index).map(Some)
    }

    fn transaction_at(&self, log_index: LogIndex) -> Result<FinalTransaction, ReadError> {
        let damaged = |table: &'static str| StoreError::Damaged {
            table,
            key: log_index.to_string(),
            reason: "an ordered transaction has lost it".to_owned(),
        };
        let position = self.block_position(log_index)?;
        let entry = self.store.entry(log_index)?.ok_or_else(|| damaged("entries"))?;
        let outcome = self.store.outcome(log_index)?.ok_or_else(|| damaged("outcomes"))?;
        Ok(FinalTransaction {
            entry,
            log_index,
            events: outcome.events,
            height: position.header.height,
            block_time: position.header.time,
        })
    }

    /// Final answers to the transactions that touch an account, from a log index on.
    pub fn transactions_of(
        &self,
        account: AccountId,
        from: LogIndex,
        limit: usize,
    ) -> Result<Vec<FinalTransaction>, ReadError> {
        let log_size = self.state.read().state.log.size();
        let mut indexes = self.store.account_history(account, from, page_limit(limit))?;
        indexes.retain(|index| *index < log_size);
        indexes.into_iter().map(|index| self.transaction_at(index)).collect()
    }

    /// Canonical bytes of the validators of the height after this one, when this block changed
    /// them.
    pub fn validators_announced(&self, height: Height) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.store.validators_from(height.next())?)
    }

    /// Evidence of conflicting signatures, by height.
    pub fn evidence(&self) -> Result<Vec<Evidence>, ReadError> {
        Ok(self.store.evidence()?)
    }

    /// Cosignatures of validators that contradict each other.
    pub fn checkpoint_forks(&self) -> Result<Vec<CheckpointFork>, ReadError> {
        Ok(self.store.checkpoint_forks()?)
    }

    /// Visits the stored records of a table at one height: its key, slot and value; ends when
    /// `visit` says false. Gives the height.
    pub fn stored_table(
        &self,
        table: Table,
        visit: impl FnMut(Height, &[u8], Option<u64>, &[u8]) -> Result<bool, ReadError>,
    ) -> Result<Height, ReadError> {
        self.store.visit_table(table, visit)
    }

    /// Validators of the height after the newest block, and that height.
    pub fn validators(&self) -> Result<(Height, ValidatorSet), ReadError> {
        let committed = self.state.read();
        Ok((committed.state.tip.height.next(), committed.state.validators()?))
    }

    /// Outcomes of transactions from a log index on, at most `limit`; of one account when named.
    pub fn outcomes(
        &self,
        from: LogIndex,
        account: Option<AccountId>,
        limit: usize,
    ) -> Result<OutcomePage, ReadError> {
        let limit = page_limit(limit);
        let log_size = self.state.read().state.log.size();
        match account {
            None => self.outcomes_of_all(from, log_size, limit),
            Some(account) => self.outcomes_of(account, from, log_size, limit),
        }
    }

    fn outcomes_of_all(
        &self,
        from: LogIndex,
        log_size: u64,
        limit: usize,
    ) -> Result<OutcomePage, ReadError> {
        let span = u64::try_from(limit).unwrap_or(u64::MAX);
        let end = from.saturating_add(span).min(log_size);
        let mut receipts = Vec::new();
        self.store.for_each_entry(from, end, |index, entry| {
            if let LogEntry::Transaction { receipt, .. } = decode_entry(index, entry)? {
                receipts.push((index, codec::encode(&receipt)));
            }
            Ok(())
        })?;
        let mut outcomes = Vec::with_capacity(receipts.len());
        let mut position: Option<BlockPosition> = None;
        for (log_index, receipt) in receipts {
            let block = match position.take() {
                Some(block) if log_index <= block.header.log_size => block,
                _ => self.block_position(log_index)?,
            };
            outcomes.push(self.logged(log_index, receipt, &block)?);
            position = Some(block);
        }
        Ok(OutcomePage { outcomes, next: end.max(from) })
    }

    fn outcomes_of(
        &self,
        account: AccountId,
        from: LogIndex,
        log_size: u64,
        limit: usize,
    ) -> Result<OutcomePage, ReadError> {
        let mut indexes = self.store.account_history(account, from, limit)?;
        indexes.retain(|index| *index < log_size);
        let next = match indexes.last() {
            Some(last) if indexes.len() >= limit => last.saturating_add(1),
            _ => log_size.max(from),
        };
        let mut outcomes = Vec::with_capacity(indexes.len());
        for log_index in indexes {
            let block = self.block_position(log_index)?;
            let entry = self.store.entry(log_index)?.unwrap_or_default();
            if let LogEntry::Transaction { receipt, .. } = decode_entry(log_index, &entry)? {
                outcomes.push(self.logged(log_index, codec::encode(&receipt), &block)?);
            }
        }
        Ok(OutcomePage { outcomes, next })
    }

    fn logged(
        &self,
        log_index: LogIndex,
        receipt: Vec<u8>,
        block: &BlockPosition,
    ) -> Result<LoggedOutcome, ReadError> {
        let events = self.store.outcome(log_index)?.map(|outcome| outcome.events);
        Ok(LoggedOutcome {
            log_index,
            height: block.header.height,
            block_time: block.header.time,
            receipt,
            events: events.unwrap_or_default(),
        })
    }

    /// An entry of the log with its inclusion proof in the log of the first `size` entries; none
    /// for the log size of the newest header that covers the entry.
    ///
    /// A header entry is covered by the header after it.
    pub fn log_proof(
        &self,
        index: LogIndex,
        size: Option<u64>,
    ) -> Result<ProvenEntry, LogReadError> {
        let (newest, log_size) = {
            let committed = self.state.read();
            (committed.newest.clone(), committed.state.log.size())
        };
        let covered = newest.as_ref().map_or(0, |(header, _)| header.log_size);
        let size = size.unwrap_or(covered).min(log_size);
        let proof = self
            .store
            .log_proof(index, size)
            .map_err(ReadError::from)?
            .map_err(|error| LogReadError::Log(error, log_size))?;
        let entry = self.store.entry(index).map_err(ReadError::from)?.unwrap_or_default();
        let anchor = match newest {
            Some(newest) if newest.0.log_size == size => Some(newest),
            _ => self.anchor(size)?,
        };
        Ok(ProvenEntry { entry, proof, anchor })
    }

    /// The header of exactly this log size with its certificate.
    fn anchor(&self, size: u64) -> Result<Option<(Header, Certificate)>, ReadError> {
        let Some(position) = self.store.position_of(size)? else { return Ok(None) };
        if position.header.log_size != size {
            return Ok(None);
        }
        let certificate = self.store.certificate(position.header.height)?;
        Ok(certificate.map(|certificate| (position.header, certificate)))
    }

    /// The hashes of a tile, one after the other; none when the log is too short for it.
    pub fn log_tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.store.log_tile(tile)?)
    }

    /// The entries of a tile of level 0; fewer when the log is too short for it.
    pub fn log_entries(&self, tile: &Tile) -> Result<Vec<Vec<u8>>, ReadError> {
        let Some((_, begin)) = tile.nodes().next() else { return Ok(Vec::new()) };
        let mut entries = Vec::with_capacity(tile.width.into());
        let end = begin.saturating_add(tile.width.into());
        self.store.for_each_entry(begin, end, |_, entry| {
            entries.push(entry.to_vec());
            Ok(())
        })?;
        Ok(entries)
    }

    /// Proof that the log of `new` entries begins with that of `old`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<ConsistencyProof, LogReadError> {
        let log_size = self.state.read().state.log.size();
        self.store
            .consistency_proof(old, new)
            .map_err(ReadError::from)?
            .map_err(|error| LogReadError::Log(error, log_size))
    }
}

fn page_limit(limit: usize) -> usize {
    if limit == 0 { PAGE_RECORDS_DEFAULT } else { limit.min(PAGE_RECORDS_MAX) }
}

/// Status and range of a record of the index by holder.
fn held_range(key: &[u8], value: &[u8]) -> Result<(StatusKind, SerialRange), Fault> {
    let corrupt = |reason: String| Fault::CorruptRecord { key: hex::encode(key), reason };
    let RangeEnd { end } = codec::decode(value).map_err(|error| corrupt(error.to_string()))?;
    let Some(KeyParts::UnitByHolder(_, status, instrument, start)) = KeyParts::of(key) else {
        return Err(corrupt("it is no key of the index by holder".to_owned()));
    };
    let kind = StatusKind::ALL.into_iter().find(|kind| kind.tag() == status);
    let kind = kind.ok_or_else(|| corrupt(format!("{status} is no status")))?;
    let range =
        SerialRange::new(instrument, start, end).map_err(|error| corrupt(error.to_string()))?;
    Ok((kind, range))
}

fn lost_range(range: SerialRange) -> Fault {
    Fault::Inconsistent { what: format!("{range} is in the index by holder and not in the units") }
}
