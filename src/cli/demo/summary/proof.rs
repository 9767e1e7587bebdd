//! That it adds up, or what does not.

use super::super::grid::indented;
use super::super::reckoning::Reckoning;
use super::super::text::{Ink, Line, wrapped};
use super::Section;
use crate::cli::wording::Count;

pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let proof = &reckoning.proof;
    let mut lines = Vec::new();
    for problem in &proof.problems {
        lines.extend(point("✗", Ink::Bad, problem, width));
    }
    let sum: Vec<String> = proof.states.iter().map(|(state, count)| format!("{} {state}", Count(*count))).collect();
    lines.extend(point("✓", Ink::Good, &format!("{} taken in = {}", Count(proof.taken_in), sum.join(" + ")), width));
    let confirmed = format!("{} accepted stand in the simulator's own log, each once", Count(proof.confirmed));
    lines.extend(point("✓", Ink::Good, &confirmed, width));
    if proof.doubled == 0 {
        lines.extend(point("✓", Ink::Good, "0 were sent twice", width));
    }
    let unresolved = reckoning.outcomes.get(&crate::outcome::State::Unresolved);
    if let Some(causes) = unresolved {
        let count: u64 = causes.iter().map(|cause| cause.count).sum();
        let words = format!(
            "{} unresolved: the connection was cut before an answer. Nobody may send these again blindly; Meta had taken {} of \
             them (its status webhooks will tell which)",
            Count(count),
            Count(proof.unresolved_taken)
        );
        lines.extend(point("·", Ink::Warn, &words, width));
    }
    if reckoning.duplicates > 0 {
        let words = format!("{} were handed in a second time, and taken once", Count(reckoning.duplicates));
        lines.extend(point("·", Ink::Faint, &words, width));
    }
    for reason in &reckoning.dead {
        lines.extend(point("·", Ink::Faint, &format!("1 could not become a job, and is kept aside: {reason}"), width));
    }
    Some(Section { title: "Exactly once", lines })
}

fn point(sign: &str, ink: Ink, words: &str, width: usize) -> Vec<Line> {
    let mut lines = indented(wrapped(Ink::Plain, words, width.saturating_sub(2)), 2);
    if let Some(first) = lines.first_mut() {
        let text = wrapped(Ink::Plain, words, width.saturating_sub(2)).remove(0);
        *first = Line::of(ink, sign).with(Ink::Plain, " ").then(text);
    }
    lines
}
