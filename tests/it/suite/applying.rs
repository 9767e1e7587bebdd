//! From a webhook's body in the inbox to what it means in the ledger.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::clock::{self, Timestamp};
use tidegate::hold::Scope;
use tidegate::job::{Category, PoolName};
use tidegate::keeper::{Acquaintance, Applier};
use tidegate::ledger::{Ledger, OutboxStage, Publish};
use tidegate::metrics::Metrics;
use tidegate::outcome::{Reason, State};
use tidegate::webhook::meaning::{Rules, Words};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bench::Bench;
use super::ledger::*;
use super::ledger_statuses::accept;

const RECIPIENT: &str = "+447700900123";
const WABA: &str = "102290129340398";

/// An applier at work on a ledger.
struct Work {
    metrics: Arc<Metrics>,
    on_duty: watch::Sender<bool>,
    stop: CancellationToken,
    applier: JoinSet<()>,
}

impl Work {
    fn begin(ledger: &Ledger, on: bool) -> Self {
        let stop_words = Words::new(["stop"]);
        let rules = Rules { categories: vec![Category::Marketing], stop: stop_words, start: Words::new(["start"]) };
        let shop: PoolName = "shop".parse().expect("a pool");
        let acquaintance = Acquaintance {
            rules: Arc::new(rules),
            listed: vec![(NUMBER.parse().expect("a number"), "+1 650-555-1111".to_owned())],
            pool_of: Arc::new(move |_, _| shop.clone()),
            portfolios: [("103".to_owned(), "66".to_owned())].into(),
        };
        let metrics = Arc::new(Metrics::new());
        let (on_duty, on) = watch::channel(on);
        let applier = Applier::new(ledger.clone(), metrics.clone(), acquaintance, on);
        let stop = CancellationToken::new();
        let mut work = JoinSet::new();
        work.spawn(applier.run(stop.clone()));
        Self { metrics, on_duty, stop, applier: work }
    }

    /// Hands bodies in, and waits until none is left.
    async fn apply(&self, ledger: &Ledger, bodies: &[Value]) {
        let bodies = bodies.iter().map(|body| body.as_str().map_or_else(|| body.to_string(), str::to_owned).into());
        ledger.inbox_put(bodies.collect(), now()).await.expect("kept");
        self.until_applied(ledger).await;
    }

    async fn until_applied(&self, ledger: &Ledger) {
        let applied = async {
            while !ledger.inbox_take(1, 1).await.expect("taken").is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, applied).await.expect("applied in time");
    }

    /// What was applied is told right after its commit.
    async fn shows(&self, line: &str) {
        let shown = async {
            while !self.metrics.render().lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        };
        let shown = tokio::time::timeout(PATIENCE, shown).await;
        shown.unwrap_or_else(|_| panic!("{line} is missing in\n{}", self.metrics.render()));
    }

    async fn end(self) {
        self.stop.cancel();
        self.applier.join_all().await;
    }
}

fn now() -> Timestamp {
    clock::now().wall
}

fn change(field: &str, value: &Value) -> Value {
    let seconds = now().as_millis() / 1_000;
    json!({"object": "whatsapp_business_account",
        "entry": [{"id": WABA, "time": seconds, "changes": [{"field": field, "value": value}]}]})
}

fn messages(value: Value) -> Value {
    let mut value = value;
    value["metadata"] = json!({"phone_number_id": NUMBER, "display_phone_number": "16505551111"});
    change("messages", &value)
}

/// A status of a job's first attempt.
fn told(id: &str, status: &str, more: Value) -> Value {
    let mut told = json!({"id": format!("wamid.{id}"), "status": status, "timestamp": now().as_millis() / 1_000,
        "biz_opaque_callback_data": format!("{}:1", job(id).key)});
    for (name, value) in more.as_object().expect("an object") {
        told[name] = value.clone();
    }
    messages(json!({"statuses": [told]}))
}

fn said(text: &str) -> Value {
    messages(json!({
        "contacts": [{"profile": {"name": "Ann"}, "wa_id": "447700900123", "user_id": "GB.123"}],
        "messages": [{"from": "447700900123", "id": "wamid.said", "timestamp": now().as_millis() / 1_000,
            "type": "text", "text": {"body": text}}],
    }))
}

async fn topics(ledger: &Ledger) -> Vec<String> {
    ledger.outbox_take(OutboxStage::Any, 99).await.expect("taken").into_iter().map(|row| row.topic).collect()
}

pub async fn bodies_become_what_they_mean(bench: &Bench) {
    let bench = bench.publishing(Publish::All).await;
    let steps = Steps::new(&bench).await;
    accept(&steps, job("a")).await;
    drop(steps.start(job("b"), at(0)).await);
    let work = Work::begin(&bench, true);
    let price = json!({"pricing": {"billable": true, "type": "regular", "category": "utility"}});
    let bodies = [
        told("a", "delivered", price),
        told("a", "sent", json!({})),
        told("b", "failed", json!({"errors": [{"code": 131_042, "title": "pay"}]})),
        said("Stop!"),
        change("phone_number_quality_update", &json!({"display_phone_number": "16505551111", "event": "FLAGGED"})),
        change("painting_update", &json!({"colour": "green"})),
        json!("no json"),
    ];
    work.apply(&bench, &bodies).await;
    assert_eq!(steps.stands("a").await, (State::Delivered, None));
    assert_eq!(steps.stands("b").await, (State::Failed, Some(Reason::Payment)));
    let windows = bench.windows("GB.123".to_owned(), now()).await.expect("read");
    assert_eq!(windows.len(), 1);
    let holds = bench.holds_list(99).await.expect("read");
    let mut covers: Vec<_> =
        holds.iter().map(|hold| (hold.cover.scope, hold.cover.subject.as_str(), hold.reason)).collect();
    covers.sort_unstable();
    let expected = [
        (Scope::Waba, WABA, Reason::Payment),
        (Scope::Recipient, RECIPIENT, Reason::OptedOut),
        (Scope::Recipient, "GB.123", Reason::OptedOut),
    ];
    assert_eq!(covers, expected);
    let numbers = bench.fleet_list("number".to_owned()).await.expect("read");
    let fields: Value = serde_json::from_str(&numbers[0].fields).expect("JSON");
    assert_eq!((numbers[0].id.as_str(), &fields["status"]), (NUMBER, &json!("FLAGGED")));
    let kept = bench.query("SELECT field FROM strange ORDER BY field").await;
    assert_eq!(kept, [[Some("body".to_owned())], [Some("painting_update".to_owned())]]);
    let topics = topics(&bench).await;
    for topic in ["message.delivered.default.-", "message.failed.default.-", "inbound.text.shop", "number.flagged"] {
        assert!(topics.iter().any(|found| found == topic), "{topic} is missing in {topics:?}");
    }
    for line in [
        "tidegate_webhook_updates_total{kind=\"delivered\"} 1",
        "tidegate_webhook_updates_total{kind=\"sent\"} 1",
        "tidegate_webhook_updates_total{kind=\"failed\"} 1",
        "tidegate_webhook_updates_total{kind=\"inbound\"} 1",
        "tidegate_webhook_updates_total{kind=\"strange\"} 2",
        "tidegate_priced_total{category=\"utility\",type=\"regular\"} 1",
        "tidegate_delivery_latency_seconds_count 1",
        "tidegate_jobs_total{state=\"delivered\"} 1",
    ] {
        work.shows(line).await;
    }
    work.end().await;
}

pub async fn a_replay_changes_nothing(bench: &Bench) {
    let steps = Steps::new(bench).await;
    drop(steps.start(job("a"), at(0)).await);
    let work = Work::begin(bench, true);
    let bodies =
        [told("a", "sent", json!({})), told("a", "read", json!({})), said("stop"), told("gone", "read", json!({}))];
    work.apply(bench, &bodies).await;
    let row = steps.show("a").await;
    let holds = bench.holds_list(99).await.expect("read").len();
    for _ in 0..20 {
        work.apply(bench, &bodies).await;
    }
    assert_eq!(format!("{:?}", steps.show("a").await), format!("{row:?}"));
    assert_eq!(row.state, State::Read);
    assert_eq!(bench.holds_list(99).await.expect("read").len(), holds);
    work.shows("tidegate_jobs_total{state=\"read\"} 1").await;
    work.shows("tidegate_webhook_updates_total{kind=\"foreign\"} 21").await;
    work.end().await;
}

pub async fn an_unknown_job_is_settled_by_its_webhook(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, unknown(at(60)), at(1)).await;
    let work = Work::begin(bench, true);
    work.apply(bench, &[told("a", "sent", json!({}))]).await;
    assert_eq!(steps.stands("a").await, (State::Sent, None));
    work.shows("tidegate_unknown_settled_total{by=\"webhook\"} 1").await;
    work.end().await;
}

pub async fn only_the_one_on_duty_applies(bench: &Bench) {
    let steps = Steps::new(bench).await;
    accept(&steps, job("a")).await;
    let work = Work::begin(bench, false);
    let body = told("a", "read", json!({})).to_string();
    bench.inbox_put(vec![body.into()], now()).await.expect("kept");
    for _ in 0..100 {
        assert_eq!(bench.inbox_take(9, 9).await.expect("taken").len(), 1);
        tokio::task::yield_now().await;
    }
    work.on_duty.send_replace(true);
    work.until_applied(bench).await;
    assert_eq!(steps.stands("a").await, (State::Read, None));
    work.end().await;
}

/// A row that something else has damaged fails what comes near it, and nothing else.
#[tokio::test]
async fn a_body_that_cannot_be_applied_holds_up_no_other() {
    let bench = Bench::sqlite().await;
    let steps = Steps::new(&bench).await;
    for id in ["a", "b"] {
        accept(&steps, job(id)).await;
    }
    bench.query("INSERT INTO fleet VALUES ('portfolio', '', '', x'00', 0) RETURNING id").await;
    let work = Work::begin(&bench, true);
    let limit = json!({"max_daily_conversations_per_business": "TIER_1K"});
    let bodies =
        [told("a", "read", json!({})), change("business_capability_update", &limit), told("b", "read", json!({}))];
    work.apply(&bench, &bodies).await;
    assert_eq!(steps.stands("a").await, (State::Read, None));
    assert_eq!(steps.stands("b").await, (State::Read, None));
    let kept = bench.query("SELECT field, body FROM strange").await;
    assert_eq!(kept, [[Some("unappliable".to_owned()), Some(bodies[1].to_string())]]);
    work.shows("tidegate_webhook_updates_total{kind=\"strange\"} 1").await;
    work.end().await;
}

/// What nobody could read of Meta says the configuration.
#[tokio::test]
async fn a_limit_is_that_of_the_portfolio_that_the_configuration_names() {
    let bench = Bench::sqlite().await;
    let work = Work::begin(&bench, true);
    let mut body = change("business_capability_update", &json!({"max_daily_conversations_per_business": "TIER_1K"}));
    body["entry"][0]["id"] = json!("103");
    work.apply(&bench, &[body]).await;
    let rows = bench.fleet_list("portfolio".to_owned()).await.expect("read");
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["66"]);
    work.end().await;
}

/// One that fails for a reason that may pass stays, and the others go by it.
#[tokio::test]
async fn a_body_that_fails_again_and_again_is_passed_by() {
    let bench = Bench::sqlite().await;
    let steps = Steps::new(&bench).await;
    accept(&steps, job("a")).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON windows BEGIN SELECT RAISE(ABORT, 'not now'); END";
    bench.query(refuse).await;
    let work = Work::begin(&bench, true);
    let bodies = [said("hello"), told("a", "read", json!({}))];
    bench.inbox_put(bodies.map(|body| body.to_string().into()).to_vec(), now()).await.expect("kept");
    let read = async {
        while steps.stands("a").await.0 != State::Read {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the other is applied");
    assert_eq!(bench.inbox_take(9, 9_999).await.expect("taken").len(), 1);
    bench.query("DROP TRIGGER refuse").await;
    work.until_applied(&bench).await;
    assert_eq!(bench.windows(RECIPIENT.to_owned(), now()).await.expect("read").len(), 1);
    work.end().await;
}

pub async fn how_fast_people_write_to_a_number_is_told_to_who_sends_by_it(bench: &Bench) {
    let work = Work::begin(bench, true);
    let rate = || async {
        let rows = bench.fleet_list("inbound".to_owned()).await.expect("read");
        rows.first().and_then(|row| row.inbound_rate())
    };
    work.apply(bench, &vec![said("hello"); 11]).await;
    let told = async {
        while rate().await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("told in time");
    // Eleven within five seconds.
    assert_eq!(rate().await, Some((NUMBER.parse().expect("a number"), 3)));
    work.end().await;
}
