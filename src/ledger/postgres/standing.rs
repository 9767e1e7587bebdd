//! Where jobs stand, as far as their next step must know; found and locked by key, in order of keys.

use std::collections::HashMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::desk::Tx;
use super::words::{count, known_word, word};
use crate::job::{Digest, JobKey, NumberId};
use crate::ledger::LedgerError;
use crate::outcome::{Reason, State};

/// One job, locked until the transaction ends.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) key: JobKey,
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    pub(super) lost: u32,
    pub(super) digest: Digest,
    pub(super) number: Option<NumberId>,
    pub(super) fence: Option<i64>,
    pub(super) row: RowOf,
}

impl Standing {
    /// Whether the person was forgotten that it was for: then there is nothing to send any more.
    pub(super) fn is_erased(&self) -> bool {
        self.digest == Digest::UNSEEN
    }
}

/// Whose a job's waiting row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowOf {
    /// There is none: the broker has the job.
    Nowhere,
    /// It is free, or parked.
    Nobody,
    /// This worker has claimed it; all zero for nobody, while an attempt is under way.
    Worker(Uuid),
}

/// What was found of the jobs asked for. Where a job's row cannot be read, that is noted: one such row must not stop
/// the others.
#[derive(Default)]
pub(super) struct Found {
    jobs: HashMap<JobKey, Option<Standing>>,
}

impl Found {
    /// The job, if it is there and can be read.
    pub(super) fn get(&self, key: JobKey) -> Option<&Standing> {
        self.jobs.get(&key)?.as_ref()
    }

    /// Whether there is a row, perhaps one that cannot be read.
    pub(super) fn is_there(&self, key: JobKey) -> bool {
        self.jobs.contains_key(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Standing> {
        self.jobs.values().flatten()
    }
}

/// Locks the jobs and says where they stand. The rows of `waiting` are looked at only when the jobs are locked.
pub(super) async fn find(tx: &Tx<'_>, keys: &[JobKey]) -> Result<Found, LedgerError> {
    let keys = uuids(keys.iter().copied());
    let jobs = "SELECT key, state, reason, attempt, charged, lost, digest, number, fence FROM jobs
        WHERE key = ANY ($1::uuid[]) ORDER BY key FOR UPDATE";
    let jobs = tx.query(jobs, &[&keys]).await?;
    let rows = tx.query("SELECT key, owner FROM waiting WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    let mut owners: HashMap<Uuid, Option<Uuid>> = HashMap::with_capacity(rows.len());
    for row in &rows {
        owners.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let mut found = Found::default();
    for row in &jobs {
        let key: Uuid = row.try_get(0)?;
        let row_of = match owners.get(&key) {
            None => RowOf::Nowhere,
            Some(None) => RowOf::Nobody,
            Some(Some(owner)) => RowOf::Worker(*owner),
        };
        let standing = read(row, row_of).inspect_err(|error| {
            tracing::error!(%key, %error, "a job's row cannot be read and is left as it is");
        });
        found.jobs.insert(JobKey::from_bytes(key.into_bytes()), standing.ok());
    }
    Ok(found)
}

fn read(row: &Row, row_of: RowOf) -> Result<Standing, LedgerError> {
    Ok(Standing {
        key: JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()),
        state: word(row, 1)?,
        reason: known_word(row, 2)?,
        attempt: count(row, 3)?,
        charged: count(row, 4)?,
        lost: count(row, 5)?,
        digest: Digest::from_bytes(row.try_get::<_, Uuid>(6)?.into_bytes()),
        number: known_word(row, 7)?,
        fence: row.try_get(8)?,
        row: row_of,
    })
}

/// Keys as the database takes them, in order: whoever changes several goes in this order, so that no two wait for each
/// other in a ring.
pub(super) fn uuids(keys: impl Iterator<Item = JobKey>) -> Vec<Uuid> {
    let mut keys: Vec<Uuid> = keys.map(uuid).collect();
    keys.sort_unstable();
    keys
}

/// A key as the database takes it.
pub(super) fn uuid(key: JobKey) -> Uuid {
    Uuid::from_bytes(*key.as_bytes())
}

/// Whether a job in this state may be moved about: no attempt has it.
pub(super) const fn is_in_line(state: State) -> bool {
    matches!(state, State::Queued | State::Waiting)
}

/// Splits what was asked into rounds in which no job comes twice: who comes second meets what the first left.
pub(super) fn rounds<Asked>(asked: &[Asked], key: impl Fn(&Asked) -> JobKey) -> Vec<Vec<(usize, &Asked)>> {
    let mut seen: HashMap<JobKey, usize> = HashMap::with_capacity(asked.len());
    let mut rounds: Vec<Vec<(usize, &Asked)>> = Vec::new();
    for (place, one) in asked.iter().enumerate() {
        let round = seen.entry(key(one)).and_modify(|round| *round += 1).or_insert(0);
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push((place, one));
    }
    for round in &mut rounds {
        round.sort_unstable_by_key(|(_, one)| key(one));
    }
    rounds
}
