//! How long it takes after a fault until messages flow as before, read off the oracle's own clock.

use std::time::Duration;

use tidegate::sim::Oracle;

use crate::rate::rate_is_back;

/// The moments of one cell's faults.
pub struct Recovery {
    numbers: Vec<String>,
    oracle: Oracle,
    awaited: Vec<Awaited>,
    /// The slowest that was seen where it happened.
    seen: Option<Duration>,
}

/// What is to be seen after a fault, on the oracle's clock.
enum Awaited {
    /// At least nine tenths of the rate before the fault, from the moment its cause was gone.
    Rate { broken_ns: u64, healed_ns: u64 },
    /// A message of every number after this moment.
    EveryNumber { broken_ns: u64 },
}

impl Recovery {
    pub fn new(numbers: Vec<String>, oracle: Oracle) -> Self {
        Self { numbers, oracle, awaited: Vec::new(), seen: None }
    }

    /// Now, on the oracle's clock.
    pub fn now(&self) -> u64 {
        self.oracle.now_ns()
    }

    /// The rate is to come back: broken then, healed now.
    pub fn healed(&mut self, broken_ns: u64) {
        self.awaited.push(Awaited::Rate { broken_ns, healed_ns: self.now() });
    }

    /// Every number is to send again: broken now.
    pub fn await_every_number(&mut self, broken_ns: u64) {
        self.awaited.push(Awaited::EveryNumber { broken_ns });
    }

    /// Sending was seen to be back after so long.
    pub fn took(&mut self, time: Duration) {
        self.seen = self.seen.max(Some(time));
    }

    /// The slowest of them all; none if nothing was awaited, an error if something never came.
    pub fn slowest(&self) -> Result<Option<Duration>, String> {
        let entries = self.oracle.accepted_entries();
        let arrivals: Vec<u64> = entries.iter().map(|entry| entry.at_ns).collect();
        let mut slowest = self.seen;
        for awaited in &self.awaited {
            let came = match awaited {
                Awaited::Rate { broken_ns, healed_ns } => rate_is_back(&arrivals, *broken_ns, *healed_ns),
                Awaited::EveryNumber { broken_ns } => {
                    let first = |number: &String| {
                        let mut of_number = entries.iter().filter(|entry| *entry.number == **number);
                        of_number.find(|entry| entry.at_ns > *broken_ns).map(|entry| entry.at_ns - broken_ns)
                    };
                    let all: Option<Vec<u64>> = self.numbers.iter().map(first).collect();
                    all.and_then(|all| all.into_iter().max())
                }
            };
            let came = came.ok_or("sending never came back to what it was")?;
            slowest = slowest.max(Some(Duration::from_nanos(came)));
        }
        Ok(slowest)
    }
}
