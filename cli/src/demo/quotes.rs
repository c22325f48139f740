//! Reads the exchange's daily quotes: one row per trading day and instrument.
//!
//! Columns: `date, instrument, open, high, low, close, listing_t, listing_cny, block_t, block_cny,
//! auction_t, auction_cny, total_t, total_cny`. `CEA` is the vintage 2019-20, `CEA21` the vintage
//! 2021 and so on; `COMCEA` rows hold the day's sums and composite prices. Reading is strict: the
//! first thing that does not fit is reported with its line and column.

use std::collections::BTreeMap;

use cets_contracts::types::{BusinessDate, Fen, Instrument, Tonnes, Vintage};

use super::error::PlanError;

/// The headings, in order.
pub const COLUMNS: [&str; 14] = [
    "date",
    "instrument",
    "open",
    "high",
    "low",
    "close",
    "listing_t",
    "listing_cny",
    "block_t",
    "block_cny",
    "auction_t",
    "auction_cny",
    "total_t",
    "total_cny",
];

/// Most rows that are read; the market had 4,825 in its first five years.
pub const QUOTE_ROWS_MAX: usize = 100_000;
/// Most tonnes of a row: more than a hundred years of the market.
const ROW_TONNES_MAX: u64 = 1_000_000_000_000;
/// Most fen of a row.
const ROW_FEN_MAX: u64 = 10_000_000_000_000_000;

/// How units changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Listing agreement, less than 100,000 t.
    Listing,
    /// Block agreement, 100,000 t or more.
    Block,
    /// One-way bidding.
    Auction,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::Listing, Self::Block, Self::Auction];
}

/// What was traded on a day of one instrument by one method; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Trading day.
    pub date: BusinessDate,
    /// Instrument.
    pub instrument: Instrument,
    /// Method.
    pub method: Method,
    /// Tonnes.
    pub tonnes: Tonnes,
    /// Turnover.
    pub fen: Fen,
}

/// Where the volumes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The exchange's daily quotes.
    Daily,
    /// The published monthly figures, spread over the trading days.
    Monthly,
}

/// What was traded, in the order of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Where it comes from.
    pub source: Source,
    /// Volumes by day, instrument and method.
    pub volumes: Vec<Volume>,
    /// Closing prices as quoted, by day and instrument; empty for monthly figures.
    pub closes: BTreeMap<(BusinessDate, Instrument), Fen>,
    /// Composite closing prices as quoted; empty for monthly figures.
    pub composites: BTreeMap<BusinessDate, Fen>,
}

/// Reads daily quotes up to and including a day; later rows are checked but not kept.
pub fn read(text: &str, until: BusinessDate) -> Result<Market, PlanError> {
    let mut lines = text.lines().enumerate();
    let (_, heading) = lines.next().unwrap_or((0, ""));
    check_heading(heading)?;
    let mut market = Market {
        source: Source::Daily,
        volumes: Vec::new(),
        closes: BTreeMap::new(),
        composites: BTreeMap::new(),
    };
    let mut day: Option<Day> = None;
    for (index, line) in lines {
        if index > QUOTE_ROWS_MAX {
            return Err(PlanError::MarketFile {
                problem: format!("more than {QUOTE_ROWS_MAX} rows"),
                remedy: "give the quotes of the market only",
            });
        }
        let row = Row::parse(index.saturating_add(1), line)?;
        match &mut day {
            Some(open) if open.date == row.date => open.add(row)?,
            _ => {
                if let Some(done) = day.take() {
                    done.check_follows(&row)?;
                    done.close(&mut market, until)?;
                }
                day = Some(Day::start(row)?);
            }
        }
    }
    match day {
        Some(last) => last.close(&mut market, until)?,
        None => return Err(empty_file()),
    }
    if market.volumes.is_empty() {
        return Err(empty_file());
    }
    Ok(market)
}

fn empty_file() -> PlanError {
    PlanError::MarketFile {
        problem: "it holds no trades of the replayed period".to_owned(),
        remedy: "give quotes from 2021-07-16 on, or leave the option out",
    }
}

fn check_heading(heading: &str) -> Result<(), PlanError> {
    let found: Vec<&str> = heading.trim_start_matches('\u{feff}').trim_end().split(',').collect();
    if found == COLUMNS {
        return Ok(());
    }
    let position = COLUMNS.iter().zip(&found).position(|(wanted, given)| wanted != given);
    let column = position.and_then(|at| COLUMNS.get(at)).copied().unwrap_or("date");
    Err(PlanError::MarketData {
        line: 1,
        column,
        problem: format!("the heading has {} columns that differ from here on", found.len()),
        remedy: "the heading must be date,instrument,open,high,low,close,listing_t,listing_cny,\
                 block_t,block_cny,auction_t,auction_cny,total_t,total_cny",
    })
}

/// Instrument of a row; the composite row has none.
type RowInstrument = Option<Instrument>;

/// Tonnes and fen by method, then in total.
type Amounts = [(u64, u64); 4];

struct Row {
    line: usize,
    date: BusinessDate,
    instrument: RowInstrument,
    close: Option<Fen>,
    amounts: Amounts,
}

impl Row {
    fn parse(line: usize, text: &str) -> Result<Self, PlanError> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let Ok([date, instrument, open, high, low, close, amounts @ ..]) =
            <[&str; 14]>::try_from(fields.as_slice())
        else {
            return Err(PlanError::MarketData {
                line,
                column: "date",
                problem: format!("{} columns instead of {}", fields.len(), COLUMNS.len()),
                remedy: "give every row all columns, separated by commas",
            });
        };
        let date = date.parse().map_err(|_| PlanError::MarketData {
            line,
            column: "date",
            problem: format!("\"{date}\" is no date"),
            remedy: "write dates as YYYY-MM-DD",
        })?;
        let instrument = parse_instrument(line, instrument)?;
        for (column, price) in [("open", open), ("high", high), ("low", low)] {
            parse_price(line, column, price)?;
        }
        let close = parse_price(line, "close", close)?;
        let amounts = parse_amounts(line, &amounts)?;
        Ok(Self { line, date, instrument, close, amounts })
    }
}

fn parse_instrument(line: usize, text: &str) -> Result<RowInstrument, PlanError> {
    if text == "COMCEA" {
        return Ok(None);
    }
    let wrong = || PlanError::MarketData {
        line,
        column: "instrument",
        problem: format!("\"{text}\" is no instrument"),
        remedy: "write CEA for 2019-20, CEA21 for 2021 and so on, COMCEA for the day's sums",
    };
    match text.strip_prefix("CEA").ok_or_else(wrong)? {
        "" => Ok(Some(Instrument::Cea(Vintage::CYCLE_2019_2020))),
        digits if digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let year: u16 = digits.parse().map_err(|_| wrong())?;
            if year < 21 {
                return Err(wrong());
            }
            let vintage = Vintage::new(year.saturating_add(2000)).map_err(|_| wrong())?;
            Ok(Some(Instrument::Cea(vintage)))
        }
        _ => Err(wrong()),
    }
}

/// A price; a blank is no price.
fn parse_price(line: usize, column: &'static str, text: &str) -> Result<Option<Fen>, PlanError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_fen(line, column, text).map(|fen| Some(Fen::new(fen)))
}

fn parse_fen(line: usize, column: &'static str, text: &str) -> Result<u64, PlanError> {
    let wrong = || PlanError::MarketData {
        line,
        column,
        problem: format!("\"{text}\" is no amount of money"),
        remedy: "write yuan with at most two decimals and without separators, for example 52.80",
    };
    if text.bytes().any(|byte| byte == b',' || byte == b'_') {
        return Err(wrong());
    }
    let fen: Fen = text.parse().map_err(|_| wrong())?;
    if fen.get() > ROW_FEN_MAX { Err(wrong()) } else { Ok(fen.get()) }
}

fn parse_tonnes(line: usize, column: &'static str, text: &str) -> Result<u64, PlanError> {
    let wrong = || PlanError::MarketData {
        line,
        column,
        problem: format!("\"{text}\" is no number of tonnes"),
        remedy: "write whole tonnes without separators, for example 130800",
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let tonnes: u64 = text.parse().map_err(|_| wrong())?;
    if tonnes > ROW_TONNES_MAX { Err(wrong()) } else { Ok(tonnes) }
}

fn parse_amounts(line: usize, fields: &[&str]) -> Result<Amounts, PlanError> {
    const NAMES: [(&str, &str); 4] = [
        ("listing_t", "listing_cny"),
        ("block_t", "block_cny"),
        ("auction_t", "auction_cny"),
        ("total_t", "total_cny"),
    ];
    let mut amounts = Amounts::default();
    for ((amount, pair), (tonnes_name, fen_name)) in
        amounts.iter_mut().zip(fields.chunks(2)).zip(NAMES)
    {
        let [tonnes, fen] = pair else { continue };
        *amount = (parse_tonnes(line, tonnes_name, tonnes)?, parse_fen(line, fen_name, fen)?);
        if (amount.0 == 0) != (amount.1 == 0) {
            return Err(PlanError::MarketData {
                line,
                column: fen_name,
                problem: format!("{} t for {} fen", amount.0, amount.1),
                remedy: "tonnes and money are both zero or both above zero",
            });
        }
    }
    let [listing, block, auction, total] = amounts;
    let sum = |of: fn((u64, u64)) -> u64| {
        of(listing).saturating_add(of(block)).saturating_add(of(auction))
    };
    for (column, found, wanted) in [
        ("total_t", total.0, sum(|amount| amount.0)),
        ("total_cny", total.1, sum(|amount| amount.1)),
    ] {
        if found != wanted {
            return Err(PlanError::MarketData {
                line,
                column,
                problem: format!("the three methods add up to {wanted}, the total is {found}"),
                remedy: "correct the row: a total is listing plus block plus auction",
            });
        }
    }
    Ok(amounts)
}

/// The rows of one trading day.
struct Day {
    date: BusinessDate,
    line: usize,
    composite: Option<Row>,
    rows: BTreeMap<Instrument, Row>,
}

impl Day {
    fn start(row: Row) -> Result<Self, PlanError> {
        let mut day =
            Self { date: row.date, line: row.line, composite: None, rows: BTreeMap::new() };
        day.keep(row)?;
        Ok(day)
    }

    fn add(&mut self, row: Row) -> Result<(), PlanError> {
        self.line = row.line;
        self.keep(row)
    }

    fn keep(&mut self, row: Row) -> Result<(), PlanError> {
        let line = row.line;
        let before = match row.instrument {
            None => self.composite.replace(row),
            Some(instrument) => self.rows.insert(instrument, row),
        };
        match before {
            None => Ok(()),
            Some(first) => Err(PlanError::MarketData {
                line,
                column: "instrument",
                problem: format!("line {} has the same day and instrument", first.line),
                remedy: "remove one of the two rows",
            }),
        }
    }

    fn check_follows(&self, next: &Row) -> Result<(), PlanError> {
        if self.date < next.date {
            return Ok(());
        }
        Err(PlanError::MarketData {
            line: next.line,
            column: "date",
            problem: format!("{} comes after {}", next.date, self.date),
            remedy: "sort the rows by date",
        })
    }

    /// Checks the composite row against the instruments and hands the day to the market.
    fn close(self, market: &mut Market, until: BusinessDate) -> Result<(), PlanError> {
        if let Some(composite) = &self.composite {
            let names = COLUMNS.get(6..).unwrap_or_default().chunks(2);
            for (method, pair) in names.enumerate() {
                let sum = |of: fn(&(u64, u64)) -> u64| -> u64 {
                    let amounts = self.rows.values().filter_map(|row| row.amounts.get(method));
                    amounts.map(of).fold(0, u64::saturating_add)
                };
                let found = composite.amounts.get(method).copied().unwrap_or_default();
                let wanted = (sum(|amount| amount.0), sum(|amount| amount.1));
                if found != wanted {
                    return Err(PlanError::MarketData {
                        line: composite.line,
                        column: pair.first().copied().unwrap_or("total_t"),
                        problem: format!(
                            "COMCEA has {} t for {} fen, the instruments {} t for {} fen",
                            found.0, found.1, wanted.0, wanted.1
                        ),
                        remedy: "give one row for every instrument of the day",
                    });
                }
            }
        }
        if self.date > until {
            return Ok(());
        }
        if let Some(close) = self.composite.as_ref().and_then(|row| row.close) {
            market.composites.insert(self.date, close);
        }
        for (instrument, row) in self.rows {
            if let Some(close) = row.close {
                market.closes.insert((self.date, instrument), close);
            }
            for (method, (tonnes, fen)) in Method::ALL.into_iter().zip(row.amounts) {
                if tonnes > 0 {
                    market.volumes.push(Volume {
                        date: row.date,
                        instrument,
                        method,
                        tonnes: Tonnes::new(tonnes),
                        fen: Fen::new(fen),
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "date,instrument,open,high,low,close,listing_t,listing_cny,block_t,\
                           block_cny,auction_t,auction_cny,total_t,total_cny";
    const DAY: &str = "2021-07-21,CEA,54.20,55.50,54.07,54.40,112000,6092830.00,100000,\
                       5292000.00,0,0,212000,11384830.00";

    fn until() -> BusinessDate {
        BusinessDate::from_ymd(2023, 12, 31).unwrap()
    }

    fn read_rows(rows: &[&str]) -> Result<Market, PlanError> {
        read(&format!("{HEADING}\r\n{}\r\n", rows.join("\r\n")), until())
    }

    /// Line, column and problem of a refused file.
    fn refusal(rows: &[&str]) -> (usize, &'static str, String) {
        match read_rows(rows) {
            Err(PlanError::MarketData { line, column, problem, .. }) => (line, column, problem),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_gives_one_volume_per_method_and_the_close() {
        let composite = DAY.replace("CEA", "COMCEA");
        let market = read_rows(&[DAY, &composite]).unwrap();
        let volumes: Vec<_> = market
            .volumes
            .iter()
            .map(|volume| (volume.method, volume.tonnes.get(), volume.fen.get()))
            .collect();
        assert_eq!(
            volumes,
            [(Method::Listing, 112_000, 609_283_000), (Method::Block, 100_000, 529_200_000)]
        );
        assert_eq!(market.closes.values().copied().collect::<Vec<_>>(), [Fen::new(5_440)]);
        assert_eq!(market.composites.len(), 1);
    }

    #[test]
    fn rows_after_the_last_day_are_left_out() {
        let late = DAY.replace("2021-07-21", "2024-01-02");
        assert_eq!(read_rows(&[DAY, &late]).unwrap().volumes.len(), 2);
        let only_late = read_rows(&[&late]);
        assert!(matches!(only_late, Err(PlanError::MarketFile { .. })), "{only_late:?}");
    }

    #[test]
    fn malformed_rows_are_refused_with_line_and_column() {
        let changed = |from: &str, to: &str| refusal(&[&DAY.replacen(from, to, 1)]);
        assert_eq!(changed("2021-07-21", "21.7.2021").1, "date");
        assert_eq!(changed("CEA", "CEA19").1, "instrument");
        assert_eq!(changed("CEA", "EUA").1, "instrument");
        assert_eq!(changed("54.20", "54.201").1, "open");
        assert_eq!(changed("112000", "112_000").1, "listing_t");
        assert_eq!(changed("112000", "-5").1, "listing_t");
        assert_eq!(changed("112000", "0").1, "listing_cny");
        assert_eq!(changed("212000", "212001").1, "total_t");
        assert_eq!(changed("11384830.00", "11384830.01").1, "total_cny");
        assert_eq!(refusal(&["2021-07-21,CEA"]).2, "2 columns instead of 14");
        assert_eq!(refusal(&[DAY, &DAY.replace("54.40", "x")]).0, 3);
    }

    #[test]
    fn days_out_of_order_duplicates_and_wrong_sums_are_refused() {
        assert_eq!(refusal(&[DAY, &DAY.replace("07-21", "07-20")]).1, "date");
        assert_eq!(refusal(&[DAY, DAY]).2, "line 2 has the same day and instrument");
        let composite = DAY.replace("CEA", "COMCEA").replace("112000", "112001");
        let composite = composite.replace("212000", "212001");
        assert_eq!(
            (refusal(&[DAY, &composite]).0, refusal(&[DAY, &composite]).1),
            (3, "listing_t")
        );
    }

    #[test]
    fn a_wrong_heading_names_the_first_column_that_differs() {
        let text = HEADING.replace("block_t", "bulk_t");
        match read(&text, until()) {
            Err(PlanError::MarketData { line: 1, column: "block_t", .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(read("", until()), Err(PlanError::MarketData { line: 1, .. })));
    }
}
