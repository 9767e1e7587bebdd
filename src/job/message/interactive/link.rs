//! A button that opens a web page.

use super::{Field, Problem};

pub(super) fn check(action: &Field<'_, '_>) -> Result<(), Problem> {
    action.need("name")?.one_of(&["cta_url"])?;
    let parameters = action.need("parameters")?;
    parameters.need("display_text")?.filled(20)?;
    parameters.need("url")?.filled(usize::MAX).map(drop)
}
