//! One message to lapin, with its properties.

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};

use super::Names;
use super::publisher::{Exchange, Outgoing, Published};

/// Kept over a restart of the broker.
const PERSISTENT: u8 = 2;

/// A message that fits, and its place in its parcel.
pub(super) struct Letter {
    pub(super) place: usize,
    pub(super) message: Fit,
}

/// A message with all its names in the wire's own types.
pub(super) struct Fit {
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    body: Vec<u8>,
}

/// The messages that fit, and the answers for all: `Unfit`, or `Unconfirmed` until there is a better one.
pub(super) fn letters(messages: Vec<Outgoing>, names: &Names) -> (Vec<Letter>, Vec<Published>) {
    let mut answers = vec![Published::Unconfirmed; messages.len()];
    let mut letters = Vec::with_capacity(messages.len());
    for (place, message) in messages.into_iter().enumerate() {
        match fit(message, names) {
            Some(message) => letters.push(Letter { place, message }),
            None => answers[place] = Published::Unfit,
        }
    }
    (letters, answers)
}

/// Hands it over at the first poll; resolves with its confirm.
pub(super) async fn send(channel: &Channel, message: Fit) -> lapin::Result<Confirmation> {
    let Fit { exchange, routing_key, properties, body } = message;
    // Not `mandatory`: lapin can tie a returned message to the wrong publish. What has no lane goes by the alternate
    // exchange instead.
    let options = BasicPublishOptions::default();
    channel.basic_publish(exchange, routing_key, options, &body, properties).await?.await
}

/// None if a name is too long for the wire.
fn fit(message: Outgoing, names: &Names) -> Option<Fit> {
    let Outgoing { exchange, routing_key, body, message_id, correlation_id, app_id, kind, .. } = message;
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(ShortString::from("application/json"))
        .with_message_id(ShortString::try_new(message_id).ok()?);
    if let Some(id) = correlation_id {
        properties = properties.with_correlation_id(ShortString::try_new(id).ok()?);
    }
    if let Some(app) = app_id {
        properties = properties.with_app_id(ShortString::try_new(app).ok()?);
    }
    if let Some(kind) = kind {
        properties = properties.with_type(ShortString::try_new(kind).ok()?);
    }
    if let Some(time) = message.timestamp {
        properties = properties.with_timestamp(u64::try_from(time.as_millis() / 1_000).unwrap_or(0));
    }
    let mut headers = FieldTable::default();
    if let Some(time) = message.enqueued_at {
        headers.insert("enqueued_at".into(), AMQPValue::LongLongInt(time.as_millis()));
    }
    if let Some(parent) = message.traceparent {
        headers.insert("traceparent".into(), AMQPValue::LongString(LongString::from(parent)));
    }
    if !headers.inner().is_empty() {
        properties = properties.with_headers(headers);
    }
    let exchange = match exchange {
        Exchange::Jobs => names.jobs(),
        Exchange::Events => names.events(),
    };
    let exchange = ShortString::try_new(exchange).ok()?;
    Some(Fit { exchange, routing_key: ShortString::try_new(routing_key).ok()?, properties, body })
}
