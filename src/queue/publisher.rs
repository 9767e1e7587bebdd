//! Publishing with confirms: what to publish, and what became of it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::courier::Courier;
use super::{Broker, BrokerState};
use crate::clock::{self, Timestamp};
use crate::metrics::Metrics;

/// Messages that are handed over together; a confirm costs a scan of all that wait for theirs.
const PARCEL: usize = 200;
/// Parcels on their way to the courier. A full channel makes publishers wait for each other.
const PARCELS: usize = 16;

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exchange {
    /// The lanes: `<prefix>.jobs`.
    Jobs,
    /// Whoever listens: `<prefix>.events`.
    Events,
}

/// A message to publish. It is persistent, and JSON.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it goes.
    pub exchange: Exchange,
    /// By which key; at most 255 bytes, as all names here.
    pub routing_key: String,
    /// The content.
    pub body: Vec<u8>,
    /// AMQP `message_id`.
    pub message_id: String,
    /// AMQP `correlation_id`.
    pub correlation_id: Option<String>,
    /// AMQP `app_id`.
    pub app_id: Option<String>,
    /// AMQP `type`.
    pub kind: Option<String>,
    /// AMQP `timestamp`, which counts seconds.
    pub timestamp: Option<Timestamp>,
    /// Header `enqueued_at`, in milliseconds.
    pub enqueued_at: Option<Timestamp>,
    /// Header `traceparent`.
    pub traceparent: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Published {
    /// The broker has it on disk.
    Confirmed,
    /// The broker has no room for it: it is not published. Try again, more slowly.
    Nacked,
    /// Not handed over: the broker takes nothing now.
    Blocked,
    /// Not handed over: there is no connection.
    Away,
    /// Handed over, and never confirmed: it may be published.
    Unconfirmed,
    /// It can't be published at all: a name is too long.
    Unfit,
}

/// Publishes on a connection of its own. Its clones share it.
#[derive(Clone, Debug)]
pub struct Publisher {
    parcels: mpsc::Sender<Parcel>,
    state: watch::Receiver<BrokerState>,
}

/// Messages of one call, with the way back.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) messages: Vec<Outgoing>,
    pub(super) answer: oneshot::Sender<Vec<Published>>,
}

/// A publisher to this broker, and what runs behind it: spawn the courier, or nothing is ever published.
pub fn publisher(broker: Broker, metrics: Arc<Metrics>) -> (Publisher, Courier) {
    let (parcels, parcels_seen) = mpsc::channel(PARCELS);
    let starting = BrokerState::Away { since: clock::now().wall, why: "not connected yet".to_owned() };
    let (state, state_seen) = watch::channel(starting);
    (Publisher { parcels, state: state_seen }, Courier::new(broker, parcels_seen, state, metrics))
}

impl Publisher {
    /// Publishes these in order, pipelined, and says what became of each. Without a connection, or while the broker
    /// takes nothing, it says so at once. Dropping it loses the answers alone.
    pub async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Published> {
        let mut answers = Vec::with_capacity(batch.len());
        let mut waiting = Vec::with_capacity(batch.len() / PARCEL + 1);
        let mut rest = batch.into_iter();
        loop {
            let messages: Vec<Outgoing> = rest.by_ref().take(PARCEL).collect();
            if messages.is_empty() {
                break;
            }
            let (answer, answered) = oneshot::channel();
            waiting.push((messages.len(), answered));
            // Told by the answer that never comes.
            let _ = self.parcels.send(Parcel { messages, answer }).await;
        }
        for (count, answered) in waiting {
            answers.extend(answered.await.unwrap_or_else(|_| vec![Published::Away; count]));
        }
        answers
    }

    /// How the broker stands, for this connection.
    pub fn state(&self) -> BrokerState {
        self.state.borrow().clone()
    }

    /// Waits until there is a connection; false if there will be none, since the courier ended.
    pub async fn until_connected(&self) -> bool {
        let mut state = self.state.clone();
        state.wait_for(|state| !matches!(state, BrokerState::Away { .. })).await.is_ok()
    }

    /// Waits until the broker may take something again; false if the courier ended.
    pub async fn until_open(&self) -> bool {
        let mut state = self.state.clone();
        state.wait_for(|state| *state == BrokerState::Connected).await.is_ok()
    }
}
