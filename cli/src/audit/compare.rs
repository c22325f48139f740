//! Holdings of two sides held against each other: nodes, exported histories, lists of institutions.

use std::path::{Path, PathBuf};

use cets_contracts::audit::{Difference, HoldingList, UnitTwice};
use cets_contracts::rules::UnitMovement;
use cets_contracts::state::{StatusKind, Table, UnitPlace};
use cets_contracts::types::{AccountId, Height, Instrument, SerialRange};

use super::{HistorySource, StoredHistory};
use crate::client::{Node, unit_range};
use crate::error::CliError;
use crate::text;

/// Where a list of holdings is read from.
pub enum HoldingsSource {
    /// A node.
    Node(Box<Node>),
    /// An exported history: its records.
    Export(PathBuf),
    /// A list of an institution's own (CSV).
    List(PathBuf),
}

/// Holder and, when both sides say it, status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The account.
    pub account: AccountId,
    /// The status; none when one side does not say it.
    pub status: Option<StatusKind>,
}

/// Which holdings are compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct HoldingsFilter {
    /// Only this holder's.
    pub account: Option<AccountId>,
    /// Only this instrument.
    pub instrument: Option<Instrument>,
}

/// Holdings as one side has them.
pub struct Holdings {
    /// Name of the side.
    pub name: String,
    /// Height, for sides that have one.
    pub height: Option<Height>,
    list: Listed,
}

enum Listed {
    /// The whole place of every unit.
    Places(HoldingList<UnitPlace>),
    /// What an institution wrote down.
    Lines { list: HoldingList<HeldBy>, has_status: bool },
}

/// Two sides compared.
pub struct Comparison {
    /// Ranges of the left side that were compared.
    pub left_ranges: usize,
    /// Ranges of the right side.
    pub right_ranges: usize,
    /// Movements that brought the lower of two nodes to the height of the other.
    pub movements: usize,
    /// Where they differ.
    pub differences: Vec<Difference<HeldBy>>,
}

impl HoldingsSource {
    /// Name for people.
    pub fn name(&self) -> String {
        match self {
            Self::Node(node) => node.address().to_owned(),
            Self::Export(path) | Self::List(path) => path.display().to_string(),
        }
    }

    /// Reads the holdings.
    pub fn read(&self, filter: &HoldingsFilter) -> Result<Holdings, CliError> {
        let name = self.name();
        let (height, list) = match self {
            Self::Node(node) => {
                let (height, ranges) = node.stored_units(filter.account, None)?;
                (Some(height), Listed::Places(in_order(&name, ranges)?))
            }
            Self::Export(path) => {
                let (height, ranges) = units_of_export(path)?;
                (Some(height), Listed::Places(in_order(&name, ranges)?))
            }
            Self::List(path) => {
                let file =
                    std::fs::read_to_string(path).map_err(|error| CliError::file(path, &error))?;
                let (ranges, has_status) = parse_list(&name, &file)?;
                (None, Listed::Lines { list: in_order(&name, ranges)?, has_status })
            }
        };
        Ok(Holdings { name, height, list })
    }
}

impl Holdings {
    /// The height of its list, when it is a node's or an export's.
    fn places(&self) -> Option<&HoldingList<UnitPlace>> {
        match &self.list {
            Listed::Places(list) => Some(list),
            Listed::Lines { .. } => None,
        }
    }

    const fn has_status(&self) -> bool {
        match &self.list {
            Listed::Places(_) => true,
            Listed::Lines { has_status, .. } => *has_status,
        }
    }

    /// The holdings that a filter keeps; without status only those that are still held.
    fn compared(&self, filter: &HoldingsFilter, with_status: bool) -> HoldingList<HeldBy> {
        let kept = |range: SerialRange, account: AccountId| {
            filter.account.is_none_or(|only| only == account)
                && filter.instrument.is_none_or(|only| only == range.instrument())
        };
        let said = |status: StatusKind| with_status.then_some(status);
        match &self.list {
            Listed::Places(list) => list.filtered(|range, place| {
                let kind = place.status.kind();
                let counts = kept(range, place.holder) && (with_status || kind.is_held());
                counts.then(|| HeldBy { account: place.holder, status: said(kind) })
            }),
            Listed::Lines { list, .. } => list.filtered(|range, line| {
                let status = line.status.filter(|_| with_status);
                kept(range, line.account).then_some(HeldBy { account: line.account, status })
            }),
        }
    }

    /// Compares two sides.
    ///
    /// When both are nodes at different heights, `later` gives the movements from the lower height
    /// to the higher, and the lower side is brought there first: neither node has to stop.
    pub fn compare(
        self,
        other: Self,
        filter: &HoldingsFilter,
        later: impl FnOnce(Height, Height) -> Result<Vec<UnitMovement>, CliError>,
    ) -> Result<Comparison, CliError> {
        let (mut left, mut right) = (self, other);
        let mut movements = 0;
        let both = left.places().is_some() && right.places().is_some();
        if let (true, Some(a), Some(b)) = (both, left.height, right.height)
            && a != b
        {
            let moved = later(a.min(b), a.max(b))?;
            movements = moved.len();
            let lower = if a < b { &mut left } else { &mut right };
            if let Listed::Places(list) = &mut lower.list {
                *list = core::mem::take(list).after(&moved);
            }
        }
        let with_status = left.has_status() && right.has_status();
        let (a, b) = (left.compared(filter, with_status), right.compared(filter, with_status));
        Ok(Comparison {
            left_ranges: a.ranges().len(),
            right_ranges: b.ranges().len(),
            movements,
            differences: a.differences(&b),
        })
    }
}

fn in_order<P: Copy + PartialEq>(
    name: &str,
    ranges: Vec<(SerialRange, P)>,
) -> Result<HoldingList<P>, CliError> {
    HoldingList::new(ranges).map_err(|UnitTwice { range }| {
        CliError::user(text!(
            "{name}: {range} stands twice, at least in part",
            "{name}：{range} 至少有一部分重复出现"
        ))
    })
}

fn units_of_export(path: &Path) -> Result<(Height, Vec<(SerialRange, UnitPlace)>), CliError> {
    let mut history = StoredHistory::open(path)?;
    while history.next_block()?.is_some() {}
    let mut ranges = Vec::new();
    let mut any = false;
    while let Some(records) = history.next_records()? {
        any = true;
        let units = records.iter().filter(|one| Table::of(&one.key) == Some(Table::Units));
        for record in units {
            ranges.push(unit_range(record).ok_or_else(|| {
                let key = &record.key;
                let (path, key) = (path.display(), hex::encode(key));
                CliError::user(text!(
                    "{path}: record {key} is no range of units",
                    "{path}：记录 {key} 不是单位区间"
                ))
            })?);
        }
    }
    if !any {
        let path = path.display();
        return Err(CliError::user(text!(
            "{path} carries no records of the state",
            "{path} 未附带状态记录"
        ))
        .hint(text!(
            "compare with a node, or with the export of a data folder",
            "请与节点比对，或使用数据目录的导出文件"
        )));
    }
    Ok((history.end()?, ranges))
}

/// Reads a list: a header line that names the columns `account`, `instrument`, `first`, `last` and
/// perhaps `status`, in any order among others, then a line per range.
pub fn parse_list(name: &str, text: &str) -> Result<(Vec<(SerialRange, HeldBy)>, bool), CliError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().zip(1usize..).filter(|(line, _)| !line.trim().is_empty());
    let header: Vec<&str> =
        lines.next().map(|(line, _)| line.split(',').map(field).collect()).unwrap_or_default();
    let column = |wanted: &str| header.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let needed = |wanted: &str| {
        column(wanted).ok_or_else(|| {
            CliError::user(text!(
                "{name}: the first line names no column `{wanted}`",
                "{name}：首行没有列 `{wanted}`"
            ))
            .hint(text!(
                "columns: account, instrument, first, last, and status if you keep it",
                "列：account、instrument、first、last，以及可选的 status"
            ))
        })
    };
    let columns = [needed("account")?, needed("instrument")?, needed("first")?, needed("last")?];
    let status = column("status");
    let mut ranges = Vec::new();
    for (line, number) in lines {
        let fields: Vec<&str> = line.split(',').map(field).collect();
        let parsed = parse_line(&fields, columns, status);
        ranges.push(parsed.map_err(|reason| {
            CliError::user(text!(
                "{name}, line {number}: {reason}",
                "{name} 第 {number} 行：{reason}"
            ))
        })?);
    }
    Ok((ranges, status.is_some()))
}

fn field(text: &str) -> &str {
    text.trim().trim_matches('"')
}

fn parse_line(
    fields: &[&str],
    [account, instrument, first, last]: [usize; 4],
    status: Option<usize>,
) -> Result<(SerialRange, HeldBy), String> {
    let get = |column: usize| fields.get(column).copied().ok_or("it has too few columns");
    let said = |column: &str, text: &str, error: &dyn std::fmt::Display| {
        format!("{column} `{text}`: {error}")
    };
    let number =
        |column: &str, text: &str| text.parse::<u64>().map_err(|error| said(column, text, &error));
    let (account, instrument) = (get(account)?, get(instrument)?);
    let (first, last) = (number("first", get(first)?)?, number("last", get(last)?)?);
    let holder = account.parse::<AccountId>().map_err(|error| said("account", account, &error))?;
    let instrument =
        instrument.parse::<Instrument>().map_err(|error| said("instrument", instrument, &error))?;
    let range = SerialRange::inclusive(instrument, first, last)
        .map_err(|error| format!("{first} to {last}: {error}"))?;
    let status = status.map(get).transpose()?.map(parse_status).transpose()?;
    Ok((range, HeldBy { account: holder, status }))
}

fn parse_status(text: &str) -> Result<StatusKind, String> {
    StatusKind::ALL
        .into_iter()
        .find(|kind| status_name(*kind) == text.to_ascii_lowercase())
        .ok_or_else(|| {
            let names: Vec<&str> = StatusKind::ALL.into_iter().map(status_name).collect();
            format!("status `{text}`: expected one of {}", names.join(", "))
        })
}

/// Name of a status in lists.
pub const fn status_name(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::Free => "free",
        StatusKind::LockedForTrade => "locked",
        StatusKind::Pledged => "pledged",
        StatusKind::Frozen => "frozen",
        StatusKind::Pending => "pending",
        StatusKind::Surrendered => "surrendered",
        StatusKind::Offset => "offset",
        StatusKind::Cancelled => "cancelled",
        StatusKind::CarriedOver => "carried_over",
        StatusKind::Deducted => "deducted",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_by_the_names_of_their_columns() {
        let list = "\u{feff}note,last,first,Instrument,account,status\r\n\
                    x,10,1,CEA-2021,KEE-1,free\r\n\r\ny,12,11,CEA-2021,KEE-1,Surrendered\r\n";
        let account = account();
        let list = list.replace("KEE-1", &account.to_string());
        let (ranges, has_status) = parse_list("list", &list).unwrap();
        assert!(has_status);
        assert_eq!(ranges.len(), 2);
        assert_eq!((ranges[0].0.start(), ranges[0].0.last()), (1, 10));
        assert_eq!(ranges[1].1.status, Some(StatusKind::Surrendered));
        assert_eq!(ranges[1].1.account, account);
    }

    fn account() -> AccountId {
        AccountId::new(cets_contracts::types::Role::KeyEmittingEntity, 1).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_its_line() {
        let words = |text: &str| {
            let text = text.replace("ACCOUNT", &account().to_string());
            parse_list("own.csv", &text).unwrap_err().to_human(crate::text::Lang::En)
        };
        assert!(words("account,first,last\n").contains("no column `instrument`"));
        let head = "account,instrument,first,last,status\n";
        for (line, expected) in [
            ("nobody,CEA-2021,1,2,free", "line 2: account `nobody`"),
            ("ACCOUNT,CEA,1,2,free", "line 2: instrument `CEA`"),
            ("ACCOUNT,CEA-2021,2,1,free", "line 2: 2 to 1"),
            ("ACCOUNT,CEA-2021,1,2,gone", "line 2: status `gone`"),
            ("ACCOUNT,CEA-2021,1", "line 2: it has too few columns"),
        ] {
            let shown = words(&format!("{head}{line}\n"));
            assert!(shown.contains(expected), "{shown}");
        }
    }
}
