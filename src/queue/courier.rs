//! Keeps one connection for publishing, and carries parcels over it.
//!
//! Apart from the one for consuming: a connection that the broker blocks sends nothing at all, acks neither.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Confirmation, Event};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempts::Attempts;
use super::broker::words;
use super::link::{Events, Link, close_channel, within};
use super::publisher::{Parcel, Published};
use super::sending::{Letter, letters, send};
use super::supervisor::{GOOD, LOOK, PACE};
use super::{Broker, BrokerState, QueueError};
use crate::clock;
use crate::metrics::{BrokerTrouble, Connection, Metrics, PublishResult};

/// Parcels are taken while fewer messages than this wait for their confirm.
const WINDOW: usize = 400;

/// Owns the connection behind a [`Publisher`](super::Publisher).
#[derive(Debug)]
#[must_use = "nothing is published unless it runs"]
pub struct Courier {
    broker: Broker,
    parcels: mpsc::Receiver<Parcel>,
    state: watch::Sender<BrokerState>,
    metrics: Arc<Metrics>,
    attempts: Attempts,
    turn: usize,
}

/// A parcel of which not all is answered.
struct Open {
    answers: Vec<Published>,
    left: usize,
    since: Instant,
    answer: oneshot::Sender<Vec<Published>>,
}

/// What one connection carries.
struct Load<'a> {
    channel: &'a Channel,
    broker: &'a Broker,
    metrics: &'a Metrics,
    sending: FuturesUnordered<Sending<'a>>,
    /// In order of their numbers, and so of their age.
    open: BTreeMap<u64, Open>,
    next: u64,
}

/// Ends with the parcel, the place in it, and the answer.
type Sending<'a> = Pin<Box<dyn Future<Output = (u64, usize, lapin::Result<Confirmation>)> + Send + 'a>>;

impl Courier {
    pub(super) fn new(
        broker: Broker,
        parcels: mpsc::Receiver<Parcel>,
        state: watch::Sender<BrokerState>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { broker, parcels, state, metrics, attempts: Attempts::new(PACE), turn: 0 }
    }

    /// Runs until told to stop, or until the last publisher is dropped; parcels under way are seen through.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.attempts.begin(Instant::now());
            let (broker, turn) = (self.broker.clone(), self.turn);
            let Some(opened) = self.meanwhile(&stop, Box::pin(open(&broker, turn))).await else { return };
            let (why, trouble) = match opened {
                Ok((link, channel, events)) => {
                    let since = Instant::now();
                    self.say(BrokerState::Connected);
                    let ended = self.carry(&link, &channel, events, &stop).await;
                    close_channel(&channel).await;
                    drop(channel);
                    link.close().await;
                    if since.elapsed() >= GOOD {
                        self.attempts.succeeded();
                    }
                    match ended {
                        Some(why) => (why, BrokerTrouble::Lost),
                        None => return,
                    }
                }
                Err(error) => {
                    self.turn += 1;
                    (error.to_string(), error.trouble())
                }
            };
            self.metrics.broker().reconnects.inc(trouble);
            self.say_away(why);
            let next = self.attempts.failed(Instant::now(), rand::random());
            if self.meanwhile(&stop, Box::pin(sleep_until(next))).await.is_none() {
                return;
            }
        }
    }

    /// Waits for something while there is no connection, and tells everybody so. None: it is time to end.
    async fn meanwhile<T>(
        &mut self,
        stop: &CancellationToken,
        mut wait: Pin<Box<dyn Future<Output = T> + Send + '_>>,
    ) -> Option<T> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                done = &mut wait => return Some(done),
                parcel = self.parcels.recv() => {
                    let Parcel { messages, answer } = parcel?;
                    let _ = answer.send(vec![Published::Away; messages.len()]);
                }
            }
        }
    }

    /// Carries parcels until the connection is lost, and says why; none if it is time to end.
    async fn carry(
        &mut self,
        link: &Link,
        channel: &Channel,
        mut events: Events,
        stop: &CancellationToken,
    ) -> Option<String> {
        let (broker, metrics) = (self.broker.clone(), self.metrics.clone());
        let mut load = Load::new(channel, &broker, &metrics);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut why = None;
        let mut ending = false;
        loop {
            let late = load.late_at();
            tokio::select! {
                biased;
                () = stop.cancelled(), if !ending => ending = true,
                Some(event) = events.next() => match event {
                    Event::ConnectionBlocked(why) => {
                        load.give_up(PublishResult::Timeout);
                        self.say(BrokerState::Blocked { why });
                    }
                    Event::ConnectionUnblocked => self.say(BrokerState::Connected),
                    Event::Error(error) => why = Some(words(&error)),
                    _ => {}
                },
                Some((parcel, place, answer)) = load.sending.next() => {
                    if let Err(error) = &answer {
                        why.get_or_insert_with(|| words(error));
                    }
                    load.answered(parcel, place, answer);
                }
                parcel = self.parcels.recv(), if !ending && (link.is_blocked() || load.sending.len() < WINDOW) => match parcel {
                    Some(parcel) if link.is_blocked() => refuse(parcel, Published::Blocked),
                    Some(parcel) => load.take(parcel).await,
                    None => ending = true,
                },
                () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => {
                    why = Some(QueueError::late("waiting for confirms", broker.confirm_timeout).to_string());
                    load.give_up(PublishResult::Timeout);
                    return why;
                }
                _ = look.tick() => {}
            }
            if !link.is_open() || !channel.status().connected() {
                return Some(why.unwrap_or_else(|| "the connection was closed".to_owned()));
            }
            if ending && load.open.is_empty() {
                return None;
            }
        }
    }

    fn say_away(&self, why: String) {
        let since = match &*self.state.borrow() {
            BrokerState::Away { since, .. } => *since,
            BrokerState::Connected | BrokerState::Blocked { .. } => clock::now().wall,
        };
        self.say(BrokerState::Away { since, why });
    }

    fn say(&self, state: BrokerState) {
        let told = self.metrics.broker();
        told.connected(Connection::Publishing, !matches!(state, BrokerState::Away { .. }));
        told.blocked(matches!(state, BrokerState::Blocked { .. }));
        let changed = self.state.send_if_modified(|now| {
            *now != state && {
                now.clone_from(&state);
                true
            }
        });
        match state {
            BrokerState::Away { why, .. } if changed => {
                tracing::warn!(%why, "cannot publish, the broker is away: {why}")
            }
            BrokerState::Blocked { why } if changed => {
                tracing::warn!(%why, "cannot publish, the broker takes nothing: {why}")
            }
            BrokerState::Connected if changed => tracing::info!("connected to the broker for publishing"),
            BrokerState::Away { .. } | BrokerState::Blocked { .. } | BrokerState::Connected => {}
        }
    }
}

impl<'a> Load<'a> {
    fn new(channel: &'a Channel, broker: &'a Broker, metrics: &'a Metrics) -> Self {
        Self { channel, broker, metrics, sending: FuturesUnordered::new(), open: BTreeMap::new(), next: 0 }
    }

    /// Hands a parcel to lapin, message by message in order: each is in line once it was polled.
    async fn take(&mut self, parcel: Parcel) {
        let Parcel { messages, answer } = parcel;
        let number = self.next;
        self.next += 1;
        let (letters, answers) = letters(messages, &self.broker.names);
        self.open.insert(number, Open { answers, left: letters.len(), since: Instant::now(), answer });
        if letters.is_empty() {
            self.close(number);
        }
        for Letter { place, message } in letters {
            let channel = self.channel;
            let mut sending: Sending<'a> = Box::pin(async move { (number, place, send(channel, message).await) });
            match poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
                Poll::Ready((number, place, answer)) => self.answered(number, place, answer),
                Poll::Pending => self.sending.push(sending),
            }
        }
    }

    /// Success is exactly an ack with nothing returned.
    fn answered(&mut self, number: u64, place: usize, answer: lapin::Result<Confirmation>) {
        let (published, result) = match answer {
            Ok(Confirmation::Ack(None)) => (Published::Confirmed, PublishResult::Ack),
            Ok(Confirmation::Nack(_)) => (Published::Nacked, PublishResult::Nack),
            Ok(Confirmation::Ack(Some(_))) => (Published::Unconfirmed, PublishResult::Returned),
            Ok(Confirmation::NotRequested) | Err(_) => (Published::Unconfirmed, PublishResult::Lost),
        };
        // It is gone where nobody waited for this any more.
        let Some(open) = self.open.get_mut(&number) else { return };
        let told = self.metrics.broker();
        told.published.inc(result);
        if published == Published::Confirmed {
            told.confirm_duration.observe(open.since.elapsed().as_secs_f64());
        }
        open.answers[place] = published;
        open.left -= 1;
        if open.left == 0 {
            self.close(number);
        }
    }

    fn close(&mut self, number: u64) {
        if let Some(Open { answers, answer, .. }) = self.open.remove(&number) {
            let _ = answer.send(answers);
        }
    }

    /// Answers for all that is under way: perhaps published. What lapin has in line goes out when the broker takes
    /// things again, which is no harm: who asked publishes the same ids again.
    fn give_up(&mut self, result: PublishResult) {
        for (_, Open { answers, answer, left, .. }) in std::mem::take(&mut self.open) {
            self.metrics.broker().published.inc_by(result, left as u64);
            let _ = answer.send(answers);
        }
    }

    /// When the oldest parcel has waited too long.
    fn late_at(&self) -> Option<Instant> {
        self.open.values().next().map(|open| open.since + self.broker.confirm_timeout)
    }
}

/// What the connection leaves under way may be published.
impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.give_up(PublishResult::Lost);
    }
}

fn refuse(Parcel { messages, answer }: Parcel, why: Published) {
    let _ = answer.send(vec![why; messages.len()]);
}

async fn open(broker: &Broker, turn: usize) -> Result<(Link, Channel, Events), QueueError> {
    let (link, events) = Link::open(broker, turn).await?;
    let channel = link.channel().await?;
    let confirm = channel.confirm_select(ConfirmSelectOptions::default());
    within(broker.step_timeout, "asking for confirms", confirm).await?;
    Ok((link, channel, events))
}
