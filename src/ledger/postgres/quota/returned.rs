//! Places that are given back because their messages did not leave, and those that count from a later moment.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::desk::{Session, Stir, Tx};
use super::super::standing::{Standing, uuid, uuids};
use super::places::{Person, Places};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::LedgerError;
use crate::ledger::quota::in_doubt;

/// Those of the jobs that have places, or had.
pub(in crate::ledger::postgres) async fn has_places(
    session: &Session,
    jobs: impl Iterator<Item = JobKey>,
) -> Result<BTreeSet<JobKey>, LedgerError> {
    let rows = session.query("SELECT key FROM seen WHERE key = ANY ($1::uuid[])", &[&uuids(jobs)]).await?;
    rows.iter().map(|row| Ok(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()))).collect()
}

/// Locks the places that these jobs have, before anything else is locked.
pub(in crate::ledger::postgres) async fn lock_of(
    tx: &Tx<'_>,
    jobs: impl Iterator<Item = JobKey>,
) -> Result<(), LedgerError> {
    let keys = uuids(jobs);
    if keys.is_empty() || !tx.desk.limits.known(tx.desk, tx).await?.is_counting() {
        return Ok(());
    }
    tx.lock_places(&portfolios_of(tx, &keys).await?).await
}

/// The portfolios of which these jobs have places.
pub(super) async fn portfolios_of(tx: &Tx<'_>, keys: &[Uuid]) -> Result<BTreeSet<String>, LedgerError> {
    Ok(people(tx, keys).await?.into_iter().map(|((portfolio, _), _)| portfolio).collect())
}

/// Gives back what these jobs took whose attempts did not leave, unless earlier ones of them may have.
pub(in crate::ledger::postgres) async fn give_back_of<'a>(
    tx: &Tx<'_>,
    jobs: impl Iterator<Item = &'a Standing>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let sure = jobs.filter(|job| in_doubt(job.state, job.lost) == 0);
    give_back(tx, sure.map(|job| job.key), now).await
}

/// Gives back what these jobs took, and tells who waits for it.
pub(in crate::ledger::postgres) async fn give_back(
    tx: &Tx<'_>,
    jobs: impl Iterator<Item = JobKey>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    give_back_where(tx, jobs, |_| true, now).await
}

/// Gives back what these jobs took of any portfolio but the one in whose name each is sent after all.
pub(super) async fn give_back_elsewhere(
    tx: &Tx<'_>,
    jobs: &BTreeMap<JobKey, &str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let stays: BTreeMap<Uuid, &str> = jobs.iter().map(|(key, portfolio)| (uuid(*key), *portfolio)).collect();
    let is_elsewhere = |(person, key): &(Person, Uuid)| stays.get(key).is_some_and(|portfolio| person.0 != *portfolio);
    give_back_where(tx, jobs.keys().copied(), is_elsewhere, now).await
}

async fn give_back_where(
    tx: &Tx<'_>,
    jobs: impl Iterator<Item = JobKey>,
    is_one: impl Fn(&(Person, Uuid)) -> bool,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some((mut places, messages)) = find(tx, jobs, is_one, now).await? else { return Ok(()) };
    let mut freed = BTreeSet::new();
    for (person, key) in &messages {
        if places.give_back(person, *key) {
            freed.insert(person.0.clone());
        }
    }
    places.write(tx).await?;
    tell_who_waits(tx, &freed).await
}

/// Has workers claim again where jobs wait for places of these portfolios.
pub(super) async fn tell_who_waits(tx: &Tx<'_>, freed: &BTreeSet<String>) -> Result<(), LedgerError> {
    if freed.is_empty() {
        return Ok(());
    }
    let known = tx.desk.holds.known(tx).await?;
    if freed.iter().any(|portfolio| known.set.at_limit(portfolio).is_some()) {
        tx.stir(Stir::Work);
    }
    Ok(())
}

/// Forgets a person's messages, and says how many: that the person is counted stays. Before anything else is locked.
pub(in crate::ledger::postgres) async fn erase(tx: &Tx<'_>, recipient: &str) -> Result<u64, LedgerError> {
    let mut portfolios = BTreeSet::new();
    for row in tx.query("SELECT DISTINCT portfolio FROM seen WHERE recipient = $1", &[&recipient]).await? {
        portfolios.insert(row.try_get(0)?);
    }
    if portfolios.is_empty() {
        return Ok(0);
    }
    tx.lock_places(&portfolios).await?;
    tx.execute("DELETE FROM seen WHERE recipient = $1", &[&recipient]).await
}

/// Messages arrived: Meta counts them from then.
pub(in crate::ledger::postgres) async fn move_up(
    tx: &Tx<'_>,
    arrived: &[(JobKey, Timestamp)],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some((mut places, messages)) = find(tx, arrived.iter().map(|(key, _)| *key), |_| true, now).await? else {
        return Ok(());
    };
    for (person, key) in &messages {
        let times = arrived.iter().filter(|(job, _)| uuid(*job) == *key).map(|(_, at)| *at);
        // Meta's clock is not ours.
        if let Some(at) = times.max().map(|at| at.min(now)) {
            places.move_up(person, *key, at);
        }
    }
    places.write(tx).await
}

/// The places of the people whom these jobs are for, as far as they are asked for, locked; none if there are none.
async fn find(
    tx: &Tx<'_>,
    jobs: impl Iterator<Item = JobKey>,
    is_one: impl Fn(&(Person, Uuid)) -> bool,
    now: Timestamp,
) -> Result<Option<(Places, Vec<(Person, Uuid)>)>, LedgerError> {
    let keys = uuids(jobs);
    if keys.is_empty() || !tx.desk.limits.known(tx.desk, tx).await?.is_counting() {
        return Ok(None);
    }
    let mut messages = people(tx, &keys).await?;
    messages.retain(is_one);
    if messages.is_empty() {
        return Ok(None);
    }
    tx.lock_places_late(&messages.iter().map(|((portfolio, _), _)| portfolio.clone()).collect()).await?;
    let people = messages.iter().map(|(person, _)| person.clone()).collect();
    Ok(Some((Places::read(tx, &people, now).await?, messages)))
}

/// Whom these jobs are for, as far as they have places.
async fn people(tx: &Tx<'_>, keys: &[Uuid]) -> Result<Vec<(Person, Uuid)>, LedgerError> {
    let sql = "SELECT portfolio, recipient, key FROM seen WHERE key = ANY ($1::uuid[])";
    let rows = tx.query(sql, &[&keys]).await?;
    rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
}
