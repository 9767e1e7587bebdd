//! Events: rows of the outbox, written by the commit that changes the jobs' states.

use std::collections::HashMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::desk::Tx;
use super::standing::uuids;
use super::words::{clean, count, known_word};
use crate::job::JobKey;
use crate::ledger::event::{self, Happened, Subject};
use crate::ledger::{LedgerError, OutboxRow, Pricing, Publish};

/// The columns of a job that an event tells, for [`subject`] to read.
pub(super) const SUBJECT: &str = "j.key, j.id, j.source, (SELECT l.pool FROM lanes l WHERE l.id = j.lane), j.campaign,
    j.recipient, j.number, j.reason, j.code, j.wamid, j.attempt, j.metadata, j.cost_type, j.cost_category";

impl Tx<'_> {
    /// Writes the events of changes that this transaction has made, if anybody listens.
    pub(super) async fn publish(&self, changes: impl Iterator<Item = (JobKey, Happened)>) -> Result<(), LedgerError> {
        let publish = self.desk.publish;
        let changes: Vec<_> = changes.filter(|(_, happened)| publish.wants(happened.state)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let keys = uuids(changes.iter().map(|(key, _)| *key));
        let sql = format!("SELECT {SUBJECT} FROM jobs j WHERE j.key = ANY ($1::uuid[])");
        let mut subjects: HashMap<JobKey, Subject> = HashMap::with_capacity(changes.len());
        for row in self.query(&sql, &[&keys]).await? {
            let subject = subject(&row)?;
            subjects.insert(subject.key, subject);
        }
        let told = changes.iter().filter_map(|(key, happened)| Some((subjects.remove(key)?, *happened)));
        self.tell(told.collect()).await
    }

    /// Writes events whose jobs are known.
    pub(super) async fn tell(&self, told: Vec<(Subject, Happened)>) -> Result<(), LedgerError> {
        let rows = told.into_iter().map(|(subject, happened)| event::write(subject, &happened));
        self.put_out(&rows.collect::<Result<Vec<_>, _>>()?).await
    }

    /// Writes the events of messages that were not delivered in time, if anybody listens.
    pub(super) async fn tell_late(&self, late: Vec<(Subject, Happened)>) -> Result<(), LedgerError> {
        let rows = late.into_iter().map(|(subject, happened)| event::write_late(subject, &happened));
        self.put_out(&rows.collect::<Result<Vec<_>, _>>()?).await
    }

    /// Writes events as they are, if anybody listens.
    pub(super) async fn put_out(&self, rows: &[OutboxRow]) -> Result<(), LedgerError> {
        if rows.is_empty() || self.desk.publish == Publish::Off {
            return Ok(());
        }
        let of = |part: fn(&OutboxRow) -> &String| rows.iter().map(|row| clean(part(row))).collect::<Vec<_>>();
        let (topics, events) = (of(|row| &row.topic), of(|row| &row.event));
        let (jobs, bodies) = (of(|row| &row.job), of(|row| &row.body));
        let sql = "INSERT INTO outbox (topic, event, job, body)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])";
        self.execute(sql, &[&topics, &events, &jobs, &bodies]).await?;
        Ok(())
    }
}

/// A job as its event tells it, from the columns of [`SUBJECT`].
pub(super) fn subject(row: &Row) -> Result<Subject, LedgerError> {
    let code: Option<i32> = row.try_get(8)?;
    Ok(Subject {
        key: JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()),
        id: row.try_get(1)?,
        source: row.try_get(2)?,
        pool: row.try_get(3)?,
        campaign: row.try_get(4)?,
        recipient: row.try_get(5)?,
        number: row.try_get(6)?,
        reason: known_word(row, 7)?,
        code: code.and_then(|code| u32::try_from(code).ok()),
        wamid: row.try_get(9)?,
        attempt: count(row, 10)?,
        metadata: row.try_get(11)?,
        pricing: Pricing::read(row.try_get(12)?, row.try_get(13)?),
    })
}
