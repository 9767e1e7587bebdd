//! Templates: name, language, components and their parameters.

use super::content::media_source;
use super::part::Part;
use crate::sim::limits::{HEADER_CHARS, TEMPLATE_LONE_BODY_CHARS, TEMPLATE_NAME_CHARS, TEMPLATE_PARAMETER_CHARS};
use crate::sim::message::TemplateUse;
use crate::sim::refusal::Refusal;

/// More components than any template has.
const COMPONENTS: usize = 16;
/// More parameters than any component has.
const PARAMETERS: usize = 100;

pub(super) fn read(content: &Part<'_>) -> Result<TemplateUse, Refusal> {
    let name = content.need("name")?.filled_up_to(TEMPLATE_NAME_CHARS)?.to_owned();
    let language = content.need("language")?;
    let code = language.need("code")?.filled_up_to(16)?.to_owned();
    if let Some(policy) = language.get("policy") {
        policy.one_of(&["deterministic"])?;
    }
    let mut body_parameters = 0;
    if let Some(components) = content.get("components").filter(|list| list.items().next().is_some()) {
        let only = components.list_up_to(COMPONENTS)? == 1;
        for component in components.items() {
            let kinds = &["header", "body", "footer", "button", "carousel", "limited_time_offer"];
            match component.need("type")?.one_of(kinds)? {
                "header" => drop(parameters(&component, HEADER_CHARS)?),
                "body" => {
                    let most = if only { TEMPLATE_LONE_BODY_CHARS } else { TEMPLATE_PARAMETER_CHARS };
                    body_parameters = parameters(&component, most)?;
                }
                "button" => button(&component)?,
                // Footers, carousels and offers carry nothing that the pages bound.
                _ => {}
            }
        }
    }
    Ok(TemplateUse { name, language: code, body_parameters })
}

/// Checks the parameters of a component and counts them.
fn parameters(component: &Part<'_>, most_chars: usize) -> Result<usize, Refusal> {
    let Some(list) = component.get("parameters").filter(|list| list.items().next().is_some()) else {
        return Ok(0);
    };
    let count = list.list_up_to(PARAMETERS)?;
    for parameter in list.items() {
        check_parameter(&parameter, most_chars)?;
    }
    Ok(count)
}

fn check_parameter(parameter: &Part<'_>, most_chars: usize) -> Result<(), Refusal> {
    let kinds = &[
        "text",
        "currency",
        "date_time",
        "image",
        "video",
        "document",
        "location",
        "payload",
        "coupon_code",
        "action",
        "product",
        "limited_time_offer",
        "order_status",
        "order_details",
        "ttl_minutes",
    ];
    let kind = parameter.need("type")?;
    let word = kind.text()?.to_ascii_lowercase();
    if !kinds.contains(&word.as_str()) {
        return Err(kind.bad_for_template(132_012, &format!("must be one of {}", kinds.join(", "))));
    }
    match word.as_str() {
        "text" => drop(parameter.need("text")?.filled_up_to(most_chars)?),
        "currency" => {
            let currency = parameter.need("currency")?;
            currency.need("fallback_value")?.filled()?;
            currency.need("code")?.filled()?;
            currency.need("amount_1000")?.number()?;
        }
        "date_time" => drop(parameter.need("date_time")?.need("fallback_value")?.filled()?),
        "image" | "video" | "document" => media_source(&parameter.need(&word)?)?,
        "payload" => drop(parameter.need("payload")?.text()?),
        "coupon_code" => drop(parameter.need("coupon_code")?.filled()?),
        _ => {}
    }
    Ok(())
}

fn button(component: &Part<'_>) -> Result<(), Refusal> {
    component.need("sub_type")?.one_of(&[
        "quick_reply",
        "url",
        "copy_code",
        "flow",
        "catalog",
        "mpm",
        "voice_call",
        "phone_number",
        "order_details",
        "spm",
        "otp",
    ])?;
    let index = component.need("index")?;
    let number = index.number()?;
    if !(0.0..=9.0).contains(&number) || number.fract() != 0.0 {
        return Err(index.bad("must be a whole number from 0 to 9"));
    }
    parameters(component, TEMPLATE_PARAMETER_CHARS).map(drop)
}
