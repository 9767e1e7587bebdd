//! Watches the jobs of a file until all have ended, with a bar.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::follow::{changed, is_good};
use crate::cli::output::{Column, counts, words};
use crate::cli::progress::Progress;
use crate::cli::wording::{Count, length};
use crate::job::JobKey;
use crate::ledger::{Census, JobRef, JobRow, Ledger};
use crate::outcome::{Reason, State};

/// Jobs looked at in one go: few, so that looking costs a worker little.
const LOOK_AT: usize = 200;
/// How often the ledger is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Nothing moved for so long: say what it waits for.
const STANDSTILL: Duration = Duration::from_secs(10);

/// How many jobs ended so.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Ended {
    state: State,
    reason: Option<Reason>,
    jobs: u64,
}

/// The columns of a table of [`Ended`].
pub const COLUMNS: &[Column<Ended>] = &[
    words("STATE", |row| row.state.to_string()),
    words("REASON", |row| row.reason.map(|reason| reason.to_string()).unwrap_or_default()),
    counts("JOBS", |row| Count(row.jobs).to_string()),
];

/// The jobs of a file.
#[derive(Default)]
struct Crowd {
    /// Those that had not ended when last looked at, the longest not looked at first.
    open: VecDeque<JobKey>,
    ended: BTreeMap<(State, Option<Reason>), u64>,
}

/// Until all of these have ended; says how.
pub async fn follow(ledger: &Ledger, keys: Vec<JobKey>) -> anyhow::Result<Vec<Ended>> {
    let total = keys.len() as u64;
    let mut crowd = Crowd { open: keys.into(), ..Crowd::default() };
    let mut progress = Progress::new("ended", Some(total));
    let mut signals = ledger.signals();
    let mut moved = (0, Instant::now());
    while !crowd.open.is_empty() {
        signals.borrow_and_update();
        let next_look = Instant::now() + LOOK_EVERY;
        let census = ledger.census().await?;
        crowd.look(ledger).await?;
        // Of these jobs no more can be open than of all; where they are alone, that is exact long before each one has
        // been looked at.
        let ended = crowd.ended_in_all().max(total.saturating_sub(open_in_all(&census)));
        progress.reach(ended);
        if ended > moved.0 {
            moved = (ended, Instant::now());
        } else if moved.1.elapsed() > STANDSTILL {
            progress.say(&standstill(&census));
            moved.1 = Instant::now() + 5 * STANDSTILL;
        }
        if !crowd.open.is_empty() {
            sleep_until(next_look).await;
            changed(&mut signals).await?;
        }
    }
    progress.end();
    Ok(crowd.ended.into_iter().map(|((state, reason), jobs)| Ended { state, reason, jobs }).collect())
}

/// Whether all ended as their producer hoped.
pub fn all_good(ended: &[Ended]) -> bool {
    ended.iter().all(|ended| is_good(ended.state))
}

impl Crowd {
    fn ended_in_all(&self) -> u64 {
        self.ended.values().sum()
    }

    /// Looks at some of those that are open, and goes on as long as it finds that all it looked at have ended.
    async fn look(&mut self, ledger: &Ledger) -> anyhow::Result<()> {
        loop {
            let some: Vec<JobKey> = self.open.drain(..self.open.len().min(LOOK_AT)).collect();
            if some.is_empty() {
                return Ok(());
            }
            let looked = some.len();
            let shows = some.iter().map(|key| ledger.show(JobRef { source: None, id: key.to_string() }));
            let found = try_join_all(shows).await?;
            let still_open = self.sort(some, found);
            if still_open == looked || still_open > LOOK_AT / 10 {
                return Ok(());
            }
        }
    }

    /// How many of these are still open.
    fn sort(&mut self, keys: Vec<JobKey>, found: Vec<Vec<JobRow>>) -> usize {
        let before = self.open.len();
        for (key, rows) in keys.into_iter().zip(found) {
            match rows.into_iter().find(|row| row.key == key) {
                Some(row) if !row.state.has_ended() => self.open.push_back(key),
                Some(row) => *self.ended.entry((row.state, row.reason)).or_default() += 1,
                // Forgotten already: `retention` is shorter than this took.
                None => *self.ended.entry((State::Unresolved, None)).or_default() += 1,
            }
        }
        self.open.len() - before
    }
}

fn open_in_all(census: &Census) -> u64 {
    census.states.iter().filter(|(state, _)| !state.has_ended()).map(|(_, jobs)| jobs).sum()
}

fn standstill(census: &Census) -> String {
    let of = |(word, jobs): &(String, u64)| format!("{} {word}", Count(*jobs));
    let open = census.states.iter().filter(|(state, jobs)| !state.has_ended() && *jobs > 0);
    let open: Vec<_> = open.map(|(state, jobs)| of(&(state.to_string(), *jobs))).collect();
    let why: Vec<_> = census.waiting.iter().map(|(reason, jobs)| of(&(reason.to_string(), *jobs))).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    let is_any_queued = census.states.iter().any(|(state, jobs)| *state == State::Queued && *jobs > 0);
    let hint = if is_any_queued { "; is a worker running?" } else { "" };
    format!(
        "nothing has moved for {}: {}{why}; `tidegate show JOB` says why, `tidegate holds list` what blocks{hint}",
        length(STANDSTILL),
        open.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_says_what_jobs_wait_for() {
        let census = Census {
            states: vec![(State::Waiting, 1_200), (State::Accepted, 7)],
            waiting: vec![(Reason::Held, 1_200)],
            ..Census::default()
        };
        assert!(standstill(&census).starts_with("nothing has moved for 10 s: 1,200 waiting (1,200 held);"));
        assert!(!standstill(&census).contains("is a worker running"));
        assert_eq!(open_in_all(&census), 1_200);
    }
}
