//! What attempts came to: states, waiting rows and holds, in one commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::change::{self, Loss, Place, Wait, code};
use super::desk::{Desk, Session, Tx};
use super::hand::standing_holds;
use super::holds;
use super::misses::{self, Missed, UNDELIVERABLE};
use super::quota;
use super::standing::{Standing, find, rounds, uuid, uuids};
use super::words::{clean, known_word};
use crate::clock::Timestamp;
use crate::hold::{Effect, Facts, Hold};
use crate::job::{Category, JobKey, NumberId};
use crate::ledger::end::End;
use crate::ledger::quota::in_doubt;
use crate::ledger::{Account, Fate, LedgerError, Settled, Settlement};
use crate::outcome::{Reason, State};

/// What `show` says of a message that Meta took and holds back.
const HELD_FOR_QUALITY: &str = "held by Meta to assess the template's quality";

/// Ends what was being sent, and no more than that: most settlements are this. Those left out are returned.
///
/// Here as everywhere rows are found one by one in an index, whatever the planner thinks: it knows nothing of the
/// arrays, nor of a new table, and to read the one in full for each row of the other would seem cheap to it.
const END: &str = "WITH done AS (
        UPDATE jobs j SET state = a.state, reason = a.reason, code = a.code, details = a.details, wamid = a.wamid,
            accepted_at = CASE WHEN a.state = 'accepted' THEN a.at END, ended_at = a.at, updated_at = a.at,
            deadline = NULL
        FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::bigint[])
            AS a (key, attempt, state, reason, code, details, wamid, at)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place AND j.attempt = a.attempt AND j.state = 'sending'
        RETURNING j.key, j.state
    ), gone AS (
        DELETE FROM waiting WHERE key = ANY (ARRAY(SELECT key FROM done))
    ), counted AS (
        INSERT INTO tally
        SELECT 'state', state, count(*) FROM done GROUP BY state
        UNION ALL SELECT 'state', 'sending', -count(*) FROM done HAVING count(*) > 0
    )
    SELECT CASE WHEN count(*) < cardinality($1) THEN array_agg(key) END, count(*) FROM done";

pub(super) fn settle<'a>(
    desk: &'a Desk,
    settlements: &'a [Settlement],
) -> BoxFuture<'a, Result<Vec<Settled>, LedgerError>> {
    Box::pin(settle_all(desk, settlements))
}

async fn settle_all(desk: &Desk, settlements: &[Settlement]) -> Result<Vec<Settled>, LedgerError> {
    let mut seen = HashSet::with_capacity(settlements.len());
    let mut plain: Vec<usize> = (0..settlements.len())
        .filter(|place| seen.insert(settlements[*place].key) && is_plain(desk, &settlements[*place]))
        .collect();
    let have_places = having_places(desk, settlements, &plain).await?;
    plain.retain(|place| !have_places.contains(&settlements[*place].key));
    let mut is_done = vec![false; settlements.len()];
    if !plain.is_empty() {
        plain.sort_unstable_by_key(|place| settlements[*place].key);
        let plainly: Vec<&Settlement> = plain.iter().map(|place| &settlements[*place]).collect();
        let session = desk.session().await?;
        let left_out = session.in_time(end_plainly(&session, &plainly)).await?;
        drop(session);
        for place in plain {
            is_done[place] = left_out.as_ref().is_none_or(|out| !out.contains(&settlements[place].key));
        }
    }
    let mut answers = vec![Settled::Done; settlements.len()];
    let places: Vec<usize> = (0..settlements.len()).filter(|place| !is_done[*place]).collect();
    if !places.is_empty() {
        let rest: Vec<&Settlement> = places.iter().map(|place| &settlements[*place]).collect();
        desk.introduce(rest.iter().filter_map(|settlement| settlement.delivered.as_ref())).await?;
        let slow = desk.write(&rest, |tx, rest| Box::pin(settle_slowly(tx, rest))).await?;
        for (place, answer) in places.into_iter().zip(slow) {
            answers[place] = answer;
        }
    }
    Ok(answers)
}

/// Those that end jobs without having sent them which have places of a messaging limit.
async fn having_places(
    desk: &Desk,
    settlements: &[Settlement],
    plain: &[usize],
) -> Result<BTreeSet<JobKey>, LedgerError> {
    let unsent = plain.iter().map(|place| &settlements[*place]);
    let unsent = unsent.filter(|settlement| matches!(settlement.fate, Fate::End { .. })).map(|unsent| unsent.key);
    let unsent: Vec<JobKey> = unsent.collect();
    if unsent.is_empty() || !desk.remembered_limits().await?.is_counting() {
        return Ok(BTreeSet::new());
    }
    let session = desk.session().await?;
    session.in_time(quota::has_places(&session, unsent.into_iter())).await
}

/// Whether nothing but the job itself changes, and nobody listens.
fn is_plain(desk: &Desk, settlement: &Settlement) -> bool {
    let state = match &settlement.fate {
        Fate::Accepted { .. } => State::Accepted,
        Fate::End { code: Some(UNDELIVERABLE), .. } => return false,
        Fate::End { state, .. } => *state,
        Fate::Retry { .. } | Fate::Park { .. } | Fate::Unknown { .. } => return false,
    };
    settlement.hold.is_none() && settlement.lift.is_none() && !desk.publish.wants(state)
}

/// Ends jobs that were being sent; says which were not, if any.
async fn end_plainly(session: &Session, plain: &[&Settlement]) -> Result<Option<HashSet<JobKey>>, LedgerError> {
    let ends: Vec<End<'_>> = plain.iter().filter_map(|settlement| end_of(settlement)).collect();
    let keys: Vec<Uuid> = plain.iter().map(|settlement| uuid(settlement.key)).collect();
    let attempts: Vec<i32> = plain.iter().map(|settlement| change::int(settlement.attempt)).collect();
    let states: Vec<&str> = ends.iter().map(|end| end.state.as_str()).collect();
    let reasons: Vec<Option<&str>> = ends.iter().map(|end| end.reason.map(Reason::as_str)).collect();
    let codes: Vec<Option<i32>> = ends.iter().map(|end| code(end.code)).collect();
    let details: Vec<_> = ends.iter().map(|end| end.details.map(clean)).collect();
    let wamids: Vec<_> = ends.iter().map(|end| end.wamid.map(clean)).collect();
    let ats: Vec<i64> = ends.iter().map(|end| end.at.as_millis()).collect();
    let row = session.query_one(END, &[&keys, &attempts, &states, &reasons, &codes, &details, &wamids, &ats]).await?;
    let done: i64 = row.try_get(1)?;
    if usize::try_from(done).is_ok_and(|done| done == plain.len()) {
        return Ok(None);
    }
    let done: HashSet<Uuid> = row.try_get::<_, Option<Vec<Uuid>>>(0)?.unwrap_or_default().into_iter().collect();
    let left_out = keys.into_iter().filter(|key| !done.contains(key));
    Ok(Some(left_out.map(|key| JobKey::from_bytes(key.into_bytes())).collect()))
}

/// How the job ends, if it does.
fn end_of(settlement: &Settlement) -> Option<End<'_>> {
    let at = settlement.at;
    match &settlement.fate {
        Fate::Accepted { wamid, held_for_quality } => {
            let details = held_for_quality.then_some(HELD_FOR_QUALITY);
            Some(End { state: State::Accepted, reason: None, code: None, details, wamid: Some(wamid), at })
        }
        Fate::End { state, reason, code, details } => {
            let details = Some(details.as_str()).filter(|details| !details.is_empty());
            Some(End { state: *state, reason: Some(*reason), code: *code, details, wamid: None, at })
        }
        Fate::Retry { .. } | Fate::Park { .. } | Fate::Unknown { .. } => None,
    }
}

async fn settle_slowly(tx: &Tx<'_>, settlements: &[&Settlement]) -> Result<Vec<Settled>, LedgerError> {
    let may_return = settlements.iter().filter(|settlement| match settlement.fate {
        Fate::Retry { .. } | Fate::Park { .. } | Fate::End { .. } => true,
        Fate::Accepted { .. } | Fate::Unknown { .. } => false,
    });
    quota::lock_of(tx, may_return.map(|settlement| settlement.key)).await?;
    let mut answers = vec![Settled::Stale; settlements.len()];
    for round in rounds(settlements, |settlement| settlement.key) {
        let found = find(tx, &round.iter().map(|(_, settlement)| settlement.key).collect::<Vec<_>>()).await?;
        // What an answer says of the number, the token or the template holds whatever became of the job.
        let mut placed = HashMap::new();
        for (place, settlement) in &round {
            if let Some(order) = &settlement.hold {
                placed.insert(*place, holds::place(tx, order, settlement.at).await?);
            }
            if let Some(hold) = settlement.lift {
                holds::lift_tried(tx, hold).await?;
            }
        }
        let awaited = round.iter().filter_map(|(place, settlement)| {
            let job = found.get(settlement.key)?;
            let is_awaited = job.attempt == settlement.attempt && matches!(job.state, State::Sending | State::Unknown);
            is_awaited.then_some((*place, job, **settlement))
        });
        let awaited: Vec<(usize, &Standing, &Settlement)> = awaited.collect();
        for (place, ..) in &awaited {
            answers[*place] = Settled::Done;
        }
        meet(tx, &awaited, &placed).await?;
    }
    Ok(answers)
}

/// Does to jobs what their attempts came to.
async fn meet(
    tx: &Tx<'_>,
    awaited: &[(usize, &Standing, &Settlement)],
    placed: &HashMap<usize, Hold>,
) -> Result<(), LedgerError> {
    let under = holds_to_park_under(tx, awaited, placed).await?;
    let (mut ends, mut waits, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    for (place, job, settlement) in awaited {
        let at = settlement.at;
        // An outcome that comes late is an outcome all the same.
        let lost = in_doubt(job.state, job.lost);
        let wait = Wait {
            place: Place::Due(at),
            reason: Reason::Held,
            code: None,
            at,
            charged: job.charged,
            lost,
            delivered: settlement.delivered.as_ref(),
        };
        match &settlement.fate {
            Fate::Retry { .. } | Fate::Park { .. } if job.is_erased() => {
                ends.push((*job, End::ours(State::Cancelled, Reason::Cancelled, at)));
            }
            Fate::Accepted { .. } | Fate::End { .. } => ends.extend(end_of(settlement).map(|end| (*job, end))),
            Fate::Retry { due, reason, code, charged } => {
                let charged = job.charged + u32::from(*charged);
                let (place, reason, code) = (Place::Due(*due), *reason, *code);
                waits.push((*job, Wait { place, reason, code, charged, ..wait }));
            }
            Fate::Park { reason, code } => {
                // The hold may be gone meanwhile: then nothing keeps the job from going at once.
                let place = under.get(place).map_or(Place::Due(at), Place::under);
                waits.push((*job, Wait { place, reason: *reason, code: *code, ..wait }));
            }
            Fate::Unknown { cause, until } => {
                let delivered = settlement.delivered.as_ref().filter(|_| !job.is_erased());
                losses.push((*job, Loss { reason: cause.reason(), until: *until, at, delivered }));
            }
        }
    }
    change::end(tx, &ends).await?;
    change::wait(tx, &waits).await?;
    if let Some(now) = waits.iter().map(|(_, wait)| wait.at).max() {
        quota::give_back_of(tx, waits.iter().map(|(job, _)| *job), now).await?;
    }
    change::lose(tx, &losses).await?;
    count_misses(tx, &ends).await
}

/// Counts those who are not on WhatsApp, as Meta's answer said at once.
async fn count_misses(tx: &Tx<'_>, ends: &[(&Standing, End<'_>)]) -> Result<(), LedgerError> {
    let missed = ends.iter().filter(|(_, end)| end.code == Some(UNDELIVERABLE));
    let missed: BTreeMap<JobKey, Timestamp> = missed.map(|(job, end)| (job.key, end.at)).collect();
    let Some(now) = missed.values().max() else { return Ok(()) };
    let sql = "SELECT recipient FROM jobs WHERE key = ANY ($1::uuid[]) AND recipient <> ''";
    let rows = tx.query(sql, &[&uuids(missed.keys().copied())]).await?;
    let missed = rows.iter().map(|row| Ok(Missed { recipient: row.try_get(0)?, was_reached: false }));
    let missed = missed.collect::<Result<Vec<_>, LedgerError>>()?;
    misses::count(tx, &missed, *now).await.map(drop)
}

/// For those that are to be parked: the hold that was placed with them, or the one that covers them now.
async fn holds_to_park_under(
    tx: &Tx<'_>,
    awaited: &[(usize, &Standing, &Settlement)],
    placed: &HashMap<usize, Hold>,
) -> Result<HashMap<usize, Hold>, LedgerError> {
    let parked = awaited.iter().filter(|(_, _, settlement)| matches!(settlement.fate, Fate::Park { .. }));
    let mut under: HashMap<usize, Hold> = HashMap::new();
    let mut others = Vec::new();
    for (place, job, settlement) in parked {
        match placed.get(place) {
            Some(hold) if hold.effect == Effect::Wait => drop(under.insert(*place, hold.clone())),
            _ => others.push((*place, *job, settlement.at)),
        }
    }
    if others.is_empty() {
        return Ok(under);
    }
    let covering = covering(tx, &others).await?;
    let stand = standing_holds(tx, covering.values().map(|hold| hold.id)).await?;
    under.extend(covering.into_iter().filter(|(_, hold)| stand.contains_key(&hold.id)));
    Ok(under)
}

/// The hold that now covers each job by the number that tried it, as far as the number's account is known.
async fn covering(tx: &Tx<'_>, jobs: &[(usize, &Standing, Timestamp)]) -> Result<HashMap<usize, Hold>, LedgerError> {
    let known = tx.desk.holds.known(tx).await?;
    let sql = "SELECT key, number, template, recipient, campaign, category FROM jobs WHERE key = ANY ($1::uuid[])";
    let rows = tx.query(sql, &[&uuids(jobs.iter().map(|(_, job, _)| job.key))]).await?;
    let mut covering = HashMap::new();
    for row in &rows {
        let key = JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes());
        let text = |column| row.try_get::<_, Option<&str>>(column).map(Option::unwrap_or_default);
        let Some(category) = known_word::<Category>(row, 5)? else { continue };
        let number = text(1)?;
        let account = number.parse::<NumberId>().ok().and_then(|id| tx.desk.accounts.of(&id));
        let of = |part: fn(&Account) -> &String| account.as_deref().map_or("", |account| part(account));
        let facts = Facts {
            credential: of(|account| &account.credential),
            portfolio: of(|account| &account.portfolio),
            waba: of(|account| &account.waba),
            number,
            template: text(2)?,
            recipient: text(3)?,
            campaign: text(4)?,
            category,
        };
        let Some((place, _, at)) = jobs.iter().find(|(_, job, _)| job.key == key) else { continue };
        let hold = known.set.obstacle(&facts, *at, None).filter(|hold| hold.effect == Effect::Wait);
        covering.extend(hold.map(|hold| (*place, hold.clone())));
    }
    Ok(covering)
}
