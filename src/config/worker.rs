//! How one worker holds, paces and hands over.

use std::time::Duration;

use super::reader::{Reader, Told};
use super::{ByteSize, form};

/// Group `worker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Jobs in memory over all lanes, at most.
    pub in_hand: usize,
    /// Their bodies in memory, at most.
    pub in_hand_bytes: ByteSize,
    /// A job is admitted when its permit is due within this.
    pub admit_ahead: Duration,
    /// How long a stop may take to finish what is in flight.
    pub drain: Duration,
}

/// Group `lease`: how long a number belongs to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// From its last renewal.
    pub ttl: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// Nothing new is started in its last so long.
    pub margin: Duration,
}

/// Group `pacing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacingConfig {
    /// How much the network may shift two requests against each other.
    pub margin: Duration,
}

impl WorkerConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let in_hand = reader.amount("worker.in_hand", 1..=1_000_000);
        let in_hand_bytes = reader.read("worker.in_hand_bytes", in_hand_bytes);
        let admit_ahead = reader.span("worker.admit_ahead", Duration::from_millis(1)..=Duration::from_secs(1));
        let drain = reader.span("worker.drain", Duration::from_millis(100)..=Duration::from_secs(3600));
        Ok(Self { in_hand: in_hand?, in_hand_bytes: in_hand_bytes?, admit_ahead: admit_ahead?, drain: drain? })
    }
}

impl LeaseConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let bounds = Duration::from_millis(10)..=Duration::from_secs(3600);
        let ttl = reader.span("lease.ttl", bounds.clone());
        let renew = reader.span("lease.renew", bounds.clone());
        let margin = reader.span("lease.margin", bounds);
        Ok(Self { ttl: ttl?, renew: renew?, margin: margin? })
    }
}

impl PacingConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        Ok(Self { margin: reader.span("pacing.margin", Duration::ZERO..=Duration::from_millis(200))? })
    }
}

/// At least one job of the largest size that is taken in.
fn in_hand_bytes(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = form::parsed(text)?;
    let (least, most) = (ByteSize::new(256 << 10), ByteSize::new(4 << 30));
    let fits = (least..=most).contains(&size);
    fits.then_some(size).ok_or_else(|| format!("allowed: {least} to {most}"))
}
