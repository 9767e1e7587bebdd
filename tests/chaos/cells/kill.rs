//! `kill -9` of workers at any moment: what they had in flight is in doubt, everything else goes on.

use std::time::Duration;

use anyhow::Result;

use super::{Cell, Running};
use crate::setup::{Ground, Setup};
use crate::trial::Trial;

pub const LEAVE: Cell = Cell {
    name: "kill",
    fault: "kill -9 of a worker, doubts left",
    setup: || Setup::services().with_short_leases(),
    resumes_within: Duration::MAX,
    run: |trial, times| killing(trial, 50 * times),
};

pub const RESEND: Cell = Cell {
    name: "kill_resend",
    fault: "kill -9 of a worker, doubts resent",
    setup: || Setup { on_unknown: "resend", ..Setup::services().with_short_leases() },
    resumes_within: Duration::MAX,
    run: |trial, times| killing(trial, 12 * times),
};

pub const NO_BROKER: Cell = Cell {
    name: "kill_no_broker",
    fault: "kill -9 of a worker, no broker",
    setup: || Setup { ground: Ground::Database, jobs: 3_000, ..Setup::services().with_short_leases() },
    resumes_within: Duration::MAX,
    run: |trial, times| killing(trial, 10 * times),
};

fn killing<'t>(trial: &'t mut Trial<'_>, kills: u32) -> Running<'t> {
    Box::pin(run(trial, kills))
}

async fn run(trial: &mut Trial<'_>, kills: u32) -> Result<()> {
    for _ in 0..kills {
        // A kill before anything was sent again would break nothing.
        trial.accepted_beyond(10).await?;
        trial.pause(Duration::from_millis(50), Duration::from_millis(900)).await;
        let seat = trial.any_seat();
        trial.kill(seat).await?;
        trial.seats[seat].start()?;
    }
    Ok(())
}
