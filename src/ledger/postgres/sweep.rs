//! The keeper's pass over everything whose time is over, and what is no longer to be remembered.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::change::{self, Loss, Place};
use super::desk::Tx;
use super::hand::moved;
use super::outbox::{SUBJECT, subject};
use super::standing::{RowOf, Standing, find, is_in_line, uuid, uuids};
use super::words::known_word;
use super::{admit_slowly, applying, fleet, holds, leases, quota, tally, windows};
use crate::clock::Timestamp;
use crate::hold::HoldId;
use crate::job::{Category, JobKey, OnUnknown};
use crate::ledger::end::End;
use crate::ledger::event::Happened;
use crate::ledger::{LIVE, LedgerError, Swept, UnknownWait};
use crate::outcome::{Reason, State};

/// How many rows of counts are added up at a time.
const COUNTS: i64 = 20_000;
/// How long windows are remembered that have closed.
const CLOSED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long what nobody understood is kept.
const STRANGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a pass is asked for.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    pub(super) now: Timestamp,
    pub(super) wait: UnknownWait,
    pub(super) limit: u32,
}

/// What a job's policy looks at.
struct Policy {
    category: Option<Category>,
    on_unknown: Option<OnUnknown>,
    expires_at: Timestamp,
    updated_at: Timestamp,
    /// Webhooks came of what its number sent later.
    is_silent: bool,
}

/// What becomes of a job whose deadline is over.
enum Next {
    Lose(Timestamp),
    Resend,
    Poison,
    Leave,
    /// It is decided later.
    Postpone(Timestamp),
}

/// Attempts past their deadline become unknown; unknown ones are decided.
pub(super) async fn past_deadline(tx: &Tx<'_>, pass: &Pass) -> Result<Swept, LedgerError> {
    let now = pass.now;
    let sql = "SELECT key FROM jobs WHERE deadline <= $1 ORDER BY deadline LIMIT $2";
    let keys = keys(&tx.query(sql, &[&now.as_millis(), &i64::from(pass.limit)]).await?)?;
    if keys.is_empty() {
        return Ok(Swept::default());
    }
    let found = find(tx, &keys).await?;
    let policies = policies(tx, &keys, now).await?;
    let (mut losses, mut ends, mut resent, mut poisoned, mut later) = (vec![], vec![], vec![], vec![], vec![]);
    for job in found.iter() {
        // Settled meanwhile, if it is not among them.
        let Some(policy) = policies.get(&job.key) else { continue };
        match pass.next(job, policy) {
            Next::Lose(until) => {
                losses.push((job, Loss { reason: Reason::WorkerLost, until, at: now, delivered: None }))
            }
            Next::Resend => resent.push((job, moved(job, Place::Due(now), Reason::Resent, now))),
            Next::Poison => poisoned.push(job),
            Next::Leave => ends.push((job, End::ours(State::Unresolved, Reason::Left, now))),
            Next::Postpone(until) => later.push((uuid(job.key), until.as_millis())),
        }
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (overdue, resent_now) = (number(losses.len()), number(resent.len()));
    let (unresolved, poisoned_now) = (number(ends.len()), number(poisoned.len()));
    change::lose(tx, &losses).await?;
    change::wait(tx, &resent).await?;
    change::end(tx, &ends).await?;
    admit_slowly::poison(tx, &poisoned, now).await?;
    postpone(tx, &later).await?;
    Ok(Swept { overdue, resent: resent_now, unresolved, poisoned: poisoned_now, ..Swept::default() })
}

async fn postpone(tx: &Tx<'_>, later: &[(Uuid, i64)]) -> Result<(), LedgerError> {
    if later.is_empty() {
        return Ok(());
    }
    let (keys, ends): (Vec<Uuid>, Vec<i64>) = later.iter().copied().unzip();
    let sql = "UPDATE jobs j SET deadline = a.until FROM unnest($1::uuid[], $2::bigint[]) AS a (key, until)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(sql, &[&keys, &ends]).await?;
    Ok(())
}

impl Pass {
    fn next(&self, job: &Standing, policy: &Policy) -> Next {
        let now = self.now;
        if job.state == State::Sending {
            return Next::Lose(now + self.wait_of(policy.category).min(policy.expires_at.since(now) / 4));
        }
        let lives = policy.expires_at > now && !job.is_erased();
        match policy.on_unknown {
            Some(OnUnknown::Resend) => self.resend(job, lives),
            // Silence means something only where others are heard.
            Some(OnUnknown::ResendIfSilent) if lives && policy.is_silent => {
                let until = policy.updated_at + self.wait.silence;
                if until <= now {
                    self.resend(job, lives)
                } else if until < policy.expires_at {
                    Next::Postpone(until)
                } else {
                    Next::Leave
                }
            }
            Some(OnUnknown::ResendIfSilent | OnUnknown::Leave) | None => Next::Leave,
        }
    }

    fn resend(&self, job: &Standing, lives: bool) -> Next {
        let has_row = job.row != RowOf::Nowhere;
        if !has_row && lives {
            // The broker has the body and will deliver it again: until then, there is nothing to send.
            Next::Postpone(self.now + self.wait.others)
        } else if has_row && job.lost >= admit_slowly::POISON {
            Next::Poison
        } else if lives {
            Next::Resend
        } else {
            Next::Leave
        }
    }

    fn wait_of(&self, category: Option<Category>) -> Duration {
        match category {
            Some(Category::Authentication) => self.wait.authentication,
            Some(Category::Marketing | Category::Utility | Category::Service) | None => self.wait.others,
        }
    }
}

async fn policies(tx: &Tx<'_>, keys: &[JobKey], now: Timestamp) -> Result<HashMap<JobKey, Policy>, LedgerError> {
    let sql = "SELECT j.key, j.category, j.on_unknown, j.expires_at, j.updated_at,
            coalesce((SELECT h.accepted_at FROM heard h WHERE h.number = j.number) > j.updated_at, false)
        FROM jobs j WHERE j.key = ANY ($1::uuid[]) AND j.deadline <= $2 AND j.state IN ('sending', 'unknown')";
    let rows = tx.query(sql, &[&uuids(keys.iter().copied()), &now.as_millis()]).await?;
    let read = |row: &Row| {
        let key = JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes());
        let policy = Policy {
            category: known_word(row, 1)?,
            on_unknown: known_word(row, 2)?,
            expires_at: Timestamp::from_millis(row.try_get(3)?),
            updated_at: Timestamp::from_millis(row.try_get(4)?),
            is_silent: row.try_get(5)?,
        };
        Ok((key, policy))
    };
    rows.iter().map(read).collect()
}

/// Waiting jobs that ran out of time end, wherever they stand; those in an attempt are left to their deadlines.
pub(super) async fn out_of_time(tx: &Tx<'_>, pass: &Pass) -> Result<Swept, LedgerError> {
    let sql = "SELECT w.key FROM (SELECT key, expires_at FROM waiting WHERE expires_at <= $1 ORDER BY expires_at) w
        WHERE (SELECT j.deadline IS NULL FROM jobs j WHERE j.key = w.key) LIMIT $2";
    let keys = keys(&tx.query(sql, &[&pass.now.as_millis(), &i64::from(pass.limit)]).await?)?;
    if keys.is_empty() {
        return Ok(Swept::default());
    }
    let found = find(tx, &keys).await?;
    let late = found.iter().filter(|job| is_in_line(job.state));
    let ends: Vec<_> = late.map(|job| (job, End::ours(State::Expired, Reason::TooLate, pass.now))).collect();
    change::end(tx, &ends).await?;
    Ok(Swept { expired: u32::try_from(ends.len()).unwrap_or(u32::MAX), ..Swept::default() })
}

/// Holds that ran out are lifted, and lifted ones without rows are forgotten.
pub(super) async fn run_out_holds(tx: &Tx<'_>, pass: &Pass) -> Result<Swept, LedgerError> {
    let sql = "SELECT id FROM holds WHERE until <= $1 AND NOT probe AND NOT lifted ORDER BY until LIMIT $2";
    let mut lifted = 0;
    for row in tx.query(sql, &[&pass.now.as_millis(), &i64::from(pass.limit)]).await? {
        lifted += u32::from(holds::lift(tx, HoldId(row.try_get(0)?)).await?);
    }
    lifted += quota::lift_spare(tx, pass.now).await?;
    holds::drop_empty(tx, pass.limit).await?;
    let stray = "DELETE FROM trials t WHERE NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = t.hold AND NOT h.lifted)";
    tx.execute(stray, &[]).await?;
    Ok(Swept { lifted, ..Swept::default() })
}

/// Jobs that were to be delivered by now: those that Meta took and did not deliver are told of, once.
pub(super) async fn late(tx: &Tx<'_>, pass: &Pass) -> Result<Swept, LedgerError> {
    let sql = format!(
        "SELECT {SUBJECT}, j.state FROM jobs j WHERE j.late_at <= $1
            AND j.state NOT IN ('queued', 'waiting', 'sending', 'unknown')
         ORDER BY j.late_at LIMIT $2 FOR UPDATE OF j SKIP LOCKED"
    );
    let rows = tx.query(&sql, &[&pass.now.as_millis(), &i64::from(pass.limit)]).await?;
    let mut late = Vec::new();
    for row in &rows {
        if let Some(state @ (State::Accepted | State::Sent)) = known_word(row, 14)? {
            late.push((subject(row)?, Happened::of(state, pass.now)));
        }
    }
    let told = u32::try_from(late.len()).unwrap_or(u32::MAX);
    tx.tell_late(late).await?;
    if !rows.is_empty() {
        let keys = uuids(keys(&rows)?.into_iter());
        tx.execute("UPDATE jobs SET late_at = NULL WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    }
    Ok(Swept { late: told, ..Swept::default() })
}

/// What has nothing to do with jobs.
pub(super) async fn tidy(tx: &Tx<'_>, pass: &Pass) -> Result<(), LedgerError> {
    tally::fold(tx, COUNTS).await?;
    let before = |age: Duration| {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(pass.now.as_millis().saturating_sub(age))
    };
    fleet::trim(tx, before(LIVE)).await?;
    windows::trim(tx, before(CLOSED), pass.limit).await?;
    quota::trim(tx, &tx.desk.quota, pass.now, pass.limit).await?;
    applying::trim(tx, before(STRANGE), pass.limit).await
}

/// Forgets jobs that ended long ago, with their trails, and who held what nobody holds any more.
pub(super) async fn trim(tx: &Tx<'_>, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
    let sql = "WITH old AS MATERIALIZED (
            SELECT key FROM jobs WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM jobs WHERE key = ANY (ARRAY(SELECT key FROM old)) RETURNING state
        ), trails AS (
            DELETE FROM trail WHERE key = ANY (ARRAY(SELECT key FROM old))
        ), counted AS (
            INSERT INTO tally SELECT 'state', state, -count(*) FROM gone GROUP BY state
        )
        SELECT count(*) FROM gone";
    let row = tx.query_one(sql, &[&ended_before.as_millis(), &i64::from(limit)]).await?;
    leases::forget(tx).await?;
    Ok(u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX))
}

fn keys(rows: &[Row]) -> Result<Vec<JobKey>, LedgerError> {
    rows.iter().map(|row| Ok(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()))).collect()
}
