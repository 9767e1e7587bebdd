//! Text messages.

use super::{Field, Problem};

pub(super) fn check(text: &Field<'_, '_>) -> Result<(), Problem> {
    text.need("body")?.filled(4_096)?;
    match text.get("preview_url") {
        // Form-minded clients send "true", and Meta takes it.
        Some(preview) if !matches!(preview.value().as_str(), Some("true" | "false")) => preview.flag().map(drop),
        _ => Ok(()),
    }
}
