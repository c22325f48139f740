//! One line of the comparison.

/// How a ledger compares with a published figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The ledger shows the same; the text is the ledger's figure.
    Holds(String),
    /// The ledger shows something else; the text is the ledger's figure.
    Differs(String),
    /// The replay cannot show the figure, in English and in Chinese.
    NotApplicable(&'static str, &'static str),
}

/// A published figure beside the ledger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Section of the rule book.
    pub section: &'static str,
    /// What the figure is, in English.
    pub english: String,
    /// What the figure is, in Chinese.
    pub chinese: String,
    /// The figure as published.
    pub published: String,
    /// The ledger's figure.
    pub outcome: Outcome,
}

/// In which unit a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Whole tonnes.
    Tonnes,
    /// Fen, written as yuan.
    Yuan,
    /// A number of things.
    Count,
    /// Hundredths of a per cent.
    PerCent,
}

impl Unit {
    pub(super) fn write(self, number: u64) -> String {
        match self {
            Self::Tonnes => format!("{} t", grouped(number)),
            Self::Yuan => format!("{}.{:02} CNY", grouped(number / 100), number % 100),
            Self::Count => grouped(number),
            Self::PerCent => format!("{}.{:02} %", number / 100, number % 100),
        }
    }
}

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (position, digit) in digits.chars().enumerate() {
        let rest = digits.len().saturating_sub(position);
        if position > 0 && rest.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure published to the last digit.
pub(super) fn exact(
    section: &'static str,
    (english, chinese): (String, String),
    unit: Unit,
    published: u64,
    ledger: Option<u64>,
) -> Line {
    let outcome = match ledger {
        Some(ledger) if ledger == published => Outcome::Holds(unit.write(ledger)),
        Some(ledger) => Outcome::Differs(unit.write(ledger)),
        None => Outcome::Differs("-".to_owned()),
    };
    Line { section, english, chinese, published: unit.write(published), outcome }
}

/// How a published figure lost its last digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// Rounded half up to so many units.
    Rounded(u64),
    /// Cut to so many units.
    Cut(u64),
}

/// A figure published with fewer digits: `published` times the precision's units, written `text`.
pub(super) fn rounded(
    section: &'static str,
    (english, chinese): (String, String),
    (published, text): (u64, &str),
    precision: Precision,
    (unit, ledger): (Unit, u64),
) -> Line {
    let shown = match precision {
        Precision::Rounded(step) => super::super::totals::divide_half_up(ledger, step),
        Precision::Cut(step) => ledger.checked_div(step),
    };
    let written = unit.write(ledger);
    let outcome =
        if shown == Some(published) { Outcome::Holds(written) } else { Outcome::Differs(written) };
    Line { section, english, chinese, published: text.to_owned(), outcome }
}

/// A figure the replay cannot show.
pub(super) fn not_applicable(
    section: &'static str,
    (english, chinese): (&str, &str),
    published: &str,
    (why, why_chinese): (&'static str, &'static str),
) -> Line {
    Line {
        section,
        english: english.to_owned(),
        chinese: chinese.to_owned(),
        published: published.to_owned(),
        outcome: Outcome::NotApplicable(why, why_chinese),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(441_622_611), "441,622,611");
        assert_eq!(Unit::Yuan.write(2_491_915_051_928), "24,919,150,519.28 CNY");
        assert_eq!(Unit::PerCent.write(4_701), "47.01 %");
    }

    #[test]
    fn rounded_figures_compare_at_their_printed_precision() {
        let line = |precision, ledger| {
            let names = (String::new(), String::new());
            rounded("8.3", names, (5_096, "5.096 Gt"), precision, (Unit::Tonnes, ledger)).outcome
        };
        let million = Precision::Rounded(1_000_000);
        assert!(matches!(line(million, 5_095_500_000), Outcome::Holds(_)));
        assert!(matches!(line(million, 5_096_500_000), Outcome::Differs(_)));
        assert!(matches!(line(Precision::Cut(1_000_000), 5_096_999_999), Outcome::Holds(_)));
    }
}
