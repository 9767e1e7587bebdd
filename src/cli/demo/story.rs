//! The way of one unlucky job, as its trail and the simulator's log tell it. Pure.

use std::time::Duration;

use super::observer::job_of;
use super::reckoning::{Findings, is_taken};
use super::stage::CAST;
use crate::ledger::{JobRow, TrailEntry};
use crate::outcome::Reason;

/// What happened to one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The producer's id of it.
    pub id: String,
    /// Step by step.
    pub steps: Vec<Step>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// After it was handed in.
    pub after: Duration,
    /// What.
    pub event: Event,
}

/// What can happen to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The ledger took it, with so many of the campaign before it.
    TakenIn {
        /// So many.
        ahead: u64,
    },
    /// An attempt failed, or it could not go.
    Waited {
        /// The number that tried.
        number: Option<&'static str>,
        /// Why.
        reason: Reason,
        /// Meta's code.
        code: Option<u32>,
        /// How long it waits before it goes again, where that is known.
        again_in: Option<Duration>,
    },
    /// Meta took it.
    Accepted {
        /// The number that sent it.
        number: &'static str,
        /// Which attempt it was.
        attempt: u32,
    },
}

/// The job with the most to tell among those that came through.
pub fn unluckiest(findings: &Findings) -> Option<Story> {
    let accepted = findings.rows.iter().filter(|row| is_taken(row.state));
    let with_trails = accepted.filter_map(|row| Some((row, findings.trails.get(&row.key)?)));
    // What Meta said is told rather than what a server before it said; of equals the lowest id.
    let codes = |trail: &[TrailEntry]| trail.iter().filter(|entry| entry.code.is_some()).count();
    let (row, trail) = with_trails.max_by(|(a, of_a), (b, of_b)| {
        codes(of_a).cmp(&codes(of_b)).then(of_a.len().cmp(&of_b.len())).then(b.id.cmp(&a.id))
    })?;
    tell(findings, row, trail)
}

fn tell(findings: &Findings, row: &JobRow, trail: &[TrailEntry]) -> Option<Story> {
    let handed = findings.book.jobs.get(&row.key)?;
    let position = place_in_line(findings, row);
    let mut steps = vec![Step { after: Duration::ZERO, event: Event::TakenIn { ahead: handed.ahead + position } }];
    steps.extend(trail.iter().map(|entry| Step {
        after: entry.at.since(row.created_at),
        event: Event::Waited {
            number: entry.number.as_deref().and_then(display),
            reason: entry.reason,
            code: entry.code,
            again_in: entry.until.map(|until| until.since(entry.at)),
        },
    }));
    let taken = findings.entries.iter().find(|entry| entry.outcome.is_accepted() && job_of(entry) == Some(row.key))?;
    steps.push(Step {
        after: Duration::from_nanos(taken.at_ns.saturating_sub(handed.at_ns)),
        event: Event::Accepted { number: display(&taken.number)?, attempt: row.attempts },
    });
    Some(Story { id: row.id.clone(), steps })
}

/// How many of the campaign were handed in before it: rows come the newest first.
fn place_in_line(findings: &Findings, row: &JobRow) -> u64 {
    let older = findings.rows.iter().skip_while(|other| other.key != row.key).skip(1);
    older.filter(|other| other.campaign == row.campaign).count() as u64
}

fn display(id: &str) -> Option<&'static str> {
    CAST.iter().find(|player| player.id == id).map(|player| player.display)
}
