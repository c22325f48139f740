//! Trading days of the replayed period: weekdays without the public holidays.

use cets_contracts::types::BusinessDate;

/// Weekdays without trading, from the State Council's holiday notices for 2021, 2022 and 2023
/// (days as `MMDD`; mid-autumn, national day, new year, spring festival, Qingming, labour day,
/// dragon boat). Weekend days that those notices made working days are no trading days.
const HOLIDAYS: &[(u32, &[u32])] = &[
    (2021, &[920, 921, 1001, 1004, 1005, 1006, 1007]),
    (
        2022,
        &[
            103, 131, 201, 202, 203, 204, 404, 405, 502, 503, 504, 603, 912, 1003, 1004, 1005,
            1006, 1007,
        ],
    ),
    (
        2023,
        &[
            102, 123, 124, 125, 126, 127, 405, 501, 502, 503, 622, 623, 929, 1002, 1003, 1004,
            1005, 1006,
        ],
    ),
];

/// First trading day of the national market.
pub const FIRST_TRADING_DAY: (u32, u32, u32) = (2021, 7, 16);

/// Whether the national market was open on a day of 2021 (from July 16) to 2023.
pub fn is_trading_day(date: BusinessDate) -> bool {
    let (year, month, day) = date.ymd();
    if (year, month, day) < FIRST_TRADING_DAY || is_weekend(date) {
        return false;
    }
    let month_and_day = month.saturating_mul(100).saturating_add(day);
    HOLIDAYS
        .iter()
        .find(|(known, _)| *known == year)
        .is_some_and(|(_, holidays)| !holidays.contains(&month_and_day))
}

/// Trading days of a month, in order.
pub fn trading_days(year: u32, month: u32) -> Vec<BusinessDate> {
    (1..=31)
        .filter_map(|day| BusinessDate::from_ymd(year, month, day).ok())
        .filter(|date| is_trading_day(*date))
        .collect()
}

/// Saturday or Sunday; 1970-01-01 was a Thursday.
const fn is_weekend(date: BusinessDate) -> bool {
    let weekday = date.as_days().saturating_add(3) % 7;
    weekday >= 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::figures::MONTHS;

    #[test]
    fn every_month_has_the_published_number_of_trading_days() {
        for month in MONTHS {
            let days = trading_days(month.year, month.month);
            assert_eq!(days.len() as u64, month.days, "{}-{:02}", month.year, month.month);
        }
    }

    #[test]
    fn weekends_holidays_and_days_before_the_start_are_closed() {
        for text in ["2021-07-15", "2021-07-17", "2021-10-01", "2023-01-27", "2024-01-02"] {
            assert!(!is_trading_day(text.parse().unwrap()), "{text}");
        }
        for text in ["2021-07-16", "2021-12-31", "2023-08-28", "2023-12-29"] {
            assert!(is_trading_day(text.parse().unwrap()), "{text}");
        }
    }
}
