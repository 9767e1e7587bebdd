//! What people decide about single jobs: to take one back, or what became of an unknown one.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::change::{self, Place, Wait};
use super::desk::Tx;
use super::failure::damaged;
use super::show::{Producers, keys_of};
use super::standing::{Found, Standing, find, is_in_line, uuid};
use crate::clock::Timestamp;
use crate::job::{Digest, JobId, JobKey, Source};
use crate::ledger::end::End;
use crate::ledger::{Cancelled, JobRef, LedgerError, Resolution, Unseen};
use crate::outcome::{Reason, State};

/// A name that no job has yet.
type Name = (JobId, Option<Source>);

/// The jobs that names may mean, locked.
struct Known {
    /// For each name.
    candidates: Vec<Vec<JobKey>>,
    /// Of the jobs that were there.
    found: Found,
    /// Of those that came up in between.
    late: Found,
    /// Rows left of jobs that nobody has seen.
    left: HashSet<JobKey>,
}

pub(super) async fn cancel(
    tx: &Tx<'_>,
    jobs: &[JobRef],
    unseen: Unseen,
    now: Timestamp,
) -> Result<Vec<Cancelled>, LedgerError> {
    let known = look_up(tx, jobs, unseen, now).await?;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut ended = HashSet::new();
    let mut ends: Vec<(&Standing, End<'_>)> = Vec::new();
    for candidates in &known.candidates {
        let there: Vec<JobKey> = candidates.iter().copied().filter(|key| known.is_there(*key)).collect();
        let answer = match there[..] {
            [] => Cancelled::NotSeen,
            [_, _, ..] => Cancelled::Ambiguous,
            [key] if known.left.contains(&key) => {
                if ended.insert(key) {
                    Cancelled::Ahead
                } else {
                    Cancelled::Done
                }
            }
            [key] if ended.contains(&key) => Cancelled::Done,
            [key] => {
                let job = known.get(key).ok_or_else(|| damaged(format!("job {key} cannot be read")))?;
                if is_in_line(job.state) {
                    ended.insert(key);
                    ends.push((job, End::ours(State::Cancelled, Reason::Cancelled, now)));
                    Cancelled::Done
                } else if job.state == State::Cancelled {
                    Cancelled::Done
                } else {
                    Cancelled::TooLate(job.state)
                }
            }
        };
        answers.push(answer);
    }
    change::end(tx, &ends).await?;
    Ok(answers)
}

/// Locks what is there; of names that nobody has seen, a row is left if that is wished for.
async fn look_up(tx: &Tx<'_>, jobs: &[JobRef], unseen: Unseen, now: Timestamp) -> Result<Known, LedgerError> {
    let producers = Producers::read(tx).await?;
    let candidates: Vec<Vec<JobKey>> = jobs.iter().map(|job| producers.candidates(job)).collect();
    let all: Vec<JobKey> = candidates.iter().flatten().copied().collect();
    let found = find(tx, &all).await?;
    let mut known = Known { candidates, found, late: Found::default(), left: HashSet::new() };
    let names: BTreeMap<Uuid, Name> = match unseen {
        Unseen::Refuse => BTreeMap::new(),
        Unseen::Leave => {
            let is_new = |candidates: &[JobKey]| !candidates.iter().any(|key| known.is_there(*key));
            let new = jobs.iter().zip(&known.candidates).filter(|(_, candidates)| is_new(candidates));
            new.filter_map(|(job, _)| name(job)).map(|(key, name)| (uuid(key), name)).collect()
        }
    };
    if !names.is_empty() {
        known.left = leave(tx, &names, now).await?;
        let keys = names.keys().map(|key| JobKey::from_bytes(key.into_bytes()));
        let late: Vec<JobKey> = keys.filter(|key| !known.left.contains(key)).collect();
        if !late.is_empty() {
            known.late = find(tx, &late).await?;
        }
    }
    Ok(known)
}

/// The key of the job that would have this name.
fn name(job: &JobRef) -> Option<(JobKey, Name)> {
    let source = job.source.as_ref().map(|source| source.parse::<Source>()).transpose().ok()?;
    let id = job.id.parse::<JobId>().ok()?;
    Some((JobKey::of(source.as_ref(), &id), (id, source)))
}

/// Leaves rows of ended jobs that have no body: whatever comes up under these names has ended. Says for which; the
/// others came up just now.
async fn leave(tx: &Tx<'_>, names: &BTreeMap<Uuid, Name>, now: Timestamp) -> Result<HashSet<JobKey>, LedgerError> {
    let keys: Vec<&Uuid> = names.keys().collect();
    let ids: Vec<&str> = names.values().map(|(id, _)| id.as_str()).collect();
    let sources: Vec<Option<&str>> = names.values().map(|(_, source)| source.as_ref().map(Source::as_str)).collect();
    let sql = "INSERT INTO sources (name) SELECT DISTINCT s FROM unnest($1::text[]) s WHERE s IS NOT NULL ORDER BY s
        ON CONFLICT DO NOTHING";
    tx.execute(sql, &[&sources]).await?;
    let sql = "INSERT INTO lanes (pool, pinned, priority) VALUES ('', '', 'normal') ON CONFLICT DO NOTHING";
    tx.execute(sql, &[]).await?;
    let sql =
        "INSERT INTO jobs (key, id, source, digest, lane, recipient, category, on_unknown, expires_at, created_at,
            state, reason, ended_at, updated_at)
        SELECT a.key, a.id, a.source, $4, l.id, '', '', 'leave', $5, $5, 'cancelled', 'cancelled', $5, $5
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS a (key, id, source)
        CROSS JOIN lanes l WHERE l.pool = '' AND l.pinned = '' AND l.priority = 'normal' ORDER BY a.key
        ON CONFLICT (key) DO NOTHING RETURNING key";
    let unseen = Uuid::from_bytes(*Digest::UNSEEN.as_bytes());
    let rows = tx.query(sql, &[&keys, &ids, &sources, &unseen, &now.as_millis()]).await?;
    for _ in &rows {
        tx.tally.add(State::Cancelled, Some(Reason::Cancelled));
    }
    rows.iter().map(|row| Ok(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()))).collect()
}

pub(super) async fn resolve(
    tx: &Tx<'_>,
    job: &JobRef,
    resolution: Resolution,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let [key] = keys_of(tx, job).await?[..] else { return Ok(false) };
    let found = find(tx, &[key]).await?;
    let Some(job) = found.get(key).filter(|job| job.state == State::Unknown) else { return Ok(false) };
    match resolution {
        Resolution::Resend if job.is_erased() => return Ok(false),
        Resolution::Sent => change::end(tx, &[(job, End::ours(State::Accepted, Reason::Operator, now))]).await?,
        Resolution::Leave => change::end(tx, &[(job, End::ours(State::Unresolved, Reason::Left, now))]).await?,
        Resolution::Resend => {
            let (charged, lost, reason) = (job.charged, job.lost, Reason::Resent);
            let place = Place::Due(now);
            let wait = Wait { place, reason, code: None, at: now, charged, lost, delivered: None };
            change::wait(tx, &[(job, wait)]).await?;
        }
    }
    Ok(true)
}

impl Known {
    fn is_there(&self, key: JobKey) -> bool {
        self.left.contains(&key) || self.found.is_there(key) || self.late.is_there(key)
    }

    fn get(&self, key: JobKey) -> Option<&Standing> {
        self.found.get(key).or_else(|| self.late.get(key))
    }
}
