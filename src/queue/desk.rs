//! What the worker's handle and the lanes share: the way in for what arrives, and the way back for tickets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::tally::Settle;
use super::{Arrival, Ticket};
use crate::metrics::Metrics;

/// Where arrivals are handed in, and settled tickets find the lane whose channel they came by.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) arriving: mpsc::Sender<Arrival>,
    pub(super) metrics: Arc<Metrics>,
    channels: Mutex<Channels>,
}

/// Tags of one channel that the worker is done with.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) tags: Vec<u64>,
    pub(super) settle: Settle,
}

/// Marks for one lane. Unbounded, and yet it never holds more than the tickets that are out, which prefetch bounds:
/// the worker must not wait for the broker to say that it is done.
pub(super) type MarksSeen = mpsc::UnboundedReceiver<Marks>;

#[derive(Debug, Default)]
struct Channels {
    /// How many were ever opened.
    opened: u64,
    open: BTreeMap<u64, mpsc::UnboundedSender<Marks>>,
    /// Deliveries that are out, by channel.
    out: BTreeMap<u64, usize>,
}

impl Desk {
    pub(super) fn new(arriving: mpsc::Sender<Arrival>, metrics: Arc<Metrics>) -> Self {
        Self { arriving, metrics, channels: Mutex::default() }
    }

    /// A channel was opened: its tickets bear this number.
    pub(super) fn open(&self) -> (u64, MarksSeen) {
        let (marks, marks_seen) = mpsc::unbounded_channel();
        let mut channels = self.channels();
        channels.opened += 1;
        let channel = channels.opened;
        channels.open.insert(channel, marks);
        (channel, marks_seen)
    }

    /// Its tickets name nothing any more.
    pub(super) fn close(&self, channel: u64) {
        self.channels().open.remove(&channel);
        self.count(channel, 0);
    }

    /// So many deliveries of a channel are out.
    pub(super) fn count(&self, channel: u64, out: usize) {
        let mut channels = self.channels();
        if out == 0 {
            channels.out.remove(&channel);
        } else {
            channels.out.insert(channel, out);
        }
        let all: usize = channels.out.values().sum();
        self.metrics.broker().unacked.set(all as f64);
    }

    /// How many channels were ever opened: the number of the latest.
    pub(super) fn opened(&self) -> u64 {
        self.channels().opened
    }

    pub(super) fn knows(&self, ticket: Ticket) -> bool {
        self.channels().open.contains_key(&ticket.channel)
    }

    /// Passes tickets on to their lanes.
    pub(super) fn settle(&self, tickets: Vec<Ticket>, settle: Settle) {
        let channels = self.channels();
        for run in tickets.chunk_by(|a, b| a.channel == b.channel) {
            let marks = run.first().and_then(|ticket| channels.open.get(&ticket.channel));
            if let Some(marks) = marks {
                // Its lane is just ending otherwise: the broker delivers these again.
                let _ = marks.send(Marks { tags: run.iter().map(|ticket| ticket.tag).collect(), settle });
            }
        }
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
