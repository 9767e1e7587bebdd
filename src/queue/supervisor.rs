//! Keeps one connection for consuming: connects, spreads the lanes over channels, and begins anew when it is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Event;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::attempts::{Attempts, Pace};
use super::broker::words;
use super::desk::Desk;
use super::lane::{Lane, LaneEnd, Record, Session};
use super::link::{Events, Link};
use super::{Arrival, Broker, BrokerState, LaneName, Lost};
use crate::clock;
use crate::metrics::BrokerTrouble;

/// How fast a lost connection is tried again.
pub(super) const PACE: Pace =
    Pace { base: Duration::from_millis(100), cap: Duration::from_secs(3), apart: Duration::from_millis(500) };
/// A connection that lived so long was a good one.
pub(super) const GOOD: Duration = Duration::from_secs(5);
/// How often it is looked whether the connection stands: lapin says nothing when the broker closes one without
/// channels.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// What to consume, with which prefetch; the key none is the queue of returned messages.
pub(super) type Wanted = BTreeMap<Option<LaneName>, u16>;

/// Owns the connection behind a [`Reception`](super::Reception).
#[derive(Debug)]
#[must_use = "nothing arrives unless it runs"]
pub struct Supervisor {
    broker: Broker,
    wanted: watch::Receiver<Wanted>,
    desk: Arc<Desk>,
    records: BTreeMap<Option<LaneName>, Record>,
    attempts: Attempts,
    /// Which of the hosts comes next.
    turn: usize,
    told: Option<BrokerState>,
}

/// The lanes of one connection.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<LaneEnd>,
    wanted: BTreeMap<Option<LaneName>, watch::Sender<Option<u16>>>,
}

/// How a connection ended.
enum Ended {
    /// As it should.
    InOrder,
    /// Why it was lost, or could not be had.
    Lost(String, BrokerTrouble),
}

impl Supervisor {
    pub(super) fn new(broker: Broker, wanted: watch::Receiver<Wanted>, desk: Arc<Desk>) -> Self {
        let attempts = Attempts::new(PACE);
        Self { broker, wanted, desk, records: BTreeMap::new(), attempts, turn: 0, told: None }
    }

    /// Runs until told to stop, or until the reception is dropped; then sends the acks that were given, and closes.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.attempts.begin(Instant::now());
            let broker = self.broker.clone();
            let turn = self.turn;
            let open = Link::open(&broker, turn);
            let ended = match stop.run_until_cancelled(open).await {
                None => return,
                Some(Err(error)) => {
                    self.turn += 1;
                    Ended::Lost(error.to_string(), error.trouble())
                }
                Some(Ok((link, events))) => self.connected(link, events, &stop).await,
            };
            let Ended::Lost(why, trouble) = ended else { return };
            self.desk.metrics.broker().reconnects.inc(trouble);
            let next = self.attempts.failed(Instant::now(), rand::random());
            self.tell_away(why, &stop).await;
            if stop.run_until_cancelled(sleep_until(next)).await.is_none() || self.desk.arriving.is_closed() {
                return;
            }
        }
    }

    async fn connected(&mut self, link: Link, events: Events, stop: &CancellationToken) -> Ended {
        let since = Instant::now();
        tracing::info!("connected to the broker");
        self.tell(BrokerState::Connected, stop).await;
        let before = self.desk.opened();
        let link = Arc::new(link);
        let session = Session {
            link: link.clone(),
            desk: self.desk.clone(),
            names: self.broker.names.clone(),
            step: self.broker.step_timeout,
            turnstile: Arc::new(Semaphore::new(1)),
            gone: CancellationToken::new(),
            closing: CancellationToken::new(),
        };
        let mut lanes = Lanes::default();
        let ended = self.attend(&session, &mut lanes, events, stop).await;
        match &ended {
            Ended::InOrder => session.closing.cancel(),
            Ended::Lost(..) => session.gone.cancel(),
        }
        // Each step of a lane is timed by itself; this is for what nobody thought of.
        let most = self.broker.step_timeout * 3;
        let finish = async {
            while let Some(end) = lanes.tasks.join_next().await {
                self.note(end);
            }
        };
        if timeout(most, finish).await.is_err() {
            lanes.tasks.shutdown().await;
        }
        drop(session);
        if let Some(link) = Arc::into_inner(link) {
            link.close().await;
        }
        let opened = self.desk.opened();
        if opened > before && matches!(ended, Ended::Lost(..)) {
            self.hand_in(Arrival::Lost(Lost { channels: (before + 1, opened) }), stop).await;
        }
        if since.elapsed() >= GOOD {
            self.attempts.succeeded();
        }
        ended
    }

    async fn attend(
        &mut self,
        session: &Session,
        lanes: &mut Lanes,
        mut events: Events,
        stop: &CancellationToken,
    ) -> Ended {
        self.assign(session, lanes);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut why = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ended::InOrder,
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return Ended::InOrder;
                    }
                    self.assign(session, lanes);
                }
                Some(event) = events.next() => match event {
                    Event::ConnectionBlocked(why) => self.tell(BrokerState::Blocked { why }, stop).await,
                    Event::ConnectionUnblocked => self.tell(BrokerState::Connected, stop).await,
                    Event::Error(error) => why = Some(words(&error)),
                    _ => {}
                },
                Some(end) = lanes.tasks.join_next() => {
                    let culprit = self.note(end);
                    why = culprit.or(why);
                }
                _ = look.tick() => {}
            }
            if !session.link.is_open() {
                let why = why.unwrap_or_else(|| "the connection was closed".to_owned());
                return Ended::Lost(why, BrokerTrouble::Lost);
            }
        }
    }

    /// Tells each lane what is wanted of it, and starts those that are new.
    fn assign(&mut self, session: &Session, lanes: &mut Lanes) {
        let wanted = self.wanted.borrow_and_update().clone();
        for (name, lane) in &lanes.wanted {
            let prefetch = wanted.get(name).copied();
            lane.send_if_modified(|now| std::mem::replace(now, prefetch) != prefetch);
        }
        for (name, prefetch) in wanted {
            if lanes.wanted.contains_key(&name) {
                continue;
            }
            let record = *self.records.entry(name.clone()).or_insert_with(Record::new);
            let (lane, wanted) = watch::channel(Some(prefetch));
            lanes.tasks.spawn(Lane { session: session.clone(), name: name.clone(), wanted, record }.run());
            lanes.wanted.insert(name, lane);
        }
    }

    /// Keeps what an ended lane leaves, and gives why it cost the connection, if it did.
    fn note(&mut self, end: Result<LaneEnd, tokio::task::JoinError>) -> Option<String> {
        match end {
            Ok(LaneEnd { name, record, culprit }) => {
                self.records.insert(name, record);
                culprit.map(|error| error.to_string())
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }

    async fn tell_away(&mut self, why: String, stop: &CancellationToken) {
        let since = match &self.told {
            Some(BrokerState::Away { since, .. }) => *since,
            Some(BrokerState::Connected | BrokerState::Blocked { .. }) | None => clock::now().wall,
        };
        if self.told != Some(BrokerState::Away { since, why: why.clone() }) {
            tracing::warn!(%why, "the broker is away: {why}");
        }
        self.tell(BrokerState::Away { since, why }, stop).await;
    }

    async fn tell(&mut self, state: BrokerState, stop: &CancellationToken) {
        if self.told.as_ref() != Some(&state) {
            self.told = Some(state.clone());
            self.hand_in(Arrival::State(state), stop).await;
        }
    }

    /// Waits while the worker has no time, but not beyond its end.
    async fn hand_in(&self, arrival: Arrival, stop: &CancellationToken) {
        let _ = stop.run_until_cancelled(self.desk.arriving.send(arrival)).await;
    }
}
