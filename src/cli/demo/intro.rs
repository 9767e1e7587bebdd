//! What the demo says before it begins, and where it sends its viewer afterwards. Pure.

use std::path::Path;

use super::grid::{Side, columns, indented};
use super::stage::rate;
use super::text::{Ink, Line, wrapped};
use crate::cli::wording::Count;

/// Lines longer than this are hard to read.
const WIDEST: usize = 110;

/// What is about to happen, and how long it takes.
pub fn lines(messages: u32, kept: Option<&Path>, width: usize) -> Vec<Line> {
    let width = width.clamp(40, WIDEST) - 2;
    // Retries and unknown outcomes end a few seconds after the campaign.
    let takes = messages.div_ceil(rate()) + 5;
    let words = format!(
        "A campaign of {} messages is about to go out by three numbers, as fast as Meta allows each of them, while \
         people log in and wait for their one-time passwords. Statuses come back by webhook, and one reader writes \
         STOP. Meta is simulated on this machine, and some things go \
         wrong on purpose. The rest is real: the jobs, the ledger on disk, the worker.",
        Count(messages.into())
    );
    let mut lines = vec![Line::new(), Line::of(Ink::Strong, "Tidegate").with(Ink::Faint, " · demo"), Line::new()];
    lines.extend(wrapped(Ink::Plain, &words, width));
    lines.push(Line::new());
    let leaves = kept.map_or_else(
        || "leaves nothing behind".to_owned(),
        |folder| format!("keeps its ledger in {}", folder.display()),
    );
    let takes = format!("It takes about {takes} seconds and {leaves}. Ctrl-C stops it.");
    lines.extend(wrapped(Ink::Faint, &takes, width));
    lines.push(Line::new());
    indented(lines, 1)
}

/// Where to look next.
pub fn next(kept: Option<&Path>, width: usize) -> Vec<Line> {
    let width = width.clamp(40, WIDEST) - 2;
    let mut rows: Vec<(String, &str)> = match kept {
        Some(folder) => {
            let set = format!("tidegate --set data_dir={}", folder.display());
            vec![
                (format!("{set} jobs list --state failed"), "the jobs that did not go out"),
                (format!("{set} show spring-sale-00014"), "all that is known of one of them"),
            ]
        }
        None => vec![("tidegate demo --keep DIR".to_owned(), "the same, and the ledger stays")],
    };
    rows.extend([
        ("tidegate simulate".to_owned(), "a Cloud API to try your own programs on"),
        ("tidegate send --to … --text … --run".to_owned(), "your first own message"),
        ("tidegate run".to_owned(), "a worker; status page on 127.0.0.1:9464"),
        ("README.md".to_owned(), "a test number of Meta's, step by step"),
    ]);
    let mut lines = vec![Line::of(Ink::Strong, "Where to look next")];
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let commands = widest(&mut rows.iter().map(|(command, _)| command.chars().count()));
    let words = widest(&mut rows.iter().map(|(_, words)| words.chars().count()));
    if commands + 2 + words > width {
        for (command, words) in &rows {
            lines.push(Line::of(Ink::Accent, command.clone()).clipped(width));
            lines.push(Line::of(Ink::Faint, format!("  {words}")).clipped(width));
        }
    } else {
        let cells: Vec<Vec<Line>> = rows
            .iter()
            .map(|(command, words)| vec![Line::of(Ink::Accent, command.clone()), Line::of(Ink::Faint, *words)])
            .collect();
        lines.extend(columns(&[Side::Left, Side::Left], &cells, width));
    }
    lines.push(Line::new());
    indented(lines, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_eighty_columns_nothing_is_cut() {
        let shown = super::super::samples::shown(&next(None, 80));
        assert!(shown.contains("tidegate run      ") && !shown.contains("…\n"), "{shown}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 40..=240 {
            let folder = Path::new("/var/lib/somewhere/far/away/from/here/and/longer/than/any/line/may/be/at/all");
            for line in
                lines(5_000, Some(folder), width).into_iter().chain(next(None, width)).chain(next(Some(folder), width))
            {
                assert!(line.width() <= width, "{width}: {line:?}");
            }
        }
    }
}
