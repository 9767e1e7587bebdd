//! What webhooks tell besides the statuses of messages: bodies, windows, holds, fields, events.

use serde_json::{Map, Value, json};
use tidegate::hold::{Cover, Effect, HoldOrder, Scope};
use tidegate::job::Category;
use tidegate::ledger::{
    FieldsNews, FleetRow, Heard, HoldChange, JobFacts, Ledger, Moved, News, OutboxRow, OutboxStage, Publish,
    StrangeChange, WindowNews,
};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::ledger_statuses::{accept, status, tell};

const RECIPIENT: &str = "+447700900123";

fn window(number: &str, until: i64) -> WindowNews {
    WindowNews { number: number.parse().expect("a number"), recipient: RECIPIENT.to_owned(), until: at(until) }
}

fn fields(kind: &str, id: &str, fields: Value) -> FieldsNews {
    let Value::Object(fields) = fields else { panic!("an object") };
    FieldsNews { kind: kind.to_owned(), id: id.to_owned(), parent: "waba".to_owned(), fields, at: at(5) }
}

fn opt_out(reason: Reason) -> HoldOrder {
    let cover = Cover::of(Scope::Recipient, RECIPIENT).category(Category::Marketing);
    HoldOrder { reason, ..order(cover, Effect::End, None) }
}

async fn bodies(ledger: &Ledger, limit: u32, bytes: usize) -> Vec<String> {
    let taken = ledger.inbox_take(limit, bytes).await.expect("taken");
    taken.into_iter().map(|row| String::from_utf8(row.body).expect("text")).collect()
}

pub async fn bodies_are_kept_until_they_are_applied(ledger: &Ledger) {
    let put = |text: &'static str| ledger.inbox_put(vec![text.into()], at(0));
    let (first, second, third) = tokio::join!(put("a"), put("b"), put("c"));
    for put in [first, second, third] {
        put.expect("put");
    }
    let taken = ledger.inbox_take(9, 99).await.expect("taken");
    assert_eq!((taken.len(), taken[0].at), (3, at(0)));
    let read = vec![taken[0].seq, taken[2].seq];
    ledger.apply(News { read, ..News::default() }, at(1)).await.expect("applied");
    let left = ledger.inbox_take(9, 99).await.expect("taken");
    assert_eq!(left, [taken[1].clone()]);
}

pub async fn bodies_are_taken_the_oldest_first_as_far_as_they_fit(ledger: &Ledger) {
    assert!(bodies(ledger, 9, 99).await.is_empty());
    let texts = ["four", "three", "2", "1"];
    ledger.inbox_put(texts.map(Vec::from).to_vec(), at(0)).await.expect("put");
    ledger.inbox_put(vec![vec![0xff, 0x00]], at(1)).await.expect("put");
    assert_eq!(bodies(ledger, 2, 99).await, ["four", "three"]);
    assert_eq!(bodies(ledger, 4, 10).await, ["four", "three", "2"]);
    assert_eq!(bodies(ledger, 4, 9).await, ["four", "three"]);
    assert_eq!(bodies(ledger, 4, 8).await, ["four"]);
    // One too large for anybody must not stop those behind it.
    assert_eq!(bodies(ledger, 4, 0).await, ["four"]);
    assert_eq!(ledger.inbox_take(9, 99).await.expect("taken")[4].body, [0xff, 0x00]);
}

pub async fn news_told_twice_change_nothing_the_second_time(bench: &Bench) {
    let bench = bench.publishing(Publish::All).await;
    let steps = Steps::new(&bench).await;
    accept(&steps, job("a")).await;
    bench.inbox_put(vec!["a".into()], at(2)).await.expect("put");
    let (topic, event) = ("inbound.text.default".to_owned(), "inbound:1".to_owned());
    let news = News {
        read: bench.inbox_take(9, 99).await.expect("taken").iter().map(|row| row.seq).collect(),
        statuses: vec![status("a", Heard::Sent, at(2)), status("a", Heard::Delivered, at(3))],
        windows: vec![window(NUMBER, 90_000)],
        holds: vec![HoldChange::Place(opt_out(Reason::OptedOut))],
        fields: vec![fields("number", "1", json!({ "quality_rating": "RED" }))],
        events: vec![OutboxRow { seq: 0, topic, event, job: String::new(), body: "{}".to_owned() }],
        strange: vec![StrangeChange { field: "new".to_owned(), body: "{}".to_owned(), at: at(2) }],
    };
    let all = async || {
        let show = format!("{:?}", steps.show("a").await);
        let holds = bench.holds_list(9).await.expect("listed");
        let fleet = bench.fleet_list("number".to_owned()).await.expect("listed");
        let windows = bench.windows(RECIPIENT.to_owned(), at(9)).await.expect("listed");
        let events = bench.outbox_take(OutboxStage::Any, 9).await.expect("taken");
        (show, holds, fleet, windows, events, bench.count("SELECT count(*) FROM strange").await)
    };
    let first = bench.apply(news.clone(), at(9)).await.expect("applied");
    assert!(first.statuses.iter().all(|moved| matches!(moved, Moved::Job { .. })));
    let before = all().await;
    let topics: Vec<_> = before.4.iter().map(|event| event.topic.as_str()).collect();
    let last = "inbound.text.default";
    assert_eq!(topics, ["message.accepted.default.-", "message.sent.default.-", "message.delivered.default.-", last]);
    let second = bench.apply(news, at(10)).await.expect("applied");
    assert_eq!(second.statuses, [Moved::Nothing; 2]);
    assert_eq!(all().await, before);
}

pub async fn the_later_end_of_a_window_stands(ledger: &Ledger) {
    let windows = vec![window("1", 500), window("2", 400), window("1", 300)];
    ledger.apply(News { windows, ..News::default() }, at(0)).await.expect("applied");
    let windows = vec![window("2", 600)];
    ledger.apply(News { windows, ..News::default() }, at(1)).await.expect("applied");
    let open = async |seconds| {
        let mut open = ledger.windows(RECIPIENT.to_owned(), at(seconds)).await.expect("listed");
        open.sort_by(|a, b| a.number.as_str().cmp(b.number.as_str()));
        open
    };
    assert_eq!(open(1).await, [window("1", 500), window("2", 600)]);
    assert_eq!(open(500).await, [window("2", 600)]);
    assert_eq!(open(600).await, []);
    assert_eq!(ledger.windows("+447700900124".to_owned(), at(1)).await.expect("listed"), []);
    // Long after, they are forgotten.
    let days = |days: i64| at(600 + days * 24 * 3_600 + 1);
    for (now, left) in [(days(0), 2), (days(2), 0)] {
        ledger.sweep(now, WAIT, 100).await.expect("swept");
        ledger.trim(now, 100).await.expect("trimmed");
        assert_eq!(open(1).await.len(), left);
    }
}

pub async fn webhooks_place_and_lift_holds(ledger: &Ledger) {
    const PAUSED: &[Reason] = &[Reason::TemplatePaused];
    let mut signals = ledger.signals();
    let before = signals.borrow_and_update().holds;
    let cover = Cover::of(Scope::Template, "hello/en_US");
    let paused = HoldOrder { reason: Reason::TemplatePaused, ..order(cover.clone(), Effect::Wait, None) };
    let place = |order| News { holds: vec![HoldChange::Place(order)], ..News::default() };
    let lift = |cover: &Cover| News {
        holds: vec![HoldChange::Lift { cover: cover.clone(), only: PAUSED }],
        ..News::default()
    };
    ledger.apply(place(paused.clone()), at(1)).await.expect("applied");
    hear(&mut signals, |signal| signal.holds > before).await;
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("a"), at(1)).await;
    steps.claim(9, 9, at(1)).await;
    let hold = ledger.holds().await.expect("listed")[0].id;
    assert_eq!(steps.admit(job("a"), at(2)).await, tidegate::ledger::Admitted::Parked(hold));
    // Of another category, or for another reason: not this hold.
    ledger.apply(lift(&cover.clone().category(Category::Marketing)), at(3)).await.expect("applied");
    assert_eq!(ledger.holds().await.expect("listed").len(), 1);
    ledger.apply(lift(&cover), at(4)).await.expect("applied");
    assert!(ledger.holds().await.expect("listed").is_empty());
    assert_eq!(ids(&steps.claim(9, 9, at(5)).await), ["a"]);
    ledger.apply(place(order(cover.clone(), Effect::Wait, None)), at(6)).await.expect("applied");
    ledger.apply(lift(&cover), at(7)).await.expect("applied");
    assert_eq!(ledger.holds().await.expect("listed")[0].reason, Reason::Operator);
    // Both in one: in this order.
    let both = News { holds: vec![HoldChange::Place(paused), lift(&cover).holds[0].clone()], ..News::default() };
    ledger.apply(both, at(8)).await.expect("applied");
    assert!(ledger.holds().await.expect("listed").is_empty());
}

pub async fn fields_are_laid_over_those_that_are_known(ledger: &Ledger) {
    let mut signals = ledger.signals();
    let row = |id: &str, fields: Value, read_at| FleetRow {
        kind: "number".to_owned(),
        id: id.to_owned(),
        parent: "9".to_owned(),
        fields: fields.to_string(),
        read_at,
    };
    let read = async || {
        let rows = ledger.fleet_list("number".to_owned()).await.expect("listed");
        let read = |row: FleetRow| (row.id, row.parent, serde_json::from_str::<Map<_, _>>(&row.fields).expect("JSON"));
        rows.into_iter().map(read).map(|(id, parent, fields)| (id, parent, Value::Object(fields))).collect::<Vec<_>>()
    };
    let known = json!({ "quality_rating": "GREEN", "throughput": { "level": "HIGH" }, "name": "Shop" });
    ledger.fleet_put(vec![row("1", known.clone(), at(0))]).await.expect("put");
    hear(&mut signals, |signal| signal.fleet > 0).await;
    let change = json!({ "quality_rating": "RED", "throughput": { "max": 80 } });
    let news = News {
        fields: vec![fields("number", "1", change), fields("number", "2", json!({ "quality_rating": "RED" }))],
        ..News::default()
    };
    let before = signals.borrow_and_update().fleet;
    ledger.apply(news, at(6)).await.expect("applied");
    hear(&mut signals, |signal| signal.fleet > before).await;
    let merged = json!({ "quality_rating": "RED", "throughput": { "max": 80 }, "name": "Shop" });
    let new = json!({ "quality_rating": "RED" });
    let expected = [("1".to_owned(), "9".to_owned(), merged.clone()), ("2".to_owned(), "waba".to_owned(), new)];
    assert_eq!(read().await, expected);
    // What says nothing new stirs nobody: the next signal is that of the hold.
    let before = *signals.borrow_and_update();
    let same = News { fields: vec![fields("number", "1", json!({ "name": "Shop" }))], ..News::default() };
    ledger.apply(same, at(7)).await.expect("applied");
    ledger.fleet_put(vec![row("1", merged, at(8))]).await.expect("put");
    ledger.place(pause(NUMBER), at(8)).await.expect("placed");
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    assert_eq!(signals.borrow_and_update().fleet, before.fleet);
    ledger.fleet_put(vec![row("1", known, at(9))]).await.expect("put");
    hear(&mut signals, |signal| signal.fleet > before.fleet).await;
}

pub async fn what_nobody_understands_is_kept_for_a_while(bench: &Bench) {
    let strange = |seconds| StrangeChange { field: "new".to_owned(), body: r#"{"a":1}"#.to_owned(), at: at(seconds) };
    let news = News { strange: vec![strange(0), strange(3_600)], ..News::default() };
    bench.apply(news, at(1)).await.expect("applied");
    let week = 7 * 24 * 3_600;
    for (now, left) in [(at(week - 1), 2), (at(week + 1), 1), (at(week + 3_601), 0)] {
        bench.sweep(now, WAIT, 100).await.expect("swept");
        bench.trim(now, 100).await.expect("trimmed");
        assert_eq!(bench.count("SELECT count(*) FROM strange").await, left);
    }
}

pub async fn facts_of_jobs_are_found_by_their_keys(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    accept(&steps, job("sent")).await;
    steps.enqueue(job("queued"), at(1)).await;
    let keys = ["queued", "none", "sent"].map(|id| job(id).key).to_vec();
    let facts = ledger.job_facts(keys).await.expect("found");
    let known = |number: Option<&str>| JobFacts {
        recipient: RECIPIENT.to_owned(),
        category: Category::Utility,
        template: Some("hello/en_US".to_owned()),
        number: number.map(|number| number.parse().expect("a number")),
    };
    assert_eq!(facts, [Some(known(None)), None, Some(known(Some(NUMBER)))]);
    // A status changes none of it.
    tell(ledger, vec![status("sent", Heard::Read, at(2))]).await;
    assert_eq!(steps.stands("sent").await.0, State::Read);
    assert_eq!(ledger.job_facts(vec![job("sent").key]).await.expect("found"), [Some(known(Some(NUMBER)))]);
}
