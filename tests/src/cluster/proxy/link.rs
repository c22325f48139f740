//! What happens to the bytes that travel from one node to another.

use std::time::Duration;

use crate::workload::Chooser;

/// How long TCP waits before it sends a lost segment again.
const SENT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How a direction delays what it carries.
///
/// The connections are TCP, so what is lost arrives later, and all that follows it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Time that every piece takes.
    pub delay: Duration,
    /// Most time that a piece takes beyond it.
    pub jitter: Duration,
    /// Of a hundred pieces, how many are lost and sent again; one may be lost repeatedly.
    pub loss_percent: u64,
    /// Bytes a second; without a limit when 0.
    pub bytes_per_second: u64,
}

/// State of one direction between two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Carries bytes as they come.
    #[default]
    Open,
    /// Carries them with delay.
    Bad(Weather),
    /// Carries nothing and says nothing; what was sent arrives once it is healed, as TCP has it.
    Silent,
    /// Connections are reset, and new ones are, too.
    Refused,
}

impl Link {
    /// Whether nothing passes.
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Silent | Self::Refused)
    }
}

impl Weather {
    /// How long a piece of so many bytes travels.
    pub fn travel(&self, bytes: usize, chooser: &mut Chooser) -> Duration {
        let jitter = chooser.below(self.jitter.as_micros() as u64 + 1);
        let mut travel = self.delay + Duration::from_micros(jitter);
        let mut again = SENT_AGAIN_AFTER;
        while self.loss_percent > 0 && chooser.percent(self.loss_percent.min(90)) {
            travel += again;
            again *= 2;
        }
        travel + self.transmission(bytes)
    }

    /// How long so many bytes occupy the line.
    pub fn transmission(&self, bytes: usize) -> Duration {
        let micros = (bytes as u64 * 1_000_000).checked_div(self.bytes_per_second);
        Duration::from_micros(micros.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_travels_at_least_the_delay_and_at_most_delay_and_jitter_without_loss() {
        let (delay, jitter) = (Duration::from_millis(40), Duration::from_millis(10));
        let weather = Weather { delay, jitter, ..Weather::default() };
        let mut chooser = Chooser::new(3);
        let travels: Vec<Duration> = (0..500).map(|_| weather.travel(9, &mut chooser)).collect();
        assert!(travels.iter().all(|travel| (delay..=delay + jitter).contains(travel)));
        assert!(travels.iter().any(|travel| *travel > delay + jitter / 2));
    }

    #[test]
    fn lost_pieces_come_late_by_the_pauses_of_tcp() {
        let weather = Weather { loss_percent: 20, ..Weather::default() };
        let mut chooser = Chooser::new(3);
        let late = (0..1_000).filter(|_| weather.travel(9, &mut chooser) >= SENT_AGAIN_AFTER);
        let late = late.count();
        assert!((120..280).contains(&late), "{late} of 1,000");
    }

    #[test]
    fn a_narrow_line_takes_its_time() {
        let weather = Weather { bytes_per_second: 1_000, ..Weather::default() };
        assert_eq!(weather.transmission(500), Duration::from_millis(500));
        assert_eq!(Weather::default().transmission(500), Duration::ZERO);
    }
}
