//! What became of every job, and why of those that were not accepted.

use super::super::grid::{Side, columns};
use super::super::reckoning::{Cause, Reckoning};
use super::super::text::{Ink, Line};
use super::Section;
use crate::cli::wording::Count;
use crate::graph::{Path, codes};
use crate::outcome::{Reason, State};

/// States in order of a job's life, with the causes of each.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let mut rows = Vec::new();
    for (state, causes) in &reckoning.outcomes {
        for (place, cause) in causes.iter().enumerate() {
            let name = if place == 0 { state.as_str() } else { "" };
            rows.push((name, *state, cause));
        }
    }
    let room = width.saturating_sub(BESIDE_WHY);
    let cells: Vec<Vec<Line>> = rows
        .into_iter()
        .map(|(name, state, cause)| {
            let count = Line::of(Ink::Strong, Count(cause.count).to_string());
            vec![Line::of(ink(state), name), count, why(state, cause, room)]
        })
        .collect();
    Some(Section { title: "Outcomes", lines: columns(&[Side::Left, Side::Right, Side::Left], &cells, width) })
}

/// Columns of a state, a count and the blanks between.
const BESIDE_WHY: usize = 10 + 2 + 6 + 2;

const fn ink(state: State) -> Ink {
    match state {
        State::Accepted | State::Sent | State::Delivered | State::Read => Ink::Good,
        State::Queued | State::Waiting | State::Sending | State::Unknown => Ink::Plain,
        State::Failed => Ink::Bad,
        State::Expired | State::Cancelled | State::Suppressed | State::Unresolved => Ink::Warn,
    }
}

fn why(state: State, cause: &Cause, room: usize) -> Line {
    match (state, cause.reason) {
        (State::Accepted, _) => Line::of(Ink::Faint, "Meta took them"),
        (State::Sent, _) => Line::of(Ink::Faint, "Meta sent them on; they are not on the phone yet"),
        (State::Delivered, _) => Line::of(Ink::Faint, "on the phone, not opened"),
        (State::Read, _) => Line::of(Ink::Faint, "opened"),
        (State::Queued, _) => Line::of(Ink::Faint, "still in line"),
        (State::Expired, _) => {
            Line::plain("too late").with(Ink::Faint, ": worth nothing any more when their turn came")
        }
        (State::Unresolved, _) => Line::plain("nobody could say whether they were sent"),
        (_, Some(reason)) => reason_with_code(reason, cause.code, room),
        (_, None) => Line::new(),
    }
}

/// What to add to a reason that has no code of Meta's to explain it.
const GLOSSES: [(Reason, &str); 4] = [
    (Reason::NotTaken, ": a server before Meta was too busy"),
    (Reason::LastLook, ": stopped before a byte left"),
    (Reason::OptedOut, ": wrote STOP before its turn came"),
    (Reason::Failing, ": its number was being rested"),
];

/// A reason with Meta's code and what the code means, as far as there is room.
pub fn reason_with_code(reason: Reason, code: Option<u32>, room: usize) -> Line {
    let Some(code) = code else {
        let gloss = GLOSSES.iter().find(|(known, _)| *known == reason).map_or("", |(_, gloss)| gloss);
        return Line::plain(words(reason)).with(Ink::Faint, gloss);
    };
    let short = Line::plain(words(reason)).with(Ink::Faint, format!(", Meta's {code}"));
    let Some(row) = codes::lookup(Path::Messages, code, None) else { return short };
    let long = short.clone().with(Ink::Faint, format!(": {}", row.meaning));
    if long.width() <= room { long } else { short }
}

/// A reason as words.
pub fn words(reason: Reason) -> String {
    reason.as_str().replace('_', " ")
}
