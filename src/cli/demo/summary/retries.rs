//! Why jobs went again, and how many came through after all.

use super::super::grid::{Side, table};
use super::super::reckoning::Reckoning;
use super::super::text::{Ink, Line};
use super::Section;
use super::outcomes::{meaning, words};
use crate::cli::wording::Count;

pub fn section(reckoning: &Reckoning, width: usize) -> Option<Section> {
    if reckoning.retries.is_empty() {
        return None;
    }
    let header =
        [("TIMES", Side::Right), ("JOBS", Side::Right), ("CAME THROUGH", Side::Right), ("WHY", Side::Left)];
    let rows: Vec<Vec<Line>> = reckoning
        .retries
        .iter()
        .map(|retry| {
            let ink = if retry.came_through == retry.jobs { Ink::Good } else { Ink::Warn };
            let why = Line::plain(words(retry.reason));
            vec![
                Line::plain(Count(retry.times).to_string()),
                Line::plain(Count(retry.jobs).to_string()),
                Line::of(ink, Count(retry.came_through).to_string()),
                match meaning(retry.code) {
                    Some(meaning) => why.with(Ink::Faint, format!(": {meaning}")),
                    None => why,
                },
            ]
        })
        .collect();
    Some(Section { title: "Waits and retries", lines: table(&header, &rows, width) })
}
