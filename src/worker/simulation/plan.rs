//! What a run is made of: drawn from its seed, or written by a test that wants something particular.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::job::{OnUnknown, Priority};

use super::making::{Draft, ms, wall};

/// A number: its pool and its limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberPlan {
    pub pool: usize,
    pub per_second: u32,
}

/// Meta refuses what goes by this, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sickness {
    Number(usize),
    Credential(usize),
    Template(usize),
}

/// What a person or the world does to a run at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stroke {
    /// Nothing leaves until it is lifted.
    HoldEverything,
    /// One category of one account waits.
    HoldMarketing(usize),
    /// What people placed is lifted.
    LiftHolds,
    /// A worker is told to stop, and started again.
    StopWorker(usize),
    /// A worker stands still for so long; its clock does not.
    FreezeWorker(usize, Duration),
    /// The fleet says another limit: half of it, or all of it again.
    Halve(usize),
    Restore(usize),
    /// The account has one more number from now on.
    Join(NumberPlan),
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub seed: u64,
    pub workers: usize,
    pub numbers: Vec<NumberPlan>,
    /// When each job is published.
    pub jobs: Vec<(Duration, Draft)>,
    pub strokes: Vec<(Duration, Stroke)>,
    pub sick: Vec<(Duration, Duration, Sickness)>,
    pub outages: Vec<(Duration, Duration)>,
    pub kills: u32,
    /// Kills are so much rarer than in a small run.
    pub kills_apart: u32,
    /// Jobs are published until then as they are taken away, so that no number is ever without.
    pub busy_until: Duration,
    /// Of each call to the ledger.
    pub call_fails: f64,
    pub reply_lost: f64,
    pub ledger_within: Duration,
    /// Of each request.
    pub refused: f64,
    pub silent: f64,
    pub cut: f64,
    pub unconnected: f64,
    pub throttled: f64,
    /// From here on nothing goes wrong any more.
    pub calm_from: Duration,
    /// By then every job must have ended.
    pub ends_by: Duration,
    pub ahead: Duration,
    pub cap: usize,
}

impl Plan {
    /// A run in which nothing goes wrong.
    pub(super) fn calm(seed: u64, workers: usize, numbers: Vec<NumberPlan>, length: Duration) -> Self {
        Self {
            seed,
            workers,
            numbers,
            jobs: Vec::new(),
            strokes: Vec::new(),
            sick: Vec::new(),
            outages: Vec::new(),
            kills: 0,
            kills_apart: 1,
            busy_until: ms(0),
            call_fails: 0.0,
            reply_lost: 0.0,
            ledger_within: ms(15),
            refused: 0.0,
            silent: 0.0,
            cut: 0.0,
            unconnected: 0.0,
            throttled: 0.0,
            calm_from: length,
            ends_by: length,
            ahead: ms(50),
            cap: 5_000,
        }
    }

    /// A run in which everything may go wrong.
    pub(super) fn stormy(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed ^ 0x7469_6465);
        let pools = rng.random_range(1..=3);
        let rates = [1, 5, 20, 40, 80];
        let numbers: Vec<NumberPlan> = (0..rng.random_range(1..=6))
            .map(|n| NumberPlan { pool: n % pools, per_second: rates[rng.random_range(0..rates.len())] })
            .collect();
        let workers = rng.random_range(1..=4);
        let mut plan = Self::calm(seed, workers, numbers, ms(12_000));
        let some = |rng: &mut SmallRng, most: f64| if rng.random_bool(0.5) { rng.random_range(0.0..most) } else { 0.0 };
        plan.kills = rng.random_range(0..8);
        plan.call_fails = some(&mut rng, 0.05);
        plan.reply_lost = some(&mut rng, 0.05);
        plan.ledger_within = ms([2, 10, 25, 80][rng.random_range(0..4)]);
        plan.refused = some(&mut rng, 0.2);
        plan.silent = some(&mut rng, 0.05);
        plan.cut = some(&mut rng, 0.05);
        plan.unconnected = some(&mut rng, 0.05);
        plan.throttled = some(&mut rng, 0.02);
        plan.ahead = ms([50, 100, 160][rng.random_range(0..3)]);
        plan.cap = [8, 50, 400][rng.random_range(0..3)];
        plan.strike(&mut rng);
        plan.publish(&mut rng);
        plan.ends_by = plan.calm_from + ms(30_000) + plan.work_left() + plan.waits_left();
        plan
    }

    fn strike(&mut self, rng: &mut SmallRng) {
        let end = self.calm_from;
        let moment = |rng: &mut SmallRng| rng.random_range(ms(0)..end);
        for _ in 0..rng.random_range(0..6) {
            let from = moment(rng);
            let number = rng.random_range(0..self.numbers.len());
            let worker = rng.random_range(0..self.workers);
            let lasts = rng.random_range(ms(30)..ms(4_000));
            let stroke = match rng.random_range(0..6) {
                0 => Stroke::HoldEverything,
                1 => Stroke::HoldMarketing(number / 3),
                2 => Stroke::StopWorker(worker),
                3 | 4 => Stroke::FreezeWorker(worker, lasts),
                _ => Stroke::Halve(number),
            };
            self.strokes.push((from, stroke));
            let until = (from + lasts).min(end);
            self.strokes.push((until, Stroke::LiftHolds));
            self.strokes.push((until, Stroke::Restore(number)));
        }
        for _ in 0..rng.random_range(0..4) {
            let from = moment(rng);
            let until = (from + rng.random_range(ms(200)..ms(4_000))).min(end);
            match rng.random_range(0..4) {
                0 => self.outages.push((from, until)),
                1 => self.sick.push((from, until, Sickness::Number(rng.random_range(0..self.numbers.len())))),
                2 => self.sick.push((from, until, Sickness::Credential(0))),
                _ => self.sick.push((from, until, Sickness::Template(rng.random_range(0..4)))),
            }
        }
    }

    fn publish(&mut self, rng: &mut SmallRng) {
        let per_second: u32 = self.numbers.iter().map(|number| number.per_second).sum();
        let backlog = u64::from((per_second * 4).clamp(20, 240));
        for _ in 0..backlog {
            let at = if rng.random_bool(0.5) { ms(0) } else { rng.random_range(ms(0)..self.calm_from) };
            let number = rng.random_range(0..self.numbers.len());
            let mut draft = Draft::of(self.numbers[number].pool, Priority::ALL[rng.random_range(0..4)]);
            draft.template = rng.random_range(0..4);
            if rng.random_bool(0.3) {
                draft = draft.to(rng.random_range(0..20));
            }
            draft.on_unknown = OnUnknown::ALL[rng.random_range(0..3)];
            if rng.random_bool(0.2) {
                draft = draft.pinned(number);
            }
            if rng.random_bool(0.1) {
                draft.expires_at = wall(at + rng.random_range(ms(100)..ms(10_000)));
            }
            self.jobs.push((at, draft));
        }
    }

    /// How long the busiest person is to wait for everything, if it came from one number.
    fn waits_left(&self) -> Duration {
        let mut busiest = [0; 20];
        for person in self.jobs.iter().filter_map(|(_, draft)| draft.person) {
            busiest[usize::try_from(person).expect("few")] += 1;
        }
        ms(6_000) * busiest.into_iter().max().unwrap_or(0)
    }

    /// How long the slowest number takes for everything, if it had to do all of it.
    fn work_left(&self) -> Duration {
        let slowest = self.numbers.iter().map(|number| number.per_second).min().unwrap_or(1);
        Duration::from_secs_f64(self.jobs.len() as f64 / f64::from(slowest) * 1.5)
    }
}
