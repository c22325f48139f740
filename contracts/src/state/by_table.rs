//! A map of keys, one tree per table.
//!
//! A search meets only keys of its own table: those of a thousand accounts stay near the
//! processor whatever a million ranges of units do.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::numbered::{Numbered, key_of};
use super::{Key, Table};

/// Tables, and a place for keys of none; those are never inserted by the state.
const PLACES: usize = Table::ALL.len() + 1;

/// Place of a table by its prefix, in the order of the prefixes.
const PLACE_OF_PREFIX: [usize; 256] = {
    let mut places = [Table::ALL.len(); 256];
    let mut place = 0;
    while place < Table::ALL.len() {
        places[Table::ALL[place].prefix() as usize] = place;
        place += 1;
    }
    places
};

/// Entries of one table.
#[derive(Clone, Debug)]
enum Entries<V> {
    Plain(BTreeMap<Key, V>),
    Numbered(Numbered<V>),
}

/// Values by key, in the order of the keys.
#[derive(Clone, Debug)]
pub struct ByTable<V> {
    tables: [Entries<V>; PLACES],
}

impl<V> Default for ByTable<V> {
    fn default() -> Self {
        let entries = |place: usize| match Table::ALL.get(place) {
            Some(table) if table.is_numbered() => Entries::Numbered(Numbered::default()),
            _ => Entries::Plain(BTreeMap::new()),
        };
        Self { tables: core::array::from_fn(entries) }
    }
}

impl<V> ByTable<V> {
    fn table(&self, key: &Key) -> &Entries<V> {
        &self.tables[place_of(key)]
    }

    fn table_mut(&mut self, key: &Key) -> &mut Entries<V> {
        &mut self.tables[place_of(key)]
    }

    pub fn get(&self, key: &Key) -> Option<&V> {
        match self.table(key) {
            Entries::Plain(entries) => entries.get(key),
            Entries::Numbered(entries) => entries.get(key),
        }
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        match self.table_mut(key) {
            Entries::Plain(entries) => entries.get_mut(key),
            Entries::Numbered(entries) => entries.get_mut(key),
        }
    }

    /// # Panics
    /// When the key has not the form of its table.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        match self.table_mut(&key) {
            Entries::Plain(entries) => entries.insert(key, value),
            Entries::Numbered(entries) => entries.insert(&key, value),
        }
    }

    pub fn remove(&mut self, key: &Key) -> Option<V> {
        match self.table_mut(key) {
            Entries::Plain(entries) => entries.remove(key),
            Entries::Numbered(entries) => entries.remove(key),
        }
    }

    pub fn len(&self) -> usize {
        self.tables.iter().map(Entries::len).fold(0, usize::saturating_add)
    }

    /// Entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        self.tables.iter().flat_map(Entries::iter)
    }

    /// Entries in the order of their keys.
    pub fn into_entries(self) -> impl Iterator<Item = (Key, V)> {
        self.tables.into_iter().flat_map(Entries::into_entries)
    }

    /// Entries of the key's table after the key, or from it on, ascending.
    pub fn range_from(&self, lower: Bound<Key>) -> impl Iterator<Item = (Key, &V)> {
        let table = key_of(lower.as_ref()).map(|key| self.table(key));
        table.into_iter().flat_map(move |table| table.range_from(lower))
    }

    /// The last entry of the key's table before the key, or up to it.
    pub fn last_to(&self, upper: Bound<&Key>) -> Option<(Key, &V)> {
        match self.table(key_of(upper)?) {
            Entries::Plain(entries) => {
                let last = entries.range((Bound::Unbounded, upper)).next_back();
                last.map(|(key, value)| (*key, value))
            }
            Entries::Numbered(entries) => entries.last_to(upper),
        }
    }
}

impl<V> Entries<V> {
    fn len(&self) -> usize {
        match self {
            Self::Plain(entries) => entries.len(),
            Self::Numbered(entries) => entries.len(),
        }
    }

    const fn plain(&self) -> Option<&BTreeMap<Key, V>> {
        match self {
            Self::Plain(entries) => Some(entries),
            Self::Numbered(_) => None,
        }
    }

    const fn numbered(&self) -> Option<&Numbered<V>> {
        match self {
            Self::Plain(_) => None,
            Self::Numbered(entries) => Some(entries),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        let plain = self.plain().into_iter().flatten().map(|(key, value)| (*key, value));
        plain.chain(self.numbered().into_iter().flat_map(Numbered::iter))
    }

    fn into_entries(self) -> impl Iterator<Item = (Key, V)> {
        let (plain, numbered) = match self {
            Self::Plain(entries) => (Some(entries), None),
            Self::Numbered(entries) => (None, Some(entries)),
        };
        let numbered = numbered.into_iter().flat_map(Numbered::into_entries);
        plain.into_iter().flatten().chain(numbered)
    }

    fn range_from(&self, lower: Bound<Key>) -> impl Iterator<Item = (Key, &V)> {
        let plain = self.plain().map(|entries| entries.range((lower, Bound::Unbounded)));
        let plain = plain.into_iter().flatten().map(|(key, value)| (*key, value));
        let numbered = self.numbered().map(|entries| entries.range_from(lower));
        plain.chain(numbered.into_iter().flatten())
    }
}

impl<V> FromIterator<(Key, V)> for ByTable<V> {
    fn from_iter<I: IntoIterator<Item = (Key, V)>>(entries: I) -> Self {
        // Entries in order make each map without searching.
        let mut sorted: [Vec<(Key, V)>; PLACES] = core::array::from_fn(|_| Vec::new());
        for (key, value) in entries {
            sorted[place_of(&key)].push((key, value));
        }
        let mut map = Self::default();
        for (table, entries) in map.tables.iter_mut().zip(sorted) {
            match table {
                Entries::Plain(plain) => *plain = entries.into_iter().collect(),
                Entries::Numbered(numbered) => *numbered = entries.into_iter().collect(),
            }
        }
        map
    }
}

fn place_of(key: &Key) -> usize {
    PLACE_OF_PREFIX[usize::from(key.prefix())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;

    /// Some keys of a table, in the form of its keys.
    fn keys_of(table: Table) -> [Key; 3] {
        [9, 0, 200].map(|last| Key::of(&[table.prefix(), 7, 0, 0, 0, 0, 0, 0, 0, last]).unwrap())
    }

    #[test]
    fn entries_are_in_the_order_of_their_keys() {
        let keys = || Table::ALL.iter().rev().flat_map(|table| keys_of(*table));
        let map: ByTable<()> = keys().map(|key| (key, ())).collect();
        let mut inserted = ByTable::default();
        for key in keys() {
            inserted.insert(key, ());
        }
        for map in [&map, &inserted] {
            assert!(map.iter().map(|(key, ())| key).is_sorted());
            assert_eq!(map.iter().count(), Table::ALL.len() * 3);
            assert_eq!(map.len(), Table::ALL.len() * 3);
        }
        let sorted: Vec<Key> = map.into_entries().map(|(key, ())| key).collect();
        assert!(sorted.is_sorted());
    }

    #[test]
    fn searches_stay_within_the_table_of_the_key() {
        let [projects, units, tasks] = [Table::Projects, Table::Units, Table::Tasks];
        let mut map = ByTable::default();
        for key in [projects, units, tasks].into_iter().flat_map(keys_of) {
            map.insert(key, key[9]);
        }
        for table in [projects, units, tasks] {
            let [middle, first, last] = keys_of(table);
            let value = |found: Option<(Key, &u8)>| found.map(|(_, value)| *value);
            let all = |lower| map.range_from(lower).map(|(_, one)| *one).collect::<Vec<u8>>();
            let start = Key::of(&[table.prefix()]).unwrap();
            assert_eq!(all(Bound::Included(start)), [0, 9, 200]);
            assert_eq!(all(Bound::Excluded(first)), [9, 200]);
            assert!(all(Bound::Excluded(last)).is_empty());
            assert_eq!(value(map.last_to(Bound::Included(&last))), Some(200));
            assert_eq!(value(map.last_to(Bound::Excluded(&last))), Some(9));
            assert_eq!(value(map.last_to(Bound::Excluded(&first))), None);
            assert_eq!(map.get(&middle), Some(&9));
            assert_eq!(map.get(&start), None);
        }
        assert_eq!(map.get(&Key::of(&[99, 1]).unwrap()), None);
    }
}
