//! Headers, certificates, log and state, each against what a quorum signed.

use std::collections::BTreeMap;

use cets_contracts::block::{Certificate, Header, ValidatorSet};
use cets_contracts::genesis::Genesis;
use cets_contracts::log::{LogFrontier, leaf_hash};
use cets_contracts::state::Tip;
use cets_contracts::types::{BlockId, Height};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::folder::{LEDGER, note};
use super::{CheckPlan, CheckReport, Trouble};
use crate::store::{Column, Store, StoreError};

/// Blocks looked at on all threads at a time.
const BLOCKS_PER_WINDOW: u64 = 1_024;
/// Damaged blocks that are named at most.
const BLOCKS_NAMED_MAX: usize = 50;

/// Checks everything that hangs on the newest block.
pub(super) fn check(
    store: &Store,
    plan: &CheckPlan<'_>,
    report: &mut CheckReport,
    progress: &mut impl FnMut(&str),
) {
    let genesis = match genesis(store) {
        Ok(genesis) => Some(genesis),
        Err(error) => {
            note(report, error);
            None
        }
    };
    let tip = match store.tip() {
        Ok(Some(tip)) => tip,
        Ok(None) => {
            note(report, StoreError::damaged(Column::Meta, "tip", "it is missing"));
            return;
        }
        Err(error) => {
            note(report, error);
            return;
        }
    };
    report.height = Some(tip.height);
    progress("headers and certificates");
    check_headers(store, &tip, report, progress);
    progress("log");
    if let Err(error) = check_log(store, &tip, report) {
        note(report, error);
    }
    progress("state");
    // Opening the state checks records, slots, the newest header and the frontier of the log.
    if let Some(genesis) = plan.genesis.cloned().or(genesis) {
        match store.load_state(&genesis) {
            Ok(state) => report.state_root = Some(state.root()),
            Err(error) => note(report, error),
        }
    }
    for error in single_rows(store) {
        note(report, error);
    }
}

fn genesis(store: &Store) -> Result<Genesis, StoreError> {
    let damaged = |reason: String| StoreError::damaged(Column::Meta, "genesis", reason);
    let json = store.genesis()?.ok_or_else(|| damaged("it is missing".to_owned()))?;
    serde_json::from_str(&json).map_err(|error| damaged(error.to_string()))
}

/// What stands in tables that no block leaves rows in.
fn single_rows(store: &Store) -> Vec<StoreError> {
    let read = [
        store.guard_marks().map(drop),
        store.evidence().map(drop),
        store.undecided().map(drop),
        store.proposal(Height::GENESIS, 0).map(drop),
        store.served_checkpoint().map(drop),
        store.cosigned_mark().map(drop),
        store.checkpoint_forks().map(drop),
        store.votes_after().map(drop),
    ];
    read.into_iter().filter_map(Result::err).collect()
}

/// What is needed of a block to check the next one.
struct Link {
    id: BlockId,
    next_log_index: u64,
    next_validators: Option<cets_contracts::types::Digest>,
}

/// Holds every header against the one before, and every certificate against the validators that
/// the header before names.
fn check_headers(
    store: &Store,
    tip: &Tip,
    report: &mut CheckReport,
    progress: &mut impl FnMut(&str),
) {
    let sets = match validator_sets(store) {
        Ok(sets) => sets,
        Err(error) => return note(report, error),
    };
    let mut before =
        Link { id: BlockId::new([0; BlockId::LEN]), next_log_index: 0, next_validators: None };
    let mut named = 0usize;
    let mut first = Height::GENESIS.next().get();
    while first <= tip.height.get() {
        let end = first.saturating_add(BLOCKS_PER_WINDOW).min(tip.height.next().get());
        let window: Vec<_> = (first..end)
            .into_par_iter()
            .map(|height| read_block(store, tip, Height::new(height), &sets))
            .collect();
        for block in window {
            let (found, errors) = block;
            for error in errors {
                named = named.saturating_add(1);
                note(report, error);
            }
            let Some((header, first_log_index)) = found else {
                before = Link { id: before.id, next_log_index: u64::MAX, next_validators: None };
                continue;
            };
            report.certificates = report.certificates.saturating_add(1);
            match follows(&header, first_log_index, &before, &sets) {
                Ok(()) => report.headers = report.headers.saturating_add(1),
                Err(reason) => {
                    named = named.saturating_add(1);
                    note(report, StoreError::damaged(Column::Headers, header.height, reason));
                }
            }
            before = Link {
                id: header.id(),
                next_log_index: header.log_size.saturating_add(1),
                next_validators: Some(header.next_validators),
            };
        }
        if named >= BLOCKS_NAMED_MAX {
            return;
        }
        progress(&format!("headers and certificates up to {} of {}", end, tip.height));
        first = end;
    }
    if tip.height != Height::GENESIS && before.id != tip.block_id {
        let reason = "the newest header is not the newest block";
        note(report, StoreError::damaged(Column::Meta, "tip", reason));
    }
}

type Sets = BTreeMap<Height, ValidatorSet>;

fn validator_sets(store: &Store) -> Result<Sets, StoreError> {
    let first = Height::GENESIS.next();
    let missing = || StoreError::damaged(Column::ValidatorSets, first, "it is missing");
    let mut sets = Sets::from([(first, store.validators(first)?.ok_or_else(missing)?)]);
    sets.extend(store.validator_changes()?);
    Ok(sets)
}

fn set_of(sets: &Sets, height: Height) -> Option<&ValidatorSet> {
    sets.range(..=height).next_back().map(|(_, set)| set)
}

type ReadBlock = (Option<(Header, u64)>, Vec<StoreError>);

/// A header whose certificate holds, and what is wrong.
fn read_block(store: &Store, tip: &Tip, height: Height, sets: &Sets) -> ReadBlock {
    let missing = |column| StoreError::damaged(column, height, "it is missing");
    let position = match store.position(height) {
        Ok(Some(position)) => position,
        Ok(None) => return (None, vec![missing(Column::Headers)]),
        Err(error) => return (None, vec![error]),
    };
    let mut errors = Vec::new();
    let header = position.header;
    match store.position_of(position.first_log_index) {
        Ok(Some(found)) if found.header.height == height => {}
        Ok(_) => errors.push(missing(Column::BlockStarts)),
        Err(error) => errors.push(error),
    }
    let certificate: Result<Option<Certificate>, StoreError> = store.certificate(height);
    match certificate {
        Ok(None) => errors.push(missing(Column::Certificates)),
        Err(error) => errors.push(error),
        Ok(Some(certificate)) => {
            let of_height = certificate.height == height;
            let verified =
                set_of(sets, height).map(|set| certificate.verify(tip.chain_id, header.id(), set));
            match verified {
                Some(Ok(())) if of_height => {}
                Some(Err(error)) => {
                    errors.push(StoreError::damaged(Column::Certificates, height, error));
                }
                _ => errors.push(missing(Column::Certificates)),
            }
        }
    }
    (Some((header, position.first_log_index)), errors)
}

/// Whether a header follows the one before.
fn follows(header: &Header, first: u64, before: &Link, sets: &Sets) -> Result<(), String> {
    // After a header that cannot be read only the next one can be held against its parent.
    if before.next_log_index == u64::MAX {
        return Ok(());
    }
    if header.parent != before.id {
        return Err(format!("its parent is {}, the block before is {}", header.parent, before.id));
    }
    if first != before.next_log_index {
        return Err(format!("it begins at log index {first}, not {}", before.next_log_index));
    }
    let set = set_of(sets, header.height).map(ValidatorSet::digest);
    if before.next_validators.is_some() && before.next_validators != set {
        return Err("its validators are not those that the header before names".to_owned());
    }
    Ok(())
}

/// Works the log out again from its entries and holds it against the root of every header.
fn check_log(store: &Store, tip: &Tip, report: &mut CheckReport) -> Result<(), StoreError> {
    let Some(last) = store.position(tip.height)? else { return Ok(()) };
    let size = last.header.log_size.saturating_add(1);
    let mut log = LogFrontier::new();
    let mut height = Height::GENESIS.next();
    let mut next = store.position(height)?;
    store.for_each_entry(0, size, |index, entry| {
        if index != log.size() {
            let reason = "an entry is missing or stands twice";
            return Err(StoreError::damaged(Column::Entries, log.size(), reason));
        }
        if let Some(position) = next.as_ref().filter(|one| one.header.log_size == index) {
            let (found, said) = (log.root(), position.header.log_root);
            if found != said {
                let reason = format!("the log up to block {height} has root {found}, not {said}");
                let row = format!("log index {} to {index}", position.first_log_index);
                return Err(StoreError::damaged(Column::Entries, row, reason));
            }
            height = height.next();
            next = store.position(height)?;
        }
        log.append(leaf_hash(entry));
        Ok(())
    })?;
    if log.size() != size {
        return Err(StoreError::damaged(Column::Entries, log.size(), "it is missing"));
    }
    (report.log_size, report.log_root) = (size, Some(log.root()));
    let beyond = store.entry(size)?.is_some();
    if beyond {
        report.add(
            Trouble::Rows,
            LEDGER,
            format!("table entries, {size}"),
            "it lies beyond the end",
        );
    }
    Ok(())
}
