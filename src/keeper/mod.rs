//! The keeper: ends what nobody else would end, each task once in the whole fleet.
//!
//! Attempts past their deadline become unknown, unknown jobs follow their policy, waiting jobs run out of time, holds
//! lapse, old jobs are forgotten. It looks at what an index says is over, and sends nothing.

mod applied;
mod applying;
mod duty;
mod hook;
mod inbound;
mod patience;
mod relay;

pub use applying::{Acquaintance, Applier, PoolOf};
pub use hook::{Hook, Key, Target};
pub use relay::Relay;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ledger::{Census, LeaseTimes, Ledger, LedgerError, Swept, UnknownWait};
use crate::metrics::{Metrics, SettledBy};
use crate::outcome::{State, UnknownCause};

use duty::Duties;
pub use duty::Task;

/// How often time is looked at. Nothing that the keeper ends is promised to the second.
const EVERY: Duration = Duration::from_secs(1);
/// So many rows of each kind are ended in one commit.
const ROWS: u32 = 200;
/// How often jobs are counted and old ones forgotten, in passes.
const SELDOM: u64 = 15;
/// Businesses have one portfolio, agencies some: so many are told apart in metrics.
const PORTFOLIOS: usize = 16;

/// What the keeper keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long an unknown outcome waits for news.
    pub unknown: UnknownWait,
    /// How long a job is remembered after its end.
    pub retention: Duration,
    /// How the leases of tasks are kept.
    pub leases: LeaseTimes,
}

/// The keeper's tasks over one ledger.
#[derive(Debug)]
pub struct Keeper {
    config: Config,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    census: watch::Sender<Census>,
    duties: Duties,
}

/// Whether this keeper is on duty, by task.
struct OnDuty {
    sweep: watch::Receiver<bool>,
    trim: watch::Receiver<bool>,
}

impl Keeper {
    /// Keeps this ledger, and tells the census of it.
    pub fn new(config: Config, ledger: Ledger, metrics: Arc<Metrics>, census: watch::Sender<Census>) -> Self {
        let duties = Duties::new(ledger.clone(), config.leases);
        Self { config, ledger, metrics, census, duties }
    }

    /// Whether this keeper is the one that has this task, for parts that do it elsewhere.
    pub fn on_duty(&self, task: Task) -> watch::Receiver<bool> {
        self.duties.on(task)
    }

    /// Runs until told to stop. A ledger that is away is tried again at the next pass.
    pub async fn run(self, stop: CancellationToken) {
        let Self { config, ledger, metrics, census, duties } = self;
        let on_duty = OnDuty { sweep: duties.on(Task::Sweep), trim: duties.on(Task::Trim) };
        let passes = Passes { config, ledger, metrics, census };
        tokio::join!(duties.run(stop.clone()), passes.run(on_duty, stop));
    }
}

/// The tasks that the keeper does itself, and the census, which each process wants for its own page.
struct Passes {
    config: Config,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    census: watch::Sender<Census>,
}

impl Passes {
    async fn run(self, mut on_duty: OnDuty, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pass: u64 = 0;
        let mut away = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
                Ok(()) = on_duty.sweep.changed() => {}
            }
            let work = self.pass(&on_duty, pass.is_multiple_of(SELDOM));
            let Some(result) = stop.run_until_cancelled(work).await else { return };
            if result.is_err() {
                self.metrics.ledger_up.set(0.0);
            }
            match (&result, away) {
                (Err(error), false) => tracing::warn!(%error, "keeper waits for the ledger: {error}"),
                (Ok(()), true) => tracing::info!("keeper goes on: the ledger is back"),
                (Err(_), true) | (Ok(()), false) => {}
            }
            away = result.is_err();
            pass += 1;
        }
    }

    async fn pass(&self, on_duty: &OnDuty, seldom: bool) -> Result<(), LedgerError> {
        while *on_duty.sweep.borrow() {
            let swept = self.ledger.sweep(clock::now().wall, self.config.unknown, ROWS).await?;
            self.metrics.ledger_up.set(1.0);
            self.tell(swept);
            if !is_full(swept) {
                break;
            }
        }
        if seldom {
            let before = clock::now().wall - self.config.retention;
            while *on_duty.trim.borrow() && self.ledger.trim(before, ROWS).await? == ROWS {}
            self.count().await?;
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), LedgerError> {
        let quotas = self.ledger.quotas(clock::now().wall).await?;
        for quota in quotas.iter().take(PORTFOLIOS) {
            self.metrics.portfolio(&quota.portfolio).stand(quota.limit, quota.taken, quota.parked);
        }
        let census = self.ledger.census().await?;
        self.metrics.ledger_up.set(1.0);
        self.metrics.waiting.set_all(&census.waiting);
        self.metrics.dead.set(census.dead as f64);
        self.metrics.outbox_pending.set(census.outbox as f64);
        for lane in &census.lanes {
            self.metrics.lane(&format!("{}.{}", lane.pool, lane.priority)).due(lane.since);
        }
        let unknown = census.states.iter().find(|(state, _)| *state == State::Unknown).map_or(0, |(_, count)| *count);
        self.metrics.unknown_pending.set(unknown as f64);
        self.census.send_replace(census);
        Ok(())
    }

    fn tell(&self, swept: Swept) {
        let Swept { overdue, resent, unresolved, expired, poisoned, lifted, late } = swept;
        for _ in 0..overdue {
            self.metrics.unknown.inc(UnknownCause::WorkerLost);
        }
        self.metrics.unknown_settled.inc_by(SettledBy::Resent, u64::from(resent));
        self.metrics.unknown_settled.inc_by(SettledBy::Left, u64::from(unresolved));
        self.metrics.jobs.inc_by(State::Unknown, u64::from(overdue));
        self.metrics.jobs.inc_by(State::Unresolved, u64::from(unresolved));
        self.metrics.jobs.inc_by(State::Expired, u64::from(expired));
        self.metrics.jobs.inc_by(State::Failed, u64::from(poisoned));
        if overdue + resent + unresolved + expired + poisoned + lifted + late > 0 {
            tracing::info!(
                overdue,
                resent,
                unresolved,
                expired,
                poisoned,
                lifted,
                late,
                "swept: {overdue} overdue, {resent} sent again, {unresolved} unresolved, {expired} expired"
            );
        }
    }
}

fn is_full(swept: Swept) -> bool {
    let Swept { overdue, resent, unresolved, expired, poisoned, lifted: _, late } = swept;
    [overdue, resent, unresolved, expired, poisoned, late].into_iter().any(|count| count >= ROWS)
}
