//! Hands in a file of jobs, one a line, in small transactions; bad lines are buried, and the others go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::io::{AsyncBufRead, BufReader};

use super::lines::{Line, Lines};
use super::{follow_many, routed};
use crate::cli::context::{Context, directory, known_numbers};
use crate::cli::exit::Exit;
use crate::cli::output::{Output, table};
use crate::cli::progress::Progress;
use crate::cli::wording::{Count, counted, say};
use crate::clock;
use crate::config::Config;
use crate::fleet::{Directory, templates};
use crate::job::{self, Catalogue, JobKey, Received};
use crate::ledger::{Dead, Enqueued, Ledger, Routed};

/// Jobs of one transaction: the worker beside gets its turn in between.
const BATCH: usize = 200;
/// How long a batch waits for more lines from a slow writer.
const GATHER: Duration = Duration::from_millis(50);
/// As many bad lines are told one by one.
const TOLD: u64 = 10;

/// A file of jobs.
pub struct Many {
    /// Which one; `-` is the standard input.
    pub path: PathBuf,
    /// Whether to stay until all have ended.
    pub follow: bool,
}

/// What became of the lines.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub struct Summary {
    lines: u64,
    accepted: u64,
    duplicate: u64,
    reused: u64,
    dead: u64,
    #[serde(skip)]
    without_id: u64,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Vec<follow_many::Ended>>,
}

/// Lines that go into the ledger together.
#[derive(Default)]
struct Batch {
    jobs: Vec<(Routed, Line)>,
    dead: Vec<Dead>,
}

struct Counter<'a> {
    ledger: &'a Ledger,
    directory: Directory,
    catalogue: Arc<Catalogue>,
    origin: String,
    summary: Summary,
    keys: Vec<JobKey>,
    progress: Progress,
}

impl Many {
    /// Hands in every line, then follows if that was asked for, and prints what became of them.
    pub async fn hand_in(self, context: &Context, config: &Config, ledger: &Ledger) -> anyhow::Result<Exit> {
        let known = known_numbers(config, ledger).await?;
        let mut counter = Counter {
            ledger,
            directory: directory(config, &known),
            catalogue: templates::catalogue(ledger).await?,
            origin: origin(&self.path),
            summary: Summary::default(),
            keys: Vec::new(),
            progress: Progress::new("handed in", None),
        };
        if self.path.as_os_str() == "-" {
            counter.all(BufReader::new(tokio::io::stdin())).await?;
        } else {
            let shown = self.path.display();
            if self.path.is_dir() {
                bail!("{shown} is a folder; name a file of jobs, one a line, or - for the standard input");
            }
            let file = tokio::fs::File::open(&self.path).await.with_context(|| format!("{shown} can't be opened"))?;
            counter.all(BufReader::with_capacity(1 << 17, file)).await?;
        }
        counter.progress.end();
        counter.summary.say(&counter.origin);
        let ended = if self.follow { Some(follow_many::follow(ledger, counter.keys).await?) } else { None };
        report(context, Report { summary: counter.summary, ended })
    }
}

fn report(context: &Context, report: Report) -> anyhow::Result<Exit> {
    let is_empty = report.ended.as_ref().is_none_or(Vec::is_empty);
    if context.output != Output::Table || !is_empty {
        context.output.one(&report, || {
            let ended = report.ended.as_deref().unwrap_or_default();
            table(ended, follow_many::COLUMNS, None)
        })?;
    }
    let refused = report.summary.reused + report.summary.dead;
    let all_good = report.ended.as_deref().is_none_or(follow_many::all_good);
    Ok(match (refused, all_good) {
        (0, true) => Exit::Done,
        (some, _) if some == report.summary.lines && some > 0 => Exit::Failed,
        _ => Exit::Partly,
    })
}

/// Where lines come from, as the dead remember it: the file's name without its folders.
fn origin(path: &Path) -> String {
    match path.file_name() {
        Some(name) if path.as_os_str() != "-" => format!("cli:{}", name.to_string_lossy()),
        _ => "cli:stdin".to_owned(),
    }
}

impl Counter<'_> {
    async fn all(&mut self, reader: impl AsyncBufRead + Unpin) -> anyhow::Result<()> {
        let mut lines = Lines::new(reader);
        let mut batch = Batch::default();
        loop {
            let next = match tokio::time::timeout(GATHER, lines.next()).await {
                Ok(next) => next.with_context(|| format!("{} can't be read on", self.origin))?,
                Err(_) => {
                    self.commit(std::mem::take(&mut batch)).await?;
                    continue;
                }
            };
            let Some(line) = next else { return self.commit(batch).await };
            if self.summary.lines == 0 {
                recognise(&line)?;
            }
            self.summary.lines += 1;
            self.take(line, &mut batch);
            if batch.jobs.len() + batch.dead.len() == BATCH {
                self.commit(std::mem::take(&mut batch)).await?;
            }
        }
    }

    fn take(&mut self, line: Line, batch: &mut Batch) {
        let catalogue = Some(self.catalogue.clone());
        let received = Received { catalogue, ..Received::here(clock::now().wall) };
        let refused = match job::parse(&line.bytes, &received) {
            Ok(job) => {
                self.summary.without_id += u64::from(job.id.made_at() == Some(received.now));
                match routed(&self.directory, job) {
                    Ok(routed) => return batch.jobs.push((routed, line)),
                    Err(unroutable) => ("from".to_owned(), unroutable.to_string()),
                }
            }
            Err(refused) => (refused.field, refused.reason),
        };
        self.summary.dead += 1;
        batch.dead.push(self.dead(line, refused.0, refused.1));
    }

    fn dead(&self, line: Line, field: String, reason: String) -> Dead {
        let bad = self.summary.dead + self.summary.reused;
        if bad <= TOLD {
            self.progress.say(&format!("{}:{}: {field}: {reason}", self.origin, line.number));
        } else if bad == TOLD + 1 {
            self.progress.say("and more: `tidegate dead list` shows them all");
        }
        let origin = format!("{}:{}", self.origin, line.number);
        Dead { body: line.bytes, reason, field, origin, at: clock::now().wall }
    }

    async fn commit(&mut self, mut batch: Batch) -> anyhow::Result<()> {
        let (routed, lines): (Vec<_>, Vec<_>) = batch.jobs.into_iter().unzip();
        if !routed.is_empty() {
            let keys: Vec<_> = routed.iter().map(|routed| routed.job.key).collect();
            let first = lines.first().map_or(0, |line| line.number);
            let answers = self.ledger.enqueue(routed, clock::now().wall).await;
            let answers = answers.with_context(|| {
                format!("stopped at line {first}, all before it are in; those that have an id can be handed in again")
            })?;
            for ((answer, line), key) in answers.into_iter().zip(lines).zip(keys) {
                self.count(answer, line, key, &mut batch.dead);
            }
        }
        if !batch.dead.is_empty() {
            self.ledger.bury(batch.dead).await.context("bad lines can't be set aside")?;
        }
        self.progress.reach(self.summary.lines);
        Ok(())
    }

    fn count(&mut self, answer: Enqueued, line: Line, key: JobKey, dead: &mut Vec<Dead>) {
        match answer {
            Enqueued::Fresh => {
                self.summary.accepted += 1;
                self.keys.push(key);
            }
            Enqueued::Duplicate(state) => {
                self.summary.duplicate += 1;
                if !state.has_ended() {
                    self.keys.push(key);
                }
            }
            Enqueued::IdReused => {
                self.summary.reused += 1;
                dead.push(self.dead(line, "id".to_owned(), "id_reused: another job has this id".to_owned()));
            }
        }
    }
}

/// Refuses a file that plainly is no list of jobs, before every line of it is buried.
fn recognise(first: &Line) -> anyhow::Result<()> {
    let text = first.bytes.trim_ascii();
    if text.starts_with(b"[") {
        bail!("this is a JSON array, and jobs stand one a line here: `jq -c '.[]' FILE | tidegate send --file -`");
    }
    if text == b"{" {
        bail!(
            "this is JSON over several lines, and jobs stand one a line here: `jq -c . FILE | tidegate send --file -`"
        );
    }
    Ok(())
}

impl Summary {
    fn say(&self, origin: &str) {
        if self.lines == 0 {
            say("there are no jobs in it");
            return;
        }
        let mut parts = vec![format!("{} taken in", Count(self.accepted))];
        for (count, what) in
            [(self.duplicate, "duplicate"), (self.reused, "with an id of another job"), (self.dead, "dead")]
        {
            if count > 0 {
                parts.push(format!("{} {what}", Count(count)));
            }
        }
        say(format_args!("{} of {origin}: {}", counted(self.lines, "line"), parts.join(", ")));
        if self.reused + self.dead > 0 {
            say("`tidegate dead list` shows what was refused and why; correct the lines and hand them in again");
        }
        if self.without_id > 0 {
            say(format_args!(
                "note: {} had no id: handed in again, they would be sent again",
                counted(self.without_id, "line")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { number: 1, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_file_that_is_no_list_of_jobs_is_refused_whole() {
        assert!(recognise(&line(" [{\"id\": 1}]")).is_err());
        assert!(recognise(&line("{ ")).is_err());
        assert!(recognise(&line("{\"id\": \"a\"}")).is_ok());
        assert!(recognise(&line("rubbish")).is_ok());
    }

    #[test]
    fn the_origin_is_the_files_name() {
        assert_eq!(origin(Path::new("/data/in/jobs.jsonl")), "cli:jobs.jsonl");
        assert_eq!(origin(Path::new("-")), "cli:stdin");
    }
}
