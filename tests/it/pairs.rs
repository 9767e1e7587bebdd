//! The pair limit against the simulator's own count, on a clock of which twenty seconds pass in one.

use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, SimConfig};

use crate::world::{World, audit, count, recipient, text};

const SCALE: f64 = 20.0;
const JOBS: usize = 60;

/// Jobs to one person, all at once.
fn jobs() -> Vec<serde_json::Value> {
    let job = |n| {
        let mut job = text(&format!("job-{n:02}"), "normal");
        job["to"] = recipient("one and the same").into();
        job
    };
    (0..JOBS).map(job).collect()
}

/// The worker's clock is the simulator's; how late a busy machine may be is not scaled.
fn scale(world: &mut World) {
    world.set("pair.interval", "300ms");
    world.set("pacing.margin", "50ms");
}

/// All accepted, in order of publishing, and nothing ever too early.
async fn see(world: &World, ledger: &tidegate::ledger::Ledger) {
    let rows = world.rows(ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, JOBS)].into());
    audit(&rows, &world.oracle());
    let id_of = |callback: &str| {
        let (key, _attempt) = callback.rsplit_once(':').expect("key:attempt");
        rows.iter().find(|row| row.key.to_string() == key).expect("a row").id.to_string()
    };
    let went: Vec<String> =
        world.oracle().accepted_entries().iter().map(|entry| id_of(entry.callback.as_deref().expect("ours"))).collect();
    let published: Vec<String> = (0..JOBS).map(|n| format!("job-{n:02}")).collect();
    assert_eq!(went, published);
    assert_eq!(world.oracle().stats().refused_by_code.get(&131_056), None);
    // Whoever had to wait for long says so.
    let last = rows.iter().find(|row| row.id == "job-59").expect("the last");
    let trail = ledger.trail(last.key).await.expect("a trail");
    assert!(trail.iter().any(|entry| entry.reason == Reason::PairLimit), "{trail:?}");
}

#[tokio::test]
async fn sixty_jobs_to_one_person_go_in_order_and_none_too_early() {
    let sim = SimConfig { time_scale: SCALE, ..SimConfig::with_numbers([NumberSpec::new("1001").with_mps(80)]) };
    let mut world = World::with(sim, &[("1001", "80/s")]);
    scale(&mut world);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &jobs()).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    see(&world, &ledger).await;
}

#[cfg(feature = "services")]
#[tokio::test]
async fn sixty_jobs_from_the_broker_go_in_order_and_none_too_early() {
    let mut shared = crate::shared::Shared::with_pair_clock(SCALE).await;
    scale(&mut shared.world);
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    producer.publish("default.normal", &jobs()).await;
    shared.world.accepted(JOBS as u64).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    see(&shared.world, &ledger).await;
    assert_eq!(producer.ready(&shared.queue_of("default.normal")).await, 0, "all were acked");
}
