//! A disk in memory with the store's tables on it, for simulations.
//!
//! A synced write makes itself and all before it durable. When power is lost, what was not synced
//! is kept up to some write and lost from there on: a torn last write is one that is lost, as the
//! checksums of the real database see to. A rotten value is one whose checksum fails when it is
//! read; a silently changed one passes all checksums.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cets_consensus::simulation::Device;

use super::Column;

type Bytes = Arc<[u8]>;
/// One change: table, key, and the value or nothing.
pub(super) type Change = (Column, Bytes, Option<Bytes>);

#[derive(Clone, Debug)]
enum Cell {
    Sound(Bytes),
    Rotten,
}

type Table = BTreeMap<Bytes, Cell>;

#[derive(Clone, Debug, Default)]
struct Content {
    tables: Vec<Arc<Table>>,
    /// What the writes since the last sync replaced, in their order.
    unsynced: Vec<Vec<(Column, Bytes, Option<Cell>)>>,
}

impl Content {
    fn table(&self, column: Column) -> Arc<Table> {
        self.tables.get(column as usize).cloned().unwrap_or_default()
    }

    fn table_mut(&mut self, column: Column) -> &mut Table {
        let place = column as usize;
        if self.tables.len() <= place {
            self.tables.resize_with(place.saturating_add(1), Arc::default);
        }
        let table = self.tables.get_mut(place).expect("the table was added above");
        Arc::make_mut(table)
    }

    fn set(&mut self, column: Column, key: Bytes, cell: Option<Cell>) -> Option<Cell> {
        let table = self.table_mut(column);
        match cell {
            Some(cell) => table.insert(key, cell),
            None => table.remove(&key),
        }
    }
}

/// The disk; cheap to clone.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    device: Device,
    folder: PathBuf,
    content: Arc<Mutex<Content>>,
}

impl SimulatedDisk {
    /// An empty disk of a machine; the folder is only a name.
    pub fn new(device: Device, folder: &Path) -> Self {
        Self { device, folder: folder.to_owned(), content: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk of another machine with the same content; copies nothing before either changes.
    #[must_use]
    pub fn copy_to(&self, device: Device, folder: &Path) -> Self {
        let content = Arc::new(Mutex::new(self.lock().clone()));
        Self { device, folder: folder.to_owned(), content }
    }

    /// Takes the content of another disk.
    pub fn restore(&self, from: &Self) {
        let content = from.lock().clone();
        *self.lock() = content;
    }

    /// The disk is new.
    pub fn erase(&self) {
        *self.lock() = Content::default();
    }

    /// Writes that are not synced.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// The machine lost power: of the writes that were not synced the first are kept.
    pub fn lose_power(&self, kept: usize) {
        let mut content = self.lock();
        let kept = kept.min(content.unsynced.len());
        let lost = content.unsynced.split_off(kept);
        content.unsynced.clear();
        for (column, key, before) in
            lost.into_iter().rev().flat_map(|batch| batch.into_iter().rev())
        {
            content.set(column, key, before);
        }
    }

    /// Damages a stored value: one that its checksum shows, or one that nothing shows. Gives the
    /// key; nothing when the table is empty.
    pub fn rot(&self, column: Column, place: u64, is_silent: bool) -> Option<Vec<u8>> {
        let mut content = self.lock();
        let table = content.table_mut(column);
        let rows = u64::try_from(table.len()).unwrap_or(u64::MAX);
        let row = usize::try_from(place.checked_rem(rows)?).ok()?;
        let (key, cell) = table.iter_mut().nth(row)?;
        *cell = match cell {
            Cell::Sound(value) if is_silent && !value.is_empty() => {
                let mut changed = value.to_vec();
                let length = u64::try_from(changed.len()).unwrap_or(u64::MAX);
                let at = place.checked_div(rows).and_then(|turn| turn.checked_rem(length))?;
                *changed.get_mut(usize::try_from(at).ok()?)? ^= 1;
                Cell::Sound(changed.into())
            }
            _ => Cell::Rotten,
        };
        Some(key.to_vec())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Bytes>, String> {
        self.device.read().map_err(|error| error.to_string())?;
        match self.lock().table(column).get(key) {
            None => Ok(None),
            Some(Cell::Sound(value)) => Ok(Some(Arc::clone(value))),
            Some(Cell::Rotten) => Err("Corruption: block checksum mismatch".to_owned()),
        }
    }

    pub(super) fn cursor(&self, column: Column) -> SimulatedCursor {
        let is_off = self.device.read().is_err();
        SimulatedCursor { table: self.lock().table(column), item: None, is_rotten: is_off }
    }

    pub(super) fn write(&self, changes: &[Change], is_synced: bool) -> Result<(), String> {
        let apply = |is_synced: bool| {
            let mut content = self.lock();
            let mut replaced = Vec::with_capacity(changes.len());
            for (column, key, value) in changes {
                let cell = value.clone().map(Cell::Sound);
                let before = content.set(*column, Arc::clone(key), cell);
                replaced.push((*column, Arc::clone(key), before));
            }
            if is_synced {
                content.unsynced.clear();
            } else {
                content.unsynced.push(replaced);
            }
        };
        self.device.write(is_synced, apply).map_err(|error| error.to_string())
    }
}

/// Stands at a row of a table.
pub struct SimulatedCursor {
    table: Arc<Table>,
    item: Option<(Bytes, Bytes)>,
    is_rotten: bool,
}

impl SimulatedCursor {
    fn stand(&mut self, found: Option<(Bytes, Cell)>) {
        self.item = match found {
            Some((key, Cell::Sound(value))) if !self.is_rotten => Some((key, value)),
            Some((_, Cell::Rotten)) => {
                self.is_rotten = true;
                None
            }
            _ => None,
        };
    }

    fn from(&self, bound: Bound<&[u8]>) -> Option<(Bytes, Cell)> {
        let found = self.table.range::<[u8], _>((bound, Bound::Unbounded)).next();
        found.map(|(key, cell)| (Arc::clone(key), cell.clone()))
    }

    fn to(&self, bound: Bound<&[u8]>) -> Option<(Bytes, Cell)> {
        let found = self.table.range::<[u8], _>((Bound::Unbounded, bound)).next_back();
        found.map(|(key, cell)| (Arc::clone(key), cell.clone()))
    }

    pub(super) fn seek_to_first(&mut self) {
        let found = self.from(Bound::Unbounded);
        self.stand(found);
    }

    pub(super) fn seek(&mut self, key: impl AsRef<[u8]>) {
        let found = self.from(Bound::Included(key.as_ref()));
        self.stand(found);
    }

    pub(super) fn seek_for_prev(&mut self, key: impl AsRef<[u8]>) {
        let found = self.to(Bound::Included(key.as_ref()));
        self.stand(found);
    }

    pub(super) fn next(&mut self) {
        let Some((key, _)) = self.item.take() else { return };
        let found = self.from(Bound::Excluded(&key));
        self.stand(found);
    }

    pub(super) fn prev(&mut self) {
        let Some((key, _)) = self.item.take() else { return };
        let found = self.to(Bound::Excluded(&key));
        self.stand(found);
    }

    pub(super) const fn valid(&self) -> bool {
        self.item.is_some()
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        self.item.as_ref().map(|(key, _)| key.as_ref())
    }

    pub(super) fn item(&self) -> Option<(&[u8], &[u8])> {
        self.item.as_ref().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether it stopped at something that cannot be read.
    pub(super) const fn is_rotten(&self) -> bool {
        self.is_rotten
    }
}
