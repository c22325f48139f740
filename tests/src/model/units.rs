//! Units of the model: one number per unit, saying where it is.

use std::collections::BTreeMap;

use cets_contracts::state::{UnitPlace, UnitStatus};
use cets_contracts::types::{AccountId, Instrument, Selection, SerialRange};

/// Largest serial number: twelve digits.
const SERIALS_MAX: u64 = 999_999_999_999;
/// Most ranges that a selection may name.
const RANGES_MAX: usize = 256;

/// Every unit ever issued, one by one.
#[derive(Clone, Debug, Default)]
pub struct Units {
    places: Vec<UnitPlace>,
    by_instrument: BTreeMap<Instrument, Vec<u32>>,
}

/// Serial numbers of one instrument, rising.
pub type Picked = Vec<(Instrument, u64)>;

impl Units {
    /// The number of a place; a new one if it is new.
    fn code(&mut self, place: UnitPlace) -> u32 {
        if let Some(code) = self.known(&place) {
            return code;
        }
        self.places.push(place);
        self.places.len() as u32 - 1
    }

    fn known(&self, place: &UnitPlace) -> Option<u32> {
        self.places.iter().position(|known| known == place).map(|code| code as u32)
    }

    /// Units issued so far.
    pub fn issued(&self, instrument: Instrument) -> u64 {
        self.by_instrument.get(&instrument).map_or(0, |units| units.len() as u64)
    }

    /// Instruments with units.
    pub fn instruments(&self) -> impl Iterator<Item = Instrument> {
        self.by_instrument.keys().copied()
    }

    /// Whether so many more units would pass twelve digits.
    pub fn would_exhaust(&self, instrument: Instrument, tonnes: u64) -> bool {
        self.issued(instrument).saturating_add(tonnes) > SERIALS_MAX
    }

    /// Issues units.
    pub fn issue(&mut self, instrument: Instrument, tonnes: u64, holder: AccountId) {
        let code = self.code(UnitPlace { holder, status: UnitStatus::Free });
        let units = self.by_instrument.entry(instrument).or_default();
        units.extend((0..tonnes).map(|_| code));
    }

    /// Where a unit is.
    pub fn place(&self, instrument: Instrument, number: u64) -> Option<UnitPlace> {
        let units = self.by_instrument.get(&instrument)?;
        let code = *units.get(usize::try_from(number.checked_sub(1)?).ok()?)?;
        self.places.get(code as usize).copied()
    }

    /// Tonnes of an instrument in a place.
    pub fn count(&self, instrument: Instrument, place: &UnitPlace) -> u64 {
        let Some(code) = self.known(place) else { return 0 };
        let units = self.by_instrument.get(&instrument).map_or(&[][..], Vec::as_slice);
        units.iter().filter(|unit| **unit == code).count() as u64
    }

    /// Tonnes free in an account.
    pub fn free(&self, instrument: Instrument, holder: AccountId) -> u64 {
        self.count(instrument, &UnitPlace { holder, status: UnitStatus::Free })
    }

    /// Serial numbers free in an account, rising.
    pub fn free_numbers(&self, instrument: Instrument, holder: AccountId) -> Vec<u64> {
        let free = self.known(&UnitPlace { holder, status: UnitStatus::Free });
        let units = self.by_instrument.get(&instrument).map_or(&[][..], Vec::as_slice);
        (1u64..).zip(units).filter(|(_, code)| Some(**code) == free).map(|(n, _)| n).collect()
    }

    /// Tonnes of an instrument per place.
    pub fn tally(&self, instrument: Instrument) -> Vec<(UnitPlace, u64)> {
        let mut counts = vec![0u64; self.places.len()];
        for code in self.by_instrument.get(&instrument).into_iter().flatten() {
            counts[*code as usize] += 1;
        }
        let all = self.places.iter().copied().zip(counts);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Refuses a selection by its shape.
    pub fn check_shape(selection: &Selection) -> Result<(), u16> {
        match selection {
            Selection::Quantity { tonnes, .. } if tonnes.get() == 0 => Err(1006),
            Selection::Quantity { .. } => Ok(()),
            Selection::Ranges(ranges) if ranges.is_empty() => Err(1006),
            Selection::Ranges(ranges) if ranges.len() > RANGES_MAX => Err(1008),
            Selection::Ranges(ranges) => {
                for (at, range) in ranges.iter().enumerate() {
                    if ranges[..at].iter().any(|other| shares_a_unit(range, other)) {
                        return Err(1007);
                    }
                }
                Ok(())
            }
        }
    }

    /// The units that a selection means, if the holder has them free.
    pub fn pick(&self, holder: AccountId, selection: &Selection) -> Result<Picked, u16> {
        let free = self.known(&UnitPlace { holder, status: UnitStatus::Free });
        match selection {
            Selection::Quantity { instrument, tonnes } => {
                let units = self.by_instrument.get(instrument).map_or(&[][..], Vec::as_slice);
                let mut picked = Vec::new();
                for (number, code) in (1u64..).zip(units) {
                    if picked.len() as u64 == tonnes.get() {
                        break;
                    }
                    if Some(*code) == free {
                        picked.push((*instrument, number));
                    }
                }
                if picked.len() as u64 == tonnes.get() { Ok(picked) } else { Err(1009) }
            }
            Selection::Ranges(ranges) => {
                let mut picked = Vec::new();
                for range in ranges {
                    let instrument = range.instrument();
                    let units = self.by_instrument.get(&instrument).map_or(&[][..], Vec::as_slice);
                    let from = usize::try_from(range.start() - 1).unwrap();
                    let to = usize::try_from(range.last()).unwrap();
                    let inside = units.get(from..to).ok_or(1010u16)?;
                    if inside.iter().any(|code| Some(*code) != free) {
                        return Err(1010);
                    }
                    picked.extend((range.start()..range.end()).map(|n| (instrument, n)));
                }
                Ok(picked)
            }
        }
    }

    /// Moves units.
    pub fn put(&mut self, picked: &Picked, place: UnitPlace) {
        let code = self.code(place);
        for (instrument, number) in picked {
            let units = self.by_instrument.get_mut(instrument).unwrap();
            units[usize::try_from(number - 1).unwrap()] = code;
        }
    }

    /// Runs of neighbouring serials among picked units.
    pub fn runs(picked: &Picked) -> Vec<(Instrument, u64, u64)> {
        let mut sorted = picked.clone();
        sorted.sort();
        let mut runs: Vec<(Instrument, u64, u64)> = Vec::new();
        for (instrument, number) in sorted {
            match runs.last_mut() {
                Some((last, _, end)) if *last == instrument && *end == number => *end += 1,
                _ => runs.push((instrument, number, number + 1)),
            }
        }
        runs
    }
}

/// Whether two ranges have a serial in common.
fn shares_a_unit(a: &SerialRange, b: &SerialRange) -> bool {
    a.instrument() == b.instrument() && a.start() <= b.last() && b.start() <= a.last()
}
