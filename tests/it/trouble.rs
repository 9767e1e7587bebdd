//! Trouble around a worker that is nobody's answer: it is frozen, its ledger is taken, a number of its pool is sick.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;
use tidegate::clock;
use tidegate::hold::Scope;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{Latency, NumberSpec, SimConfig};

use crate::process::Process;
use crate::world::{World, audit, count, text};

/// Sees to it that Meta accepts fewer than so many more for so long.
async fn quiet(world: &World, time: Duration, fewer_than: u64) {
    let oracle = world.oracle();
    let more = oracle.wait_for(oracle.accepted() + fewer_than);
    assert!(tokio::time::timeout(time, more).await.is_err(), "{fewer_than} or more within {time:?}");
}

#[tokio::test]
async fn a_worker_that_is_frozen_beyond_its_lease_goes_on_and_loses_and_doubles_nothing() {
    let latency = Latency { median_ms: 60.0, p99_ms: 200.0 };
    let sim = SimConfig { latency, ..SimConfig::with_numbers([NumberSpec::new("1001").with_mps(200)]) };
    let mut world = World::with(sim, &[("1001", "200/s")]);
    for (key, value) in [
        ("lease.ttl", "3s"),
        ("lease.renew", "500ms"),
        ("lease.margin", "1s"),
        ("cloud_api.connect_timeout", "1s"),
        ("cloud_api.request_timeout", "2s"),
    ] {
        world.set(key, value);
    }
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..600).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = Process::start(&world, "run");
    world.accepted(200).await;
    worker.freeze();
    // Only what is in the sockets already still arrives.
    quiet(&world, Duration::from_secs(5), 60).await;
    worker.thaw();
    world.all_ended(&ledger).await;
    worker.terminate();
    assert_eq!(worker.ended().0, Some(0));
    let rows = world.rows(&ledger).await;
    println!("{:?}", count(&rows));
    for row in &rows {
        assert!(matches!(row.state, State::Accepted | State::Unresolved), "{}: {} {:?}", row.id, row.state, row.reason);
    }
    audit(&rows, &world.oracle());
    assert_eq!(world.oracle().stats().duplicate_jobs, 0);
    let worst = world.oracle().worst_sliding_second("1001");
    // What lay in the sockets arrives together with what follows; a stall of the machine adds a little.
    assert!(worst <= 220, "{worst} in a second");
}

#[tokio::test]
async fn while_the_ledger_is_taken_nothing_is_sent_and_afterwards_everything_is() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..200).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.accepted(20).await;
    let taker = Connection::open(world.path().join("ledger.db")).expect("the ledger's file");
    taker.busy_timeout(Duration::from_secs(30)).expect("it waits its turn");
    taker.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    // What was admitted before may still leave: without a commit there is no new admission.
    quiet(&world, Duration::from_secs(3), 24).await;
    taker.execute_batch("ROLLBACK").expect("it gives it back");
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 200)].into(), "none is unknown by our own fault");
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_number_that_keeps_failing_is_rested_and_the_others_send_for_it() {
    let numbers = ["1001", "1002"];
    let world = World::with(SimConfig::with_numbers(numbers.map(NumberSpec::new)), &numbers.map(|id| (id, "80/s")));
    world.faults(&["number=1001,code=131000"]);
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..160).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let hold = ledger.holds().await.expect("holds").pop().expect("the number rests");
    assert_eq!((hold.cover.scope, hold.cover.subject.as_str()), (Scope::Number, "1001"));
    assert_eq!((hold.reason, hold.who.as_str(), hold.probe), (Reason::Failing, "health", true));
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 160)].into());
    assert!(rows.iter().all(|row| row.number.as_deref() == Some("1002")));
    // A dozen in a row, a quarter of a second of them, and what was on its way by then.
    let refused = world.oracle().totals().refused;
    assert!(refused <= 40, "{refused} requests by a number that fails");
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_sick_number_costs_another_pool_nothing() {
    let numbers = ["1001", "1002"];
    let mut world = World::with(SimConfig::with_numbers(numbers.map(NumberSpec::new)), &numbers.map(|id| (id, "80/s")));
    world.set("pools[0].name", "sick");
    world.set("pools[0].numbers[0]", "1001");
    world.set("cloud_api.connect_timeout", "1s");
    world.set("cloud_api.request_timeout", "2s");
    world.faults(&["number=1001,hang"]);
    let ledger = world.beside().await;
    let mut jobs = Vec::new();
    for n in 0..240 {
        let mut sick = text(&format!("sick-{n}"), "urgent");
        sick["from"] = json!("sick");
        sick["ttl"] = json!("8s");
        jobs.extend([sick, text(&format!("well-{n}"), "bulk")]);
    }
    world.enqueue(&ledger, &jobs).await;
    let started = clock::now().mono;
    let worker = world.start();
    let of_well = |entry: &tidegate::sim::Entry| &*entry.number == "1002";
    let sent = || world.oracle().accepted_entries().into_iter().filter(of_well).count();
    crate::world::until(&ledger, "the well pool is through", async || (sent() == 240).then_some(())).await;
    let took = clock::now().mono.since(started);
    // Three seconds of work at 80/s after a second of start.
    assert!(took < Duration::from_secs(7), "it took {took:?}");
    world.all_ended(&ledger).await;
    worker.stop();
    audit(&world.rows(&ledger).await, &world.oracle());
}
