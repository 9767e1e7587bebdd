//! The events as JSON Schema, for apps that check what they read.

use serde_json::{Value, json};

use crate::outcome::{Reason, State};

/// JSON Schema (2020-12) of every event, as `tidegate schema --event` prints it. Fields may be added in later versions.
pub fn event_schema() -> Value {
    let kinds = ["message", "inbound", "preference", "trouble", "change"];
    let kinds = kinds.map(|kind| json!({ "$ref": format!("#/$defs/{kind}") }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidegate event, version 1",
        "description": "The body of a message on tidegate.events, and of a request to events.webhook_url. At least \
                        once: the same `event` is the same event. Those of one job are ordered by `attempt` and by \
                        the rank of `state`.",
        "oneOf": kinds,
        "$defs": {
            "message": message(),
            "inbound": inbound(),
            "preference": preference(),
            "trouble": trouble(),
            "change": change(),
            "moment": moment(),
        },
    })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A text that may be missing.
fn perhaps(of: Value, description: &str) -> Value {
    json!({ "anyOf": [of, { "type": "null" }], "description": description })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn message() -> Value {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    json!({
        "title": "message.<state>.<pool>.<source>, and message.late: a job changed its state",
        "type": "object",
        "required": ["v", "event", "at", "id", "to", "state", "attempt"],
        "properties": {
            "v": { "const": 1 },
            "event": { "type": "string", "description": "the event's own id, message_id over AMQP" },
            "at": { "$ref": "#/$defs/moment" },
            "id": { "type": "string", "description": "the job's id, correlation_id over AMQP" },
            "source": perhaps(text(), "the job's producer"),
            "campaign": perhaps(text(), "the job's campaign"),
            "to": { "type": "string", "description": "the recipient" },
            "number": perhaps(text(), "the sending number's id"),
            "state": { "enum": states },
            "reason": perhaps(json!({ "enum": reasons }), "why, where there is a why"),
            "retryable": perhaps(json!({ "type": "boolean" }), "of failed: whether the app might try again"),
            "code": perhaps(json!({ "type": "integer" }), "Meta's error code"),
            "wamid": perhaps(text(), "Meta's id of the message"),
            "attempt": { "type": "integer", "minimum": 0 },
            "until": perhaps(json!({ "$ref": "#/$defs/moment" }), "of waiting and unknown: until when"),
            "pricing": perhaps(
                json!({
                    "type": "object",
                    "required": ["type", "category"],
                    "properties": { "type": text(), "category": text() },
                }),
                "what Meta books",
            ),
            "metadata": { "description": "the job's own, as it was handed in" },
        },
    })
}

/// What every event begins with, besides these properties.
fn event(title: &str, required: &[&str], properties: &[(&str, Value)]) -> Value {
    let mut of = serde_json::Map::new();
    of.insert("v".to_owned(), json!({ "const": 1 }));
    of.insert("event".to_owned(), text());
    of.insert("at".to_owned(), json!({ "$ref": "#/$defs/moment" }));
    of.extend(properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let required: Vec<&str> = ["v", "event", "at"].iter().chain(required).copied().collect();
    json!({ "title": title, "type": "object", "required": required, "properties": of })
}

/// Who wrote.
fn person() -> [(&'static str, Value); 2] {
    [
        ("from", perhaps(text(), "who wrote: a phone number as jobs name it")),
        ("from_user_id", perhaps(text(), "who wrote: a business-scoped user id")),
    ]
}

fn inbound() -> Value {
    let [from, from_user_id] = person();
    event(
        "inbound.<type>.<pool>: somebody wrote to one of the numbers",
        &["number", "wamid", "type", "message"],
        &[
            ("number", json!({ "type": "string", "description": "the number written to" })),
            from,
            from_user_id,
            ("name", perhaps(text(), "as the profile says")),
            ("wamid", json!({ "type": "string", "description": "Meta's id of it: to answer, react, mark as read" })),
            ("type", text()),
            ("context", json!({ "description": "what it answers" })),
            ("message", json!({ "type": "object", "description": "the message as Meta sent it" })),
        ],
    )
}

fn preference() -> Value {
    let [from, from_user_id] = person();
    event(
        "inbound.preference.<pool>: somebody stopped or resumed marketing",
        &["type", "preference"],
        &[
            ("number", perhaps(text(), "the number it was said to")),
            from,
            from_user_id,
            ("type", json!({ "const": "preference" })),
            ("preference", json!({ "enum": ["stop", "resume"] })),
        ],
    )
}

fn trouble() -> Value {
    event(
        "number.error: Meta tells of trouble with a number, and of no message",
        &["code", "details"],
        &[
            ("number", perhaps(text(), "the number")),
            ("code", perhaps(json!({ "type": "integer" }), "Meta's code")),
            ("details", text()),
        ],
    )
}

fn change() -> Value {
    event(
        "number.<what>, template.<what>, account.<what>: Meta changed something of ours",
        &["field", "value"],
        &[
            ("waba", perhaps(text(), "the business account's id")),
            ("number", perhaps(text(), "the number's id")),
            ("template", perhaps(text(), "name/language")),
            ("field", json!({ "type": "string", "description": "the webhook's field" })),
            ("value", json!({ "description": "the change as Meta sent it" })),
        ],
    )
}
