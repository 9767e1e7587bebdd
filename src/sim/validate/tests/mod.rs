//! One row per rule: what passes, and what is refused with which code and which words.

mod contents;
mod interactive;
mod templates;

use super::*;
use interactive::{button, rows};
use serde_json::json;

/// A message of this type with this content, to a good recipient.
fn message(kind: &str, content: Value) -> Value {
    let mut body = json!({ "messaging_product": "whatsapp", "to": "+447700900123", "type": kind });
    body[kind] = content;
    body
}

fn check(body: &Value) -> Result<Posted, Refusal> {
    read(body.to_string().as_bytes(), Endpoint::Messages)
}

fn refusal(body: &Value) -> (u32, String) {
    let refusal = check(body).expect_err(&body.to_string());
    let body: Value = serde_json::from_slice(&refusal.body(0)).unwrap();
    (refusal.code, body["error"]["error_data"]["details"].as_str().unwrap().to_owned())
}

fn assert_refused(rows: &[(Value, u32, &str)]) {
    for (body, code, says) in rows {
        let (got, details) = refusal(body);
        assert!(got == *code && details.contains(says), "{body}\n  wanted {code} {says}\n  got {got} {details}");
    }
}

fn interactive(kind: &str, action: Value) -> Value {
    message("interactive", json!({ "type": kind, "body": { "text": "choose" }, "action": action }))
}

fn template(components: Value) -> Value {
    message("template", json!({ "name": "hello", "language": { "code": "en_US" }, "components": components }))
}

#[test]
fn the_envelope_is_checked() {
    let with = |key: &str, value: Value| {
        let mut body = message("text", json!({ "body": "x" }));
        body[key] = value;
        body
    };
    assert_refused(&[
        (json!([]), 100, "must be a JSON object"),
        (json!({ "to": "+447700900123" }), 100, "messaging_product is required"),
        (with("messaging_product", json!("telegram")), 100, "must be one of {WHATSAPP}"),
        (with("to", Value::Null), 100, "The parameter to is required"),
        (with("to", json!(447_700_900_123_u64)), 131_009, "to must be a string"),
        (with("to", json!("+44770x900123")), 131_009, "to must be a phone number of 8 to 15 digits"),
        (with("to", json!("1234567")), 131_009, "to must be a phone number"),
        (with("to", json!("+1234567890123456")), 131_009, "to must be a phone number"),
        (with("to", json!("0044770090012")), 131_009, "to must be a phone number"),
        (with("type", json!("smoke_signal")), 131_051, "smoke_signal is not supported"),
        (with("recipient_type", json!("crowd")), 131_009, "recipient_type must be one of individual, group"),
        (with("context", json!({})), 131_008, "context.message_id is required"),
        (with("biz_opaque_callback_data", json!("x".repeat(513))), 100, "biz_opaque_callback_data must be at most 512"),
        (with("status", json!("unread")), 131_009, "status must be one of read"),
        (with("category", json!("marketing")), 131_009, "category must be one of utility, authentication"),
        (
            json!({ "messaging_product": "whatsapp", "recipient": "us.1" }),
            131_009,
            "recipient must be a business-scoped",
        ),
    ]);
    assert_eq!(read(b"{\"to\":", Endpoint::Messages).unwrap_err().code, 100);
}

#[test]
fn either_kind_of_recipient_will_do() {
    for recipient in ["US.13491208655302741918", "US.ENT.1349"] {
        let body = json!({ "messaging_product": "whatsapp", "recipient": recipient, "text": { "body": "x" } });
        assert!(check(&body).is_ok(), "{recipient}");
    }
}

#[test]
fn every_known_type_passes_when_it_is_well_formed() {
    let link = json!({ "link": "https://example.org/a.jpg" });
    let flow =
        json!({ "name": "flow", "parameters": { "flow_message_version": "3", "flow_cta": "Go", "flow_id": "1" } });
    for body in [
        message("text", json!({ "body": "x".repeat(4_096), "preview_url": true })),
        message("image", json!({ "id": "1", "caption": "x" })),
        message("video", link.clone()),
        message("audio", link.clone()),
        message("sticker", link.clone()),
        message("document", json!({ "id": "1", "filename": "a.pdf", "caption": "x" })),
        message("location", json!({ "latitude": 37.4, "longitude": "-122.1", "name": "x", "address": "y" })),
        message("contacts", json!([{ "name": { "formatted_name": "A B", "first_name": "A" } }])),
        message("reaction", json!({ "message_id": "wamid.x", "emoji": "" })),
        interactive("button", json!({ "buttons": [button("1", "Yes"), button("2", "No")] })),
        interactive("list", json!({ "button": "Open", "sections": [{ "title": "a", "rows": rows(10) }] })),
        interactive(
            "cta_url",
            json!({ "name": "cta_url", "parameters": { "display_text": "See", "url": "https://example.org" } }),
        ),
        interactive("flow", flow),
        interactive("product", json!({ "catalog_id": "1", "product_retailer_id": "2" })),
        interactive("location_request_message", json!({ "name": "send_location" })),
        interactive("catalog_message", json!({ "name": "catalog_message" })),
        template(json!([])),
        template(json!([
            { "type": "HEADER", "parameters": [{ "type": "image", "image": link }] },
            { "type": "BODY", "parameters": [{ "type": "text", "text": "Ann", "parameter_name": "name" },
                { "type": "currency", "currency": { "fallback_value": "$1", "code": "USD", "amount_1000": 1000 } }] },
            { "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "a" }] },
            { "type": "button", "sub_type": "quick_reply", "index": 1, "parameters": [{ "type": "payload", "payload": "p" }] },
        ])),
        template(json!([{ "type": "body", "parameters": [{ "type": "text", "text": "x".repeat(32_768) }] }])),
        json!({ "messaging_product": "whatsapp", "to": "+447700900123", "text": { "body": "no type is text" } }),
        json!({ "messaging_product": "whatsapp", "recipient": "US.13491208655302741918", "text": { "body": "x" } }),
        json!({ "messaging_product": "whatsapp", "recipient": "US.ENT.1349", "text": { "body": "x" } }),
    ] {
        if let Err(refusal) = check(&body) {
            panic!("{body}\n  {refusal:?}");
        }
    }
}
