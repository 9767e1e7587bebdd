//! Forgetting a person: what is counted stays, what names them goes.

use uuid::Uuid;

use super::change;
use super::desk::{Desk, Stir, Tx};
use super::standing::{find, is_in_line, uuid, uuids};
use super::{holds, morgue, quota};
use crate::clock::Timestamp;
use crate::job::{Digest, JobKey};
use crate::ledger::end::End;
use crate::ledger::{Erased, LedgerError};
use crate::outcome::{Reason, State};

/// A look reads so many blocks of the table of jobs: each is short, however large the table.
const BLOCKS: i64 = 16_384;
/// A transaction holds what it changes for at most so many jobs.
const BATCH: usize = 200;

/// What is looked for in texts of others.
struct Needle {
    /// A phone number without its plus, or an id of Meta's for somebody who has none.
    text: String,
    /// The same as a pattern that does not fit a longer number.
    pattern: String,
    /// How an event names who its message is for.
    named: String,
}

impl Needle {
    fn of(recipient: &str) -> Self {
        let text = recipient.trim_start_matches('+').to_owned();
        let others = if text.bytes().all(|byte| byte.is_ascii_digit()) { "[^0-9]" } else { "[^0-9A-Za-z]" };
        let mut escaped = String::new();
        for char in text.chars() {
            if !char.is_ascii_alphanumeric() {
                escaped.push('\\');
            }
            escaped.push(char);
        }
        // Bytes that are not ASCII are looked at as three digits behind a backslash.
        let pattern = format!(r"(^|{others}|\\[0-7]{{3}}){escaped}({others}|$)");
        let named = format!("\"to\":{}", serde_json::Value::from(recipient));
        Self { text, pattern, named }
    }
}

pub(super) async fn erase(desk: &Desk, recipient: &str, now: Timestamp) -> Result<Erased, LedgerError> {
    if recipient.is_empty() {
        return Ok(Erased::default());
    }
    let session = desk.session().await?;
    session.in_time(desk.keyring.make(&session)).await?;
    drop(session);
    let mut erased = Erased::default();
    // A row that is written while it is looked for may move to where the look has been.
    loop {
        let keys = jobs_of(desk, recipient).await?;
        if keys.is_empty() {
            break;
        }
        for batch in keys.chunks(BATCH) {
            let asked = (batch, now);
            let (jobs, cancelled) = desk.write(&asked, |tx, (keys, now)| Box::pin(forget_jobs(tx, keys, *now))).await?;
            erased.jobs += jobs;
            erased.cancelled += cancelled;
        }
    }
    let (holds, others) = desk.write(&recipient, |tx, recipient| Box::pin(forget_rest(tx, recipient))).await?;
    Ok(Erased { holds, others, ..erased })
}

/// The jobs of a recipient, found without an index.
async fn jobs_of(desk: &Desk, recipient: &str) -> Result<Vec<JobKey>, LedgerError> {
    let size = "SELECT pg_relation_size('jobs') / current_setting('block_size')::bigint";
    let size: i64 = desk.read(&(), |session, ()| Box::pin(session.query_one(size, &[]))).await?.try_get(0)?;
    let mut keys = Vec::new();
    for first in (0..=size).step_by(usize::try_from(BLOCKS).unwrap_or(usize::MAX)) {
        let asked = (recipient, format!("({first},0)"), format!("({},0)", first + BLOCKS));
        let rows = desk.read(&asked, |session, (recipient, from, to)| {
            Box::pin(async move {
                let sql =
                    "SELECT key FROM jobs WHERE recipient = $1 AND ctid >= $2::text::tid AND ctid < $3::text::tid";
                session.query(sql, &[recipient, from, to]).await
            })
        });
        for row in rows.await? {
            keys.push(JobKey::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes()));
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

/// Takes the person out of jobs; those that wait are cancelled, and those of which nobody knows cannot be sent again.
/// One that is being sent ends as it would, and its body goes now.
async fn forget_jobs(tx: &Tx<'_>, keys: &[JobKey], now: Timestamp) -> Result<(u64, u64), LedgerError> {
    let found = find(tx, keys).await?;
    let mut ends = Vec::new();
    for job in found.iter() {
        if is_in_line(job.state) {
            ends.push((job, End::ours(State::Cancelled, Reason::Cancelled, now)));
        } else if job.state == State::Unknown {
            ends.push((job, End::ours(State::Unresolved, Reason::Left, now)));
        }
    }
    ends.sort_unstable_by_key(|(job, _)| uuid(job.key));
    let cancelled = ends.iter().filter(|(_, end)| end.state == State::Cancelled).count() as u64;
    change::end(tx, &ends).await?;
    let keys = uuids(keys.iter().copied());
    let unseen = Uuid::from_bytes(*Digest::UNSEEN.as_bytes());
    tx.execute("DELETE FROM waiting WHERE key = ANY ($1::uuid[])", &[&keys]).await?;
    // Meta's id of a message has the phone number in it.
    let sql = "UPDATE jobs SET recipient = '', id = 'erased-' || left(key::text, 8), digest = $2, metadata = NULL,
        details = NULL, wamid = NULL WHERE key = ANY ($1::uuid[])";
    Ok((tx.execute(sql, &[&keys, &unseen]).await?, cancelled))
}

/// Hides whom holds are about, and drops everything else that names the person: how many holds, and what else.
async fn forget_rest(tx: &Tx<'_>, recipient: &str) -> Result<(u64, u64), LedgerError> {
    let seen = quota::erase(tx, recipient).await?;
    let holds = hide_holds(tx, recipient).await?;
    let Needle { text, pattern, named } = &Needle::of(recipient);
    let mut others = seen + tx.execute("DELETE FROM windows WHERE recipient = $1", &[&recipient]).await?;
    others += tx.execute("DELETE FROM misses WHERE recipient = $1", &[&recipient]).await?;
    let outbox = "DELETE FROM outbox WHERE position($1 IN body) > 0
        OR topic NOT LIKE 'message.%' AND position($2 IN body) > 0 AND body ~ $3";
    others += tx.execute(outbox, &[named, text, pattern]).await?;
    let strange = "DELETE FROM strange WHERE position($1 IN body) > 0 AND body ~ $2";
    others += tx.execute(strange, &[text, pattern]).await?;
    let inbox = "DELETE FROM inbox WHERE position($1::bytea IN body) > 0 AND encode(body, 'escape') ~ $2";
    others += tx.execute(inbox, &[&text.as_bytes(), pattern]).await?;
    let dead = "SELECT seq FROM dead WHERE position($1::bytea IN body) > 0 AND encode(body, 'escape') ~ $2";
    let dead = tx.query(dead, &[&text.as_bytes(), pattern]).await?;
    let dead = dead.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    others += u64::from(morgue::drop(tx, &dead).await?);
    Ok((holds, others))
}

/// Lets a recipient's holds go on under a keyed hash.
async fn hide_holds(tx: &Tx<'_>, recipient: &str) -> Result<u64, LedgerError> {
    holds::count_up(tx).await?;
    let subject = tx.desk.keyring.subject(tx, recipient).await?;
    let lifted = "DELETE FROM holds WHERE scope = 'recipient' AND lifted AND (subject = $1 OR subject = $2)";
    tx.execute(lifted, &[&recipient, &subject]).await?;
    let same = "DELETE FROM holds h USING holds p WHERE h.scope = 'recipient' AND h.subject = $2
        AND p.scope = 'recipient' AND p.subject = $1 AND p.category = h.category AND p.country = h.country";
    tx.execute(same, &[&recipient, &subject]).await?;
    let hide = "UPDATE holds SET subject = $2 WHERE scope = 'recipient' AND subject = $1";
    let hidden = tx.execute(hide, &[&recipient, &subject]).await?;
    if hidden > 0 {
        tx.execute("UPDATE hold_version SET erased = true", &[]).await?;
        tx.stir(Stir::Holds);
    }
    Ok(hidden)
}
