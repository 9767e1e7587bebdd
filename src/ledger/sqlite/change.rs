//! How a job leaves the state it stands in: it ends, or it waits.

use rusqlite::params;

use super::desk::{Desk, Standing};
use crate::clock::Timestamp;
use crate::hold::Hold;
use crate::ledger::LedgerError;
use crate::ledger::end::End;
use crate::ledger::event::Happened;
use crate::ledger::quota::never_left;
use crate::outcome::{Reason, State};

/// How a job waits.
pub(super) struct Wait<'a> {
    pub(super) place: Place<'a>,
    pub(super) reason: Reason,
    pub(super) code: Option<u32>,
    pub(super) at: Timestamp,
    /// Attempts charged to its budget, with this one.
    pub(super) charged: u32,
    /// Attempts without an outcome.
    pub(super) lost: u32,
}

/// Where a job waits.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Until this time.
    Due(Timestamp),
    /// Under this hold, keeping its place in line.
    Under(&'a Hold),
}

impl Desk {
    /// Ends a job: its waiting row and its body go in the same commit.
    pub(super) fn end(&self, job: &Standing, end: &End<'_>) -> Result<(), LedgerError> {
        let accepted_at = (end.state == State::Accepted).then_some(end.at.as_millis());
        self.conn
            .prepare_cached(
                "UPDATE jobs SET state = ?2, reason = ?3, code = ?4, details = iif(recipient = '', NULL, ?5),
                     wamid = iif(recipient = '', NULL, ?6), accepted_at = ?7,
                     ended_at = ?8, updated_at = ?8, deadline = NULL,
                     late_at = iif(?2 = 'accepted', late_at, NULL),
                     lost = iif(state = 'unknown' AND ?2 = 'accepted', max(lost - 1, 0), lost)
                 WHERE seq = ?1",
            )?
            .execute(params![
                job.seq,
                end.state.as_str(),
                end.reason.map(Reason::as_str),
                end.code,
                end.details,
                end.wamid,
                accepted_at,
                end.at.as_millis(),
            ])?;
        self.drop_rows(job.seq)?;
        if never_left(end.state) {
            self.give_back_places(job.seq, job.in_doubt(), end.at)?;
        }
        self.tally.remove(job.state, job.reason);
        self.tally.add(end.state, end.reason);
        self.publish(job.seq, &Happened::of(end.state, end.at))
    }

    /// The waiting row and the body of a job that ends.
    pub(super) fn drop_rows(&self, seq: i64) -> Result<(), LedgerError> {
        self.conn.prepare_cached("DELETE FROM waiting WHERE seq = ?1")?.execute([seq])?;
        self.conn.prepare_cached("DELETE FROM bodies WHERE seq = ?1")?.execute([seq])?;
        Ok(())
    }

    /// Lets a job wait: its row goes out of the worker's hands. Of a person who was forgotten meanwhile there is no
    /// row any more: then it ends.
    pub(super) fn wait(&self, job: &Standing, wait: &Wait<'_>) -> Result<(), LedgerError> {
        let Some(until) = self.put_in_line(job.seq, wait.place)? else { return self.end_bodiless(job, wait.at) };
        self.conn
            .prepare_cached(
                "UPDATE jobs SET state = 'waiting', reason = ?2, code = ?3, charged = ?4, lost = ?5, updated_at = ?6,
                     deadline = NULL
                 WHERE seq = ?1",
            )?
            .execute(
                params![job.seq, wait.reason.as_str(), wait.code, wait.charged, wait.lost, wait.at.as_millis(),],
            )?;
        // What is due later, whoever put it there knows.
        if matches!(wait.place, Place::Due(due) if due <= wait.at) {
            self.stir_work();
        }
        let turn = self.follow(job, wait, until)?;
        self.tally.remove(job.state, job.reason);
        self.tally.add(State::Waiting, Some(wait.reason));
        self.publish(job.seq, &Happened { until, turn, ..Happened::of(State::Waiting, wait.at) })
    }

    /// Puts a job's row where it shall wait, and says until when; none if there is no row.
    fn put_in_line(&self, seq: i64, place: Place<'_>) -> Result<Option<Option<Timestamp>>, LedgerError> {
        let (moved, until) = match place {
            Place::Due(due) => {
                let moved = self
                    .conn
                    .prepare_cached("UPDATE waiting SET owned = 0, held = 0, class = 0, due_at = ?2 WHERE seq = ?1")?
                    .execute(params![seq, due.as_millis()])?;
                (moved, Some(due))
            }
            Place::Under(hold) => {
                let moved = self
                    .conn
                    .prepare_cached("UPDATE waiting SET owned = 0, held = ?2 WHERE seq = ?1")?
                    .execute(params![seq, hold.id.0])?;
                (moved, hold.until)
            }
        };
        Ok((moved > 0).then_some(until))
    }

    /// Ends a job that cannot be sent again, since its body is gone.
    fn end_bodiless(&self, job: &Standing, at: Timestamp) -> Result<(), LedgerError> {
        let is_lost = job.state == State::Unknown;
        let (state, reason) =
            if is_lost { (State::Unresolved, Reason::Left) } else { (State::Cancelled, Reason::Cancelled) };
        self.end(job, &End::ours(state, reason, at))
    }

    /// Puts a claimed row back where it stood.
    pub(super) fn put_back(&self, seq: i64) -> Result<(), LedgerError> {
        let moved =
            self.conn.prepare_cached("UPDATE waiting SET owned = 0 WHERE seq = ?1 AND owned = 1")?.execute([seq])?;
        if moved > 0 {
            self.stir_work();
        }
        Ok(())
    }

    /// Writes the job's trail, and says the entry's number.
    fn follow(&self, job: &Standing, wait: &Wait<'_>, until: Option<Timestamp>) -> Result<u32, LedgerError> {
        Ok(
            self.conn
                .prepare_cached(
                    "INSERT INTO trail (seq, n, at, state, reason, code, number, until)
                 VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM trail WHERE seq = ?1), ?2, 'waiting', ?3, ?4,
                     (SELECT number FROM jobs WHERE seq = ?1), ?5)
                 RETURNING n",
                )?
                .query_row(
                    params![
                        job.seq,
                        wait.at.as_millis(),
                        wait.reason.as_str(),
                        wait.code,
                        until.map(Timestamp::as_millis),
                    ],
                    |row| row.get(0),
                )?,
        )
    }
}
