//! Why jobs went again, and how many came through after all.

use super::super::grid::{Side, table};
use super::super::reckoning::Reckoning;
use super::super::text::{Ink, Line};
use super::Section;
use super::outcomes::reason_with_code;
use crate::cli::wording::Count;

/// Columns of the counts and the blanks between.
const BESIDE_WHY: usize = 5 + 2 + 4 + 2 + 12 + 2;

/// The table; none where nothing had to go again.
pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    if reckoning.retries.is_empty() {
        return None;
    }
    let header = [("TIMES", Side::Right), ("JOBS", Side::Right), ("CAME THROUGH", Side::Right), ("WHY", Side::Left)];
    let rows: Vec<Vec<Line>> = reckoning
        .retries
        .iter()
        .map(|retry| {
            let ink = if retry.came_through == retry.jobs { Ink::Good } else { Ink::Warn };
            vec![
                Line::plain(Count(retry.times).to_string()),
                Line::plain(Count(retry.jobs).to_string()),
                Line::of(ink, Count(retry.came_through).to_string()),
                reason_with_code(retry.reason, retry.code, width.saturating_sub(BESIDE_WHY)),
            ]
        })
        .collect();
    Some(Section { title: "Waits and retries", lines: table(&header, &rows, width) })
}
