//! `tidegate jobs`: lists jobs, the newest first; what they cost is reckoned by [`costs`](super::costs).

use clap::{Args, Subcommand};

use super::args;
use super::context::Context;
use super::costs::Costs;
use super::exit::Exit;
use super::job_name::full_name;
use super::output::{Column, Output, counts, words};
use super::wording::{Count, masked, relative, say};
use crate::clock;
use crate::job::{Campaign, NumberId, PoolName, Recipient};
use crate::ledger::{Census, JobFilter, JobRow};
use crate::outcome::State;

/// What can be asked about jobs.
#[derive(Subcommand, Debug)]
pub enum Jobs {
    /// List jobs, the newest first
    List(List),
    /// What messages cost, by day, campaign, category and type
    Costs(Box<Costs>),
}

/// Flags of `tidegate jobs list`.
#[derive(Args, Debug)]
pub struct List {
    /// Only jobs in this state
    #[arg(long, value_parser = args::word(State::ALL, State::as_str))]
    state: Option<State>,
    /// Only jobs of this campaign
    #[arg(long)]
    campaign: Option<Campaign>,
    /// Only jobs of this pool
    #[arg(long)]
    pool: Option<PoolName>,
    /// Only jobs of this number, by Meta's id
    #[arg(long, value_name = "ID")]
    number: Option<NumberId>,
    /// Only jobs to this recipient
    #[arg(long, value_name = "RECIPIENT")]
    to: Option<Recipient>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Show recipients whole
    #[arg(long)]
    full: bool,
}

const COLUMNS: &[Column<JobRow>] = &[
    words("JOB", full_name),
    words("STATE", |row| row.state.to_string()),
    words("REASON", reason),
    words("BY", |row| row.number.clone().unwrap_or_else(|| row.pool.clone())),
    words("PRIORITY", |row| row.priority.to_string()),
    words("TO", |row| row.recipient.clone()),
    counts("TRIES", |row| row.attempts.to_string()),
    words("CHANGED", |row| relative(row.updated_at, clock::now().wall)),
];

impl Jobs {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Costs(costs) => costs.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let filter = JobFilter {
            state: self.state,
            campaign: self.campaign.as_ref().map(ToString::to_string),
            pool: self.pool,
            number: self.number,
            recipient: self.to.as_ref().map(|to| to.expose().to_owned()),
            limit: self.limit,
        };
        let mut rows = ledger.jobs(filter).await?;
        if !self.full {
            rows.iter_mut().for_each(|row| row.recipient = masked(&row.recipient));
        }
        context.output.list(&rows, COLUMNS)?;
        if context.output == Output::Table {
            if rows.is_empty() {
                say("no such jobs");
            }
            say(in_all(&ledger.census().await?));
        }
        Ok(Exit::Done)
    }
}

fn reason(row: &JobRow) -> String {
    let reason = row.reason.map(|reason| reason.to_string()).unwrap_or_default();
    row.code.map_or_else(|| reason.clone(), |code| format!("{reason} ({code})"))
}

/// All jobs by state: `in all: 1,000 queued, 12 accepted; 3 dead`.
pub fn in_all(census: &Census) -> String {
    let states: Vec<_> = census.states.iter().filter(|(_, n)| *n > 0).collect();
    let states: Vec<_> = states.iter().map(|(state, n)| format!("{} {state}", Count(*n))).collect();
    let states = if states.is_empty() { "no jobs".to_owned() } else { states.join(", ") };
    let dead = if census.dead > 0 { format!("; {} dead", Count(census.dead)) } else { String::new() };
    format!("in all: {states}{dead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_census_is_said_in_a_line() {
        assert_eq!(in_all(&Census::default()), "in all: no jobs");
        let census = Census {
            states: vec![(State::Queued, 1_000), (State::Failed, 0), (State::Accepted, 2)],
            dead: 3,
            ..Census::default()
        };
        assert_eq!(in_all(&census), "in all: 1,000 queued, 2 accepted; 3 dead");
    }
}
