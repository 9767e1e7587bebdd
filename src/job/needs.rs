//! What a template needs of a message: read off the template's components, and held against the message's.
//!
//! Only what Meta is sure to refuse counts as unfit; what is not understood is left to Meta.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalogue::Unfit;
use crate::outcome::Reason;

/// What fills a template's gaps. A part that could not be read is none, and is not looked at.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components>, read 2026-09-11.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Whether parameters are known by name, and not by their order.
    #[serde(default)]
    pub named: bool,
    /// The header's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The body's parameters: names, or numbers from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BTreeSet<String>>,
    /// The buttons that need something, with their places from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// What a header needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// These parameters.
    Text(BTreeSet<String>),
    /// A parameter of this type: `image`, `video`, `document`, `location`.
    Of(String),
}

/// A button that needs a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Its place, from 0.
    pub index: u64,
    /// `url` or `copy_code`.
    pub kind: String,
}

impl Needs {
    /// Of a template's components, as Meta lists them.
    pub fn of(components: &[Value], format: Option<&str>) -> Self {
        let mut needs = Self { named: format == Some("NAMED"), ..Self::default() };
        for component in components {
            match text(component, "type").to_ascii_uppercase().as_str() {
                "HEADER" => needs.header = header(component),
                "BODY" => needs.body = component.get("text").and_then(Value::as_str).map(gaps),
                "BUTTONS" => needs.buttons = buttons(component),
                // Cards, limited-time offers and what is new need things of which nothing is said here.
                _ => {}
            }
        }
        needs
    }

    /// Whether a message's `template` object brings what is needed.
    pub(super) fn check(&self, template: &Value) -> Result<(), Unfit> {
        let components: &[Value] = template.get("components").and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let one = |kind: &str| components.iter().find(|it| text(it, "type").eq_ignore_ascii_case(kind));
        if let Some(gaps) = &self.body {
            self.fill(gaps, parameters(one("body")), "body")?;
        }
        match &self.header {
            Some(Header::Text(gaps)) => self.fill(gaps, parameters(one("header")), "header")?,
            Some(Header::Of(kind)) => {
                let is_there = parameters(one("header")).iter().any(|it| text(it, "type").eq_ignore_ascii_case(kind));
                if !is_there {
                    return Err(unfit("header", format!("needs a parameter of type {kind}")));
                }
            }
            None => {}
        }
        self.buttons.iter().try_for_each(|button| button.check(components))
    }

    fn fill(&self, gaps: &BTreeSet<String>, given: &[Value], part: &str) -> Result<(), Unfit> {
        if gaps.len() != given.len() {
            return Err(unfit(part, format!("has {} parameters, the template needs {}", given.len(), gaps.len())));
        }
        let names: Vec<&str> =
            given.iter().map(|it| text(it, "parameter_name")).filter(|name| !name.is_empty()).collect();
        let missing = gaps.iter().find(|gap| !names.contains(&gap.as_str()));
        match missing {
            // Parameters without names Meta may take in their order.
            Some(name) if self.named && names.len() == given.len() => {
                Err(unfit(part, format!("has no parameter named {name}")))
            }
            _ => Ok(()),
        }
    }
}

impl Button {
    fn check(&self, components: &[Value]) -> Result<(), Unfit> {
        let place = |it: &Value| match it.get("index") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let mut own = components
            .iter()
            .filter(|it| text(it, "type").eq_ignore_ascii_case("button") && place(it) == Some(self.index));
        if own.any(|it| !parameters(Some(it)).is_empty()) {
            return Ok(());
        }
        Err(unfit(&format!("button {}", self.index), format!("is of type {} and needs a parameter", self.kind)))
    }
}

fn header(component: &Value) -> Option<Header> {
    let format = text(component, "format").to_ascii_lowercase();
    match format.as_str() {
        "text" => component.get("text").and_then(Value::as_str).map(|text| Header::Text(gaps(text))),
        "image" | "video" | "document" | "location" => Some(Header::Of(format)),
        _ => None,
    }
}

fn buttons(component: &Value) -> Vec<Button> {
    let list = component.get("buttons").and_then(Value::as_array);
    let needs = |(index, button): (u64, &Value)| match text(button, "type").to_ascii_uppercase().as_str() {
        "URL" if !gaps(text(button, "url")).is_empty() => Some(Button { index, kind: "url".to_owned() }),
        "COPY_CODE" => Some(Button { index, kind: "copy_code".to_owned() }),
        _ => None,
    };
    (0..).zip(list.into_iter().flatten()).filter_map(needs).collect()
}

/// What stands between `{{` and `}}`, each once.
fn gaps(text: &str) -> BTreeSet<String> {
    let inside = |part: &str| {
        let name = part.split_once("}}")?.0.trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| name.to_owned())
    };
    text.split("{{").skip(1).filter_map(inside).collect()
}

fn parameters(component: Option<&Value>) -> &[Value] {
    component.and_then(|it| it.get("parameters")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn unfit(part: &str, problem: String) -> Unfit {
    Unfit {
        reason: Reason::TemplateMismatch,
        field: "message.template.components".to_owned(),
        problem: format!("{part} {problem}"),
    }
}
