//! Fairness, whatever comes when: no lane starves, by a bound that is a formula, and pools cost each other nothing.
//!
//! A lane of weight `w` pays a stride of `400,000 / w` for each job. Let `s` be the stride of a lane that has work, and
//! `b` the stride of bulk, which is what any lane may save up while it cannot go. Between two jobs of the lane each
//! other lane of its pool, with stride `t`, gets at most `⌊(s + b) / t⌋ + 1`, and what comes fresh into an empty lane
//! saved up nothing: then it is `⌊s / t⌋ + 1`. Their sum over the other lanes is the lane's *turn*.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::clock::Timestamp;
use crate::job::Priority;
use crate::ledger::Admission;
use crate::worker::index::{LaneIdx, NumberIdx};
use crate::worker::lane::stride;
use crate::worker::launch::{Core, Start};
use crate::worker::number::{Class, Ready};
use crate::worker::scheduler::{Choice, Pick, Scheduler};

use super::drive::Drive;
use super::making::{Draft, MARGIN, at, ms, number_id, pool_name, spec, tenure};

/// The lane's turn: how many others at most are asked for between two of its own, while its number has room.
fn turn(lane: Priority, others: impl Iterator<Item = Priority>) -> u64 {
    let saved = stride(lane) + stride(Priority::Bulk);
    others.map(|other| saved / stride(other) + 1).sum()
}

/// Jobs of some lanes come at once, and some time passes.
#[derive(Clone, Debug)]
struct Step {
    priority: usize,
    is_pinned: bool,
    jobs: usize,
    passes: Duration,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let jobs = prop_oneof![4 => 0_usize..3, 2 => 3_usize..40, 1 => 200_usize..600];
    let passes = prop_oneof![6 => 0_u64..30, 2 => 30_u64..400, 1 => 400_u64..3_000];
    let step = (0_usize..4, prop::bool::weighted(0.3), jobs, passes)
        .prop_map(|(priority, is_pinned, jobs, passes)| Step { priority, is_pinned, jobs, passes: ms(passes) });
    prop::collection::vec(step, 1..60)
}

/// A core with one number, its ledger, and how long each lane has been waiting for its turn.
struct Bench {
    core: Core,
    number: NumberIdx,
    time: Duration,
    seq: u64,
    asked: Vec<(Duration, Choice)>,
    /// Jobs of other lanes asked for since the lane's last, while it had work and room.
    passed_over: HashMap<LaneIdx, u64>,
    longest: HashMap<Priority, u64>,
}

impl Bench {
    fn new(per_second: u32) -> Self {
        let mut core = Core::new(Scheduler::new(ms(50)));
        let pool = core.scheduler.pool(&pool_name(0));
        let number = core.scheduler.add_number(spec(0, pool, per_second), MARGIN, at(ms(0)));
        core.set_tenure(number, Some(tenure(1, ms(100_000_000))), at(ms(0)).mono);
        Self {
            core,
            number,
            time: ms(0),
            seq: 0,
            asked: Vec::new(),
            passed_over: HashMap::new(),
            longest: HashMap::new(),
        }
    }

    fn push(&mut self, step: &Step) {
        let draft = Draft::of(0, Priority::ALL[step.priority]);
        let draft = if step.is_pinned { draft.pinned(0) } else { draft };
        for _ in 0..step.jobs {
            self.seq += 1;
            self.core.scheduler.push(draft.delivery(self.seq, None)).expect("the lane is served");
        }
    }

    /// Lanes with work for which the number has room now.
    fn eligible(&self) -> Vec<(LaneIdx, Priority)> {
        let scheduler = &self.core.scheduler;
        let number = scheduler.number(self.number);
        let lanes =
            scheduler.lanes.iter().enumerate().filter(|(_, lane)| {
                !lane.is_empty() && number.listed[Class::of(lane.key().priority) as usize].is_some()
            });
        lanes.map(|(slot, lane)| (LaneIdx(u32::try_from(slot).expect("few")), lane.key().priority)).collect()
    }

    /// All that can go at this moment goes; every job that is asked for is counted against those it was preferred to.
    fn turn(&mut self) {
        let now = at(self.time);
        for (_, choice) in std::mem::take(&mut self.asked) {
            let admission = Admission::for_test(choice.delivery.job().key, number_id(0), 1, 0, Timestamp::MAX);
            let (delivery, start_by) = (choice.delivery, now.mono + ms(1_000_000));
            let ready = Ready { admission, delivery, probe: None, start_by, admitted_at: now.mono };
            self.core.admitted(choice.number, ready, now.mono);
        }
        while let Start::Go(launch) = self.core.start(now) {
            self.core.finished(launch.number, None, Some(false), now.mono);
        }
        loop {
            let before = self.eligible();
            let Pick::Admit(choice) = self.core.scheduler.pick(now) else { break };
            let route = choice.delivery.route();
            let picked = self.core.scheduler.lane_of(route, choice.delivery.job().priority).expect("known");
            for (lane, priority) in before {
                let passed_over = self.passed_over.entry(lane).or_default();
                *passed_over = if lane == picked { 0 } else { *passed_over + 1 };
                let longest = self.longest.entry(priority).or_default();
                *longest = (*longest).max(*passed_over);
            }
            if self.core.scheduler.lanes[picked.slot()].is_empty() {
                self.passed_over.remove(&picked);
            }
            self.asked.push((self.time, choice));
        }
    }
}

proptest! {
    #[test]
    fn between_two_jobs_of_a_lane_others_get_no_more_than_its_turn(
        per_second in prop_oneof![Just(5_u32), Just(80), Just(1_000)],
        steps in steps(),
    ) {
        let mut bench = Bench::new(per_second);
        for step in &steps {
            bench.push(step);
            let until = bench.time + step.passes;
            while bench.time < until {
                bench.turn();
                bench.time += ms(3);
            }
            bench.turn();
        }
        // The pool's own four lanes, and the four of its number.
        let lanes = || Priority::ALL.iter().chain(Priority::ALL).copied();
        for (priority, longest) in &bench.longest {
            let mut others: Vec<Priority> = lanes().collect();
            others.remove(priority.index());
            let most = turn(*priority, others.into_iter());
            prop_assert!(*longest <= most, "{priority}: {longest} others, at most {most} are its turn");
        }
    }

    /// What is admitted waits for its permit too, and is overtaken there by what is admitted later. The pad has room
    /// for `W` jobs, and the lowest are gathered there first: so a job leaves before `W + 1` turns of its lane are over.
    #[test]
    fn a_job_that_is_first_in_its_lane_leaves_within_as_many_turns_as_the_pad_has_places(
        per_second in prop_oneof![Just(20_u32), Just(80)],
        commit in prop_oneof![Just(1_u64), Just(20)],
        bursts in prop::collection::vec((0_usize..4, 0_u64..20_000, 1_usize..300), 4..24),
    ) {
        let mut drive = Drive::new(&[(0, per_second)], ms(50));
        drive.commit = ms(commit);
        let mut pushed: HashMap<Priority, Vec<Duration>> = HashMap::new();
        let mut all = 0;
        let mut bursts = bursts;
        bursts.sort_by_key(|(_, when, _)| *when);
        for (priority, when, jobs) in &bursts {
            let priority = Priority::ALL[*priority];
            drive.push_at(ms(*when), Draft::of(0, priority), *jobs);
            pushed.entry(priority).or_default().extend(std::iter::repeat_n(ms(*when), *jobs));
            all += jobs;
        }
        drive.run(ms(25_000 + all as u64 * 1_200 / u64::from(per_second)));
        prop_assert_eq!(drive.log.len(), all, "all of it left");
        let places = 4.max(u64::from(per_second) / 20);
        for (priority, came) in pushed {
            let others = Priority::ALL.iter().copied().filter(|other| *other != priority);
            let most = (places + 1) * turn(priority, others);
            // When the lane's jobs left, by their place in the whole log: those of one lane keep their order.
            let left = drive.log.iter().enumerate().filter(|(_, sent)| sent.priority == priority);
            let mut last = 0;
            for ((place, _), came) in left.zip(came) {
                let before = drive.log.partition_point(|sent| sent.at < came);
                let waited = (place - before.max(last)) as u64;
                prop_assert!(waited <= most, "{priority} waited for {waited} others, at most {most}");
                last = place + 1;
            }
        }
    }
}

#[test]
fn pools_that_are_saturated_move_no_send_of_another_pool_by_a_nanosecond() {
    let run = |busy: bool| {
        let mut drive = Drive::new(&[(0, 80), (0, 20), (1, 80), (1, 80), (2, 1_000)], ms(50));
        if busy {
            for (n, priority) in Priority::ALL.iter().enumerate() {
                drive.push_randomly(&Draft::of(1, *priority), 100 + n as u32, ms(0), ms(20_000));
                drive.push_at(ms(700), Draft::of(2, *priority), 6_000);
            }
            drive.push_at(ms(300), Draft::of(1, Priority::Urgent).pinned(2), 2_000);
        }
        drive.next_seq = 1_000_000;
        // Once with room to spare, and once with a backlog: every permit of the other pool is taken at its time.
        drive.push_randomly(&Draft::of(0, Priority::Normal), 50, ms(1_100), ms(10_000));
        drive.push_at(ms(10_000), Draft::of(0, Priority::Bulk), 900);
        drive.run(ms(20_000));
        let ours = drive.log.iter().filter(|sent| sent.number < 2).map(|sent| (sent.at, sent.number));
        ours.collect::<Vec<_>>()
    };
    let (alone, beside) = (run(false), run(true));
    assert!(alone.len() > 1_200);
    assert_eq!(alone, beside);
}
