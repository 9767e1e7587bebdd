//! Up to three reply buttons.

use super::{Field, Problem};
use crate::job::field::Unique;

pub(super) fn check(action: &Field<'_, '_>) -> Result<(), Problem> {
    let (mut ids, mut titles) = (Unique::default(), Unique::default());
    action.need("buttons")?.items(1..=3, "buttons")?.try_for_each(|button| {
        button.need("type")?.one_of(&["reply"])?;
        let reply = button.need("reply")?;
        let id = reply.need("id")?;
        let text = id.filled(256)?;
        if text.trim() != text {
            return Err(id.refuse("begins or ends with a space"));
        }
        ids.add(&id, text)?;
        let title = reply.need("title")?;
        titles.add(&title, title.filled(20)?)
    })
}
