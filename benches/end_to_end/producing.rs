//! The producer of a run: publishes to the broker with confirms, as others would.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};

/// So many messages wait for their confirms at once.
const WINDOW: usize = 500;

/// A connection with one channel in confirm mode.
pub struct Producer {
    connection: Connection,
    channel: Channel,
    exchange: String,
}

impl Producer {
    pub async fn connect(url: &str, prefix: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker answers");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
        Self { connection, channel, exchange: format!("{prefix}.jobs") }
    }

    /// Publishes jobs with their ids to one lane, and waits until the broker has them all.
    pub async fn publish(&self, lane: &str, jobs: &[(String, String)]) {
        let mut confirms = Vec::with_capacity(jobs.len());
        for (id, body) in jobs {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let properties = properties.with_message_id(ShortString::from(id.as_str()));
            let (exchange, options) = (self.exchange.as_str().into(), BasicPublishOptions::default());
            let publish = self.channel.basic_publish(exchange, lane.into(), options, body.as_bytes(), properties);
            confirms.push(publish.await.expect("published"));
        }
        for confirm in confirms {
            assert_eq!(confirm.await.expect("confirmed"), Confirmation::Ack(None));
        }
    }

    pub async fn close(self) {
        self.channel.close(200, "done".into()).await.expect("closed");
        self.connection.close(200, "done".into()).await.expect("closed");
    }
}

/// Publishes these jobs, each with its id, to a lane.
pub async fn publish_to(url: &str, prefix: &str, lane: &str, jobs: impl Iterator<Item = (String, String)>) {
    let producer = Producer::connect(url, prefix).await;
    let mut jobs = jobs.peekable();
    while jobs.peek().is_some() {
        let window: Vec<_> = jobs.by_ref().take(WINDOW).collect();
        producer.publish(lane, &window).await;
    }
    producer.close().await;
}

/// Deletes the lanes of these pools, and the exchanges.
pub async fn delete_lanes(url: &str, prefix: &str, pools: &[&str]) {
    let Producer { connection, channel, .. } = Producer::connect(url, prefix).await;
    for pool in pools {
        for priority in ["urgent", "high", "normal", "bulk"] {
            let queue = format!("{prefix}.jobs.{pool}.{priority}");
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
        }
    }
    let returned = format!("{prefix}.returned");
    channel.queue_delete(returned.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
    for exchange in ["jobs", "returned", "events"].map(|name| format!("{prefix}.{name}")) {
        channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await.expect("deleted");
    }
    channel.close(200, "done".into()).await.expect("closed");
    connection.close(200, "done".into()).await.expect("closed");
}
