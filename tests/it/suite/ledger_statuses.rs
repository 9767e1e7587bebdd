//! What became of messages, as Meta tells it.

use std::time::Duration;

use tidegate::clock::Timestamp;
use tidegate::hold::{Effect, Scope};
use tidegate::job::Job;
use tidegate::ledger::{
    Applied, Failure, Fate, Heard, Ledger, Moved, News, OutboxRow, Pricing, Publish, Settled, StatusNews,
};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;

/// Late enough that every status of a case was told before.
const LATER: i64 = 5_000;

/// What Meta says of a job's first attempt.
pub fn status(id: &str, heard: Heard, at: Timestamp) -> StatusNews {
    StatusNews { key: job(id).key, attempt: 1, wamid: format!("wamid.{id}"), heard, at, pricing: None }
}

pub fn failed(code: u32) -> Heard {
    let (state, reason, details) = (State::Failed, Reason::NotOnWhatsapp, "Undeliverable".to_owned());
    Heard::Failed(Failure { state, reason, code: Some(code), details, retryable: true })
}

pub fn price(kind: &str) -> Pricing {
    Pricing { kind: kind.to_owned(), category: "utility".to_owned() }
}

/// Applies statuses, long after they were told.
pub async fn tell(ledger: &Ledger, statuses: Vec<StatusNews>) -> Applied {
    ledger.apply(News { statuses, ..News::default() }, at(LATER)).await.expect("applied")
}

async fn tell_one(ledger: &Ledger, status: StatusNews) -> Moved {
    let applied = tell(ledger, vec![status]).await;
    assert_eq!(applied.statuses.len(), 1);
    applied.statuses[0]
}

fn moved(from: State, to: State, after: u64) -> Moved {
    Moved::Job { from, to, after: Some(Duration::from_secs(after)) }
}

/// Of a job of which it was not known that Meta took it.
fn untaken(from: State, to: State) -> Moved {
    Moved::Job { from, to, after: None }
}

/// A job that Meta took after a second.
pub async fn accept(steps: &Steps<'_>, job: Job) {
    let id = job.id.to_string();
    let admission = steps.start(job, at(0)).await;
    let fate = Fate::Accepted { wamid: format!("wamid.{id}"), held_for_quality: false };
    assert_eq!(steps.settle(&admission, fate, at(1)).await, Settled::Done);
}

pub async fn statuses_move_a_job_forward_only(bench: &Bench) {
    let steps = Steps::new(bench).await;
    accept(&steps, job("a")).await;
    assert_eq!(tell_one(bench, status("a", Heard::Sent, at(2))).await, moved(State::Accepted, State::Sent, 1));
    assert_eq!(tell_one(bench, status("a", Heard::Read, at(9))).await, moved(State::Sent, State::Read, 8));
    assert_eq!(tell_one(bench, status("a", Heard::Delivered, at(4))).await, Moved::Nothing);
    assert_eq!(tell_one(bench, status("a", failed(131_026), at(5))).await, Moved::Nothing);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.code), (State::Read, None, None));
    assert_eq!((row.accepted_at, row.ended_at, row.wamid.as_deref()), (Some(at(1)), Some(at(1)), Some("wamid.a")));
    assert_eq!((row.sent_at, row.delivered_at, row.read_at), (Some(at(2)), Some(at(4)), Some(at(9))));
    for (column, moment) in [("sent_at", at(2)), ("delivered_at", at(4)), ("read_at", at(9))] {
        assert_eq!(bench.moments("jobs_v1", column).await, [moment], "{column}");
    }
    assert_eq!(steps.census().await.states, [(State::Read, 1)]);
}

pub async fn a_status_before_our_own_answer_ends_the_attempt(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let admission = steps.start(job("a"), at(0)).await;
    assert_eq!(tell_one(bench, status("a", Heard::Sent, at(2))).await, untaken(State::Sending, State::Sent));
    let row = steps.show("a").await;
    assert_eq!((row.state, row.accepted_at, row.ended_at), (State::Sent, Some(at(2)), Some(at(LATER))));
    assert_eq!((row.deadline, row.wamid.as_deref()), (None, Some("wamid.a")));
    assert!(bench.with_bodies().await.is_empty());
    // What the worker says later comes too late, whatever it is; what it says of the number holds.
    for fate in [accepted(), retry(at(10)), unknown(at(60))] {
        assert_eq!(steps.settle(&admission, fate, at(3)).await, Settled::Stale);
    }
    let hold = Some(pause(NUMBER));
    let settlement = tidegate::ledger::Settlement { hold, ..settlement(&admission, accepted(), at(3)) };
    assert_eq!(steps.settle_with(settlement).await, Settled::Stale);
    assert_eq!(bench.holds().await.expect("listed").len(), 1);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.wamid.as_deref()), (State::Sent, Some("wamid.a")));
    assert!(bench.sweep(at(LATER), WAIT, 100).await.expect("swept").overdue == 0);
    assert_eq!(steps.census().await.states, [(State::Sent, 1)]);
}

pub async fn statuses_in_any_order_leave_the_same_row(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let told = [(Heard::Sent, 2), (Heard::Delivered, 4), (Heard::Read, 6), (failed(131_026), 5)];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
    for (n, order) in orders.iter().enumerate() {
        // Before our own answer, and after it.
        for name in [format!("before {n}"), format!("after {n}")] {
            if name.starts_with('b') {
                drop(steps.start(job(&name), at(0)).await);
            } else {
                accept(&steps, job(&name)).await;
            }
            for which in order {
                let (heard, seconds) = told[*which].clone();
                tell(bench, vec![status(&name, heard, at(seconds))]).await;
            }
            let row = steps.show(&name).await;
            assert_eq!((row.state, row.reason, row.code, row.details), (State::Read, None, None, None), "{name}");
            let accepted_at = if name.starts_with('b') { at(2) } else { at(1) };
            assert_eq!(row.accepted_at, Some(accepted_at), "{name}");
            assert_eq!((row.sent_at, row.delivered_at, row.read_at), (Some(at(2)), Some(at(4)), Some(at(6))), "{name}");
        }
    }
}

pub async fn one_batch_tells_several_statuses_of_one_job(bench: &Bench) {
    let steps = Steps::new(bench).await;
    accept(&steps, job("a")).await;
    accept(&steps, job("b")).await;
    let statuses = vec![
        status("b", Heard::Delivered, at(4)),
        status("a", Heard::Sent, at(2)),
        status("none", Heard::Sent, at(2)),
        status("a", Heard::Delivered, at(3)),
        status("b", Heard::Sent, at(2)),
        status("a", Heard::Delivered, at(3)),
    ];
    let told = tell(bench, statuses).await.statuses;
    let expected = [
        moved(State::Accepted, State::Delivered, 3),
        moved(State::Accepted, State::Sent, 1),
        Moved::Stranger,
        moved(State::Sent, State::Delivered, 2),
        Moved::Nothing,
        Moved::Nothing,
    ];
    assert_eq!(told, expected);
    assert_eq!(bench.moments("jobs_v1", "sent_at").await, [at(2), at(2)]);
    assert_eq!(steps.census().await.states, [(State::Delivered, 2)]);
}

pub async fn a_status_of_no_job_of_ours_changes_nothing(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    accept(&steps, job("a")).await;
    assert_eq!(tell_one(ledger, status("b", Heard::Sent, at(2))).await, Moved::Stranger);
    let ahead = StatusNews { attempt: 2, ..status("a", Heard::Sent, at(2)) };
    assert_eq!(tell_one(ledger, ahead).await, Moved::Stranger);
    assert_eq!(steps.stands("a").await, (State::Accepted, None));
}

pub async fn a_failure_is_told_with_its_reason(bench: &Bench) {
    let bench = bench.publishing(Publish::Ended).await;
    let steps = Steps::new(&bench).await;
    accept(&steps, job("a")).await;
    assert_eq!(tell_one(&bench, status("a", failed(131_026), at(3))).await, moved(State::Accepted, State::Failed, 2));
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.code), (State::Failed, Some(Reason::NotOnWhatsapp), Some(131_026)));
    assert_eq!(row.details.as_deref(), Some("Undeliverable"));
    let last = bench.outbox_take(9).await.expect("taken").pop().expect("an event");
    assert_eq!((body(&last)["retryable"].as_bool(), body(&last)["code"].as_u64()), (Some(true), Some(131_026)));
    // It reached the phone after all.
    tell(&bench, vec![status("a", Heard::Delivered, at(4))]).await;
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.code, row.details), (State::Delivered, None, None, None));
}

pub async fn an_earlier_attempts_arrival_counts_and_its_failure_does_not(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let first = steps.start(job("a"), at(0)).await;
    steps.settle(&first, retry(at(10)), at(1)).await;
    let second = steps.start_again(job("a"), at(10)).await;
    assert_eq!(tell_one(bench, status("a", failed(131_026), at(11))).await, Moved::Nothing);
    assert_eq!(steps.stands("a").await, (State::Sending, None));
    assert_eq!(tell_one(bench, status("a", Heard::Delivered, at(11))).await, untaken(State::Sending, State::Delivered));
    assert_eq!(steps.settle(&second, accepted(), at(12)).await, Settled::Stale);
    assert!(bench.with_bodies().await.is_empty());
    // The later attempt's message is the one that the row names.
    let second = StatusNews { attempt: 2, wamid: "wamid.2".to_owned(), ..status("a", Heard::Sent, at(12)) };
    assert_eq!(tell_one(bench, second).await, Moved::Nothing);
    tell(bench, vec![status("a", Heard::Read, at(13))]).await;
    let row = steps.show("a").await;
    assert_eq!((row.state, row.wamid.as_deref(), row.attempts), (State::Read, Some("wamid.2"), 2));
}

pub async fn what_was_given_up_may_have_arrived_all_the_same(bench: &Bench) {
    let steps = Steps::new(bench).await;
    for name in ["taken back", "waits"] {
        let admission = steps.start(job(name), at(0)).await;
        steps.settle(&admission, retry(at(10)), at(1)).await;
    }
    bench.cancel(vec![named("taken back")], Unseen::Refuse, at(2)).await.expect("cancelled");
    for (name, stands) in [("taken back", State::Cancelled), ("waits", State::Waiting)] {
        assert_eq!(tell_one(bench, status(name, failed(131_026), at(3))).await, Moved::Nothing);
        let told = tell_one(bench, status(name, Heard::Sent, at(3))).await;
        assert_eq!(told, untaken(stands, State::Sent));
    }
    let row = steps.show("taken back").await;
    assert_eq!((row.reason, row.accepted_at, row.ended_at), (None, Some(at(3)), Some(at(2))));
    assert!(steps.claim(9, 9, at(20)).await.rows.is_empty());
    assert!(bench.with_bodies().await.is_empty());
    let census = steps.census().await;
    assert_eq!((census.states, census.waiting), (vec![(State::Sent, 2)], vec![]));
}

pub async fn an_unknown_outcome_is_settled_by_a_status(bench: &Bench) {
    let steps = Steps::new(bench).await;
    for (name, heard, state) in [("a", Heard::Sent, State::Sent), ("b", failed(131_026), State::Failed)] {
        let admission = steps.start(job(name), at(0)).await;
        steps.settle(&admission, unknown(at(60)), at(1)).await;
        let Moved::Job { from, to, .. } = tell_one(bench, status(name, heard.clone(), at(3))).await else {
            panic!("it moves");
        };
        assert_eq!((from, to), (State::Unknown, state));
        assert_eq!(steps.show(name).await.deadline, None);
        // One that nobody could decide, too.
        let name = format!("{name} late");
        let admission = steps.start(job(&name), at(0)).await;
        steps.settle(&admission, unknown(at(60)), at(1)).await;
        assert_eq!(bench.sweep(at(61), WAIT, 100).await.expect("swept").unresolved, 1);
        tell(bench, vec![status(&name, heard, at(63))]).await;
        let row = steps.show(&name).await;
        assert_eq!((row.state, row.ended_at), (state, Some(at(61))));
    }
    assert!(bench.with_bodies().await.is_empty());
}

pub async fn a_price_is_booked_once_and_bettered_by_a_later_status(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let priced =
        |name: &str, heard: Heard, pricing| StatusNews { pricing: Some(price(pricing)), ..status(name, heard, at(2)) };
    for name in ["a", "b"] {
        accept(&steps, job(name)).await;
    }
    let cost = async |name: &str| {
        let row = steps.show(name).await;
        (row.cost_type.unwrap_or_default(), row.cost_category.unwrap_or_default())
    };
    assert_eq!(cost("a").await, (String::new(), String::new()));
    let told = vec![status("a", Heard::Sent, at(2)), priced("a", Heard::Sent, "regular")];
    assert_eq!(tell(bench, told).await.priced, [price("regular")]);
    assert_eq!(tell(bench, vec![priced("a", Heard::Delivered, "free_customer_service")]).await.priced, []);
    assert_eq!(tell(bench, vec![priced("b", Heard::Delivered, "free_entry_point")]).await.priced.len(), 1);
    tell(bench, vec![priced("a", Heard::Sent, "regular"), priced("b", Heard::Sent, "regular")]).await;
    tell(bench, vec![status("a", Heard::Read, at(9))]).await;
    for (name, kind) in [("a", "free_customer_service"), ("b", "free_entry_point")] {
        assert_eq!(cost(name).await, (kind.to_owned(), "utility".to_owned()));
    }
}

pub async fn each_step_is_told_to_who_listens(bench: &Bench) {
    let bench = bench.publishing(Publish::Ended).await;
    let steps = Steps::new(&bench).await;
    let metadata = serde_json::from_str(r#"{"order":17}"#).expect("JSON");
    accept(&steps, Job { metadata: Some(metadata), ..job("a") }).await;
    let taken = bench.outbox_take(9).await.expect("taken");
    bench.outbox_done(taken.iter().map(|event| event.seq).collect()).await.expect("done");
    let priced = StatusNews { pricing: Some(price("regular")), ..status("a", Heard::Sent, at(2)) };
    let all = [
        priced,
        status("a", Heard::Delivered, at(3)),
        status("a", Heard::Delivered, at(3)),
        status("a", Heard::Read, at(4)),
    ];
    tell(&bench, all.to_vec()).await;
    tell(&bench, all.to_vec()).await;
    let events = bench.outbox_take(9).await.expect("taken");
    let topics: Vec<_> = events.iter().map(|event| event.topic.as_str()).collect();
    assert_eq!(topics, ["message.sent.default.-", "message.delivered.default.-", "message.read.default.-"]);
    for (event, moment) in events.iter().zip([at(2), at(3), at(4)]) {
        let body = body(event);
        assert_eq!((body["at"].as_str(), body["wamid"].as_str()), (Some(moment.to_string().as_str()), Some("wamid.a")));
        assert_eq!((&body["metadata"]["order"], body["id"].as_str()), (&17.into(), Some("a")));
        assert_eq!(body["pricing"]["type"].as_str(), Some("regular"));
    }
}

pub fn body(event: &OutboxRow) -> serde_json::Value {
    serde_json::from_str(&event.body).expect("JSON")
}

pub async fn a_recipient_not_found_three_times_is_held(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    accept(&steps, job("a")).await;
    accept(&steps, job("b")).await;
    let told = vec![
        status("a", failed(131_026), at(2)),
        status("a", failed(131_026), at(2)),
        status("b", failed(131_049), at(2)),
    ];
    assert_eq!(tell(ledger, told).await.suppressed, 0);
    // Meta's answer to a request counts as well.
    let admission = steps.start(job("c"), at(0)).await;
    let (state, reason, code) = (State::Failed, Reason::NotOnWhatsapp, Some(131_026));
    steps.settle(&admission, Fate::End { state, reason, code, details: String::new() }, at(3)).await;
    assert!(ledger.holds_list(9).await.expect("listed").is_empty());
    accept(&steps, job("d")).await;
    assert_eq!(tell(ledger, vec![status("d", failed(131_026), at(4))]).await.suppressed, 1);
    let holds = ledger.holds_list(9).await.expect("listed");
    let [hold] = &holds[..] else { panic!("one hold: {holds:?}") };
    assert_eq!((hold.cover.scope, hold.cover.subject.as_str()), (Scope::Recipient, "+447700900123"));
    assert_eq!((hold.effect, hold.reason, hold.cover.category), (Effect::End, Reason::NotOnWhatsapp, None));
    assert_eq!(hold.until, Some(at(LATER + 7 * 24 * 3_600)));
    // It reaches what waits, and is over in time.
    steps.enqueue(job("e"), at(5)).await;
    steps.claim(9, 9, at(5)).await;
    drop(steps.admit(job("e"), at(5)).await);
    assert_eq!(steps.stands("e").await, (State::Suppressed, Some(Reason::NotOnWhatsapp)));
    ledger.sweep(at(LATER + 7 * 24 * 3_600), WAIT, 100).await.expect("swept");
    assert!(ledger.holds_list(9).await.expect("listed").is_empty());
}

pub async fn an_arrival_forgets_the_misses(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for name in ["a", "b", "arrived", "c", "d"] {
        accept(&steps, job(name)).await;
        let heard = if name == "arrived" { Heard::Delivered } else { failed(131_026) };
        assert_eq!(tell(ledger, vec![status(name, heard, at(2))]).await.suppressed, 0, "{name}");
    }
    assert!(ledger.holds_list(9).await.expect("listed").is_empty());
    // Others count for themselves.
    accept(&steps, to("+447700900124", job("other"))).await;
    assert_eq!(tell(ledger, vec![status("other", failed(131_026), at(2))]).await.suppressed, 0);
    accept(&steps, job("e")).await;
    assert_eq!(tell(ledger, vec![status("e", failed(131_026), at(2))]).await.suppressed, 1);
}
