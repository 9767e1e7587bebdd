//! Whether a job that nothing else stands against has a place, and what becomes of it if not.

use std::collections::{BTreeSet, HashMap};

use super::super::admit::Ask;
use super::super::desk::{Desk, Stir, Tx};
use super::super::free_form::{self, Reach};
use super::super::holds;
use super::super::standing::{Standing, uuid, uuids};
use super::limits::Known;
use super::parked::in_line;
use super::places::{Person, Places};
use super::returned::{give_back_elsewhere, portfolios_of, tell_who_waits};
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, Hold, HoldOrder, Scope};
use crate::job::{NumberId, Priority};
use crate::ledger::quota::{Line, has_waited, in_doubt};
use crate::ledger::{LedgerError, needs_place};
use crate::outcome::Reason;

/// What a messaging limit says of a request.
pub(in crate::ledger::postgres) enum Verdict {
    /// Nothing against it: it has its place, or needs none.
    Go,
    /// The recipient wrote to this number of the pool, which needs no place for them.
    By(NumberId),
    /// It waits for a place.
    Wait(Hold),
}

/// Whether a request may need a place of a portfolio that has a limit.
pub(in crate::ledger::postgres) fn may_need_place(limits: &Known, ask: &Ask) -> bool {
    needs_place(&ask.request.routed.job) && limits.of(&ask.request.account.portfolio).is_some()
}

/// Locks the places that these requests may need, before anything else is locked.
pub(in crate::ledger::postgres) async fn lock_for(tx: &Tx<'_>, asks: &[&Ask]) -> Result<(), LedgerError> {
    let limits = tx.desk.limits.known(tx.desk, tx).await?;
    if !limits.has_any() {
        return Ok(());
    }
    let limited: Vec<&Ask> = asks.iter().copied().filter(|ask| may_need_place(&limits, ask)).collect();
    if limited.is_empty() {
        return Ok(());
    }
    let mut portfolios: BTreeSet<String> = limited.iter().map(|ask| ask.request.account.portfolio.clone()).collect();
    portfolios.extend(portfolios_of(tx, &uuids(limited.iter().map(|ask| ask.request.routed.job.key))).await?);
    tx.lock_places(&portfolios).await
}

/// What the limits say of these requests, in their order: who comes first takes the first place.
pub(in crate::ledger::postgres) async fn judge(
    tx: &Tx<'_>,
    asked: &[(&Ask, &Standing)],
) -> Result<Vec<Verdict>, LedgerError> {
    let limits = tx.desk.limits.known(tx.desk, tx).await?;
    let limited: Vec<_> = asked.iter().copied().filter(|(ask, _)| may_need_place(&limits, ask)).collect();
    let Some(now) = limited.iter().map(|(ask, _)| ask.now).min() else {
        return Ok(asked.iter().map(|_| Verdict::Go).collect());
    };
    tx.lock_places_late(&limited.iter().map(|(ask, _)| ask.request.account.portfolio.clone()).collect()).await?;
    // Some may have come out with a place of another portfolio, and go by a number of this one.
    let sure = limited.iter().filter(|(_, job)| in_doubt(job.state, job.lost) == 0);
    let stays = sure.map(|(ask, job)| (job.key, ask.request.account.portfolio.as_str())).collect();
    give_back_elsewhere(tx, &stays, now).await?;
    let people: BTreeSet<Person> = limited.iter().map(|(ask, _)| person(ask)).collect();
    let mut places = Places::read(tx, &people, now).await?;
    let reaches = free_form::reaches(tx, &asked.iter().map(|(ask, _)| *ask).collect::<Vec<_>>()).await?;
    let (mut line, mut holds, mut freed) = (Line::default(), HashMap::new(), BTreeSet::new());
    let mut verdicts = Vec::with_capacity(asked.len());
    for ((ask, job), reach) in asked.iter().zip(reaches) {
        let person = person(ask);
        if !may_need_place(&limits, ask) || places.limit(&person.0).is_none() {
            verdicts.push(Verdict::Go);
            continue;
        }
        let (key, priority) = (uuid(job.key), ask.request.routed.job.priority);
        // What a claim took for it is not needed.
        if reach != Reach::Nobody && in_doubt(job.state, job.lost) == 0 && places.give_back(&person, key) {
            freed.insert(person.0.clone());
        }
        let is_new = reach == Reach::Nobody && !has_waited(job.state, job.reason);
        let stands_behind = is_new && stands_behind(tx, &mut line, &places, (&person, priority)).await?;
        if stands_behind {
            // There is a place: a claim gives it out.
            tx.stir(Stir::Work);
        }
        verdicts.push(match reach {
            Reach::Own => Verdict::Go,
            Reach::By(number) => Verdict::By(number),
            Reach::Nobody if !stands_behind && places.take(&person, key, priority, ask.request.deadline) => Verdict::Go,
            Reach::Nobody => {
                line.join(&person.0, priority);
                Verdict::Wait(hold_at_limit(tx, &mut holds, &person.0, ask.now).await?)
            }
        });
    }
    places.write(tx).await?;
    tell_who_waits(tx, &freed).await?;
    Ok(verdicts)
}

/// Whether a job that could take a place waits behind others that shall have it. They come and go under the same lock
/// as the places themselves.
async fn stands_behind(
    tx: &Tx<'_>,
    line: &mut Line,
    places: &Places,
    (person, priority): (&Person, Priority),
) -> Result<bool, LedgerError> {
    let portfolio = person.0.as_str();
    if places.has_place(person) || !places.has_free(portfolio, priority) {
        return Ok(false);
    }
    if !line.is_known(portfolio) {
        // This transaction has read them after it had the lock, under which quotas' holds are placed.
        let known = match tx.desk.holds.remembered() {
            Some(known) => known,
            None => tx.desk.holds.known(tx).await?,
        };
        let waiting = match known.set.at_limit(portfolio) {
            Some(hold) => in_line(tx, hold.id).await?,
            None => Vec::new(),
        };
        line.learn(portfolio, waiting.into_iter());
    }
    Ok(line.is_before(portfolio, priority))
}

fn person(ask: &Ask) -> Person {
    (ask.request.account.portfolio.clone(), ask.request.routed.job.to.expose().to_owned())
}

/// The hold under which jobs wait for places of a portfolio; it is placed if it does not stand.
async fn hold_at_limit(
    tx: &Tx<'_>,
    placed: &mut HashMap<String, Hold>,
    portfolio: &str,
    now: Timestamp,
) -> Result<Hold, LedgerError> {
    if let Some(hold) = placed.get(portfolio) {
        return Ok(hold.clone());
    }
    let known = tx.desk.holds.known(tx).await?;
    let hold = match known.set.at_limit(portfolio) {
        Some(hold) => hold.clone(),
        None => {
            let (effect, reason) = (Effect::Wait, Reason::MessagingLimit);
            let cover = Cover::of(Scope::Quota, portfolio);
            let order = HoldOrder { cover, effect, reason, who: "quota".to_owned(), until: None, probe: false };
            holds::place(tx, &order, now).await?
        }
    };
    placed.insert(portfolio.to_owned(), hold.clone());
    Ok(hold)
}

/// The requests among these that the fast way may not let go: they may need places.
pub(in crate::ledger::postgres) async fn limited(desk: &Desk, asks: &[Ask]) -> Result<Vec<bool>, LedgerError> {
    let limits = desk.remembered_limits().await?;
    if !limits.has_any() {
        return Ok(Vec::new());
    }
    Ok(asks.iter().map(|ask| may_need_place(&limits, ask)).collect())
}
