//! `tidegate send`: puts one job in line, or a file of many; on request stays until they have ended.

mod compose;
mod embedded;
mod file;
mod follow;
mod follow_many;
mod lines;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::Serialize;
use tokio::io::AsyncReadExt;

use super::context::{Context, directory, known_numbers};
use super::exit::Exit;
use super::output::Output;
use super::wording::{moment, say};
use crate::clock;
use crate::config::Config;
use crate::fleet::{Directory, Unroutable, templates};
use crate::job::{self, Job, JobKey, Received};
use crate::ledger::{Enqueued, Ledger, Route, Routed};
use crate::outcome::State;

use compose::{Content, Flags};
use embedded::Company;

const EXAMPLES: &str = "Examples:
  tidegate send --to +447700900123 --template hello_world --language en_US --follow
  tidegate send --to +447700900123 --text 'Your code is 1234' --priority urgent --ttl 5m
  tidegate send --file jobs.jsonl --run
  generate-jobs | tidegate send --file - --output json";

/// Flags of `tidegate send`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Send {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    flags: Flags,
    /// Stay until the outcome is there
    #[arg(long)]
    follow: bool,
    /// Run a worker too, until all have ended
    #[arg(long)]
    run: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// Send this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Send this template
    #[arg(long, value_name = "NAME", requires = "language")]
    template: Option<String>,
    /// Send the job in this file, as `tidegate schema` describes it; - is the standard input
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Send the jobs in this file, one a line; - is the standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What became of a job that was handed in.
#[derive(Serialize)]
struct Answer {
    id: String,
    source: Option<String>,
    key: JobKey,
    /// `accepted` or `duplicate`.
    result: &'static str,
    /// Where it stands.
    state: State,
}

/// As much as may be read for one job: one byte more than it may have, so that it is refused for its length.
const MOST: u64 = 256 * 1_024 + 1;

impl Send {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        if self.run {
            config.check_sending()?;
        }
        let company = if self.run { Company::Worker } else { Company::None };
        if let Some(path) = self.what.file {
            let many = file::Many { path, follow: self.follow || self.run };
            let ledger = context.ledger_or_new(&config).await?;
            return embedded::beside(company, &config, many.hand_in(context, &config, &ledger)).await;
        }
        let body = match (self.what.text, self.what.template, self.what.json) {
            (Some(text), _, _) => self.flags.compose(Content::Text(text), clock::now().wall),
            (_, Some(name), _) => self.flags.compose(Content::Template(name), clock::now().wall),
            (_, _, Some(path)) => read_one(&path).await?,
            (None, None, None) => return Err(anyhow!("nothing to send was named")),
        };
        // Refused before a ledger is made for it.
        let parse = |received: &Received| job::parse(&body, received).map_err(|refused| anyhow!("refused: {refused}"));
        let received = Received::here(clock::now().wall);
        parse(&received)?;
        let ledger = context.ledger_or_new(&config).await?;
        let job = parse(&Received { catalogue: Some(templates::catalogue(&ledger).await?), ..received })?;
        let one = hand_in(context, &config, &ledger, job, self.follow || self.run);
        embedded::beside(company, &config, one).await
    }
}

async fn hand_in(context: &Context, config: &Config, ledger: &Ledger, job: Job, follow: bool) -> anyhow::Result<Exit> {
    let known = known_numbers(config, ledger).await?;
    let routed = routed(&directory(config, &known), job).context("from")?;
    if let Some(number) = routed.route.pinned.as_ref().filter(|number| !known.contains_key(*number)) {
        say(format_args!("note: no number {number} is known here yet; the job waits until a worker has it"));
    }
    let (job, route) = (routed.job.clone(), routed.route.clone());
    let answer = ledger.enqueue(vec![routed], clock::now().wall).await?.into_iter().next();
    let state = match answer.context("the ledger has not answered for the job")? {
        Enqueued::Fresh => {
            say(in_line(&job, &route));
            if job.not_before.is_some() { State::Waiting } else { State::Queued }
        }
        Enqueued::Duplicate(state) => {
            say(format_args!("duplicate: job {} was handed in before, and is {state}", job.id));
            state
        }
        Enqueued::IdReused => {
            return Err(anyhow!(
                "id_reused: another job has the id {}; the same id must mean the same message",
                job.id
            ));
        }
    };
    let result = if answer == Some(Enqueued::Fresh) { "accepted" } else { "duplicate" };
    let source = job.source.as_ref().map(ToString::to_string);
    let answer = Answer { id: job.id.to_string(), source, key: job.key, result, state };
    if context.output == Output::Table || !follow {
        context.output.one(&answer, || answer.id.clone())?;
    }
    if follow { follow::follow(context, ledger, &answer).await } else { Ok(Exit::Done) }
}

fn in_line(job: &Job, route: &Route) -> String {
    let now = clock::now().wall;
    let by = route.pinned.as_ref().map_or_else(|| format!("pool {}", route.pool), |number| format!("number {number}"));
    let when = job.not_before.map(|at| format!(", not before {}", moment(at, now))).unwrap_or_default();
    format!("in line by {by}, {}{when}; it expires {}", job.priority, moment(job.expires_at, now))
}

/// A job with its place in line, or why there is none for it.
fn routed(directory: &Directory, job: Job) -> Result<Routed, Unroutable> {
    let route = directory.route(&job.from)?;
    Ok(Routed { job: Arc::new(job), route })
}

async fn read_one(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    if path.as_os_str() == "-" {
        tokio::io::stdin().take(MOST).read_to_end(&mut body).await.context("the standard input can't be read")?;
    } else {
        let shown = path.display();
        let file = tokio::fs::File::open(path).await.with_context(|| format!("{shown} can't be opened"))?;
        file.take(MOST).read_to_end(&mut body).await.with_context(|| format!("{shown} can't be read"))?;
    }
    Ok(body)
}
