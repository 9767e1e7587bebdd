//! `tidegate show`: everything about one job, and why it has not gone out.

mod why;

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::holds::mask;
use super::job_name::{find, full_name, none};
use super::output::{Column, Output, counts, facts, table, words};
use super::portfolios::Portfolios;
use super::wording::{Count, masked, moment, relative, say};
use crate::app;
use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::graph::{Path, codes};
use crate::hold::{Hold, Scope};
use crate::ledger::{JobRow, Ledger, QuotaRow, TrailEntry};
use crate::outcome::Reason;

use why::{Around, why};

/// Flags of `tidegate show`.
#[derive(Args, Debug)]
pub struct Show {
    /// The job: an id, source/id, or the ledger's key
    job: String,
    /// Show the recipient whole
    #[arg(long)]
    full: bool,
}

/// All that is known of a job.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    job: JobRow,
    /// What Meta means by its code.
    meaning: Option<&'static str>,
    /// In words, why it is where it is.
    why: String,
    /// How many of its lane go before it, as far as counted.
    ahead: Option<u32>,
    /// Holds that it will meet, besides the one it is parked under.
    holds: Vec<Hold>,
    /// The messaging limits that it waits for.
    limits: Vec<QuotaRow>,
    /// Its waits and retries.
    trail: Vec<TrailEntry>,
}

const TRAIL: &[Column<TrailEntry>] = &[
    counts("#", |entry| entry.n.to_string()),
    words("AT", |entry| relative(entry.at, clock::now().wall)),
    words("WENT", |entry| entry.state.to_string()),
    words("REASON", |entry| entry.reason.to_string()),
    words("CODE", |entry| entry.code.map(|code| code.to_string()).unwrap_or_default()),
    words("NUMBER", |entry| entry.number.clone().unwrap_or_default()),
    words("UNTIL", |entry| entry.until.map(|until| until.to_string()).unwrap_or_default()),
];

impl Show {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger(&config).await?;
        let Some(row) = find(&ledger, &self.job).await? else {
            return not_seen(&config, &self.job).await;
        };
        let mut shown = gather(&config, &ledger, row).await?;
        if !self.full {
            shown.job.recipient = masked(&shown.job.recipient);
            shown.job.hold.iter_mut().chain(&mut shown.holds).for_each(mask);
        }
        let now = clock::now().wall;
        context.output.one(&shown, || told(&shown, now))?;
        if context.output == Output::Table && !self.full {
            say("--full shows the recipient whole");
        }
        Ok(Exit::Done)
    }
}

/// A job that lies in the broker has no row yet: then the lanes say where it may be.
async fn not_seen(config: &Config, job: &str) -> anyhow::Result<Exit> {
    for (lane, ready) in app::ready_in_lanes(config).await? {
        say(format_args!("not seen by a worker yet, or unknown; lane {lane} has {} ready", Count(ready.into())));
    }
    Err(none(job))
}

/// Why a job is where it is, with all that the ledger knows.
pub async fn explain(config: &Config, ledger: &Ledger, job: &JobRow) -> anyhow::Result<String> {
    Ok(gather(config, ledger, job.clone()).await?.why)
}

async fn gather(config: &Config, ledger: &Ledger, mut job: JobRow) -> anyhow::Result<Shown> {
    let now = clock::now().wall;
    let standing = if job.state.has_ended() { Vec::new() } else { ledger.holds().await? };
    // A hold that was lifted lets its jobs out at the pace of claims; until then they still name it.
    job.hold = job
        .hold
        .filter(|parked| parked.cover.scope == Scope::Recipient || standing.iter().any(|hold| hold.id == parked.id));
    let trail = ledger.trail(job.key).await?;
    let ahead = if job.state.has_ended() { None } else { ledger.waiting_ahead(job.key, now).await? };
    let limits = limits_on(config, ledger, &standing, &job).await?;
    let around = Around { holds: in_its_way(standing, &job), limits, ahead };
    let (why, Around { holds, limits, ahead }) = (why(&job, &around, now), around);
    Ok(Shown { meaning: job.code.and_then(meaning), why, ahead, holds, limits, trail, job })
}

/// The messaging limits that a job waits for: that of the portfolio under whose hold it is, or those of all portfolios
/// that send for its pool, if each of them is at its limit.
async fn limits_on(config: &Config, ledger: &Ledger, standing: &[Hold], job: &JobRow) -> anyhow::Result<Vec<QuotaRow>> {
    let at_limit = |portfolio: &str| {
        standing.iter().any(|hold| hold.cover.scope == Scope::Quota && hold.cover.subject == portfolio)
    };
    let portfolios = match &job.hold {
        Some(hold) if hold.cover.scope == Scope::Quota => BTreeSet::from([hold.cover.subject.clone()]),
        Some(_) => BTreeSet::new(),
        None if standing.iter().all(|hold| hold.cover.scope != Scope::Quota) => BTreeSet::new(),
        None => Portfolios::read(config, ledger).await?.of_pool(&job.pool, ledger).await?,
    };
    if portfolios.is_empty() || !portfolios.iter().all(|portfolio| at_limit(portfolio)) {
        return Ok(Vec::new());
    }
    let rows = ledger.quotas(clock::now().wall).await?.into_iter();
    Ok(rows.filter(|row| portfolios.contains(&row.portfolio)).collect())
}

/// The holds that this job will meet whichever number takes it.
fn in_its_way(holds: Vec<Hold>, job: &JobRow) -> Vec<Hold> {
    let meets = |hold: &Hold| {
        let subject = Some(hold.cover.subject.as_str());
        let is_of_subject = match hold.cover.scope {
            Scope::Everything => true,
            Scope::Number => job.number.as_deref() == subject,
            Scope::Template => job.template.as_deref() == subject,
            Scope::Campaign => job.campaign.as_deref() == subject,
            // Who waits for a place is parked under it.
            Scope::Quota => false,
            Scope::Recipient => job.recipient == hold.cover.subject,
            // Whose number it will be is known only when one takes it; but what it met the last time still stands.
            Scope::Credential | Scope::Portfolio | Scope::Waba => {
                job.reason == Some(hold.reason) || hold.reason == Reason::Credentials
            }
        };
        let is_of_category = hold.cover.category.is_none_or(|category| category.as_str() == job.category);
        let is_parked_under = job.hold.as_ref().is_some_and(|parked| parked.id == hold.id);
        is_of_subject && is_of_category && !is_parked_under
    };
    holds.into_iter().filter(meets).collect()
}

fn told(shown: &Shown, now: Timestamp) -> String {
    let job = &shown.job;
    let at = |time: Option<Timestamp>| time.map(|time| moment(time, now));
    let state = job.reason.map_or_else(|| job.state.to_string(), |reason| format!("{}: {reason}", job.state));
    let facts = facts(
        &[
            ("job", Some(full_name(job))),
            ("state", Some(state)),
            ("why", Some(shown.why.clone())),
            ("Meta said", said_by_meta(job)),
            ("pool", Some(job.pool.clone())),
            ("number", job.number.clone()),
            ("priority", Some(job.priority.to_string())),
            ("to", Some(job.recipient.clone())),
            ("category", Some(job.category.clone())),
            ("template", job.template.clone()),
            ("campaign", job.campaign.clone()),
            ("attempts", Some(job.attempts.to_string())),
            ("wamid", job.wamid.clone()),
            ("created", at(Some(job.created_at))),
            ("due", at(job.due_at)),
            ("accepted", at(job.accepted_at)),
            ("sent", at(job.sent_at)),
            ("delivered", at(job.delivered_at)),
            ("read", at(job.read_at)),
            ("price", price(job)),
            ("ended", at(job.ended_at)),
            ("changed", at(Some(job.updated_at))),
            ("expires", at(Some(job.expires_at)).filter(|_| !job.state.has_ended())),
            ("key", Some(job.key.to_string())),
        ],
        None,
    );
    if shown.trail.is_empty() { facts } else { format!("{facts}\n\n{}", table(&shown.trail, TRAIL, None)) }
}

fn price(job: &JobRow) -> Option<String> {
    let parts: Vec<_> = [job.cost_category.clone(), job.cost_type.clone()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn said_by_meta(job: &JobRow) -> Option<String> {
    let details = job.details.clone().filter(|details| !details.is_empty());
    let code = job.code.map(|code| match meaning(code) {
        Some(meaning) => format!("{code}, {meaning}"),
        None => code.to_string(),
    });
    let said: Vec<_> = [code, details].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(": "))
}

/// What Meta means by a code, where our table has it.
pub fn meaning(code: u32) -> Option<&'static str> {
    Some(codes::lookup(Path::Messages, code, None)?.meaning)
}
