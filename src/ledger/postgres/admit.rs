//! The ledger's yes to sending a job now, and its durable note that it is about to be sent: one statement for all of a
//! batch that meets nothing on its way. The others are looked at one by one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::admit_slowly::{admission, decide_slowly};
use super::change::int;
use super::desk::{Desk, Session, Values};
use super::enqueue::Columns;
use super::free_form;
use super::hold_cache::Known;
use super::keyring::hidden;
use super::quota;
use super::standing::uuid;
use crate::clock::Timestamp;
use crate::hold::Facts;
use crate::job::{Campaign, JobKey, NumberId};
use crate::ledger::form::{template, worth_until};
use crate::ledger::{AdmitRequest, Admitted, Hand, LedgerError, WorkerId};

/// A request with the moment at which it was made.
pub(super) struct Ask {
    pub(super) request: AdmitRequest,
    pub(super) now: Timestamp,
}

/// How often the holds are read anew because they changed between two looks.
const LOOKS: usize = 3;

/// What both statements begin with: which of the tenures asked for are leases that still last, by the database's clock.
macro_rules! tenures {
    ($numbers:literal, $fences:literal) => {
        concat!(
            "tenures AS MATERIALIZED (
                SELECT t.n::int AS n FROM unnest($",
            $numbers,
            "::text[], $",
            $fences,
            "::bigint[]) WITH ORDINALITY AS t (number, fence, n)
                CROSS JOIN LATERAL (SELECT l.fence, l.owner, l.expires_at FROM leases l
                    WHERE l.name = 'number:' || t.number OFFSET 0) l
                WHERE l.fence = t.fence AND l.owner IS NOT NULL AND l.expires_at > clock_timestamp()
            ), "
        )
    };
}

/// Jobs that the broker delivered and that nobody has seen: their rows begin in `sending`.
const DELIVERED: &str = concat!(
    "WITH ",
    tenures!("16", "17"),
    "added AS (
        INSERT INTO jobs (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign, template,
            on_unknown, metadata, deadline, created_at, updated_at, state, attempt, number, fence)
        SELECT a.key, a.digest, a.lane, a.expires_at, a.late_at, a.id, a.source, a.recipient, a.category, a.campaign,
            a.template, a.on_unknown, a.metadata, a.deadline, $19, $19, 'sending', 1,
            ($16::text[])[a.tenure], ($17::bigint[])[a.tenure]
        FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::int[], $21::text[])
            AS a (key, digest, lane, expires_at, late_at, id, source, recipient, category, campaign, template,
                on_unknown, metadata, deadline, tenure, hidden)
        WHERE (SELECT general FROM hold_version) = $18
            AND a.tenure = ANY (ARRAY(SELECT n FROM tenures))
            AND NOT ($20 AND (
                SELECT true FROM holds h WHERE h.scope = 'recipient' AND h.subject = a.recipient AND NOT h.lifted
                LIMIT 1) IS NOT NULL)
            AND NOT (cardinality($21::text[]) > 0 AND (
                SELECT true FROM holds h WHERE h.scope = 'recipient' AND h.subject = a.hidden AND NOT h.lifted
                LIMIT 1) IS NOT NULL)
        ON CONFLICT (key) DO NOTHING RETURNING key
    ), counted AS (
        INSERT INTO tally SELECT 'state', 'sending', count(*) FROM added HAVING count(*) > 0
    )
    SELECT (SELECT general FROM hold_version), count(*),
        CASE WHEN count(*) < cardinality($1) THEN array_agg(key) END
    FROM added"
);

/// Jobs whose waiting rows this worker has claimed.
const CLAIMED: &str = concat!(
    "WITH ",
    tenures!("7", "8"),
    "asked AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::text[], $13::text[])
            AS a (key, digest, worker, tenure, deadline, recipient, hidden)
        WHERE (SELECT general FROM hold_version) = $9
            AND a.tenure = ANY (ARRAY(SELECT n FROM tenures))
            AND NOT ($11 AND (
                SELECT true FROM holds h WHERE h.scope = 'recipient' AND h.subject = a.recipient AND NOT h.lifted
                LIMIT 1) IS NOT NULL)
            AND NOT (cardinality($13::text[]) > 0 AND (
                SELECT true FROM holds h WHERE h.scope = 'recipient' AND h.subject = a.hidden AND NOT h.lifted
                LIMIT 1) IS NOT NULL)
    ), free AS MATERIALIZED (
        SELECT j.place, j.state, j.reason, a.tenure, a.deadline
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT 1 FROM waiting w WHERE w.key = a.key AND w.owner = a.worker OFFSET 0) w
        CROSS JOIN LATERAL (
            SELECT j.ctid AS place, j.state, j.reason FROM jobs j
            WHERE j.key = a.key AND j.state IN ('queued', 'waiting') AND j.digest = a.digest AND j.lost < $12
            FOR UPDATE) j
    ), gone AS (
        UPDATE jobs j SET state = 'sending', reason = NULL, code = NULL, attempt = j.attempt + 1,
            number = ($7::text[])[f.tenure], fence = ($8::bigint[])[f.tenure], deadline = f.deadline, updated_at = $10
        FROM free f WHERE j.ctid = f.place
        RETURNING j.key, j.attempt, j.charged
    ), counted AS (
        INSERT INTO tally
        SELECT 'state', 'sending', count(*) FROM free HAVING count(*) > 0
        UNION ALL SELECT 'state', state, -count(*) FROM free GROUP BY state
        UNION ALL SELECT 'waiting', reason, -count(*) FROM free
            WHERE state = 'waiting' AND reason IS NOT NULL GROUP BY reason
    )
    SELECT (SELECT general FROM hold_version), array_agg(key), array_agg(attempt), array_agg(charged) FROM gone"
);

/// Numbers with the fences that were asked under, each pair once; requests name them by their place, from 1.
#[derive(Default)]
struct Tenures<'a> {
    places: HashMap<(&'a NumberId, i64), i32>,
    numbers: Vec<&'a str>,
    fences: Vec<i64>,
}

impl<'a> Tenures<'a> {
    fn place(&mut self, request: &'a AdmitRequest) -> i32 {
        *self.places.entry((&request.number, request.fence.0)).or_insert_with(|| {
            self.numbers.push(request.number.as_str());
            self.fences.push(request.fence.0);
            int(u32::try_from(self.numbers.len()).unwrap_or(u32::MAX))
        })
    }
}

pub(super) fn admit<'a>(desk: &'a Desk, asks: &'a [Ask]) -> BoxFuture<'a, Result<Vec<Admitted>, LedgerError>> {
    Box::pin(admit_all(desk, asks))
}

async fn admit_all(desk: &Desk, asks: &[Ask]) -> Result<Vec<Admitted>, LedgerError> {
    for ask in asks {
        desk.accounts.remember(&ask.request.number, &ask.request.account);
    }
    let mut answers: Vec<Option<Admitted>> = asks.iter().map(|_| None).collect();
    let limited = quota::limited(desk, asks).await?;
    let barred = free_form::barred(desk, asks, &limited).await?;
    for _ in 0..LOOKS {
        let known = desk.remembered_holds().await?;
        let (delivered, claimed) = plain(asks, &barred, &known);
        let by_delivery = let_delivered_go(desk, asks, &delivered, &known);
        let by_claim = let_claimed_go(desk, asks, &claimed, &known);
        let (by_delivery, by_claim) = futures_util::future::join(by_delivery, by_claim).await;
        let (by_delivery, by_claim) = (by_delivery?, by_claim?);
        let is_current = by_delivery.is_current && by_claim.is_current;
        for (place, answer) in by_delivery.answers.into_iter().chain(by_claim.answers) {
            answers[place] = Some(answer);
        }
        if is_current {
            break;
        }
        // What of these went through by the older look stays as it is, and is not asked again.
        desk.holds.forget();
        if answers.iter().any(Option::is_some) {
            break;
        }
    }
    let rest: Vec<&Ask> =
        asks.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(ask, _)| ask).collect();
    let slow = if rest.is_empty() {
        Vec::new()
    } else {
        desk.introduce(rest.iter().map(|ask| &ask.request.routed)).await?;
        desk.write(&rest, |tx, rest| Box::pin(decide_slowly(tx, rest))).await?
    };
    let mut slow = slow.into_iter();
    let answer =
        |answer: Option<Admitted>| answer.unwrap_or_else(|| slow.next().expect("each of the rest was answered"));
    Ok(answers.into_iter().map(answer).collect())
}

/// The requests that nothing known stands against, by key and each key once: delivered ones, and claimed ones.
type Plain = (Vec<usize>, Vec<(usize, WorkerId)>);

fn plain(asks: &[Ask], barred: &HashSet<usize>, known: &Known) -> Plain {
    let mut seen: HashSet<JobKey> = HashSet::with_capacity(asks.len());
    let (mut delivered, mut claimed) = (Vec::new(), Vec::new());
    for (place, Ask { request, now }) in asks.iter().enumerate() {
        let job = &*request.routed.job;
        let is_plain = seen.insert(job.key)
            && !barred.contains(&place)
            && !request.again
            && request.unfit.is_none()
            && worth_until(job) > *now
            && (known.set.is_empty() || is_free(request, known, *now));
        match request.hand {
            _ if !is_plain => {}
            Hand::Delivered => delivered.push(place),
            Hand::Claimed(worker) => claimed.push((place, worker)),
        }
    }
    let key = |place: usize| asks[place].request.routed.job.key;
    delivered.sort_unstable_by_key(|place| key(*place));
    claimed.sort_unstable_by_key(|(place, _)| key(*place));
    (delivered, claimed)
}

fn is_free(request: &AdmitRequest, known: &Known, now: Timestamp) -> bool {
    let template = template(&request.routed.job).unwrap_or_default();
    known.set.obstacle(&facts(request, &template), now, request.probe).is_none()
}

/// What holds may look at.
pub(super) fn facts<'a>(request: &'a AdmitRequest, template: &'a str) -> Facts<'a> {
    let (job, account) = (&*request.routed.job, &*request.account);
    Facts {
        credential: &account.credential,
        portfolio: &account.portfolio,
        waba: &account.waba,
        number: request.number.as_str(),
        template,
        recipient: job.to.expose(),
        campaign: job.campaign.as_ref().map_or("", Campaign::as_str),
        category: job.category,
    }
}

/// What one statement let go, and whether the holds that it was asked under still were those that stand.
struct LetGo {
    answers: Vec<(usize, Admitted)>,
    is_current: bool,
}

impl LetGo {
    const NOTHING: Self = Self { answers: Vec::new(), is_current: true };
}

async fn let_delivered_go(
    desk: &Desk,
    asks: &[Ask],
    plain: &[usize],
    known: &Arc<Known>,
) -> Result<LetGo, LedgerError> {
    if plain.is_empty() {
        return Ok(LetGo::NOTHING);
    }
    let lanes = desk.introduce(plain.iter().map(|place| &asks[*place].request.routed)).await?;
    let session = desk.session().await?;
    let hidden = session.in_time(hidden(desk, &session, known, plain.iter().map(|place| &asks[*place]))).await?;
    session.in_time(insert_sending(&session, asks, (plain, lanes), known, &hidden)).await
}

async fn insert_sending(
    session: &Session,
    asks: &[Ask],
    (plain, lanes): (&[usize], Vec<i32>),
    known: &Known,
    hidden: &[String],
) -> Result<LetGo, LedgerError> {
    let mut columns = Columns::with_capacity(plain.len());
    let (mut deadlines, mut places) = (Vec::with_capacity(plain.len()), Vec::with_capacity(plain.len()));
    let mut tenures = Tenures::default();
    for (place, lane) in plain.iter().zip(lanes) {
        let request = &asks[*place].request;
        columns.push(&request.routed.job, lane);
        deadlines.push(request.deadline.as_millis());
        places.push(tenures.place(request));
    }
    let now = plain.iter().map(|place| asks[*place].now).max().unwrap_or_default().as_millis();
    let Columns { keys, digests, lanes, expires_at, late_at, ids, sources, recipients, .. } = &columns;
    let Columns { categories, campaigns, templates, on_unknown, metadata, .. } = &columns;
    let values: Values<'_> = &[
        keys,
        digests,
        lanes,
        expires_at,
        late_at,
        ids,
        sources,
        recipients,
        categories,
        campaigns,
        templates,
        on_unknown,
        metadata,
        &deadlines,
        &places,
        &tenures.numbers,
        &tenures.fences,
        &known.version,
        &now,
        &known.has_recipients,
        &hidden,
    ];
    let row = session.query_one(DELIVERED, values).await?;
    let is_current = row.try_get::<_, i64>(0)? == known.version;
    let n: i64 = row.try_get(1)?;
    let gone: Option<HashSet<Uuid>> = if usize::try_from(n).is_ok_and(|n| n == plain.len()) {
        None
    } else {
        Some(row.try_get::<_, Option<Vec<Uuid>>>(2)?.unwrap_or_default().into_iter().collect())
    };
    let went = plain.iter().zip(keys).filter(|(_, key)| gone.as_ref().is_none_or(|gone| gone.contains(key)));
    let answers = went.map(|(place, _)| (*place, admission(&asks[*place].request, 1, 0))).collect();
    Ok(LetGo { answers, is_current })
}

async fn let_claimed_go(
    desk: &Desk,
    asks: &[Ask],
    plain: &[(usize, WorkerId)],
    known: &Arc<Known>,
) -> Result<LetGo, LedgerError> {
    if plain.is_empty() {
        return Ok(LetGo::NOTHING);
    }
    let session = desk.session().await?;
    let hidden = session.in_time(hidden(desk, &session, known, plain.iter().map(|(place, _)| &asks[*place]))).await?;
    session.in_time(update_to_sending(&session, asks, plain, known, &hidden)).await
}

async fn update_to_sending(
    session: &Session,
    asks: &[Ask],
    plain: &[(usize, WorkerId)],
    known: &Known,
    hidden: &[String],
) -> Result<LetGo, LedgerError> {
    let requests = || plain.iter().map(|(place, _)| &asks[*place].request);
    let mut tenures = Tenures::default();
    let keys: Vec<Uuid> = requests().map(|request| uuid(request.routed.job.key)).collect();
    let digests: Vec<Uuid> =
        requests().map(|request| Uuid::from_bytes(*request.routed.job.digest.as_bytes())).collect();
    let workers: Vec<Uuid> = plain.iter().map(|(_, worker)| worker.0).collect();
    let places: Vec<i32> = requests().map(|request| tenures.place(request)).collect();
    let deadlines: Vec<i64> = requests().map(|request| request.deadline.as_millis()).collect();
    let recipients: Vec<&str> = requests().map(|request| request.routed.job.to.expose()).collect();
    let now = plain.iter().map(|(place, _)| asks[*place].now).max().unwrap_or_default().as_millis();
    let poison = int(super::admit_slowly::POISON);
    let values: Values<'_> = &[
        &keys,
        &digests,
        &workers,
        &places,
        &deadlines,
        &recipients,
        &tenures.numbers,
        &tenures.fences,
        &known.version,
        &now,
        &known.has_recipients,
        &poison,
        &hidden,
    ];
    let row = session.query_one(CLAIMED, values).await?;
    let is_current = row.try_get::<_, i64>(0)? == known.version;
    let gone: Vec<Uuid> = row.try_get::<_, Option<_>>(1)?.unwrap_or_default();
    let attempts: Vec<i32> = row.try_get::<_, Option<_>>(2)?.unwrap_or_default();
    let charged: Vec<i32> = row.try_get::<_, Option<_>>(3)?.unwrap_or_default();
    let mut answers = Vec::with_capacity(gone.len());
    for ((key, attempt), charged) in gone.iter().zip(attempts).zip(charged) {
        let Ok(place) = keys.binary_search(key) else { continue };
        let (attempt, tries) = (u32::try_from(attempt).unwrap_or(0), u32::try_from(charged).unwrap_or(0));
        let place = plain[place].0;
        answers.push((place, admission(&asks[place].request, attempt, tries)));
    }
    Ok(LetGo { answers, is_current })
}
