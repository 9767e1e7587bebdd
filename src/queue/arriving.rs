//! From lapin's delivery to [`Arrived`]. Pure.

use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::{Arrived, LaneName, Names, Returned, Ticket, Why};
use crate::clock::Timestamp;

const ENQUEUED_AT: &str = "enqueued_at";
const TRACEPARENT: &str = "traceparent";
const DEATHS: &str = "x-death";

/// What a delivery says. `lane` is none for the queue of returned messages.
pub(super) fn read(delivery: Delivery, channel: u64, lane: Option<&LaneName>, names: &Names) -> Arrived {
    let properties = &delivery.properties;
    let headers = properties.headers().as_ref();
    let returned = lane.is_none().then(|| returned(&delivery, headers, names));
    let owned = |text: &Option<ShortString>| text.as_ref().map(ShortString::to_string);
    let seconds = properties.timestamp().map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    Arrived {
        ticket: Ticket { channel, tag: delivery.delivery_tag },
        lane: lane.cloned(),
        message_id: owned(properties.message_id()),
        app_id: owned(properties.app_id()),
        timestamp: seconds.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1_000))),
        enqueued_at: header(headers, ENQUEUED_AT).and_then(integer).map(Timestamp::from_millis),
        traceparent: header(headers, TRACEPARENT).and_then(text),
        redelivered: delivery.redelivered,
        returned,
        body: delivery.data,
    }
}

/// The alternate exchange keeps the name of the exchange that a message was published to; dead-lettering puts its own
/// in its place and tells the rest in `x-death`, the latest death first.
fn returned(delivery: &Delivery, headers: Option<&FieldTable>, names: &Names) -> Returned {
    let death = match header(headers, DEATHS) {
        Some(AMQPValue::FieldArray(deaths)) if delivery.exchange.as_str() != names.jobs() => deaths.as_slice().first(),
        Some(_) | None => None,
    };
    let Some(AMQPValue::FieldTable(death)) = death else {
        return Returned { why: Why::Unroutable, routing_key: delivery.routing_key.to_string() };
    };
    let key = match header(Some(death), "routing-keys") {
        Some(AMQPValue::FieldArray(keys)) => keys.as_slice().first().and_then(text),
        Some(_) | None => None,
    };
    let expired = header(Some(death), "reason").and_then(text).is_some_and(|reason| reason == "expired");
    Returned {
        why: if expired { Why::Expired } else { Why::PutOut },
        routing_key: key.unwrap_or_else(|| delivery.routing_key.to_string()),
    }
}

fn header<'a>(headers: Option<&'a FieldTable>, name: &str) -> Option<&'a AMQPValue> {
    headers?.inner().get(name)
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Clients choose the width of an integer by its value or their language, and some send it as text.
fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::Timestamp(n) => i64::try_from(*n).ok(),
        AMQPValue::Double(n) if n.is_finite() => Some(*n as i64),
        other => text(other)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;
    use lapin::types::{FieldArray, LongString};

    use super::*;

    fn table(fields: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in fields {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn long(text: &str) -> AMQPValue {
        AMQPValue::LongString(LongString::from(text))
    }

    fn delivery(exchange: &str, key: &str, headers: FieldTable) -> Delivery {
        let mut delivery = Delivery::mock(7, exchange.into(), key.into(), false, b"{}".to_vec());
        delivery.properties = BasicProperties::default().with_headers(headers);
        delivery
    }

    fn returned_by(exchange: &str, headers: FieldTable) -> Returned {
        let arrived = read(delivery(exchange, "vip.bulk", headers), 1, None, &Names::new("t"));
        arrived.returned.expect("it came by that queue")
    }

    fn death(reason: &str) -> FieldTable {
        let keys = AMQPValue::FieldArray(FieldArray::from(vec![long("default.normal")]));
        let death = table(&[("reason", long(reason)), ("routing-keys", keys)]);
        table(&[("x-death", AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(death)])))])
    }

    #[test]
    fn why_a_message_came_back_is_read_from_its_way() {
        let back = |why, key: &str| Returned { why, routing_key: key.to_owned() };
        assert_eq!(returned_by("t.jobs", FieldTable::default()), back(Why::Unroutable, "vip.bulk"));
        assert_eq!(returned_by("t.returned", death("expired")), back(Why::Expired, "default.normal"));
        assert_eq!(returned_by("t.returned", death("maxlen")), back(Why::PutOut, "default.normal"));
        // Published again by somebody, with the headers of its former life.
        assert_eq!(returned_by("t.jobs", death("expired")), back(Why::Unroutable, "vip.bulk"));
        assert_eq!(returned_by("t.returned", table(&[("x-death", long("odd"))])), back(Why::Unroutable, "vip.bulk"));
    }

    #[test]
    fn the_time_of_publishing_is_read_however_a_client_writes_it() {
        let lane = LaneName { pool: "default".parse().expect("a name"), priority: crate::job::Priority::Bulk };
        let values = [
            AMQPValue::LongLongInt(1_700_000_000_123),
            AMQPValue::Timestamp(1_700_000_000_123),
            AMQPValue::Double(1_700_000_000_123.0),
            long("1700000000123"),
        ];
        for value in values {
            let delivery = delivery("t.jobs", "default.bulk", table(&[("enqueued_at", value.clone())]));
            let arrived = read(delivery, 1, Some(&lane), &Names::new("t"));
            assert_eq!(arrived.enqueued_at, Some(Timestamp::from_millis(1_700_000_000_123)), "{value:?}");
            assert_eq!((arrived.returned, arrived.ticket), (None, Ticket { channel: 1, tag: 7 }));
        }
        let odd = table(&[("enqueued_at", long("yesterday")), ("traceparent", AMQPValue::LongInt(3))]);
        let arrived = read(delivery("t.jobs", "default.bulk", odd), 1, Some(&lane), &Names::new("t"));
        assert_eq!((arrived.enqueued_at, arrived.traceparent), (None, None));
    }

    #[test]
    fn the_broker_s_timestamp_counts_seconds_and_may_be_nonsense() {
        let at = |seconds| {
            let mut delivery = delivery("t.jobs", "default.bulk", FieldTable::default());
            delivery.properties = BasicProperties::default().with_timestamp(seconds);
            read(delivery, 1, None, &Names::new("t")).timestamp
        };
        assert_eq!(at(1_700_000_000), Some(Timestamp::from_millis(1_700_000_000_000)));
        assert_eq!(at(u64::MAX), Some(Timestamp::MAX));
    }
}
