//! Split brain: a worker that does not know that its lease is over. Whoever took over sends; it must not.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::Instant;

use super::Cell;
use crate::setup::Setup;
use crate::trial::Trial;

pub const FROZEN: Cell = Cell {
    name: "split",
    fault: "SIGSTOP beyond the lease, then SIGCONT",
    setup,
    resumes_within: TAKEN_OVER,
    run: |trial, times| Box::pin(run(trial, Blow::Freeze, 3 * times)),
};

pub const CUT_OFF: Cell = Cell {
    name: "cut_off",
    fault: "database out of one worker's reach beyond the lease",
    setup,
    resumes_within: TAKEN_OVER,
    run: |trial, times| Box::pin(run(trial, Blow::CutOff, 2 * times)),
};

/// The lease of these cells lasts 4 s, and is asked for by others every second.
const TAKEN_OVER: Duration = Duration::from_secs(12);
/// Bytes that a worker had written are at the other end of its link by then.
const IN_THE_SOCKET: Duration = Duration::from_millis(50);

#[derive(Clone, Copy)]
enum Blow {
    Freeze,
    CutOff,
}

/// One number, so that it stays with whoever took it: the other has nothing to send.
fn setup() -> Setup {
    Setup { workers: 2, numbers: 1, rate: 80, taps_meta: true, ..Setup::services() }
}

async fn run(trial: &mut Trial<'_>, blow: Blow, times: u32) -> Result<()> {
    for _ in 0..times {
        let owner = owner(trial).await?;
        let broken = trial.recovery.now();
        trial.strike(owner, blow)?;
        trial.runs += 1;
        trial.recovery.await_every_number(broken);
        tokio::time::sleep(IN_THE_SOCKET).await;
        trial.note_in_flight().await?;
        let other = &trial.seats[1 - owner];
        let taken_over = async {
            while other.posts_after(Instant::now() - Duration::from_secs(1)) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(TAKEN_OVER, taken_over).await.context("nobody took over")?;
        let taken_over_at = Instant::now();
        trial.pause(Duration::from_millis(500), Duration::from_millis(1_500)).await;
        trial.heal(owner, blow)?;
        trial.accepted_beyond(4 * trial.capacity()).await?;
        let late = trial.seats[owner].posts_after(taken_over_at);
        ensure!(late == 0, "a worker sent {late} messages after its number was taken over");
    }
    Ok(())
}

/// Who sends.
async fn owner(trial: &mut Trial<'_>) -> Result<usize> {
    let before = Instant::now();
    trial.accepted_beyond(20).await?;
    let senders = (0..2).filter(|seat| trial.seats[*seat].posts_after(before) > 0);
    let senders: Vec<usize> = senders.collect();
    ensure!(senders.len() == 1, "one worker sends, not {senders:?}");
    Ok(senders[0])
}

impl Trial<'_> {
    fn strike(&self, seat: usize, blow: Blow) -> Result<()> {
        match blow {
            Blow::Freeze => self.seats[seat].freeze()?,
            Blow::CutOff => self.seats[seat].links.database().cut(),
        }
        Ok(())
    }

    fn heal(&self, seat: usize, blow: Blow) -> Result<()> {
        match blow {
            Blow::Freeze => self.seats[seat].thaw()?,
            Blow::CutOff => self.seats[seat].links.database().restore(),
        }
        Ok(())
    }
}
