//! Reactions to a message.

use super::{Field, Problem};

pub(super) fn check(reaction: &Field<'_, '_>) -> Result<(), Problem> {
    reaction.need("message_id")?.filled(usize::MAX)?;
    // An empty emoji takes the reaction back.
    reaction.need("emoji")?.text().map(drop)
}
