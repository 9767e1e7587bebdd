//! Commands of other processes beside a running worker.

use std::time::Duration;

use tidegate::clock::Timestamp;
use tidegate::outcome::State;

use crate::process::Process;
use crate::world::{World, audit, text};

#[tokio::test]
async fn what_another_process_hands_in_is_sent_promptly() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("first", "normal")]).await;
    world.accepted(1).await;
    let mut waits = Vec::new();
    for n in 0..7 {
        let line = format!("send --to +44770090012{n} --text hello --id job-{n}");
        assert_eq!(Process::run(&world, &line).0, Some(0));
        let row = world.row_when(&ledger, &format!("job-{n}"), |row| row.state == State::Accepted).await;
        let sent = world.oracle().accepted_entries().pop().expect("it was accepted");
        waits.push(Timestamp::from_millis(sent.unix_ms as i64).since(row.created_at));
    }
    worker.stop();
    waits.sort_unstable();
    // A few milliseconds on a quiet machine; far below a look at the ledger every second on any.
    assert!(waits[3] < Duration::from_millis(400), "{waits:?}");
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_second_worker_on_the_same_ledger_is_refused() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    world.accepted(1).await;
    let (code, said) = Process::run(&world, "run");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("belongs to another running worker"), "{said}");
    world.enqueue(&ledger, &[text("b", "normal")]).await;
    world.accepted(2).await;
    worker.stop();
}

#[tokio::test]
async fn a_number_that_a_command_pauses_sends_nothing_until_one_resumes_it() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("first", "normal")]).await;
    world.accepted(1).await;
    assert_eq!(Process::run(&world, "numbers pause 1001").0, Some(0));
    let mut clock = text("clock", "urgent");
    clock["ttl"] = "2s".into();
    world.enqueue(&ledger, &[text("held", "urgent"), clock]).await;
    // Two seconds in which the number was free.
    world.row_when(&ledger, "clock", |row| row.state == State::Expired).await;
    assert_eq!(world.oracle().accepted(), 1);
    assert_eq!(Process::run(&world, "numbers resume 1001").0, Some(0));
    world.row_when(&ledger, "held", |row| row.state == State::Accepted).await;
    worker.stop();
}

#[tokio::test]
async fn a_job_that_a_command_takes_back_is_not_sent() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..400).map(|n| text(&format!("job-{n}"), "bulk")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.accepted(1).await;
    assert_eq!(Process::run(&world, "cancel job-399 job-398").0, Some(0));
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 398);
    audit(&world.rows(&ledger).await, &world.oracle());
}
