//! The exchanges and queues that must be there: declared by `migrate`, looked at by everyone else.

use std::collections::BTreeMap;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::link::{Link, close_channel, within};
use super::{Broker, LaneName, QueueError};
use crate::job::{PoolName, Priority};

/// A delivery limit that nothing reaches. Left out, 4.x sets 20; and -1 dead-letters at the first redelivery on 3.10.
const DELIVERY_LIMIT: i64 = 1_000_000;
const NOT_FOUND: u16 = 404;
const INEQUIVALENT: u16 = 406;

/// What declaring made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// Exchanges and queues that were not there before. A queue that is younger than a second when its broker is
    /// killed may be lost with all that was confirmed (RabbitMQ 3.10): wait 3 s before the first publish.
    pub created: Vec<String>,
}

/// One thing that must be there.
struct Piece {
    name: String,
    made: Made,
}

enum Made {
    Exchange { kind: ExchangeKind, alternate: Option<String> },
    Queue { arguments: FieldTable, exchange: String, key: String },
}

/// Declares everything for these pools, four lanes each. Twice is as once.
pub async fn declare(broker: &Broker, pools: &[PoolName]) -> Result<Declared, QueueError> {
    let (link, _events) = link(broker).await?;
    let result = async {
        let mut declared = Declared::default();
        for piece in pieces(broker, pools) {
            if !is_there(&link, broker, &piece).await? {
                declared.created.push(piece.name.clone());
            }
            make(&link, broker, &piece).await?;
        }
        Ok(declared)
    }
    .await;
    link.close().await;
    result
}

/// Looks whether everything is there, without touching it, and names what is not.
pub async fn check(broker: &Broker, pools: &[PoolName]) -> Result<(), QueueError> {
    let (link, _events) = link(broker).await?;
    let result = async {
        let mut missing = Vec::new();
        for piece in pieces(broker, pools) {
            if !is_there(&link, broker, &piece).await? {
                missing.push(piece.name);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(QueueError::Missing(missing)) }
    }
    .await;
    link.close().await;
    result
}

/// How many messages stand ready in each lane, without those in somebody's hands; lanes that are not there are left out.
pub async fn lane_counts(broker: &Broker, lanes: &[LaneName]) -> Result<BTreeMap<LaneName, u32>, QueueError> {
    let (link, _events) = link(broker).await?;
    let result = async {
        let mut counts = BTreeMap::new();
        for lane in lanes {
            if let Some(count) = look(&link, broker, &broker.names.queue(lane)).await? {
                counts.insert(lane.clone(), count);
            }
        }
        Ok(counts)
    }
    .await;
    link.close().await;
    result
}

/// Each host once.
async fn link(broker: &Broker) -> Result<(Link, super::link::Events), QueueError> {
    let mut last = None;
    for turn in 0..broker.urls().len().max(1) {
        match Link::open(broker, turn).await {
            Ok(opened) => return Ok(opened),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("there is at least one turn"))
}

fn pieces(broker: &Broker, pools: &[PoolName]) -> Vec<Piece> {
    let names = &broker.names;
    let exchange = |name, kind, alternate| Piece { name, made: Made::Exchange { kind, alternate } };
    let queue = |name, arguments, exchange, key| Piece { name, made: Made::Queue { arguments, exchange, key } };
    let mut pieces = vec![
        exchange(names.returned(), ExchangeKind::Fanout, None),
        queue(names.returned(), returned_arguments(), names.returned(), String::new()),
        exchange(names.jobs(), ExchangeKind::Topic, Some(names.returned())),
        exchange(names.events(), ExchangeKind::Topic, None),
    ];
    for pool in pools {
        for priority in Priority::ALL {
            let lane = LaneName { pool: pool.clone(), priority: *priority };
            pieces.push(queue(names.queue(&lane), lane_arguments(names.returned()), names.jobs(), lane.to_string()));
        }
    }
    pieces
}

/// They cannot change once the queue is there: what an operator may want to tune goes by policy.
fn lane_arguments(returned: String) -> FieldTable {
    let mut arguments = returned_arguments();
    arguments.insert("x-dead-letter-exchange".into(), text(&returned));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

/// Without dead-lettering: there is nowhere further.
fn returned_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

/// How many messages stand ready in a queue; none if it is not there.
async fn look(link: &Link, broker: &Broker, queue: &str) -> Result<Option<u32>, QueueError> {
    on_channel(link, broker, queue, async |channel| {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await?.message_count())
    })
    .await
}

async fn is_there(link: &Link, broker: &Broker, piece: &Piece) -> Result<bool, QueueError> {
    let name = &piece.name;
    match &piece.made {
        Made::Queue { .. } => Ok(look(link, broker, name).await?.is_some()),
        Made::Exchange { kind, .. } => {
            let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            let found = on_channel(link, broker, name, async |channel| {
                channel.exchange_declare(name.as_str().into(), kind.clone(), options, FieldTable::default()).await
            });
            Ok(found.await?.is_some())
        }
    }
}

async fn make(link: &Link, broker: &Broker, piece: &Piece) -> Result<(), QueueError> {
    let name = piece.name.as_str();
    let made = on_channel(link, broker, name, async |channel| match &piece.made {
        Made::Exchange { kind, alternate } => {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let mut arguments = FieldTable::default();
            if let Some(alternate) = alternate {
                arguments.insert("alternate-exchange".into(), text(alternate));
            }
            channel.exchange_declare(name.into(), kind.clone(), options, arguments).await
        }
        Made::Queue { arguments, exchange, key } => {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.into(), options, arguments.clone()).await?;
            let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
            channel.queue_bind(name.into(), exchange, key, QueueBindOptions::default(), FieldTable::default()).await
        }
    });
    match made.await? {
        Some(()) => Ok(()),
        None => Err(QueueError::Missing(vec![name.to_owned()])),
    }
}

/// A throwaway channel: the broker answers what it does not like by closing it. None: not found.
async fn on_channel<T>(
    link: &Link,
    broker: &Broker,
    name: &str,
    ask: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
) -> Result<Option<T>, QueueError> {
    let channel = link.channel().await?;
    let step = broker.step_timeout;
    let mut code = None;
    let answer = within(step, name, async {
        let answer = ask(&channel).await;
        if let Err(error) = &answer
            && let lapin::ErrorKind::ProtocolError(error) = error.kind()
        {
            code = Some((error.get_id(), error.get_message().to_string()));
        }
        answer
    })
    .await;
    close_channel(&channel).await;
    match (answer, code) {
        (Ok(answer), _) => Ok(Some(answer)),
        (Err(_), Some((NOT_FOUND, _))) => Ok(None),
        (Err(_), Some((INEQUIVALENT, told))) => Err(QueueError::Differs { name: name.to_owned(), told }),
        (Err(error), _) => Err(error),
    }
}
