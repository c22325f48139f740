//! Comparing two lists of holdings, unit by unit.

use std::collections::BTreeMap;

use crate::rules::UnitMovement;
use crate::state::UnitPlace;
use crate::types::{Instrument, SerialRange};

/// Units that two lists do not agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<P> {
    /// The units; as many consecutive ones as differ in the same way.
    pub range: SerialRange,
    /// Where the left list has them; none when it has not.
    pub left: Option<P>,
    /// Where the right list has them; none when it has not.
    pub right: Option<P>,
}

/// A list that names a unit twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{range} stands twice, at least in part")]
pub struct UnitTwice {
    /// The later range.
    pub range: SerialRange,
}

/// Ranges of units, each in one place, in the order of serials and without overlap.
///
/// Neighbours in the same place need not be joined: lists are compared unit by unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingList<P> {
    ranges: Vec<(SerialRange, P)>,
}

impl<P> Default for HoldingList<P> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<P: Copy + PartialEq> HoldingList<P> {
    /// A list of ranges in any order.
    ///
    /// # Errors
    /// [`UnitTwice`].
    pub fn new(mut ranges: Vec<(SerialRange, P)>) -> Result<Self, UnitTwice> {
        ranges.sort_by_key(|(range, _)| (range.instrument(), range.start()));
        for two in ranges.windows(2) {
            let ((before, _), (range, _)) = (two[0], two[1]);
            if before.instrument() == range.instrument() && range.start() < before.end() {
                return Err(UnitTwice { range });
            }
        }
        Ok(Self { ranges })
    }

    /// The ranges.
    pub fn ranges(&self) -> &[(SerialRange, P)] {
        &self.ranges
    }

    /// The same list with only what `keep` accepts, its places turned into others.
    pub fn filtered<Q>(&self, keep: impl Fn(SerialRange, &P) -> Option<Q>) -> HoldingList<Q> {
        let ranges = self.ranges.iter();
        let ranges = ranges.filter_map(|(range, place)| Some((*range, keep(*range, place)?)));
        HoldingList { ranges: ranges.collect() }
    }

    /// All units on which this list (left) and another (right) do not agree, by serial.
    ///
    /// Costs one pass over both lists.
    pub fn differences(&self, other: &Self) -> Vec<Difference<P>> {
        let mut found = Differences(Vec::new());
        let (mut lefts, mut rights) = (self.ranges.iter().copied(), other.ranges.iter().copied());
        let (mut left, mut right) = (lefts.next(), rights.next());
        loop {
            (left, right) = match (left, right) {
                (None, None) => return found.0,
                (Some((range, place)), None) => {
                    found.add(range, Some(place), None);
                    (lefts.next(), None)
                }
                (None, Some((range, place))) => {
                    found.add(range, None, Some(place));
                    (None, rights.next())
                }
                (Some(a), Some(b)) => {
                    let (a_rest, b_rest) = found.step(a, b);
                    (a_rest.or_else(|| lefts.next()), b_rest.or_else(|| rights.next()))
                }
            };
        }
    }
}

struct Differences<P>(Vec<Difference<P>>);

/// What is left of a range after a step; none when all of it was dealt with.
type Rest<P> = Option<(SerialRange, P)>;

impl<P: Copy + PartialEq> Differences<P> {
    /// Deals with the units up to the next point where something changes.
    fn step(&mut self, a: (SerialRange, P), b: (SerialRange, P)) -> (Rest<P>, Rest<P>) {
        let (a_range, b_range) = (a.0, b.0);
        let key = |range: SerialRange| (range.instrument(), range.start());
        if key(a_range) < key(b_range) {
            let (only, rest) = before(a_range, b_range);
            self.add(only, Some(a.1), None);
            return (rest.map(|rest| (rest, a.1)), Some(b));
        }
        if key(b_range) < key(a_range) {
            let (only, rest) = before(b_range, a_range);
            self.add(only, None, Some(b.1));
            return (Some(a), rest.map(|rest| (rest, b.1)));
        }
        let end = a_range.end().min(b_range.end());
        let (both, a_rest) = split(a_range, end);
        let (_, b_rest) = split(b_range, end);
        if a.1 != b.1 {
            self.add(both, Some(a.1), Some(b.1));
        }
        (a_rest.map(|rest| (rest, a.1)), b_rest.map(|rest| (rest, b.1)))
    }

    fn add(&mut self, range: SerialRange, left: Option<P>, right: Option<P>) {
        if let Some(last) = self.0.last_mut()
            && (last.left == left && last.right == right)
            && last.range.instrument() == range.instrument()
            && last.range.end() == range.start()
            && let Ok(joined) =
                SerialRange::new(range.instrument(), last.range.start(), range.end())
        {
            last.range = joined;
            return;
        }
        self.0.push(Difference { range, left, right });
    }
}

/// The part of a range before another range, and the rest.
fn before(range: SerialRange, other: SerialRange) -> (SerialRange, Option<SerialRange>) {
    if range.instrument() == other.instrument() {
        split(range, other.start())
    } else {
        (range, None)
    }
}

fn split(range: SerialRange, at: u64) -> (SerialRange, Option<SerialRange>) {
    match range.split_at(at) {
        Some((front, rest)) => (front, Some(rest)),
        None => (range, None),
    }
}

impl HoldingList<UnitPlace> {
    /// The list after movements, in their order: what it should be at a later height.
    pub fn after(self, movements: &[UnitMovement]) -> Self {
        let mut places: BTreeMap<(Instrument, u64), (u64, UnitPlace)> = self
            .ranges
            .into_iter()
            .map(|(range, place)| ((range.instrument(), range.start()), (range.end(), place)))
            .collect();
        for movement in movements {
            overwrite(&mut places, movement.range, movement.to);
        }
        let ranges = places.into_iter().filter_map(|((instrument, start), (end, place))| {
            SerialRange::new(instrument, start, end).ok().map(|range| (range, place))
        });
        Self { ranges: ranges.collect() }
    }
}

/// Puts a range into a place, cutting whatever lies across its ends.
fn overwrite(
    places: &mut BTreeMap<(Instrument, u64), (u64, UnitPlace)>,
    range: SerialRange,
    place: UnitPlace,
) {
    let instrument = range.instrument();
    for at in [range.start(), range.end()] {
        let across = places.range(..(instrument, at)).next_back();
        let across = across.map(|(key, (end, place))| (*key, *end, *place));
        if let Some((key, end, across)) =
            across.filter(|((of, _), end, _)| *of == instrument && *end > at)
        {
            places.insert(key, (at, across));
            places.insert((instrument, at), (end, across));
        }
    }
    let inside = (instrument, range.start())..(instrument, range.end());
    let covered: Vec<(Instrument, u64)> = places.range(inside).map(|(key, _)| *key).collect();
    for key in covered {
        places.remove(&key);
    }
    places.insert((instrument, range.start()), (range.end(), place));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::UnitStatus;
    use crate::types::{AccountId, Role, Vintage};

    fn cea(year: u16) -> Instrument {
        Instrument::Cea(Vintage::new(year).unwrap())
    }

    fn range(start: u64, end: u64) -> SerialRange {
        SerialRange::new(cea(2021), start, end).unwrap()
    }

    fn list(ranges: &[(u64, u64, char)]) -> HoldingList<char> {
        let ranges = ranges.iter().map(|(start, end, place)| (range(*start, *end), *place));
        HoldingList::new(ranges.collect()).unwrap()
    }

    fn found(left: &[(u64, u64, char)], right: &[(u64, u64, char)]) -> Vec<(u64, u64, String)> {
        let differences = list(left).differences(&list(right));
        let shown = |place: Option<char>| place.unwrap_or('-');
        let line = |d: &Difference<char>| {
            let sides = [shown(d.left), shown(d.right)].iter().collect();
            (d.range.start(), d.range.end(), sides)
        };
        differences.iter().map(line).collect()
    }

    #[test]
    fn equal_units_in_other_pieces_do_not_differ() {
        let left = [(1, 5, 'a'), (5, 9, 'a'), (9, 10, 'b')];
        assert_eq!(found(&left, &[(1, 9, 'a'), (9, 10, 'b')]), vec![]);
        assert_eq!(found(&[], &[]), vec![]);
    }

    #[test]
    fn every_kind_of_difference_is_found_to_the_unit() {
        let left = [(1, 10, 'a'), (20, 30, 'b')];
        let right = [(1, 4, 'a'), (4, 5, 'c'), (5, 10, 'a'), (25, 40, 'b')];
        let expected =
            vec![(4, 5, "ac".to_owned()), (20, 25, "b-".to_owned()), (30, 40, "-b".to_owned())];
        assert_eq!(found(&left, &right), expected);
        assert_eq!(found(&left, &[]), vec![(1, 10, "a-".into()), (20, 30, "b-".into())]);
        assert_eq!(found(&[], &left), vec![(1, 10, "-a".into()), (20, 30, "-b".into())]);
    }

    #[test]
    fn lists_agree_with_a_map_of_single_units() {
        let mut seed = 7u64;
        let mut next = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..500 {
            let mut side = || {
                let (mut ranges, mut units, mut at) = (Vec::new(), BTreeMap::new(), 1);
                for _ in 0..next(6) {
                    let start = at + next(3);
                    at = start + 1 + next(4);
                    let place = ['a', 'b'][usize::try_from(next(2)).unwrap()];
                    ranges.push((range(start, at), place));
                    units.extend((start..at).map(|unit| (unit, place)));
                }
                (HoldingList::new(ranges).unwrap(), units)
            };
            let ((left, left_units), (right, right_units)) = (side(), side());
            let mut named = BTreeMap::new();
            for difference in left.differences(&right) {
                for unit in difference.range.start()..difference.range.end() {
                    assert_eq!(named.insert(unit, (difference.left, difference.right)), None);
                }
            }
            for unit in 1..60 {
                let sides = (left_units.get(&unit).copied(), right_units.get(&unit).copied());
                assert_eq!(named.get(&unit).copied(), (sides.0 != sides.1).then_some(sides));
            }
        }
    }

    #[test]
    fn a_unit_named_twice_is_refused() {
        let twice = HoldingList::new(vec![(range(5, 9), 'a'), (range(1, 6), 'a')]);
        assert_eq!(twice, Err(UnitTwice { range: range(5, 9) }));
    }

    #[test]
    fn movements_bring_a_list_to_a_later_height() {
        let place = |number| UnitPlace {
            holder: AccountId::new(Role::KeyEmittingEntity, number).unwrap(),
            status: UnitStatus::Free,
        };
        let list = |ranges: &[(u64, u64, u64)]| {
            let ranges = ranges.iter().map(|(start, end, to)| (range(*start, *end), place(*to)));
            HoldingList::new(ranges.collect()).unwrap()
        };
        let moved = |start, end, to| UnitMovement {
            range: range(start, end),
            from: Some(place(1)),
            to: place(to),
        };
        let movements = [moved(4, 6, 2), moved(5, 9, 3), moved(20, 25, 4)];
        let after = list(&[(1, 10, 1)]).after(&movements);
        let expected = list(&[(1, 4, 1), (4, 5, 2), (5, 9, 3), (9, 10, 1), (20, 25, 4)]);
        assert_eq!(after.differences(&expected), vec![]);
    }
}
