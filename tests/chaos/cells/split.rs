//! Split brain: a worker that does not know that its lease is over. Whoever took over sends; it must not.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const FROZEN: Cell = Cell {
    name: "split",
    fault: "SIGSTOP beyond the lease, then SIGCONT",
    setup,
    resumes_within: TAKEN_OVER,
    run: |trial, times| Box::pin(run(trial, &[Blow::Freeze], 2 * times)),
};

pub const CUT_OFF: Cell = Cell {
    name: "cut_off",
    fault: "database out of one worker's reach beyond the lease",
    setup,
    resumes_within: TAKEN_OVER,
    run: |trial, times| Box::pin(run(trial, &[Blow::CutOff, Blow::BlackHole], 2 * times)),
};

/// Promised are 12 s with leases of 8 s. These last 4 s.
const TAKEN_OVER: Duration = Duration::from_secs(8);
/// Nobody waits longer; what took longer than was promised, and whether the machine is to blame, is looked at later.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Bytes that a worker had written are at the other end of its link by then.
const IN_THE_SOCKET: Duration = Duration::from_millis(50);

/// The only one.
const NUMBER: &str = "1001";

#[derive(Clone, Copy)]
enum Blow {
    Freeze,
    /// Its connections to the database are reset.
    CutOff,
    /// They stand still, and what stood still arrives when everything is over.
    BlackHole,
}

/// One number, so that it stays with whoever took it: the other has nothing to send.
fn setup() -> Setup {
    Setup { workers: 2, numbers: 1, rate: 80, taps_meta: true, ..Setup::services() }
}

async fn run(trial: &mut Trial<'_>, blows: &[Blow], times: u32) -> Result<()> {
    for blow in blows.iter().copied().cycle().take(times as usize) {
        let seat = owner(trial).await?;
        let (owner, fence) = trial.ledger.lease(NUMBER).await?;
        let broken_at = Instant::now();
        trial.strike(seat, blow)?;
        trial.runs += 1;
        tokio::time::sleep(IN_THE_SOCKET).await;
        trial.note_in_flight().await?;
        let taken_over_at = until_taken_over(trial, 1 - seat).await?;
        trial.recovery.took(broken_at, taken_over_at);
        trial.pause(Duration::from_millis(500), Duration::from_millis(1_500)).await;
        trial.heal(seat, blow)?;
        // The number may come back to whom it belongs in an even share, by a new lease; then it waits a second.
        let target = trial.sim.oracle().accepted() + 4 * trial.capacity();
        let mut retaken_at = None;
        while trial.sim.oracle().accepted() < target && retaken_at.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (now_owner, now_fence) = trial.ledger.lease(NUMBER).await?;
            if now_owner == owner {
                ensure!(now_fence > fence, "the old lease came to life again");
                retaken_at = Some(Instant::now());
            }
            ensure!(taken_over_at.elapsed() < GIVE_UP, "sending came to nothing");
        }
        // Neither what it had admitted, nor, after a stop in the middle of a send, that send: a permit is good for 25 ms.
        // A second that holds more than the limit here is no second owner's doing, but one owner's late bytes.
        let late = trial.seats[seat].posts(taken_over_at, retaken_at.unwrap_or_else(Instant::now));
        ensure!(late.is_empty(), "a worker sent {} messages after its number was taken over", late.len());
        trial.accepted_beyond(trial.capacity()).await?;
    }
    // What was in flight when a worker was stopped was answered. It must not hold against the number that it slept.
    let holds = trial.ledger.holds().await?;
    ensure!(holds == 0, "{holds} holds were placed on a number that nothing was wrong with");
    Ok(())
}

/// Waits until another worker sends, and says since when.
async fn until_taken_over(trial: &Trial<'_>, seat: usize) -> Result<Instant> {
    let (other, started) = (&trial.seats[seat], Instant::now());
    loop {
        if let Some(first) = other.posts(started, Instant::now()).first() {
            return Ok(*first);
        }
        ensure!(started.elapsed() < GIVE_UP, "nobody took over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where the worker sits that sends.
async fn owner(trial: &mut Trial<'_>) -> Result<usize> {
    let before = Instant::now();
    trial.accepted_beyond(20).await?;
    let senders = (0..2).filter(|seat| !trial.seats[*seat].posts(before, Instant::now()).is_empty());
    let senders: Vec<usize> = senders.collect();
    ensure!(senders.len() == 1, "one worker sends, not {senders:?}");
    Ok(senders[0])
}

impl Trial<'_> {
    fn strike(&self, seat: usize, blow: Blow) -> Result<()> {
        match blow {
            Blow::Freeze => self.seats[seat].freeze()?,
            Blow::CutOff => self.seats[seat].links.database().cut(),
            Blow::BlackHole => self.seats[seat].links.database().stall(),
        }
        Ok(())
    }

    fn heal(&self, seat: usize, blow: Blow) -> Result<()> {
        match blow {
            Blow::Freeze => self.seats[seat].thaw()?,
            Blow::CutOff | Blow::BlackHole => self.seats[seat].links.database().restore(),
        }
        Ok(())
    }
}
