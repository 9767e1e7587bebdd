//! Several workers at one ledger: who owns which numbers, as workers come and go.
//!
//! They share an embedded ledger that one process has opened, which is all that their leases need.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate::app::{self, RunOptions};
use tidegate::clock;
use tidegate::hold::{Cover, Effect, HoldOrder, Scope};
use tidegate::ledger::Ledger;
use tidegate::ledger::sqlite::Access;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, SimConfig};
use tidegate::worker::Drained;
use tokio_util::sync::CancellationToken;

use crate::world::{World, audit, count, text, until};

const NUMBERS: [(&str, &str); 4] = [("1001", "80/s"), ("1002", "80/s"), ("1003", "80/s"), ("1004", "80/s")];

/// A worker on a thread of its own.
struct Worker {
    stop: CancellationToken,
    thread: JoinHandle<Drained>,
}

impl Worker {
    fn start(world: &World, ledger: &Ledger) -> Self {
        let (config, ledger, stop) = (world.config(), ledger.clone(), CancellationToken::new());
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let options = RunOptions { quiet: true, ..RunOptions::default() };
            runtime.block_on(app::run_on(&config, options, ledger, told)).expect("the worker runs")
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.cancel();
        assert_eq!(self.thread.join().expect("the worker did not panic"), Drained::Clean);
    }
}

/// How many numbers each worker owns.
async fn owners(ledger: &Ledger) -> BTreeMap<uuid::Uuid, usize> {
    let rows = ledger.leases(clock::now().wall).await.expect("the ledger answers");
    let mut owners = BTreeMap::new();
    for owner in rows.iter().filter(|row| row.name.starts_with("number:")).filter_map(|row| row.owner) {
        *owners.entry(owner.0).or_default() += 1;
    }
    owners
}

/// Waits until so many workers own so many numbers each.
async fn spread(ledger: &Ledger, wanted: &[usize]) {
    until(ledger, &format!("the numbers are spread as {wanted:?}"), async || {
        let mut counts: Vec<usize> = owners(ledger).await.into_values().collect();
        counts.sort_unstable();
        (counts == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn numbers_are_spread_evenly_and_handed_over_as_workers_come_and_go() {
    let sim = SimConfig::with_numbers(NUMBERS.map(|(id, _)| NumberSpec::new(id).with_mps(80)));
    let mut world = World::with(sim, &NUMBERS);
    // So long that nobody gets anything by waiting for its end.
    world.set("lease.ttl", "100s");
    world.set("lease.renew", "200ms");
    let ledger = app::open_ledger(&world.config(), Access::Worker).await.expect("the ledger opens");
    let jobs: Vec<_> = (0..2_000).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let first = Worker::start(&world, &ledger);
    spread(&ledger, &[4]).await;
    let second = Worker::start(&world, &ledger);
    spread(&ledger, &[2, 2]).await;
    let third = Worker::start(&world, &ledger);
    spread(&ledger, &[1, 1, 2]).await;
    first.stop();
    spread(&ledger, &[2, 2]).await;
    third.stop();
    spread(&ledger, &[4]).await;
    world.all_ended(&ledger).await;
    second.stop();
    assert_eq!(owners(&ledger).await, BTreeMap::new());
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, jobs.len())].into());
    audit(&rows, &world.oracle());
    let refused = world.oracle().stats().refused_by_code.get(&130_429).copied().unwrap_or(0);
    for (number, _) in NUMBERS {
        let worst = world.oracle().worst_sliding_second(number) as u64;
        assert!(worst <= 80 + refused, "number {number}: {worst} in one second, {refused} refused");
    }
}

#[tokio::test]
async fn a_hold_is_tried_by_one_job_at_a_time_in_the_whole_fleet() {
    let ids = ["1001", "1002"];
    let mut world = World::with(SimConfig::with_numbers(ids.map(NumberSpec::new)), &ids.map(|id| (id, "80/s")));
    world.set("pools[0].name", "shop");
    world.set("pools[0].numbers[0]", "1002");
    world.set("lease.renew", "200ms");
    world.set("cloud_api.request_timeout", "2s");
    world.set("cloud_api.connect_timeout", "1s");
    let ledger = app::open_ledger(&world.config(), Access::Worker).await.expect("the ledger opens");
    let workers = [(); 2].map(|()| Worker::start(&world, &ledger));
    spread(&ledger, &[1, 1]).await;
    let now = clock::now().wall;
    let order = HoldOrder {
        cover: Cover::of(Scope::Everything, ""),
        effect: Effect::Wait,
        reason: Reason::Operator,
        who: "test".into(),
        until: Some(now + Duration::from_secs(1)),
        probe: true,
    };
    let hold = ledger.place(order, now).await.expect("the ledger places it");
    world.faults(&["hang"]);
    let of = |pool: &str, n: usize| {
        let mut job = text(&format!("{pool}-{n}"), "normal");
        job["from"] = pool.into();
        job
    };
    let jobs: Vec<_> = (0..10).flat_map(|n| [of("default", n), of("shop", n)]).collect();
    world.enqueue(&ledger, &jobs).await;
    // Each hangs for two seconds, and only then may the next one go, whoever sends it.
    world.accepted(3).await;
    let entries = world.oracle().accepted_entries();
    let gaps: Vec<_> = entries.windows(2).map(|pair| pair[1].at() - pair[0].at()).collect();
    assert!(gaps.iter().all(|gap| *gap > Duration::from_secs(1)), "{gaps:?}");
    world.faults(&[]);
    ledger.lift(hold.id, clock::now().wall).await.expect("the ledger answers");
    world.all_ended(&ledger).await;
    workers.into_iter().for_each(Worker::stop);
    audit(&world.rows(&ledger).await, &world.oracle());
}
