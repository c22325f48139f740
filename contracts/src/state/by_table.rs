//! A map of keys, one tree per table.
//!
//! A search meets only keys of its own table: those of a thousand accounts stay near the
//! processor whatever a million remembered transactions do.

use std::collections::BTreeMap;
use std::ops::Bound;

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

/// Values by key, in the order of the keys.
#[derive(Clone, Debug)]
pub struct ByTable<V> {
    tables: [BTreeMap<Key, V>; PLACES],
}

impl<V> Default for ByTable<V> {
    fn default() -> Self {
        Self { tables: core::array::from_fn(|_| BTreeMap::new()) }
    }
}

impl<V> ByTable<V> {
    fn table(&self, key: &Key) -> &BTreeMap<Key, V> {
        &self.tables[place_of(key)]
    }

    fn table_mut(&mut self, key: &Key) -> &mut BTreeMap<Key, V> {
        &mut self.tables[place_of(key)]
    }

    pub fn get(&self, key: &Key) -> Option<&V> {
        self.table(key).get(key)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        self.table_mut(key).get_mut(key)
    }

    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        self.table_mut(&key).insert(key, value)
    }

    pub fn remove(&mut self, key: &Key) -> Option<V> {
        self.table_mut(key).remove(key)
    }

    pub fn len(&self) -> usize {
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.len()))
    }

    /// Entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.tables.iter().flatten()
    }

    /// Entries of the key's table after the key, or from it on, ascending.
    pub fn range_from(&self, lower: Bound<Key>) -> impl Iterator<Item = (&Key, &V)> {
        let table = key_of(lower.as_ref()).map(|key| self.table(key));
        table.into_iter().flat_map(move |table| table.range((lower, Bound::Unbounded)))
    }

    /// The last entry of the key's table before the key, or up to it.
    pub fn last_to(&self, upper: Bound<&Key>) -> Option<(&Key, &V)> {
        let table = self.table(key_of(upper)?);
        table.range((Bound::Unbounded, upper)).next_back()
    }

    /// The first entry of the key's table after the key, or from it on.
    pub fn first_from(&self, lower: Bound<&Key>) -> Option<(&Key, &V)> {
        let table = self.table(key_of(lower)?);
        table.range((lower, Bound::Unbounded)).next()
    }
}

impl<V> IntoIterator for ByTable<V> {
    type Item = (Key, V);
    type IntoIter = core::iter::Flatten<core::array::IntoIter<BTreeMap<Key, V>, PLACES>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tables.into_iter().flatten()
    }
}

impl<V> FromIterator<(Key, V)> for ByTable<V> {
    fn from_iter<I: IntoIterator<Item = (Key, V)>>(entries: I) -> Self {
        // Entries in order make each map without searching.
        let mut sorted: [Vec<(Key, V)>; PLACES] = core::array::from_fn(|_| Vec::new());
        for (key, value) in entries {
            sorted[place_of(&key)].push((key, value));
        }
        Self { tables: sorted.map(|entries| entries.into_iter().collect()) }
    }
}

fn place_of(key: &Key) -> usize {
    PLACE_OF_PREFIX[usize::from(key.prefix())]
}

const fn key_of(bound: Bound<&Key>) -> Option<&Key> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;

    #[test]
    fn entries_are_in_the_order_of_their_keys() {
        let keys = Table::ALL.iter().rev().flat_map(|table| {
            let key = move |last: u8| Key::of(&[table.prefix(), 7, last]).unwrap();
            [key(9), key(0), key(200)]
        });
        let map: ByTable<()> = keys.clone().map(|key| (key, ())).collect();
        let mut inserted = ByTable::default();
        for key in keys {
            inserted.insert(key, ());
        }
        for map in [&map, &inserted] {
            assert!(map.iter().map(|(key, ())| key).is_sorted());
            assert_eq!(map.iter().count(), Table::ALL.len() * 3);
            assert_eq!(map.len(), Table::ALL.len() * 3);
        }
        let sorted: Vec<Key> = map.clone().into_iter().map(|(key, ())| key).collect();
        assert!(sorted.is_sorted());
    }

    #[test]
    fn searches_stay_within_the_table_of_the_key() {
        let key = |bytes: &[u8]| Key::of(bytes).unwrap();
        let mut map = ByTable::default();
        for bytes in [[2, 5], [3, 1], [3, 8], [4, 0]] {
            map.insert(key(&bytes), bytes[1]);
        }
        let value = |found: Option<(&Key, &u8)>| found.map(|(_, value)| *value);
        assert_eq!(value(map.first_from(Bound::Included(&key(&[3])))), Some(1));
        assert_eq!(value(map.first_from(Bound::Excluded(&key(&[3, 1])))), Some(8));
        assert_eq!(value(map.first_from(Bound::Included(&key(&[3, 9])))), None);
        assert_eq!(value(map.last_to(Bound::Included(&key(&[3, 8])))), Some(8));
        assert_eq!(value(map.last_to(Bound::Excluded(&key(&[3, 8])))), Some(1));
        assert_eq!(value(map.last_to(Bound::Excluded(&key(&[3, 1])))), None);
        let all: Vec<u8> =
            map.range_from(Bound::Included(key(&[3]))).map(|(_, one)| *one).collect();
        assert_eq!(all, [1, 8]);
        assert_eq!(map.get(&key(&[99, 1])), None);
    }
}
