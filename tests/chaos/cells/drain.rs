//! A rolling deploy: `kill -TERM` of one worker after the other, each replaced at once. Nothing is in doubt after it.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "drain",
    fault: "SIGTERM of one worker after the other",
    setup: || Setup { taps_meta: true, ..Setup::services() },
    resumes_within: Duration::from_secs(2),
    run: |trial, times| Box::pin(run(trial, 12 * times)),
};

/// What `worker.drain` allows.
const DRAIN: Duration = Duration::from_secs(25);

async fn run(trial: &mut Trial<'_>, drains: u32) -> Result<()> {
    for drain in 0..drains {
        trial.accepted_beyond(10).await?;
        trial.pause(Duration::from_millis(100), Duration::from_millis(1_000)).await;
        let seat = drain as usize % trial.seats.len();
        let took = trial.seats[seat].drain().await?;
        trial.runs += 1;
        ensure!(took <= DRAIN, "a drain took {took:?}");
        // Most are replaced at once, as a deployment does; now and then it is seen how fast the others take over.
        if drain % 4 == 3 {
            let stopped = trial.recovery.now();
            trial.recovery.await_every_number(stopped);
            trial.every_number_accepted().await?;
        }
        trial.seats[seat].start()?;
    }
    Ok(())
}
