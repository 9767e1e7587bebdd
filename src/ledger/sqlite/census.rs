//! How many jobs stand where, from the counts that every commit keeps.

use rusqlite::Connection;

use super::desk::{known_word, word};
use crate::clock::Timestamp;
use crate::ledger::{Census, LaneAge, LedgerError};

/// The first row of each lane, timed and fresh: what has stood in line longest is among them. Jobs that were taken
/// back before anybody saw them have a lane without a name.
const LANES: &str = "SELECT pool, priority, min(since) FROM (
    SELECT l.pool, l.priority, (SELECT w.due_at FROM waiting w
            WHERE w.lane = l.id AND w.class = 0 AND w.owned = 0 AND w.held = 0
            ORDER BY w.due_at LIMIT 1) AS since FROM lanes l WHERE l.pinned = '' AND l.pool <> ''
    UNION ALL
    SELECT l.pool, l.priority, (SELECT j.created_at FROM waiting w CROSS JOIN jobs j ON j.seq = w.seq
            WHERE w.lane = l.id AND w.class = 1 AND w.owned = 0 AND w.held = 0
            ORDER BY w.due_at, w.seq LIMIT 1) FROM lanes l WHERE l.pinned = '' AND l.pool <> '')
    GROUP BY pool, priority ORDER BY pool, priority";

/// The relay takes the oldest first, so there are few gaps: two looks at an index instead of one at every row.
const OUTBOX: &str = "SELECT coalesce((SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1, 0)";

/// Reads the counts.
pub(super) fn census(conn: &Connection) -> Result<Census, LedgerError> {
    let mut census = Census::default();
    let mut find = conn.prepare_cached("SELECT what, word, n FROM tally WHERE n <> 0")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let n = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        match row.get_ref(0)?.as_str().unwrap_or_default() {
            "state" => census.states.push((word(row, 1)?, n)),
            "waiting" => census.waiting.extend(known_word(row, 1)?.map(|reason| (reason, n))),
            "dead" => census.dead = n,
            other => return Err(LedgerError::Damaged(format!("tally of {other}"))),
        }
    }
    census.states.sort_unstable_by_key(|(state, _)| *state);
    census.waiting.sort_unstable_by_key(|(reason, _)| *reason);
    let mut find = conn.prepare_cached(LANES)?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let since = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
        census.lanes.push(LaneAge { pool: word(row, 0)?, priority: word(row, 1)?, since });
    }
    let outbox: i64 = conn.prepare_cached(OUTBOX)?.query_row([], |row| row.get(0))?;
    census.outbox = u64::try_from(outbox).unwrap_or(0);
    Ok(census)
}
