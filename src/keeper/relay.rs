//! The relay: publishes the events that the ledger's commits wrote, and forgets them once the broker has them.
//!
//! An event is never lost, and sometimes published twice: after a lost confirm, a crash, or a change of who is on duty.

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use crate::clock::Timestamp;
use crate::ledger::{Ledger, LedgerError, OutboxRow, OutboxStage, Signal};
use crate::queue::{Exchange, Outgoing, Published, Publisher};

/// So many events go out and are forgotten together.
const BATCH: u32 = 400;
/// How long an event may lie when nothing says that it is there: commits of other processes, whose signals are late.
const LOOK: Duration = Duration::from_millis(250);
/// At least so long between two looks that found little: signals come with every commit.
const BREATH: Duration = Duration::from_millis(20);
/// How long to wait after a refusal: at least the first, so that nothing spins, doubling up to the second.
const REFUSED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Publishes one ledger's events while it is on duty: one relay in the whole fleet is, by a lease.
#[derive(Debug)]
pub struct Relay {
    ledger: Ledger,
    publisher: Publisher,
    on_duty: watch::Receiver<bool>,
    signals: watch::Receiver<Signal>,
    passes_on: bool,
}

/// What a batch came to.
enum Carried {
    /// So many, all confirmed: fewer than asked for means that no more are there.
    All(usize),
    /// The broker did not confirm them all.
    Refused(Published),
}

/// What the wire wants to know of an event beside its body.
#[derive(Deserialize)]
struct Head {
    at: String,
}

impl Relay {
    /// Publishes this ledger's events by this publisher, while it is on duty; then forgets them, or passes them on to
    /// the outgoing webhook.
    pub fn new(ledger: Ledger, publisher: Publisher, passes_on: bool, on_duty: watch::Receiver<bool>) -> Self {
        let signals = ledger.signals();
        Self { ledger, publisher, on_duty, signals, passes_on }
    }

    /// Runs until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.relay()).await;
    }

    /// Ends with the app that gives the duty.
    async fn relay(&mut self) {
        let mut refusals = Patience::new("events", REFUSED);
        while self.on_duty.wait_for(|on_duty| *on_duty).await.is_ok() {
            let began = Instant::now();
            match self.carry().await {
                Ok(Carried::All(count)) => {
                    refusals.over();
                    if count < BATCH as usize {
                        self.until_news(began).await;
                    }
                }
                Ok(Carried::Refused(answer)) => {
                    // What can't be handed over is tried when it can; that comes with its own pace of trying.
                    let wait = refusals.wait(&format!("{answer:?}"));
                    let open = matches!(answer, Published::Away | Published::Blocked);
                    let (publisher, breath) = (self.publisher.clone(), sleep(REFUSED.0));
                    let opened = async { (breath.await, open && publisher.until_open().await) };
                    tokio::select! {
                        ((), true) = opened => {}
                        () = sleep(wait) => {}
                    }
                }
                Err(error) => sleep(refusals.wait(&error.to_string())).await,
            }
        }
    }

    /// One batch, from the ledger to the broker, and out of the ledger.
    async fn carry(&self) -> Result<Carried, LedgerError> {
        let rows = self.ledger.outbox_take(OutboxStage::Fresh, BATCH).await?;
        if rows.is_empty() {
            return Ok(Carried::All(0));
        }
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let answers = self.publisher.publish(rows.into_iter().map(outgoing).collect()).await;
        let mut refused = None;
        let mut done = Vec::with_capacity(seqs.len());
        for (seq, answer) in seqs.iter().zip(answers) {
            match answer {
                Published::Confirmed => done.push(*seq),
                Published::Unfit => {
                    tracing::error!(seq, "event {seq} has a name too long for AMQP, it is dropped");
                    done.push(*seq);
                }
                Published::Nacked | Published::Blocked | Published::Away | Published::Unconfirmed => {
                    refused.get_or_insert(answer);
                }
            }
        }
        match (done.is_empty(), self.passes_on) {
            (true, _) => {}
            (false, true) => self.ledger.outbox_pass_on(done).await?,
            (false, false) => self.ledger.outbox_done(done).await?,
        }
        Ok(refused.map_or(Carried::All(seqs.len()), Carried::Refused))
    }

    /// Waits until something was committed, or for a while.
    async fn until_news(&mut self, began: Instant) {
        tokio::select! {
            changed = self.signals.changed() => {
                if changed.is_err() {
                    sleep_until(began + LOOK).await;
                }
            }
            () = sleep_until(began + LOOK) => {}
        }
        sleep_until(began + BREATH).await;
    }
}

/// The type is the key's first two words, `message.accepted`.
fn outgoing(row: OutboxRow) -> Outgoing {
    let OutboxRow { seq: _, topic, event, job, body } = row;
    let kind = topic.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let at = serde_json::from_str::<Head>(&body).ok().and_then(|head| head.at.parse::<Timestamp>().ok());
    Outgoing {
        exchange: Exchange::Events,
        routing_key: topic,
        body: body.into_bytes(),
        message_id: event,
        // Empty for what belongs to no job.
        correlation_id: (!job.is_empty()).then_some(job),
        app_id: None,
        kind: Some(kind),
        timestamp: at,
        enqueued_at: None,
        traceparent: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_s_properties_are_read_from_its_row() {
        let row = OutboxRow {
            seq: 1,
            topic: "message.accepted.default.shop".to_owned(),
            event: "key:1:accepted:0".to_owned(),
            job: "order-17".to_owned(),
            body: "{\"v\":1,\"at\":\"2026-11-20T10:00:00.250Z\"}".to_owned(),
        };
        let Outgoing { kind, timestamp, message_id, correlation_id, routing_key, .. } = outgoing(row);
        assert_eq!((kind.as_deref(), message_id.as_str()), (Some("message.accepted"), "key:1:accepted:0"));
        assert_eq!(timestamp.map(|at| at.to_string()).as_deref(), Some("2026-11-20T10:00:00.250Z"));
        assert_eq!(
            (correlation_id.as_deref(), routing_key.as_str()),
            (Some("order-17"), "message.accepted.default.shop")
        );
    }
}
