//! Lines of rule book 8.3 and 4.5: entities, issues, obligations and how they were met.

use cets_contracts::types::{BusinessDate, Vintage};

use super::line::{Line, Precision, Unit, exact, not_applicable, rounded};
use crate::demo::figures::{
    ENTITIES_CLOSED, ENTITIES_LISTED, ENTITIES_SECOND_CYCLE, UNPAID_ENTITIES_FEWER,
};
use crate::demo::population::OFFSET_PER_CENT_MAX;
use crate::demo::totals::{Totals, divide_half_up};

const MILLION: u64 = 1_000_000;
const LATER: (&str, &str) = (
    "the cycle ended after the replayed period, which ends on 2023-12-31",
    "该履约期晚于回放期（截至2023-12-31）",
);
const OUTSIDE: (&str, &str) =
    ("no ledger record of the replayed rules holds it", "回放所用规则的账本不记录该项");

fn year(number: u16) -> Vintage {
    Vintage::new(number).unwrap_or(Vintage::CYCLE_2019_2020)
}

fn names(english: &str, chinese: &str) -> (String, String) {
    (english.to_owned(), chinese.to_owned())
}

pub(super) fn lines(totals: &Totals) -> Vec<Line> {
    let mut lines = Vec::new();
    entity_lines(totals, &mut lines);
    issue_lines(totals, &mut lines);
    obligation_lines(totals, &mut lines);
    payment_lines(totals, &mut lines);
    offset_lines(totals, &mut lines);
    lines.extend(absent_lines());
    lines
}

fn entity_lines(totals: &Totals, lines: &mut Vec<Line>) {
    let first_end = BusinessDate::from_ymd(2021, 12, 31).unwrap_or_default();
    let cycle = year(1920);
    let rows = [
        (
            "2019-20 entities listed",
            "2019-20年名录重点排放单位",
            ENTITIES_LISTED,
            totals.entities_opened(first_end),
        ),
        (
            "2019-20 entities with allowances",
            "2019-20年分配配额的单位",
            2_011,
            totals.issued_of(cycle).1,
        ),
        (
            "2019-20 entities closed",
            "2019-20年关停未分配单位",
            ENTITIES_CLOSED,
            totals.entities_without(cycle, first_end),
        ),
        (
            "2021 entities",
            "2021年重点排放单位",
            ENTITIES_SECOND_CYCLE,
            totals.obligation(year(2021)).1,
        ),
        (
            "2022 entities",
            "2022年重点排放单位",
            ENTITIES_SECOND_CYCLE,
            totals.obligation(year(2022)).1,
        ),
    ];
    for (english, chinese, published, ledger) in rows {
        lines.push(exact("8.3", names(english, chinese), Unit::Count, published, Some(ledger)));
    }
}

fn issue_lines(totals: &Totals, lines: &mut Vec<Line>) {
    let issued = |number| (Unit::Tonnes, totals.issued_of(year(number)).0);
    let (_, first) = issued(1920);
    lines.push(rounded(
        "8.3",
        names("2019-20 covered per year", "2019-20年年均覆盖量"),
        (45, "about 4.5 Gt"),
        Precision::Rounded(100 * MILLION),
        (Unit::Tonnes, first / 2),
    ));
    for (number, published, text) in [(2021, 5_096, "5.096 Gt"), (2022, 5_104, "5.104 Gt")] {
        lines.push(rounded(
            "8.3",
            (format!("{number} issued"), format!("{number}年配额发放量")),
            (published, text),
            Precision::Rounded(MILLION),
            issued(number),
        ));
    }
}

fn obligation_lines(totals: &Totals, lines: &mut Vec<Line>) {
    for (number, published, text, surplus, surplus_text, share, share_text) in [
        (2021, 5_094, "5.094 Gt (cut)", 147, "1.47 Mt", 3, "0.03 %"),
        (2022, 5_091, "5.091 Gt (cut)", 1_298, "12.98 Mt", 25, "0.25 %"),
    ] {
        let (issued, _) = totals.issued_of(year(number));
        let (owed, _) = totals.obligation(year(number));
        let over = issued.saturating_sub(owed);
        lines.push(rounded(
            "8.3",
            (format!("{number} obligation"), format!("{number}年应清缴量")),
            (published, text),
            Precision::Cut(MILLION),
            (Unit::Tonnes, owed),
        ));
        lines.push(rounded(
            "8.3",
            (format!("{number} surplus"), format!("{number}年盈余")),
            (surplus, surplus_text),
            Precision::Rounded(MILLION / 100),
            (Unit::Tonnes, over),
        ));
        let share_found = divide_half_up(over.saturating_mul(10_000), issued).unwrap_or(0);
        lines.push(rounded(
            "8.3",
            (format!("{number} surplus in per cent"), format!("{number}年盈余率")),
            (share, share_text),
            Precision::Rounded(1),
            (Unit::PerCent, share_found),
        ));
    }
    let (deficit, entities) = totals.deficits(year(1920));
    lines.push(rounded(
        "8.3",
        names("2019-20 gross deficits", "2019-20年配额缺口总量"),
        (188, "188 Mt"),
        Precision::Rounded(MILLION),
        (Unit::Tonnes, deficit),
    ));
    let short = names("2019-20 entities with a deficit", "2019-20年存在缺口的单位");
    lines.push(exact("8.3", short, Unit::Count, 847, Some(entities)));
}

/// Share of an obligation that was met, in hundredths of a per cent, rounded half up.
fn met(totals: &Totals, number: u16) -> u64 {
    let (owed, _) = totals.obligation(year(number));
    let (unpaid, _) = totals.unpaid(year(number));
    divide_half_up(owed.saturating_sub(unpaid).saturating_mul(10_000), owed).unwrap_or(0)
}

fn payment_lines(totals: &Totals, lines: &mut Vec<Line>) {
    lines.push(rounded(
        "8.3",
        names("2019-20 compliance", "2019-20年履约率"),
        (995, "99.5 %"),
        Precision::Rounded(10),
        (Unit::PerCent, met(totals, 1920)),
    ));
    for (number, published) in [(2021, 9_961), (2022, 9_988)] {
        let names = (format!("{number} compliance"), format!("{number}年履约率"));
        lines.push(exact("8.3", names, Unit::PerCent, published, Some(met(totals, number))));
    }
    let first = totals.unpaid_entities(&[year(1920)]);
    let second = totals.unpaid_entities(&[year(2021), year(2022)]);
    let rows = [
        ("2019-20 entities that did not pay in full", "2019-20年未足额履约单位", 178, first),
        ("2021-22 entities that did not pay in full", "2021-22年未足额履约单位", 80, second),
        (
            "fewer than in the first cycle",
            "较第一周期减少",
            UNPAID_ENTITIES_FEWER,
            first.saturating_sub(second),
        ),
    ];
    for (english, chinese, published, ledger) in rows {
        lines.push(exact("8.3", names(english, chinese), Unit::Count, published, Some(ledger)));
    }
}

fn offset_lines(totals: &Totals, lines: &mut Vec<Line>) {
    let used = |number| totals.offset_for(year(number)).0;
    lines.push(rounded(
        "4.5",
        names("CCER used for 2019-20", "2019-20年抵销使用CCER"),
        (3_273, "32.73 Mt"),
        Precision::Rounded(MILLION / 100),
        (Unit::Tonnes, used(1920)),
    ));
    lines.push(exact(
        "4.5",
        names("CCER used for 2021-22", "2021-22年抵销使用CCER"),
        Unit::Tonnes,
        3_717_400,
        Some(used(2021).saturating_add(used(2022))),
    ));
    lines.push(exact(
        "4.1",
        names("offsets above 5 % of an obligation", "超过应清缴量5%的抵销"),
        Unit::Count,
        0,
        Some(totals.offsets_above(OFFSET_PER_CENT_MAX)),
    ));
}

fn absent_lines() -> [Line; 5] {
    [
        not_applicable(
            "8.3",
            ("2019-20 obligation", "2019-20年应清缴量"),
            "-",
            ("not published; the replay uses 8,800,000,000 t", "未公布；回放取8,800,000,000吨"),
        ),
        not_applicable(
            "8.3",
            ("2023 and 2024: issued, obligation, compliance", "2023、2024年发放、应清缴与履约"),
            "5.215 Gt, 5.244 Gt, 99.98 %, ...",
            LATER,
        ),
        not_applicable(
            "8.3",
            ("cumulative issue to June 2025, coverage 2026", "截至2025年6月累计发放、2026年覆盖"),
            "27.9 Gt, 8.3 Gt",
            LATER,
        ),
        not_applicable(
            "8.3",
            ("evaluations of verification bodies 2022-24", "2022-24年核查机构评估"),
            "3,990 for 2022, ...",
            OUTSIDE,
        ),
        not_applicable(
            "8.3",
            ("penalties to 2024", "截至2024年处罚"),
            "54 cases, 1.4 bn CNY",
            OUTSIDE,
        ),
    ]
}
