//! Admissions of jobs that meet something on their way: known ones, those out of time, held, poisonous, or asked again.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::admit::{Ask, facts};
use super::change::{self, NewRow, Place, Wait, int};
use super::desk::Tx;
use super::free_form::{self, Way};
use super::hand::{body_to_keep, moved, standing_holds};
use super::hold_cache::{self, COLUMNS, Known};
use super::intake::take_in;
use super::morgue;
use super::quota::{self, Verdict};
use super::standing::{Found, RowOf, Standing, find, is_in_line, rounds, uuid, uuids};
use crate::clock::Timestamp;
use crate::hold::{Effect, Hold};
use crate::job::{JobKey, NumberId};
use crate::ledger::end::End;
use crate::ledger::form::{body, template, worth_until};
use crate::ledger::{Admission, AdmitRequest, Admitted, Dead, Hand, LedgerError, Routed};
use crate::outcome::{Reason, State};

/// A job that was attempted so often without an outcome is not tried again: it may be what kills its workers.
pub(super) const POISON: u32 = 5;

/// What is to become of a request; the job's rows follow when all are decided.
enum Decision<'a> {
    Go(&'a Standing),
    Again(u32, u32),
    End(&'a Standing, State, Reason),
    Poison(&'a Standing),
    Park(&'a Standing, Hold),
    Reused,
    InFlight(Option<NewRow<'a>>),
    Elsewhere(&'a Standing, NumberId),
    Answer(Admitted),
}

/// What a round of requests, each of another job, is decided by.
struct Bench<'a> {
    known: &'a Known,
    leased: HashSet<(NumberId, i64)>,
    /// The holds of the recipients asked for.
    own: HashMap<String, Vec<Hold>>,
}

pub(super) async fn decide_slowly(tx: &Tx<'_>, asks: &[&Ask]) -> Result<Vec<Admitted>, LedgerError> {
    quota::lock_for(tx, asks).await?;
    let mut answers: Vec<Option<Admitted>> = asks.iter().map(|_| None).collect();
    for round in rounds(asks, |ask| ask.request.routed.job.key) {
        decide_round(tx, &round, &mut answers).await?;
    }
    Ok(answers.into_iter().map(|answer| answer.expect("each request is in one round")).collect())
}

async fn decide_round(
    tx: &Tx<'_>,
    round: &[(usize, &&Ask)],
    answers: &mut [Option<Admitted>],
) -> Result<(), LedgerError> {
    let keys: Vec<JobKey> = round.iter().map(|(_, ask)| ask.request.routed.job.key).collect();
    let found = find(tx, &keys).await?;
    let known = tx.desk.holds.known(tx).await?;
    let bench = Bench { known: &known, leased: leased(tx, round).await?, own: own_holds(tx, round, &known).await? };
    let new = take_in_unseen(tx, round, &found, &bench).await?;
    let job_of = |key: JobKey| new.get(&key).or_else(|| found.get(key));
    let ways = free_form::ways(tx, &round.iter().map(|(_, ask)| **ask).collect::<Vec<_>>()).await?;
    let mut decisions: Vec<Decision<'_>> = round
        .iter()
        .zip(ways)
        .map(|((_, ask), way)| {
            let key = ask.request.routed.job.key;
            match job_of(key) {
                Some(job) => bench.decide(job, new.contains_key(&key), ask, way),
                // It cannot be read, and is left as it is.
                None if found.is_there(key) => Decision::InFlight(None),
                // The broker has it still, and gives it to another: it shall not be in two places.
                None => Decision::Answer(Admitted::LeaseLost),
            }
        })
        .collect();
    mind_limits(tx, round, &mut decisions).await?;
    carry_out(tx, round, &decisions).await?;
    for ((place, ask), decision) in round.iter().zip(decisions) {
        answers[*place] = Some(decision.answer(&ask.request));
    }
    Ok(())
}

/// Lets only those go that have places, or need none: in the order of the batch.
async fn mind_limits(tx: &Tx<'_>, round: &[(usize, &&Ask)], decisions: &mut [Decision<'_>]) -> Result<(), LedgerError> {
    let mut going: Vec<(usize, usize, &Standing)> = Vec::new();
    for (n, decision) in decisions.iter().enumerate() {
        if let Decision::Go(job) = decision {
            going.push((round[n].0, n, job));
        }
    }
    going.sort_unstable_by_key(|(place, ..)| *place);
    let asked: Vec<(&Ask, &Standing)> = going.iter().map(|(_, n, job)| (*round[*n].1, *job)).collect();
    let verdicts = quota::judge(tx, &asked).await?;
    for ((_, n, job), verdict) in going.into_iter().zip(verdicts) {
        decisions[n] = match verdict {
            Verdict::Go => continue,
            Verdict::By(number) => Decision::Elsewhere(job, number),
            Verdict::Wait(hold) => Decision::Park(job, hold),
        };
    }
    Ok(())
}

/// Gives jobs their rows that the ledger has never seen and that this worker may send, or that are out of time.
async fn take_in_unseen(
    tx: &Tx<'_>,
    round: &[(usize, &&Ask)],
    found: &Found,
    bench: &Bench<'_>,
) -> Result<HashMap<JobKey, Standing>, LedgerError> {
    let unseen = round.iter().filter(|(_, ask)| {
        let job = &ask.request.routed.job;
        !found.is_there(job.key) && (worth_until(job) <= ask.now || bench.is_leased(&ask.request))
    });
    let unseen: Vec<&Ask> = unseen.map(|(_, ask)| **ask).collect();
    let Some(now) = unseen.iter().map(|ask| ask.now).max() else { return Ok(HashMap::new()) };
    let jobs: Vec<&Routed> = unseen.iter().map(|ask| &ask.request.routed).collect();
    let mut new: HashMap<JobKey, Standing> =
        take_in(tx, &jobs, now).await?.into_iter().map(|job| (job.key, job)).collect();
    if new.len() < unseen.len() {
        // Another worker took one in between our two looks: this one begins anew, and finds it.
        return Err(tx.begin_anew());
    }
    // Nobody has claimed what has no row, but whoever says so shall find one.
    let mut rows = Vec::new();
    for ask in unseen {
        let routed = &ask.request.routed;
        if let (Hand::Claimed(worker), Some(job)) = (ask.request.hand, new.get_mut(&routed.job.key)) {
            job.row = RowOf::Worker(worker.0);
            rows.push(NewRow { routed, due: None, held: 0, owner: Some(worker.0) });
        }
    }
    change::insert_rows(tx, &rows).await?;
    Ok(new)
}

/// Which of the fences asked under are those under which the numbers are owned now, by the database's clock.
async fn leased(tx: &Tx<'_>, round: &[(usize, &&Ask)]) -> Result<HashSet<(NumberId, i64)>, LedgerError> {
    let asked: HashSet<(&NumberId, i64)> =
        round.iter().map(|(_, ask)| (&ask.request.number, ask.request.fence.0)).collect();
    let numbers: Vec<&str> = asked.iter().map(|(number, _)| number.as_str()).collect();
    let fences: Vec<i64> = asked.iter().map(|(_, fence)| *fence).collect();
    let sql = "SELECT t.n FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS t (number, fence, n)
        CROSS JOIN LATERAL (SELECT l.fence, l.owner, l.expires_at FROM leases l
            WHERE l.name = 'number:' || t.number OFFSET 0) l
        WHERE l.fence = t.fence AND l.owner IS NOT NULL AND l.expires_at > clock_timestamp()";
    let asked: Vec<_> = asked.into_iter().collect();
    let mut leased = HashSet::new();
    for row in tx.query(sql, &[&numbers, &fences]).await? {
        let place = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
        leased.extend(asked.get(place).map(|(number, fence)| ((*number).clone(), *fence)));
    }
    Ok(leased)
}

/// The holds of the recipients asked for, of those who were forgotten too.
async fn own_holds(
    tx: &Tx<'_>,
    round: &[(usize, &&Ask)],
    known: &Known,
) -> Result<HashMap<String, Vec<Hold>>, LedgerError> {
    let mut recipients: Vec<String> =
        round.iter().map(|(_, ask)| ask.request.routed.job.to.expose().to_owned()).collect();
    let mut hidden: HashMap<String, String> = HashMap::new();
    if known.has_erased {
        for recipient in recipients.clone() {
            let subject = tx.desk.keyring.subject(tx, &recipient).await?;
            recipients.push(subject.clone());
            hidden.insert(subject, recipient);
        }
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE scope = 'recipient' AND subject = ANY ($1::text[]) AND NOT lifted ORDER BY id"
    );
    let mut own: HashMap<String, Vec<Hold>> = HashMap::new();
    for hold in hold_cache::read(tx, &sql, &[&recipients]).await? {
        let recipient = hidden.get(&hold.cover.subject).unwrap_or(&hold.cover.subject);
        own.entry(recipient.clone()).or_default().push(hold);
    }
    Ok(own)
}

impl Bench<'_> {
    fn is_leased(&self, request: &AdmitRequest) -> bool {
        self.leased.contains(&(request.number.clone(), request.fence.0))
    }

    fn decide<'a>(&self, job: &'a Standing, is_new: bool, ask: &'a Ask, way: Way) -> Decision<'a> {
        let Ask { request, now } = ask;
        let asked = &*request.routed.job;
        if !job.digest.is_same(&asked.digest) {
            return Decision::Reused;
        }
        if job.state.has_ended() {
            return Decision::Answer(Admitted::Ended(job.state));
        }
        // Two copies of a job may have come to one worker, as its row and from the broker: each goes by its own.
        let is_same_copy = match request.hand {
            Hand::Claimed(worker) => job.row == RowOf::Worker(worker.0),
            Hand::Delivered => job.row == RowOf::Nowhere || job.row == RowOf::Worker(Uuid::nil()),
        };
        let is_same_attempt = job.state == State::Sending
            && job.number.as_ref() == Some(&request.number)
            && job.fence == Some(request.fence.0)
            && is_same_copy;
        if request.again && is_same_attempt {
            return Decision::Again(job.attempt, job.charged);
        }
        let is_in_hand = match request.hand {
            Hand::Claimed(worker) => job.row == RowOf::Worker(worker.0),
            // What the broker delivers again has its row: that one goes.
            Hand::Delivered => is_new,
        };
        if !is_in_line(job.state) || !is_in_hand {
            let is_delivered = request.hand == Hand::Delivered;
            let row = is_delivered.then(|| body_to_keep(job, &request.routed)).flatten();
            return Decision::InFlight(row);
        }
        if worth_until(asked) <= *now {
            return Decision::End(job, State::Expired, Reason::TooLate);
        }
        if job.lost >= POISON {
            return Decision::Poison(job);
        }
        if !self.is_leased(request) {
            return Decision::Answer(Admitted::LeaseLost);
        }
        if let Some(reason) = request.unfit {
            return Decision::End(job, State::Failed, reason);
        }
        let hold = self.hold_against(request, *now);
        if let Some(hold) = hold.filter(|hold| hold.effect == Effect::End) {
            return Decision::End(job, State::Suppressed, hold.reason);
        }
        // Whatever holds this number: it is not the one to answer, or nobody is.
        match (way, hold) {
            (Way::By(number), _) => Decision::Elsewhere(job, number),
            (Way::Closed, _) => Decision::End(job, State::Failed, Reason::WindowClosed),
            (Way::Free, Some(hold)) => Decision::Park(job, hold.clone()),
            (Way::Free, None) => Decision::Go(job),
        }
    }

    /// The hold that this job may not pass by this number.
    fn hold_against(&self, request: &AdmitRequest, now: Timestamp) -> Option<&Hold> {
        let template = template(&request.routed.job).unwrap_or_default();
        let facts = facts(request, &template);
        // What ends the job comes first: it need not wait for what else holds it.
        let own = self.own.get(facts.recipient).map(Vec::as_slice).unwrap_or_default();
        let mut own = own.iter().filter(|hold| hold.stops(&facts, now, request.probe));
        let first = own.next();
        let ends = first.into_iter().chain(own).find(|hold| hold.effect == Effect::End);
        ends.or(first).or_else(|| self.known.set.obstacle(&facts, now, request.probe))
    }
}

impl Decision<'_> {
    fn answer(self, request: &AdmitRequest) -> Admitted {
        match self {
            Self::Go(job) => admission(request, job.attempt + 1, job.charged),
            Self::Again(attempt, tries) => admission(request, attempt, tries),
            Self::End(_, state, _) => Admitted::Ended(state),
            Self::Poison(_) => Admitted::Ended(State::Failed),
            Self::Park(_, hold) => Admitted::Parked(hold.id),
            Self::Reused => Admitted::IdReused,
            Self::InFlight(_) => Admitted::InFlight,
            Self::Elsewhere(_, number) => Admitted::Elsewhere(number),
            Self::Answer(answer) => answer,
        }
    }
}

async fn carry_out<'a>(
    tx: &Tx<'_>,
    round: &'a [(usize, &'a &'a Ask)],
    decisions: &'a [Decision<'a>],
) -> Result<(), LedgerError> {
    let (mut ends, mut waits, mut poisoned, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut bodies, mut reused, mut holds) = (Vec::new(), Vec::new(), HashSet::new());
    let mut elsewhere = Vec::new();
    for ((_, ask), decision) in round.iter().zip(decisions) {
        let (request, now) = (&ask.request, ask.now);
        match decision {
            Decision::Go(job) => gone.push((*job, **ask)),
            Decision::End(job, state, reason) => ends.push((*job, End::ours(*state, *reason, now))),
            Decision::Poison(job) => {
                reused.push(dead(body(&request.routed.job), Reason::Poison.as_str(), "", now));
                poisoned.push((*job, End::ours(State::Failed, Reason::Poison, now)));
            }
            Decision::Park(job, hold) => {
                holds.insert(hold.id);
                let delivered = Some(&request.routed);
                waits.push((*job, Wait { delivered, ..moved(job, Place::under(hold), hold.reason, now) }));
            }
            Decision::Reused => {
                reused.push(dead(body(&request.routed.job), "id_reused: another job has this id", "id", now));
            }
            Decision::Elsewhere(job, number) => {
                elsewhere.push((*job, free_form::reroute(&request.routed, number)));
            }
            Decision::InFlight(row) => bodies.extend(row.as_ref().map(|row| NewRow { ..*row })),
            Decision::Again(..) | Decision::Answer(_) => {}
        }
    }
    if standing_holds(tx, holds.iter().copied()).await?.len() < holds.len() {
        // One was lifted between our two looks: nothing may be parked under it any more.
        return Err(tx.begin_anew());
    }
    let_go(tx, &gone).await?;
    change::end(tx, &ends).await?;
    change::end(tx, &poisoned).await?;
    change::wait(tx, &waits).await?;
    change::insert_rows(tx, &bodies).await?;
    free_form::move_over(tx, &elsewhere).await?;
    if !reused.is_empty() {
        morgue::bury(tx, &reused).await?;
    }
    Ok(())
}

async fn let_go(tx: &Tx<'_>, gone: &[(&Standing, &Ask)]) -> Result<(), LedgerError> {
    if gone.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = gone.iter().map(|(job, _)| uuid(job.key)).collect();
    let numbers: Vec<&str> = gone.iter().map(|(_, ask)| ask.request.number.as_str()).collect();
    let fences: Vec<i64> = gone.iter().map(|(_, ask)| ask.request.fence.0).collect();
    let deadlines: Vec<i64> = gone.iter().map(|(_, ask)| ask.request.deadline.as_millis()).collect();
    let attempts: Vec<i32> = gone.iter().map(|(job, _)| int(job.attempt + 1)).collect();
    let nows: Vec<i64> = gone.iter().map(|(_, ask)| ask.now.as_millis()).collect();
    let sql = "UPDATE jobs j SET state = 'sending', reason = NULL, code = NULL, attempt = a.attempt,
            number = a.number, fence = a.fence, deadline = a.deadline, updated_at = a.now
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[])
            AS a (key, number, fence, deadline, attempt, now)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(sql, &[&keys, &numbers, &fences, &deadlines, &attempts, &nows]).await?;
    for (job, _) in gone {
        tx.tally.remove(job.state, job.reason);
        tx.tally.add(State::Sending, None);
    }
    Ok(())
}

/// Ends jobs that were attempted too often without an outcome, and sets their bodies aside.
pub(super) async fn poison(tx: &Tx<'_>, jobs: &[&Standing], now: Timestamp) -> Result<(), LedgerError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let keys = uuids(jobs.iter().map(|job| job.key));
    let rows = tx.query("SELECT body FROM waiting WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    let mut bodies = Vec::with_capacity(rows.len());
    for row in rows {
        bodies.push(dead(row.try_get(0)?, Reason::Poison.as_str(), "", now));
    }
    morgue::bury(tx, &bodies).await?;
    let ends: Vec<_> = jobs.iter().map(|job| (*job, End::ours(State::Failed, Reason::Poison, now))).collect();
    change::end(tx, &ends).await
}

/// The yes.
pub(super) fn admission(request: &AdmitRequest, attempt: u32, tries: u32) -> Admitted {
    Admitted::Go(Admission {
        key: request.routed.job.key,
        number: request.number.clone(),
        attempt,
        tries,
        deadline: request.deadline,
    })
}

fn dead(body: String, reason: &str, field: &str, at: Timestamp) -> Dead {
    let origin = "ledger".to_owned();
    Dead { body: body.into_bytes(), reason: reason.to_owned(), field: field.to_owned(), origin, at }
}
