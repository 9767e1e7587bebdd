//! A producer as others write one: publishes to the broker with confirms, binds events, and imports nothing of ours.

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use serde_json::Value;

use crate::world::patient;

/// So many messages wait for their confirms at once.
const WINDOW: usize = 200;

/// A connection with one channel in confirm mode.
pub struct Producer {
    connection: Connection,
    channel: Channel,
    prefix: String,
}

/// What comes of a queue of one's own that is bound to the events.
pub struct Events {
    consumer: Consumer,
}

impl Producer {
    pub async fn connect(url: &str, prefix: &str) -> Self {
        let connection = patient("the broker answers", Connection::connect(url, ConnectionProperties::default()));
        let connection = connection.await.expect("the broker lets us in");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
        Self { connection, channel, prefix: prefix.to_owned() }
    }

    /// Publishes bodies to a lane, `<pool>.<priority>`, and waits until the broker has them all.
    pub async fn publish(&self, lane: &str, bodies: &[Value]) {
        let bodies: Vec<_> = bodies.iter().map(|body| (body.to_string().into_bytes(), properties(body))).collect();
        self.publish_raw(lane, &bodies).await;
    }

    /// The same with properties of one's own.
    pub async fn publish_raw(&self, lane: &str, bodies: &[(Vec<u8>, BasicProperties)]) {
        self.publish_to("jobs", lane, bodies).await;
    }

    /// The same to another exchange of this prefix.
    pub async fn publish_to(&self, exchange: &str, key: &str, bodies: &[(Vec<u8>, BasicProperties)]) {
        let exchange = format!("{}.{exchange}", self.prefix);
        for window in bodies.chunks(WINDOW) {
            let mut confirms = Vec::with_capacity(window.len());
            for (body, properties) in window {
                let options = BasicPublishOptions::default();
                let publish =
                    self.channel.basic_publish(exchange.as_str().into(), key.into(), options, body, properties.clone());
                confirms.push(publish.await.expect("published"));
            }
            for confirm in confirms {
                let confirmed = patient("a confirm", confirm).await.expect("confirmed");
                assert_eq!(confirmed, Confirmation::Ack(None), "the broker takes the job");
            }
        }
    }

    /// How many messages lie ready in a queue.
    pub async fn ready(&self, queue: &str) -> u32 {
        let channel = self.connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await.expect("it is there");
        queue.message_count()
    }

    /// Deletes a queue of somebody's own.
    pub async fn delete(&self, queue: &str) {
        let deleted = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        deleted.await.expect("deleted");
    }

    /// Deletes the lanes of these pools, what was returned, and the exchanges.
    pub async fn clear(&self, pools: &[String]) {
        let channel = self.connection.create_channel().await.expect("a channel");
        let lanes = pools.iter().flat_map(|pool| {
            ["urgent", "high", "normal", "bulk"].map(|priority| format!("{}.jobs.{pool}.{priority}", self.prefix))
        });
        for queue in lanes.chain([format!("{}.returned", self.prefix)]) {
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
        }
        for exchange in ["jobs", "returned", "events"].map(|name| format!("{}.{name}", self.prefix)) {
            let deleted = channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default());
            deleted.await.expect("deleted");
        }
    }

    /// Binds a queue of one's own to the events, before anything happens.
    pub async fn listen(&self, pattern: &str) -> Events {
        self.listen_to("events", pattern).await
    }

    /// The same at another exchange of this prefix.
    pub async fn listen_to(&self, exchange: &str, pattern: &str) -> Events {
        let channel = self.connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        let exchange = format!("{}.{exchange}", self.prefix);
        let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
        let bound = channel.queue_bind(queue.name().clone(), exchange.as_str().into(), pattern.into(), bind, none);
        bound.await.expect("bound");
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(queue.name().clone(), "events".into(), options, none);
        Events { consumer: consumer.await.expect("consumed") }
    }
}

impl Events {
    /// The next event and its routing key.
    pub async fn next(&mut self) -> (String, Value) {
        let delivery = patient("an event", self.consumer.next()).await.expect("the queue stands").expect("delivered");
        delivery.ack(BasicAckOptions::default()).await.expect("acked");
        let body = serde_json::from_slice(&delivery.data).expect("an event is JSON");
        (delivery.routing_key.to_string(), body)
    }
}

/// Persistent JSON, with the job's id as the message's.
pub fn properties(body: &Value) -> BasicProperties {
    let properties =
        BasicProperties::default().with_delivery_mode(2).with_content_type(ShortString::from("application/json"));
    match body.get("id").and_then(Value::as_str) {
        Some(id) => properties.with_message_id(ShortString::from(id)),
        None => properties,
    }
}
