//! One unlucky job's way.

use super::super::figures::brief;
use super::super::grid::{Side, columns};
use super::super::reckoning::Reckoning;
use super::super::story::{Event, Step};
use super::super::text::{Ink, Line};
use super::Section;
use super::outcomes::words;
use crate::cli::wording::Count;

/// Step by step; none where nothing had to go again.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    let story = reckoning.story.as_ref()?;
    let mut lines = vec![
        Line::of(Ink::Faint, "What became of ")
            .with(Ink::Accent, story.id.clone())
            .with(Ink::Faint, ":")
            .clipped(width),
    ];
    let rows: Vec<Vec<Line>> =
        story.steps.iter().map(|step| vec![Line::of(Ink::Faint, after(step)), told(step)]).collect();
    lines.extend(columns(&[Side::Right, Side::Left], &rows, width));
    Some(Section { title: "One unlucky message", lines })
}

fn after(step: &Step) -> String {
    if step.after.is_zero() { "at once".to_owned() } else { format!("+ {}", brief(step.after)) }
}

fn told(step: &Step) -> Line {
    match &step.event {
        Event::TakenIn { ahead } => Line::plain(format!("taken in, {} campaign messages before it", Count(*ahead))),
        Event::Waited { number, reason, code, again_in } => {
            let who = number.map_or_else(String::new, |number| format!("{number}: "));
            let code = code.map_or_else(String::new, |code| format!("{code} "));
            let line = Line::plain(who).with(Ink::Warn, format!("{code}{}", words(*reason)));
            match again_in {
                Some(wait) => line.with(Ink::Plain, format!(", again in {}", brief(*wait))),
                None => line,
            }
        }
        Event::Accepted { number, attempt } => Line::plain(format!("{number}: "))
            .with(Ink::Good, "Meta took it")
            .with(Ink::Plain, format!(", attempt {attempt}")),
    }
}
