//! A map of keys that end in a number of eight bytes: a tree of numbers per beginning.
//!
//! A search reads numbers that lie side by side instead of whole keys, which is what the time of
//! a search in a million ranges goes into. No beginning may start with another one: the keys then
//! sort by beginning and number.

use core::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::Key;

/// Bytes of the number at the end of a key.
const NUMBER_BYTES: usize = 8;

/// Values by key, in the order of the keys.
#[derive(Clone, Debug)]
pub(super) struct Numbered<V> {
    groups: BTreeMap<Key, BTreeMap<u64, V>>,
}

impl<V> Default for Numbered<V> {
    fn default() -> Self {
        Self { groups: BTreeMap::new() }
    }
}

impl<V> Numbered<V> {
    /// Entries, counted group by group.
    pub(super) fn len(&self) -> usize {
        self.groups.values().map(BTreeMap::len).fold(0, usize::saturating_add)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        let (group, number) = key.split_number()?;
        self.groups.get(&group)?.get(&number)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        let (group, number) = key.split_number()?;
        self.groups.get_mut(&group)?.get_mut(&number)
    }

    /// # Panics
    /// When the key has no number; keys of these tables are made with one.
    pub(super) fn insert(&mut self, key: &Key, value: V) -> Option<V> {
        let (group, number) = split(key);
        self.groups.entry(group).or_default().insert(number, value)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<V> {
        let (group, number) = key.split_number()?;
        let values = self.groups.get_mut(&group)?;
        let before = values.remove(&number)?;
        if values.is_empty() {
            self.groups.remove(&group);
        }
        Some(before)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        self.groups.iter().flat_map(|(group, values)| whole(group, values.iter()))
    }

    /// Entries after a key, or from it on, ascending.
    pub(super) fn range_from(&self, lower: Bound<Key>) -> impl Iterator<Item = (Key, &V)> {
        let within = key_of(lower.as_ref()).and_then(|key| {
            let (group, values) = self.group_of(key)?;
            let from = lower_number(lower.as_ref(), key, group);
            Some(whole(group, values.range((from, Bound::Unbounded))))
        });
        let later = match lower {
            Bound::Included(key) | Bound::Excluded(key) => Bound::Excluded(key),
            Bound::Unbounded => Bound::Unbounded,
        };
        // Most readers stop within the group: the later ones are looked for when they are needed.
        let later = core::iter::once_with(move || self.groups.range((later, Bound::Unbounded)));
        let later = later.flatten().flat_map(|(group, values)| whole(group, values.iter()));
        within.into_iter().flatten().chain(later)
    }

    /// The last entry before a key, or up to it.
    pub(super) fn last_to(&self, upper: Bound<&Key>) -> Option<(Key, &V)> {
        let key = key_of(upper)?;
        let mut before = Bound::Included(key);
        if let Some((group, values)) = self.group_of(key) {
            let to = upper_number(upper, key, group);
            if let Some((number, value)) = values.range((Bound::Unbounded, to)).next_back() {
                return Some((group.with_number(*number), value));
            }
            before = Bound::Excluded(group);
        }
        let mut earlier = self.groups.range::<Key, _>((Bound::Unbounded, before));
        let (group, values) = earlier.next_back()?;
        let (number, value) = values.last_key_value()?;
        Some((group.with_number(*number), value))
    }

    /// The only group that a key may start with is the last one up to it, because no group starts
    /// with another.
    fn group_of(&self, key: &Key) -> Option<(&Key, &BTreeMap<u64, V>)> {
        // Mostly it is the key itself, or the key without its number.
        if let Some(found) = self.groups.get_key_value(key) {
            return Some(found);
        }
        let group = key.split_number().and_then(|(group, _)| self.groups.get_key_value(&group));
        group.or_else(|| {
            let mut upto = self.groups.range::<Key, _>((Bound::Unbounded, Bound::Included(key)));
            upto.next_back().filter(|(group, _)| key.starts_with(group))
        })
    }

    /// Entries in the order of their keys.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (Key, V)> {
        self.groups.into_iter().flat_map(|(group, values)| {
            values.into_iter().map(move |(number, value)| (group.with_number(number), value))
        })
    }
}

impl<V> FromIterator<(Key, V)> for Numbered<V> {
    fn from_iter<I: IntoIterator<Item = (Key, V)>>(entries: I) -> Self {
        // A tree is made of all its entries without searching for the place of each.
        let mut groups: BTreeMap<Key, Vec<(u64, V)>> = BTreeMap::new();
        for (key, value) in entries {
            let (group, number) = split(&key);
            groups.entry(group).or_default().push((number, value));
        }
        let trees = groups.into_iter().map(|(group, values)| (group, values.into_iter().collect()));
        Self { groups: trees.collect() }
    }
}

/// A whole key of the table, divided.
fn split(key: &Key) -> (Key, u64) {
    key.split_number().expect("keys of the table end in a number")
}

/// Entries of a group with their whole keys.
fn whole<'m, V: 'm>(
    group: &'m Key,
    values: impl Iterator<Item = (&'m u64, &'m V)>,
) -> impl Iterator<Item = (Key, &'m V)> {
    values.map(|(number, value)| (group.with_number(*number), value))
}

/// The first number of a group that belongs to a key's lower bound.
fn lower_number(lower: Bound<&Key>, key: &Key, group: &Key) -> Bound<u64> {
    let (number, compared) = rest(key, group);
    match (compared, lower) {
        // What is shorter than a whole key comes before all that it starts.
        (Ordering::Less, _) | (Ordering::Equal, Bound::Included(_)) => Bound::Included(number),
        _ => Bound::Excluded(number),
    }
}

/// The last number of a group that belongs to a key's upper bound.
fn upper_number(upper: Bound<&Key>, key: &Key, group: &Key) -> Bound<u64> {
    let (number, compared) = rest(key, group);
    match (compared, upper) {
        (Ordering::Greater, _) | (Ordering::Equal, Bound::Included(_)) => Bound::Included(number),
        _ => Bound::Excluded(number),
    }
}

/// The number that follows a group in a key, filled up with zeros, and how its bytes compare in
/// length with those of a number.
fn rest(key: &Key, group: &Key) -> (u64, Ordering) {
    let rest = key.get(group.len()..).unwrap_or_default();
    let mut bytes = [0u8; NUMBER_BYTES];
    for (byte, from) in bytes.iter_mut().zip(rest) {
        *byte = *from;
    }
    (u64::from_be_bytes(bytes), rest.len().cmp(&NUMBER_BYTES))
}

/// The key of a bound.
pub(super) const fn key_of(bound: Bound<&Key>) -> Option<&Key> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;

    /// Beginnings of two lengths, none of which starts with another, with some numbers each.
    fn keys() -> Vec<Key> {
        let groups: [&[u8]; 4] = [&[3, 0, 7, 1], &[3, 0, 7, 2], &[3, 1, 9, 9, 9, 0, 1], &[3, 2]];
        let numbers = [0, 1, 255, 256, 1 << 40, u64::MAX];
        let key = |group: &[u8], number: u64| {
            Key::of(&[group, number.to_be_bytes().as_slice()].concat()).unwrap()
        };
        groups.iter().flat_map(|group| numbers.map(|number| key(group, number))).collect()
    }

    /// Bounds at, between, before and after keys, whole ones and parts of them.
    fn bounds() -> Vec<Key> {
        let mut bounds: Vec<Key> = Vec::new();
        for key in keys() {
            bounds.extend((0..=key.len()).map(|length| Key::of(&key[..length]).unwrap()));
            bounds.extend(key.next());
            let mut above = key.to_vec();
            *above.last_mut().unwrap() = above.last().unwrap().wrapping_add(2);
            bounds.push(Key::of(&above).unwrap());
        }
        bounds.extend([Key::of(&[]).unwrap(), Key::of(&[2, 9]).unwrap(), Key::of(&[4]).unwrap()]);
        bounds
    }

    #[test]
    fn searches_find_what_a_map_of_whole_keys_finds() {
        let mut numbered = Numbered::default();
        let mut plain = BTreeMap::new();
        for (value, key) in keys().into_iter().rev().enumerate() {
            assert_eq!(numbered.insert(&key, value), plain.insert(key, value));
            assert_eq!(numbered.len(), plain.len());
        }
        for pass in 0..3 {
            let owned = |(key, value): (&Key, &usize)| (*key, *value);
            let copied = |(key, value): (Key, &usize)| (key, *value);
            assert!(numbered.iter().map(copied).eq(plain.iter().map(owned)));
            for bound in bounds() {
                assert_eq!(numbered.get(&bound), plain.get(&bound), "{bound:?}");
                for lower in [Bound::Included(bound), Bound::Excluded(bound)] {
                    let expected = plain.range((lower, Bound::Unbounded)).map(owned);
                    assert!(numbered.range_from(lower).map(copied).eq(expected), "{lower:?}");
                }
                for upper in [Bound::Included(&bound), Bound::Excluded(&bound)] {
                    let expected = plain.range::<Key, _>((Bound::Unbounded, upper)).next_back();
                    let found = numbered.last_to(upper).map(copied);
                    assert_eq!(found, expected.map(owned), "{upper:?}");
                }
            }
            for key in keys().into_iter().skip(pass).step_by(3) {
                assert_eq!(numbered.remove(&key), plain.remove(&key));
                assert_eq!(numbered.remove(&key), None);
                assert_eq!(numbered.len(), plain.len());
            }
        }
        assert!(plain.is_empty() && numbered.iter().next().is_none());
    }

    #[test]
    fn entries_come_out_in_the_order_of_their_keys_however_they_came_in() {
        let entries = || keys().into_iter().rev().map(|key| (key, ()));
        let collected: Numbered<()> = entries().collect();
        let mut inserted = Numbered::default();
        for (key, value) in entries() {
            inserted.insert(&key, value);
        }
        for map in [collected, inserted] {
            assert_eq!(map.len(), keys().len());
            assert!(map.into_entries().map(|(key, ())| key).eq(keys()));
        }
    }
}
