//! How jobs leave the state they stand in: they end, they wait, or nobody knows. Many at once, each at most once.

use uuid::Uuid;

use super::desk::{Stir, Tx};
use super::quota;
use super::standing::{RowOf, Standing, uuid, uuids};
use super::words::clean;
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId};
use crate::job::JobKey;
use crate::ledger::end::End;
use crate::ledger::event::Happened;
use crate::ledger::form::{body, worth_until};
use crate::ledger::quota::never_left;
use crate::ledger::{LedgerError, Routed};
use crate::outcome::{Reason, State};

/// How a job waits.
pub(super) struct Wait<'a> {
    pub(super) place: Place,
    pub(super) reason: Reason,
    pub(super) code: Option<u32>,
    pub(super) at: Timestamp,
    /// Attempts charged to its budget, with this one.
    pub(super) charged: u32,
    /// Attempts without an outcome.
    pub(super) lost: u32,
    /// The job, where it may have no row yet.
    pub(super) delivered: Option<&'a Routed>,
}

/// Where a job waits.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Until this time.
    Due(Timestamp),
    /// Under this hold, keeping its place in line, until this time perhaps.
    Under(HoldId, Option<Timestamp>),
}

impl Place {
    pub(super) fn under(hold: &Hold) -> Self {
        Self::Under(hold.id, hold.until)
    }

    fn until(self) -> Option<Timestamp> {
        match self {
            Self::Due(due) => Some(due),
            Self::Under(_, until) => until,
        }
    }
}

/// How an attempt is left of which nobody knows what became of it.
pub(super) struct Loss<'a> {
    pub(super) reason: Reason,
    /// When its policy decides.
    pub(super) until: Timestamp,
    pub(super) at: Timestamp,
    /// The job, where it may have no row yet.
    pub(super) delivered: Option<&'a Routed>,
}

/// Ends jobs: their waiting rows go in the same commit.
pub(super) async fn end(tx: &Tx<'_>, ends: &[(&Standing, End<'_>)]) -> Result<(), LedgerError> {
    if ends.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = ends.iter().map(|(job, _)| uuid(job.key)).collect();
    let states: Vec<&str> = ends.iter().map(|(_, end)| end.state.as_str()).collect();
    let reasons: Vec<Option<&str>> = ends.iter().map(|(_, end)| end.reason.map(Reason::as_str)).collect();
    let codes: Vec<Option<i32>> = ends.iter().map(|(_, end)| code(end.code)).collect();
    let details: Vec<_> = ends.iter().map(|(_, end)| end.details.map(clean)).collect();
    let wamids: Vec<_> = ends.iter().map(|(_, end)| end.wamid.map(clean)).collect();
    let ats: Vec<i64> = ends.iter().map(|(_, end)| end.at.as_millis()).collect();
    let sql = "UPDATE jobs j SET state = a.state, reason = a.reason, code = a.code, details = a.details,
            wamid = a.wamid, accepted_at = CASE WHEN a.state = 'accepted' THEN a.at END, ended_at = a.at,
            updated_at = a.at, deadline = NULL,
            lost = CASE WHEN j.state = 'unknown' AND a.state = 'accepted' THEN greatest(j.lost - 1, 0) ELSE j.lost END
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::bigint[])
            AS a (key, state, reason, code, details, wamid, at)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(sql, &[&keys, &states, &reasons, &codes, &details, &wamids, &ats]).await?;
    if ends.iter().any(|(job, _)| job.row != RowOf::Nowhere) {
        let keys = uuids(ends.iter().map(|(job, _)| job.key));
        tx.execute("DELETE FROM waiting WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    }
    for (job, end) in ends {
        tx.tally.remove(job.state, job.reason);
        tx.tally.add(end.state, end.reason);
    }
    if let Some(now) = ends.iter().map(|(_, end)| end.at).max() {
        let unsent = ends.iter().filter(|(_, end)| never_left(end.state));
        quota::give_back_of(tx, unsent.map(|(job, _)| *job), now).await?;
    }
    let happened = |(job, end): &(&Standing, End<'_>)| (job.key, Happened::of(end.state, end.at));
    tx.publish(ends.iter().map(happened)).await
}

/// Lets jobs wait: their rows go out of the workers' hands.
pub(super) async fn wait(tx: &Tx<'_>, waits: &[(&Standing, Wait<'_>)]) -> Result<(), LedgerError> {
    if waits.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = waits.iter().map(|(job, _)| uuid(job.key)).collect();
    let reasons: Vec<&str> = waits.iter().map(|(_, wait)| wait.reason.as_str()).collect();
    let codes: Vec<Option<i32>> = waits.iter().map(|(_, wait)| code(wait.code)).collect();
    let ats: Vec<i64> = waits.iter().map(|(_, wait)| wait.at.as_millis()).collect();
    let charged: Vec<i32> = waits.iter().map(|(_, wait)| int(wait.charged)).collect();
    let lost: Vec<i32> = waits.iter().map(|(_, wait)| int(wait.lost)).collect();
    let ends: Vec<Option<i64>> = waits.iter().map(|(_, wait)| wait.place.until().map(Timestamp::as_millis)).collect();
    let sql = "UPDATE jobs j SET state = 'waiting', reason = a.reason, code = a.code, charged = a.charged,
            lost = a.lost, updated_at = a.at, deadline = NULL
        FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::int[], $6::int[])
            AS a (key, reason, code, at, charged, lost)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(sql, &[&keys, &reasons, &codes, &ats, &charged, &lost]).await?;
    put_in_place(tx, waits).await?;
    let sql = "INSERT INTO trail (key, n, at, state, reason, code, number, until)
        SELECT a.key, (SELECT coalesce(max(t.n), 0) + 1 FROM trail t WHERE t.key = a.key), a.at, 'waiting', a.reason,
            a.code, (SELECT j.number FROM jobs j WHERE j.key = a.key), a.until
        FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::bigint[]) AS a (key, reason, code, at, until)
        RETURNING key, n";
    let turns = tx.query(sql, &[&keys, &reasons, &codes, &ats, &ends]).await?;
    for (job, wait) in waits {
        tx.tally.remove(job.state, job.reason);
        tx.tally.add(State::Waiting, Some(wait.reason));
        // What is due later, whoever put it there knows.
        if matches!(wait.place, Place::Due(due) if due <= wait.at) {
            tx.stir(Stir::Work);
        }
    }
    let happened = turns.iter().map(|row| {
        let (key, turn): (Uuid, i32) = (row.get(0), row.get(1));
        let key = JobKey::from_bytes(key.into_bytes());
        let wait = waits.iter().find(|(job, _)| job.key == key).map(|(_, wait)| wait);
        let wait = wait.expect("only what was asked for is written");
        let (at, until) = (wait.at, wait.place.until());
        (key, Happened { until, turn: u32::try_from(turn).unwrap_or(0), ..Happened::of(State::Waiting, at) })
    });
    tx.publish(happened).await
}

/// Puts the waiting rows where they belong; a job without one gets it from what the broker delivered.
async fn put_in_place(tx: &Tx<'_>, waits: &[(&Standing, Wait<'_>)]) -> Result<(), LedgerError> {
    let (mut keys, mut dues, mut under) = (Vec::new(), Vec::new(), Vec::new());
    let mut new = Vec::new();
    for (job, wait) in waits {
        let (due, held) = match wait.place {
            Place::Due(due) => (Some(due.as_millis()), 0),
            Place::Under(hold, _) => (None, hold.0),
        };
        match wait.delivered.filter(|_| job.row == RowOf::Nowhere) {
            Some(routed) => new.push(NewRow { routed, due, held, owner: None }),
            None => {
                keys.push(uuid(job.key));
                dues.push(due);
                under.push(held);
            }
        }
    }
    if !keys.is_empty() {
        let sql = "UPDATE waiting w SET owner = NULL, held = a.held,
                class = CASE WHEN a.due IS NULL THEN w.class ELSE 0 END, due_at = coalesce(a.due, w.due_at)
            FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS a (key, due, held)
            CROSS JOIN LATERAL (SELECT f.ctid AS place FROM waiting f WHERE f.key = a.key OFFSET 0) f
            WHERE w.ctid = f.place";
        tx.execute(sql, &[&keys, &dues, &under]).await?;
    }
    insert_rows(tx, &new).await
}

/// Leaves jobs as unknown: perhaps they were sent. Their rows stay, and their policies decide later.
pub(super) async fn lose(tx: &Tx<'_>, losses: &[(&Standing, Loss<'_>)]) -> Result<(), LedgerError> {
    if losses.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = losses.iter().map(|(job, _)| uuid(job.key)).collect();
    let reasons: Vec<&str> = losses.iter().map(|(_, loss)| loss.reason.as_str()).collect();
    let ends: Vec<i64> = losses.iter().map(|(_, loss)| loss.until.as_millis()).collect();
    let ats: Vec<i64> = losses.iter().map(|(_, loss)| loss.at.as_millis()).collect();
    let lost: Vec<i32> = losses.iter().map(|(job, _)| int(job.lost + u32::from(job.state == State::Sending))).collect();
    let sql = "UPDATE jobs j SET state = 'unknown', reason = a.reason, deadline = a.until, lost = a.lost,
            updated_at = a.at
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::int[]) AS a (key, reason, until, at, lost)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(sql, &[&keys, &reasons, &ends, &ats, &lost]).await?;
    let new = losses.iter().filter(|(job, _)| job.row == RowOf::Nowhere);
    let new = new.filter_map(|(_, loss)| {
        loss.delivered.map(|routed| NewRow { routed, due: None, held: 0, owner: Some(Uuid::nil()) })
    });
    insert_rows(tx, &new.collect::<Vec<_>>()).await?;
    for (job, loss) in losses {
        tx.tally.remove(job.state, job.reason);
        tx.tally.add(State::Unknown, Some(loss.reason));
    }
    let happened = losses
        .iter()
        .map(|(job, loss)| (job.key, Happened { until: Some(loss.until), ..Happened::of(State::Unknown, loss.at) }));
    tx.publish(happened).await
}

/// A waiting row to be.
pub(super) struct NewRow<'a> {
    pub(super) routed: &'a Routed,
    /// None for fresh rows.
    pub(super) due: Option<i64>,
    pub(super) held: i64,
    pub(super) owner: Option<Uuid>,
}

/// Gives jobs their waiting rows, in this order. A row that is there is left as it is.
pub(super) async fn insert_rows(tx: &Tx<'_>, rows: &[NewRow<'_>]) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    let lanes = tx.desk.introduce(rows.iter().map(|row| row.routed)).await?;
    let keys: Vec<Uuid> = rows.iter().map(|row| uuid(row.routed.job.key)).collect();
    let dues: Vec<Option<i64>> = rows.iter().map(|row| row.due).collect();
    let under: Vec<i64> = rows.iter().map(|row| row.held).collect();
    let owners: Vec<Option<Uuid>> = rows.iter().map(|row| row.owner).collect();
    let expiries: Vec<i64> = rows.iter().map(|row| worth_until(&row.routed.job).as_millis()).collect();
    let bodies: Vec<String> = rows.iter().map(|row| body(&row.routed.job)).collect();
    let sql = "INSERT INTO waiting (key, lane, class, due_at, held, owner, expires_at, body)
        SELECT a.key, a.lane, CASE WHEN a.due IS NULL THEN 1 ELSE 0 END, coalesce(a.due, 0), a.held, a.owner,
            a.expires_at, a.body
        FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::uuid[], $6::bigint[], $7::text[])
            WITH ORDINALITY AS a (key, lane, due, held, owner, expires_at, body, n)
        ORDER BY a.n
        ON CONFLICT (key) DO NOTHING";
    tx.execute(sql, &[&keys, &lanes, &dues, &under, &owners, &expiries, &bodies]).await?;
    Ok(())
}

/// Meta's code as a column.
pub(super) fn code(code: Option<u32>) -> Option<i32> {
    code.map(int)
}

/// A count as a column.
pub(super) fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
