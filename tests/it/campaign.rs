//! Files of jobs: each is sent once, however often it is handed in, and memory does not grow with their number.

use std::fmt::Write as _;

use tidegate::outcome::State;
use tidegate::sim::{NumberSpec, SimConfig};

use crate::process::Process;
use crate::world::{World, audit, count, text};

const NUMBERS: [&str; 4] = ["1001", "1002", "1003", "1004"];

fn world(jobs: usize) -> World {
    let sim = SimConfig::with_numbers(NUMBERS.map(|id| NumberSpec::new(id).with_mps(1_000)));
    let world = World::with(sim, &NUMBERS.map(|id| (id, "1000/s")));
    let mut lines = String::new();
    for n in 0..jobs {
        writeln!(lines, "{}", text(&format!("job-{n}"), "bulk")).expect("memory");
    }
    std::fs::write(world.path().join("jobs.jsonl"), lines).expect("the folder can be written");
    world
}

#[tokio::test]
async fn a_file_that_is_handed_in_twice_at_once_beside_a_running_worker_is_sent_once() {
    let world = world(1_000);
    let ledger = world.beside().await;
    let worker = world.start();
    let hands = [(); 2].map(|()| Process::start(&world, "send --file jobs.jsonl"));
    for hand in hands {
        let (code, said) = hand.ended();
        assert_eq!(code, Some(0), "{said}");
    }
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 1_000)].into());
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_worker_sends_a_large_file_once_each_and_stays_small() {
    const JOBS: usize = 6_000;
    let world = world(JOBS);
    assert_eq!(Process::run(&world, "send --file jobs.jsonl").0, Some(0));
    let ledger = world.beside().await;
    let worker = Process::start(&world, "run");
    world.all_ended(&ledger).await;
    if let Some(peak) = worker.peak_memory_kib() {
        println!("{peak} KiB");
        assert!(peak <= 64 * 1_024, "{peak} KiB at its peak");
    }
    worker.terminate();
    assert_eq!(worker.ended().0, Some(0));
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, JOBS)].into());
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn jobs_of_one_priority_to_one_person_leave_in_their_order() {
    let mut world = World::new();
    // So many at once are a burst that Meta lends; whom we let wait is held to their order elsewhere.
    world.set("pair.interval", "0s");
    let ledger = world.beside().await;
    let mut jobs: Vec<_> = (0..40).map(|n| text(&format!("job-{n}"), "normal")).collect();
    for job in &mut jobs {
        job["to"] = "+447700900123".into();
    }
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let mut rows = world.rows(&ledger).await;
    audit(&rows, &world.oracle());
    rows.sort_by_key(|row| row.id["job-".len()..].parse::<u32>().expect("a number"));
    let wanted: Vec<_> = rows.iter().map(|row| row.wamid.clone()).collect();
    let sent: Vec<_> = world.oracle().accepted_entries().into_iter().map(|entry| entry.wamid).collect();
    assert_eq!(sent, wanted);
}
