//! Paths of the files of the log (C2SP `tlog-tiles`), read strictly: one path for each file.

use core::fmt;
use core::str::FromStr;

use crate::log::{TILE_WIDTH, Tile};

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 64;

/// Why a text is no path of a file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogPathError {
    /// It is none of the files.
    #[error(
        "the files of the log are checkpoint, tlog-policy, tile/<L>/<N>[.p/<W>] and \
         tile/entries/<N>[.p/<W>]"
    )]
    Unknown,
    /// The level is no number from 0 to 7.
    #[error("the level of a tile is a number from 0 to 7 without leading zeros")]
    Level,
    /// The index is not in its only form.
    #[error(
        "the index of a tile is in groups of three digits, each but the last marked by x, without \
         a leading group of zeros: 067 or x001/x234/067"
    )]
    Index,
    /// The width is no number from 1 to 255.
    #[error("the width of a partial tile is a number from 1 to 255 without leading zeros")]
    Width,
}

/// A file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPath {
    /// `checkpoint`.
    Checkpoint,
    /// `tlog-policy`.
    Policy,
    /// `tile/<L>/<N>[.p/<W>]`.
    Tile(Tile),
    /// `tile/entries/<N>[.p/<W>]`: the entries of a tile of level 0.
    Entries(Tile),
}

impl LogPath {
    /// The files of a log of `size` entries that a log of `held` entries did not have, besides
    /// checkpoint and policy: each bundle of entries after its hashes, then the levels above.
    pub fn added(held: u64, size: u64) -> impl Iterator<Item = Self> {
        Tile::added(held, size).flat_map(|tile| {
            let entries = (tile.level == 0).then_some(Self::Entries(tile));
            [Some(Self::Tile(tile)), entries].into_iter().flatten()
        })
    }

    /// The tile, of its own or of its entries.
    pub const fn tile(&self) -> Option<Tile> {
        match self {
            Self::Tile(tile) | Self::Entries(tile) => Some(*tile),
            Self::Checkpoint | Self::Policy => None,
        }
    }

    /// Whether a log of `size` entries has the file: every hash or entry that it names.
    pub fn is_within(&self, size: u64) -> bool {
        let Some(tile) = self.tile() else { return true };
        Tile::at(tile.level, tile.index, size).is_some_and(|whole| whole.width >= tile.width)
    }
}

impl fmt::Display for LogPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Policy => f.write_str("tlog-policy"),
            Self::Tile(tile) => tile.fmt(f),
            Self::Entries(tile) => {
                let path = tile.to_string();
                f.write_str("tile/entries/")?;
                f.write_str(path.strip_prefix("tile/0/").unwrap_or(&path))
            }
        }
    }
}

impl FromStr for LogPath {
    type Err = LogPathError;

    fn from_str(text: &str) -> Result<Self, LogPathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(LogPathError::Unknown);
        }
        match text {
            "checkpoint" => return Ok(Self::Checkpoint),
            "tlog-policy" => return Ok(Self::Policy),
            _ => {}
        }
        let rest = text.strip_prefix("tile/").ok_or(LogPathError::Unknown)?;
        let (kind, rest) = rest.split_once('/').ok_or(LogPathError::Unknown)?;
        let level = match kind {
            "entries" => 0,
            level => number(level)
                .and_then(|level| u8::try_from(level).ok())
                .filter(|level| *level <= Tile::LEVEL_MAX)
                .ok_or(LogPathError::Level)?,
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => {
                let width = number(width).filter(|width| (1..TILE_WIDTH).contains(width));
                (index, width.ok_or(LogPathError::Width)?)
            }
        };
        let index = read_index(index).ok_or(LogPathError::Index)?;
        let width = u16::try_from(width).map_err(|_| LogPathError::Width)?;
        let tile = Tile { level, index, width };
        let path = if kind == "entries" { Self::Entries(tile) } else { Self::Tile(tile) };
        // Whatever was read leniently above is caught here: one path for each file.
        if path.to_string() == text { Ok(path) } else { Err(LogPathError::Index) }
    }
}

/// A decimal number in its only form: digits without leading zeros.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn read_index(text: &str) -> Option<u64> {
    let mut index = 0u64;
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_log_reads_back_from_its_path() {
        for size in [1, 255, 256, 257, 65_536, 1_234_567] {
            for path in LogPath::added(0, size) {
                assert_eq!(path.to_string().parse(), Ok(path));
                assert!(path.is_within(size));
            }
        }
        for path in [LogPath::Checkpoint, LogPath::Policy] {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        let far = LogPath::Tile(Tile { level: 0, index: 1_234_067, width: 256 });
        assert_eq!("tile/0/x001/x234/067".parse(), Ok(far));
    }

    #[test]
    fn other_spellings_are_refused_with_what_is_wrong() {
        use LogPathError::{Index, Level, Unknown, Width};
        for (text, error) in [
            ("", Unknown),
            ("/checkpoint", Unknown),
            ("Checkpoint", Unknown),
            ("tile", Unknown),
            ("tile/0", Unknown),
            ("tile/8/000", Level),
            ("tile/00/000", Level),
            ("tile/-1/000", Level),
            ("tile/data/000", Level),
            ("tile/0/0", Index),
            ("tile/0/0000", Index),
            ("tile/0/+01", Index),
            ("tile/0/../001", Index),
            ("tile/0/x000/001", Index),
            ("tile/0/001/001", Index),
            ("tile/0/x001", Index),
            ("tile/0/x999/x999/x999/x999/x999/x999/x999/999", Index),
            ("tile/0/000.p/0", Width),
            ("tile/0/000.p/256", Width),
            ("tile/0/000.p/05", Width),
            ("tile/0/000.p/5/", Width),
        ] {
            assert_eq!(text.parse::<LogPath>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_file_is_within_a_log_that_has_all_its_hashes() {
        let path = |text: &str| text.parse::<LogPath>().unwrap();
        assert!(path("tile/0/000.p/5").is_within(5));
        assert!(path("tile/0/000.p/5").is_within(1_000));
        assert!(!path("tile/0/000.p/6").is_within(5));
        assert!(!path("tile/0/000").is_within(255));
        assert!(path("tile/entries/000").is_within(256));
        assert!(!path("tile/1/000.p/2").is_within(511));
    }
}
