//! Jobs as people look at them.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::desk::Session;
use super::hold_cache;
use super::standing::{uuid, uuids};
use super::words::{count, known_word, time, word};
use crate::clock::Timestamp;
use crate::job::{JobId, JobKey, NumberId, PoolName, Source};
use crate::ledger::{JobFilter, JobRef, JobRow, LedgerError, TrailEntry};
use crate::outcome::State;

/// As far as the rows before a job are counted.
const AHEAD: i64 = 100_000;

const JOB: &str = "SELECT j.key, j.id, j.source, j.state, j.reason, j.code, l.pool, l.priority, j.campaign, j.template,
        coalesce(j.number, nullif(l.pinned, '')), j.recipient, j.category, j.attempt, j.wamid,
        CASE WHEN w.class = 0 AND w.owner IS NULL AND w.held = 0 THEN w.due_at END, j.deadline, j.expires_at,
        j.created_at, j.accepted_at, j.ended_at, j.updated_at, j.details,
        h.id, h.scope, h.subject, h.category, h.country, h.effect, h.reason, h.who, h.since, h.until, h.probe, h.step,
        j.sent_at, j.delivered_at, j.read_at, j.cost_type, j.cost_category
    FROM jobs j JOIN lanes l ON l.id = j.lane
    LEFT JOIN waiting w ON w.key = j.key
    LEFT JOIN holds h ON h.id = w.held AND w.held > 0";

/// Which producers there are: an id without its source may be any of theirs.
pub(super) struct Producers(Vec<Source>);

impl Producers {
    pub(super) async fn read(session: &Session) -> Result<Self, LedgerError> {
        let rows = session.query("SELECT name FROM sources ORDER BY name", &[]).await?;
        let names = rows.iter().map(|row| row.try_get::<_, &str>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(names.into_iter().filter_map(|name| name.parse().ok()).collect()))
    }

    /// The keys that a name may mean: under the source given, or under each source and none.
    pub(super) fn candidates(&self, job: &JobRef) -> Vec<JobKey> {
        let mut keys: Vec<JobKey> = Vec::new();
        if let Ok(id) = job.id.parse::<JobId>() {
            match &job.source {
                Some(source) => keys.extend(source.parse().ok().map(|source| JobKey::of(Some(&source), &id))),
                None => {
                    keys.push(JobKey::of(None, &id));
                    keys.extend(self.0.iter().map(|source| JobKey::of(Some(source), &id)));
                }
            }
        }
        if job.source.is_none() {
            keys.extend(job.id.parse::<JobKey>().ok());
        }
        keys
    }
}

/// The jobs that a name may mean.
pub(super) async fn keys_of(session: &Session, job: &JobRef) -> Result<Vec<JobKey>, LedgerError> {
    let mut keys = Producers::read(session).await?.candidates(job);
    let asked = uuids(keys.iter().copied());
    let rows = session.query("SELECT key FROM jobs WHERE key = ANY ($1::uuid[])", &[&asked]).await?;
    let there = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
    keys.retain(|key| there.contains(&uuid(*key)));
    Ok(keys)
}

/// The jobs of a name.
pub(super) async fn show(session: &Session, job: &JobRef) -> Result<Vec<JobRow>, LedgerError> {
    let mut found = Vec::new();
    for key in keys_of(session, job).await? {
        let key = uuid(key);
        let row = session.query_opt(&format!("{JOB} WHERE j.key = $1"), &[&key]).await?;
        found.extend(row.as_ref().map(read).transpose()?);
    }
    Ok(found)
}

/// Jobs that fit a filter, the newest first. A filter that few jobs fit reads all of them.
pub(super) async fn jobs(session: &Session, filter: &JobFilter) -> Result<Vec<JobRow>, LedgerError> {
    let limit = i64::from(filter.limit);
    let given = [
        ("j.state", filter.state.map(State::as_str)),
        ("j.campaign", filter.campaign.as_deref()),
        ("l.pool", filter.pool.as_ref().map(PoolName::as_str)),
        ("coalesce(j.number, l.pinned)", filter.number.as_ref().map(NumberId::as_str)),
        ("j.recipient", filter.recipient.as_deref()),
    ];
    let given: Vec<(&str, &str)> = given.into_iter().filter_map(|(column, value)| Some((column, value?))).collect();
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&limit];
    let mut conditions = String::new();
    for (column, value) in &given {
        values.push(value);
        conditions += &format!(" AND {column} = ${}", values.len());
    }
    let sql = format!("{JOB} WHERE true{conditions} ORDER BY j.created_at DESC, j.key DESC LIMIT $1");
    session.query(&sql, &values).await?.iter().map(read).collect()
}

/// The waits and retries of a job.
pub(super) async fn trail(session: &Session, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
    let sql = "SELECT n, at, state, reason, code, number, until FROM trail WHERE key = $1 ORDER BY n";
    let entry = |row: &Row| {
        Ok(TrailEntry {
            n: count(row, 0)?,
            at: Timestamp::from_millis(row.try_get(1)?),
            state: word(row, 2)?,
            reason: word(row, 3)?,
            code: code(row, 4)?,
            number: row.try_get(5)?,
            until: time(row, 6)?,
        })
    };
    session.query(sql, &[&uuid(key)]).await?.iter().map(entry).collect()
}

/// How many free rows of its lane go before a job that stands in line itself.
pub(super) async fn waiting_ahead(session: &Session, key: JobKey, now: Timestamp) -> Result<Option<u32>, LedgerError> {
    let sql = "SELECT lane, class, due_at, seq FROM waiting WHERE key = $1 AND owner IS NULL AND held = 0";
    let Some(place) = session.query_opt(sql, &[&uuid(key)]).await? else { return Ok(None) };
    let (lane, class): (i32, i16) = (place.try_get(0)?, place.try_get(1)?);
    let (due_at, seq): (i64, i64) = (place.try_get(2)?, place.try_get(3)?);
    let sql =
        "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE lane = $1 AND class = $2 AND owner IS NULL AND held = 0
        AND (due_at, seq) < ($3, $4) LIMIT $5) ahead";
    let mut ahead: i64 = session.query_one(sql, &[&lane, &class, &due_at, &seq, &AHEAD]).await?.try_get(0)?;
    if class > 0 {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE lane = $1 AND class = 0 AND owner IS NULL
            AND held = 0 AND due_at <= $2 LIMIT $3) due";
        ahead += session.query_one(sql, &[&lane, &now.as_millis(), &AHEAD]).await?.try_get::<_, i64>(0)?;
    }
    Ok(u32::try_from(ahead.min(AHEAD)).ok())
}

fn read(row: &Row) -> Result<JobRow, LedgerError> {
    let is_held = row.try_get::<_, Option<i64>>(23)?.is_some();
    Ok(JobRow {
        key: JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()),
        id: row.try_get(1)?,
        source: row.try_get(2)?,
        state: word(row, 3)?,
        reason: known_word(row, 4)?,
        code: code(row, 5)?,
        pool: row.try_get(6)?,
        priority: word(row, 7)?,
        campaign: row.try_get(8)?,
        template: row.try_get(9)?,
        number: row.try_get(10)?,
        recipient: row.try_get(11)?,
        category: row.try_get(12)?,
        attempts: count(row, 13)?,
        wamid: row.try_get(14)?,
        due_at: time(row, 15)?,
        deadline: time(row, 16)?,
        expires_at: Timestamp::from_millis(row.try_get(17)?),
        created_at: Timestamp::from_millis(row.try_get(18)?),
        accepted_at: time(row, 19)?,
        sent_at: time(row, 35)?,
        delivered_at: time(row, 36)?,
        read_at: time(row, 37)?,
        cost_type: row.try_get(38)?,
        cost_category: row.try_get(39)?,
        ended_at: time(row, 20)?,
        updated_at: Timestamp::from_millis(row.try_get(21)?),
        details: row.try_get(22)?,
        hold: is_held.then(|| hold_cache::hold(row, 23)).transpose()?,
    })
}

fn code(row: &Row, column: usize) -> Result<Option<u32>, LedgerError> {
    Ok(row.try_get::<_, Option<i32>>(column)?.and_then(|code| u32::try_from(code).ok()))
}
