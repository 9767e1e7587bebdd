//! The worker's handle on the broker: what arrives, what is consumed, what is acked.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::desk::Desk;
use super::supervisor::{Supervisor, Wanted};
use super::tally::Settle;
use super::{Arrival, Broker, LaneName, Names, Ticket};
use crate::metrics::Metrics;

/// Deliveries on their way to the worker, over all lanes. When it is full they wait in lapin's own buffers, which
/// prefetch bounds: nothing is lost, and the acks of a lane go on; it is large enough for what comes between two turns
/// of the worker's loop at 100,000 a second.
const ARRIVALS: usize = 1_024;
/// Returned messages in hand; there are few, and each costs a write.
const RETURNED_PREFETCH: u16 = 64;

/// What the worker has of the broker. Its calls return at once; only `next` waits.
#[derive(Debug)]
pub struct Reception {
    names: Names,
    arrivals: mpsc::Receiver<Arrival>,
    wanted: watch::Sender<Wanted>,
    desk: Arc<Desk>,
}

/// Puts up a reception at this broker, and what runs behind it: spawn the supervisor, or nothing ever arrives.
pub fn reception(broker: Broker, metrics: Arc<Metrics>) -> (Reception, Supervisor) {
    let (arriving, arrivals) = mpsc::channel(ARRIVALS);
    let (wanted, wanted_seen) = watch::channel(Wanted::new());
    let desk = Arc::new(Desk::new(arriving, metrics));
    let names = broker.names.clone();
    let supervisor = Supervisor::new(broker, wanted_seen, desk.clone());
    (Reception { names, arrivals, wanted, desk }, supervisor)
}

impl Reception {
    /// Consumes these lanes from now on, each with its prefetch, and with `returned` the queue of returned messages.
    /// Others are cancelled: what is in hand of them stays good until it is acked or given back, what had not been
    /// handed out yet goes back by itself. A changed prefetch means consuming anew; the old deliveries then count
    /// beside the new ones until they are settled.
    pub fn serve(&mut self, lanes: &BTreeMap<LaneName, u16>, returned: bool) {
        let differs = |now: &Wanted| {
            now.contains_key(&None) != returned
                || now.len() - usize::from(now.contains_key(&None)) != lanes.len()
                || lanes.iter().any(|(lane, prefetch)| now.get(&Some(lane.clone())) != Some(prefetch))
        };
        self.wanted.send_if_modified(|now| {
            let changed = differs(now);
            if changed {
                *now = lanes.iter().map(|(lane, prefetch)| (Some(lane.clone()), *prefetch)).collect();
                if returned {
                    now.insert(None, RETURNED_PREFETCH);
                }
            }
            changed
        });
    }

    /// The broker may forget them. Goes out within a few milliseconds, many at a time; what was lost meanwhile is
    /// passed over.
    pub fn ack(&mut self, tickets: Vec<Ticket>) {
        self.desk.settle(tickets, Settle::Ack);
    }

    /// Back to their lanes, for whoever serves them.
    pub fn give_back(&mut self, tickets: Vec<Ticket>) {
        self.desk.settle(tickets, Settle::Back);
    }

    /// Waits for what comes next; none once the supervisor has ended. Dropping it loses nothing.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// What came already, if anything.
    pub fn try_next(&mut self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }

    /// Whether the broker may have taken this delivery back.
    pub fn is_lost(&self, ticket: Ticket) -> bool {
        !self.desk.knows(ticket)
    }

    /// Where a delivery came from, for people.
    pub fn origin(&self, lane: Option<&LaneName>) -> String {
        format!("amqp:{}", self.names.source(lane))
    }
}
