//! One row per rule: what passes, and what is refused with which code and which words.

use super::*;
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
    (
        refusal.code,
        body["error"]["error_data"]["details"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

fn assert_refused(rows: &[(Value, u32, &str)]) {
    for (body, code, says) in rows {
        let (got, details) = refusal(body);
        assert!(
            got == *code && details.contains(says),
            "{body}\n  wanted {code} {says}\n  got {got} {details}"
        );
    }
}

fn interactive(kind: &str, action: Value) -> Value {
    message(
        "interactive",
        json!({ "type": kind, "body": { "text": "choose" }, "action": action }),
    )
}

fn button(id: &str, title: &str) -> Value {
    json!({ "type": "reply", "reply": { "id": id, "title": title } })
}

fn rows(count: usize) -> Value {
    (0..count)
        .map(|n| json!({ "id": format!("r{n}"), "title": "row" }))
        .collect()
}

fn template(components: Value) -> Value {
    message(
        "template",
        json!({ "name": "hello", "language": { "code": "en_US" }, "components": components }),
    )
}

fn body_parameter(parameter: Value) -> Value {
    template(json!([{ "type": "body", "parameters": [parameter] }, { "type": "footer" }]))
}

#[test]
fn every_known_type_passes_when_it_is_well_formed() {
    let link = json!({ "link": "https://example.org/a.jpg" });
    let flow = json!({ "name": "flow", "parameters": { "flow_message_version": "3", "flow_cta": "Go", "flow_id": "1" } });
    for body in [
        message(
            "text",
            json!({ "body": "x".repeat(4_096), "preview_url": true }),
        ),
        message("image", json!({ "id": "1", "caption": "x" })),
        message("video", link.clone()),
        message("audio", link.clone()),
        message("sticker", link.clone()),
        message(
            "document",
            json!({ "id": "1", "filename": "a.pdf", "caption": "x" }),
        ),
        message(
            "location",
            json!({ "latitude": 37.4, "longitude": "-122.1", "name": "x", "address": "y" }),
        ),
        message(
            "contacts",
            json!([{ "name": { "formatted_name": "A B", "first_name": "A" } }]),
        ),
        message("reaction", json!({ "message_id": "wamid.x", "emoji": "" })),
        interactive(
            "button",
            json!({ "buttons": [button("1", "Yes"), button("2", "No")] }),
        ),
        interactive(
            "list",
            json!({ "button": "Open", "sections": [{ "title": "a", "rows": rows(10) }] }),
        ),
        interactive(
            "cta_url",
            json!({ "name": "cta_url", "parameters": { "display_text": "See", "url": "https://example.org" } }),
        ),
        interactive("flow", flow),
        interactive(
            "product",
            json!({ "catalog_id": "1", "product_retailer_id": "2" }),
        ),
        interactive(
            "location_request_message",
            json!({ "name": "send_location" }),
        ),
        interactive("catalog_message", json!({ "name": "catalog_message" })),
        template(json!([])),
        template(json!([
            { "type": "HEADER", "parameters": [{ "type": "image", "image": link }] },
            { "type": "BODY", "parameters": [{ "type": "text", "text": "Ann", "parameter_name": "name" },
                { "type": "currency", "currency": { "fallback_value": "$1", "code": "USD", "amount_1000": 1000 } }] },
            { "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "a" }] },
            { "type": "button", "sub_type": "quick_reply", "index": 1, "parameters": [{ "type": "payload", "payload": "p" }] },
        ])),
        template(
            json!([{ "type": "body", "parameters": [{ "type": "text", "text": "x".repeat(32_768) }] }]),
        ),
        json!({ "messaging_product": "whatsapp", "to": "+447700900123", "text": { "body": "no type is text" } }),
        json!({ "messaging_product": "whatsapp", "recipient": "US.13491208655302741918", "text": { "body": "x" } }),
        json!({ "messaging_product": "whatsapp", "recipient": "US.ENT.1349", "text": { "body": "x" } }),
    ] {
        if let Err(refusal) = check(&body) {
            panic!("{body}\n  {refusal:?}");
        }
    }
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
        (
            json!({ "to": "+447700900123" }),
            100,
            "messaging_product is required",
        ),
        (
            with("messaging_product", json!("telegram")),
            100,
            "must be one of {WHATSAPP}",
        ),
        (with("to", Value::Null), 100, "The parameter to is required"),
        (
            with("to", json!(447_700_900_123_u64)),
            131_009,
            "to must be a string",
        ),
        (
            with("to", json!("+44770x900123")),
            131_009,
            "to must be a phone number of 8 to 15 digits",
        ),
        (
            with("to", json!("1234567")),
            131_009,
            "to must be a phone number",
        ),
        (
            with("to", json!("+1234567890123456")),
            131_009,
            "to must be a phone number",
        ),
        (
            with("to", json!("0044770090012")),
            131_009,
            "to must be a phone number",
        ),
        (
            with("type", json!("smoke_signal")),
            131_051,
            "smoke_signal is not supported",
        ),
        (
            with("recipient_type", json!("crowd")),
            131_009,
            "recipient_type must be one of individual, group",
        ),
        (
            with("context", json!({})),
            131_008,
            "context.message_id is required",
        ),
        (
            with("biz_opaque_callback_data", json!("x".repeat(513))),
            100,
            "biz_opaque_callback_data must be at most 512",
        ),
        (
            with("status", json!("unread")),
            131_009,
            "status must be one of read",
        ),
        (
            with("category", json!("marketing")),
            131_009,
            "category must be one of utility, authentication",
        ),
        (
            json!({ "messaging_product": "whatsapp", "recipient": "us.1" }),
            131_009,
            "recipient must be a business-scoped",
        ),
    ]);
    assert_eq!(read(b"{\"to\":", Endpoint::Messages).unwrap_err().code, 100);
}

#[test]
fn contents_are_checked() {
    let media = json!({ "id": "1", "link": "https://example.org" });
    let place = |key: &str, value: Value| {
        let mut place = json!({ "latitude": 1, "longitude": 2, "name": "x", "address": "y" });
        place[key] = value;
        message("location", place)
    };
    let contact = json!({ "name": { "formatted_name": "A B", "first_name": "A" } });
    assert_refused(&[
        (message("text", Value::Null), 131_008, "text is required"),
        (message("text", json!({})), 131_008, "text.body is required"),
        (
            message("text", json!({ "body": " " })),
            131_009,
            "text.body must not be empty",
        ),
        (
            message("text", json!({ "body": "é".repeat(4_097) })),
            100,
            "text.body must be at most 4096",
        ),
        (
            message("text", json!({ "body": "x", "preview_url": "yes" })),
            131_009,
            "text.preview_url must be true or false",
        ),
        (message("image", json!({})), 131_008, "image.id is required"),
        (
            message("image", media),
            131_009,
            "image.id and link exclude",
        ),
        (
            message("image", json!({ "link": "ftp://example.org" })),
            131_009,
            "image.link must be an http or https",
        ),
        (
            message("image", json!({ "id": "1", "caption": "x".repeat(1_025) })),
            100,
            "image.caption must be at most 1024",
        ),
        (
            message("image", json!({ "id": "1", "filename": "a" })),
            131_009,
            "image.filename is only allowed for documents",
        ),
        (
            message("audio", json!({ "id": "1", "caption": "x" })),
            131_009,
            "audio.caption is not allowed",
        ),
        (
            place("latitude", json!("north")),
            131_009,
            "location.latitude must be a number",
        ),
        (
            place("longitude", json!(181)),
            131_009,
            "location.longitude must lie between -180 and 180",
        ),
        (
            place("name", Value::Null),
            131_008,
            "location.name is required",
        ),
        (
            message("contacts", json!([])),
            131_009,
            "contacts has 0 elements; allowed are 1 to 5",
        ),
        (
            message("contacts", vec![contact; 6].into()),
            131_009,
            "contacts has 6 elements",
        ),
        (
            message("contacts", json!([{ "name": { "formatted_name": "A" } }])),
            131_009,
            "contacts[0].name needs one more part",
        ),
        (
            message("reaction", json!({ "message_id": "x" })),
            131_008,
            "reaction.emoji is required",
        ),
    ]);
}

#[test]
fn interactive_messages_are_checked() {
    let buttons = |list: Vec<Value>| interactive("button", json!({ "buttons": list }));
    let list =
        |sections: Value| interactive("list", json!({ "button": "Open", "sections": sections }));
    let header = |kind: &str, header: Value| {
        let mut body = interactive(kind, json!({ "buttons": [button("1", "a")] }));
        body["interactive"]["header"] = header;
        body
    };
    let long_body = json!({ "type": "button", "body": { "text": "x".repeat(1_025) }, "action": { "buttons": [button("1", "a")] } });
    assert_refused(&[
        (
            interactive("poll", json!({})),
            131_009,
            "interactive.type must be one of button",
        ),
        (
            message("interactive", json!({ "type": "button", "action": {} })),
            131_008,
            "interactive.body is required",
        ),
        (
            message("interactive", long_body),
            100,
            "interactive.body.text must be at most 1024",
        ),
        (
            buttons(
                (0..4)
                    .map(|n| button(&n.to_string(), &n.to_string()))
                    .collect(),
            ),
            131_009,
            "has 4 elements; allowed are 1 to 3",
        ),
        (
            buttons(vec![button("1", &"x".repeat(21))]),
            100,
            "interactive.action.buttons[0].reply.title must be at most 20",
        ),
        (
            buttons(vec![button(" 1", "a")]),
            131_009,
            "must not begin or end with a space",
        ),
        (
            buttons(vec![button("1", "a"), button("1", "b")]),
            131_009,
            "buttons[1].reply.id must be different",
        ),
        (
            buttons(vec![button("1", "a"), button("2", "a")]),
            131_009,
            "buttons[1].reply.title must be different",
        ),
        (
            header("button", json!({ "type": "text", "text": "x".repeat(61) })),
            100,
            "header.text must be at most 60",
        ),
        (
            header("list", json!({ "type": "image", "image": { "id": "1" } })),
            131_009,
            "header.type must be one of text",
        ),
        (
            list(json!([{ "rows": rows(1) }, { "rows": rows(1) }])),
            131_008,
            "sections[0].title is required",
        ),
        (
            list(json!([{ "title": "a", "rows": rows(11) }])),
            131_009,
            "rows has 11 elements",
        ),
        (
            list(
                json!([{ "title": "a", "rows": rows(9) }, { "title": "b", "rows": [{ "id": "x", "title": "x" }, { "id": "y", "title": "y" }] }]),
            ),
            131_009,
            "sections has 11 rows; allowed are 10 in total",
        ),
        (
            interactive(
                "cta_url",
                json!({ "name": "cta_url", "parameters": { "display_text": "See", "url": "here" } }),
            ),
            131_009,
            "url must be an http",
        ),
        (
            interactive(
                "flow",
                json!({ "name": "flow", "parameters": { "flow_message_version": "3", "flow_cta": "Go" } }),
            ),
            131_008,
            "flow_id is required",
        ),
        (
            interactive("product_list", json!({ "catalog_id": "1", "sections": [] })),
            131_008,
            "interactive.header is required",
        ),
    ]);
}

#[test]
fn templates_are_checked() {
    assert_refused(&[
        (
            message("template", json!({ "language": { "code": "en" } })),
            131_008,
            "template.name is required",
        ),
        (
            message("template", json!({ "name": "x" })),
            131_008,
            "template.language is required",
        ),
        (
            message("template", json!({ "name": "x", "language": {} })),
            131_008,
            "template.language.code is required",
        ),
        (
            message(
                "template",
                json!({ "name": "x", "language": { "code": "en", "policy": "loose" } }),
            ),
            131_009,
            "language.policy must be one of",
        ),
        (
            template(json!([{ "type": "tail" }])),
            131_009,
            "template.components[0].type must be one of header",
        ),
        (
            body_parameter(json!({ "type": "text" })),
            131_008,
            "components[0].parameters[0].text is required",
        ),
        (
            body_parameter(json!({ "type": "text", "text": "x".repeat(1_025) })),
            100,
            "must be at most 1024",
        ),
        (
            body_parameter(json!({ "type": "hologram" })),
            132_012,
            "parameters[0].type must be one of text",
        ),
        (
            body_parameter(json!({ "type": "currency", "currency": { "code": "USD" } })),
            131_008,
            "fallback_value is required",
        ),
        (
            template(json!([{ "type": "button", "sub_type": "url" }])),
            131_008,
            "components[0].index is required",
        ),
        (
            template(json!([{ "type": "button", "sub_type": "url", "index": 10 }])),
            131_009,
            "must be a whole number from 0 to 9",
        ),
        (
            template(json!([{ "type": "button", "sub_type": "lever", "index": 0 }])),
            131_009,
            "sub_type must be one of",
        ),
    ]);
}

#[test]
fn a_template_says_how_many_parameters_its_body_has() {
    let components = json!([{ "type": "body", "parameters": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }]);
    let Ok(Posted::Message(message)) = check(&template(components)) else {
        panic!("it is valid");
    };
    assert_eq!(
        message.template.map(|template| template.body_parameters),
        Some(2)
    );
}
