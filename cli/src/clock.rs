//! The time of this machine, and times of the ledger in words.

use std::time::{SystemTime, UNIX_EPOCH};

use cets_contracts::types::BlockTime;

use crate::error::CliError;
use crate::text;

/// The time of this machine.
pub fn now() -> Result<BlockTime, CliError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .map(BlockTime::from_millis)
        .ok_or_else(|| {
            CliError::user(text!(
                "the clock of this machine stands before 1970",
                "本机时钟早于 1970 年"
            ))
        })
}

/// A time in the market's time zone: `2021-07-16 09:30:00.000 +08:00`.
pub fn time_text(time: BlockTime) -> String {
    let local = time.as_millis().saturating_add(8 * 3_600_000);
    let millis = local % 1_000;
    let seconds = local / 1_000 % 86_400;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}.{millis:03} +08:00", time.civil_date())
}

/// Milliseconds of a duration such as `90s`, `15m`, `12h`.
pub fn duration_millis(text: &str) -> Result<u64, String> {
    let unit = |letters: &str, millis: u64| {
        let digits = text.strip_suffix(letters)?;
        digits.parse::<u64>().ok()?.checked_mul(millis)
    };
    unit("ms", 1)
        .or_else(|| unit("s", 1_000))
        .or_else(|| unit("m", 60_000))
        .or_else(|| unit("h", 3_600_000))
        .filter(|millis| *millis > 0)
        .ok_or_else(|| "expected a duration such as 90s, 15m or 12h".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_markets_time_zone() {
        let time = BlockTime::from_millis(1_626_399_000_123);
        assert_eq!(time_text(time), "2021-07-16 09:30:00.123 +08:00");
        assert_eq!(time_text(BlockTime::from_millis(0)), "1970-01-01 08:00:00.000 +08:00");
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration_millis("90s"), Ok(90_000));
        assert_eq!(duration_millis("250ms"), Ok(250));
        assert_eq!(duration_millis("12h"), Ok(43_200_000));
        for text in ["", "5", "h", "0s", "-1s", "1.5h", "99999999999999999999h"] {
            assert!(duration_millis(text).is_err(), "{text}");
        }
    }
}
