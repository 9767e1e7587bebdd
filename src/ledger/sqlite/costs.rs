//! How many messages were priced as what: one pass over the jobs, beside the writer.

use rusqlite::{Connection, Row, params};

use crate::clock::Timestamp;
use crate::ledger::LedgerError;
use crate::ledger::costs::{CostFilter, CostRow, DAY_MS};

/// Meta bills what is delivered, and says so on `sent` already: what is under way counts, and costs nothing yet.
const COUNT: &str = "SELECT (p.at + ?1) / ?2, p.campaign, p.cost_category, p.cost_type, p.number, p.place, count(*),
        count(*) FILTER (WHERE p.arrived AND p.cost_type NOT LIKE 'free%')
    FROM (SELECT coalesce(min(j.delivered_at, j.read_at), j.delivered_at, j.read_at, j.sent_at, j.accepted_at,
                j.created_at) AS at,
            j.campaign, j.cost_category, j.cost_type, iif(?3, j.number, NULL) AS number,
            iif(substr(j.recipient, 1, 1) = '+', substr(j.recipient, 1, 1 + ?4), substr(j.recipient, 1, 2)) AS place,
            j.delivered_at IS NOT NULL OR j.read_at IS NOT NULL AS arrived
        FROM jobs j WHERE j.cost_type IS NOT NULL AND j.cost_category IS NOT NULL
            AND (?5 IS NULL OR j.campaign = ?5)) p
    WHERE p.at >= ?6 AND p.at < ?7
    GROUP BY 1, 2, 3, 4, 5, 6";

pub(super) fn count(conn: &Connection, filter: &CostFilter) -> Result<Vec<CostRow>, LedgerError> {
    let mut find = conn.prepare_cached(COUNT)?;
    let values = params![
        filter.zone_ms,
        DAY_MS,
        filter.by_number,
        filter.digits,
        filter.campaign,
        filter.since.map_or(i64::MIN, Timestamp::as_millis),
        filter.until.map_or(i64::MAX, Timestamp::as_millis),
    ];
    let mut rows = find.query_map(values, row)?.collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable();
    Ok(rows)
}

fn row(row: &Row<'_>) -> rusqlite::Result<CostRow> {
    let count = |at: usize| row.get(at).map(|n: i64| u64::try_from(n).unwrap_or(0));
    Ok(CostRow {
        day: row.get(0)?,
        campaign: row.get(1)?,
        category: row.get(2)?,
        kind: row.get(3)?,
        number: row.get(4)?,
        place: row.get(5)?,
        messages: count(6)?,
        billable: count(7)?,
    })
}
