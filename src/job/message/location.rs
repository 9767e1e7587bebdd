//! Locations, as messages and in the headers of templates.

use serde_json::Value;

use super::{Field, Problem};

pub(super) fn check(location: &Field<'_, '_>) -> Result<(), Problem> {
    degrees(&location.need("latitude")?, 90.0)?;
    degrees(&location.need("longitude")?, 180.0)?;
    for label in ["name", "address"] {
        if let Some(label) = location.get(label) {
            label.text()?;
        }
    }
    Ok(())
}

/// Meta's pages write numbers, its OpenAPI description says strings; both pass.
fn degrees(field: &Field<'_, '_>, most: f64) -> Result<(), Problem> {
    let degrees = match field.value() {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match degrees {
        Some(degrees) if (-most..=most).contains(&degrees) => Ok(()),
        Some(_) => Err(field.refuse(format!("must be from -{most} to {most}"))),
        None => Err(field.refuse("must be a number")),
    }
}
