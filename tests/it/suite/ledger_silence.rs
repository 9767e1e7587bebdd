//! Silence that says something: of an attempt, where others are heard of; of a message that was to arrive by now.

use std::time::Duration;

use tidegate::job::{Job, OnUnknown};
use tidegate::ledger::{Heard, Ledger, Moved, Publish, Swept};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::told::*;

fn silent(id: &str) -> Job {
    Job { on_unknown: OnUnknown::ResendIfSilent, ..job(id) }
}

/// Loses a job's attempt at a second; its policy is asked a minute later.
async fn lose(steps: &Steps<'_>, job: Job, second: i64) {
    let admission = steps.start(job, at(second - 1)).await;
    steps.settle(&admission, unknown(at(second + 60)), at(second)).await;
}

/// Another message of the same number is accepted, and heard of.
async fn hear_of(steps: &Steps<'_>, id: &str, second: i64) {
    let admission = steps.start(job(id), at(second)).await;
    steps.settle(&admission, accepted(), at(second)).await;
    let moved = tell(steps.ledger, status(job(id).key, Heard::Sent, at(second + 1))).await;
    let (from, to) = (State::Accepted, State::Sent);
    assert_eq!(moved, Moved::Job { from, to, after: Some(Duration::from_secs(1)) });
}

async fn sweep(ledger: &Ledger, second: i64) -> Swept {
    ledger.sweep(at(second), WAIT, 100).await.expect("swept")
}

pub async fn a_silent_job_is_sent_again_when_later_ones_were_heard_of(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    lose(&steps, silent("a"), 1).await;
    hear_of(&steps, "later", 10).await;
    // Five minutes are not over: it is looked at again then.
    assert_eq!(sweep(ledger, 61).await, Swept::default());
    let row = steps.show("a").await;
    assert_eq!((row.state, row.deadline, row.updated_at), (State::Unknown, Some(at(301)), at(1)));
    assert_eq!(sweep(ledger, 300).await, Swept::default());
    assert_eq!(sweep(ledger, 301).await, Swept { resent: 1, ..Swept::default() });
    assert_eq!(steps.stands("a").await, (State::Waiting, Some(Reason::Resent)));
    assert_eq!(steps.start_again(silent("a"), at(301)).await.attempt(), 2);
}

pub async fn a_silent_job_that_is_heard_of_after_all_is_not_sent_again(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    lose(&steps, silent("a"), 1).await;
    hear_of(&steps, "later", 10).await;
    assert_eq!(sweep(ledger, 61).await, Swept::default());
    tell(ledger, status(silent("a").key, Heard::Delivered, at(70))).await;
    assert_eq!(sweep(ledger, 301).await, Swept::default());
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.deadline), (State::Delivered, None, None));
    assert!(steps.claim(9, 9, at(302)).await.rows.is_empty());
}

pub async fn silence_says_nothing_where_nobody_is_heard(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    // What was heard of earlier sends says nothing, nor what other numbers sent.
    hear_of(&steps, "earlier", 0).await;
    lose(&steps, silent("a"), 5).await;
    let other = Steps::of(ledger, worker(), "2002").await;
    hear_of(&other, "by another", 10).await;
    assert_eq!(sweep(ledger, 65).await, Swept { unresolved: 1, ..Swept::default() });
    assert_eq!(steps.stands("a").await, (State::Unresolved, Some(Reason::Left)));
}

pub async fn a_silent_job_that_would_be_too_late_is_left(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    lose(&steps, Job { expires_at: at(301), ..silent("a") }, 1).await;
    lose(&steps, Job { expires_at: at(302), ..silent("b") }, 1).await;
    hear_of(&steps, "later", 10).await;
    assert_eq!(sweep(ledger, 61).await, Swept { unresolved: 1, ..Swept::default() });
    assert_eq!(steps.stands("a").await.0, State::Unresolved);
    assert_eq!(steps.show("b").await.deadline, Some(at(301)));
}

/// A job that is to be delivered within a minute of its beginning.
fn urgent(id: &str) -> Job {
    Job { deliver_within: Some(Duration::from_secs(60)), ..job(id) }
}

pub async fn a_message_not_delivered_in_time_is_told_once(bench: &Bench) {
    let bench = bench.publishing(Publish::Ended).await;
    let steps = Steps::new(&bench).await;
    for name in ["accepted", "sent", "delivered", "failed", "in time"] {
        let admission = steps.start(urgent(name), at(0)).await;
        steps.settle(&admission, accepted(), at(1)).await;
    }
    for (name, heard, second) in [
        ("sent", Heard::Sent, 2),
        ("delivered", Heard::Delivered, 3),
        ("failed", undeliverable(), 4),
        ("in time", Heard::Sent, 5),
        ("in time", Heard::Read, 6),
    ] {
        tell(&bench, status(job(name).key, heard, at(second))).await;
    }
    let before = bench.outbox_take(99).await.expect("taken");
    bench.outbox_done(before.iter().map(|event| event.seq).collect()).await.expect("done");
    assert_eq!(sweep(&bench, 59).await, Swept::default());
    assert_eq!(sweep(&bench, 60).await, Swept { late: 2, ..Swept::default() });
    assert_eq!(sweep(&bench, 61).await, Swept::default());
    let events = bench.outbox_take(99).await.expect("taken");
    let mut told: Vec<_> = events.iter().map(|event| (event.job.as_str(), event.topic.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("accepted", "message.late.default.-"), ("sent", "message.late.default.-")]);
    assert_eq!(events[0].event, format!("{}:late", job(&events[0].job).key));
    // It stands where it stood, and may arrive yet.
    assert_eq!(steps.stands("sent").await.0, State::Sent);
    tell(&bench, status(job("sent").key, Heard::Delivered, at(90))).await;
    assert_eq!(steps.stands("sent").await.0, State::Delivered);
    assert_eq!(sweep(&bench, 99).await, Swept::default());
}

pub async fn jobs_that_ended_otherwise_are_not_late(bench: &Bench) {
    let steps = Steps::new(bench).await;
    steps.enqueue(urgent("cancelled"), at(0)).await;
    bench.cancel(vec![named("cancelled")], Unseen::Refuse, at(1)).await.expect("answered");
    let admission = steps.start(urgent("unknown"), at(0)).await;
    steps.settle(&admission, unknown(at(500)), at(1)).await;
    assert_eq!(sweep(bench, 60).await, Swept::default());
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE late_at IS NOT NULL").await, 1, "of the unknown one");
    tell(bench, status(job("unknown").key, Heard::Sent, at(70))).await;
    assert_eq!(sweep(bench, 71).await, Swept { late: 1, ..Swept::default() });
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE late_at IS NOT NULL").await, 0);
}
