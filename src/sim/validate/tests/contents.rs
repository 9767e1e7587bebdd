//! Text, media, places, contacts and reactions.

use super::{assert_refused, message};
use serde_json::{Value, json};

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
        (message("text", json!({ "body": " " })), 131_009, "text.body must not be empty"),
        (message("text", json!({ "body": "é".repeat(4_097) })), 100, "text.body must be at most 4096"),
        (
            message("text", json!({ "body": "x", "preview_url": "yes" })),
            131_009,
            "text.preview_url must be true or false",
        ),
        (message("image", json!({})), 131_008, "image.id is required"),
        (message("image", media), 131_009, "image.id and link exclude"),
        (message("image", json!({ "link": "ftp://example.org" })), 131_009, "image.link must be an http or https"),
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
        (message("audio", json!({ "id": "1", "caption": "x" })), 131_009, "audio.caption is not allowed"),
        (place("latitude", json!("north")), 131_009, "location.latitude must be a number"),
        (place("longitude", json!(181)), 131_009, "location.longitude must lie between -180 and 180"),
        (place("name", Value::Null), 131_008, "location.name is required"),
        (message("contacts", json!([])), 131_009, "contacts has 0 elements; allowed are 1 to 5"),
        (message("contacts", vec![contact; 6].into()), 131_009, "contacts has 6 elements"),
        (
            message("contacts", json!([{ "name": { "formatted_name": "A" } }])),
            131_009,
            "contacts[0].name needs one more part",
        ),
        (message("reaction", json!({ "message_id": "x" })), 131_008, "reaction.emoji is required"),
    ]);
}
