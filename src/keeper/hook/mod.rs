//! The outgoing webhook: hands events to an app's HTTP address, for those who have no broker to listen at.
//!
//! Signed as Standard Webhooks says (<https://www.standardwebhooks.com>). An event is tried until the app takes it;
//! those of one job go one after the other, in order, and never hold up those of another.

mod shelf;
mod signature;

use std::fmt::Write;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ledger::{Ledger, LedgerError, OutboxRow, OutboxStage};
use crate::metrics::{HookResult, Metrics};

pub use signature::Key;

use shelf::Shelf;

/// So many requests at once.
const ABREAST: usize = 16;
/// So many events are looked at: of these, as many jobs' first ones go.
const ROWS: u32 = 1_000;
/// How long an event may lie when nothing says that it is there.
const LOOK: Duration = Duration::from_millis(250);
/// While events wait to be tried again, the outbox is read no more often than this.
const SLOW_LOOK: Duration = Duration::from_secs(2);
/// How long to wait for a ledger that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Where events go, and how they are signed.
pub struct Target {
    /// The client, with its time limits.
    pub client: reqwest::Client,
    /// The address as it is now: it may carry a credential that changes.
    pub url: Box<dyn Fn() -> String + Send + Sync>,
    /// The signing key as it is now.
    pub key: Box<dyn Fn() -> Key + Send + Sync>,
}

/// Carries one ledger's events to one address while it is on duty.
pub struct Hook {
    ledger: Ledger,
    stage: OutboxStage,
    target: Target,
    metrics: std::sync::Arc<Metrics>,
    on_duty: watch::Receiver<bool>,
}

/// How one request ended.
enum Answer {
    Taken,
    Refused(String),
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Hook {
    /// Carries the events of this stage.
    pub fn new(
        ledger: Ledger,
        stage: OutboxStage,
        target: Target,
        metrics: std::sync::Arc<Metrics>,
        on_duty: watch::Receiver<bool>,
    ) -> Self {
        Self { ledger, stage, target, metrics, on_duty }
    }

    /// Runs until told to stop. What is under way then is sent again by the next on duty.
    pub async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.carry_on()).await;
    }

    async fn carry_on(&mut self) {
        let mut signals = self.ledger.signals();
        while self.on_duty.wait_for(|on_duty| *on_duty).await.is_ok() {
            // Who was off duty knows nothing of what others sent meanwhile.
            let mut shelf = Shelf::default();
            while *self.on_duty.borrow() {
                match self.round(&mut shelf).await {
                    Ok(0) => {
                        let until = tokio::time::Instant::now() + if shelf.is_empty() { LOOK } else { SLOW_LOOK };
                        let next = shelf.next_try().map_or(until, |next| next.min(until));
                        tokio::select! {
                            Ok(()) = signals.changed(), if shelf.is_empty() => sleep(Duration::from_millis(20)).await,
                            () = sleep_until(next) => {}
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the outgoing webhook waits for the ledger: {error}");
                        sleep(AWAY).await;
                    }
                }
            }
        }
    }

    /// Sends what may go now, and says how many events the app took or were given up.
    async fn round(&self, shelf: &mut Shelf) -> Result<usize, LedgerError> {
        let rows = self.ledger.outbox_take(self.stage, ROWS).await?;
        let due = shelf.due(rows, tokio::time::Instant::now());
        let mut waiting = due.into_iter();
        let mut under_way: FuturesUnordered<BoxFuture<'_, (OutboxRow, Answer)>> = FuturesUnordered::new();
        let mut done = Vec::new();
        loop {
            while under_way.len() < ABREAST
                && let Some(row) = waiting.next()
            {
                under_way.push(Box::pin(async move {
                    let answer = self.send(&row).await;
                    (row, answer)
                }));
            }
            let Some((row, answer)) = under_way.next().await else { break };
            match answer {
                Answer::Taken => {
                    self.metrics.hook.inc(HookResult::Taken);
                    shelf.taken(row.seq);
                    done.push(row.seq);
                }
                Answer::Refused(why) if shelf.refused(&row, tokio::time::Instant::now()) => {
                    self.metrics.hook.inc(HookResult::GivenUp);
                    tracing::error!(
                        event = row.event,
                        "event {} was refused for three days, it is dropped: {why}",
                        row.event
                    );
                    done.push(row.seq);
                }
                Answer::Refused(why) => {
                    self.metrics.hook.inc(HookResult::Refused);
                    shelf.tell(&why);
                }
            }
        }
        let count = done.len();
        if count > 0 {
            self.ledger.outbox_done(done).await?;
        }
        Ok(count)
    }

    async fn send(&self, row: &OutboxRow) -> Answer {
        let at = clock::now().wall.as_millis() / 1_000;
        let signature = (self.target.key)().sign(&row.event, at, &row.body);
        let request = self.target.client.post((self.target.url)());
        let request = request
            .header("content-type", "application/json")
            .header("webhook-id", &row.event)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .header("tidegate-topic", &row.topic)
            .body(row.body.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Answer::Taken,
            Ok(answer) => Answer::Refused(format!("the app answered {}", answer.status())),
            Err(error) => Answer::Refused(with_causes(&error.without_url())),
        }
    }
}

/// The address may be secret: only what went wrong is said.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}
