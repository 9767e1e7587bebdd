//! `tidegate unknown`: jobs of which nobody knows whether they were sent, and a person's word for what became of them.

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::ask::agreed;
use super::context::Context;
use super::exit::Exit;
use super::job_name::{find, full_name, none};
use super::output::{Column, Output, counts, words};
use super::wording::{masked, relative, say};
use crate::clock;
use crate::ledger::{JobFilter, JobRef, JobRow, Resolution};
use crate::outcome::State;

/// What can be done about unknown jobs.
#[derive(Subcommand, Debug)]
pub enum Unknown {
    /// List them, with when their own policy decides
    List(List),
    /// Decide by hand what became of one
    Resolve(Resolve),
}

/// Flags of `tidegate unknown list`.
#[derive(Args, Debug)]
pub struct List {
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Show recipients whole
    #[arg(long)]
    full: bool,
}

/// Flags of `tidegate unknown resolve`.
#[derive(Args, Debug)]
pub struct Resolve {
    /// The job: an id, or source/id
    job: String,
    #[command(flatten)]
    verdict: Verdict,
}

#[derive(Args, Debug, Clone, Copy)]
#[group(required = true, multiple = false)]
struct Verdict {
    /// It was sent: it ends as accepted
    #[arg(long)]
    sent: bool,
    /// It was not sent: send it again (if it was sent after all, its recipient gets it twice)
    #[arg(long)]
    resend: bool,
    /// Nobody will know: it ends as unresolved
    #[arg(long)]
    leave: bool,
}

const COLUMNS: &[Column<JobRow>] = &[
    words("JOB", full_name),
    words("TO", |row| row.recipient.clone()),
    words("NUMBER", |row| row.number.clone().unwrap_or_default()),
    counts("TRIES", |row| row.attempts.to_string()),
    words("WHY", |row| row.reason.map(|reason| reason.to_string()).unwrap_or_default()),
    words("SINCE", |row| relative(row.updated_at, clock::now().wall)),
    words("DECIDED", |row| row.deadline.map(|at| relative(at, clock::now().wall)).unwrap_or_default()),
];

impl Unknown {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Resolve(resolve) => resolve.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let filter = JobFilter { state: Some(State::Unknown), limit: self.limit, ..JobFilter::default() };
        let mut rows = ledger.jobs(filter).await?;
        if !self.full {
            rows.iter_mut().for_each(|row| row.recipient = masked(&row.recipient));
        }
        context.output.list(&rows, COLUMNS)?;
        if rows.is_empty() && context.output == Output::Table {
            say("of every job it is known what became of it");
        }
        Ok(Exit::Done)
    }
}

impl Verdict {
    fn resolution(self) -> Resolution {
        if self.sent {
            Resolution::Sent
        } else if self.resend {
            Resolution::Resend
        } else {
            Resolution::Leave
        }
    }
}

impl Resolve {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let row = find(&ledger, &self.job).await?.ok_or_else(|| none(&self.job))?;
        let name = full_name(&row);
        if row.state != State::Unknown {
            return Err(anyhow!("{name} is {}, not unknown: there is nothing to decide", row.state));
        }
        let resolution = self.verdict.resolution();
        let question = format!("{name} may have been sent already; its recipient would get it twice. Send it again?");
        if resolution == Resolution::Resend && !agreed(&question, context.yes)? {
            say("left as it is");
            return Ok(Exit::Failed);
        }
        let job = JobRef { source: None, id: row.key.to_string() };
        if !ledger.resolve(job, resolution, clock::now().wall).await? {
            return Err(anyhow!("{name} is not unknown any more: `tidegate show {name}`"));
        }
        say(match resolution {
            Resolution::Sent => format!("{name} ended as accepted"),
            Resolution::Resend => format!("{name} is in line again"),
            Resolution::Leave => format!("{name} ended as unresolved"),
        });
        Ok(Exit::Done)
    }
}
