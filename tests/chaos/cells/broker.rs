//! The broker is killed and comes back, while producers publish and workers consume.

use std::time::Duration;

use anyhow::Result;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "broker",
    fault: "kill -9 of RabbitMQ, started again",
    setup: Setup::services,
    resumes_within: Duration::from_secs(5),
    run: |trial, times| Box::pin(run(trial, 3 * times)),
};

pub const OVER_SQLITE: Cell = Cell {
    name: "broker_sqlite",
    fault: "kill -9 of RabbitMQ, over SQLite",
    setup: Setup::broker,
    resumes_within: Duration::from_secs(5),
    run: |trial, times| Box::pin(run(trial, times)),
};

/// RabbitMQ 3.10 never brings a quorum queue back that was declared less than a second before it was killed.
const QUEUES_SETTLE: Duration = Duration::from_secs(3);

async fn run(trial: &mut Trial<'_>, kills: u32) -> Result<()> {
    tokio::time::sleep(QUEUES_SETTLE).await;
    for _ in 0..kills {
        let broken = trial.recovery.now();
        trial.shared.services.broker.kill().await?;
        (trial.runs, trial.kills) = (trial.runs + 1, trial.kills + 1);
        trial.pause(Duration::from_millis(200), Duration::from_millis(1_500)).await;
        trial.shared.services.broker.start_again().await?;
        trial.recovery.healed(broken);
        trial.accepted_beyond(4 * trial.capacity()).await?;
        trial.check()?;
    }
    Ok(())
}
