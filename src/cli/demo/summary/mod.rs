//! What the demo says at its end, in a few short sections for a person. Pure: from a reckoning and a width to lines.

mod latency;
mod numbers;
mod outcomes;
mod proof;
mod retries;
mod returned;
mod story;

use super::figures::brief;
use super::grid::{beside, indented};
use super::reckoning::Reckoning;
use super::text::{Ink, Line, wrapped};
use crate::cli::wording::Count;
use crate::sim::Quality;

/// From so many columns on, sections stand beside each other.
const TWO_COLUMNS: usize = 150;
/// Wider than this, lines are hard to read.
const WIDEST: usize = 200;
/// Blanks between two columns of sections.
const GUTTER: usize = 4;

/// The ink that a quality rating is shown in.
pub const fn quality_ink(quality: Quality) -> Ink {
    match quality {
        Quality::Green => Ink::Good,
        Quality::Yellow => Ink::Warn,
        Quality::Red => Ink::Bad,
        Quality::Na | Quality::Unknown => Ink::Faint,
    }
}

/// A heading and what stands under it.
struct Section {
    title: &'static str,
    lines: Vec<Line>,
}

impl Section {
    fn lines(self) -> Vec<Line> {
        let mut lines = vec![Line::of(Ink::Strong, self.title)];
        lines.extend(self.lines);
        lines.push(Line::new());
        lines
    }
}

/// The whole summary, but for where to look next.
pub fn lines(reckoning: &Reckoning, width: usize) -> Vec<Line> {
    let width = width.clamp(40, WIDEST) - 2;
    let mut lines = vec![Line::new()];
    lines.extend(head(reckoning, width));
    lines.push(Line::new());
    if width + 2 >= TWO_COLUMNS {
        let half = (width - GUTTER) / 2;
        let left = stacked(vec![
            numbers::section(reckoning, half),
            latency::section(reckoning, half),
            story::section(reckoning, half),
        ]);
        let right = stacked(vec![
            outcomes::section(reckoning, half),
            returned::section(reckoning, half),
            retries::section(reckoning, half),
            proof::section(reckoning, half),
        ]);
        lines.extend(beside(left, right, half + GUTTER));
    } else {
        lines.extend(stacked(vec![
            numbers::section(reckoning, width),
            latency::section(reckoning, width),
            outcomes::section(reckoning, width),
            returned::section(reckoning, width),
            retries::section(reckoning, width),
            story::section(reckoning, width),
            proof::section(reckoning, width),
        ]));
    }
    while lines.last().is_some_and(|line| line.width() == 0) {
        lines.pop();
    }
    lines.push(Line::new());
    indented(lines, 1)
}

fn stacked(sections: Vec<Option<Section>>) -> Vec<Line> {
    sections.into_iter().flatten().flat_map(Section::lines).collect()
}

fn head(reckoning: &Reckoning, width: usize) -> Vec<Line> {
    let able = reckoning.numbers.iter().filter(|number| number.accepted > 0).count();
    let sent = format!("Sent {} messages", Count(reckoning.taken_by_meta));
    let how = format!(" by {able} numbers in {}", brief(reckoning.lasted));
    let mut lines = vec![Line::of(Ink::Strong, sent).with(Ink::Plain, how).clipped(width)];
    if reckoning.is_cut_short {
        let open: u64 =
            reckoning.proof.states.iter().filter(|(state, _)| !state.has_ended()).map(|(_, count)| count).sum();
        let words = format!(
            "You stopped it: {} jobs have not ended. In a ledger that is kept they would wait for the next worker.",
            Count(open)
        );
        lines.extend(wrapped(Ink::Warn, &words, width));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for reckoning in [samples::reckoning(), samples::troubled()] {
            for width in 40..=240 {
                for line in lines(&reckoning, width) {
                    assert!(line.width() <= width, "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn at_eighty_columns_nothing_of_a_table_is_cut() {
        let shown = samples::shown(&lines(&samples::reckoning(), 80));
        let cut = shown.lines().find(|line| line.ends_with('…'));
        assert_eq!(cut, None);
    }
}
