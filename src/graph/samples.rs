//! Jobs for the tests of this room and of the worker's verdicts.

use serde_json::{Value, json};

use crate::job::Job;

/// A marketing template job, with these fields of a body instead.
pub fn job(fields: Value) -> Job {
    let message = json!({"type": "template", "template": {"name": "spring", "language": {"code": "en_US"}}});
    let mut job = json!({
        "key": "ff936d5e-8a4b-8c3d-9e2f-0123456789ab",
        "id": "order-17",
        "digest": "0123456789abcdef0123456789abcdef",
        "from": {"pool": "default"},
        "priority": "bulk",
        "to": "+447700900123",
        "message": message,
        "category": "marketing",
        "expires_at": 1_000_000,
        "on_unknown": "leave",
        "enqueued_at": 0,
    });
    for (name, value) in fields.as_object().expect("an object") {
        job[name] = value.clone();
    }
    let message = job["message"].clone();
    let template = message
        .get("template")
        .map(|template| json!({"name": template["name"], "language": template["language"]["code"]}));
    job["message"] = json!({"kind": message["type"], "template": template, "json": message});
    // From text: a raw value cannot be read from a parsed one.
    serde_json::from_str(&job.to_string()).expect("a job in the ledger's form")
}
