//! What a worker does with rows in its hands but sending them: it gives them back, parks them, or lets them wait.

use std::collections::HashMap;

use uuid::Uuid;

use super::change::{self, NewRow, Place, Wait};
use super::desk::{Stir, Tx};
use super::hold_cache::{self, COLUMNS};
use super::intake::take_in;
use super::standing::{RowOf, Standing, find, is_in_line, rounds, uuid, uuids};
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId};
use crate::job::JobKey;
use crate::ledger::end::End;
use crate::ledger::{Deferral, LedgerError, Parking, Routed, WorkerId};
use crate::outcome::{Reason, State};

/// Puts claimed rows back where they stood.
pub(super) async fn give_back(tx: &Tx<'_>, worker: WorkerId, jobs: &[JobKey]) -> Result<(), LedgerError> {
    let sql = "UPDATE waiting w SET owner = NULL WHERE w.key = ANY ($1::uuid[]) AND w.owner = $2
        AND EXISTS (SELECT 1 FROM jobs j WHERE j.key = w.key AND j.state IN ('queued', 'waiting'))";
    if tx.execute(sql, &[&uuids(jobs.iter().copied()), &worker.0]).await? > 0 {
        tx.stir(Stir::Work);
    }
    Ok(())
}

/// Frees what stands in this worker's name and is not in its hands.
pub(super) async fn keep_only(tx: &Tx<'_>, worker: WorkerId, in_hand: &[JobKey]) -> Result<(), LedgerError> {
    let rows = tx.query("SELECT key FROM waiting WHERE owner = $1", &[&worker.0]).await?;
    let mut lost = Vec::new();
    let kept = uuids(in_hand.iter().copied());
    for row in rows {
        let key: Uuid = row.try_get(0)?;
        if kept.binary_search(&key).is_err() {
            lost.push(JobKey::from_bytes(key.into_bytes()));
        }
    }
    if lost.is_empty() { Ok(()) } else { give_back(tx, worker, &lost).await }
}

/// Lets jobs in hand wait until a time; those that the broker delivered get their rows, unless the ledger knows them.
pub(super) async fn defer(tx: &Tx<'_>, jobs: &[Deferral], now: Timestamp) -> Result<(), LedgerError> {
    for round in rounds(jobs, |deferral| deferral.key) {
        let round: Vec<&Deferral> = round.into_iter().map(|(_, deferral)| deferral).collect();
        defer_each_once(tx, &round, now).await?;
    }
    Ok(())
}

async fn defer_each_once(tx: &Tx<'_>, jobs: &[&Deferral], now: Timestamp) -> Result<(), LedgerError> {
    let found = find(tx, &jobs.iter().map(|deferral| deferral.key).collect::<Vec<_>>()).await?;
    let delivered = jobs.iter().filter_map(|deferral| deferral.delivered.as_ref());
    let unseen: Vec<&Routed> = delivered.filter(|routed| !found.is_there(routed.job.key)).collect();
    let new = take_in(tx, &unseen, now).await?;
    let (mut waits, mut bodies) = (Vec::new(), Vec::new());
    for Deferral { key, due, reason, delivered } in jobs {
        let job = match delivered {
            None => found.get(*key),
            Some(routed) => {
                bodies.extend(found.get(*key).and_then(|job| body_to_keep(job, routed)));
                new.iter().find(|job| job.key == *key)
            }
        };
        if let Some(job) = job.filter(|job| is_in_line(job.state)) {
            let wait = Wait { delivered: delivered.as_ref(), ..moved(job, Place::Due(*due), *reason, now) };
            waits.push((job, wait));
        }
    }
    change::wait(tx, &waits).await?;
    change::insert_rows(tx, &bodies).await
}

/// Parks jobs in hand; those that the broker delivered get their rows, unless the ledger knows them.
pub(super) async fn park(tx: &Tx<'_>, jobs: &[Parking], now: Timestamp) -> Result<(), LedgerError> {
    for round in rounds(jobs, |parking| parking.key) {
        let round: Vec<&Parking> = round.into_iter().map(|(_, parking)| parking).collect();
        park_each_once(tx, &round, now).await?;
    }
    Ok(())
}

async fn park_each_once(tx: &Tx<'_>, jobs: &[&Parking], now: Timestamp) -> Result<(), LedgerError> {
    let found = find(tx, &jobs.iter().map(|parking| parking.key).collect::<Vec<_>>()).await?;
    let delivered = jobs.iter().filter_map(|parking| parking.delivered.as_ref());
    let unseen: Vec<&Routed> = delivered.filter(|routed| !found.is_there(routed.job.key)).collect();
    let new = take_in(tx, &unseen, now).await?;
    let stand = standing_holds(tx, jobs.iter().map(|parking| parking.hold)).await?;
    let (mut waits, mut bodies, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for Parking { key, hold, delivered } in jobs {
        let job = match delivered {
            None => found.get(*key),
            Some(routed) => {
                bodies.extend(found.get(*key).and_then(|job| body_to_keep(job, routed)));
                new.iter().find(|job| job.key == *key)
            }
        };
        let Some(job) = job.filter(|job| is_in_line(job.state)) else { continue };
        match (stand.get(hold), delivered) {
            (Some(hold), _) => {
                let place = Place::under(hold);
                let wait = Wait { delivered: delivered.as_ref(), ..moved(job, place, hold.reason, now) };
                waits.push((job, wait));
            }
            (None, Some(routed)) => {
                tx.stir(Stir::Work);
                bodies.push(NewRow { routed, due: None, held: 0, owner: None });
            }
            (None, None) => back.push(uuid(*key)),
        }
    }
    change::wait(tx, &waits).await?;
    change::insert_rows(tx, &bodies).await?;
    let sql = "UPDATE waiting SET owner = NULL WHERE key = ANY ($1::uuid[]) AND owner IS NOT NULL";
    if !back.is_empty() && tx.execute(sql, &[&back]).await? > 0 {
        tx.stir(Stir::Work);
    }
    Ok(())
}

/// The row in which the body of a known job is kept that was delivered again, if it has none and has not ended.
pub(super) fn body_to_keep<'a>(job: &Standing, routed: &'a Routed) -> Option<NewRow<'a>> {
    if job.row != RowOf::Nowhere || job.state.has_ended() || job.is_erased() || !job.digest.is_same(&routed.job.digest)
    {
        return None;
    }
    // In line without a row: whoever was to give it one did not know the body. In an attempt, nobody may claim it.
    let owner = (!is_in_line(job.state)).then(Uuid::nil);
    Some(NewRow { routed, due: None, held: 0, owner })
}

/// Those of these holds that stand. None is lifted before this transaction ends, so rows may be parked under them.
pub(super) async fn standing_holds(
    tx: &Tx<'_>,
    holds: impl Iterator<Item = HoldId>,
) -> Result<HashMap<HoldId, Hold>, LedgerError> {
    let mut ids: Vec<i64> = holds.map(|hold| hold.0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE id = ANY ($1::bigint[]) AND NOT lifted ORDER BY id FOR SHARE");
    let holds = hold_cache::read(tx, &sql, &[&ids]).await?;
    Ok(holds.into_iter().map(|hold| (hold.id, hold)).collect())
}

/// Ends delivered jobs that the broker gave up as too old, unless the ledger knows them.
pub(super) async fn expire(tx: &Tx<'_>, jobs: &[Routed], now: Timestamp) -> Result<(), LedgerError> {
    for round in rounds(jobs, |routed| routed.job.key).into_iter().take(1) {
        let jobs: Vec<&Routed> = round.into_iter().map(|(_, routed)| routed).collect();
        let new = take_in(tx, &jobs, now).await?;
        let end = |job| (job, End::ours(State::Expired, Reason::TooLate, now));
        change::end(tx, &new.iter().map(end).collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// A wait that changes nothing but the place and the reason.
pub(super) fn moved(job: &Standing, place: Place, reason: Reason, at: Timestamp) -> Wait<'static> {
    let (charged, lost) = (job.charged, job.lost);
    Wait { place, reason, code: None, at, charged, lost, delivered: None }
}
