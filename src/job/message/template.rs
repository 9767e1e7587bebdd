//! Templates: name, language, and the shape of what fills the gaps. Whether it fits the template, Meta knows.

use serde_json::Value;

use super::media::Kind;
use super::{Field, Problem, TemplateRef, location, media};

pub(super) fn check(template: &Field<'_, '_>) -> Result<TemplateRef, Problem> {
    let name = template.need("name")?.filled(512)?.to_owned();
    let language = template.need("language")?.need("code")?.filled(64)?.to_owned();
    if let Some(list) = template.get("components") {
        components(&list)?;
    }
    Ok(TemplateRef { name, language })
}

fn components(list: &Field<'_, '_>) -> Result<(), Problem> {
    let items = list.items(0..=usize::MAX, "components")?;
    // A template of nothing but a body may be as long as a book.
    let body_limit = if items.len() == 1 { 32_768 } else { 1_024 };
    items.into_iter().try_for_each(|item| component(&item, body_limit))
}

fn component(component: &Field<'_, '_>, body_limit: usize) -> Result<(), Problem> {
    let kind = component.need("type")?.text()?.to_ascii_lowercase();
    let text_limit = match kind.as_str() {
        "header" => 60,
        "body" => body_limit,
        "button" => {
            button(component)?;
            usize::MAX
        }
        "carousel" => return carousel(component),
        _ => usize::MAX,
    };
    match component.get("parameters") {
        Some(list) => list.items(0..=usize::MAX, "parameters")?.try_for_each(|item| parameter(&item, text_limit)),
        None => Ok(()),
    }
}

fn button(button: &Field<'_, '_>) -> Result<(), Problem> {
    button.need("sub_type")?.filled(64)?;
    let index = button.need("index")?;
    // Meta's own examples write it both as 0 and as "0".
    let place = match index.value() {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if place.is_some_and(|place| place <= 9) { Ok(()) } else { Err(index.refuse("must be from 0 to 9")) }
}

fn carousel(carousel: &Field<'_, '_>) -> Result<(), Problem> {
    let cards = carousel.need("cards")?;
    cards.items(1..=10, "cards")?.try_for_each(|card| match card.get("components") {
        Some(list) => components(&list),
        None => card.object().map(drop),
    })
}

fn parameter(parameter: &Field<'_, '_>, text_limit: usize) -> Result<(), Problem> {
    let kind = parameter.need("type")?.text()?.to_ascii_lowercase();
    if let Some(name) = parameter.get("parameter_name") {
        name.filled(usize::MAX)?;
    }
    match kind.as_str() {
        "text" => text(&parameter.need("text")?, text_limit),
        "currency" => currency(&parameter.need("currency")?),
        "date_time" => parameter.need("date_time")?.need("fallback_value")?.text().map(drop),
        "image" => media::check(&parameter.need("image")?, Kind::Image),
        "video" => media::check(&parameter.need("video")?, Kind::Video),
        "document" => media::check(&parameter.need("document")?, Kind::Document),
        "location" => location::check(&parameter.need("location")?),
        "payload" => parameter.need("payload")?.text().map(drop),
        "coupon_code" => parameter.need("coupon_code")?.filled(usize::MAX).map(drop),
        "action" => parameter.need("action")?.object().map(drop),
        _ => Ok(()),
    }
}

/// Meta's own examples hold `true` here, so plain values pass beside strings.
fn text(field: &Field<'_, '_>, limit: usize) -> Result<(), Problem> {
    match field.value() {
        Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => field.filled(limit).map(drop),
    }
}

fn currency(currency: &Field<'_, '_>) -> Result<(), Problem> {
    currency.need("fallback_value")?.text()?;
    currency.need("code")?.text()?;
    let amount = currency.need("amount_1000")?;
    if amount.value().is_number() { Ok(()) } else { Err(amount.refuse("must be a number")) }
}
