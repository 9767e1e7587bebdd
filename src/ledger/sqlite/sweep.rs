//! The keeper's pass over everything whose time is over, and what is no longer to be remembered.

use std::time::Duration;

use rusqlite::params;

use super::admit::POISON;
use super::change::{Place, Wait};
use super::desk::{Desk, Standing, known_word};
use crate::clock::Timestamp;
use crate::hold::HoldId;
use crate::job::{Category, OnUnknown};
use crate::ledger::end::End;
use crate::ledger::event::Happened;
use crate::ledger::{LedgerError, Swept, UnknownWait};
use crate::outcome::{Reason, State};

/// What is known of a job of which nobody knows whether it was sent.
struct Doubt {
    policy: Option<OnUnknown>,
    expires_at: Timestamp,
    /// Since when nobody knows.
    since: Timestamp,
    /// Gone if the person was forgotten.
    has_body: bool,
    /// News came of what its number sent later.
    is_silent: bool,
}

/// What becomes of it.
enum Next {
    Poison,
    Resend,
    Leave,
    /// It is looked at again then.
    Postpone(Timestamp),
}

impl Desk {
    pub(super) fn sweep(&self, now: Timestamp, wait: UnknownWait, limit: u32) -> Result<Swept, LedgerError> {
        let mut swept = Swept::default();
        for seq in self.past_deadline(now, limit)? {
            let Some(job) = self.find_readable(seq)? else { continue };
            if job.state == State::Sending {
                self.lose_overdue(&job, now, wait)?;
                swept.overdue += 1;
            } else {
                self.decide_unknown(&job, now, wait.silence, &mut swept)?;
            }
        }
        for seq in self.out_of_time(now, limit)? {
            swept.expired += u32::from(self.expire(seq, now)?);
        }
        swept.late = self.tell_late(now, limit)?;
        for hold in self.run_out_holds(now, limit)? {
            swept.lifted += u32::from(self.lift(hold)?);
        }
        swept.lifted += self.lift_queues(now)?;
        self.drop_empty(limit)?;
        self.drop_old_places(now, limit)?;
        self.drop_old_news(now, limit)?;
        self.drop_old_words(now)?;
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
    fn decide_unknown(
        &self,
        job: &Standing,
        now: Timestamp,
        silence: Duration,
        swept: &mut Swept,
    ) -> Result<(), LedgerError> {
        match self.next(job, now, silence)? {
            Next::Poison => {
                self.poison(job, now)?;
                swept.poisoned += 1;
            }
            Next::Resend => {
                self.resend(job, now)?;
                swept.resent += 1;
            }
            Next::Leave => {
                self.end(job, &End::ours(State::Unresolved, Reason::Left, now))?;
                swept.unresolved += 1;
            }
            Next::Postpone(until) => {
                self.conn
                    .prepare_cached("UPDATE jobs SET deadline = ?2 WHERE seq = ?1")?
                    .execute([job.seq, until.as_millis()])?;
            }
        }
        Ok(())
    }

    fn next(&self, job: &Standing, now: Timestamp, silence: Duration) -> Result<Next, LedgerError> {
        let doubt = self.doubt(job.seq)?;
        let lives = doubt.expires_at > now && doubt.has_body;
        let resend = if doubt.has_body && job.lost >= POISON {
            Next::Poison
        } else if lives {
            Next::Resend
        } else {
            Next::Leave
        };
        let until = doubt.since + silence;
        Ok(match doubt.policy {
            Some(OnUnknown::Resend) => resend,
            // Silence means something only where later sends were heard of.
            Some(OnUnknown::ResendIfSilent) if lives && doubt.is_silent && until <= now => resend,
            Some(OnUnknown::ResendIfSilent) if lives && doubt.is_silent && until < doubt.expires_at => {
                Next::Postpone(until)
            }
            Some(OnUnknown::ResendIfSilent | OnUnknown::Leave) | None => Next::Leave,
        })
    }

    fn doubt(&self, seq: i64) -> Result<Doubt, LedgerError> {
        self.conn
            .prepare_cached(
                "SELECT j.on_unknown, j.expires_at, j.updated_at,
                     EXISTS (SELECT 1 FROM bodies b WHERE b.seq = j.seq),
                     EXISTS (SELECT 1 FROM heard h WHERE h.number = j.number AND h.accepted_at > j.updated_at)
                 FROM jobs j WHERE j.seq = ?1",
            )?
            .query_row([seq], |row| {
                let policy = known_word::<OnUnknown>(row, 0);
                let (expires_at, since) = (Timestamp::from_millis(row.get(1)?), Timestamp::from_millis(row.get(2)?));
                let (has_body, is_silent) = (row.get(3)?, row.get(4)?);
                Ok(policy.map(|policy| Doubt { policy, expires_at, since, has_body, is_silent }))
            })?
    }

    /// Tells of messages that were sent and not delivered in time, once each; forgets the limits of others that ended.
    fn tell_late(&self, now: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        // Of those that have not ended, a pass reads no more than some: they end soon, each in its own way.
        let sql = "SELECT seq FROM (SELECT seq, state FROM jobs WHERE late_at <= ?1 ORDER BY late_at LIMIT 10 * ?2)
            WHERE state NOT IN ('queued', 'waiting', 'sending', 'unknown') LIMIT ?2";
        let mut late = 0;
        for seq in self.numbers(sql, now, limit)? {
            let job = self.find_readable(seq)?;
            self.conn.prepare_cached("UPDATE jobs SET late_at = NULL WHERE seq = ?1")?.execute([seq])?;
            if let Some(Standing { state: state @ (State::Accepted | State::Sent), .. }) = job {
                self.publish_late(seq, &Happened::of(state, now))?;
                late += 1;
            }
        }
        Ok(late)
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
