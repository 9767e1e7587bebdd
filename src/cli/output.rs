//! Data on stdout: as a table for people, as JSON for programs.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::outcome::words;

words! {
    /// In which form data is printed.
    Output {
        /// For people.
        Table = "table",
        /// One JSON document.
        Json = "json",
        /// One JSON object a line.
        Jsonl = "jsonl",
    }
}

/// A column of a list.
pub struct Column<Row> {
    /// What stands above it.
    pub title: &'static str,
    /// What a row has in it.
    pub cell: fn(&Row) -> String,
    /// Which side its cells keep to.
    pub side: Side,
}

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Words.
    Left,
    /// Counts.
    Right,
}

/// A column of words.
pub const fn words<Row>(title: &'static str, cell: fn(&Row) -> String) -> Column<Row> {
    Column { title, cell, side: Side::Left }
}

/// A column of counts.
pub const fn counts<Row>(title: &'static str, cell: fn(&Row) -> String) -> Column<Row> {
    Column { title, cell, side: Side::Right }
}

impl Output {
    /// Prints a list. An empty table prints nothing: the caller says on stderr that there is nothing.
    pub fn list<Row: Serialize>(self, rows: &[Row], columns: &[Column<Row>]) -> io::Result<()> {
        match self {
            Self::Table if rows.is_empty() => Ok(()),
            Self::Table => print(&table(rows, columns, None)),
            Self::Json => print(&serde_json::to_string_pretty(&readable(&rows)?)?),
            Self::Jsonl => rows.iter().try_for_each(|row| print(&serde_json::to_string(&readable(row)?)?)),
        }
    }

    /// Prints one thing: `text` for people, or the thing itself for programs.
    pub fn one(self, thing: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        match self {
            Self::Table => print(&text()),
            Self::Json => print(&serde_json::to_string_pretty(&readable(thing)?)?),
            Self::Jsonl => print(&serde_json::to_string(&readable(thing)?)?),
        }
    }
}

/// Prints a line on stdout, whatever the form.
pub fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// JSON with its moments in RFC 3339: the ledger's own types write milliseconds.
fn readable(thing: &impl Serialize) -> io::Result<Value> {
    let mut value = serde_json::to_value(thing)?;
    write_moments(&mut value);
    Ok(value)
}

fn write_moments(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(write_moments),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_i64().filter(|_| is_moment(name)) {
                    Some(millis) => *field = Value::String(Timestamp::from_millis(millis).to_string()),
                    None => write_moments(field),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// By its name, as all rows that are listed call their moments.
fn is_moment(name: &str) -> bool {
    matches!(name, "at" | "since" | "until" | "deadline") || name.ends_with("_at") || name.ends_with("_until")
}

/// A table as wide as the terminal, or as `width` says; no wider than it must be, and whole where nobody looks.
pub fn table<Row>(rows: &[Row], columns: &[Column<Row>], width: Option<u16>) -> String {
    let mut table = bare(width);
    table.set_header(columns.iter().map(|column| Cell::new(column.title)));
    for row in rows {
        table.add_row(columns.iter().map(|column| (column.cell)(row)));
    }
    for (drawn, column) in table.column_iter_mut().zip(columns) {
        drawn.set_padding((0, 1));
        match column.side {
            Side::Left => {}
            Side::Right => drawn.set_cell_alignment(CellAlignment::Right),
        }
    }
    table.trim_fmt()
}

/// Facts about one thing: a name and a value a line; those without a value are left out.
pub fn facts(facts: &[(&str, Option<String>)], width: Option<u16>) -> String {
    let mut table = bare(width);
    for (name, value) in facts {
        if let Some(value) = value {
            table.add_row([name, value.as_str()]);
        }
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 1));
    });
    table.trim_fmt()
}

fn bare(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        id: &'static str,
        count: u64,
    }

    const COLUMNS: &[Column<Row>] =
        &[words("JOB", |row| row.id.to_owned()), counts("ATTEMPTS", |row| row.count.to_string())];

    #[test]
    fn a_table_is_as_wide_as_its_content() {
        let rows = [Row { id: "order-17-shipped", count: 1 }, Row { id: "b", count: 12 }];
        let text = table(&rows, COLUMNS, Some(200));
        assert_eq!(
            text,
            "JOB               ATTEMPTS\n\
             ───────────────────────────\n\
             order-17-shipped         1\n\
             b                       12"
        );
    }

    #[test]
    fn a_table_wraps_where_the_terminal_is_narrow() {
        let rows = [Row { id: "a name of many words that goes on and on", count: 1 }];
        let text = table(&rows, COLUMNS, Some(30));
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.lines().count() > 3, "{text}");
    }

    #[test]
    fn moments_are_written_in_full_wherever_they_stand() {
        let thing = serde_json::json!({"jobs": 7, "trail": [{"at": 0, "until": null}], "created_at": 1_500});
        let expected = serde_json::json!({
            "jobs": 7,
            "trail": [{"at": "1970-01-01T00:00:00.000Z", "until": null}],
            "created_at": "1970-01-01T00:00:01.500Z",
        });
        assert_eq!(readable(&thing).expect("JSON"), expected);
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let text = facts(&[("job", Some("a".into())), ("code", None), ("state", Some("queued".into()))], Some(80));
        assert_eq!(text, "job    a\nstate  queued");
    }
}
