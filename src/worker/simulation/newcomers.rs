//! Numbers that join while workers run: they find their owner, reach their rate, and never pass their limit.

use std::time::Duration;

use crate::job::Priority;

use super::judge;
use super::making::{Draft, ms};
use super::plan::{NumberPlan, Plan, Stroke};
use super::world::{Event, Word, World};

/// Until the last worker has heard of it.
const HEARD: Duration = Duration::from_secs(1);
/// A new owner waits until what another may have sent has left the window.
const WINDOW: Duration = Duration::from_secs(1);

impl World {
    /// One more number: who starts from now on knows it, who runs hears of it a little later.
    pub(super) fn list(&mut self, number: NumberPlan) {
        let place = self.plan.numbers.len();
        self.plan.numbers.push(number);
        self.given_back += judge::window(&self.plan, place);
        for slot in 0..self.slots.len() {
            let Some(life) = self.slots[slot].shell.as_ref().map(|shell| shell.life) else { continue };
            let takes = self.chance.between(ms(0), HEARD);
            self.schedule(self.now + takes, Event::To(slot, life, Word::Joined(place, number)));
        }
    }
}

#[test]
fn a_number_that_joins_late_reaches_its_rate_and_keeps_its_limit_from_the_first_second_on() {
    let (calm, joins, settled, measured) = (ms(500), ms(3_000), ms(5_500), ms(4_000));
    let number = NumberPlan { pool: 0, per_second: 80 };
    for seed in 0..10 {
        let mut plan = Plan::calm(seed, 2, vec![number], calm);
        plan.strokes.push((joins, Stroke::Join(number)));
        plan.ledger_within = ms(8);
        plan.busy_until = settled + measured;
        plan.ends_by = plan.busy_until + ms(30_000);
        let mut world = World::new(plan, false);
        world.run();
        judge::end(&world);
        let arrivals = |number| world.meta.log.iter().filter(move |(_, sent)| sent.number == number).map(|(at, _)| *at);
        let first = arrivals(1).next().expect("it sends");
        assert!(first >= joins + WINDOW, "seed {seed}: the first leaves at {first:?}");
        for number in [0, 1] {
            // More than 80 within any second had ended the run.
            let count = arrivals(number).filter(|at| (settled..settled + measured).contains(at)).count();
            assert!(count as f64 >= 80.0 * measured.as_secs_f64() * 0.985 - 1.0, "seed {seed}: {count} by {number}");
        }
    }
}

#[test]
fn numbers_join_in_storms_and_what_named_them_before_goes_by_them() {
    for seed in 0..60 {
        let mut plan = Plan::stormy(seed);
        let late = plan.numbers.len();
        for (nth, at) in [(0, ms(2_500)), (1, ms(6_000))] {
            plan.strokes.push((at, Stroke::Join(NumberPlan { pool: nth, per_second: 20 })));
            let jobs = (0..20).map(|n| (ms(400) * n, Draft::of(nth, Priority::Normal).pinned(late + nth)));
            plan.jobs.extend(jobs);
        }
        plan.ends_by += ms(60_000);
        let mut world = World::new(plan, false);
        world.run();
        judge::end(&world);
        for nth in 0..2 {
            let sent = world.meta.log.iter().filter(|(_, sent)| sent.number == late + nth).count();
            // What a crash leaves without an outcome may not have left at all.
            assert!(sent > 10, "seed {seed}: {sent} by newcomer {nth}");
        }
    }
}
