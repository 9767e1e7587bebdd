//! Taking jobs in: a job's row, its waiting row and its body.

use rusqlite::{OptionalExtension, params};

use super::desk::{Desk, damaged, word};
use crate::clock::Timestamp;
use crate::job::{Campaign, Digest, Job, JobId, JobKey, Source};
use crate::ledger::event::Happened;
pub(super) use crate::ledger::form::{body, template, worth_until};
use crate::ledger::{Enqueued, LedgerError, Routed};
use crate::outcome::{Reason, State};

/// A job on its way in, its body written out by who asked: the writer's time is everybody's.
pub(super) struct Entry {
    pub(super) routed: Routed,
    pub(super) body: String,
}

/// Where a new waiting row begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// In line.
    InLine,
    /// In the worker's hands.
    InHand,
}

impl Entry {
    pub(super) fn new(routed: Routed) -> Self {
        let body = body(&routed.job);
        Self { routed, body }
    }
}

impl Desk {
    pub(super) fn enqueue(&self, entries: &[Entry], now: Timestamp) -> Result<Vec<Enqueued>, LedgerError> {
        entries
            .iter()
            .map(|entry| match self.insert(&entry.routed, &entry.body, now, Begins::InLine)? {
                Some(_) => Ok(Enqueued::Fresh),
                None => self.recognise(&entry.routed.job),
            })
            .collect()
    }

    /// Gives a job its rows, and says its number; none if the job is there already.
    pub(super) fn insert(
        &self,
        routed: &Routed,
        body: &str,
        now: Timestamp,
        begins: Begins,
    ) -> Result<Option<i64>, LedgerError> {
        let job = &*routed.job;
        let lane = self.lanes.find_or_add(&self.conn, &routed.route, job.priority)?;
        let due = job.not_before.filter(|time| *time > now && begins == Begins::InLine);
        let (state, reason) = match due {
            Some(_) => (State::Waiting, Some(Reason::NotBefore)),
            None => (State::Queued, None),
        };
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO jobs (key, source, id, digest, lane, recipient, category, campaign, template, metadata,
                     on_unknown, expires_at, late_at, created_at, state, reason, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?14)
                 ON CONFLICT (key) DO NOTHING",
            )?
            .execute(params![
                job.key.as_bytes(),
                job.source.as_ref().map(Source::as_str),
                job.id.as_str(),
                job.digest.as_bytes(),
                lane,
                job.to.expose(),
                job.category.as_str(),
                job.campaign.as_ref().map(Campaign::as_str),
                template(job),
                job.metadata.as_ref().map(|metadata| metadata.get()),
                job.on_unknown.as_str(),
                job.expires_at.as_millis(),
                job.late_at().map(Timestamp::as_millis),
                now.as_millis(),
                state.as_str(),
                reason.map(Reason::as_str),
            ])?;
        if added == 0 {
            return Ok(None);
        }
        let seq = self.conn.last_insert_rowid();
        self.know_source(job.source.as_ref())?;
        self.conn
            .prepare_cached(
                "INSERT INTO waiting (seq, lane, class, due_at, expires_at, owned) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                seq,
                lane,
                i64::from(due.is_none()),
                due.map_or(0, Timestamp::as_millis),
                worth_until(job).as_millis(),
                begins == Begins::InHand,
            ])?;
        self.conn.prepare_cached("INSERT INTO bodies (seq, key, body) VALUES (?1, ?2, ?3)")?.execute(params![
            seq,
            job.key.as_bytes(),
            body
        ])?;
        self.tally.add(state, reason);
        self.stir_work();
        if let Some(until) = due {
            self.publish(seq, &Happened { until: Some(until), ..Happened::of(state, now) })?;
        }
        Ok(Some(seq))
    }

    /// A row for a job that was cancelled before anybody saw it.
    pub(super) fn insert_cancelled(
        &self,
        key: JobKey,
        id: &JobId,
        source: Option<&Source>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached(
                "INSERT INTO lanes (pool, pinned, priority) VALUES ('', '', 'normal') ON CONFLICT DO NOTHING",
            )?
            .execute([])?;
        self.conn
            .prepare_cached(
                "INSERT INTO jobs (key, source, id, digest, lane, recipient, category, on_unknown, expires_at, created_at,
                     state, reason, ended_at, updated_at)
                 SELECT ?1, ?2, ?3, ?4, id, '', '', 'leave', ?5, ?5, 'cancelled', 'cancelled', ?5, ?5
                 FROM lanes WHERE pool = '' AND pinned = '' AND priority = 'normal'",
            )?
            .execute(params![
                key.as_bytes(),
                source.map(Source::as_str),
                id.as_str(),
                Digest::UNSEEN.as_bytes(),
                now.as_millis(),
            ])?;
        self.know_source(source)?;
        self.tally.add(State::Cancelled, Some(Reason::Cancelled));
        Ok(())
    }

    fn recognise(&self, job: &Job) -> Result<Enqueued, LedgerError> {
        let known = self.digest(job.key)?;
        let (digest, state) = known.ok_or_else(|| damaged("a job that is there cannot be found"))?;
        Ok(if digest.is_same(&job.digest) { Enqueued::Duplicate(state) } else { Enqueued::IdReused })
    }

    fn digest(&self, key: JobKey) -> Result<Option<(Digest, State)>, LedgerError> {
        self.conn
            .prepare_cached("SELECT digest, state FROM jobs WHERE key = ?1")?
            .query_row([key.as_bytes()], |row| {
                let digest: [u8; 16] = row.get(0)?;
                Ok(word(row, 1).map(|state| (Digest::from_bytes(digest), state)))
            })
            .optional()?
            .transpose()
    }
}
