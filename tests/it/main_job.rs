//! The main job, all the way: handed in, scheduled, admitted, paced, sent, settled.

use tidegate::outcome::State;
use tidegate::worker::Drained;

use crate::world::{World, count, text};

#[tokio::test]
async fn a_job_that_is_handed_in_is_accepted_once_and_has_its_row() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..100).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    assert_eq!(worker.stop(), Drained::Clean);
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows)[&State::Accepted], 100);
    let stats = world.oracle().stats();
    assert_eq!((world.oracle().accepted(), stats.duplicate_jobs), (100, 0));
}
