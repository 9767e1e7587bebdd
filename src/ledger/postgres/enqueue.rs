//! Taking jobs in: a job's row, and its waiting row with the body.

use std::collections::{HashMap, HashSet};

use futures_util::future::BoxFuture;
use tokio_postgres::Row;
use uuid::Uuid;

use super::desk::{Desk, Session, Stir, Tx, Values};
use super::failure::damaged;
use super::standing::uuid;
use super::words::word;
use crate::clock::Timestamp;
use crate::job::{Campaign, Digest, Job, JobKey, Source};
use crate::ledger::event::Happened;
use crate::ledger::form::{body, template, worth_until};
use crate::ledger::{Enqueued, LedgerError, Routed};
use crate::outcome::{Reason, State};

/// A job on its way in, its body written out by who asked.
pub(super) struct Entry {
    routed: Routed,
    body: String,
    now: Timestamp,
}

/// The columns of new jobs, one array each.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) keys: Vec<Uuid>,
    pub(super) digests: Vec<Uuid>,
    pub(super) lanes: Vec<i32>,
    pub(super) expires_at: Vec<i64>,
    pub(super) late_at: Vec<Option<i64>>,
    pub(super) ids: Vec<&'a str>,
    pub(super) sources: Vec<Option<&'a str>>,
    pub(super) recipients: Vec<&'a str>,
    pub(super) categories: Vec<&'static str>,
    pub(super) campaigns: Vec<Option<&'a str>>,
    pub(super) templates: Vec<Option<String>>,
    pub(super) on_unknown: Vec<&'static str>,
    pub(super) metadata: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            digests: Vec::with_capacity(rows),
            lanes: Vec::with_capacity(rows),
            expires_at: Vec::with_capacity(rows),
            late_at: Vec::with_capacity(rows),
            ids: Vec::with_capacity(rows),
            sources: Vec::with_capacity(rows),
            recipients: Vec::with_capacity(rows),
            categories: Vec::with_capacity(rows),
            campaigns: Vec::with_capacity(rows),
            templates: Vec::with_capacity(rows),
            on_unknown: Vec::with_capacity(rows),
            metadata: Vec::with_capacity(rows),
        }
    }

    pub(super) fn push(&mut self, job: &'a Job, lane: i32) {
        self.keys.push(uuid(job.key));
        self.digests.push(Uuid::from_bytes(*job.digest.as_bytes()));
        self.lanes.push(lane);
        self.expires_at.push(job.expires_at.as_millis());
        self.late_at.push(job.late_at().map(Timestamp::as_millis));
        self.ids.push(job.id.as_str());
        self.sources.push(job.source.as_ref().map(Source::as_str));
        self.recipients.push(job.to.expose());
        self.categories.push(job.category.as_str());
        self.campaigns.push(job.campaign.as_ref().map(Campaign::as_str));
        self.templates.push(template(job));
        self.on_unknown.push(job.on_unknown.as_str());
        self.metadata.push(job.metadata.as_ref().map(|metadata| metadata.get()));
    }
}

/// Takes in what is new of these; in one statement, since that is all there is to do where nobody listens.
const ENQUEUE: &str = "WITH asked AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[],
            $16::bigint[], $17::text[])
        WITH ORDINALITY AS a (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign,
            template, on_unknown, metadata, due_at, worth_until, now, body, n)
    ), added AS (
        INSERT INTO jobs (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign, template,
            on_unknown, metadata, created_at, updated_at, state, reason)
        SELECT key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign, template, on_unknown,
            metadata, now, now, CASE WHEN due_at IS NULL THEN 'queued' ELSE 'waiting' END,
            CASE WHEN due_at IS NOT NULL THEN $18 END
        FROM asked ORDER BY key
        ON CONFLICT (key) DO NOTHING RETURNING key, state
    ), placed AS (
        INSERT INTO waiting (key, lane, class, due_at, expires_at, body)
        SELECT key, lane, CASE WHEN due_at IS NULL THEN 1 ELSE 0 END, coalesce(due_at, 0), worth_until, body
        FROM asked WHERE key = ANY (ARRAY(SELECT key FROM added)) ORDER BY n
    ), counted AS (
        INSERT INTO tally
        SELECT 'state', state, count(*) FROM added GROUP BY state
        UNION ALL SELECT 'waiting', $18, count(*) FROM added WHERE state = 'waiting' HAVING count(*) > 0
    )
    SELECT key FROM added";

impl Entry {
    pub(super) fn new(routed: Routed, now: Timestamp) -> Self {
        let body = body(&routed.job);
        Self { routed, body, now }
    }

    /// Until when it waits, if its producer set a time that is not over.
    fn due(&self) -> Option<Timestamp> {
        self.routed.job.not_before.filter(|time| *time > self.now)
    }
}

pub(super) fn enqueue<'a>(desk: &'a Desk, entries: &'a [Entry]) -> BoxFuture<'a, Result<Vec<Enqueued>, LedgerError>> {
    Box::pin(take_in(desk, entries))
}

async fn take_in(desk: &Desk, entries: &[Entry]) -> Result<Vec<Enqueued>, LedgerError> {
    let lanes = desk.introduce(entries.iter().map(|entry| &entry.routed)).await?;
    // The first of each key is what may be new.
    let mut keys = HashSet::with_capacity(entries.len());
    let firsts: Vec<_> = entries.iter().zip(lanes).filter(|(entry, _)| keys.insert(entry.routed.job.key)).collect();
    let mut new: HashSet<JobKey> =
        desk.write(&firsts, |tx, firsts| Box::pin(insert(tx, firsts))).await?.into_iter().collect();
    let others: Vec<Uuid> = keys.iter().filter(|key| !new.contains(*key)).map(|key| uuid(*key)).collect();
    let repeats = entries.len() > firsts.len();
    let known = if others.is_empty() && !repeats {
        HashMap::new()
    } else {
        let keys: Vec<Uuid> = entries.iter().map(|entry| uuid(entry.routed.job.key)).collect();
        let session = desk.session().await?;
        session.in_time(recognise(&session, keys)).await?
    };
    let answer = |entry: &Entry| {
        let job = &entry.routed.job;
        if new.remove(&job.key) {
            return Ok(Enqueued::Fresh);
        }
        let (digest, state) =
            known.get(&job.key).ok_or_else(|| damaged("a job that is there cannot be found"))?.clone()?;
        Ok(if digest.is_same(&job.digest) { Enqueued::Duplicate(state) } else { Enqueued::IdReused })
    };
    entries.iter().map(answer).collect()
}

async fn insert(tx: &Tx<'_>, entries: &[(&Entry, i32)]) -> Result<Vec<JobKey>, LedgerError> {
    let mut columns = Columns::with_capacity(entries.len());
    let (mut dues, mut worth, mut nows, mut bodies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (entry, lane) in entries {
        columns.push(&entry.routed.job, *lane);
        dues.push(entry.due().map(Timestamp::as_millis));
        worth.push(worth_until(&entry.routed.job).as_millis());
        nows.push(entry.now.as_millis());
        bodies.push(entry.body.as_str());
    }
    let Columns { keys, digests, lanes, expires_at, late_at, ids, sources, recipients, .. } = &columns;
    let Columns { categories, campaigns, templates, on_unknown, metadata, .. } = &columns;
    let reason = Reason::NotBefore.as_str();
    let values: Values<'_> = &[
        keys, digests, lanes, expires_at, late_at, ids, sources, recipients, categories, campaigns, templates,
        on_unknown, metadata, &dues, &worth, &nows, &bodies, &reason,
    ];
    let rows = tx.query(ENQUEUE, values).await?;
    let new = rows.iter().map(|row| Ok(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes())));
    let new: Vec<JobKey> = new.collect::<Result<_, LedgerError>>()?;
    if !new.is_empty() {
        tx.stir(Stir::Work);
    }
    let is_new: HashSet<_> = new.iter().collect();
    let waits = entries.iter().filter(|(entry, _)| is_new.contains(&entry.routed.job.key));
    let happened = waits.filter_map(|(entry, _)| {
        let until = Some(entry.due()?);
        Some((entry.routed.job.key, Happened { until, ..Happened::of(State::Waiting, entry.now) }))
    });
    tx.publish(happened).await?;
    Ok(new)
}

/// What the jobs of these keys are, and where they stand.
type Recognised = HashMap<JobKey, Result<(Digest, State), LedgerError>>;

async fn recognise(session: &Session, keys: Vec<Uuid>) -> Result<Recognised, LedgerError> {
    let rows = session.query("SELECT key, digest, state FROM jobs WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    let read = |row: &Row| {
        let digest: Uuid = row.try_get(1)?;
        Ok((Digest::from_bytes(digest.into_bytes()), word(row, 2)?))
    };
    rows.iter().map(|row| Ok((JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()), read(row)))).collect()
}
