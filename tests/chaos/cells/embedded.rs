//! The embedded default: one worker over SQLite, killed or stopped, and started again at once.

use std::time::Duration;

use anyhow::Result;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const KILL: Cell = Cell {
    name: "embedded",
    fault: "kill -9, embedded",
    setup: Setup::embedded,
    resumes_within: RESTART,
    run: |trial, times| Box::pin(kill(trial, 25 * times)),
};

pub const DRAIN: Cell = Cell {
    name: "embedded_drain",
    fault: "SIGTERM, embedded",
    setup: || Setup { jobs: 3_000, ..Setup::embedded() },
    resumes_within: RESTART,
    run: |trial, times| Box::pin(drain(trial, 6 * times)),
};

/// A second of rest, and the start of a process: on a busy machine that takes most of another.
const RESTART: Duration = Duration::from_secs(3);

async fn kill(trial: &mut Trial<'_>, kills: u32) -> Result<()> {
    for _ in 0..kills {
        trial.pause(Duration::ZERO, Duration::from_millis(600)).await;
        trial.kill(0).await?;
        start_again(trial).await?;
    }
    Ok(())
}

async fn drain(trial: &mut Trial<'_>, drains: u32) -> Result<()> {
    for _ in 0..drains {
        trial.pause(Duration::ZERO, Duration::from_millis(300)).await;
        trial.seats[0].drain().await?;
        trial.runs += 1;
        start_again(trial).await?;
    }
    Ok(())
}

/// Its death is proven, so nobody waits for leases.
async fn start_again(trial: &mut Trial<'_>) -> Result<()> {
    let started = trial.recovery.now();
    trial.seats[0].start()?;
    trial.recovery.await_every_number(started);
    trial.every_number_accepted().await
}
