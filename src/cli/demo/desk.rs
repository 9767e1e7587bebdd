//! The demo's producer: hands jobs in as any producer would, and notes when it did.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::clock;
use crate::fleet::Directory;
use crate::job::{self, JobKey, Received};
use crate::ledger::{Dead, Enqueued, Ledger, Routed};
use crate::sim::Oracle;

/// Jobs in one transaction.
const BATCH: usize = 200;

/// What a job is to the demo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One of thousands.
    Campaign,
    /// A one-time password, which somebody is waiting for.
    Password,
    /// A shipping notice.
    Notice,
}

/// A job that the ledger took.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// What it is.
    pub kind: Kind,
    /// When its producer handed it in, before the ledger had committed it; by the simulator's clock.
    pub at_ns: u64,
    /// Messages of the campaign that were waiting then.
    pub ahead: u64,
}

/// All that was handed in.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// What the ledger took.
    pub jobs: HashMap<JobKey, Handed>,
    /// How many it had been given before, and did not take again.
    pub duplicates: u64,
    /// Why others were set aside.
    pub dead: Vec<String>,
}

/// Where jobs are handed in.
pub struct Desk {
    ledger: Ledger,
    directory: Directory,
    oracle: Oracle,
    /// What has been handed in here.
    pub book: Book,
}

impl Desk {
    /// Before this ledger; all jobs go to pool `default`.
    pub fn new(ledger: Ledger, oracle: Oracle) -> Self {
        Self { ledger, directory: Directory::new([]), oracle, book: Book::default() }
    }

    /// Hands jobs in, with so many of the campaign waiting already. Gives the keys of those that are jobs, in order.
    pub async fn hand_in(&mut self, kind: Kind, jobs: &[Value], ahead: u64) -> anyhow::Result<Vec<JobKey>> {
        let mut all = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(BATCH) {
            let (now, at_ns) = (clock::now().wall, self.oracle.now_ns());
            let mut routed = Vec::with_capacity(batch.len());
            for body in batch.iter().map(Value::to_string) {
                match job::parse(body.as_bytes(), &Received::here(now)) {
                    Ok(job) => {
                        let route = self.directory.route(&job.from)?;
                        routed.push(Routed { job: Arc::new(job), route });
                    }
                    Err(refused) => self.bury(body, refused).await?,
                }
            }
            let keys: Vec<JobKey> = routed.iter().map(|routed| routed.job.key).collect();
            all.extend_from_slice(&keys);
            let answers = self.ledger.enqueue(routed, now).await.context("the ledger did not take the jobs")?;
            for (key, answer) in keys.into_iter().zip(answers) {
                match answer {
                    Enqueued::Fresh => {
                        self.book.jobs.insert(key, Handed { kind, at_ns, ahead });
                    }
                    Enqueued::Duplicate(_) => self.book.duplicates += 1,
                    Enqueued::IdReused => bail!("two different jobs of the demo have one id"),
                }
            }
        }
        Ok(all)
    }

    async fn bury(&mut self, body: String, refused: job::Refused) -> anyhow::Result<()> {
        let (field, reason) = (refused.field, refused.reason);
        self.book.dead.push(format!("{field}: {reason}"));
        let dead = Dead { body: body.into_bytes(), reason, field, origin: "demo".to_owned(), at: clock::now().wall };
        self.ledger.bury(vec![dead]).await.context("the ledger did not take a dead body")?;
        Ok(())
    }
}

impl Book {
    /// How many jobs of a kind were taken.
    pub fn count(&self, kind: Kind) -> u64 {
        self.jobs.values().filter(|handed| handed.kind == kind).count() as u64
    }
}
