//! One lane at the broker: its channel, its consumer, its acks. What goes wrong here stays here, as far as the broker
//! lets it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::attempts::{Attempts, Pace};
use super::desk::{Desk, Marks, MarksSeen};
use super::link::{Link, close_channel, within};
use super::tally::{Order, Settle, Tally};
use super::{Arrival, Arrived, LaneName, Lost, Names, QueueError, arriving};

/// So many acks go out at once without waiting for more.
const FLUSH_AT: usize = 50;
/// So long an ack waits for others: one frame can speak for all of them.
const LINGER: Duration = Duration::from_millis(2);
/// So many deliveries are passed on before acks get their turn.
const TURN: usize = 256;
/// So long the lanes wait for one that begins to consume.
const TURNSTILE: Duration = Duration::from_secs(1);
/// How fast a lane that failed is tried again. A failure may cost every lane its connection.
const PACE: Pace =
    Pace { base: Duration::from_secs(1), cap: Duration::from_secs(60), apart: Duration::from_millis(500) };

/// What a lane remembers over connections: how often it failed, and when it may be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    attempts: Attempts,
    not_before: Option<Instant>,
}

/// What all lanes of one connection share.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) desk: Arc<Desk>,
    pub(super) names: Names,
    pub(super) step: Duration,
    /// One at a time begins to consume: an error that costs the connection is then known to be that lane's.
    pub(super) turnstile: Arc<Semaphore>,
    /// The connection is gone.
    pub(super) gone: CancellationToken,
    /// The connection shall close in order.
    pub(super) closing: CancellationToken,
}

/// One lane on one connection.
pub(super) struct Lane {
    pub(super) session: Session,
    /// None: the queue of returned messages.
    pub(super) name: Option<LaneName>,
    /// Its prefetch; none while it is not served.
    pub(super) wanted: watch::Receiver<Option<u16>>,
    pub(super) record: Record,
}

/// What a lane leaves at its end.
pub(super) struct LaneEnd {
    pub(super) name: Option<LaneName>,
    pub(super) record: Record,
    /// Why it cost the whole connection, if it did.
    pub(super) culprit: Option<QueueError>,
}

/// Why a channel's life is over.
enum Over {
    /// In order.
    Closed,
    /// With its connection.
    Gone,
    /// Alone.
    Failed(QueueError),
    /// It took its connection with it.
    Culprit(QueueError),
}

/// A channel and what came by it.
struct Hand {
    channel: Channel,
    number: u64,
    marks: MarksSeen,
    tally: Tally,
    consumer: Option<Consumer>,
    prefetch: Option<u16>,
    /// Came, and found the way to the worker full.
    held: VecDeque<Arrived>,
    flush_at: Option<Instant>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self { attempts: Attempts::new(PACE), not_before: None }
    }

    fn failed(&mut self) -> Duration {
        let now = Instant::now();
        let next = self.attempts.failed(now, rand::random());
        self.not_before = Some(next);
        next - now
    }

    fn succeeded(&mut self) {
        self.attempts.succeeded();
        self.not_before = None;
    }
}

impl Lane {
    /// Serves the lane, as it is wanted, until the connection ends.
    pub(super) async fn run(mut self) -> LaneEnd {
        loop {
            let over = match self.until_wanted().await {
                Ok(()) => self.serve().await,
                Err(over) => over,
            };
            let queue = self.queue();
            match over {
                Over::Closed | Over::Gone => return LaneEnd { name: self.name, record: self.record, culprit: None },
                Over::Failed(error) => {
                    let wait = self.record.failed();
                    tracing::warn!(%queue, %error, "cannot consume {queue}, next try in {wait:.0?}: {error}");
                }
                Over::Culprit(error) => {
                    let wait = self.record.failed();
                    tracing::warn!(%queue, %error, "consuming {queue} cost the connection, left out for {wait:.0?}: {error}");
                    return LaneEnd { name: self.name, record: self.record, culprit: Some(error) };
                }
            }
        }
    }

    /// Waits until somebody wants the lane served, and it may be tried again.
    async fn until_wanted(&mut self) -> Result<(), Over> {
        let Self { session: Session { gone, closing, .. }, wanted, record, .. } = self;
        let not_before = record.not_before;
        let ready = async {
            // The supervisor keeps the other end for as long as there is a session.
            let _ = wanted.wait_for(Option::is_some).await;
            if let Some(moment) = not_before {
                sleep_until(moment).await;
            }
        };
        tokio::select! {
            biased;
            () = gone.cancelled() => Err(Over::Gone),
            () = closing.cancelled() => Err(Over::Closed),
            () = ready => {
                record.attempts.begin(Instant::now());
                Ok(())
            }
        }
    }

    /// One channel's life.
    async fn serve(&mut self) -> Over {
        let channel = match self.session.link.channel().await {
            Ok(channel) => channel,
            Err(error) => return self.over(error),
        };
        let (number, marks) = self.session.desk.open();
        let (tally, held) = (Tally::new(), VecDeque::new());
        let mut hand = Hand { channel, number, marks, tally, consumer: None, prefetch: None, held, flush_at: None };
        let over = match self.turn(&mut hand).await {
            Ok(never) => match never {},
            Err(over) => over,
        };
        self.session.desk.close(number);
        if !matches!(over, Over::Gone | Over::Culprit(_)) {
            close_channel(&hand.channel).await;
        }
        if matches!(over, Over::Failed(_)) && hand.tally.has_begun() {
            let lost = Arrival::Lost(Lost { channels: (number, number) });
            // Nobody is left to tell where this fails.
            let _ = self.session.desk.arriving.send(lost).await;
        }
        over
    }

    async fn turn(&mut self, hand: &mut Hand) -> Result<std::convert::Infallible, Over> {
        let desk = self.session.desk.clone();
        loop {
            let wanted = *self.wanted.borrow_and_update();
            if wanted != hand.prefetch {
                self.consume(hand, wanted).await?;
            }
            let flush_at = hand.flush_at;
            tokio::select! {
                biased;
                () = self.session.gone.cancelled() => return Err(Over::Gone),
                marks = hand.marks.recv() => {
                    hand.mark(marks);
                    while let Ok(more) = hand.marks.try_recv() {
                        hand.mark(Some(more));
                    }
                    self.flush_if(hand, hand.tally.marked() >= FLUSH_AT).await?;
                }
                () = self.session.closing.cancelled() => {
                    self.consume(hand, None).await?;
                    self.flush_if(hand, true).await?;
                    return Err(Over::Closed);
                }
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    self.flush_if(hand, true).await?;
                }
                // A lane is never unserved because its supervisor went first: `closing` or `gone` come before that.
                Ok(()) = self.wanted.changed() => {}
                permit = desk.arriving.reserve(), if !hand.held.is_empty() => {
                    match (permit, hand.held.pop_front()) {
                        (Ok(permit), Some(arrived)) => permit.send(Arrival::Delivery(arrived)),
                        (Ok(_), None) => {}
                        (Err(_), _) => return Err(Over::Closed),
                    }
                }
                item = next(&mut hand.consumer), if hand.held.is_empty() => self.pass_on(hand, item)?,
            }
        }
    }

    /// Passes on what has come, a turn's worth.
    fn pass_on(&mut self, hand: &mut Hand, first: Option<lapin::Result<Delivery>>) -> Result<(), Over> {
        let mut item = first;
        for turn in 1.. {
            match item {
                Some(Ok(delivery)) => self.hand_out(hand, delivery)?,
                Some(Err(error)) => return Err(self.over(QueueError::of(&error, "consuming"))),
                None => {
                    let ended = QueueError::Unreachable("the broker ended the consumer: its queue is gone".to_owned());
                    return Err(self.over(ended));
                }
            }
            let more = hand.consumer.as_mut().filter(|_| hand.held.is_empty() && turn < TURN);
            match more.and_then(|consumer| consumer.next().now_or_never()) {
                Some(next) => item = next,
                None => break,
            }
        }
        hand.count(&self.session.desk);
        Ok(())
    }

    fn hand_out(&mut self, hand: &mut Hand, delivery: Delivery) -> Result<(), Over> {
        let arrived = self.receive(hand, delivery);
        match self.session.desk.arriving.try_send(Arrival::Delivery(arrived)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(Arrival::Delivery(arrived))) => {
                hand.held.push_back(arrived);
                Ok(())
            }
            Err(_) => Err(Over::Closed),
        }
    }

    fn receive(&self, hand: &mut Hand, delivery: Delivery) -> Arrived {
        hand.tally.delivered(delivery.delivery_tag);
        arriving::read(delivery, hand.number, self.name.as_ref(), &self.session.names)
    }

    /// Leaves off consuming as it was, and consumes as it is wanted. What had come and was not handed out yet is held
    /// where the lane goes on, and given back where it does not.
    async fn consume(&mut self, hand: &mut Hand, wanted: Option<u16>) -> Result<(), Over> {
        let step = self.session.step;
        if let Some(mut consumer) = hand.consumer.take() {
            let cancel = hand.channel.basic_cancel(consumer.tag(), Default::default());
            within(step, "cancelling", cancel).await.map_err(|error| self.over(error))?;
            while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
                let arrived = self.receive(hand, delivery);
                hand.held.push_back(arrived);
            }
        }
        hand.prefetch = wanted;
        let Some(prefetch) = wanted else {
            hand.give_back_held();
            return Ok(());
        };
        // Zero would mean without bounds.
        let qos = hand.channel.basic_qos(prefetch.max(1), BasicQosOptions { global: false });
        within(step, "setting the prefetch", qos).await.map_err(|error| self.over(error))?;
        // Where the connection is gone, the answer says so by itself, and whose doing it was.
        let began = tokio::select! {
            biased;
            consumer = self.begin(&hand.channel) => consumer,
            () = self.session.closing.cancelled() => Err(Over::Closed),
        };
        hand.consumer = Some(began?);
        self.record.succeeded();
        Ok(())
    }

    /// Begins to consume, one lane after the other. One that gets no answer (its queue has no leader, and may never
    /// have one) lets the others pass.
    async fn begin(&self, channel: &Channel) -> Result<Consumer, Over> {
        let turn = self.session.turnstile.acquire().await.map_err(|_| Over::Gone)?;
        let (queue, options) = (self.queue(), BasicConsumeOptions::default());
        let consume = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let consume = within(self.session.step, "consuming", consume);
        tokio::pin!(consume);
        let answer = match timeout(TURNSTILE, &mut consume).await {
            Ok(answer) => answer,
            Err(_) => {
                drop(turn);
                consume.await
            }
        };
        answer.map_err(|error| match error {
            // A closed connection here is an answer to this very request, as far as anybody can tell.
            QueueError::Internal(_) if !self.session.link.is_open() => Over::Culprit(error),
            error => self.over(error),
        })
    }

    /// Tells the broker what is marked, now or a little later.
    async fn flush_if(&self, hand: &mut Hand, now: bool) -> Result<(), Over> {
        if !now {
            if hand.tally.marked() > 0 {
                hand.flush_at.get_or_insert_with(|| Instant::now() + LINGER);
            }
            return Ok(());
        }
        hand.flush_at = None;
        let orders = hand.tally.take();
        let channel = &hand.channel;
        let send = async {
            for run in orders.runs {
                tell(channel, run).await?;
            }
            try_join_all(orders.singles.into_iter().map(|order| tell(channel, order))).await
        };
        within(self.session.step, "acking", send).await.map_err(|error| self.over(error))?;
        hand.count(&self.session.desk);
        Ok(())
    }

    /// An error of a channel costs the lane alone, as long as the connection stands.
    fn over(&self, error: QueueError) -> Over {
        if self.session.link.is_open() { Over::Failed(error) } else { Over::Gone }
    }

    fn queue(&self) -> String {
        self.session.names.source(self.name.as_ref())
    }
}

impl Hand {
    fn mark(&mut self, marks: Option<Marks>) {
        let Some(Marks { tags, settle }) = marks else { return };
        for tag in tags {
            self.tally.mark(tag, settle);
        }
    }

    fn count(&self, desk: &Desk) {
        desk.count(self.number, self.tally.untold());
    }

    fn give_back_held(&mut self) {
        for arrived in std::mem::take(&mut self.held) {
            self.tally.mark(arrived.ticket.tag, Settle::Back);
        }
        if self.tally.marked() > 0 {
            self.flush_at.get_or_insert_with(Instant::now);
        }
    }
}

/// Deliveries, while there is a consumer.
async fn next(consumer: &mut Option<Consumer>) -> Option<lapin::Result<Delivery>> {
    match consumer {
        Some(consumer) => consumer.next().await,
        None => std::future::pending().await,
    }
}

/// Resolves when it is written; whether the broker read it, nobody learns.
async fn tell(channel: &Channel, order: Order) -> lapin::Result<()> {
    let Order { tag, multiple, settle } = order;
    match settle {
        Settle::Ack => channel.basic_ack(tag, BasicAckOptions { multiple }).await,
        Settle::Back => channel.basic_nack(tag, BasicNackOptions { multiple, requeue: true }).await,
    }
}
