//! What is broken, a file for each kind of fault. A new one is a file with a `CELL`, and a line here.

mod broker;
mod crash;
mod cut;
mod database;
mod drain;
mod embedded;
mod kill;
mod split;
mod storm;

use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;

use crate::setup::Setup;
use crate::trial::Trial;

/// One fault, broken again and again while messages flow.
#[derive(Clone, Copy)]
pub struct Cell {
    /// Names the schema, the queues, the logs.
    pub name: &'static str,
    /// For the table.
    pub fault: &'static str,
    pub setup: fn() -> Setup,
    /// Sending is to be back as before within this.
    pub resumes_within: Duration,
    /// Breaks things, and leaves them in order. `times` says how often, as a multiple of the short profile.
    pub run: for<'t> fn(&'t mut Trial<'_>, times: u32) -> Running<'t>,
}

pub type Running<'t> = Pin<Box<dyn Future<Output = Result<()>> + 't>>;

/// Every cell. The two rows run side by side, each on services of its own, or the whole would take too long.
pub const ROWS: [&[Cell]; 2] = [
    &[kill::LEAVE, kill::RESEND, drain::CELL, crash::CELL, split::FROZEN, split::CUT_OFF, cut::CELL],
    &[embedded::KILL, embedded::DRAIN, kill::NO_BROKER, broker::CELL, broker::OVER_SQLITE, database::CELL, storm::CELL],
];
