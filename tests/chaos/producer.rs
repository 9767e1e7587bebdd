//! Producers: foreign programs that hand jobs in and remember what they were promised.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tidegate::sim::Oracle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::seat::{Seat, await_end};

/// So many confirms are awaited together.
const WINDOW: usize = 50;
/// As many jobs stand ready at most, beyond those that Meta has: enough that nobody runs out of work in a fault.
const BACKLOG: u64 = 800;
/// A broker that is asked for more than this is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);

/// The jobs of one cell.
#[derive(Clone, Copy)]
pub struct Jobs {
    /// What their ids begin with.
    pub cell: &'static str,
    /// What becomes of those in doubt: `leave`, `resend`, …
    pub on_unknown: &'static str,
}

/// Every job that was handed in, by its place: whether the producer was promised that it is taken.
pub type Promises = Arc<Mutex<Vec<bool>>>;

impl Jobs {
    pub fn id(self, n: usize) -> String {
        format!("{}-{n}", self.cell)
    }

    /// Which job has this id.
    pub fn place(self, id: &str) -> Option<usize> {
        id.strip_prefix(self.cell)?.strip_prefix('-')?.parse().ok()
    }

    /// A number of the range for fiction, of this job alone.
    pub fn recipient(n: usize) -> String {
        format!("+999{n:09}")
    }

    /// Whose recipient this is.
    pub fn place_of_recipient(recipient: &str) -> Option<usize> {
        recipient.strip_prefix("+999")?.parse().ok()
    }

    fn priority(n: usize) -> &'static str {
        match n % 8 {
            0 => "urgent",
            1 | 2 => "high",
            3..=5 => "normal",
            _ => "bulk",
        }
    }

    fn body(self, n: usize) -> serde_json::Value {
        serde_json::json!({
            "v": 1, "id": self.id(n), "to": Self::recipient(n), "priority": Self::priority(n),
            "on_unknown": self.on_unknown,
            "message": { "type": "text", "text": { "body": format!("message {n} of {}", self.cell) } }
        })
    }
}

/// Publishes until it is stopped, whatever happens to the broker.
pub struct Publisher {
    pub promises: Promises,
    stop: CancellationToken,
    running: JoinSet<Result<()>>,
}

impl Publisher {
    pub fn start(url: &str, prefix: &str, jobs: Jobs, oracle: Oracle, seed: u64) -> Self {
        let (promises, stop) = (Promises::default(), CancellationToken::new());
        let publishing = Publishing {
            url: url.to_owned(),
            exchange: format!("{prefix}.jobs"),
            jobs,
            oracle,
            promises: Arc::clone(&promises),
            again: Vec::new(),
            rng: SmallRng::seed_from_u64(seed),
        };
        let mut running = JoinSet::new();
        running.spawn(publishing.run(stop.clone()));
        Self { promises, stop, running }
    }

    /// Publishes nothing new, and returns once everything that is tried again is promised.
    pub async fn stop(&mut self) -> Result<()> {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next()).await.context("the publisher goes on")?;
        ended.unwrap_or(Ok(Ok(())))?
    }
}

struct Publishing {
    url: String,
    exchange: String,
    jobs: Jobs,
    oracle: Oracle,
    promises: Promises,
    /// Published without a confirm: published again, under the same id.
    again: Vec<usize>,
    rng: SmallRng,
}

impl Publishing {
    async fn run(mut self, stop: CancellationToken) -> Result<()> {
        loop {
            // The connection must outlive its channel.
            if let Ok((_connection, channel)) = self.connect().await {
                while self.publish(&channel, &stop).await {}
            }
            if stop.is_cancelled() && self.again.is_empty() {
                return Ok(());
            }
            let pause = Duration::from_millis(self.rng.random_range(100..300));
            tokio::time::sleep(pause).await;
        }
    }

    async fn connect(&self) -> Result<(Connection, Channel)> {
        let connect = async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            anyhow::Ok((connection, channel))
        };
        tokio::time::timeout(Duration::from_secs(5), connect).await?
    }

    /// Publishes a window of jobs; false if there is nothing more to do on this channel.
    async fn publish(&mut self, channel: &Channel, stop: &CancellationToken) -> bool {
        let rest = self.again.split_off(self.again.len().min(WINDOW));
        let mut window = std::mem::replace(&mut self.again, rest);
        if window.is_empty() {
            if stop.is_cancelled() {
                return false;
            }
            window = self.next_window();
        }
        if window.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return channel.status().connected();
        }
        let mut unconfirmed = Vec::new();
        let mut confirms = Vec::new();
        for n in window {
            let sent = tokio::time::timeout(PATIENCE, self.send(channel, n)).await;
            match sent {
                Ok(Ok(confirm)) => confirms.push((n, confirm)),
                Ok(Err(_)) | Err(_) => unconfirmed.push(n),
            }
        }
        for (n, confirm) in confirms {
            match tokio::time::timeout(PATIENCE, confirm).await {
                Ok(Ok(Confirmation::Ack(None))) => {
                    self.promises.lock().unwrap_or_else(PoisonError::into_inner)[n] = true;
                }
                Ok(_) | Err(_) => unconfirmed.push(n),
            }
        }
        let is_whole = unconfirmed.is_empty();
        // One producer in five dies with its connection: nobody knows whether its jobs were taken.
        unconfirmed.retain(|_| self.rng.random_ratio(4, 5));
        self.again.extend(unconfirmed);
        is_whole
    }

    /// Jobs that nobody has published yet; none while enough stand ready.
    fn next_window(&self) -> Vec<usize> {
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let published = promises.len();
        if published as u64 > self.oracle.accepted() + BACKLOG {
            return Vec::new();
        }
        promises.resize(published + WINDOW, false);
        (published..published + WINDOW).collect()
    }

    async fn send(&self, channel: &Channel, n: usize) -> lapin::Result<lapin::PublisherConfirm> {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(self.jobs.id(n).into());
        let routing_key = format!("default.{}", Jobs::priority(n));
        let body = self.jobs.body(n).to_string();
        let options = BasicPublishOptions::default();
        let (exchange, routing_key) = (self.exchange.as_str().into(), routing_key.into());
        channel.basic_publish(exchange, routing_key, options, body.as_bytes(), properties).await
    }
}

/// Hands jobs in without a broker: a file of them, by the command that is there for it.
pub async fn hand_in(seat: &Seat, jobs: Jobs, count: usize) -> Result<Promises> {
    let mut file = tempfile::NamedTempFile::new()?;
    for n in 0..count {
        writeln!(file, "{}", jobs.body(n))?;
    }
    let path = file.path().to_str().context("a path in UTF-8")?;
    let mut child = seat.command(&["send", "--file", path])?.spawn()?;
    let status = await_end(&mut child, Duration::from_secs(60)).await?;
    ensure!(status.success(), "jobs could not be handed in: {status}");
    Ok(Arc::new(Mutex::new(vec![true; count])))
}
