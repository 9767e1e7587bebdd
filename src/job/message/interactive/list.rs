//! A list to choose from: sections of rows.

use super::{Field, Problem};
use crate::job::field::Unique;

/// Over all sections together.
const ROWS: usize = 10;

pub(super) fn check(action: &Field<'_, '_>) -> Result<(), Problem> {
    action.need("button")?.filled(20)?;
    let sections = action.need("sections")?;
    let items = sections.items(1..=10, "sections")?;
    let needs_titles = items.len() > 1;
    let mut ids = Unique::default();
    let mut rows = 0;
    for section in items {
        title(&section, needs_titles)?;
        let list = section.need("rows")?;
        for row in list.items(1..=usize::MAX, "rows")? {
            rows += 1;
            let id = row.need("id")?;
            ids.add(&id, id.filled(200)?)?;
            row.need("title")?.filled(24)?;
            if let Some(description) = row.get("description") {
                description.at_most(72)?;
            }
        }
    }
    if rows > ROWS {
        return Err(sections.refuse(format!("{rows} rows in all, at most {ROWS}")));
    }
    Ok(())
}

/// The title of a section: needed only to tell it from another.
pub(super) fn title(section: &Field<'_, '_>, needed: bool) -> Result<(), Problem> {
    if needed {
        section.need("title")?.filled(24)?;
    } else if let Some(title) = section.get("title") {
        title.at_most(24)?;
    }
    Ok(())
}
