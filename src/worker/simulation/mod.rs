//! Deterministic simulation of the core: many numbers, several workers, faults at every step, on virtual time.
//!
//! One process, no I/O, no runtime. Everything that is left to chance comes from one seeded generator, so a failing
//! seed replays.

mod answering;
mod chance;
mod choices;
mod drive;
mod fairness;
mod fold;
mod hearing;
mod judge;
mod keeping;
mod leasing;
mod lookout;
mod making;
mod meta;
mod newcomers;
mod pairing;
mod people;
mod plan;
mod reading;
mod recovering;
mod renewing;
mod scale;
mod shares;
mod shell;
mod storms;
mod world;

use crate::job::Priority;
use crate::worker::lane::Delivery;

/// Any job of this priority, for tests of the core's parts.
pub(super) fn delivery(priority: Priority) -> Delivery {
    making::Draft::of(0, priority).delivery(0, None)
}
