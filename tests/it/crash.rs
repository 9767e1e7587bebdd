//! `kill -9` in mid-campaign: the worker is a process, Meta and the ledger outlive it.

use std::collections::BTreeSet;

use tidegate::ledger::JobFilter;
use tidegate::outcome::State;
use tidegate::sim::{Latency, NumberSpec, SimConfig};

use crate::process::Process;
use crate::world::{World, audit, count, text};

const KILLS: u64 = 20;
const NUMBERS: [&str; 4] = ["1001", "1002", "1003", "1004"];
const RATE: u32 = 250;
const JOBS: usize = 4_000;

#[tokio::test]
async fn twenty_kills_in_mid_campaign_lose_nothing_and_double_nothing() {
    let numbers = NUMBERS.map(|id| NumberSpec::new(id).with_mps(RATE));
    let latency = Latency { median_ms: 20.0, p99_ms: 80.0 };
    let rate = format!("{RATE}/s");
    let mut world =
        World::with(SimConfig { latency, ..SimConfig::with_numbers(numbers) }, &NUMBERS.map(|id| (id, rate.as_str())));
    // An attempt that a kill cut off is unknown after its deadline; this one is short.
    world.set("cloud_api.request_timeout", "3s");
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..JOBS).map(|n| text(&format!("job-{n}"), "bulk")).collect();
    world.enqueue(&ledger, &jobs).await;
    let oracle = world.oracle();

    let mut in_flight = BTreeSet::new();
    for kill in 0..KILLS {
        let worker = Process::start(&world, "run");
        // Kills fall at different distances from the start.
        world.accepted(oracle.accepted() + 1 + kill * 7).await;
        worker.kill();
        let sending = JobFilter { state: Some(State::Sending), limit: 1_000, ..JobFilter::default() };
        in_flight.extend(ledger.jobs(sending).await.expect("the ledger answers").into_iter().map(|row| row.key));
    }
    assert!(oracle.accepted() < JOBS as u64, "the last kill fell into the campaign too");
    let worker = Process::start(&world, "run");
    world.all_ended(&ledger).await;
    worker.terminate();
    assert_eq!(worker.ended().0, Some(0));

    let rows = world.rows(&ledger).await;
    assert_eq!(rows.len(), JOBS, "nothing is lost");
    for row in &rows {
        let is_left = row.state == State::Unresolved && in_flight.contains(&row.key);
        assert!(row.state == State::Accepted || is_left, "job {}: {} {:?}", row.id, row.state, row.reason);
    }
    audit(&rows, &oracle);
    let stats = oracle.stats();
    assert_eq!((stats.duplicate_jobs, stats.duplicate_callbacks), (0, 0), "nothing is doubled");
    for number in NUMBERS {
        let worst = oracle.worst_sliding_second(number);
        // A restart that forgot the last second would show twice the rate; a stall of the machine shows a little more.
        assert!(worst <= RATE as usize * 11 / 10, "{number}: {worst} in a second, {:?}", stats.refused_by_code);
    }
    println!("{:?}, {} in flight at {KILLS} kills", count(&rows), in_flight.len());
}
