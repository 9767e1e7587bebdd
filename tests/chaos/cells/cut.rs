//! Connections of one worker that are reset or stand still while requests are in flight.

use std::time::Duration;

use anyhow::Result;
use rand::Rng as _;

use super::Cell;
use crate::link::Link;
use crate::setup::Setup;
use crate::trial::Trial;

pub const CELL: Cell = Cell {
    name: "cut",
    fault: "links to broker and database cut or stalled",
    setup: Setup::services,
    resumes_within: Duration::MAX,
    run: |trial, times| Box::pin(run(trial, 18 * times)),
};

/// Every kind of cut, in turn, on both links.
const CUTS: [fn(&Link); 3] = [Link::cut_once, Link::cut, Link::stall];

async fn run(trial: &mut Trial<'_>, cuts: u32) -> Result<()> {
    for cut in 0..cuts {
        trial.accepted_beyond(10).await?;
        let seat = trial.rng.random_range(0..trial.seats.len());
        let links = &trial.seats[seat].links;
        let link = if cut % 2 == 0 { links.broker() } else { links.database() };
        CUTS[cut as usize / 2 % CUTS.len()](link);
        trial.runs += 1;
        trial.pause(Duration::from_millis(50), Duration::from_millis(1_500)).await;
        let links = &trial.seats[seat].links;
        links.broker().restore();
        links.database().restore();
        trial.pause(Duration::from_millis(100), Duration::from_millis(700)).await;
        trial.check()?;
    }
    Ok(())
}
