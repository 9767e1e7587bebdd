//! What people ask and decide.

use tidegate::clock::Timestamp;
use tidegate::job::{Job, Priority};
use tidegate::ledger::{Dead, FleetRow, JobFilter, LaneAge, Ledger, Resolution, WORKER};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;

pub async fn an_unknown_job_can_be_decided_by_hand(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (name, resolution, state, reason) in [
        ("sent", Resolution::Sent, State::Accepted, Reason::Operator),
        ("left", Resolution::Leave, State::Unresolved, Reason::Left),
        ("resent", Resolution::Resend, State::Waiting, Reason::Resent),
    ] {
        let admission = steps.start(job(name), at(0)).await;
        assert!(!ledger.resolve(named(name), resolution, at(1)).await.expect("answered"), "still sending");
        steps.settle(&admission, unknown(at(60)), at(1)).await;
        assert!(ledger.resolve(named(name), resolution, at(2)).await.expect("answered"));
        assert_eq!(steps.stands(name).await, (state, Some(reason)));
    }
    assert_eq!(steps.start_again(job("resent"), at(2)).await.attempt(), 2);
}

pub async fn jobs_are_listed_newest_first_and_filtered(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(Job { campaign: Some("spring".parse().expect("a campaign")), ..job("a") }, at(0)).await;
    steps.enqueue(to("+4915112345678", job("b")), at(1)).await;
    steps.claim(0, 2, at(1)).await;
    drop(go(steps.admit(job("a"), at(1)).await));
    let list = |filter: JobFilter| async move {
        let rows = ledger.jobs(filter).await.expect("listed");
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(JobFilter { limit: 9, ..JobFilter::default() }).await, ["b", "a"]);
    assert_eq!(list(JobFilter { limit: 1, ..JobFilter::default() }).await, ["b"]);
    for filter in [
        JobFilter { state: Some(State::Sending), ..JobFilter::default() },
        JobFilter { campaign: Some("spring".to_owned()), ..JobFilter::default() },
        JobFilter { number: Some(NUMBER.parse().expect("a number")), ..JobFilter::default() },
        JobFilter { recipient: Some("+447700900123".to_owned()), ..JobFilter::default() },
    ] {
        assert_eq!(list(JobFilter { limit: 9, ..filter.clone() }).await, ["a"], "{filter:?}");
    }
    let nowhere = JobFilter { pool: Some("other".parse().expect("a pool")), limit: 9, ..JobFilter::default() };
    assert!(list(nowhere).await.is_empty());
}

fn normal_since(since: Option<Timestamp>) -> LaneAge {
    LaneAge { pool: "default".parse().expect("a pool"), priority: Priority::Normal, since }
}

pub async fn the_census_counts_every_job_where_it_stands(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    assert!(steps.census().await.states.is_empty());
    for name in ["a", "b", "c"] {
        steps.enqueue(job(name), at(5)).await;
    }
    steps.enqueue(Job { not_before: Some(at(7)), ..job("d") }, at(6)).await;
    let census = steps.census().await;
    assert_eq!(census.states, [(State::Queued, 3), (State::Waiting, 1)]);
    assert_eq!((census.waiting, census.lanes), (vec![(Reason::NotBefore, 1)], vec![normal_since(Some(at(5)))]));
    let admission = steps.start_again(job("a"), at(6)).await;
    steps.settle(&admission, retry(at(3)), at(6)).await;
    let census = steps.census().await;
    assert_eq!(census.waiting, [(Reason::ServiceUnavailable, 1), (Reason::NotBefore, 1)]);
    assert_eq!(census.lanes, [normal_since(Some(at(3)))]);
    ledger.bury(vec![body("x")]).await.expect("buried");
    ledger.cancel(["a", "b", "c", "d"].map(named).to_vec(), Unseen::Refuse, at(9)).await.expect("answered");
    let census = steps.census().await;
    assert_eq!((census.states, census.dead), (vec![(State::Cancelled, 4)], 1));
    assert_eq!((census.waiting, census.lanes), (vec![], vec![normal_since(None)]));
}

pub async fn people_learn_how_many_go_before_a_job(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for name in ["a", "b", "c", "d"] {
        steps.enqueue(job(name), at(0)).await;
    }
    let ahead = |name: &str, now| ledger.waiting_ahead(job(name).key, now);
    assert_eq!(ahead("d", at(1)).await.expect("counted"), Some(3));
    steps.claim(0, 1, at(1)).await;
    assert_eq!(ahead("a", at(1)).await.expect("counted"), None);
    assert_eq!(ahead("d", at(1)).await.expect("counted"), Some(2));
    ledger.defer(vec![put_off("a", at(10))], at(2)).await.expect("deferred");
    assert_eq!(ahead("d", at(9)).await.expect("counted"), Some(2));
    assert_eq!(ahead("d", at(10)).await.expect("counted"), Some(3));
    assert_eq!(ahead("a", at(10)).await.expect("counted"), Some(0));
}

pub async fn dead_bodies_are_kept_listed_and_dropped(ledger: &Ledger) {
    let seqs = ledger.bury(vec![body("a"), body("b"), body("c")]).await.expect("buried");
    let rows = ledger.dead_list(seqs[0], 9).await.expect("listed");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), seqs[1..]);
    assert_eq!(ledger.dead_list(0, 1).await.expect("listed").len(), 1);
    let shown = ledger.dead_show(seqs[1]).await.expect("shown").expect("it is there").dead;
    let expected = body("b");
    assert_eq!((shown.body, shown.reason, shown.field), (expected.body, expected.reason, expected.field));
    assert_eq!((shown.origin, shown.at), (expected.origin, expected.at));
    assert_eq!(ledger.dead_drop(vec![seqs[1], seqs[1], 99_999]).await.expect("dropped"), 1);
    assert!(ledger.dead_show(seqs[1]).await.expect("shown").is_none());
}

pub async fn a_body_that_comes_again_is_buried_once(ledger: &Ledger) {
    let first = ledger.bury(vec![body("a"), body("b"), body("a")]).await.expect("buried");
    assert_eq!((first[0], ledger.census().await.expect("counted").dead), (first[2], 2));
    let later = Dead { at: at(9), field: "to".to_owned(), ..body("a") };
    assert_eq!(ledger.bury(vec![later]).await.expect("buried"), [first[0]]);
    assert_eq!(ledger.dead_show(first[0]).await.expect("shown").expect("it is there").dead.at, at(3));
    // Another line, another reason, or words that only together read the same: another body.
    let line = Dead { origin: "cli:jobs.jsonl:18".to_owned(), ..body("a") };
    let reason = Dead { reason: "must be a number".to_owned(), ..body("a") };
    let shifted = Dead { reason: "must be tex".to_owned(), ..body("ta") };
    let others = ledger.bury(vec![line, reason, shifted]).await.expect("buried");
    let all: std::collections::BTreeSet<_> = first.iter().chain(&others).collect();
    assert_eq!((all.len(), ledger.census().await.expect("counted").dead), (5, 5));
    // What a person dropped may come again.
    assert_eq!(ledger.dead_drop(vec![first[0]]).await.expect("dropped"), 1);
    assert_ne!(ledger.bury(vec![body("a")]).await.expect("buried"), [first[0]]);
    assert_eq!(ledger.dead_list(0, 99).await.expect("listed").len(), 5);
    // Of a very large body, so much as helps to see what it was.
    let large = Dead { body: vec![b'x'; 300_000], ..body("") };
    let seq = ledger.bury(vec![large]).await.expect("buried")[0];
    assert_eq!(ledger.dead_show(seq).await.expect("shown").expect("it is there").dead.body, vec![b'x'; 256 * 1024]);
}

fn body(text: &str) -> Dead {
    let (reason, field) = ("must be text".to_owned(), "message".to_owned());
    Dead { body: text.into(), reason, field, origin: "cli:jobs.jsonl:17".to_owned(), at: at(3) }
}

pub async fn what_was_read_of_the_fleet_is_remembered(ledger: &Ledger) {
    let row = |id: &str, fields: &str, read_at| FleetRow {
        kind: "number".to_owned(),
        id: id.to_owned(),
        parent: "waba".to_owned(),
        fields: fields.to_owned(),
        read_at,
    };
    let waba = FleetRow { kind: "waba".to_owned(), ..row("9", "{}", at(0)) };
    ledger.fleet_put(vec![row("2", "{}", at(0)), row("1", "{}", at(0)), waba]).await.expect("put");
    ledger.fleet_put(vec![row("2", r#"{"quality":"RED"}"#, at(5))]).await.expect("put");
    let listed = ledger.fleet_list("number".to_owned()).await.expect("listed");
    assert_eq!(listed, [row("1", "{}", at(0)), row("2", r#"{"quality":"RED"}"#, at(5))]);
    let get = async |kind: &str, id: &str| ledger.fleet_get(kind.to_owned(), id.to_owned()).await.expect("looked up");
    assert_eq!(get("number", "2").await, Some(row("2", r#"{"quality":"RED"}"#, at(5))));
    assert_eq!((get("number", "9").await, get("template", "2").await), (None, None));
    ledger.fleet_forget("number".to_owned(), "2".to_owned()).await.expect("forgotten");
    ledger.fleet_forget("number".to_owned(), "9".to_owned()).await.expect("there was none");
    assert_eq!(get("number", "2").await, None);
    assert_eq!(get("waba", "9").await.map(|row| row.id), Some("9".to_owned()));
    assert_eq!(ledger.fleet_list("number".to_owned()).await.expect("listed").len(), 1);
}

pub async fn what_workers_say_of_themselves_wakes_nobody_and_is_swept(ledger: &Ledger) {
    let row = |kind: &str, id: &str, fields: &str, read_at| FleetRow {
        kind: kind.to_owned(),
        id: id.to_owned(),
        parent: String::new(),
        fields: fields.to_owned(),
        read_at,
    };
    let mut signals = ledger.signals();
    ledger.fleet_put(vec![row("number", "1", "{}", at(0))]).await.expect("put");
    hear(&mut signals, |signal| signal.fleet > 0).await;
    let before = *signals.borrow_and_update();
    for n in 0..10 {
        ledger.fleet_put(vec![row(WORKER, "a", &format!("{{\"n\":{n}}}"), at(2))]).await.expect("put");
    }
    ledger.fleet_put(vec![row(WORKER, "b", "{}", at(9)), row("number", "1", "{}", at(9))]).await.expect("put");
    let listed = ledger.fleet_list(WORKER.to_owned()).await.expect("listed");
    assert_eq!(listed, [row(WORKER, "a", "{\"n\":9}", at(2)), row(WORKER, "b", "{}", at(9))]);
    // The next signal is that of the hold.
    ledger.place(pause(NUMBER), at(9)).await.expect("placed");
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    // What was said of the first number may come again, by notification and by a look; ten words would be ten more.
    let after = *signals.borrow_and_update();
    assert!(after.fleet < before.fleet + 10, "{} after {}", after.fleet, before.fleet);
    ledger.fleet_put(vec![row(WORKER, "b", "[]", at(9)), row("number", "1", "[]", at(9))]).await.expect("put");
    hear(&mut signals, |signal| signal.fleet > after.fleet).await;
    // Who has said nothing for 15 s is gone; numbers stay.
    ledger.sweep(at(20), WAIT, 100).await.expect("swept");
    assert_eq!(ledger.fleet_list(WORKER.to_owned()).await.expect("listed"), [row(WORKER, "b", "[]", at(9))]);
    ledger.sweep(at(1_000), WAIT, 100).await.expect("swept");
    assert!(ledger.fleet_list(WORKER.to_owned()).await.expect("listed").is_empty());
    assert_eq!(ledger.fleet_list("number".to_owned()).await.expect("listed").len(), 1);
}

pub async fn analysts_find_the_documented_columns(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let admission = steps.start(from_source("shop", job("a")), at(0)).await;
    steps.settle(&admission, accepted(), ms(1_250)).await;
    let columns = "id, source, state, reason, code, pool, priority, campaign, template, number, recipient, category, \
        attempts, wamid, due_at, created_at, accepted_at, sent_at, delivered_at, read_at, ended_at, cost_type, \
        cost_category, updated_at";
    assert_eq!(bench.columns("SELECT * FROM jobs_v1").await.join(", "), columns);
    let rows = bench.query("SELECT id, source, state, number, priority, due_at FROM jobs_v1").await;
    let texts: Vec<_> = rows[0].iter().map(Option::as_deref).collect();
    assert_eq!(texts, [Some("a"), Some("shop"), Some("accepted"), Some(NUMBER), Some("normal"), None]);
    assert_eq!(bench.moments("jobs_v1", "accepted_at").await, [ms(1_250)]);
}
