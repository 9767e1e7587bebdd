//! How long one-time passwords took, and how long the campaign.

use super::super::desk::Kind;
use super::super::figures::brief;
use super::super::grid::{Side, table};
use super::super::reckoning::Reckoning;
use super::super::text::{Ink, Line, wrapped};
use super::Section;
use crate::cli::wording::Count;

/// The table; none before anything has arrived.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    if reckoning.latencies.is_empty() {
        return None;
    }
    let header = [
        ("FROM HANDED IN TO META", Side::Left),
        ("COUNT", Side::Right),
        ("HALF WITHIN", Side::Right),
        ("99 % WITHIN", Side::Right),
        ("ALL WITHIN", Side::Right),
    ];
    let rows: Vec<Vec<Line>> = reckoning
        .latencies
        .iter()
        .map(|(kind, spread)| {
            let (name, ink) = match kind {
                Kind::Password => ("one-time passwords", Ink::Good),
                Kind::Notice => ("shipping notices", Ink::Plain),
                Kind::Campaign => ("campaign", Ink::Plain),
            };
            vec![
                Line::plain(name),
                Line::plain(Count(spread.count as u64).to_string()),
                Line::of(ink, brief(spread.median)),
                Line::of(ink, brief(spread.p99)),
                Line::of(ink, brief(spread.longest)),
            ]
        })
        .collect();
    let mut lines = table(&header, &rows, width);
    if let Some((ahead, took)) = reckoning.most_ahead {
        let words = format!(
            "A one-time password with {} campaign messages before it took {}, its commit on disk included.",
            Count(ahead),
            brief(took)
        );
        lines.extend(wrapped(Ink::Faint, &words, width));
    }
    Some(Section { title: "Latency", lines })
}
