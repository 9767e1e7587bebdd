//! How long it takes after a fault until messages flow as before, read off the oracle's own clock.

use std::time::Duration;

use tidegate::sim::Oracle;
use tokio::time::Instant;

use crate::rate::rate_is_back;

/// The moments of one cell's faults.
pub struct Recovery {
    numbers: Vec<String>,
    oracle: Oracle,
    /// The same moment on both clocks.
    started: (Instant, u64),
    awaited: Vec<Awaited>,
    /// Those that were seen where they happened.
    seen: Vec<Return>,
}

/// A return to work.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    /// When time began to count.
    pub from: Instant,
    pub to: Instant,
}

impl Return {
    pub fn took(&self) -> Duration {
        self.to - self.from
    }
}

/// What is to be seen after a fault, on the oracle's clock.
enum Awaited {
    /// Three quarters of the rate before the fault, and a message of every number, from the moment its cause was gone.
    Rate { broken_ns: u64, healed_ns: u64 },
    /// A message of every number after this moment.
    EveryNumber { broken_ns: u64 },
}

impl Recovery {
    pub fn new(numbers: Vec<String>, oracle: Oracle) -> Self {
        let started = (Instant::now(), oracle.now_ns());
        Self { numbers, oracle, started, awaited: Vec::new(), seen: Vec::new() }
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

    /// Sending was seen to be back.
    pub fn took(&mut self, from: Instant, to: Instant) {
        self.seen.push(Return { from, to });
    }

    /// All of them; an error if something never came.
    pub fn returns(&self) -> Result<Vec<Return>, String> {
        let entries = self.oracle.accepted_entries();
        let arrivals: Vec<u64> = entries.iter().map(|entry| entry.at_ns).collect();
        let mut returns = self.seen.clone();
        let every_number = |since: u64| {
            let first = |number: &String| {
                let mut of_number = entries.iter().filter(|entry| *entry.number == **number);
                of_number.find(|entry| entry.at_ns > since).map(|entry| entry.at_ns - since)
            };
            let all: Option<Vec<u64>> = self.numbers.iter().map(first).collect();
            all.and_then(|all| all.into_iter().max())
        };
        for awaited in &self.awaited {
            let (from_ns, came) = match awaited {
                Awaited::Rate { broken_ns, healed_ns } => {
                    let rate = rate_is_back(&arrivals, *broken_ns, *healed_ns);
                    (*healed_ns, rate.zip(every_number(*healed_ns)).map(|(rate, all)| rate.max(all)))
                }
                Awaited::EveryNumber { broken_ns } => (*broken_ns, every_number(*broken_ns)),
            };
            let came = came.ok_or("sending never came back to what it was")?;
            let from = self.instant(from_ns);
            returns.push(Return { from, to: from + Duration::from_nanos(came) });
        }
        Ok(returns)
    }

    /// A moment of the oracle's on everybody's clock.
    pub fn instant(&self, at_ns: u64) -> Instant {
        self.started.0 + Duration::from_nanos(at_ns.saturating_sub(self.started.1))
    }
}
