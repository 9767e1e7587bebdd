//! `tidegate cancel`: takes jobs back that have not left yet.

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::job_name;
use super::output::{Column, words};
use super::wording::say;
use crate::clock;
use crate::ledger::{Cancelled, JobRef, Ledger, Unseen};
use crate::outcome::State;

/// Flags of `tidegate cancel`.
#[derive(Args, Debug)]
pub struct Cancel {
    /// The jobs: an id, or source/id
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<String>,
}

#[derive(Serialize)]
struct Answer {
    job: String,
    cancelled: bool,
    /// Where it stands instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    note: String,
}

const COLUMNS: &[Column<Answer>] = &[words("JOB", |row| row.job.clone()), words("RESULT", |row| row.note.clone())];

impl Cancel {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger(&config).await?;
        let unseen = if config.queue.broker.is_some() { Unseen::Leave } else { Unseen::Refuse };
        let mut answers = Vec::with_capacity(self.jobs.len());
        for job in self.jobs {
            answers.push(cancel(&ledger, job, unseen).await?);
        }
        context.output.list(&answers, COLUMNS)?;
        let cancelled = answers.iter().filter(|answer| answer.cancelled).count();
        if cancelled < answers.len() {
            say(format_args!("{cancelled} of {} cancelled", answers.len()));
        }
        Ok(match cancelled {
            0 => Exit::Failed,
            some if some < answers.len() => Exit::Partly,
            _ => Exit::Done,
        })
    }
}

async fn cancel(ledger: &Ledger, job: String, unseen: Unseen) -> anyhow::Result<Answer> {
    let mut last = Cancelled::NotSeen;
    for reading in job_name::readings(&job) {
        last = cancel_one(ledger, reading, Unseen::Refuse).await?;
        if last != Cancelled::NotSeen {
            break;
        }
    }
    // It may lie in the broker still.
    if let Some(reading) = job_name::readings(&job).into_iter().next().filter(|_| last == Cancelled::NotSeen) {
        last = cancel_one(ledger, reading, unseen).await?;
    }
    let (cancelled, state, note) = match last {
        Cancelled::Done => (true, Some(State::Cancelled), "cancelled".to_owned()),
        Cancelled::TooLate(State::Cancelled) => (true, Some(State::Cancelled), "was cancelled before".to_owned()),
        Cancelled::TooLate(state @ (State::Sending | State::Unknown)) => {
            (false, Some(state), format!("too late: {state}, its request may have left"))
        }
        Cancelled::TooLate(state) => (false, Some(state), format!("too late: {state}")),
        Cancelled::Ahead => (true, Some(State::Cancelled), "not seen yet: it ends when it comes up".to_owned()),
        Cancelled::NotSeen => (false, None, "no such job has been seen here".to_owned()),
        Cancelled::Ambiguous => (false, None, "several producers have a job of this id: say source/id".to_owned()),
    };
    Ok(Answer { job, cancelled, state, note })
}

async fn cancel_one(ledger: &Ledger, job: JobRef, unseen: Unseen) -> anyhow::Result<Cancelled> {
    let answers = ledger.cancel(vec![job], unseen, clock::now().wall).await?;
    answers.into_iter().next().context("the ledger has not answered for the job")
}
