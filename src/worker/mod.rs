//! The worker: receives, schedules, has admitted, paces, sends, settles.
//!
//! The core (lanes, scheduler, numbers, pacer, launch) decides and is pure; the shell (asking, sending, absorbing)
//! carries out, on one thread that owns its state and takes no lock.

mod absorbing;
mod asking;
pub mod attempt;
mod capacity;
mod clearing;
pub mod drain;
mod due;
mod event;
mod fitting;
pub mod fleet_change;
pub mod index;
pub mod intake;
mod joining;
pub mod lane;
pub mod launch;
pub mod leases;
pub mod number;
pub mod ownership;
pub mod pacer;
pub mod pairs;
mod picking;
pub mod picture;
mod placing;
pub mod pool;
mod quota;
mod receiving;
pub mod reception;
mod recovering;
mod recovery;
mod renewing;
mod resting;
pub mod retry;
pub mod scheduler;
mod sending;
mod shelf;
pub mod shell;
#[cfg(test)]
mod simulation;
mod spilling;
pub mod telling;
mod trying;
pub mod verdict;

pub use drain::Drained;
pub use fleet_change::FleetChange;
pub use joining::{Joining, Recruit};
pub use shell::{Parts, Settings, Worker};
