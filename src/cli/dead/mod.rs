//! `tidegate dead`: what was handed in and could not become a job, and jobs that nobody should try again.

mod replay;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::args;
use super::ask::agreed;
use super::context::Context;
use super::exit::Exit;
use super::output::{Column, Output, counts, facts, words};
use super::wording::{Count, counted, moment, relative, say};
use crate::clock::{self, Timestamp};
use crate::ledger::{DeadRow, Ledger};

/// What can be done about the dead.
#[derive(Subcommand, Debug)]
pub enum DeadCommand {
    /// List them, the oldest first
    List(List),
    /// Show one, with --full its body too
    Show(Show),
    /// Hand them in once more, and drop those that become jobs
    Replay(replay::Replay),
    /// Drop them for good
    Drop(Drop),
}

/// Flags of `tidegate dead list`.
#[derive(Args, Debug)]
pub struct List {
    /// Only those after this one
    #[arg(long, default_value_t = 0, value_name = "DEAD")]
    after: i64,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// Flags of `tidegate dead show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Which one, by the number that `dead list` shows
    #[arg(value_name = "DEAD", value_parser = args::serial)]
    seq: i64,
    /// Print the body too: it may have a recipient and a message in it
    #[arg(long)]
    full: bool,
}

/// Flags of `tidegate dead drop`.
#[derive(Args, Debug)]
pub struct Drop {
    #[command(flatten)]
    which: Which,
}

/// Some of the dead, or all.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// Which ones, by the numbers that `dead list` shows
    #[arg(value_name = "DEAD", value_parser = args::serial)]
    seqs: Vec<i64>,
    /// Every one
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Listed {
    dead: i64,
    at: Timestamp,
    origin: String,
    field: String,
    reason: String,
    body_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl From<DeadRow> for Listed {
    fn from(row: DeadRow) -> Self {
        let body_bytes = row.dead.body.len();
        let (at, origin, field, reason) = (row.dead.at, row.dead.origin, row.dead.field, row.dead.reason);
        Self { dead: row.seq, at, origin, field, reason, body_bytes, body: None }
    }
}

const COLUMNS: &[Column<Listed>] = &[
    counts("DEAD", |row| row.dead.to_string()),
    words("SINCE", |row| relative(row.at, clock::now().wall)),
    words("FROM", |row| row.origin.clone()),
    words("FIELD", |row| row.field.clone()),
    words("REASON", |row| row.reason.clone()),
];

/// As many as one question to the ledger may bring: bodies are up to 256 KiB each.
const PAGE: u32 = 100;

impl DeadCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Replay(replay) => replay.run(context).await,
            Self::Drop(drop) => drop.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let mut rows: Vec<Listed> = Vec::new();
        let mut after = self.after;
        while let Some(left) = self.limit.checked_sub(u32::try_from(rows.len())?).filter(|left| *left > 0) {
            let page = ledger.dead_list(after, left.min(PAGE)).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            rows.extend(page.into_iter().map(Listed::from));
        }
        context.output.list(&rows, COLUMNS)?;
        if context.output == Output::Table {
            let in_all = ledger.census().await?.dead;
            match (rows.is_empty(), in_all) {
                (true, 0) => say("nothing is dead"),
                (true, _) => say(format_args!("none after {}", self.after)),
                (false, more) if more > rows.len() as u64 => say(format_args!("{} in all", Count(more))),
                (false, _) => {}
            }
        }
        Ok(Exit::Done)
    }
}

impl Show {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let row = found(&ledger, self.seq).await?;
        let body = self.full.then(|| String::from_utf8_lossy(&row.dead.body).into_owned());
        let shown = Listed { body, ..Listed::from(row) };
        context.output.one(&shown, || told(&shown))?;
        if shown.body.is_none() && context.output == Output::Table {
            say("--full prints the body too");
        }
        Ok(Exit::Done)
    }
}

fn told(shown: &Listed) -> String {
    let table = facts(
        &[
            ("dead", Some(shown.dead.to_string())),
            ("since", Some(moment(shown.at, clock::now().wall))),
            ("from", Some(shown.origin.clone())),
            ("field", Some(shown.field.clone()).filter(|field| !field.is_empty())),
            ("reason", Some(shown.reason.clone())),
            ("body", Some(counted(shown.body_bytes as u64, "byte"))),
        ],
        None,
    );
    shown.body.as_ref().map_or_else(|| table.clone(), |body| format!("{table}\n\n{body}"))
}

async fn found(ledger: &Ledger, seq: i64) -> anyhow::Result<DeadRow> {
    let row = ledger.dead_show(seq).await?;
    row.ok_or_else(|| anyhow!("there is no dead {seq}; `tidegate dead list` shows those there are"))
}

impl Which {
    /// Their numbers, in order.
    async fn numbers(self, ledger: &Ledger) -> anyhow::Result<Vec<i64>> {
        if !self.all {
            return Ok(self.seqs);
        }
        let mut seqs = Vec::new();
        loop {
            let page = ledger.dead_list(seqs.last().copied().unwrap_or(0), PAGE).await?;
            if page.is_empty() {
                return Ok(seqs);
            }
            seqs.extend(page.iter().map(|row| row.seq));
        }
    }
}

impl Drop {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let seqs = self.which.numbers(&ledger).await?;
        if seqs.is_empty() {
            say("nothing is dead");
            return Ok(Exit::Done);
        }
        let question = format!("{} will be gone for good. Drop?", counted(seqs.len() as u64, "dead one"));
        if !agreed(&question, context.yes)? {
            say("nothing was dropped");
            return Ok(Exit::Failed);
        }
        let (mut dropped, wanted) = (0, seqs.len());
        for some in seqs.chunks(PAGE as usize) {
            dropped += ledger.dead_drop(some.to_vec()).await? as usize;
        }
        say(format_args!("dropped {} of {}", Count(dropped as u64), Count(wanted as u64)));
        Ok(match dropped {
            0 => Exit::Failed,
            some if some < wanted => Exit::Partly,
            _ => Exit::Done,
        })
    }
}
