//! A listener to events: whatever became of a job must have been told, at least once.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

/// A broker that takes longer to answer is taken for dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// A durable queue that every event goes to.
pub struct Listener {
    url: String,
    queue: String,
}

impl Listener {
    /// Listens to this prefix's events from now on.
    pub async fn start(url: &str, prefix: &str) -> Result<Self> {
        let queue = format!("{prefix}.listener");
        let listen = async {
            let (connection, channel) = open(url).await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.as_str().into(), durable, arguments).await?;
            let exchange = format!("{prefix}.events");
            let options = QueueBindOptions::default();
            let bound =
                channel.queue_bind(queue.as_str().into(), exchange.into(), "#".into(), options, FieldTable::default());
            bound.await?;
            close(connection, channel).await
        };
        timeout(PATIENCE, listen).await.context("the broker does not answer")??;
        Ok(Self { url: url.to_owned(), queue })
    }

    /// Takes what was told until all of these (id, state) were; those that were not.
    pub async fn missing(&self, mut wanted: HashSet<(String, String)>) -> Result<HashSet<(String, String)>> {
        let (connection, channel) =
            timeout(PATIENCE, open(&self.url)).await.context("the broker does not answer")??;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consume =
            channel.basic_consume(self.queue.as_str().into(), "listener".into(), options, FieldTable::default());
        let mut events = timeout(PATIENCE, consume).await.context("the broker does not answer")??;
        while !wanted.is_empty() {
            let Ok(Some(event)) = timeout(PATIENCE, events.next()).await else { break };
            let event: serde_json::Value = serde_json::from_slice(&event?.data)?;
            let told = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            wanted.remove(&(told("id"), told("state")));
        }
        timeout(PATIENCE, close(connection, channel)).await.context("the broker does not let go")??;
        Ok(wanted)
    }
}

async fn open(url: &str) -> Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// The channel first: a connection whose channel was dropped may never close.
async fn close(connection: Connection, channel: Channel) -> Result<()> {
    channel.close(200, "done".into()).await?;
    Ok(connection.close(200, "done".into()).await?)
}
