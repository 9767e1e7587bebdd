//! Everything at once: the next blow falls before the last one has healed.

use std::time::Duration;

use anyhow::Result;
use rand::Rng as _;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "storm",
    fault: "all of these, without a rest",
    setup: Setup::services,
    resumes_within: Duration::MAX,
    run: |trial, times| Box::pin(run(trial, 12 * times)),
};

/// RabbitMQ 3.10 never brings a quorum queue back that was declared less than a second before it was killed.
const QUEUES_SETTLE: Duration = Duration::from_secs(3);

async fn run(trial: &mut Trial<'_>, blows: u32) -> Result<()> {
    tokio::time::sleep(QUEUES_SETTLE).await;
    for blow in 0..blows {
        let seat = trial.any_seat();
        let shared = trial.shared;
        match blow % 12 {
            2 => {
                shared.services.broker.kill().await?;
                trial.kills += 1;
                shared.services.broker.start_again().await?;
            }
            6 => {
                shared.services.database.kill().await?;
                trial.kills += 1;
                shared.services.database.start_again().await?;
            }
            0 | 4 | 8 => {
                trial.kill(seat).await?;
                trial.runs -= 1;
                trial.seats[seat].start()?;
            }
            10 => {
                trial.seats[seat].drain().await?;
                trial.seats[seat].start()?;
            }
            1 | 5 | 9 => trial.seats[seat].links.broker().cut_once(),
            _ => trial.seats[seat].links.database().cut_once(),
        }
        trial.runs += 1;
        let pause = Duration::from_millis(trial.rng.random_range(100..1_500));
        tokio::time::sleep(pause).await;
        trial.check()?;
    }
    // Somebody sends again, after all that.
    trial.accepted_beyond(trial.capacity()).await
}
