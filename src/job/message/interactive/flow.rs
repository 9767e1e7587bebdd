//! A button that opens a flow.

use serde_json::Value;

use super::{Field, Problem};

pub(super) fn check(action: &Field<'_, '_>) -> Result<(), Problem> {
    action.need("name")?.one_of(&["flow"])?;
    let parameters = action.need("parameters")?;
    version(&parameters.need("flow_message_version")?)?;
    // Meta advises at most 30 characters, and takes more.
    parameters.need("flow_cta")?.filled(usize::MAX)?;
    match (parameters.get("flow_id"), parameters.get("flow_name")) {
        (Some(flow), None) | (None, Some(flow)) => drop(flow.filled(usize::MAX)?),
        (Some(_), Some(_)) => return Err(parameters.refuse("both flow_id and flow_name, only one is allowed")),
        (None, None) => return Err(parameters.refuse("neither flow_id nor flow_name, one is needed")),
    }
    if let Some(mode) = parameters.get("mode") {
        mode.one_of(&["draft", "published"])?;
    }
    if let Some(flow_action) = parameters.get("flow_action") {
        flow_action.one_of(&["navigate", "data_exchange"])?;
    }
    Ok(())
}

fn version(version: &Field<'_, '_>) -> Result<(), Problem> {
    let fits = match version.value() {
        Value::Number(number) => number.as_u64() == Some(3),
        Value::String(text) => text == "3",
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if fits { Ok(()) } else { Err(version.refuse("must be \"3\"")) }
}
