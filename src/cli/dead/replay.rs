//! `tidegate dead replay`: hands the dead in once more.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{Which, found};
use crate::cli::context::{Context, directory, known_numbers};
use crate::cli::exit::Exit;
use crate::cli::output::{Column, counts, words};
use crate::cli::wording::say;
use crate::clock::{self, Timestamp};
use crate::fleet::Directory;
use crate::job::{self, Job, JobKey, Received};
use crate::ledger::{DeadRow, Enqueued, Ledger, Routed};

/// Flags of `tidegate dead replay`.
#[derive(Args, Debug)]
pub struct Replay {
    #[command(flatten)]
    which: Which,
    /// Give each a new id: for those whose id belongs to another job
    #[arg(long)]
    new_id: bool,
}

#[derive(Serialize)]
struct Answer {
    dead: i64,
    replayed: bool,
    job: Option<String>,
    note: String,
}

const COLUMNS: &[Column<Answer>] = &[
    counts("DEAD", |row| row.dead.to_string()),
    words("JOB", |row| row.job.clone().unwrap_or_default()),
    words("RESULT", |row| row.note.clone()),
];

impl Replay {
    pub(in crate::cli) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger(&config).await?;
        let known = known_numbers(&config, &ledger).await?;
        let directory = directory(&config, &known);
        let seqs = self.which.numbers(&ledger).await?;
        if seqs.is_empty() {
            say("nothing is dead");
            return Ok(Exit::Done);
        }
        let mut answers = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let row = found(&ledger, seq).await?;
            answers.push(replay(&ledger, &directory, row, self.new_id).await?);
        }
        context.output.list(&answers, COLUMNS)?;
        let replayed = answers.iter().filter(|answer| answer.replayed).count();
        let rest = if replayed < answers.len() { "; what was refused again stays dead" } else { "" };
        say(format_args!("{replayed} of {} replayed{rest}", answers.len()));
        Ok(match replayed {
            0 => Exit::Failed,
            some if some < answers.len() => Exit::Partly,
            _ => Exit::Done,
        })
    }
}

async fn replay(ledger: &Ledger, directory: &Directory, row: DeadRow, new_id: bool) -> anyhow::Result<Answer> {
    let now = clock::now().wall;
    let stays = |job: Option<String>, note: String| Ok(Answer { dead: row.seq, replayed: false, job, note });
    let job = match revived(&row.dead.body, new_id, now) {
        Ok(job) => job,
        Err(refused) => return stays(None, refused),
    };
    let id = job.id.to_string();
    let route = match directory.route(&job.from) {
        Ok(route) => route,
        Err(unroutable) => return stays(Some(id), format!("from: {unroutable}")),
    };
    let routed = Routed { job: Arc::new(job), route };
    let answer = ledger.enqueue(vec![routed], now).await?.into_iter().next();
    match answer.context("the ledger has not answered for the job")? {
        Enqueued::Fresh => {
            ledger.dead_drop(vec![row.seq]).await?;
            Ok(Answer { dead: row.seq, replayed: true, job: Some(id), note: "in line".to_owned() })
        }
        Enqueued::Duplicate(state) => {
            let note =
                format!("the same job was handed in before, and is {state}: drop it, or replay it with --new-id");
            stays(Some(id), note)
        }
        Enqueued::IdReused => stays(Some(id), "another job has this id: replay it with --new-id".to_owned()),
    }
}

/// The job in a dead body: as a producer wrote it, or as the ledger kept it until nobody should try it any more.
fn revived(body: &[u8], new_id: bool, now: Timestamp) -> Result<Job, String> {
    if let Ok(kept) = serde_json::from_slice::<Job>(body) {
        // Its id ended with it, and its time ran from its first life.
        let lifetime = kept.expires_at.since(kept.enqueued_at);
        return Ok(renamed(Job { enqueued_at: now, expires_at: now + lifetime, not_before: None, ..kept }, now));
    }
    let job = job::parse(body, &Received::here(now)).map_err(|refused| refused.to_string())?;
    Ok(if new_id { renamed(job, now) } else { job })
}

fn renamed(job: Job, now: Timestamp) -> Job {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    let id = id.to_string().parse().expect("a UUID is a job's id");
    Job { key: JobKey::of(job.source.as_ref(), &id), id, ..job }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BODY: &[u8] =
        br#"{"id":"a","to":"+447700900123","ttl":"5m","message":{"type":"text","text":{"body":"hello"}}}"#;

    #[test]
    fn a_producers_body_keeps_its_id_unless_it_shall_not() {
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(revived(BODY, false, now).expect("a job").id.as_str(), "a");
        let renamed = revived(BODY, true, now).expect("a job");
        assert_eq!(renamed.id.made_at(), Some(now));
        assert_eq!(renamed.key, JobKey::of(None, &renamed.id));
        assert!(revived(b"{}", false, now).is_err());
    }

    #[test]
    fn a_job_that_the_ledger_kept_gets_a_new_id_and_its_whole_time() {
        let then = Timestamp::from_millis(1_000_000);
        let kept = serde_json::to_vec(&revived(BODY, false, then).expect("a job")).expect("JSON");
        let now = then + Duration::from_secs(86_400);
        let job = revived(&kept, false, now).expect("a job");
        assert_ne!(job.id.as_str(), "a");
        assert_eq!(job.expires_at, now + Duration::from_secs(300));
    }
}
