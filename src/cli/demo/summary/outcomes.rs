//! What became of every job, and why of those that were not accepted.

use super::super::grid::{Side, columns};
use super::super::reckoning::{Cause, Reckoning};
use super::super::text::{Ink, Line};
use super::Section;
use crate::cli::wording::Count;
use crate::graph::{Path, codes};
use crate::outcome::{Reason, State};

pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let mut rows = Vec::new();
    for (state, causes) in &reckoning.outcomes {
        for (place, cause) in causes.iter().enumerate() {
            let name = if place == 0 { state.as_str() } else { "" };
            rows.push(vec![
                Line::of(ink(*state), name),
                Line::of(Ink::Strong, Count(cause.count).to_string()),
                why(*state, cause),
            ]);
        }
    }
    Some(Section { title: "Outcomes", lines: columns(&[Side::Left, Side::Right, Side::Left], &rows, width) })
}

const fn ink(state: State) -> Ink {
    match state {
        State::Accepted | State::Sent | State::Delivered | State::Read => Ink::Good,
        State::Queued | State::Waiting | State::Sending | State::Unknown => Ink::Plain,
        State::Failed => Ink::Bad,
        State::Expired | State::Cancelled | State::Suppressed | State::Unresolved => Ink::Warn,
    }
}

fn why(state: State, cause: &Cause) -> Line {
    let Some(reason) = cause.reason else {
        return Line::of(Ink::Faint, said_of(state));
    };
    let words = Line::plain(words(reason));
    match (meaning(cause.code), state) {
        (Some(meaning), _) => words.with(Ink::Faint, format!(": {meaning}")),
        (None, State::Unresolved) => words.with(Ink::Faint, ": nobody could say whether it was sent"),
        (None, _) => words,
    }
}

const fn said_of(state: State) -> &'static str {
    match state {
        State::Accepted => "Meta took them",
        State::Queued => "still in line",
        State::Sent
        | State::Delivered
        | State::Read
        | State::Waiting
        | State::Sending
        | State::Unknown
        | State::Failed
        | State::Expired
        | State::Cancelled
        | State::Suppressed
        | State::Unresolved => "",
    }
}

/// A reason as words.
pub fn words(reason: Reason) -> String {
    reason.as_str().replace('_', " ")
}

/// What Meta's code says.
pub fn meaning(code: Option<u32>) -> Option<String> {
    let code = code?;
    let row = codes::lookup(Path::Messages, code, None);
    Some(row.map_or_else(|| format!("Meta's {code}"), |row| format!("Meta's {code}, {}", row.meaning)))
}
