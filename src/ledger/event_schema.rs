//! The events as JSON Schema, for apps that check what they read.

use serde_json::{Value, json};

use crate::outcome::{Reason, State};

/// JSON Schema (2020-12) of every event, as `tidegate schema --event` prints it. Fields may be added in later versions.
pub fn event_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidegate event, version 1",
        "description": "The body of a message on tidegate.events, and of a request to events.webhook_url. At least \
                        once: the same `event` is the same event. Those of one job are ordered by `attempt` and by \
                        the rank of `state`.",
        "oneOf": [{ "$ref": "#/$defs/message" }, { "$ref": "#/$defs/inbound" }, { "$ref": "#/$defs/notice" }],
        "$defs": { "message": message(), "inbound": inbound(), "notice": notice(), "moment": moment() },
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

fn inbound() -> Value {
    json!({
        "title": "inbound.<type>.<pool>: somebody wrote to one of the numbers",
        "type": "object",
        "required": ["v", "event", "at", "number", "wamid", "type", "message"],
        "not": { "required": ["state"] },
        "properties": {
            "v": { "const": 1 },
            "event": { "type": "string" },
            "at": { "$ref": "#/$defs/moment" },
            "number": { "type": "string", "description": "the number written to" },
            "from": perhaps(text(), "who wrote: a phone number as jobs name it"),
            "from_user_id": perhaps(text(), "who wrote: a business-scoped user id"),
            "name": perhaps(text(), "as the profile says"),
            "wamid": { "type": "string", "description": "Meta's id of the message: to answer, react, mark as read" },
            "type": { "type": "string" },
            "context": { "description": "what it answers" },
            "message": { "type": "object", "description": "the message as Meta sent it" },
        },
    })
}

fn notice() -> Value {
    json!({
        "title": "number.<what>, template.<what>, account.<what>: Meta changed something of ours",
        "type": "object",
        "required": ["v", "event", "at", "what"],
        "not": { "anyOf": [{ "required": ["state"] }, { "required": ["wamid"] }] },
        "properties": {
            "v": { "const": 1 },
            "event": { "type": "string" },
            "at": { "$ref": "#/$defs/moment" },
            "what": { "type": "string", "description": "the key, as template.paused" },
            "waba": perhaps(text(), "the business account's id"),
            "subject": perhaps(text(), "the number's id, or the template's name/language"),
            "details": { "type": "object", "description": "the change as Meta sent it" },
        },
    })
}
