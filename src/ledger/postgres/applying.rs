//! What webhooks say, in one commit with the end of their bodies.

use std::collections::HashMap;

use uuid::Uuid;

use super::desk::{Session, Tx};
use super::standing::{uuid, uuids};
use super::words::{clean, known_word};
use super::{fleet, holds, inbox, misses, statuses, suppressing, windows};
use crate::clock::Timestamp;
use crate::hold::HoldOrder;
use crate::job::{JobKey, NumberId};
use crate::ledger::{Applied, HoldChange, JobFacts, LedgerError, News, StrangeChange};
use crate::outcome::Reason;

pub(super) async fn apply(tx: &Tx<'_>, news: &News, now: Timestamp) -> Result<Applied, LedgerError> {
    // What does not come to the same when it is said twice is said by the commit alone that takes the bodies away.
    let is_first = inbox::forget(tx, &news.read).await?;
    let told = statuses::hear(tx, &news.statuses, now).await?;
    let suppressed = misses::count(tx, &told.missed, now).await?;
    windows::note(tx, &news.windows, &told.accepted).await?;
    if is_first {
        for change in &news.holds {
            match change {
                HoldChange::Place(order) => drop(holds::place(tx, order, now).await?),
                HoldChange::Lift { cover, only } => {
                    suppressing::lift_covers(tx, std::slice::from_ref(cover), only, None).await?;
                }
                HoldChange::Stop { order, said } => stop(tx, order, *said).await?,
                HoldChange::Start { cover, said } => {
                    let opted_out = &[Reason::OptedOut];
                    suppressing::lift_covers(tx, std::slice::from_ref(cover), opted_out, Some(*said)).await?;
                }
            }
        }
        tx.put_out(&news.events).await?;
        set_aside(tx, &news.strange).await?;
    }
    fleet::merge(tx, &news.fields).await?;
    Ok(Applied { statuses: told.moved, suppressed, priced: told.priced })
}

/// Said again, an opt-out counts from the last time: only what is said after that takes it back.
async fn stop(tx: &Tx<'_>, order: &HoldOrder, said: Timestamp) -> Result<(), LedgerError> {
    let hold = holds::place(tx, order, said).await?;
    let sql = "UPDATE holds SET since = $2 WHERE id = $1 AND since < $2";
    tx.execute(sql, &[&hold.id.0, &said.as_millis()]).await?;
    Ok(())
}

async fn set_aside(tx: &Tx<'_>, strange: &[StrangeChange]) -> Result<(), LedgerError> {
    if strange.is_empty() {
        return Ok(());
    }
    let fields: Vec<_> = strange.iter().map(|change| clean(&change.field)).collect();
    let bodies: Vec<_> = strange.iter().map(|change| clean(&change.body)).collect();
    let times: Vec<i64> = strange.iter().map(|change| change.at.as_millis()).collect();
    let sql = "INSERT INTO strange (field, body, at) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])";
    tx.execute(sql, &[&fields, &bodies, &times]).await?;
    Ok(())
}

/// Forgets changes that were set aside long ago, a few at a time.
pub(super) async fn trim(session: &Session, before: Timestamp, limit: u32) -> Result<(), LedgerError> {
    let sql = "DELETE FROM strange WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM strange WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(sql, &[&before.as_millis(), &i64::from(limit)]).await?;
    Ok(())
}

/// What failures must know of their jobs; none for strangers.
pub(super) async fn job_facts(session: &Session, jobs: &[JobKey]) -> Result<Vec<Option<JobFacts>>, LedgerError> {
    let mut keys = uuids(jobs.iter().copied());
    keys.dedup();
    let sql = "SELECT key, recipient, category, template, number FROM jobs WHERE key = ANY ($1::uuid[])";
    let mut known = HashMap::with_capacity(keys.len());
    for row in session.query(sql, &[&keys]).await? {
        // Left behind by who took it back before it came up: nothing is known of it.
        let Some(category) = known_word(&row, 2)? else { continue };
        let number = known_word::<NumberId>(&row, 4)?;
        let facts = JobFacts { recipient: row.try_get(1)?, category, template: row.try_get(3)?, number };
        known.insert(row.try_get::<_, Uuid>(0)?, facts);
    }
    Ok(jobs.iter().map(|key| known.get(&uuid(*key)).cloned()).collect())
}
