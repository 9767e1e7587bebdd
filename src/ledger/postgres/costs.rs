//! How many messages were priced as what: the jobs a stretch of time after the other, so that no look takes long
//! however many there are.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::desk::Session;
use crate::clock::Timestamp;
use crate::ledger::LedgerError;
use crate::ledger::costs::{CostFilter, CostRow, DAY_MS};

/// Jobs of so long are looked at together.
const STRETCH_MS: i64 = DAY_MS / 4;

/// Meta bills what is delivered, and says so on `sent` already: what is under way counts, and costs nothing yet.
const COUNT: &str = "SELECT (p.at + $1) / $2, p.campaign, p.cost_category, p.cost_type, p.number, p.place, count(*),
        count(*) FILTER (WHERE p.arrived AND p.cost_type NOT LIKE 'free%')
    FROM (SELECT coalesce(least(j.delivered_at, j.read_at), j.sent_at, j.accepted_at, j.created_at) AS at,
            j.campaign, j.cost_category, j.cost_type, CASE WHEN $3::boolean THEN j.number END AS number,
            CASE WHEN left(j.recipient, 1) = '+' THEN left(j.recipient, 1 + $4::int) ELSE left(j.recipient, 2) END
                AS place,
            j.delivered_at IS NOT NULL OR j.read_at IS NOT NULL AS arrived
        FROM jobs j WHERE j.cost_type IS NOT NULL AND j.cost_category IS NOT NULL
            AND ($5::text IS NULL OR j.campaign = $5) AND j.created_at >= $8 AND j.created_at < $9) p
    WHERE p.at >= $6 AND p.at < $7
    GROUP BY 1, 2, 3, 4, 5, 6";

/// The first job at or after a moment.
const NEXT: &str = "SELECT min(created_at) FROM jobs WHERE created_at >= $1";

/// When the next stretch with jobs in it begins.
pub(super) async fn next(session: &Session, from: i64) -> Result<Option<i64>, LedgerError> {
    Ok(session.query_one(NEXT, &[&from]).await?.try_get(0)?)
}

/// Counts the jobs of one stretch, and says where it ends.
pub(super) async fn count(
    session: &Session,
    (filter, from): &(CostFilter, i64),
) -> Result<(Vec<CostRow>, i64), LedgerError> {
    let end = from.saturating_add(STRETCH_MS);
    let digits = i32::try_from(filter.digits).unwrap_or(i32::MAX - 1);
    let since = filter.since.map_or(i64::MIN, Timestamp::as_millis);
    let until = filter.until.map_or(i64::MAX, Timestamp::as_millis);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&filter.zone_ms, &DAY_MS, &filter.by_number, &digits, &filter.campaign, &since, &until, from, &end];
    let rows = session.query(COUNT, &values).await?.iter().map(row).collect::<Result<_, _>>()?;
    Ok((rows, end))
}

/// Puts together what stretches have in common.
#[derive(Default)]
pub(super) struct Sum(BTreeMap<CostRow, (u64, u64)>);

impl Sum {
    pub(super) fn add(&mut self, rows: Vec<CostRow>) {
        for row in rows {
            let (messages, billable) = (row.messages, row.billable);
            let counts = self.0.entry(CostRow { messages: 0, billable: 0, ..row }).or_default();
            counts.0 += messages;
            counts.1 += billable;
        }
    }

    pub(super) fn rows(self) -> Vec<CostRow> {
        self.0.into_iter().map(|(row, (messages, billable))| CostRow { messages, billable, ..row }).collect()
    }
}

fn row(row: &Row) -> Result<CostRow, LedgerError> {
    let count = |at: usize| row.try_get(at).map(|n: i64| u64::try_from(n).unwrap_or(0));
    Ok(CostRow {
        day: row.try_get(0)?,
        campaign: row.try_get(1)?,
        category: row.try_get(2)?,
        kind: row.try_get(3)?,
        number: row.try_get(4)?,
        place: row.try_get(5)?,
        messages: count(6)?,
        billable: count(7)?,
    })
}
