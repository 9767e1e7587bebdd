//! What people decide about single jobs: to take one back, or what became of an unknown one.

use rusqlite::{Connection, OptionalExtension};

use super::claim::is_in_line;
use super::desk::Desk;
use crate::clock::Timestamp;
use crate::job::{JobId, JobKey, Source};
use crate::ledger::end::End;
use crate::ledger::{Cancelled, JobRef, LedgerError, Resolution, Unseen};
use crate::outcome::{Reason, State};

impl Desk {
    pub(super) fn cancel(
        &self,
        jobs: &[JobRef],
        unseen: Unseen,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        jobs.iter().map(|job| self.cancel_one(job, unseen, now)).collect()
    }

    fn cancel_one(&self, job: &JobRef, unseen: Unseen, now: Timestamp) -> Result<Cancelled, LedgerError> {
        let seq = match rows_of(&self.conn, job)?[..] {
            [] => match unseen {
                Unseen::Refuse => return Ok(Cancelled::NotSeen),
                Unseen::Leave => return self.cancel_ahead(job, now),
            },
            [seq] => seq,
            [_, _, ..] => return Ok(Cancelled::Ambiguous),
        };
        let job = self.find_row(seq)?;
        if job.state == State::Cancelled {
            return Ok(Cancelled::Done);
        }
        if !is_in_line(job.state) {
            return Ok(Cancelled::TooLate(job.state));
        }
        self.end(&job, &End::ours(State::Cancelled, Reason::Cancelled, now))?;
        Ok(Cancelled::Done)
    }

    /// Leaves a row of an ended job that has no body: whatever comes up under this name has ended.
    fn cancel_ahead(&self, job: &JobRef, now: Timestamp) -> Result<Cancelled, LedgerError> {
        let source = job.source.as_ref().map(|source| source.parse::<Source>());
        let (Ok(id), Ok(source)) = (job.id.parse::<JobId>(), source.transpose()) else {
            return Ok(Cancelled::NotSeen);
        };
        self.insert_cancelled(JobKey::of(source.as_ref(), &id), &id, source.as_ref(), now)?;
        Ok(Cancelled::Ahead)
    }

    pub(super) fn resolve(&self, job: &JobRef, resolution: Resolution, now: Timestamp) -> Result<bool, LedgerError> {
        let [seq] = rows_of(&self.conn, job)?[..] else { return Ok(false) };
        let job = self.find_row(seq)?;
        if job.state != State::Unknown {
            return Ok(false);
        }
        match resolution {
            Resolution::Sent => self.end(&job, &End::ours(State::Accepted, Reason::Operator, now))?,
            Resolution::Resend => self.resend(&job, now)?,
            Resolution::Leave => self.end(&job, &End::ours(State::Unresolved, Reason::Left, now))?,
        }
        Ok(true)
    }
}

/// The rows of the jobs that a name may mean: under the source given, or under each source and none.
pub(super) fn rows_of(conn: &Connection, job: &JobRef) -> Result<Vec<i64>, LedgerError> {
    let mut keys: Vec<JobKey> = Vec::new();
    if let Ok(id) = job.id.parse::<JobId>() {
        match &job.source {
            Some(source) => keys.extend(source.parse::<Source>().ok().map(|source| JobKey::of(Some(&source), &id))),
            None => {
                keys.push(JobKey::of(None, &id));
                let mut find = conn.prepare_cached("SELECT name FROM sources")?;
                let mut rows = find.query([])?;
                while let Some(row) = rows.next()? {
                    let source = row.get_ref(0)?.as_str().ok().and_then(|name| name.parse::<Source>().ok());
                    keys.extend(source.map(|source| JobKey::of(Some(&source), &id)));
                }
            }
        }
    }
    if job.source.is_none() {
        keys.extend(job.id.parse::<JobKey>().ok());
    }
    let mut find = conn.prepare_cached("SELECT seq FROM jobs WHERE key = ?1")?;
    let mut seqs: Vec<i64> = Vec::new();
    for key in keys {
        seqs.extend(find.query_row([key.as_bytes()], |row| row.get::<_, i64>(0)).optional()?);
    }
    Ok(seqs)
}
