//! The vectors of `tests/corpus/jobs`, through the parser and through the schema.

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Job, PoolName, Priority, Received, parse, schema};
use crate::clock::Timestamp;

pub(super) const VALID: &str = include_str!("../../tests/corpus/jobs/valid.jsonl");
const INVALID: &str = include_str!("../../tests/corpus/jobs/invalid.jsonl");

/// One line: a body in one of three forms, how it came, and what is expected of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub case: String,
    job: Option<Value>,
    body: Option<Value>,
    hex: Option<String>,
    #[serde(default)]
    received: Carrier,
    /// Of a valid one: what its stored form holds.
    #[serde(default)]
    expect: serde_json::Map<String, Value>,
    /// Of an invalid one.
    #[serde(default)]
    field: String,
    #[serde(default)]
    reason: String,
    /// Whether the schema can tell.
    #[serde(default = "yes")]
    schema: bool,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carrier {
    message_id: Option<String>,
    app_id: Option<String>,
    timestamp: Option<String>,
    enqueued_at: Option<String>,
    pool: Option<PoolName>,
    priority: Option<Priority>,
    mint_id: Option<bool>,
}

fn yes() -> bool {
    true
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect("RFC 3339")
}

impl Carrier {
    fn received(&self) -> Received {
        Received {
            message_id: self.message_id.clone(),
            app_id: self.app_id.clone(),
            timestamp: self.timestamp.as_deref().map(moment),
            enqueued_at: self.enqueued_at.as_deref().map(moment),
            routing: self.pool.clone().zip(self.priority),
            mint_id: self.mint_id.unwrap_or(true),
            ..Received::here(moment("2026-11-20T10:00:00Z"))
        }
    }
}

impl Line {
    /// Whether it came with nothing beside its body.
    pub fn is_bare(&self) -> bool {
        self.received == Carrier::default()
    }

    pub fn bytes(&self) -> Vec<u8> {
        match (&self.job, &self.body, &self.hex) {
            (Some(job), None, None) => serde_json::to_vec(&expanded(job)).expect("JSON"),
            (None, Some(Value::Array(parts)), None) => {
                parts.iter().map(|part| expanded_text(part.as_str().expect("text"))).collect::<String>().into_bytes()
            }
            (None, Some(body), None) => body.as_str().expect("text").as_bytes().to_vec(),
            (None, None, Some(hex)) => {
                let pairs = hex.as_bytes().chunks(2);
                let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
                pairs.map(byte).collect()
            }
            _ => panic!("{}: needs one of job, body, hex", self.case),
        }
    }
}

/// Long texts are written as `repeat:4097:x`, so that people can read the corpus.
fn expanded(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(expanded_text(text)),
        Value::Array(items) => items.iter().map(expanded).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), expanded(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn expanded_text(text: &str) -> String {
    match text.strip_prefix("repeat:").and_then(|rest| rest.split_once(':')) {
        Some((times, what)) => what.repeat(times.parse().expect("a count")),
        None => text.to_owned(),
    }
}

pub(super) fn lines(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

pub(super) fn validator() -> Validator {
    jsonschema::validator_for(&serde_json::from_str(schema()).expect("JSON")).expect("a schema")
}

fn stored(job: &Job) -> Value {
    serde_json::to_value(job).expect("a job is JSON")
}

#[test]
fn every_valid_job_passes_both() {
    let (validator, lines) = (validator(), lines(VALID));
    assert!(lines.len() >= 100);
    let mut problems = Vec::new();
    for line in lines {
        let bytes = line.bytes();
        match parse(&bytes, &line.received.received()) {
            Ok(job) => {
                let stored = stored(&job);
                for (name, value) in &line.expect {
                    if stored.get(name) != Some(value) {
                        problems.push(format!("{}: {name} is {:?}, not {value}", line.case, stored.get(name)));
                    }
                }
            }
            Err(refused) => problems.push(format!("{}: parser: {refused}", line.case)),
        }
        if let Err(error) = validator.validate(&serde_json::from_slice(&bytes).expect("JSON")) {
            problems.push(format!("{}: schema: {error}", line.case));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_invalid_job_is_refused_by_both() {
    let (validator, lines) = (validator(), lines(INVALID));
    assert!(lines.len() >= 100);
    let mut problems = Vec::new();
    for line in lines {
        let bytes = line.bytes();
        match parse(&bytes, &line.received.received()) {
            Ok(_) => problems.push(format!("{}: passes the parser", line.case)),
            Err(refused) if (&refused.field, &refused.reason) != (&line.field, &line.reason) => {
                problems.push(format!("{}: {refused}, not {}: {}", line.case, line.field, line.reason));
            }
            Err(_) => {}
        }
        let by_schema = serde_json::from_slice(&bytes).is_ok_and(|job| !validator.is_valid(&job));
        if by_schema != line.schema {
            problems.push(format!("{}: refused by the schema: {by_schema}", line.case));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_job_reads_back_from_its_stored_form() {
    for line in lines(VALID) {
        let job = parse(&line.bytes(), &line.received.received()).expect("valid");
        let text = serde_json::to_string(&job).expect("a job is JSON");
        let again: Job = serde_json::from_str(&text).expect("its own form");
        assert_eq!(serde_json::to_string(&again).expect("a job is JSON"), text, "{}", line.case);
        assert_eq!(again.message.json.get(), job.message.json.get());
        assert_eq!(again.metadata.map(|raw| raw.get().to_owned()), job.metadata.map(|raw| raw.get().to_owned()));
        assert_eq!((again.key, again.digest, again.to), (job.key, job.digest, job.to));
    }
}

#[test]
fn no_refusal_repeats_a_number_or_a_text() {
    let secret = "447700900123";
    for line in lines(INVALID) {
        let refused = parse(&line.bytes(), &line.received.received()).expect_err("invalid");
        assert!(!refused.to_string().contains(secret), "{}", line.case);
    }
    let body = json!({"to": "+44 7700 900123 x5", "message": {"type": "text", "text": {"body": "hi"}}});
    let refused = parse(body.to_string().as_bytes(), &Received::here(Timestamp::default())).expect_err("no number");
    assert!(!refused.to_string().contains("7700"), "{refused}");
}
