//! That it adds up, or what does not.

use super::super::optout::Record;
use super::super::reckoning::Reckoning;
use super::super::statuses::Statuses;
use super::super::text::{Ink, Line, wrapped};
use super::Section;
use crate::cli::wording::Count;
use crate::outcome::State;

/// What was compared, and what the comparison found.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let proof = &reckoning.proof;
    let mut lines = Vec::new();
    for problem in &proof.problems {
        lines.extend(point("✗", Ink::Bad, problem, width));
    }
    let sum: Vec<String> = proof.states.iter().map(|(state, count)| format!("{} {state}", Count(*count))).collect();
    let confirmed = format!("{} that Meta took stand in the simulator's own log, each once", Count(proof.confirmed));
    let (sign, ink) = if proof.problems.is_empty() { ("✓", Ink::Good) } else { ("·", Ink::Faint) };
    lines.extend(point(sign, ink, &format!("{} taken in = {}", Count(proof.taken_in), sum.join(" + ")), width));
    lines.extend(point(sign, ink, &confirmed, width));
    lines.extend(point(sign, ink, &format!("{} were sent twice", Count(proof.doubled)), width));
    let Statuses { sent, delivered, read } = proof.told;
    if sent > 0 {
        let words = format!(
            "{} sent, {} delivered, {} read: told by the simulator, and the same in the ledger",
            Count(sent),
            Count(delivered),
            Count(read)
        );
        lines.extend(point(sign, ink, &words, width));
    }
    if let Some(record) = &reckoning.opt_out {
        lines.extend(point(sign, ink, &after_stop(record), width));
    }
    let unresolved = reckoning.outcomes.get(&State::Unresolved);
    if let Some(causes) = unresolved {
        let count: u64 = causes.iter().map(|cause| cause.count).sum();
        let words = format!(
            "{} unresolved: the connection was cut before an answer, and no status came. Nobody may send these again \
             blindly; Meta had taken {} of them",
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

fn after_stop(record: &Record) -> String {
    let passwords = u8::from(record.password_took.is_some());
    format!(
        "{} of the campaign's requests were for {} after their STOP, and {passwords} one-time password, by the same log",
        Count(record.sent_after),
        record.name
    )
}

fn point(sign: &str, ink: Ink, words: &str, width: usize) -> Vec<Line> {
    let text = wrapped(Ink::Plain, words, width.saturating_sub(2));
    let signs = std::iter::once(Line::of(ink, sign)).chain(std::iter::repeat(Line::new()));
    signs.zip(text).map(|(sign, line)| sign.padded(2).then(line)).collect()
}
