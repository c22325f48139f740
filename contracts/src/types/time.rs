//! The ledger's two clocks: block time and the business date.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Milliseconds since 1970-01-01T00:00:00Z, as agreed in a block header.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct BlockTime(u64);

impl BlockTime {
    /// Wraps milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus so many milliseconds, capped at the largest time.
    pub const fn saturating_add_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The civil day of this time in UTC+8, the market's time zone.
    pub fn civil_date(self) -> BusinessDate {
        let days = self.0.saturating_add(8 * 3_600_000) / 86_400_000;
        BusinessDate(
            u32::try_from(days).unwrap_or(BusinessDate::DAYS_MAX).min(BusinessDate::DAYS_MAX),
        )
    }
}

/// Civil day in UTC+8, counted in days since 1970-01-01; text form is ISO 8601.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDate(u32);

/// A text or number that is no day between 1970-01-01 and 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date YYYY-MM-DD between 1970-01-01 and 9999-12-31")]
pub struct DateError;

impl BusinessDate {
    const DAYS_MAX: u32 = 2_932_896;

    /// Days since 1970-01-01; refused beyond 9999-12-31.
    pub const fn from_days(days: u32) -> Result<Self, DateError> {
        if days > Self::DAYS_MAX { Err(DateError) } else { Ok(Self(days)) }
    }

    /// Days since 1970-01-01.
    pub const fn as_days(self) -> u32 {
        self.0
    }

    /// The day of a calendar date (proleptic Gregorian).
    pub fn from_ymd(year: u32, month: u32, day: u32) -> Result<Self, DateError> {
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
            return Err(DateError);
        }
        if day > days_in_month(year, month) {
            return Err(DateError);
        }
        let mut days = 0u32;
        for earlier in 1970..year {
            days = days.saturating_add(if is_leap(earlier) { 366 } else { 365 });
        }
        for earlier in 1..month {
            days = days.saturating_add(days_in_month(year, earlier));
        }
        Self::from_days(days.saturating_add(day.saturating_sub(1)))
    }

    /// Year, month and day.
    pub fn ymd(self) -> (u32, u32, u32) {
        let mut rest = self.0;
        let mut year = 1970;
        loop {
            let length = if is_leap(year) { 366 } else { 365 };
            match rest.checked_sub(length) {
                Some(less) => rest = less,
                None => break,
            }
            year = year.saturating_add(1);
        }
        let mut month = 1;
        while let Some(less) = rest.checked_sub(days_in_month(year, month)) {
            rest = less;
            month = month.saturating_add(1);
        }
        (year, month, rest.saturating_add(1))
    }

    /// The day after; the last representable day has none.
    pub const fn next(self) -> Option<Self> {
        if self.0 >= Self::DAYS_MAX { None } else { Some(Self(self.0.saturating_add(1))) }
    }
}

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 => {
            if is_leap(year) {
                29
            } else {
                28
            }
        }
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BusinessDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
            return Err(DateError);
        }
        let number = |from: usize, to: usize| -> Result<u32, DateError> {
            let part = text.get(from..to).ok_or(DateError)?;
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(DateError);
            }
            part.parse().map_err(|_| DateError)
        };
        Self::from_ymd(number(0, 4)?, number(5, 7)?, number(8, 10)?)
    }
}

impl Serialize for BusinessDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for BusinessDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            Self::from_days(u32::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_through_text_and_days() {
        for text in ["1970-01-01", "2000-02-29", "2021-07-16", "2023-12-31", "9999-12-31"] {
            let date: BusinessDate = text.parse().unwrap();
            assert_eq!(date.to_string(), text);
            assert_eq!(BusinessDate::from_days(date.as_days()), Ok(date));
        }
        assert_eq!("2021-07-16".parse::<BusinessDate>().unwrap().as_days(), 18_824);
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in
            ["2021-02-29", "2021-13-01", "2021-00-10", "21-01-01", "2021-1-01", "+021-01-01"]
        {
            assert_eq!(text.parse::<BusinessDate>(), Err(DateError), "{text}");
        }
    }

    #[test]
    fn the_civil_day_changes_at_midnight_in_utc_plus_8() {
        let date = |millis| BlockTime::from_millis(millis).civil_date().to_string();
        assert_eq!(date(1_640_966_399_999), "2021-12-31");
        assert_eq!(date(1_640_966_400_000), "2022-01-01");
    }
}
