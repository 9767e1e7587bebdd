//! The database is killed or stops at once, and comes back. While it is away nothing new may be sent.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "database",
    fault: "kill -9 or immediate stop of PostgreSQL, started again",
    setup: Setup::services,
    resumes_within: Duration::from_secs(5),
    run: |trial, times| Box::pin(run(trial, 4 * times)),
};

/// What was admitted before the database went has left by then.
const NOTICED: Duration = Duration::from_millis(1_000);

async fn run(trial: &mut Trial<'_>, stops: u32) -> Result<()> {
    for stop in 0..stops {
        let (broken, database) = (trial.recovery.now(), &trial.shared.services.database);
        if stop % 2 == 0 {
            database.kill().await?;
            trial.kills += 1;
        } else {
            database.crash().await?;
        }
        trial.runs += 1;
        trial.pause(NOTICED, NOTICED).await;
        let noticed = trial.sim.oracle().accepted();
        trial.pause(Duration::from_millis(100), Duration::from_millis(2_000)).await;
        let sent = trial.sim.oracle().accepted() - noticed;
        trial.shared.services.database.start_again().await?;
        ensure!(sent == 0, "{sent} messages were sent without a database");
        trial.recovery.healed(broken);
        trial.accepted_beyond(4 * trial.capacity()).await?;
        trial.check()?;
    }
    Ok(())
}
