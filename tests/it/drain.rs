//! Stopping: what is in flight is settled, what is in hand goes back, the next worker goes on.

use std::time::Duration;

use tidegate::clock;
use tidegate::outcome::State;
use tidegate::sim::{Latency, NumberSpec, SimConfig};

use crate::process::Process;
use crate::world::{World, audit, count, text};

fn slow_world() -> World {
    let latency = Latency { median_ms: 100.0, p99_ms: 300.0 };
    let numbers = ["1001", "1002"].map(|id| NumberSpec::new(id).with_mps(200));
    World::with(SimConfig { latency, ..SimConfig::with_numbers(numbers) }, &[("1001", "200/s"), ("1002", "200/s")])
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_nothing_unknown_and_the_next_one_goes_on() {
    let world = slow_world();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..600).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    for stopped_at in [50, 150, 300] {
        let worker = Process::start(&world, "run");
        world.accepted(stopped_at).await;
        worker.terminate();
        let (code, said) = worker.ended();
        assert_eq!(code, Some(0), "{said}");
        let rows = world.rows(&ledger).await;
        let counts = count(&rows);
        assert_eq!((counts.get(&State::Sending), counts.get(&State::Unknown)), (None, None), "{counts:?}");
        assert_eq!(counts[&State::Accepted] as u64, world.oracle().accepted());
    }
    assert!(world.oracle().accepted() < 600, "it was stopped in mid-campaign");
    let worker = Process::start(&world, "run");
    world.all_ended(&ledger).await;
    worker.terminate();
    assert_eq!(worker.ended().0, Some(0));
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows)[&State::Accepted], 600);
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_second_signal_ends_the_worker_at_once() {
    let mut world = World::new();
    world.set("cloud_api.request_timeout", "100s");
    world.set("worker.drain", "110s");
    world.faults(&["hang"]);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let mut worker = Process::start(&world, "run");
    world.accepted(1).await;
    let told_at = clock::now().mono;
    worker.terminate();
    worker.until_said("once more stops at once");
    worker.terminate();
    let (code, said) = worker.ended();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("unknown until its policy decides"), "{said}");
    assert!(clock::now().mono.since(told_at) < Duration::from_secs(50), "it did not wait for the answer");
    assert_eq!(world.row(&ledger, "a").await.state, State::Sending);
}

#[tokio::test]
async fn a_request_without_an_answer_is_unknown_before_the_drain_is_over() {
    let mut world = World::new();
    world.set("cloud_api.connect_timeout", "500ms");
    world.set("cloud_api.request_timeout", "900ms");
    world.set("worker.drain", "1s");
    world.faults(&["hang"]);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let worker = Process::start(&world, "run");
    world.accepted(1).await;
    worker.terminate();
    let (code, said) = worker.ended();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(world.row(&ledger, "a").await.state, State::Unknown);
}
