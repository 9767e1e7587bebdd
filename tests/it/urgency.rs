//! Who goes first: an urgent job before a backlog, a retry on its time.

use tidegate::clock::Timestamp;
use tidegate::outcome::State;
use tidegate::sim::Entry;

use crate::world::{World, text};

const BACKLOG: usize = 1_500;

async fn backlog(world: &World, ledger: &tidegate::ledger::Ledger) {
    let jobs: Vec<_> = (0..BACKLOG).map(|n| text(&format!("bulk-{n}"), "bulk")).collect();
    world.enqueue(ledger, &jobs).await;
}

/// The accepted request of a job.
fn entry_of(world: &World, key: &str) -> Entry {
    let of_job = |entry: &Entry| entry.callback.as_deref().is_some_and(|callback| callback.starts_with(key));
    world.oracle().accepted_entries().into_iter().find(of_job).expect("it was accepted")
}

#[tokio::test]
async fn an_urgent_job_overtakes_the_backlog_of_its_number() {
    let world = World::new();
    let ledger = world.beside().await;
    backlog(&world, &ledger).await;
    let worker = world.start();
    world.accepted(10).await;
    let (mut late, mut overtaken_by) = (Vec::new(), Vec::new());
    for n in 0..15 {
        let id = format!("urgent-{n}");
        world.enqueue(&ledger, &[text(&id, "urgent")]).await;
        let (handed_in, before) = (tidegate::clock::now().wall, world.oracle().accepted());
        let row = world.row_when(&ledger, &id, |row| row.state == State::Accepted).await;
        let entry = entry_of(&world, &row.key.to_string());
        late.push(Timestamp::from_millis(entry.unix_ms as i64).since(handed_in).as_millis());
        let earlier = world.oracle().accepted_entries().iter().filter(|other| other.seq < entry.seq).count() as u64;
        overtaken_by.push(earlier.saturating_sub(before));
    }
    let left = BACKLOG as u64 - world.oracle().accepted().min(BACKLOG as u64);
    worker.stop();
    late.sort_unstable();
    overtaken_by.sort_unstable();
    println!("ms after the commit: {late:?}; bulk sent meanwhile: {overtaken_by:?}");
    assert!(left > 500, "the backlog still stood: {left}");
    // On a quiet machine 30 ms and 2 or 3 of the backlog; a busy one may stall for a while, and more than once.
    assert!(late[7] <= 300, "half are later than {} ms: {late:?}", late[7]);
    assert!(overtaken_by[7] <= 12, "half came after {} of the backlog: {overtaken_by:?}", overtaken_by[7]);
    assert!(overtaken_by[14] <= 80, "one came a second late: {overtaken_by:?}");
}

#[tokio::test]
async fn a_retry_leaves_on_its_time_before_the_backlog() {
    let mut world = World::new();
    world.set("retry.base", "2s");
    world.faults(&["recipient_suffix=131000,first=1,code=131000"]);
    let ledger = world.beside().await;
    backlog(&world, &ledger).await;
    let mut tried = text("tried", "bulk");
    tried["to"] = "+447700131000".into();
    tried["priority"] = "urgent".into();
    let worker = world.start();
    world.accepted(1).await;
    world.enqueue(&ledger, &[tried]).await;
    let row = world.row_when(&ledger, "tried", |row| row.state == State::Accepted).await;
    let left = BACKLOG as u64 - world.oracle().accepted().min(BACKLOG as u64);
    worker.stop();
    let trail = ledger.trail(row.key).await.expect("a trail");
    let due = trail[0].until.expect("it waited for a time");
    let sent = Timestamp::from_millis(entry_of(&world, &row.key.to_string()).unix_ms as i64);
    assert!(sent >= due, "it left {:?} early", due.since(sent));
    assert!(sent.since(due).as_millis() <= 700, "it left {:?} late (100 ms on a quiet machine)", sent.since(due));
    assert!(left > 500, "the backlog still stood: {left}");
}

#[tokio::test]
async fn a_due_retry_of_bulk_goes_before_the_rest_of_bulk() {
    let mut world = World::new();
    world.set("retry.base", "1s");
    world.faults(&["first=5,code=131000"]);
    let ledger = world.beside().await;
    backlog(&world, &ledger).await;
    let worker = world.start();
    // Due within a second; the backlog alone takes almost twenty.
    world.accepted(400).await;
    worker.stop();
    let early = world.oracle().entries_since(0, 5);
    for refused in early {
        let callback = refused.callback.expect("key:attempt");
        let (key, _) = callback.rsplit_once(':').expect("key:attempt");
        assert_eq!(entry_of(&world, key).recipient, refused.recipient);
    }
}
