//! When a job may go, until when, and taking it back.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock;
use tidegate::ledger::{Cancelled, JobRef, Ledger, Unseen};
use tidegate::outcome::{Reason, State};

use crate::world::{World, audit, text};

fn with(key: &str, value: &str, mut job: Value) -> Value {
    job[key] = json!(value);
    job
}

fn in_a_while(seconds: u64) -> clock::Timestamp {
    clock::now().wall + Duration::from_secs(seconds)
}

async fn cancel(ledger: &Ledger, id: &str) -> Cancelled {
    let name = JobRef { source: None, id: id.to_owned() };
    ledger.cancel(vec![name], Unseen::Refuse, clock::now().wall).await.expect("the ledger answers").remove(0)
}

#[tokio::test]
async fn a_job_that_was_taken_back_is_not_sent() {
    let world = World::new();
    let ledger = world.beside().await;
    let later = with("not_before", &in_a_while(3).to_string(), text("later", "normal"));
    world.enqueue(&ledger, &[text("a", "normal"), text("b", "normal"), later]).await;
    assert_eq!(cancel(&ledger, "a").await, Cancelled::Done);
    let worker = world.start();
    world.accepted(1).await;
    assert_eq!(cancel(&ledger, "later").await, Cancelled::Done);
    world.row_when(&ledger, "b", |row| row.state.has_ended()).await;
    assert_eq!(cancel(&ledger, "b").await, Cancelled::TooLate(State::Accepted));
    // When it would have been due, another one is sent.
    world.enqueue(&ledger, &[with("not_before", &in_a_while(4).to_string(), text("witness", "normal"))]).await;
    world.accepted(2).await;
    worker.stop();
    for id in ["a", "later"] {
        let row = world.row(&ledger, id).await;
        assert_eq!((row.state, row.reason, row.attempts), (State::Cancelled, Some(Reason::Cancelled), 0), "{id}");
    }
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_job_taken_back_beside_a_running_worker_with_a_backlog_is_not_sent() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..500).map(|n| text(&format!("job-{n}"), "bulk")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.accepted(5).await;
    // In hand by now, and far from its turn.
    for n in 300..500 {
        assert_eq!(cancel(&ledger, &format!("job-{n}")).await, Cancelled::Done);
    }
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 300);
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_job_waits_for_its_time_and_then_goes() {
    let world = World::new();
    let ledger = world.beside().await;
    let time = in_a_while(3);
    world.enqueue(&ledger, &[with("not_before", &time.to_string(), text("later", "normal"))]).await;
    let row = world.row(&ledger, "later").await;
    assert_eq!((row.state, row.reason, row.due_at), (State::Waiting, Some(Reason::NotBefore), Some(time)));
    let worker = world.start();
    world.enqueue(&ledger, &[text("now", "normal")]).await;
    world.row_when(&ledger, "now", |row| row.state == State::Accepted).await;
    let row = world.row_when(&ledger, "later", |row| row.state == State::Accepted).await;
    worker.stop();
    let late = row.accepted_at.expect("it is accepted").since(time);
    assert!(row.accepted_at >= Some(time), "it went before its time");
    assert!(late < Duration::from_secs(2), "it left {late:?} late (100 ms on a quiet machine)");
}

#[tokio::test]
async fn a_job_whose_time_is_over_ends_as_expired_and_is_not_sent() {
    let world = World::new();
    let ledger = world.beside().await;
    let too_old = with("expires_at", &(clock::now().wall - Duration::from_secs(1)).to_string(), text("old", "normal"));
    world.enqueue(&ledger, &[too_old]).await;
    // Nobody serves them before their time is over.
    let short = [with("ttl", "1s", text("ttl", "normal")), with("deliver_within", "1s", text("within", "normal"))];
    world.enqueue(&ledger, &short).await;
    let over = world.row(&ledger, "within").await.expires_at;
    let late = with("not_before", &(over + Duration::from_millis(500)).to_string(), text("witness", "normal"));
    world.enqueue(&ledger, &[late]).await;
    // What meets Meta all the same is refused: not one of them could be sent.
    world.faults(&["code=130429"]);
    let worker = world.start();
    for id in ["old", "ttl", "within"] {
        let row = world.row_when(&ledger, id, |row| row.state.has_ended()).await;
        assert_eq!((row.state, row.reason), (State::Expired, Some(Reason::TooLate)), "{id}");
    }
    world.faults(&[]);
    world.row_when(&ledger, "witness", |row| row.state == State::Accepted).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 1);
}

#[tokio::test]
async fn a_job_that_fails_until_its_time_is_over_ends_as_expired() {
    let world = World::new();
    world.faults(&["code=130429"]);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[with("ttl", "3s", text("a", "normal"))]).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let row = world.row(&ledger, "a").await;
    assert_eq!((row.state, row.reason), (State::Expired, Some(Reason::TooLate)));
    assert_eq!(world.oracle().accepted(), 0);
}
