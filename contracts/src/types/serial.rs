//! Instruments, serial numbers and ranges of them, with the text form of the unified code.
//!
//! Text: `CN-CEA-VVVV-SSSSSSSSSSSS-EEEEEEEEEEEE-CC` and
//! `CN-CCER-PPPPPPP-VVVV-SSSSSSSSSSSS-EEEEEEEEEEEE-CC`; S and E are the first and the last serial
//! of the range, CC the ISO 7064 MOD 97-10 check digits over everything before them.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Tonnes;

/// Largest serial number: twelve digits.
pub const SERIAL_NUMBER_MAX: u64 = 999_999_999_999;

/// Why a text or a pair of numbers is no serial number, range or instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// The text has another shape.
    #[error(
        "expected CN-CEA-VVVV-SSSSSSSSSSSS-EEEEEEEEEEEE-CC or \
         CN-CCER-PPPPPPP-VVVV-SSSSSSSSSSSS-EEEEEEEEEEEE-CC"
    )]
    Shape,
    /// The instrument's text has another shape.
    #[error("expected an instrument such as CEA-2021, CEA-1920 or CCER-A210008-2021")]
    Instrument,
    /// The vintage is no compliance year of the market.
    #[error("the vintage must be 1920 (for 2019-2020) or a year from 2013 to 2999")]
    Vintage,
    /// The project code is not a letter and six digits.
    #[error("the project code must be a capital letter and six digits, for example A210008")]
    ProjectCode,
    /// The check digits do not fit the rest.
    #[error("the check digits should be {expected:02}")]
    CheckDigits {
        /// The check digits of the text as it stands.
        expected: u8,
    },
    /// The range is empty, reversed or beyond twelve digits.
    #[error("the first serial must be at least 1, at most the last, and have at most 12 digits")]
    Range,
}

/// ISO 7064 MOD 97-10 check digits of a text of digits, capital letters and hyphens.
pub fn check_digits(text: &str) -> u8 {
    let remainder = mod_97(text.bytes().chain(*b"00"));
    // 98 - remainder lies in 2..=98 by construction.
    98u8.saturating_sub(remainder)
}

fn mod_97(text: impl Iterator<Item = u8>) -> u8 {
    let mut remainder = 0u32;
    for byte in text {
        let value = match byte {
            b'0'..=b'9' => u32::from(byte.saturating_sub(b'0')),
            b'A'..=b'Z' => u32::from(byte.saturating_sub(b'A')).saturating_add(10),
            _ => continue,
        };
        let shift = if value < 10 { 10 } else { 100 };
        remainder = remainder.saturating_mul(shift).saturating_add(value) % 97;
    }
    u8::try_from(remainder).unwrap_or(0)
}

/// Compliance year of an allowance or calendar year of a reduction; 1920 stands for 2019-2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Vintage(u16);

impl Vintage {
    /// The first compliance cycle, 2019 and 2020 together.
    pub const CYCLE_2019_2020: Self = Self(1920);

    /// A vintage; refused outside 1920 and 2013 to 2999.
    pub const fn new(year: u16) -> Result<Self, SerialError> {
        if year == 1920 || (year >= 2013 && year <= 2999) {
            Ok(Self(year))
        } else {
            Err(SerialError::Vintage)
        }
    }

    /// The number in the code.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Vintage {
    type Error = SerialError;

    fn try_from(year: u16) -> Result<Self, SerialError> {
        Self::new(year)
    }
}

impl From<Vintage> for u16 {
    fn from(vintage: Vintage) -> u16 {
        vintage.0
    }
}

impl fmt::Display for Vintage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl FromStr for Vintage {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SerialError::Vintage);
        }
        Self::new(text.parse().map_err(|_| SerialError::Vintage)?)
    }
}

/// Public code of a CCER project: a capital letter and six digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectCode([u8; 7]);

impl ProjectCode {
    /// A project code from its seven ASCII bytes.
    pub fn new(bytes: [u8; 7]) -> Result<Self, SerialError> {
        let (letter, digits) = bytes.split_first().ok_or(SerialError::ProjectCode)?;
        if letter.is_ascii_uppercase() && digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(bytes))
        } else {
            Err(SerialError::ProjectCode)
        }
    }

    /// The seven ASCII bytes.
    pub const fn as_bytes(&self) -> &[u8; 7] {
        &self.0
    }
}

impl fmt::Display for ProjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).unwrap_or("???????"))
    }
}

impl fmt::Debug for ProjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ProjectCode {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        Self::new(text.as_bytes().try_into().map_err(|_| SerialError::ProjectCode)?)
    }
}

impl Serialize for ProjectCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            super::hash::serde_bytes_array::serialize(&self.0, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ProjectCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let bytes = super::hash::serde_bytes_array::deserialize(deserializer)?;
            Self::new(bytes).map_err(D::Error::custom)
        }
    }
}

/// A tradable kind of unit: an allowance vintage, or a project's reductions of one year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instrument {
    /// Carbon emission allowance (CEA) of one vintage.
    Cea(Vintage),
    /// Certified voluntary reductions (CCER) of one project and vintage.
    Ccer(ProjectCode, Vintage),
}

impl Instrument {
    /// Vintage of the units.
    pub const fn vintage(&self) -> Vintage {
        match self {
            Self::Cea(vintage) | Self::Ccer(_, vintage) => *vintage,
        }
    }

    /// Whether the units are certified voluntary reductions.
    pub const fn is_ccer(&self) -> bool {
        matches!(self, Self::Ccer(..))
    }

    fn code(&self) -> String {
        match self {
            Self::Cea(vintage) => format!("CN-CEA-{vintage}"),
            Self::Ccer(project, vintage) => format!("CN-CCER-{project}-{vintage}"),
        }
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cea(vintage) => write!(f, "CEA-{vintage}"),
            Self::Ccer(project, vintage) => write!(f, "CCER-{project}-{vintage}"),
        }
    }
}

impl FromStr for Instrument {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            ["CEA", vintage] => Ok(Self::Cea(vintage.parse()?)),
            ["CCER", project, vintage] => Ok(Self::Ccer(project.parse()?, vintage.parse()?)),
            _ => Err(SerialError::Instrument),
        }
    }
}

/// The form of an instrument in the canonical codec.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Instrument")]
enum InstrumentBytes {
    Cea(Vintage),
    Ccer(ProjectCode, Vintage),
}

impl Serialize for Instrument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        match *self {
            Self::Cea(vintage) => InstrumentBytes::Cea(vintage),
            Self::Ccer(project, vintage) => InstrumentBytes::Ccer(project, vintage),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Instrument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        Ok(match InstrumentBytes::deserialize(deserializer)? {
            InstrumentBytes::Cea(vintage) => Self::Cea(vintage),
            InstrumentBytes::Ccer(project, vintage) => Self::Ccer(project, vintage),
        })
    }
}

/// One unit: an instrument and a number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Serial {
    /// Instrument of the unit.
    pub instrument: Instrument,
    /// Number of the unit within the instrument.
    pub number: u64,
}

/// Consecutive serials of one instrument; half-open, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialRange {
    instrument: Instrument,
    start: u64,
    end: u64,
}

impl SerialRange {
    /// The serials from `start` up to but not including `end`.
    pub const fn new(instrument: Instrument, start: u64, end: u64) -> Result<Self, SerialError> {
        if start == 0 || start >= end || end > SERIAL_NUMBER_MAX.saturating_add(1) {
            return Err(SerialError::Range);
        }
        Ok(Self { instrument, start, end })
    }

    /// The serials from `first` to `last`, both included.
    pub const fn inclusive(
        instrument: Instrument,
        first: u64,
        last: u64,
    ) -> Result<Self, SerialError> {
        Self::new(instrument, first, last.saturating_add(1))
    }

    /// Instrument of all units in the range.
    pub const fn instrument(&self) -> Instrument {
        self.instrument
    }

    /// First serial number.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Serial number after the last.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Last serial number.
    pub const fn last(&self) -> u64 {
        self.end.saturating_sub(1)
    }

    /// Number of units.
    pub const fn tonnes(&self) -> Tonnes {
        Tonnes::new(self.end.saturating_sub(self.start))
    }

    /// Whether the unit lies in the range.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.instrument == serial.instrument
            && self.start <= serial.number
            && serial.number < self.end
    }

    /// Whether both ranges have a unit in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.instrument == other.instrument && self.start < other.end && other.start < self.end
    }

    /// The units in both ranges.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.instrument != other.instrument {
            return None;
        }
        Self::new(self.instrument, self.start.max(other.start), self.end.min(other.end)).ok()
    }

    /// The range cut before serial number `at`; none when a side would be empty.
    pub fn split_at(&self, at: u64) -> Option<(Self, Self)> {
        let left = Self::new(self.instrument, self.start, at).ok()?;
        let right = Self::new(self.instrument, at, self.end).ok()?;
        Some((left, right))
    }
}

impl fmt::Display for SerialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = format!("{}-{:012}-{:012}", self.instrument.code(), self.start, self.last());
        write!(f, "{code}-{:02}", check_digits(&code))
    }
}

impl FromStr for SerialRange {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let (code, check) = text.rsplit_once('-').ok_or(SerialError::Shape)?;
        let parts: Vec<&str> = code.split('-').collect();
        let (instrument, first, last) = match parts.as_slice() {
            ["CN", "CEA", vintage, first, last] => {
                (Instrument::Cea(vintage.parse()?), *first, *last)
            }
            ["CN", "CCER", project, vintage, first, last] => {
                (Instrument::Ccer(project.parse()?, vintage.parse()?), *first, *last)
            }
            _ => return Err(SerialError::Shape),
        };
        let expected = check_digits(code);
        if check != format!("{expected:02}") {
            return Err(SerialError::CheckDigits { expected });
        }
        Self::inclusive(instrument, twelve_digits(first)?, twelve_digits(last)?)
    }
}

fn twelve_digits(text: &str) -> Result<u64, SerialError> {
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SerialError::Shape);
    }
    text.parse().map_err(|_| SerialError::Shape)
}

/// The form of a range in the canonical codec.
#[derive(Serialize, Deserialize)]
#[serde(rename = "SerialRange")]
struct SerialRangeBytes {
    instrument: Instrument,
    start: u64,
    end: u64,
}

impl Serialize for SerialRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        SerialRangeBytes { instrument: self.instrument, start: self.start, end: self.end }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SerialRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let bytes = SerialRangeBytes::deserialize(deserializer)?;
        Self::new(bytes.instrument, bytes.start, bytes.end).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of rule book 7.2.
    const VECTORS: &[&str] = &[
        "CN-CEA-2024-000000000001-005306350000-93",
        "CN-CEA-2025-000000000001-000000010000-86",
        "CN-CEA-2025-000000000001-000000004000-44",
        "CN-CEA-2025-000000004001-000000010000-31",
        "CN-CEA-1920-000000000001-000000001000-77",
        "CN-CCER-A210008-2021-000000000001-000000403143-85",
        "CN-CCER-A210008-2020-000000000001-000000066365-98",
    ];

    #[test]
    fn published_serial_vectors_read_and_write_back() {
        for text in VECTORS {
            let range: SerialRange = text.parse().unwrap();
            assert_eq!(&range.to_string(), text);
        }
        let range: SerialRange = VECTORS[0].parse().unwrap();
        assert_eq!(range.tonnes(), Tonnes::new(5_306_350_000));
    }

    #[test]
    fn a_split_recomputes_both_check_digits() {
        let whole: SerialRange = VECTORS[1].parse().unwrap();
        let (left, right) = whole.split_at(4_001).unwrap();
        assert_eq!(
            (left.to_string().as_str(), right.to_string().as_str()),
            (VECTORS[2], VECTORS[3])
        );
        assert_eq!(whole.split_at(1), None);
        assert_eq!(whole.split_at(10_001), None);
    }

    #[test]
    fn every_single_digit_error_is_detected() {
        for text in VECTORS {
            for (position, old) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                for new in ('0'..='9').filter(|new| *new != old) {
                    let mut wrong = (*text).to_owned();
                    wrong.replace_range(position..=position, &new.to_string());
                    assert!(wrong.parse::<SerialRange>().is_err(), "{wrong}");
                }
            }
        }
    }

    #[test]
    fn malformed_serials_are_refused_with_the_reason() {
        let error = |text: &str| text.parse::<SerialRange>().unwrap_err();
        let wrong_check = "CN-CEA-2025-000000000001-000000004000-45";
        assert_eq!(error(wrong_check), SerialError::CheckDigits { expected: 44 });
        assert_eq!(error("EU-CEA-2025-000000000001-000000010000-86"), SerialError::Shape);
        assert_eq!(error("CN-CEA-2012-000000000001-000000010000-86"), SerialError::Vintage);
        assert_eq!(
            error("CN-CCER-a210008-2021-000000000001-000000403143-85"),
            SerialError::ProjectCode
        );
    }

    #[test]
    fn empty_and_reversed_ranges_do_not_exist() {
        let cea = Instrument::Cea(Vintage::CYCLE_2019_2020);
        assert_eq!(SerialRange::new(cea, 5, 5), Err(SerialError::Range));
        assert_eq!(SerialRange::new(cea, 6, 5), Err(SerialError::Range));
        assert_eq!(SerialRange::new(cea, 0, 5), Err(SerialError::Range));
        assert!(SerialRange::inclusive(cea, 1, SERIAL_NUMBER_MAX).is_ok());
        assert_eq!(SerialRange::inclusive(cea, 1, SERIAL_NUMBER_MAX + 1), Err(SerialError::Range));
    }
}
