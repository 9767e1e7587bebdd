//! The worker's loop: one thread that owns its numbers, its connections and its state, and never waits for a disk.
//!
//! Each turn carries out what the core decides: settle what has come back, let leave what has its permit, ask for
//! what comes next, claim where there is room. Everything else happens between turns, as events.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::ready;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Mono, Now};
use crate::graph::{ApiBase, Client};
use crate::job::PoolName;
use crate::ledger::{LeaseTimes, Ledger, Signal, WorkerId};
use crate::queue::{Queue, Ticket};

use super::Drained;
use super::attempt::Policy;
use super::event::{Event, PutBack, Settling};
use super::fitting::Templates;
use super::fleet_change::FleetChange;
use super::intake::{Caps, Intake};
use super::joining::{Joining, Way};
use super::launch::Core;
use super::pairs::PairRule;
use super::picture::Easel;
use super::reception::{Aside, Router};
use super::recovering::Open;
use super::recovery::Recovery;
use super::renewing::Rounds;
use super::scheduler::Scheduler;
use super::telling::Telling;

/// So many events are taken in before the loop turns to what they made possible.
const EVENTS_A_TURN: usize = 128;
/// How long the ledger is left alone after it failed.
pub(super) const LEDGER_PAUSE: Duration = Duration::from_millis(250);

/// What a worker is set up with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Deadlines, backoff and budgets.
    pub policy: Policy,
    /// How leases are kept.
    pub leases: LeaseTimes,
    /// A job is admitted when its permit is due within this.
    pub admit_ahead: Duration,
    /// Room for the network's jitter in a number's window.
    pub pacing_margin: Duration,
    /// How often a number writes to one person.
    pub pair_rule: PairRule,
    /// How much is in hand at most.
    pub caps: Caps,
    /// A permit that has not met its connection by then is lost.
    pub write_timeout: Duration,
    /// How many connections there are at most.
    pub connections: usize,
    /// How long a stop may take.
    pub drain: Duration,
}

/// The rooms that a worker works with.
#[derive(Debug)]
pub struct Parts {
    /// Keeps the record.
    pub ledger: Ledger,
    /// Delivers jobs, if there is a broker.
    pub queue: Queue,
    /// Has open connections to Meta.
    pub client: Client,
    /// Meta's address.
    pub api: ApiBase,
    /// Where the worker tells what happens.
    pub telling: Telling,
    /// Where the worker's picture hangs.
    pub easel: Easel,
}

/// A worker: its state, and what it has asked others and not heard back.
pub struct Worker {
    pub(super) id: WorkerId,
    pub(super) settings: Settings,
    pub(super) core: Core,
    pub(super) intake: Intake,
    pub(super) ledger: Ledger,
    pub(super) client: Client,
    pub(super) api: ApiBase,
    pub(super) ways: Vec<Way>,
    pub(super) rng: SmallRng,
    pub(super) asked: FuturesUnordered<LocalBoxFuture<'static, Event>>,
    /// How many of the latest requests were begun.
    pub(super) begun: Rc<Cell<usize>>,
    /// What came back while requests were written.
    pub(super) early: VecDeque<Event>,
    /// Answers in hand, to be committed: first in, first out.
    pub(super) settlements: VecDeque<Settling>,
    /// Rows to put back; as many as were in hand at most.
    pub(super) put_backs: Vec<PutBack>,
    /// Where deliveries come from beside the ledger, if anywhere.
    pub(super) queue: Queue,
    /// Turns a job's `from` into its place in line.
    pub(super) router: Router,
    /// What is known of templates.
    pub(super) templates: Templates,
    /// Deliveries that go no further here; as many as were delivered at most.
    pub(super) asides: Vec<(Aside, Ticket)>,
    /// To ack, and to give back, with the next turn.
    pub(super) acks: Vec<Ticket>,
    pub(super) refused: Vec<Ticket>,
    pub(super) serve_at: Mono,
    /// At most so many jobs of one lane are asked of the broker.
    pub(super) lane_share: u16,
    pub(super) ledger_away_until: Option<Mono>,
    /// What is open with the ledger since it was away.
    pub(super) recovery: Recovery,
    pub(super) open: Open,
    pub(super) rounds: Rounds,
    pub(super) heard: Signal,
    pub(super) claiming: bool,
    pub(super) settling: usize,
    pub(super) reading_holds: bool,
    pub(super) read_holds_again: bool,
    pub(super) renew_at: Option<Mono>,
    pub(super) stopping: bool,
    pub(super) starved: bool,
    pub(super) admission_time: Duration,
    pub(super) answer_time: Duration,
    pub(super) telling: Telling,
    pub(super) easel: Easel,
}

impl Worker {
    /// A worker that serves these numbers, and has not begun.
    pub fn new(parts: Parts, settings: Settings, joining: Joining, now: Now) -> Self {
        let mut scheduler = Scheduler::new(settings.admit_ahead);
        scheduler.set_pair_rule(settings.pair_rule);
        scheduler.pool(&PoolName::default_pool());
        let id = WorkerId(uuid::Uuid::now_v7());
        let mut worker = Self {
            id,
            settings,
            core: Core::new(scheduler),
            intake: Intake::new(settings.caps),
            ledger: parts.ledger,
            client: parts.client,
            api: parts.api,
            ways: Vec::with_capacity(joining.recruits.len()),
            rng: SmallRng::from_os_rng(),
            asked: FuturesUnordered::new(),
            begun: Rc::default(),
            early: VecDeque::new(),
            settlements: VecDeque::new(),
            put_backs: Vec::new(),
            queue: parts.queue,
            router: joining.router.clone(),
            templates: Templates::default(),
            asides: Vec::new(),
            acks: Vec::new(),
            refused: Vec::new(),
            serve_at: Mono::from_nanos(0),
            lane_share: 1,
            ledger_away_until: None,
            recovery: Recovery::default(),
            open: Open::default(),
            rounds: Rounds::new(id, settings.leases.ttl),
            heard: Signal::default(),
            claiming: false,
            settling: 0,
            reading_holds: false,
            read_holds_again: false,
            renew_at: None,
            stopping: false,
            starved: false,
            admission_time: Duration::ZERO,
            answer_time: Duration::ZERO,
            telling: parts.telling,
            easel: parts.easel,
        };
        worker.join(joining, now);
        worker
    }

    /// Runs until it is told to stop, and then until what is in flight has come back or the time for that is over.
    pub async fn run(mut self, stop: CancellationToken, mut changes: mpsc::Receiver<FleetChange>) -> Drained {
        let mut signals = self.ledger.signals();
        self.heard = *signals.borrow_and_update();
        tracing::info!(worker.id = %self.id.0, "worker {} begins", self.id.0);
        self.read_holds();
        self.begin_round(clock::now());
        while !stop.is_cancelled() {
            // Looked at every turn: under load there is always an event, and the wait below takes that first.
            if signals.has_changed().unwrap_or(false) {
                let signal = *signals.borrow_and_update();
                self.heed(signal);
            }
            while let Ok(change) = changes.try_recv() {
                self.apply(change, clock::now());
            }
            let now = clock::now();
            self.turn(now);
            self.telling.turned(now);
            self.draw(now);
            let wake = self.next_wake(now);
            tokio::select! {
                biased;
                Some(event) = ready(self.early.pop_front()) => self.take_events(event),
                Some(event) = self.asked.next(), if !self.asked.is_empty() => self.take_events(event),
                arrival = self.queue.next() => self.receive(arrival),
                () = self.client.wait_ready(), if self.starved => self.starved = false,
                Ok(()) = signals.changed() => signals.mark_changed(),
                Some(change) = changes.recv() => self.apply(change, clock::now()),
                () = sleep_until(wake) => {}
                () = stop.cancelled() => {}
            }
        }
        self.drain().await
    }

    fn turn(&mut self, now: Now) {
        let is_back = self.ledger_away_until.is_some_and(|until| until <= now.mono);
        if is_back {
            self.ledger_away_until = None;
            self.recovery.begin();
        }
        // Answers in hand first: what they place must stand before anything else is admitted.
        self.flush_settlements();
        if is_back {
            self.read_holds();
        }
        self.recover(now);
        if self.may_renew() && self.renew_at.is_some_and(|at| at <= now.mono) {
            self.begin_round(now);
        }
        if self.may_launch() {
            self.launch();
        }
        if self.may_take_more() {
            // Without a connection nothing can leave: what is admitted then would only be in doubt after a crash.
            if !self.starved {
                self.choose(now);
            }
            self.claim(now);
        }
        self.flush_put_backs(now);
        self.flush_asides(now);
        self.serve_lanes_in_time(now.mono);
        self.flush_tickets();
    }

    /// What was admitted before the ledger went away waits too, until it has answered again.
    fn may_launch(&self) -> bool {
        self.recovery.is_over() && self.ledger_away_until.is_none()
    }

    fn may_take_more(&self) -> bool {
        !self.stopping && self.may_launch()
    }

    /// The first event, and those that are there already: they make one batch.
    pub(super) fn take_events(&mut self, first: Event) {
        self.take(first);
        for _ in 1..EVENTS_A_TURN {
            if let Some(event) = self.early.pop_front() {
                self.take(event);
                continue;
            }
            match self.asked.next().now_or_never() {
                Some(Some(event)) => self.take(event),
                Some(None) | None => break,
            }
        }
    }

    fn heed(&mut self, signal: Signal) {
        if signal.work != self.heard.work {
            self.intake.look_again();
        }
        if signal.holds != self.heard.holds {
            self.read_holds();
        }
        if signal.leases != self.heard.leases {
            self.begin_round(clock::now());
        }
        self.heard = signal;
    }

    fn next_wake(&self, now: Now) -> Mono {
        let mut wake = now.mono + Duration::from_secs(1);
        let mut consider = |at: Option<Mono>| wake = at.map_or(wake, |at| wake.min(at));
        consider(self.renew_at.filter(|_| self.may_renew()));
        consider(self.ledger_away_until);
        // What cannot be done now must not be waited for: that would be a spin.
        if !self.starved && self.may_launch() {
            consider(self.core.next_start());
        }
        if self.may_take_more() {
            consider(self.core.scheduler.next_wake().filter(|_| !self.starved));
            let due = self.intake.next_due().filter(|_| !self.claiming);
            consider(Some(now.mono).filter(|_| self.intake.goes_on() && !self.claiming));
            consider(due.map(|due| now.mono + due.since(now.wall)));
        }
        wake
    }
}

/// tokio's timers are exact to a millisecond, which a number's catch-up covers.
async fn sleep_until(at: Mono) {
    let left = at.since(clock::now().mono);
    if left.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(left).await;
    }
}
