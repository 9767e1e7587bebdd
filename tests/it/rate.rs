//! A number's rate, as the receiver counts it.

use tidegate::outcome::State;

use crate::world::{World, audit, count, text};

const RATE: usize = 80;
const SECONDS: usize = 10;
/// Of the rate that must be reached. On a quiet machine it is 98.5 %; a busy one may stall for more than a second in ten.
const SHARE: f64 = 0.85;

#[tokio::test]
async fn a_number_with_a_backlog_sends_at_its_rate_and_never_faster() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..RATE * (SECONDS + 1)).map(|n| text(&format!("job-{n}"), "bulk")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let entries = world.oracle().accepted_entries();
    let first = entries[0].at_ns;
    let within = |entry: &&tidegate::sim::Entry| entry.at_ns < first + SECONDS as u64 * 1_000_000_000;
    let sent = entries.iter().filter(within).count();
    let least = (RATE * SECONDS) as f64 * SHARE;
    println!("{sent} in {SECONDS} s, {} in the worst second", world.oracle().worst_sliding_second("1001"));
    assert!(sent as f64 >= least, "{sent} in {SECONDS} s from the first send, {least} wanted");

    let stats = world.oracle().stats();
    let refused = stats.refused_by_code.get(&130_429).copied().unwrap_or(0);
    // Requests that a stall of the machine pushes together may be refused; there are few of them, and none is charged.
    assert!(refused <= RATE as u64 / 10, "{refused} refused");
    assert!(world.oracle().worst_sliding_second("1001") as u64 <= RATE as u64 + refused);
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, jobs.len())].into());
    audit(&rows, &world.oracle());
}
