//! What commands answer, as tables, JSON or CSV.
//!
//! A command returns one [`Report`]: a JSON value for programs and sections for people. Nothing
//! else prints to standard output, so `--output json` always gives exactly one document, on
//! failure too.

use comfy_table::{
    CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle,
};
use serde_json::Value;

use crate::error::ErrorKind;
use crate::text::{Lang, Text, grouped};

/// Form of what is printed on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputForm {
    /// Tables for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// The rows of the first table, comma-separated (RFC 4180).
    Csv,
}

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words and identifiers.
    Left,
    /// Numbers.
    Right,
}

/// Name and alignment of a column.
#[derive(Clone, Debug)]
pub struct Column {
    name: Text,
    align: Align,
}

/// A column of words.
pub fn left(name: Text) -> Column {
    Column { name, align: Align::Left }
}

/// A column of numbers.
pub fn right(name: Text) -> Column {
    Column { name, align: Align::Right }
}

/// One value in a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Words, the same in every form.
    Words(Text),
    /// Digits with at most one point: grouped for people, plain for programs.
    Number(String),
}

impl Cell {
    /// A cell of words that are the same in every language.
    pub fn same(text: impl ToString) -> Self {
        Self::Words(Text::same(text))
    }

    /// A cell of digits.
    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    /// The value as people read it.
    pub fn for_people(&self, lang: Lang) -> String {
        match self {
            Self::Words(text) => text.get(lang).to_owned(),
            Self::Number(digits) => grouped(digits),
        }
    }

    fn for_programs(&self, lang: Lang) -> &str {
        match self {
            Self::Words(text) => text.get(lang),
            Self::Number(digits) => digits,
        }
    }
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Words(text)
    }
}

/// Part of what a command shows to people.
#[derive(Clone, Debug)]
enum Section {
    Line(Text),
    Facts(Vec<(Text, Cell)>),
    Rows { columns: Vec<Column>, rows: Vec<Vec<Cell>> },
}

/// Answer of a command.
#[derive(Clone, Debug)]
pub struct Report {
    json: Value,
    sections: Vec<Section>,
    /// Printed as it is, without any form: scripts, completions, exported text.
    raw: Option<String>,
    exit_code: u8,
}

impl Report {
    /// An answer with its form for programs.
    pub const fn new(json: Value) -> Self {
        Self { json, sections: Vec::new(), raw: None, exit_code: 0 }
    }

    /// An answer that is printed as it is in every form, for example a completion script.
    pub const fn raw(text: String) -> Self {
        Self { json: Value::Null, sections: Vec::new(), raw: Some(text), exit_code: 0 }
    }

    /// Adds a line of text.
    #[must_use]
    pub fn line(mut self, line: Text) -> Self {
        self.sections.push(Section::Line(line));
        self
    }

    /// Adds names and values, one pair a line.
    #[must_use]
    pub fn facts(mut self, facts: Vec<(Text, Cell)>) -> Self {
        self.sections.push(Section::Facts(facts));
        self
    }

    /// Adds one name and value, for people and for programs under `key`.
    #[must_use]
    pub fn fact(mut self, key: &str, value: Cell, name: Text) -> Self {
        if let Value::Object(fields) = &mut self.json {
            fields.insert(key.to_owned(), value.for_programs(Lang::En).into());
        }
        self.facts(vec![(name, value)])
    }

    /// Adds a table.
    #[must_use]
    pub fn rows(mut self, columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        self.sections.push(Section::Rows { columns, rows });
        self
    }

    /// An answer that is complete and yet means failure: a refused transaction, a broken history.
    #[must_use]
    pub const fn failing(mut self, kind: ErrorKind) -> Self {
        self.exit_code = kind.exit_code();
        self
    }

    /// Exit code of the process.
    pub const fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The form for programs.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// What is printed on standard output.
    pub fn render(&self, form: OutputForm, lang: Lang, width: Option<u16>) -> String {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        match form {
            OutputForm::Json => json_text(&self.json),
            OutputForm::Csv => self.render_csv(lang),
            OutputForm::Table => {
                let parts: Vec<String> = self
                    .sections
                    .iter()
                    .map(|section| render_section(section, lang, width))
                    .collect();
                parts.join("\n")
            }
        }
    }

    fn render_csv(&self, lang: Lang) -> String {
        let table = self.sections.iter().find(|section| matches!(section, Section::Rows { .. }));
        if let Some(Section::Rows { columns, rows }) = table {
            let header = csv_line(columns.iter().map(|column| column.name.get(lang)));
            let lines =
                rows.iter().map(|row| csv_line(row.iter().map(|cell| cell.for_programs(lang))));
            return std::iter::once(header).chain(lines).collect();
        }
        self.sections
            .iter()
            .filter_map(|section| match section {
                Section::Facts(facts) => Some(facts),
                _ => None,
            })
            .flatten()
            .map(|(name, value)| csv_line([name.get(lang), value.for_programs(lang)]))
            .collect()
    }
}

/// A JSON document with a line end.
pub fn json_text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells
        .into_iter()
        .map(|cell| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.to_owned()
            }
        })
        .collect();
    format!("{}\r\n", cells.join(","))
}

fn render_section(section: &Section, lang: Lang, width: Option<u16>) -> String {
    match section {
        Section::Line(line) => format!("{}\n", line.get(lang)),
        Section::Facts(facts) => {
            let mut table = plain_table(width);
            for (name, value) in facts {
                table.add_row([name.get(lang).to_owned(), value.for_people(lang)]);
            }
            table_text(&table)
        }
        Section::Rows { columns, rows } => {
            let mut table = plain_table(width);
            table.set_header(columns.iter().map(|column| column.name.get(lang)));
            for row in rows {
                table.add_row(row.iter().map(|cell| cell.for_people(lang)));
            }
            for (column, named) in table.column_iter_mut().zip(columns) {
                if named.align == Align::Right {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
            table_text(&table)
        }
    }
}

/// A line under the heading and nothing else: easy to read, easy to cut columns from.
fn plain_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    let style = TableStyle::new()
        .header_lines(ContentLineStyle::none())
        .header_separator(LineStyle::none().fill('─').junction('─'))
        .content_lines(ContentLineStyle::none());
    table.load_style(style).force_no_tty();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn table_text(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text;

    fn example() -> Report {
        Report::new(json!([{ "name": "a,b", "tonnes": 1000 }])).rows(
            vec![left(text!("name", "名称")), right(text!("tonnes", "吨"))],
            vec![vec![Cell::same("a,b"), Cell::number(1000)]],
        )
    }

    #[test]
    fn csv_quotes_what_needs_quotes() {
        let csv = example().render(OutputForm::Csv, Lang::En, None);
        assert_eq!(csv, "name,tonnes\r\n\"a,b\",1000\r\n");
    }

    #[test]
    fn json_is_one_document() {
        let printed = example().render(OutputForm::Json, Lang::Zh, None);
        let value: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(value[0]["tonnes"], 1000);
    }

    #[test]
    fn tables_have_no_colour_and_numbers_stand_right() {
        let table = example().render(OutputForm::Table, Lang::Zh, None);
        assert!(table.contains("名称") && !table.contains('\u{1b}'), "{table}");
        let row = table.lines().find(|line| line.contains("a,b")).unwrap();
        assert!(row.ends_with("1,000"), "{table}");
    }
}
