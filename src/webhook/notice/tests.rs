//! Every body that Meta documents is understood, and no damage to one spoils its neighbours.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const RECEIVED: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const KEY: &str = "0197c0de-0000-7000-8000-000000000001";

/// Bodies by file and name.
static CORPUS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let files = [
        ("account_update", include_str!("../../../tests/corpus/webhooks/account_update.json")),
        ("message", include_str!("../../../tests/corpus/webhooks/message.json")),
        ("message_status", include_str!("../../../tests/corpus/webhooks/message_status.json")),
        ("template_status_update", include_str!("../../../tests/corpus/webhooks/template_status_update.json")),
        ("user_marketing_preferences", include_str!("../../../tests/corpus/webhooks/user_marketing_preferences.json")),
        ("openapi", include_str!("../../../tests/corpus/webhooks/openapi.json")),
        ("reference", include_str!("../../../tests/corpus/webhooks/reference.json")),
    ];
    let bodies = files.iter().flat_map(|(file, text)| {
        let bodies: Map<String, Value> = serde_json::from_str(text).expect("a file of bodies");
        bodies.into_iter().map(move |(name, body)| (format!("{file}/{name}"), body))
    });
    bodies.collect()
});

pub(in crate::webhook) fn body(name: &str) -> Value {
    CORPUS.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is missing")).1.clone()
}

/// The names of all bodies.
pub(in crate::webhook) fn corpus() -> Vec<String> {
    CORPUS.iter().map(|(name, _)| name.clone()).collect()
}

fn notices(body: &Value) -> Vec<Notice> {
    read(body.to_string().as_bytes(), RECEIVED)
}

fn strange_fields(notices: &[Notice]) -> Vec<&str> {
    let fields = notices.iter().filter_map(|notice| match notice {
        Notice::Strange { field, .. } => Some(field.as_str()),
        _ => None,
    });
    fields.collect()
}

#[test]
fn every_documented_body_is_understood() {
    assert!(CORPUS.len() >= 80, "{} bodies", CORPUS.len());
    for (name, body) in &*CORPUS {
        let notices = notices(body);
        let strange = strange_fields(&notices);
        let expected: &[&str] = match name.as_str() {
            // We write to no groups.
            "openapi/group_create_message" => &["group_lifecycle_update"],
            "openapi/group_settings_update" => &["group_settings_update"],
            "openapi/group_remove_participants" => &["group_participants_update"],
            _ => &[],
        };
        assert_eq!(strange, expected, "{name}");
        assert!(!notices.is_empty(), "{name} says nothing");
    }
}

fn first(name: &str) -> Notice {
    notices(&body(name)).remove(0)
}

#[test]
fn a_status_says_what_became_of_which_attempt() {
    let Notice::Status(status) = first("reference/status_with_price") else { panic!("a status") };
    assert_eq!(status.job, Some((KEY.parse().expect("a key"), 2)));
    assert_eq!((status.wamid.as_str(), status.told), ("wamid.d", Told::Delivered));
    assert_eq!(status.at.as_millis(), 1_750_030_073_000);
    let price = status.pricing.expect("a price");
    assert_eq!((price.kind.as_str(), price.category.as_str()), ("regular", "authentication_international"));
    let Notice::Status(failed) = first("message_status/failed") else { panic!("a status") };
    let Told::Failed(error) = failed.told else { panic!("failed") };
    assert_eq!((error.code, failed.job), (Some(130_472), None));
    assert!(error.details.starts_with("Failed to send message because"), "{}", error.details);
    let Notice::Status(played) = first("message_status/played") else { panic!("a status") };
    assert_eq!(played.told, Told::Read);
}

#[test]
fn an_inbound_message_says_who_wrote_and_what_they_said() {
    let Notice::Inbound(text) = first("message/text") else { panic!("a message") };
    let from: Vec<&str> = text.from.iter().map(crate::job::Recipient::expose).collect();
    assert_eq!(from, ["+972987654321", "US.13491208655302741918"]);
    assert_eq!((text.name.as_deref(), text.kind), (Some("Test Name"), InboundKind::Text));
    assert_eq!(text.said, ["Body Text"]);
    let Notice::Inbound(button) = first("reference/button_stop") else { panic!("a message") };
    assert_eq!(button.said, ["Stop promotions", "Stop promotions"]);
    let Notice::Inbound(reply) = first("openapi/interactive_button_reply_message") else { panic!("a message") };
    assert_eq!(reply.said.len(), 2);
    let Notice::Inbound(by_id) = first("reference/by_user_id") else { panic!("a message") };
    assert_eq!(by_id.from.iter().map(crate::job::Recipient::expose).collect::<Vec<_>>(), ["US.13491208655302741918"]);
    let mut unknown = body("message/text");
    unknown["entry"][0]["changes"][0]["value"]["messages"][0]["type"] = json!("hologram");
    let Notice::Inbound(unknown) = notices(&unknown).remove(0) else { panic!("a message") };
    assert_eq!(unknown.kind, InboundKind::Unsupported);
}

#[test]
fn a_contact_that_is_another_person_lends_nothing() {
    let mut body = body("message/text");
    body["entry"][0]["changes"][0]["value"]["contacts"][0]["wa_id"] = json!("447700900123");
    let Notice::Inbound(message) = notices(&body).remove(0) else { panic!("a message") };
    assert_eq!(message.from.len(), 1);
    assert_eq!(message.name, None);
}

#[test]
fn a_template_has_its_name_as_jobs_write_it_and_a_turn() {
    for (name, expected) in [
        ("reference/template_paused", Turn::Pauses { hours: 3 }),
        ("reference/template_unpaused", Turn::Opens),
        ("reference/template_disabled", Turn::Disables),
        ("template_status_update/approved", Turn::Opens),
    ] {
        let Notice::Template(_, TemplateNews::Status { template, turn, .. }) = first(name) else { panic!("{name}") };
        assert_eq!((template.to_string().as_str(), turn), ("order_confirmation/en_US", expected), "{name}");
    }
    let Notice::Template(_, TemplateNews::Category { category, from, .. }) =
        first("reference/template_category_impending")
    else {
        panic!("a category")
    };
    assert_eq!((category.as_str(), from.map(Timestamp::as_millis)), ("MARKETING", Some(1_751_333_948_000)));
    let mut locked = body("reference/template_paused");
    locked["entry"][0]["changes"][0]["value"]["event"] = json!("LOCKED");
    locked["entry"][0]["changes"][0]["value"]["other_info"]["title"] = json!("SECOND_PAUSE");
    let Notice::Template(_, TemplateNews::Status { turn, .. }) = notices(&locked).remove(0) else { panic!("a status") };
    assert_eq!(turn, Turn::Pauses { hours: 6 });
}

#[test]
fn what_is_unknown_is_strange_and_kept_as_it_came() {
    let cases = [
        ("body", "not json".to_owned()),
        ("body", String::new()),
        ("body", "[]".to_owned()),
        ("body", json!({"object": "page", "entry": []}).to_string()),
        ("body", json!({"object": "whatsapp_business_account"}).to_string()),
        ("entry", json!({"entry": [7]}).to_string()),
        ("entry", json!({"entry": [{"id": "1"}]}).to_string()),
        ("change", json!({"entry": [{"changes": [{"value": {}}]}]}).to_string()),
        ("calls", json!({"entry": [{"changes": [{"field": "calls", "value": {"a": 1}}]}]}).to_string()),
        ("messages", json!({"entry": [{"changes": [{"field": "messages", "value": {"groups": []}}]}]}).to_string()),
    ];
    for (field, body) in cases {
        let notices = read(body.as_bytes(), RECEIVED);
        assert_eq!(strange_fields(&notices), [field], "{body}");
        let Notice::Strange { body: kept, .. } = &notices[0] else { panic!("strange") };
        assert!(body.contains(kept.as_str()), "{kept}");
    }
    assert_eq!(strange_fields(&read(&[0xff, 0, 0xfe], RECEIVED)), ["body"]);
    let Notice::Strange { body, .. } = &read(&[b'a', 0, 0xfe], RECEIVED)[0] else { panic!("strange") };
    assert!(!body.contains('\0'), "PostgreSQL takes no such text");
    let mut deleted = self::body("message_status/read");
    deleted["entry"][0]["changes"][0]["value"]["statuses"][0]["status"] = json!("deleted");
    assert_eq!(strange_fields(&notices(&deleted)), ["messages"]);
    let mut event = self::body("account_update/account_deleted");
    event["entry"][0]["changes"][0]["value"]["event"] = json!("ACCOUNT_PAINTED");
    assert_eq!(strange_fields(&notices(&event)), ["account_update"]);
}

#[test]
fn nesting_without_end_is_strange_and_no_crash() {
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let change =
        |field: &str| format!(r#"{{"entry":[{{"changes":[{{"field":"{field}","value":{{"messages":[{deep}]}}}}]}}]}}"#);
    for body in [deep.clone(), change("messages"), change("painted"), change("account_update")] {
        assert_eq!(strange_fields(&read(body.as_bytes(), RECEIVED)).len(), 1);
    }
}

/// All places in a value where something stands, as JSON pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| places(inner, &format!("{at}/{name}"), into)),
        Value::Array(all) => all.iter().enumerate().for_each(|(n, inner)| places(inner, &format!("{at}/{n}"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!([null, 7, "x", {}])),
        Just(json!("\u{0}")),
        Just(json!(-1)),
        Just(json!(1e300)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
    ]
}

fn known(status: usize) -> Value {
    let (wamid, data) = (format!("wamid.known{status}"), format!("{KEY}:{}", status + 1));
    json!({"id": wamid, "status": "sent", "timestamp": "1750030073", "biz_opaque_callback_data": data})
}

fn known_statuses(notices: &[Notice]) -> usize {
    let is_known = |notice: &&Notice| matches!(notice, Notice::Status(status) if status.wamid.starts_with("wamid.known") && status.job.is_some());
    notices.iter().filter(is_known).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A change of a body is damaged in one to four places; whole changes stand before and behind it in its entry.
    #[test]
    fn damage_stays_where_it_is(
        chosen in any::<proptest::sample::Index>(),
        damages in proptest::collection::vec((any::<proptest::sample::Index>(), proptest::option::of(any_value())), 1..4),
    ) {
        let (_, body) = chosen.get(&CORPUS);
        let mut change = body["entry"][0]["changes"][0].clone();
        for (place, damage) in damages {
            let mut all = Vec::new();
            places(&change, "", &mut all);
            let at = place.get(&all);
            match (damage, at.rsplit_once('/')) {
                (None, Some((parent, name))) => match change.pointer_mut(parent) {
                    Some(Value::Object(members)) => { members.remove(name); }
                    Some(Value::Array(all)) => { all.remove(name.parse().expect("an index")); }
                    Some(_) | None => {}
                },
                (Some(value), _) => if let Some(found) = change.pointer_mut(at) { *found = value },
                (None, None) => change = Value::Null,
            }
        }
        let whole = |status| json!({"field": "messages", "value": {"statuses": [known(status)]}});
        let body = json!({"object": "whatsapp_business_account", "entry": [
            {"id": "1", "time": 1_750_030_073, "changes": [whole(0), change, whole(1)]},
            {"id": "2", "changes": [whole(2)]},
        ]});
        let notices = notices(&body);
        prop_assert_eq!(known_statuses(&notices), 3);
    }

    /// The same inside a change: a damaged status stands between whole ones.
    #[test]
    fn a_broken_status_spoils_no_other(value in any_value(), field in 0_usize..5, message in any_value()) {
        let mut broken = json!({"id": "wamid.x", "status": "failed", "timestamp": "1", "errors": [{"code": 1}], "pricing": {}});
        let names = ["id", "status", "timestamp", "errors", "pricing"];
        broken[names[field]] = value.clone();
        let statuses = json!([known(0), broken, known(1), value, known(2)]);
        let body = json!({"entry": [{"changes": [{"field": "messages", "value": {
            "statuses": statuses, "messages": [message], "errors": 7, "metadata": value}}]}]});
        let notices = notices(&body);
        prop_assert_eq!(known_statuses(&notices), 3);
        for notice in &notices {
            if let Notice::Status(status) = notice {
                prop_assert!(!status.wamid.contains(char::is_control));
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&bytes, RECEIVED).len(), 1);
    }
}
