//! The series of the broker, which are there where a broker is, and of the lanes.

use prometheus::Registry;

use super::bound::bound;
use super::kinds::{Counters, Gauge, Histogram, Kind, SeldomGauges, seconds};
use super::labels::{BrokerTrouble, Connection, PublishResult, Redelivered};
use crate::clock::Timestamp;

/// A quorum queue confirms in 2 ms at the median, 17 ms at p99; one that changes its leader takes up to 27 s.
const CONFIRM: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0, 30.0];

bound! {
    /// What the broker has.
    BrokerFamilies,
    /// The series of the broker, bound.
    BrokerMetrics of [""; 0];

    /// Is 1 while a connection to the broker stands, 0 while it is tried again and again; none where none is wanted.
    connected: SeldomGauges<Connection> = "tidegate_broker_connected";
    /// Is 1 while the broker takes no messages, short of memory or disk; it goes on delivering.
    blocked: Gauge = "tidegate_broker_blocked";
    /// Times that the broker had to be connected to again, by why.
    reconnects: Counters<BrokerTrouble> = "tidegate_broker_reconnects_total";
    /// Messages that the broker delivered, by whether it had delivered them before.
    deliveries: Counters<Redelivered> = "tidegate_queue_deliveries_total";
    /// Messages that the broker delivered and that are not acked yet.
    unacked: Gauge = "tidegate_queue_unacked";
    /// Messages published to the broker, by what it said.
    published: Counters<PublishResult> = "tidegate_publish_total";
    /// Time from publishing a message to the broker's confirm.
    confirm_duration: Histogram = "tidegate_publish_confirm_duration_seconds", CONFIRM;
}

bound! {
    /// What each lane has.
    LaneFamilies,
    /// The series of one lane, bound.
    LaneMetrics of ["lane"];

    /// When the oldest job of this lane in this worker's hands was published, or may go; 0 where there is none.
    oldest_enqueued: Gauge = "tidegate_queue_oldest_enqueued_timestamp_seconds";
    /// Since when the first free row of this lane in the whole ledger may go, seldom looked at; 0 where there is none.
    oldest_due: Gauge = "tidegate_waiting_oldest_due_timestamp_seconds";
}

impl BrokerMetrics {
    /// This connection stands, or does not.
    pub fn connected(&self, connection: Connection, stands: bool) {
        self.connected.set(connection, stands);
    }

    /// The broker takes nothing, or does again.
    pub fn blocked(&self, blocked: bool) {
        self.blocked.set(f64::from(u8::from(blocked)));
    }
}

impl LaneMetrics {
    /// The oldest job in hand is of then; none: there is no job.
    pub fn oldest(&self, at: Option<Timestamp>) {
        self.oldest_enqueued.set(at.map_or(0.0, seconds));
    }

    /// The first row in the ledger may go since then; none: there is no row.
    pub fn due(&self, at: Option<Timestamp>) {
        self.oldest_due.set(at.map_or(0.0, seconds));
    }
}
