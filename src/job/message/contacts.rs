//! Contact cards.

use super::{Field, Problem};

/// Meta shows a card only with one of these beside the formatted name.
const PARTS: [&str; 5] = ["first_name", "last_name", "middle_name", "suffix", "prefix"];

pub(super) fn check(contacts: &Field<'_, '_>) -> Result<(), Problem> {
    contacts.items(1..=257, "contacts")?.try_for_each(|contact| {
        let name = contact.need("name")?;
        name.need("formatted_name")?.filled(usize::MAX)?;
        let mut parts = PARTS.iter().filter_map(|part| name.get(part)).peekable();
        if parts.peek().is_none() {
            return Err(name.refuse(format!("needs one of {} beside formatted_name", PARTS.join(", "))));
        }
        parts.try_for_each(|part| part.text().map(drop))
    })
}
