//! Price and volume by month, drawn with characters.

use cets_contracts::types::BusinessDate;

use crate::demo::figures::MONTHS;
use crate::demo::totals::{Totals, divide_half_up};
use crate::text;
use crate::text::{Text, grouped};

/// Columns of the longest bar.
const BAR_COLUMNS: u64 = 36;
/// Columns of the price scale.
const PRICE_COLUMNS: u64 = 20;
/// Eighths of a column, from one to eight.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

struct Bar {
    month: String,
    tonnes: u64,
    /// Average price in fen per tonne; none without trades.
    price: Option<u64>,
}

/// One line per month: tonnes as a bar, the average price as a dot on a scale.
pub fn chart(totals: &Totals) -> Vec<Text> {
    let bars: Vec<Bar> = MONTHS.iter().map(|month| bar(totals, month.year, month.month)).collect();
    let most = bars.iter().map(|bar| bar.tonnes).max().unwrap_or(0);
    let prices = || bars.iter().filter_map(|bar| bar.price);
    let (low, high) = (prices().min().unwrap_or(0), prices().max().unwrap_or(0));
    let mut lines = vec![text!(
        "Month    {:<36} {:>12}  price {} to {} CNY",
        "月份     {:<36} {:>12}  价格 {} 至 {} 元",
        "",
        "t",
        yuan(low),
        yuan(high)
    )];
    lines.extend(bars.iter().map(|bar| {
        let dot = bar.price.map_or_else(String::new, |price| scale(price, low, high));
        let price = bar.price.map_or_else(String::new, yuan);
        Text::same(format!(
            "{}  {:<36} {:>12}  {dot:<20} {price:>6}",
            bar.month,
            drawn(bar.tonnes, most),
            grouped(bar.tonnes)
        ))
    }));
    lines
}

fn bar(totals: &Totals, year: u32, month: u32) -> Bar {
    let day = |day| BusinessDate::from_ymd(year, month, day).ok();
    let from = day(1).unwrap_or_default();
    let until = (28..=31).rev().find_map(day).unwrap_or_default();
    let turnover = totals.turnover(from, until, None);
    Bar {
        month: format!("{year}-{month:02}"),
        tonnes: turnover.tonnes,
        price: divide_half_up(turnover.fen, turnover.tonnes),
    }
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// A bar of whole and eighths of columns; anything above zero shows at least an eighth.
fn drawn(amount: u64, most: u64) -> String {
    let eighths = amount
        .saturating_mul(BAR_COLUMNS.saturating_mul(8))
        .checked_div(most)
        .unwrap_or(0)
        .max(u64::from(amount > 0));
    let mut bar = String::new();
    for _ in 0..eighths / 8 {
        bar.push('█');
    }
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    if let Some(part) = rest.checked_sub(1).and_then(|rest| EIGHTHS.get(rest)) {
        bar.push(*part);
    }
    bar
}

/// A dot between the lowest and the highest price.
fn scale(price: u64, low: u64, high: u64) -> String {
    let width = high.saturating_sub(low);
    let last = PRICE_COLUMNS.saturating_sub(1);
    let column = price.saturating_sub(low).saturating_mul(last).checked_div(width).unwrap_or(0);
    (0..PRICE_COLUMNS).map(|at| if at == column { '●' } else { '·' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_scales_fill_their_columns() {
        assert_eq!(drawn(100, 100).chars().count(), 36);
        assert_eq!(drawn(0, 100), "");
        assert_eq!(drawn(1, 1_000_000), "▏");
        assert_eq!(scale(40, 40, 80).chars().next(), Some('●'));
        assert_eq!(scale(80, 40, 80).chars().last(), Some('●'));
        assert_eq!(scale(60, 60, 60).chars().count(), 20);
    }
}
