//! What came back by webhook: how far messages came, and what became of a STOP.

use std::time::Duration;

use super::super::figures::{brief, percent};
use super::super::grid::{Side, table};
use super::super::optout::Record;
use super::super::reckoning::Reckoning;
use super::super::statuses::{Returned, Statuses};
use super::super::text::{Ink, Line, wrapped};
use super::Section;
use crate::cli::wording::{Count, counted};

/// The counts, and the story of the STOP; none where nothing came back.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let returned = &reckoning.returned;
    if returned.webhooks.posted == 0 {
        return None;
    }
    let header = [("STATUS", Side::Left), ("MESSAGES", Side::Right), ("OF TAKEN", Side::Right)];
    let Statuses { sent, delivered, read } = returned.statuses;
    let row = |name: &str, count: u64| {
        let share = percent(count, reckoning.taken_by_meta);
        vec![Line::of(Ink::Good, name), Line::of(Ink::Strong, Count(count).to_string()), Line::plain(share)]
    };
    let mut lines = table(&header, &[row("sent", sent), row("delivered", delivered), row("read", read)], width);
    for words in notes(returned) {
        lines.extend(wrapped(Ink::Faint, &words, width));
    }
    if let Some(record) = &reckoning.opt_out {
        lines.extend(wrapped(Ink::Plain, &story(record), width));
    }
    Some(Section { title: "What came back", lines })
}

fn notes(returned: &Returned) -> Vec<String> {
    let counts = &returned.webhooks;
    let milliseconds = |ms: f64| brief(Duration::from_secs_f64(ms / 1_000.0));
    let mut notes = vec![format!(
        "{} webhooks; half were answered within {}, 99 % within {}. {} statuses came twice, and of {} messages two in \
         the wrong order.",
        Count(counts.posted),
        milliseconds(counts.answers.median_ms),
        milliseconds(counts.answers.p99_ms),
        Count(counts.repeats),
        Count(counts.disordered)
    )];
    if returned.settled > 0 {
        notes.push(format!(
            "No answer came for {}; a status told that Meta had taken each.",
            counted(returned.settled, "message")
        ));
    }
    notes
}

fn story(record: &Record) -> String {
    let message = if record.is_suppressed { "ended as suppressed" } else { "did not end as suppressed" };
    let password = match record.password_took {
        Some(took) => format!("their one-time password still arrived, in {}", brief(took)),
        None => "their one-time password did not arrive".to_owned(),
    };
    format!(
        "{} wrote STOP while {} messages were in line: their queued message {message}; {password}.",
        record.name,
        Count(record.in_line)
    )
}
