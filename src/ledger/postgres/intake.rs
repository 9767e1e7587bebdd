//! Jobs that the broker delivered and that get their rows in the middle of something else.

use std::collections::HashSet;

use uuid::Uuid;

use super::desk::{Tx, Values};
use super::enqueue::Columns;
use super::standing::{RowOf, Standing};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::{LedgerError, Routed};
use crate::outcome::State;

/// Gives jobs that the ledger has never seen their rows, `queued` and without waiting rows; what another has taken in
/// meanwhile is left out of the answer.
pub(super) async fn take_in(tx: &Tx<'_>, jobs: &[&Routed], now: Timestamp) -> Result<Vec<Standing>, LedgerError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let lanes = tx.desk.introduce(jobs.iter().copied()).await?;
    let mut columns = Columns::with_capacity(jobs.len());
    jobs.iter().zip(lanes).for_each(|(routed, lane)| columns.push(&routed.job, lane));
    let Columns { keys, digests, lanes, expires_at, late_at, ids, sources, recipients, .. } = &columns;
    let Columns { categories, campaigns, templates, on_unknown, metadata, .. } = &columns;
    let now = now.as_millis();
    let values: Values<'_> = &[
        keys, digests, lanes, expires_at, late_at, ids, sources, recipients, categories, campaigns, templates,
        on_unknown, metadata, &now,
    ];
    let sql = "INSERT INTO jobs (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign,
            template, on_unknown, metadata, created_at, updated_at, state)
        SELECT a.*, $14, $14, 'queued' FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::bigint[],
            $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
            AS a (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign, template,
            on_unknown, metadata)
        ORDER BY a.key ON CONFLICT (key) DO NOTHING RETURNING key";
    let mut added = HashSet::with_capacity(jobs.len());
    for row in tx.query(sql, values).await? {
        added.insert(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()));
    }
    let standing = |routed: &&Routed| {
        tx.tally.add(State::Queued, None);
        Standing {
            key: routed.job.key,
            state: State::Queued,
            reason: None,
            attempt: 0,
            charged: 0,
            lost: 0,
            digest: routed.job.digest,
            number: None,
            fence: None,
            row: RowOf::Nowhere,
        }
    };
    Ok(jobs.iter().filter(|routed| added.contains(&routed.job.key)).map(standing).collect())
}
