//! Jobs as people look at them; read beside the writer, never by it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cancel::rows_of;
use super::desk::{known_word, time, word};
use super::hold_cache;
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId};
use crate::job::{JobKey, NumberId, PoolName};
use crate::ledger::{JobFacts, JobFilter, JobRef, JobRow, LedgerError, TrailEntry};
use crate::outcome::State;

/// As far as the rows before a job are counted.
const AHEAD: u32 = 100_000;

const JOB: &str = "SELECT j.key, j.id, j.source, j.state, j.reason, j.code, l.pool, l.priority, j.campaign, j.template,
        coalesce(j.number, nullif(l.pinned, '')), j.recipient, j.category, j.attempt, j.wamid,
        iif(w.class = 0 AND w.owned = 0 AND w.held = 0, w.due_at, NULL), j.deadline, j.expires_at, j.created_at,
        j.accepted_at, j.ended_at, j.updated_at, j.details,
        h.id, h.scope, h.subject, h.category, h.country, h.effect, h.reason, h.who, h.since, h.until, h.probe, h.step,
        j.sent_at, j.delivered_at, j.read_at, j.cost_type, j.cost_category
    FROM jobs j JOIN lanes l ON l.id = j.lane
    LEFT JOIN waiting w ON w.seq = j.seq
    LEFT JOIN holds h ON h.id = w.held AND w.held > 0";

/// The jobs of a name.
pub(super) fn show(conn: &Connection, job: &JobRef) -> Result<Vec<JobRow>, LedgerError> {
    let mut find = conn.prepare_cached(&format!("{JOB} WHERE j.seq = ?1"))?;
    let mut found = Vec::new();
    for seq in rows_of(conn, job)? {
        found.extend(find.query_row([seq], |row| Ok(read(row))).optional()?.transpose()?);
    }
    Ok(found)
}

/// Jobs that fit a filter, the newest first. A filter that few jobs fit reads all of them.
pub(super) fn jobs(conn: &Connection, filter: &JobFilter) -> Result<Vec<JobRow>, LedgerError> {
    let mut find = conn.prepare_cached(&format!(
        "{JOB} WHERE (?1 IS NULL OR j.state = ?1) AND (?2 IS NULL OR j.campaign = ?2)
             AND (?3 IS NULL OR l.pool = ?3) AND (?4 IS NULL OR coalesce(j.number, l.pinned) = ?4)
             AND (?5 IS NULL OR j.recipient = ?5)
         ORDER BY j.seq DESC LIMIT ?6"
    ))?;
    let mut rows = find.query(params![
        filter.state.map(State::as_str),
        filter.campaign,
        filter.pool.as_ref().map(PoolName::as_str),
        filter.number.as_ref().map(NumberId::as_str),
        filter.recipient,
        filter.limit,
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The waits and retries of a job.
pub(super) fn trail(conn: &Connection, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
    let mut find = conn.prepare_cached(
        "SELECT t.n, t.at, t.state, t.reason, t.code, t.number, t.until
         FROM trail t JOIN jobs j ON j.seq = t.seq WHERE j.key = ?1 ORDER BY t.n",
    )?;
    let mut rows = find.query([key.as_bytes()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(TrailEntry {
            n: row.get(0)?,
            at: Timestamp::from_millis(row.get(1)?),
            state: word(row, 2)?,
            reason: word(row, 3)?,
            code: row.get(4)?,
            number: row.get(5)?,
            until: time(row, 6)?,
        });
    }
    Ok(entries)
}

/// What is needed of jobs to say what the failure of their messages means for others.
pub(super) fn facts(conn: &Connection, jobs: &[JobKey]) -> Result<Vec<Option<JobFacts>>, LedgerError> {
    let mut find = conn.prepare_cached("SELECT recipient, category, template, number FROM jobs WHERE key = ?1")?;
    let mut facts = Vec::with_capacity(jobs.len());
    for key in jobs {
        let mut rows = find.query([key.as_bytes()])?;
        let Some(row) = rows.next()? else {
            facts.push(None);
            continue;
        };
        let (recipient, template, number) = (row.get(0)?, row.get(2)?, known_word(row, 3)?);
        // One that was taken back before anybody saw it has no category, and nothing to tell.
        facts.push(known_word(row, 1)?.map(|category| JobFacts { recipient, category, template, number }));
    }
    Ok(facts)
}

/// How many free rows of its lane go before a job that stands in line itself.
pub(super) fn waiting_ahead(conn: &Connection, key: JobKey, now: Timestamp) -> Result<Option<u32>, LedgerError> {
    let place = conn
        .prepare_cached(
            "SELECT w.lane, w.class, w.due_at, w.seq FROM waiting w JOIN jobs j ON j.seq = w.seq
             WHERE j.key = ?1 AND w.owned = 0 AND w.held = 0",
        )?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((lane, class, due_at, seq)): Option<(i64, i64, i64, i64)> = place else { return Ok(None) };
    let count = |sql: &str, values: &[i64]| -> Result<u32, LedgerError> {
        Ok(conn.prepare_cached(sql)?.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
    };
    let same = count(
        "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE lane = ?1 AND class = ?2 AND owned = 0 AND held = 0
             AND (due_at, seq) < (?3, ?4) LIMIT ?5)",
        &[lane, class, due_at, seq, AHEAD.into()],
    )?;
    if class == 0 {
        return Ok(Some(same));
    }
    let due = count(
        "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE lane = ?1 AND class = 0 AND owned = 0 AND held = 0
             AND due_at <= ?2 LIMIT ?3)",
        &[lane, now.as_millis(), AHEAD.into()],
    )?;
    Ok(Some((same + due).min(AHEAD)))
}

/// Holds, recipients' too, the newest first.
pub(super) fn holds(conn: &Connection, limit: u32) -> Result<Vec<Hold>, LedgerError> {
    let columns = hold_cache::COLUMNS;
    let query = format!("SELECT {columns} FROM holds WHERE lifted = 0 ORDER BY id DESC LIMIT ?1");
    hold_cache::read(conn, &query, [limit])
}

/// Recipients' holds with a higher id than `after`, the lowest first.
pub(super) fn recipient_holds(conn: &Connection, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
    let columns = hold_cache::COLUMNS;
    let query = format!(
        "SELECT {columns} FROM holds WHERE +scope = 'recipient' AND lifted = 0 AND id > ?1 ORDER BY id LIMIT ?2"
    );
    hold_cache::read(conn, &query, params![after.0, limit])
}

fn read(row: &Row<'_>) -> Result<JobRow, LedgerError> {
    let is_held = row.get::<_, Option<i64>>(23)?.is_some();
    Ok(JobRow {
        key: JobKey::from_bytes(row.get(0)?),
        id: row.get(1)?,
        source: row.get(2)?,
        state: word(row, 3)?,
        reason: known_word(row, 4)?,
        code: row.get(5)?,
        pool: row.get(6)?,
        priority: word(row, 7)?,
        campaign: row.get(8)?,
        template: row.get(9)?,
        number: row.get(10)?,
        recipient: row.get(11)?,
        category: row.get(12)?,
        attempts: row.get(13)?,
        wamid: row.get(14)?,
        due_at: time(row, 15)?,
        deadline: time(row, 16)?,
        expires_at: Timestamp::from_millis(row.get(17)?),
        created_at: Timestamp::from_millis(row.get(18)?),
        accepted_at: time(row, 19)?,
        sent_at: time(row, 35)?,
        delivered_at: time(row, 36)?,
        read_at: time(row, 37)?,
        cost_type: row.get(38)?,
        cost_category: row.get(39)?,
        ended_at: time(row, 20)?,
        updated_at: Timestamp::from_millis(row.get(21)?),
        details: row.get(22)?,
        hold: is_held.then(|| hold_cache::hold(row, 23)).transpose()?,
    })
}
