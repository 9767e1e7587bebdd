//! This worker's leases: taken at once, renewed in time, and trusted for less than they last.
//!
//! A lease counts from before its renewal was sent, and no send starts in its last `margin`, so that a worker whose
//! clock or ledger is slow stops before anyone else begins.

use std::collections::HashMap;

use crate::clock::Mono;
use crate::ledger::{Lease, LeaseTimes};

use super::index::NumberIdx;
use super::launch::Core;
use super::number::Tenure;

/// What the name of a number's lease begins with.
const NUMBER: &str = "number:";

/// The name of a number's lease in the ledger.
pub fn name(number: &str) -> String {
    format!("{NUMBER}{number}")
}

/// The number whose lease has this name.
pub fn number(name: &str) -> Option<&str> {
    name.strip_prefix(NUMBER)
}

/// Applies what the ledger answered to a renewal that was sent at `sent`: what is not among the leases is lost.
pub fn apply(core: &mut Core, leases: &[Lease], times: LeaseTimes, sent: Mono, now: Mono) {
    let held: HashMap<&str, &Lease> = leases.iter().map(|lease| (lease.name.as_str(), lease)).collect();
    for slot in 0..core.scheduler.numbers.len() {
        let number = NumberIdx(u32::try_from(slot).expect("fewer numbers than 2^32"));
        let name = name(core.scheduler.numbers[slot].spec.id.as_str());
        let tenure =
            held.get(name.as_str()).map(|lease| Tenure { fence: lease.fence, until: sent + times.ttl - times.margin });
        core.set_tenure(number, tenure, now);
    }
}
