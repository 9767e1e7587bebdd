//! Buttons, lists, links, flows and products.

use super::{assert_refused, interactive, message};
use serde_json::{Value, json};

pub(super) fn button(id: &str, title: &str) -> Value {
    json!({ "type": "reply", "reply": { "id": id, "title": title } })
}

pub(super) fn rows(count: usize) -> Value {
    (0..count).map(|n| json!({ "id": format!("r{n}"), "title": "row" })).collect()
}

#[test]
fn interactive_messages_are_checked() {
    let buttons = |list: Vec<Value>| interactive("button", json!({ "buttons": list }));
    let list = |sections: Value| interactive("list", json!({ "button": "Open", "sections": sections }));
    let header = |kind: &str, header: Value| {
        let mut body = interactive(kind, json!({ "buttons": [button("1", "a")] }));
        body["interactive"]["header"] = header;
        body
    };
    let long_body =
        json!({ "type": "button", "body": { "text": "x".repeat(1_025) }, "action": { "buttons": [button("1", "a")] } });
    assert_refused(&[
        (interactive("poll", json!({})), 131_009, "interactive.type must be one of button"),
        (message("interactive", json!({ "type": "button", "action": {} })), 131_008, "interactive.body is required"),
        (message("interactive", long_body), 100, "interactive.body.text must be at most 1024"),
        (
            buttons((0..4).map(|n| button(&n.to_string(), &n.to_string())).collect()),
            131_009,
            "has 4 elements; allowed are 1 to 3",
        ),
        (
            buttons(vec![button("1", &"x".repeat(21))]),
            100,
            "interactive.action.buttons[0].reply.title must be at most 20",
        ),
        (buttons(vec![button(" 1", "a")]), 131_009, "must not begin or end with a space"),
        (buttons(vec![button("1", "a"), button("1", "b")]), 131_009, "buttons[1].reply.id must be different"),
        (buttons(vec![button("1", "a"), button("2", "a")]), 131_009, "buttons[1].reply.title must be different"),
        (header("button", json!({ "type": "text", "text": "x".repeat(61) })), 100, "header.text must be at most 60"),
        (
            header("list", json!({ "type": "image", "image": { "id": "1" } })),
            131_009,
            "header.type must be one of text",
        ),
        (list(json!([{ "rows": rows(1) }, { "rows": rows(1) }])), 131_008, "sections[0].title is required"),
        (list(json!([{ "title": "a", "rows": rows(11) }])), 131_009, "rows has 11 elements"),
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
