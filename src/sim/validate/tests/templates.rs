//! Templates and their parameters.

use super::{assert_refused, check, message, template};
use crate::sim::message::Posted;
use serde_json::{Value, json};

fn body_parameter(parameter: Value) -> Value {
    template(json!([{ "type": "body", "parameters": [parameter] }, { "type": "footer" }]))
}

#[test]
fn templates_are_checked() {
    assert_refused(&[
        (message("template", json!({ "language": { "code": "en" } })), 131_008, "template.name is required"),
        (message("template", json!({ "name": "x" })), 131_008, "template.language is required"),
        (message("template", json!({ "name": "x", "language": {} })), 131_008, "template.language.code is required"),
        (
            message("template", json!({ "name": "x", "language": { "code": "en", "policy": "loose" } })),
            131_009,
            "language.policy must be one of",
        ),
        (template(json!([{ "type": "tail" }])), 131_009, "template.components[0].type must be one of header"),
        (body_parameter(json!({ "type": "text" })), 131_008, "components[0].parameters[0].text is required"),
        (body_parameter(json!({ "type": "text", "text": "x".repeat(1_025) })), 100, "must be at most 1024"),
        (body_parameter(json!({ "type": "hologram" })), 132_012, "parameters[0].type must be one of text"),
        (
            body_parameter(json!({ "type": "currency", "currency": { "code": "USD" } })),
            131_008,
            "fallback_value is required",
        ),
        (template(json!([{ "type": "button", "sub_type": "url" }])), 131_008, "components[0].index is required"),
        (
            template(json!([{ "type": "button", "sub_type": "url", "index": 10 }])),
            131_009,
            "must be a whole number from 0 to 9",
        ),
        (template(json!([{ "type": "button", "sub_type": "lever", "index": 0 }])), 131_009, "sub_type must be one of"),
    ]);
}

#[test]
fn a_template_says_how_many_parameters_its_body_has() {
    let components =
        json!([{ "type": "body", "parameters": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }]);
    let Ok(Posted::Message(message)) = check(&template(components)) else {
        panic!("it is valid");
    };
    assert_eq!(message.template.map(|template| template.body_parameters), Some(2));
}
