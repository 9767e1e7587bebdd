//! What each number did, against its limit.

use super::super::figures::{percent, whole_history};
use super::super::grid::{Side, table};
use super::super::reckoning::{NumberRecord, Reckoning};
use super::super::text::{Ink, Line, wrapped};
use super::{Section, quality_ink};
use crate::cli::wording::Count;

/// Columns of the table without the history.
const NARROW: usize = 74;
/// A history in fewer columns says nothing.
const LEAST_HISTORY: usize = 10;

/// The table, with a history where there is room for one.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let room = width.saturating_sub(NARROW + 2).min(60);
    let mut header = vec![
        ("NUMBER", Side::Left),
        ("QUALITY", Side::Left),
        ("LIMIT", Side::Right),
        ("WORST SECOND", Side::Right),
        ("AVERAGE", Side::Right),
        ("TAKEN", Side::Right),
        ("SHARE", Side::Right),
    ];
    if room >= LEAST_HISTORY {
        header.push(("RATE OVER TIME", Side::Left));
    }
    let mut rows = Vec::new();
    for number in &reckoning.numbers {
        let mut row = cells(number, reckoning.taken_by_meta);
        if room >= LEAST_HISTORY {
            let history = whole_history(&number.history, f64::from(number.player.limit), room);
            row.push(Line::of(Ink::Accent, history));
        }
        rows.push(row);
    }
    let mut lines = table(&header, &rows, width);
    for note in notes(&reckoning.numbers) {
        lines.extend(wrapped(Ink::Faint, &note, width));
    }
    Some(Section { title: "Numbers", lines })
}

fn cells(number: &NumberRecord, all: u64) -> Vec<Line> {
    let limit = number.player.limit;
    let worst_ink = if number.worst_second > limit as usize { Ink::Bad } else { Ink::Good };
    vec![
        Line::plain(number.player.display),
        Line::of(quality_ink(number.player.quality), number.player.quality.word()),
        Line::plain(format!("{limit}/s")),
        Line::of(worst_ink, number.worst_second.to_string()),
        Line::plain(format!("{:.1}/s", number.average)),
        Line::plain(Count(number.accepted).to_string()),
        Line::plain(percent(number.accepted, all)),
    ]
}

fn notes(numbers: &[NumberRecord]) -> Vec<String> {
    let too_fast: u64 = numbers.iter().map(|number| number.too_fast).sum();
    let fast = match too_fast {
        0 => "Worst second: the most requests in any sliding second, as Meta's side counted them. None was refused \
              for being too fast."
            .to_owned(),
        _ => format!(
            "Worst second: the most requests in any sliding second, as Meta's side counted them. {} came too fast and \
             went again, as happens when the machine stalls.",
            Count(too_fast)
        ),
    };
    let rested = numbers.iter().filter(|number| number.was_rested).map(|number| {
        let name = number.player.display;
        format!("{name} failed several times in a row and was rested; the others went on without it.")
    });
    std::iter::once(fast).chain(rested).collect()
}
