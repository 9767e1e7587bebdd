//! One worker of two crashes and does not come back: the other has its numbers as soon as their leases have lapsed.

use std::time::Duration;

use anyhow::Result;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "crash",
    fault: "kill -9, the other worker takes over",
    setup: || Setup { workers: 2, taps_meta: true, ..Setup::services().with_usual_leases() },
    resumes_within: Duration::from_secs(12),
    run: |trial, times| Box::pin(run(trial, 2 * times)),
};

async fn run(trial: &mut Trial<'_>, crashes: u32) -> Result<()> {
    for crash in 0..crashes {
        let seat = crash as usize % trial.seats.len();
        let broken = trial.recovery.now();
        trial.kill(seat).await?;
        trial.recovery.await_every_number(broken);
        trial.every_number_accepted().await?;
        trial.seats[seat].start()?;
        // Both share the numbers again before the next crash.
        trial.accepted_beyond(3 * trial.capacity()).await?;
    }
    Ok(())
}
