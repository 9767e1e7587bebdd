//! The keeper's pass over everything whose time is over, and what is no longer to be remembered.

use rusqlite::params;

use super::admit::POISON;
use super::change::{Place, Wait};
use super::desk::{Desk, Standing, known_word};
use crate::clock::Timestamp;
use crate::hold::HoldId;
use crate::job::{Category, OnUnknown};
use crate::ledger::end::End;
use crate::ledger::{LedgerError, Swept, UnknownWait};
use crate::outcome::{Reason, State};

impl Desk {
    pub(super) fn sweep(&self, now: Timestamp, wait: UnknownWait, limit: u32) -> Result<Swept, LedgerError> {
        let mut swept = Swept::default();
        for seq in self.past_deadline(now, limit)? {
            let Some(job) = self.find_readable(seq)? else { continue };
            if job.state == State::Sending {
                self.lose_overdue(&job, now, wait)?;
                swept.overdue += 1;
            } else {
                self.decide_unknown(&job, now, &mut swept)?;
            }
        }
        for seq in self.out_of_time(now, limit)? {
            swept.expired += u32::from(self.expire(seq, now)?);
        }
        for hold in self.run_out_holds(now, limit)? {
            swept.lifted += u32::from(self.lift(hold)?);
        }
        self.drop_empty(limit)?;
        self.drop_old_news(now, limit)?;
        Ok(swept)
    }

    fn past_deadline(&self, now: Timestamp, limit: u32) -> Result<Vec<i64>, LedgerError> {
        self.numbers("SELECT seq FROM jobs WHERE deadline <= ?1 ORDER BY deadline LIMIT ?2", now, limit)
    }

    /// Jobs in an attempt are left to their deadlines.
    fn out_of_time(&self, now: Timestamp, limit: u32) -> Result<Vec<i64>, LedgerError> {
        let sql = "SELECT w.seq FROM waiting w CROSS JOIN jobs j ON j.seq = w.seq
            WHERE w.expires_at <= ?1 AND j.deadline IS NULL ORDER BY w.expires_at LIMIT ?2";
        self.numbers(sql, now, limit)
    }

    fn run_out_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<HoldId>, LedgerError> {
        let sql = "SELECT id FROM holds WHERE until <= ?1 AND probe = 0 AND lifted = 0 ORDER BY until LIMIT ?2";
        Ok(self.numbers(sql, now, limit)?.into_iter().map(HoldId).collect())
    }

    fn numbers(&self, sql: &str, now: Timestamp, limit: u32) -> Result<Vec<i64>, LedgerError> {
        let mut find = self.conn.prepare_cached(sql)?;
        let rows = find.query_map(params![now.as_millis(), limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The worker did not say what became of the attempt in time.
    fn lose_overdue(&self, job: &Standing, now: Timestamp, wait: UnknownWait) -> Result<(), LedgerError> {
        let (category, expires_at) = self
            .conn
            .prepare_cached("SELECT category, expires_at FROM jobs WHERE seq = ?1")?
            .query_row([job.seq], |row| Ok((known_word::<Category>(row, 0), Timestamp::from_millis(row.get(1)?))))?;
        let wait = match category? {
            Some(Category::Authentication) => wait.authentication,
            Some(Category::Marketing | Category::Utility | Category::Service) | None => wait.others,
        };
        let until = now + wait.min(expires_at.since(now) / 4);
        self.lose(job, Reason::WorkerLost, until, now)
    }

    /// News did not come in time: the job's policy decides.
    fn decide_unknown(&self, job: &Standing, now: Timestamp, swept: &mut Swept) -> Result<(), LedgerError> {
        let (policy, expires_at) = self
            .conn
            .prepare_cached("SELECT on_unknown, expires_at FROM jobs WHERE seq = ?1")?
            .query_row([job.seq], |row| Ok((known_word::<OnUnknown>(row, 0), Timestamp::from_millis(row.get(1)?))))?;
        match policy? {
            Some(OnUnknown::Resend) if job.lost >= POISON => {
                self.poison(job, now)?;
                swept.poisoned += 1;
            }
            Some(OnUnknown::Resend) if expires_at > now => {
                self.resend(job, now)?;
                swept.resent += 1;
            }
            // Without webhooks nobody knows whether silence means anything.
            Some(OnUnknown::Resend | OnUnknown::ResendIfSilent | OnUnknown::Leave) | None => {
                self.end(job, &End::ours(State::Unresolved, Reason::Left, now))?;
                swept.unresolved += 1;
            }
        }
        Ok(())
    }

    /// Puts an unknown job back in line, due at once.
    pub(super) fn resend(&self, job: &Standing, now: Timestamp) -> Result<(), LedgerError> {
        let (charged, lost) = (job.charged, job.lost);
        let place = Place::Due(now);
        self.wait(job, &Wait { place, reason: Reason::Resent, code: None, at: now, charged, lost })
    }

    /// Forgets jobs that ended long ago, with their trails.
    pub(super) fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        let sql = "SELECT seq FROM jobs WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2";
        let mut trimmed = 0;
        for seq in self.numbers(sql, ended_before, limit)? {
            let Some(job) = self.find_readable(seq)? else { continue };
            self.conn.prepare_cached("DELETE FROM trail WHERE seq = ?1")?.execute([seq])?;
            self.conn.prepare_cached("DELETE FROM jobs WHERE seq = ?1")?.execute([seq])?;
            self.tally.remove(job.state, job.reason);
            trimmed += 1;
        }
        self.forget_leases(ended_before)?;
        Ok(trimmed)
    }
}
