//! How many jobs stand where, from what every commit counted.

use super::desk::Session;
use super::words::{known_word, time, word};
use crate::ledger::{Census, LaneAge, LedgerError};

/// The first row of each lane, timed and fresh: what has stood in line longest is among them. Jobs that were taken
/// back before anybody saw them have a lane without a name.
const LANES: &str = "SELECT pool, priority, min(since) FROM (
    SELECT l.pool, l.priority, (SELECT w.due_at FROM waiting w
            WHERE w.lane = l.id AND w.class = 0 AND w.owner IS NULL AND w.held = 0
            ORDER BY w.due_at, w.seq LIMIT 1) AS since FROM lanes l WHERE l.pinned = '' AND l.pool <> ''
    UNION ALL
    SELECT l.pool, l.priority, (SELECT j.created_at FROM waiting w JOIN jobs j ON j.key = w.key
            WHERE w.lane = l.id AND w.class = 1 AND w.owner IS NULL AND w.held = 0
            ORDER BY w.due_at, w.seq LIMIT 1) FROM lanes l WHERE l.pinned = '' AND l.pool <> '') first
    GROUP BY pool, priority ORDER BY pool, priority";

/// The relay takes the oldest first, so there are few gaps: two looks at an index instead of one at every row.
const OUTBOX: &str = "SELECT coalesce((SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1, 0)";

/// Reads the counts.
pub(super) async fn census(session: &Session) -> Result<Census, LedgerError> {
    let mut census = Census::default();
    let sql = "SELECT what, word, sum(n)::bigint FROM tally GROUP BY what, word HAVING sum(n) <> 0";
    for row in session.query(sql, &[]).await? {
        let n = u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
        match row.try_get(0)? {
            "state" => census.states.push((word(&row, 1)?, n)),
            "waiting" => census.waiting.extend(known_word(&row, 1)?.map(|reason| (reason, n))),
            "dead" => census.dead = n,
            other => return Err(LedgerError::Damaged(format!("tally of {other}"))),
        }
    }
    census.states.sort_unstable_by_key(|(state, _)| *state);
    census.waiting.sort_unstable_by_key(|(reason, _)| *reason);
    for row in session.query(LANES, &[]).await? {
        census.lanes.push(LaneAge { pool: word(&row, 0)?, priority: word(&row, 1)?, since: time(&row, 2)? });
    }
    census.outbox = u64::try_from(session.query_one(OUTBOX, &[]).await?.try_get::<_, i64>(0)?).unwrap_or(0);
    Ok(census)
}
