//! The broker, if there is one: jobs arrive by its lanes and are acked, events go out by its exchange.
//!
//! It promises: what has arrived stays the broker's until it is acked or given back; when the broker may have taken it
//! back (a connection or a channel was lost), that is said before anything is delivered a second time; memory is
//! bounded by the prefetch of the lanes served. It decides nothing about jobs, and knows nothing of the ledger.

mod arriving;
mod attempts;
mod broker;
mod courier;
mod desk;
mod lane;
mod link;
mod names;
mod publisher;
mod reception;
mod sending;
mod supervisor;
mod tally;
pub mod topology;

pub use broker::{Broker, ClientCertificate, QueueError};
pub use courier::Courier;
pub use names::Names;
pub use publisher::{Exchange, Outgoing, Published, Publisher, publisher};
pub use reception::{Reception, reception};
pub use supervisor::Supervisor;

use std::collections::BTreeMap;
use std::fmt;

use crate::clock::Timestamp;
use crate::job::{PoolName, Priority};

/// A lane at the broker: the queue `<prefix>.jobs.<pool>.<priority>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LaneName {
    /// Its pool.
    pub pool: PoolName,
    /// Its priority.
    pub priority: Priority,
}

/// Names a delivery that the broker has until it is acked or given back. Good for one channel's life: later it names
/// nothing, and acking it does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Ticket {
    /// Counts channels, over all connections of this process.
    channel: u64,
    /// The broker's delivery tag.
    tag: u64,
}

/// Why a message came by the queue of returned ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Its own `expiration` was over before anybody took it.
    Expired,
    /// Its routing key has no lane.
    Unroutable,
    /// The broker put it out of its lane (too long a queue, too many deliveries): it is a job like any other.
    PutOut,
}

/// What a returned message tells of its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Returned {
    /// Why it came back.
    pub why: Why,
    /// With which routing key it was published.
    pub routing_key: String,
}

/// A message as it came. It is the broker's until its ticket is acked.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// For its ack.
    pub ticket: Ticket,
    /// Its lane; none for what came by the queue of returned messages.
    pub lane: Option<LaneName>,
    /// The job, as it was published.
    pub body: Vec<u8>,
    /// AMQP `message_id`.
    pub message_id: Option<String>,
    /// AMQP `app_id`.
    pub app_id: Option<String>,
    /// AMQP `timestamp`, which counts seconds.
    pub timestamp: Option<Timestamp>,
    /// Header `enqueued_at`, in milliseconds since 1970.
    pub enqueued_at: Option<Timestamp>,
    /// Header `traceparent`.
    pub traceparent: Option<String>,
    /// Whether it was delivered before, here or elsewhere.
    pub redelivered: bool,
    /// Set if it came by the queue of returned messages.
    pub returned: Option<Returned>,
}

/// Which tickets name nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first channel that was lost, and the last.
    channels: (u64, u64),
}

/// How the broker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// There is no connection; it is tried again and again.
    Away {
        /// Since when.
        since: Timestamp,
        /// What the last try met.
        why: String,
    },
    /// Connected, and taking.
    Connected,
    /// Connected, and taking nothing: the broker is short of memory or disk. It goes on delivering.
    Blocked {
        /// In its words.
        why: String,
    },
}

/// What comes from the broker.
#[derive(Debug)]
pub enum Arrival {
    /// A message.
    Delivery(Arrived),
    /// These deliveries are the broker's again, and will come again; comes after the last of them.
    Lost(Lost),
    /// Comes when it changes.
    State(BrokerState),
}

/// Where deliveries come from, if there is a broker.
#[derive(Debug)]
pub enum Queue {
    /// RabbitMQ.
    Rabbit(Reception),
    /// Jobs are waiting rows of the ledger from the start.
    None,
}

impl Queue {
    /// Consumes these lanes from now on, each with its prefetch, and no others; with them, while there are any, what
    /// was returned. What is in hand of a lane that is left stays good. Cheap where nothing changed.
    pub fn serve(&mut self, lanes: &BTreeMap<LaneName, u16>) {
        match self {
            Self::Rabbit(reception) => reception.serve(lanes, !lanes.is_empty()),
            Self::None => {}
        }
    }

    /// The ledger has them: the broker may forget them. What was lost meanwhile is passed over.
    pub fn ack(&mut self, tickets: Vec<Ticket>) {
        match self {
            Self::Rabbit(reception) => reception.ack(tickets),
            Self::None => {}
        }
    }

    /// Back to their lanes, for whoever serves them.
    pub fn give_back(&mut self, tickets: Vec<Ticket>) {
        match self {
            Self::Rabbit(reception) => reception.give_back(tickets),
            Self::None => {}
        }
    }

    /// Waits for what comes next; for ever without a broker. Dropping it loses nothing.
    pub async fn next(&mut self) -> Arrival {
        match self {
            Self::Rabbit(reception) => match reception.next().await {
                Some(arrival) => arrival,
                None => std::future::pending().await,
            },
            Self::None => std::future::pending().await,
        }
    }

    /// What came already, if anything.
    pub fn try_next(&mut self) -> Option<Arrival> {
        match self {
            Self::Rabbit(reception) => reception.try_next(),
            Self::None => None,
        }
    }

    /// Where a delivery came from, for people: `amqp:tidegate.jobs.default.bulk`.
    pub fn origin(&self, lane: Option<&LaneName>) -> String {
        match self {
            Self::Rabbit(reception) => reception.origin(lane),
            Self::None => "amqp".to_owned(),
        }
    }
}

impl Lost {
    /// Whether this ticket is among them.
    pub fn covers(&self, ticket: Ticket) -> bool {
        let (first, last) = self.channels;
        (first..=last).contains(&ticket.channel)
    }
}

/// The routing key.
impl fmt::Display for LaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pool, self.priority)
    }
}
