//! What no list of cases covers: damaged bytes, and every field of every valid job replaced by something else.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::corpus::{VALID, lines, validator};
use super::{Digest, Received, parse};
use crate::clock::Timestamp;

fn here() -> Received {
    Received::here("2026-11-20T10:00:00Z".parse().expect("RFC 3339"))
}

/// The value with the members of every object in reverse order, as text: `Value` itself would sort them again.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let member =
                |(name, value): (&String, &Value)| format!("{} :\n{}", Value::from(name.as_str()), reversed(value));
            let members: Vec<_> = map.iter().rev().map(member).collect();
            format!("{{\t{}\n}}", members.join(" , "))
        }
        Value::Array(items) => format!("[ {}]", items.iter().map(reversed).collect::<Vec<_>>().join("\r\n,")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// Every place in a value, as a JSON pointer.
fn places(value: &Value, above: &str, found: &mut Vec<String>) {
    let mut enter = |name: &str, value: &Value| {
        let place = format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
        places(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| enter(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| enter(&index.to_string(), value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn parser_and_schema_agree_on_every_job_with_one_value_replaced() {
    let validator = validator();
    let others =
        [json!(null), json!(true), json!(0), json!(-1), json!(""), json!("x"), json!([]), json!({}), json!([{}])];
    let (mut problems, mut accepted, mut refused) = (Vec::new(), 0, 0);
    for line in lines(VALID).iter().filter(|line| line.is_bare()) {
        let job: Value = serde_json::from_slice(&line.bytes()).expect("JSON");
        let mut found = Vec::new();
        places(&job, "", &mut found);
        for (place, other) in found.iter().flat_map(|place| others.iter().map(move |other| (place, other))) {
            let mut changed = job.clone();
            *changed.pointer_mut(place).expect("found there") = other.clone();
            let parsed = parse(changed.to_string().as_bytes(), &here());
            *if parsed.is_ok() { &mut accepted } else { &mut refused } += 1;
            if parsed.is_ok() != validator.is_valid(&changed) {
                let parsed = parsed.map(|_| ()).map_err(|refused| refused.to_string());
                problems.push(format!("{}: {place} = {other}: {parsed:?}", line.case));
            }
        }
    }
    assert!(problems.is_empty(), "{}\n{} differences", problems.join("\n"), problems.len());
    assert!(accepted > 1_000 && refused > 10_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn white_space_and_the_order_of_keys_do_not_change_the_digest() {
    for line in lines(VALID).iter().filter(|line| line.is_bare()) {
        let mut job: Value = serde_json::from_slice(&line.bytes()).expect("JSON");
        // White space counts against the limit of metadata.
        job.as_object_mut().expect("an object").remove("metadata");
        let digest = |body: String| -> Digest { parse(body.as_bytes(), &here()).expect("valid").digest };
        assert_eq!(digest(reversed(&job)), digest(job.to_string()), "{}", line.case);
    }
}

#[test]
fn the_message_keeps_the_producers_own_bytes() {
    let message = "{ \"type\":\"text\",\n\t\"text\": {\"body\":\"\\u0041\"} }";
    let job =
        parse(format!("{{\"to\":\"+447700900123\",\"message\":  {message} }}").as_bytes(), &here()).expect("valid");
    assert_eq!(job.message.json.get(), message);
}

#[test]
fn a_minted_id_carries_its_time() {
    let body = json!({"to": "+447700900123", "message": {"type": "text", "text": {"body": "hi"}}}).to_string();
    let ids: Vec<_> = [(); 2].map(|()| parse(body.as_bytes(), &here()).expect("valid").id).into();
    assert_eq!(ids[0].made_at(), Some(here().now));
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_refusal_names_the_job_where_it_can() {
    let received = Received { app_id: Some("shop".to_owned()), ..here() };
    let refused = parse(br#"{"id":"order-17","to":"+447700900123"}"#, &received).expect_err("no message");
    assert_eq!((refused.id.as_deref(), refused.source.as_deref()), (Some("order-17"), Some("shop")));
    let received = Received { message_id: Some("carried-1".to_owned()), ..received };
    let refused = parse(b"{", &received).expect_err("not JSON");
    assert_eq!((refused.id.as_deref(), refused.source.as_deref()), (Some("carried-1"), Some("shop")));
    let refused = parse(br#"{"id":7}"#, &received).expect_err("no id");
    assert_eq!(refused.id, None);
}

#[test]
fn late_is_counted_from_the_later_of_not_before_and_the_publishing() {
    let message = json!({"type": "text", "text": {"body": "hi"}});
    let late_at = |extra: Value| {
        let mut job =
            Map::from_iter([("to".to_owned(), json!("+447700900123")), ("message".to_owned(), message.clone())]);
        job.extend(extra.as_object().expect("an object").clone());
        parse(Value::Object(job).to_string().as_bytes(), &here()).expect("valid").late_at()
    };
    let at = |text: &str| -> Option<Timestamp> { Some(text.parse().expect("RFC 3339")) };
    assert_eq!(late_at(json!({})), None);
    assert_eq!(late_at(json!({"deliver_within": "60s"})), at("2026-11-20T10:01:00Z"));
    let later = json!({"deliver_within": "60s", "not_before": "2026-11-20T12:00:00Z"});
    assert_eq!(late_at(later), at("2026-11-20T12:01:00Z"));
}

#[test]
fn debug_shows_neither_content_nor_metadata_nor_number() {
    let body =
        br#"{"to":"+447700900123","message":{"type":"text","text":{"body":"canary"}},"metadata":{"a":"canary"}}"#;
    let shown = format!("{:?}", parse(body, &here()).expect("valid"));
    assert!(!shown.contains("canary") && !shown.contains("7700900"), "{shown}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes, &here()).is_err());
    }

    #[test]
    fn damaged_jobs_never_panic(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let lines: Vec<&str> = VALID.lines().collect();
        let line: Value = serde_json::from_str(lines[which.index(lines.len())]).expect("JSON");
        let mut bytes = line["job"].to_string().into_bytes();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = parse(&bytes, &here());
        let _ = parse(&bytes[..cut.index(bytes.len())], &here());
    }

    #[test]
    fn separators_do_not_make_another_job(digits in "[1-9][0-9]{7,14}", separator in "[-(). ]") {
        let message = json!({"type": "text", "text": {"body": "hi"}});
        let body = |to: String| json!({"id": "a", "to": to, "message": message}).to_string();
        let spaced = format!("{}{separator}{}", &digits[..3], &digits[3..]);
        let plain = parse(body(digits).as_bytes(), &here()).expect("digits");
        let spaced = parse(body(spaced).as_bytes(), &here()).expect("digits and a separator");
        prop_assert_eq!((plain.key, plain.digest), (spaced.key, spaced.digest));
    }
}
