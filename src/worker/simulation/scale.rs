//! Many numbers of 80/s and ten workers: first crashes and lost leases wherever they may fall, then a calm in which
//! every number must reach its rate. A hundred numbers always, a thousand when asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock;
use crate::job::{OnUnknown, Priority};

use super::judge;
use super::making::{Draft, ms};
use super::plan::{NumberPlan, Plan, Stroke};
use super::world::World;

const PER_SECOND: u32 = 80;
/// Ten numbers a pool.
const POOL: usize = 10;
/// So many jobs of a pool wait at least, while it shall be busy: what its numbers send in a second.
const BACKLOG: usize = POOL * PER_SECOND as usize;
const STORM: Duration = Duration::from_secs(5);
/// Until every number is sent by again: so long it may take after a crash.
const SETTLES: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(2);

/// The jobs that keep a pool and its numbers busy.
impl World {
    /// Publishes what was taken away since, for every pool and for some numbers alone.
    pub(super) fn keep_busy(&mut self) {
        if self.now >= self.plan.busy_until {
            return;
        }
        for number in 0..self.plan.numbers.len() {
            let pool = self.plan.numbers[number].pool;
            if number.is_multiple_of(POOL) {
                let draft = Draft::of(pool, Priority::Bulk);
                let waiting = self.fold.waiting_in(&draft.routed(0).route, Priority::Bulk);
                for _ in waiting..BACKLOG {
                    self.publish(draft.clone());
                }
            }
            self.publish(Draft::of(pool, Priority::Normal).pinned(number));
        }
        self.tell_all(false);
    }

    fn publish(&mut self, mut draft: Draft) {
        let seq = self.plan.jobs.len() as u64;
        draft.on_unknown = OnUnknown::ALL[self.plan.jobs.len() % OnUnknown::ALL.len()];
        self.fold.enqueue(seq, draft.routed(seq));
        self.plan.jobs.push((self.now, draft));
    }
}

fn plan(seed: u64, numbers: usize, workers: usize, storm: Duration, measured: Duration) -> Plan {
    let numbers = (0..numbers).map(|n| NumberPlan { pool: n / POOL, per_second: PER_SECOND }).collect();
    let mut plan = Plan::calm(seed, workers, numbers, storm);
    plan.kills = 2 * u32::try_from(workers).expect("few");
    // Workers with more numbers make their calls no more often.
    plan.kills_apart = if plan.numbers.len() > 100 { 1 } else { 3 };
    plan.call_fails = 0.000_1;
    plan.reply_lost = 0.000_1;
    plan.unconnected = 0.001;
    plan.refused = 0.01;
    plan.cut = 0.001;
    plan.silent = 0.000_5;
    plan.ledger_within = ms(8);
    plan.cap = 20_000;
    // Leases are lost by standing still for longer than they last, and given up by stops.
    plan.strokes.push((storm / 3, Stroke::FreezeWorker(0, ms(2_600))));
    plan.strokes.push((storm / 2, Stroke::StopWorker(1)));
    plan.busy_until = storm + SETTLES + measured;
    plan.ends_by = plan.busy_until + ms(30_000);
    plan
}

/// Sends of each number in the time in which nothing disturbs it.
fn counted(world: &World, from: Duration, to: Duration) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for (_, arrival) in world.meta.log.iter().filter(|(at, _)| (from..to).contains(at)) {
        *counts.entry(arrival.number).or_default() += 1;
    }
    counts
}

/// Runs it, judges it, and says what a message cost.
fn run(seed: u64, numbers: usize, workers: usize, storm: Duration, measured: Duration) -> Duration {
    let began = clock::processor_time();
    let mut world = World::new(plan(seed, numbers, workers, storm, measured), false);
    world.fold.instead_of_ended = Some(Draft::of(0, Priority::Bulk).routed(0));
    world.run();
    judge::end(&world);
    let took = clock::processor_time() - began;
    let sent = world.meta.log.len();
    let each = took / u32::try_from(sent).expect("a few millions");
    println!(
        "{numbers} numbers, {workers} workers, {} deaths: {sent} sent in {took:.1?}, {each:.1?} each",
        world.deaths
    );
    assert!(world.deaths as usize >= workers / 2, "only {} were killed", world.deaths);
    let from = storm + SETTLES;
    let counts = counted(&world, from, from + measured);
    let least = f64::from(PER_SECOND) * measured.as_secs_f64() * 0.985 - 1.0;
    for number in 0..numbers {
        let count = counts.get(&number).copied().unwrap_or(0);
        assert!(count as f64 >= least, "number {number}: {count} in {measured:?}, at least {least:.0} wanted");
    }
    each
}

#[test]
fn a_hundred_numbers_and_ten_workers_lose_nothing_in_a_storm_and_reach_every_limit_after_it() {
    run(1, 100, 10, STORM, MEASURED);
}

/// The same with ten times the numbers: a message must not cost more for that. Takes minutes, and wants a release build:
/// `cargo test --release --lib simulation::scale -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_numbers_do_the_same_at_the_same_cost_a_message() {
    for seed in 1..=3 {
        let few = run(seed, 100, 10, STORM, STORM);
        let many = run(seed, 1_000, 10, STORM, STORM);
        // The simulation's own tables are ordered ones, and ten times as long.
        assert!(many <= few * 2, "{many:?} a message with ten times the numbers, {few:?} with the fewer");
    }
}
