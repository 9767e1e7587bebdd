//! What the worker tells of itself as things happen: metrics, and the heartbeat of its loop.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Now, Timestamp};
use crate::hold::Scope;
use crate::job::{Job, Priority};
use crate::ledger::{Admitted, Claimed, Connections, Fate, Settled, Settlement};
use crate::metrics::{Answer, Connection, Metrics, NumberMetrics, RowClass, Stage};
use crate::ops::Heartbeat;
use crate::outcome::{NotSentCause, Outcome, State};
use crate::queue::{Arrived, BrokerState};
use crate::telemetry::DroppedLines;

use super::scheduler::Scheduler;

/// Where the worker tells it.
#[derive(Clone, Debug)]
pub struct Telling {
    pub(super) metrics: Arc<Metrics>,
    heartbeat: Arc<Heartbeat>,
    logs: Option<DroppedLines>,
}

impl Telling {
    /// Tells these.
    pub fn new(metrics: Arc<Metrics>, heartbeat: Arc<Heartbeat>, logs: Option<DroppedLines>) -> Self {
        Self { metrics, heartbeat, logs }
    }

    /// Where it is counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    pub(super) fn turned(&self, now: Now) {
        self.heartbeat.beat(now.mono);
    }

    /// Once a second: what changes too often to be told each time.
    pub(super) fn gauges(&self, scheduler: &Scheduler, now: Now) {
        self.metrics.last_seen.set_time(Stage::Loop, now.wall);
        for priority in Priority::ALL {
            self.metrics.in_hand.set(*priority, scheduler.in_hand_of(*priority) as f64);
        }
        self.metrics.in_hand_bytes.set(scheduler.in_hand_bytes as f64);
        for scope in Scope::ALL {
            let standing = scheduler.holds.iter().filter(|hold| hold.cover.scope == *scope).count();
            self.metrics.holds.set(*scope, standing as f64);
        }
        self.lanes(scheduler);
        if let Some(logs) = &self.logs {
            let told = self.metrics.log_lines_dropped.get();
            self.metrics.log_lines_dropped.inc_by(logs.count().saturating_sub(told));
        }
    }

    /// How long jobs in hand could have gone already, by lane; jobs for one number count to its pool's lane.
    fn lanes(&self, scheduler: &Scheduler) {
        let mut oldest = vec![None; scheduler.pools.len() * Priority::ALL.len()];
        for lane in scheduler.lanes.iter().filter(|lane| !lane.is_empty()) {
            let place = &mut oldest[lane.key().pool.slot() * Priority::ALL.len() + lane.key().priority.index()];
            *place = [*place, lane.due_since()].into_iter().flatten().min();
        }
        let names = scheduler.pools.iter().flat_map(|pool| Priority::ALL.iter().map(move |each| (&pool.name, each)));
        for ((pool, priority), oldest) in names.zip(oldest) {
            self.metrics.lane(&format!("{pool}.{priority}")).oldest(oldest);
        }
    }

    pub(super) fn claimed(&self, claimed: &Claimed, took: Duration, now: Timestamp) {
        self.metrics.claim_duration.observe(took.as_secs_f64());
        for row in &claimed.rows {
            let class = match (row.due_at, row.released) {
                (_, Some(_)) => RowClass::Released,
                (Some(_), None) => RowClass::Timed,
                (None, None) => RowClass::Fresh,
            };
            self.metrics.claimed_rows.inc(class);
        }
        if !claimed.rows.is_empty() {
            self.metrics.last_seen.set_time(Stage::Receive, now);
        }
    }

    pub(super) fn delivered(&self, arrived: &Arrived, now: Timestamp) {
        self.metrics.last_seen.set_time(Stage::Receive, now);
        self.metrics.broker().deliveries.inc(arrived.redelivered.into());
    }

    pub(super) fn broker(&self, state: &BrokerState) {
        // Reconnects are counted where they are made; blocked is the connection for publishing.
        self.metrics.broker().connected(Connection::Consuming, !matches!(state, BrokerState::Away { .. }));
    }

    pub(super) fn ledger_connections(&self, connections: Connections) {
        self.metrics.ledger_pool_in_use.set(connections.in_use as f64);
        self.metrics.ledger_pool_waiting.set(connections.waiting as f64);
    }

    pub(super) fn ledger_answered(&self) {
        self.metrics.ledger_up.set(1.0);
    }

    pub(super) fn admitted(&self, took: Duration) {
        self.metrics.admission_duration.observe(took.as_secs_f64());
        self.metrics.ledger_up.set(1.0);
    }

    pub(super) fn not_admitted(&self, answer: &Admitted) {
        match answer {
            Admitted::LeaseLost => self.metrics.fenced_writes.inc(),
            Admitted::InFlight => self.metrics.duplicates.inc(),
            Admitted::IdReused => self.metrics.buried.inc(),
            Admitted::Ended(state) => self.metrics.jobs.inc(*state),
            Admitted::Parked(_) => self.metrics.jobs.inc(State::Waiting),
            Admitted::Go(_) | Admitted::Elsewhere(_) => {}
        }
    }

    pub(super) fn started(&self, number: &NumberMetrics, job: &Job, token_wait: Duration, now: Timestamp) {
        number.in_flight.inc();
        number.token_wait.observe(token_wait.as_secs_f64());
        let since = job.not_before.map_or(job.enqueued_at, |t| t.max(job.enqueued_at));
        self.metrics.job_wait.observe(job.priority, now.since(since));
        self.metrics.jobs.inc(State::Sending);
    }

    pub(super) fn answered(&self, number: &NumberMetrics, outcome: &Outcome, took: Duration) {
        number.in_flight.dec();
        number.attempts.inc(Answer::from(outcome));
        number.duration.observe(took.as_secs_f64());
        match outcome {
            Outcome::Accepted { .. } | Outcome::Refused(_) => {}
            Outcome::NotSent(cause) => self.metrics.not_sent.inc(*cause),
            Outcome::Unknown(cause) => self.metrics.unknown.inc(*cause),
        }
    }

    pub(super) fn unsent(&self, number: &NumberMetrics, cause: NotSentCause) {
        number.attempts.inc(Answer::NotSent);
        self.metrics.not_sent.inc(cause);
    }

    /// What an attempt did to its job; `refused` says what Meta said.
    pub(super) fn concluded(&self, number: &NumberMetrics, settlement: &Settlement, refused: bool) {
        let at = settlement.at;
        match &settlement.fate {
            Fate::Accepted { .. } => {
                self.metrics.jobs.inc(State::Accepted);
                self.metrics.last_seen.set_time(Stage::Accept, at);
            }
            Fate::Retry { reason, code, .. } => {
                self.metrics.jobs.inc(State::Waiting);
                self.metrics.retries.inc(*reason);
                if refused {
                    number.refused.inc(*code, *reason);
                }
            }
            Fate::Park { reason, code } => {
                self.metrics.jobs.inc(State::Waiting);
                if refused {
                    number.refused.inc(*code, *reason);
                }
            }
            Fate::End { state, reason, code, .. } => {
                self.metrics.jobs.inc(*state);
                self.metrics.not_delivered.inc(*reason);
                if refused {
                    number.refused.inc(*code, *reason);
                }
            }
            Fate::Unknown { .. } => self.metrics.jobs.inc(State::Unknown),
        }
    }

    pub(super) fn settled(&self, answers: &[Settled], took: Duration, now: Timestamp) {
        self.metrics.commit_duration.observe(took.as_secs_f64());
        self.metrics.commit_rows.observe(answers.len() as f64);
        self.metrics.last_seen.set_time(Stage::Commit, now);
        self.metrics.ledger_up.set(1.0);
        let stale = answers.iter().filter(|answer| **answer == Settled::Stale).count();
        self.metrics.stale_settlements.inc_by(stale as u64);
    }

    pub(super) fn ledger_failed(&self) {
        self.metrics.ledger_failures.inc();
        self.metrics.ledger_up.set(0.0);
    }
}
