//! What each kind of notice means, over the bodies that Meta documents.

mod account;

use serde_json::{Value, json};

use super::*;
use crate::graph::codes::TABLE;
use crate::graph::rule::CodeFate;
use crate::hold::{Effect, HoldOrder};
use crate::job::{Category, NumberId, PoolName};
use crate::ledger::{Failure, HoldChange, WINDOW};
use crate::outcome::{Reason, State};
use crate::webhook::notice;
use crate::webhook::notice::tests::{body, corpus};

const KEY: &str = "0197c0de-0000-7000-8000-000000000001";
/// A moment after every body of the corpus but one restriction's end.
const NOW: Timestamp = Timestamp::from_millis(1_751_250_000_000);

struct World {
    rules: Rules,
    names: Names,
    facts: HashMap<JobKey, JobFacts>,
    templates: HashMap<String, Timestamp>,
    portfolios: HashMap<String, String>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let mut names = Names::default();
        let (id, pool) = ("106540352242922".parse().expect("an id"), "shop".parse().expect("a pool"));
        names.add(id, "+1 650-555-1111", pool);
        let facts = JobFacts {
            recipient: "+16505551234".to_owned(),
            category: Category::Marketing,
            template: Some("order_confirmation/en_US".to_owned()),
            number: Some("106540352242922".parse().expect("an id")),
        };
        let rules = Rules {
            categories: vec![Category::Marketing, Category::Utility],
            stop: Words::new(["stop", "stop promotions"]),
            start: Words::new(["start"]),
        };
        let facts = HashMap::from([(KEY.parse().expect("a key"), facts)]);
        Self { rules, names, facts, templates: HashMap::new(), portfolios: HashMap::new(), now: NOW }
    }

    fn says(&self, body: &Value) -> Meaning {
        let notices = notice::read(body.to_string().as_bytes(), self.now);
        let Self { rules, names, facts, templates, portfolios, now } = self;
        news(notices, &Known { rules, names, facts, templates, portfolios, now: *now })
    }
}

fn says(name: &str) -> Meaning {
    World::new().says(&body(name))
}

fn told(field: &str, value: &Value, seconds: i64) -> Value {
    json!({"entry": [{"id": "102290129340398", "time": seconds, "changes": [{"field": field, "value": value}]}]})
}

fn topics(meaning: &Meaning) -> Vec<&str> {
    meaning.news.events.iter().map(|row| row.topic.as_str()).collect()
}

/// `scope subject category` of each hold, with its effect and reason, or with `lift`.
fn holds(meaning: &Meaning) -> Vec<String> {
    let shown = |change: &HoldChange| {
        let (cover, what) = match change {
            HoldChange::Place(order) => (&order.cover, format!("{} {}", order.effect, order.reason)),
            HoldChange::Stop { order, .. } => (&order.cover, format!("{} {}", order.effect, order.reason)),
            HoldChange::Lift { cover, .. } | HoldChange::Start { cover, .. } => (cover, "lift".to_owned()),
        };
        let category = cover.category.map(|category| format!(" {category}")).unwrap_or_default();
        format!("{} {}{category}: {what}", cover.scope, cover.subject)
    };
    meaning.news.holds.iter().map(shown).collect()
}

fn order(meaning: &Meaning) -> &HoldOrder {
    match &meaning.news.holds[..] {
        [HoldChange::Place(order)] => order,
        others => panic!("{others:?}"),
    }
}

fn fields(meaning: &Meaning) -> Vec<(String, Value)> {
    let fields = &meaning.news.fields;
    fields.iter().map(|news| (format!("{} {}", news.kind, news.id), Value::Object(news.fields.clone()))).collect()
}

fn failed(code: u32, at: Timestamp) -> Value {
    told(
        "messages",
        &json!({"metadata": {"phone_number_id": "106540352242922"}, "statuses": [{
            "id": "wamid.x", "status": "failed", "timestamp": at.as_millis() / 1_000,
            "biz_opaque_callback_data": format!("{KEY}:1"), "errors": [{"code": code, "title": "said"}]}]}),
        at.as_millis() / 1_000,
    )
}

fn failure(meaning: &Meaning) -> &Failure {
    match &meaning.news.statuses[0].heard {
        Heard::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_status_of_ours_is_news_and_any_other_is_foreign() {
    let meaning = says("reference/status_with_price");
    let status = &meaning.news.statuses[0];
    assert_eq!((status.key.to_string().as_str(), status.attempt, &status.heard), (KEY, 2, &Heard::Delivered));
    assert!(status.pricing.is_some() && meaning.updates.is_empty());
    let foreign = says("message_status/with_tracker");
    assert!(foreign.news.statuses.is_empty());
    assert_eq!(foreign.updates, [Update::Foreign]);
}

#[test]
fn every_code_means_the_same_in_a_webhook_as_in_an_answer() {
    for row in TABLE.iter().filter(|row| row.path.is_none() && row.subcode.is_none() && row.first != 135_000) {
        let body = failed(row.first, NOW);
        let notices = notice::read(body.to_string().as_bytes(), NOW);
        assert_eq!(wanted(&notices).len(), usize::from(row.hold.is_some()), "{row:?}");
        let meaning = World::new().says(&body);
        let failure = failure(&meaning);
        let expected = match row.fate {
            CodeFate::End(state) => (state, row.reason, false),
            CodeFate::WaitForHold | CodeFate::Retry { .. } => (State::Failed, row.reason, true),
        };
        assert_eq!((failure.state, failure.reason, failure.retryable), expected, "{row:?}");
        assert_eq!((failure.code, failure.details.as_str()), (Some(row.first), "said"));
        let credential = row.hold.is_some_and(|hold| hold.covers == crate::graph::rule::Covers::Credential);
        assert_eq!(meaning.news.holds.len(), usize::from(row.hold.is_some() && !credential), "{row:?}");
    }
}

#[test]
fn a_failure_holds_what_it_speaks_of() {
    for (code, expected) in [
        (131_042, "waba 102290129340398: wait payment"),
        (131_048, "number 106540352242922: wait spam_limit"),
        (131_049, "recipient +16505551234 marketing: wait marketing_limit"),
        (131_050, "recipient +16505551234 marketing: end opted_out"),
        (132_015, "template order_confirmation/en_US: wait template_paused"),
        (135_000, "portfolio : wait portfolio_pacing"),
    ] {
        assert_eq!(holds(&World::new().says(&failed(code, NOW))), [expected], "{code}");
    }
    let paced = World::new().says(&failed(135_000, NOW));
    assert_eq!((failure(&paced).reason, failure(&paced).retryable), (Reason::PortfolioPacing, true));
    let (until, probe) = (order(&paced).until, order(&paced).probe);
    assert_eq!((until.map(|until| until.since(NOW).as_secs()), probe), (Some(3_600), true));
    let unlisted = World::new().says(&failed(999, NOW));
    assert_eq!((failure(&unlisted).reason, failure(&unlisted).retryable), (Reason::Unlisted, false));
}

#[test]
fn what_failed_long_ago_or_in_a_job_that_nobody_knows_holds_nothing() {
    let yesterday = Timestamp::from_millis(NOW.as_millis() - 25 * 3_600_000);
    for code in [131_042, 131_049, 132_015, 135_000] {
        assert!(World::new().says(&failed(code, yesterday)).news.holds.is_empty(), "{code}");
    }
    let stranger = World { facts: HashMap::new(), ..World::new() };
    assert!(stranger.says(&failed(131_042, NOW)).news.holds.is_empty());
}

#[test]
fn a_thousand_failures_place_one_hold() {
    let mut body = failed(131_042, NOW);
    let statuses = &mut body["entry"][0]["changes"][0]["value"]["statuses"];
    let one = statuses[0].clone();
    *statuses = Value::Array(vec![one; 1_000]);
    let meaning = World::new().says(&body);
    assert_eq!((meaning.news.statuses.len(), meaning.news.holds.len()), (1_000, 1));
}

#[test]
fn a_person_who_writes_opens_a_window_and_is_passed_on() {
    let meaning = says("message/text");
    let windows: Vec<_> = meaning.news.windows.iter().map(|news| news.recipient.as_str()).collect();
    // Long ago: the window has closed again.
    assert!(windows.is_empty(), "{windows:?}");
    let world = World { now: Timestamp::from_millis(1_697_043_300_000), ..World::new() };
    let meaning = world.says(&body("message/text"));
    let windows = &meaning.news.windows;
    let recipients: Vec<_> = windows.iter().map(|news| news.recipient.as_str()).collect();
    assert_eq!(recipients, ["+972987654321", "US.13491208655302741918"]);
    assert_eq!(windows[0].until, Timestamp::from_millis(1_697_043_223_000) + WINDOW);
    assert_eq!(windows[0].number.as_str(), "1122334455667");
    assert_eq!(topics(&meaning), ["inbound.text.default"]);
    let row = &meaning.news.events[0];
    assert_eq!((row.event.as_str(), row.job.as_str()), ("inbound:wamid.xyzxyz", ""));
    let event: Value = serde_json::from_str(&row.body).expect("JSON");
    let expected = json!({
        "v": 1, "event": "inbound:wamid.xyzxyz", "at": "2023-10-11T16:53:43.000Z", "number": "1122334455667",
        "from": "+972987654321", "from_user_id": "US.13491208655302741918", "name": "Test Name",
        "wamid": "wamid.xyzxyz", "type": "text", "context": null,
        "message": body("message/text")["entry"][0]["changes"][0]["value"]["messages"][0],
    });
    assert_eq!(event, expected);
    assert_eq!(topics(&says("openapi/button_message")), ["inbound.button.shop"]);
    assert!(says("openapi/system_message").news.windows.is_empty());
}

#[test]
fn a_moment_in_the_future_opens_no_longer_window() {
    let mut body = body("message/text");
    body["entry"][0]["changes"][0]["value"]["messages"][0]["timestamp"] = json!("99999999999");
    assert_eq!(World::new().says(&body).news.windows[0].until, NOW + WINDOW);
}

#[test]
fn names_of_events_fit_into_a_message_id() {
    let mut body = body("message/text");
    body["entry"][0]["changes"][0]["value"]["messages"][0]["id"] = json!("w".repeat(500));
    let name = World::new().says(&body).news.events.remove(0).event;
    assert!(name.len() < 100 && name.starts_with("inbound:"), "{name}");
}

#[test]
fn stop_ends_what_is_configured_for_every_name_and_start_takes_only_that_back() {
    let stop = says("reference/button_stop");
    assert_eq!(
        holds(&stop),
        ["recipient +16505551234 marketing: end opted_out", "recipient +16505551234 utility: end opted_out"]
    );
    let mut text = body("message/text");
    text["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] = json!(" Stop! ");
    let meaning = World::new().says(&text);
    assert_eq!(meaning.news.holds.len(), 4);
    let HoldChange::Stop { order: first, .. } = &meaning.news.holds[0] else { panic!("placed") };
    assert_eq!((first.effect, first.until, first.who.as_str()), (Effect::End, None, "stop word"));
    text["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] = json!("START");
    for change in World::new().says(&text).news.holds {
        assert!(matches!(change, HoldChange::Start { .. }), "{change:?}");
    }
    text["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] = json!("stop that noise");
    assert!(World::new().says(&text).news.holds.is_empty());
}

#[test]
fn whoever_said_stop_last_is_left_alone_whatever_the_order_told() {
    let said = |wamid: &str, text: &str, at: i64| json!({"from": "16505551234", "id": wamid, "timestamp": at, "type": "text", "text": {"body": text}});
    let value =
        json!({"metadata": {"phone_number_id": "1"}, "messages": [said("b", "stop", 20), said("a", "start", 10)]});
    let meaning = World::new().says(&told("messages", &value, 30));
    assert!(matches!(meaning.news.holds.last(), Some(HoldChange::Stop { .. })), "{:?}", meaning.news.holds);
}

#[test]
fn a_preference_is_about_marketing_alone() {
    assert_eq!(holds(&says("reference/preference_stop")), ["recipient +16505551234 marketing: end opted_out"]);
    for name in ["user_marketing_preferences/resume", "user_marketing_preferences/signup"] {
        let meaning = says(name);
        assert_eq!(holds(&meaning), ["recipient +16505551234 marketing: lift"], "{name}");
        assert_eq!(meaning.updates, [Update::Preference]);
        assert_eq!(topics(&meaning), ["inbound.preference.shop"]);
    }
}

#[test]
fn the_same_body_twice_means_the_same_events() {
    for name in ["account_update/account_violation", "reference/name", "reference/template_quality", "message/image"] {
        let [one, other] = [says(name), says(name)];
        assert_eq!(one.news.events, other.news.events, "{name}");
        assert!(!one.news.events.is_empty());
    }
    let [one, other] = [says("account_update/account_deleted"), says("account_update/account_violation")];
    assert_ne!(one.news.events[0].event, other.news.events[0].event);
}

#[test]
fn numbers_are_known_by_their_display_number_however_it_is_written() {
    let mut names = Names::default();
    let id: NumberId = "1".parse().expect("an id");
    names.add(id.clone(), "+44 7700 900123", PoolName::default_pool());
    names.add("2".parse().expect("an id"), "", PoolName::default_pool());
    assert_eq!(names.id("447700900123"), Some(&id));
    assert_eq!(names.id(""), None);
}

#[test]
fn every_event_is_what_the_schema_says() {
    let validator = jsonschema::validator_for(&crate::ledger::event_schema()).expect("a valid schema");
    let mut kinds = std::collections::BTreeSet::new();
    for name in corpus() {
        for row in says(&name).news.events {
            let event: Value = serde_json::from_str(&row.body).expect("JSON");
            let problems: Vec<String> = validator.iter_errors(&event).map(|problem| problem.to_string()).collect();
            assert!(problems.is_empty(), "{name}: {event}: {problems:?}");
            kinds.extend(row.topic.split('.').next().map(str::to_owned));
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["account", "inbound", "number", "template"]);
}
