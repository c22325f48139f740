//! Lines of rule book 8.1, 8.2, 8.4 and 8.5: trading.

use cets_contracts::types::{BusinessDate, Instrument, Vintage};

use super::line::{Line, Outcome, Unit, exact, grouped, not_applicable};
use crate::demo::figures::{
    CLOSES_2023, FIRST_BLOCK, FIRST_DAY, GROWTH_BLOCK, GROWTH_LISTING, GROWTH_TONNES,
    GROWTH_TURNOVER, MONTHS, Month, OPENING_PRICE, RISE_SINCE_START, RISE_TWO_YEARS,
    TRADING_DAYS_SECOND_CYCLE, TURNOVER_SECOND_CYCLE, TURNOVER_TO_2023, YEARS, Year,
};
use crate::demo::quotes::{Market, Method, Source};
use crate::demo::totals::{Totals, Turnover, composite, divide_half_up};

const MONTHLY: (&str, &str) = (
    "monthly figures hold no daily prices; give the daily quotes with --market-data",
    "月度数据不含每日价格；请用 --market-data 提供每日行情",
);
const LATER: (&str, &str) =
    ("after the replayed period, which ends on 2023-12-31", "在回放期（截至2023-12-31）之后");

/// Closing prices gathered from a ledger, when it was fed daily quotes.
struct Prices {
    composites: Vec<(BusinessDate, u64)>,
    by_instrument: Vec<(BusinessDate, Instrument, u64)>,
}

impl Prices {
    fn of(totals: &Totals) -> Self {
        let mut prices = Self { composites: Vec::new(), by_instrument: Vec::new() };
        for (date, closes) in totals.closes() {
            if let Some(composite) = composite(&closes) {
                prices.composites.push((date, composite));
            }
            for (instrument, close) in closes {
                prices.by_instrument.push((date, instrument, close));
            }
        }
        prices
    }

    fn within(&self, from: BusinessDate, until: BusinessDate) -> impl Iterator<Item = u64> {
        let within = self.composites.iter().filter(move |(date, _)| (from..=until).contains(date));
        within.map(|(_, close)| *close)
    }
}

pub(super) fn lines(totals: &Totals, market: &Market) -> Vec<Line> {
    let prices = (market.source == Source::Daily).then(|| Prices::of(totals));
    let mut lines = Vec::new();
    for year in YEARS {
        year_lines(year, totals, prices.as_ref(), &mut lines);
    }
    cycle_lines(totals, &mut lines);
    price_lines(totals, market, prices.as_ref(), &mut lines);
    lines.extend(later_lines());
    lines.extend(MONTHS.iter().map(|month| month_line(month, totals, prices.as_ref())));
    if prices.is_none() {
        let names = ("composite close of every month", "各月末综合收盘价");
        lines.push(not_applicable("8.4", names, "54.17 ... 79.42 CNY", MONTHLY));
    }
    let names = ("monthly CCER trading, issues by project", "CCER月度成交与各项目登记量");
    lines.push(not_applicable("8.5", names, "from 2024-01-22", LATER));
    lines
}

fn year_range(year: u32) -> (BusinessDate, BusinessDate) {
    range((year, 1, 1), (year, 12, 31))
}

fn range(from: (u32, u32, u32), until: (u32, u32, u32)) -> (BusinessDate, BusinessDate) {
    let date = |(y, m, d)| BusinessDate::from_ymd(y, m, d).unwrap_or_default();
    (date(from), date(until))
}

fn named(prefix: &str, english: &str, chinese: &str) -> (String, String) {
    (format!("{prefix} {english}"), format!("{prefix}年{chinese}"))
}

fn year_lines(year: &Year, totals: &Totals, prices: Option<&Prices>, lines: &mut Vec<Line>) {
    let (from, until) = year_range(year.year);
    let label = year.year.to_string();
    let by = |method| totals.turnover(from, until, Some(method)).tonnes;
    let all = totals.turnover(from, until, None);
    let start = range((2021, 1, 1), (2021, 1, 1)).0;
    let cumulative = totals.turnover(start, until, None).tonnes;
    let rows = [
        ("trading days", "交易日", Unit::Count, year.days, totals.trading_days(from, until)),
        ("listing tonnes", "挂牌协议成交量", Unit::Tonnes, year.listing, by(Method::Listing)),
        ("block tonnes", "大宗协议成交量", Unit::Tonnes, year.block, by(Method::Block)),
        ("auction tonnes", "单向竞价成交量", Unit::Tonnes, 0, by(Method::Auction)),
        ("total tonnes", "总成交量", Unit::Tonnes, year.total, all.tonnes),
        ("turnover", "成交额", Unit::Yuan, year.fen, all.fen),
        ("tonnes since the start", "累计成交量", Unit::Tonnes, year.cumulative, cumulative),
    ];
    for (english, chinese, unit, published, ledger) in rows {
        lines.push(exact("8.2", named(&label, english, chinese), unit, published, Some(ledger)));
    }
    let rows = [
        ("composite close", "年末综合收盘价", year.close),
        ("lowest composite close", "最低综合收盘价", year.close_min),
        ("highest composite close", "最高综合收盘价", year.close_max),
    ];
    let Some(prices) = prices else {
        for (english, chinese, published) in rows {
            let (english, chinese) = named(&label, english, chinese);
            let published = Unit::Yuan.write(published);
            lines.push(not_applicable("8.2", (&english, &chinese), &published, MONTHLY));
        }
        return;
    };
    let found = [
        prices.within(from, until).last(),
        prices.within(from, until).min(),
        prices.within(from, until).max(),
    ];
    for ((english, chinese, published), ledger) in rows.into_iter().zip(found) {
        let names = named(&label, english, chinese);
        lines.push(exact("8.2", names, Unit::Yuan, published, ledger));
    }
}

/// Growth from one amount to another in hundredths of a per cent, rounded half up.
fn growth(from: u64, to: u64) -> Option<u64> {
    divide_half_up(to.checked_sub(from)?.checked_mul(10_000)?, from)
}

fn cycle_lines(totals: &Totals, lines: &mut Vec<Line>) {
    let (start, first_end) = range((2021, 7, 1), (2021, 12, 31));
    let (second_start, end) = range((2022, 1, 1), (2023, 12, 31));
    let first = |method| totals.turnover(start, first_end, method);
    let second = |method| totals.turnover(second_start, end, method);
    let rise = |of: fn(Turnover) -> u64, method| growth(of(first(method)), of(second(method)));
    let tonnes: fn(Turnover) -> u64 = |turnover| turnover.tonnes;
    let fen: fn(Turnover) -> u64 = |turnover| turnover.fen;
    let days = totals.trading_days(second_start, end);
    let rows = [
        (
            "turnover to the end of 2023",
            "截至2023年底累计成交额",
            Unit::Yuan,
            TURNOVER_TO_2023,
            Some(totals.turnover(start, end, None).fen),
        ),
        (
            "turnover of the second cycle",
            "第二履约周期成交额",
            Unit::Yuan,
            TURNOVER_SECOND_CYCLE,
            Some(second(None).fen),
        ),
        (
            "days with trades, second cycle",
            "第二履约周期有成交交易日",
            Unit::Count,
            TRADING_DAYS_SECOND_CYCLE,
            Some(days),
        ),
        (
            "tonnes, second cycle against first",
            "第二周期较第一周期成交量增长",
            Unit::PerCent,
            GROWTH_TONNES,
            rise(tonnes, None),
        ),
        (
            "turnover, second cycle against first",
            "第二周期较第一周期成交额增长",
            Unit::PerCent,
            GROWTH_TURNOVER,
            rise(fen, None),
        ),
        (
            "listing, second cycle against first",
            "第二周期较第一周期挂牌增长",
            Unit::PerCent,
            GROWTH_LISTING,
            rise(tonnes, Some(Method::Listing)),
        ),
        (
            "block, second cycle against first",
            "第二周期较第一周期大宗增长",
            Unit::PerCent,
            GROWTH_BLOCK,
            rise(tonnes, Some(Method::Block)),
        ),
    ];
    for (english, chinese, unit, published, ledger) in rows {
        let names = (english.to_owned(), chinese.to_owned());
        lines.push(exact("8.2", names, unit, published, ledger));
    }
}

fn price_lines(totals: &Totals, market: &Market, prices: Option<&Prices>, lines: &mut Vec<Line>) {
    let Some(prices) = prices else {
        for (english, chinese, published) in [
            (
                "closes of the vintages, end of 2023",
                "2023年末各年份收盘价",
                "82.00/78.30/77.97 CNY",
            ),
            ("rise of the composite close in two years", "两年综合收盘价涨幅", "46.48 %"),
            ("rise since the first opening price", "较首日开盘价涨幅", "65.46 %"),
            ("first trading day", "首个交易日", "4,103,953 t, close 51.23 CNY"),
            ("first block agreement", "首笔大宗协议", "2021-07-21, 100,000 t, 52.92 CNY"),
        ] {
            lines.push(not_applicable("8.2", (english, chinese), published, MONTHLY));
        }
        return;
    };
    let last_close = |until: BusinessDate| {
        prices.composites.iter().rev().find(|(date, _)| *date <= until).map(|(_, close)| *close)
    };
    let (_, end) = year_range(2023);
    for (vintage, published) in CLOSES_2023 {
        let instrument = Vintage::new(*vintage).ok().map(Instrument::Cea);
        let own = prices.by_instrument.iter().rev();
        let close = own.into_iter().find(|(date, own, _)| *date <= end && Some(*own) == instrument);
        let names = (
            format!("close of vintage {vintage}, end of 2023"),
            format!("2023年末{vintage}年份收盘价"),
        );
        lines.push(exact("8.2", names, Unit::Yuan, *published, close.map(|(.., close)| *close)));
    }
    let two_years = last_close(year_range(2021).1).zip(last_close(end));
    let rise = two_years.and_then(|(from, to)| growth(from, to));
    let names = ("rise of the composite close in two years", "两年综合收盘价涨幅");
    lines.push(exact("8.2", owned(names), Unit::PerCent, RISE_TWO_YEARS, rise));
    let rise = last_close(end).and_then(|to| growth(OPENING_PRICE, to));
    let names = ("rise since the first opening price (48.00, as quoted)", "较首日开盘价48.00涨幅");
    lines.push(exact("8.2", owned(names), Unit::PerCent, RISE_SINCE_START, rise));
    first_day_lines(totals, prices, lines);
    lines.push(quoted_closes_line(market, prices));
}

fn owned((english, chinese): (&str, &str)) -> (String, String) {
    (english.to_owned(), chinese.to_owned())
}

fn first_day_lines(totals: &Totals, prices: &Prices, lines: &mut Vec<Line>) {
    let (first, _) = range((2021, 7, 16), (2021, 7, 16));
    let day = totals.turnover(first, first, None);
    let (tonnes, fen, close) = FIRST_DAY;
    let rows = [
        ("first trading day, tonnes", "首日成交量", Unit::Tonnes, tonnes, Some(day.tonnes)),
        ("first trading day, turnover", "首日成交额", Unit::Yuan, fen, Some(day.fen)),
        (
            "first trading day, close",
            "首日收盘价",
            Unit::Yuan,
            close,
            prices.within(first, first).next(),
        ),
    ];
    for (english, chinese, unit, published, ledger) in rows {
        lines.push(exact("8.2", owned((english, chinese)), unit, published, ledger));
    }
    let write = |date: BusinessDate, tonnes: u64, price: u64| {
        format!("{date}, {}, {}", Unit::Tonnes.write(tonnes), Unit::Yuan.write(price))
    };
    let (day, _) = range((2021, 7, 21), (2021, 7, 21));
    let published = write(day, FIRST_BLOCK.0, FIRST_BLOCK.1);
    let ledger = totals.first_block().map(|(date, tonnes, price)| write(date, tonnes, price));
    let (english, chinese) = owned(("first block agreement", "首笔大宗协议"));
    let ledger = ledger.unwrap_or_else(|| "-".to_owned());
    let outcome =
        if ledger == published { Outcome::Holds(ledger) } else { Outcome::Differs(ledger) };
    lines.push(Line { section: "8.2", english, chinese, published, outcome });
}

/// Every quoted close of the file against the close recomputed from the ledger's trades.
fn quoted_closes_line(market: &Market, prices: &Prices) -> Line {
    let composites = prices.composites.iter().filter(|(date, close)| {
        market.composites.get(date).is_some_and(|quoted| quoted.get() == *close)
    });
    let closes = prices.by_instrument.iter().filter(|(date, instrument, close)| {
        market.closes.get(&(*date, *instrument)).is_some_and(|quoted| quoted.get() == *close)
    });
    let equal = composites.count().saturating_add(closes.count()) as u64;
    let quoted = market.composites.len().saturating_add(market.closes.len()) as u64;
    let names = ("daily closes equal to the quoted ones", "与行情一致的每日收盘价");
    exact("2.6", owned(names), Unit::Count, quoted, Some(equal))
}

fn later_lines() -> [Line; 4] {
    [
        ("years 2024 to 2026", "2024至2026年", "188,646,053 t in 2024, ..."),
        (
            "tonnes by vintage to 2026-08-19",
            "截至2026-08-19各年份成交量",
            "287,758,119 t (2019-20), ...",
        ),
        (
            "highest close, first above 100, H1-2024 growth",
            "最高价、首次破百、2024上半年增长",
            "2024-11-13: 105.65 CNY, ...",
        ),
        ("one-way bidding", "单向竞价", "from 2025-07-16"),
    ]
    .map(|(english, chinese, published)| {
        not_applicable("8.2", (english, chinese), published, LATER)
    })
}

fn month_line(month: &Month, totals: &Totals, prices: Option<&Prices>) -> Line {
    let (from, until) = range((month.year, month.month, 1), (month.year, month.month, 28));
    let until = BusinessDate::from_ymd(month.year, month.month, 31)
        .or_else(|_| BusinessDate::from_ymd(month.year, month.month, 30))
        .unwrap_or(until);
    let all = totals.turnover(from, until, None);
    let by = |method| totals.turnover(from, until, Some(method)).tonnes;
    let write = |days: u64, listing: u64, block: u64, auction: u64, all: Turnover, average: u64| {
        format!(
            "{days} d, {} + {} + {auction} = {} t, {}, avg {}.{:02}",
            grouped(listing),
            grouped(block),
            grouped(all.tonnes),
            Unit::Yuan.write(all.fen),
            average / 100,
            average % 100
        )
    };
    let turnover = Turnover { tonnes: month.total, fen: month.fen };
    let mut published = write(month.days, month.listing, month.block, 0, turnover, month.average);
    let average = divide_half_up(all.fen, all.tonnes).unwrap_or(0);
    let mut ledger = write(
        totals.trading_days(from, until),
        by(Method::Listing),
        by(Method::Block),
        by(Method::Auction),
        all,
        average,
    );
    if let Some(prices) = prices {
        let close = |close: u64| format!(", close {}.{:02}", close / 100, close % 100);
        published.push_str(&close(month.close));
        ledger.push_str(&close(prices.within(from, until).last().unwrap_or(0)));
    }
    let outcome =
        if ledger == published { Outcome::Holds(ledger) } else { Outcome::Differs(ledger) };
    let name = format!("{}-{:02}", month.year, month.month);
    Line { section: "8.4", english: name.clone(), chinese: name, published, outcome }
}
