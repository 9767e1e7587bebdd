//! What became of messages, as Meta tells it: jobs go forward, all of a batch in one statement.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::Row;
use uuid::Uuid;

use super::change::{code, int};
use super::desk::Tx;
use super::misses::Missed;
use super::outbox::{SUBJECT, subject};
use super::quota;
use super::standing::{uuid, uuids};
use super::words::{clean, count, time, word};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::event::{Happened, Subject};
use crate::ledger::lattice::advance;
use crate::ledger::quota::{in_doubt, never_left};
use crate::ledger::{Failure, Heard, LedgerError, Moved, Pricing, Publish, StatusNews};
use crate::outcome::State;

/// As much of [`SUBJECT`] as is needed where nobody listens, in the same places.
const QUIET: &str =
    "j.key, ''::text, NULL::text, ''::text, NULL::text, j.recipient, j.number, j.reason, j.code, j.wamid,
    j.attempt, NULL::text, j.cost_type, j.cost_category";

const UPDATE: &str = "UPDATE jobs j SET state = a.state, wamid = a.wamid, accepted_at = a.accepted_at,
        sent_at = a.sent_at, delivered_at = a.delivered_at, read_at = a.read_at, cost_type = a.cost_type,
        cost_category = a.cost_category, updated_at = $16,
        reason = CASE WHEN a.moves THEN a.reason ELSE j.reason END,
        code = CASE WHEN a.moves THEN a.code ELSE j.code END,
        details = CASE WHEN a.moves THEN a.details ELSE j.details END,
        ended_at = CASE WHEN a.ends THEN $16 ELSE j.ended_at END,
        deadline = CASE WHEN a.ends THEN NULL ELSE j.deadline END,
        late_at = CASE WHEN a.is_over THEN NULL ELSE j.late_at END, lost = a.lost
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
            $9::text[], $10::boolean[], $11::text[], $12::int[], $13::text[], $14::boolean[], $15::boolean[],
            $17::int[])
        AS a (key, state, wamid, accepted_at, sent_at, delivered_at, read_at, cost_type, cost_category, moves, reason,
            code, details, ends, is_over, lost)
    CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
    WHERE j.ctid = f.place";

/// What statuses did, and what they mean for others than their jobs.
#[derive(Default)]
pub(super) struct Told {
    /// What each did, in order.
    pub(super) moved: Vec<Moved>,
    /// Prices that were booked.
    pub(super) priced: Vec<Pricing>,
    /// Who was reached and who was not, in order.
    pub(super) missed: Vec<Missed>,
    /// The latest acceptance of which a status came, by number.
    pub(super) accepted: BTreeMap<String, Timestamp>,
}

/// A job, locked, and what its statuses make of it.
struct Message {
    subject: Subject,
    state: State,
    accepted_at: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    /// Attempts without an outcome.
    lost: u32,
    /// Of the change of state that came last, where one came.
    details: Option<String>,
    /// Anything is to be written.
    is_new: bool,
    /// Its state is.
    moves: bool,
    /// It had not ended before.
    ends: bool,
    /// Whether it is delivered in time is no question any more.
    is_over: bool,
    /// It is known now that it did not arrive.
    gives_back: bool,
}

/// Does to jobs what statuses say, in order.
pub(super) async fn hear(tx: &Tx<'_>, statuses: &[StatusNews], now: Timestamp) -> Result<Told, LedgerError> {
    if statuses.is_empty() {
        return Ok(Told::default());
    }
    let may_move = statuses.iter().filter(|news| matches!(news.heard, Heard::Delivered | Heard::Failed(_)));
    quota::lock_of(tx, may_move.map(|news| news.key)).await?;
    let mut messages = find(tx, statuses).await?;
    let (mut told, mut events) = (Told::default(), Vec::new());
    for news in statuses {
        let moved = match messages.get_mut(&news.key) {
            None => Moved::Stranger,
            // It cannot be read, and is left as it is.
            Some(None) => Moved::Nothing,
            Some(Some(message)) if news.attempt > message.subject.attempt => Moved::Stranger,
            Some(Some(message)) => message.hear(tx, news, &mut told, &mut events),
        };
        told.moved.push(moved);
    }
    let mut changed: Vec<&Message> = messages.values().flatten().filter(|message| message.is_new).collect();
    changed.sort_unstable_by_key(|message| message.subject.key);
    write(tx, &changed, now).await?;
    let arrived = statuses.iter().filter(|news| matches!(news.heard, Heard::Delivered));
    quota::move_up(tx, &arrived.map(|news| (news.key, news.at)).collect::<Vec<_>>(), now).await?;
    let unsent = changed.iter().filter(|message| message.gives_back);
    quota::give_back(tx, unsent.map(|message| message.subject.key), now).await?;
    tx.tell(events).await?;
    Ok(told)
}

/// Locks the jobs, in order of keys; none for one that cannot be read.
async fn find(tx: &Tx<'_>, statuses: &[StatusNews]) -> Result<HashMap<JobKey, Option<Message>>, LedgerError> {
    let mut keys = uuids(statuses.iter().map(|news| news.key));
    keys.dedup();
    let subject = if tx.desk.publish == Publish::Off { QUIET } else { SUBJECT };
    let sql = format!(
        "SELECT {subject}, j.state, j.accepted_at, j.sent_at, j.delivered_at, j.read_at, j.lost
         FROM jobs j
         WHERE j.key = ANY ($1::uuid[]) ORDER BY j.key FOR UPDATE OF j"
    );
    let mut messages = HashMap::with_capacity(keys.len());
    for row in tx.query(&sql, &[&keys]).await? {
        let key: Uuid = row.try_get(0)?;
        let message = read(&row).inspect_err(|error| {
            tracing::error!(%key, %error, "a job's row cannot be read and is left as it is");
        });
        messages.insert(JobKey::from_bytes(key.into_bytes()), message.ok());
    }
    Ok(messages)
}

fn read(row: &Row) -> Result<Message, LedgerError> {
    Ok(Message {
        subject: subject(row)?,
        state: word(row, 14)?,
        accepted_at: time(row, 15)?,
        sent_at: time(row, 16)?,
        delivered_at: time(row, 17)?,
        read_at: time(row, 18)?,
        lost: count(row, 19)?,
        details: None,
        is_new: false,
        moves: false,
        ends: false,
        is_over: false,
        gives_back: false,
    })
}

impl Message {
    fn hear(
        &mut self,
        tx: &Tx<'_>,
        news: &StatusNews,
        told: &mut Told,
        events: &mut Vec<(Subject, Happened)>,
    ) -> Moved {
        let accepted_before = self.accepted_at;
        let to = advance(self.state, self.subject.attempt, news.attempt, &news.heard);
        if to.is_some() || !matches!(news.heard, Heard::Failed(_)) {
            self.note(news);
            self.book(news, told);
        }
        if let (Some(number), Some(at)) = (&self.subject.number, self.accepted_at) {
            let latest = told.accepted.entry(number.clone()).or_insert(at);
            *latest = at.max(*latest);
        }
        let Some(to) = to else { return Moved::Nothing };
        let from = self.go(tx, to, news);
        told.missed.extend(Missed::of(&self.subject.recipient, &news.heard));
        if tx.desk.publish.wants(to) {
            let retryable = match &news.heard {
                Heard::Failed(failure) => Some(failure.retryable),
                Heard::Sent | Heard::Delivered | Heard::Read => None,
            };
            events.push((self.subject.clone(), Happened { retryable, ..Happened::of(to, news.at) }));
        }
        Moved::Job { from, to, after: accepted_before.map(|accepted| news.at.since(accepted)) }
    }

    /// Notes what holds whatever the state: when, and under which id of Meta's.
    fn note(&mut self, news: &StatusNews) {
        let time = match news.heard {
            Heard::Sent => Some(&mut self.sent_at),
            Heard::Delivered => Some(&mut self.delivered_at),
            Heard::Read => Some(&mut self.read_at),
            Heard::Failed(_) => None,
        };
        if let Some(time) = time {
            self.is_new |= keep_earlier(time, news.at);
            self.is_new |= keep_earlier(&mut self.accepted_at, news.at);
        }
        let is_latest = news.attempt == self.subject.attempt;
        // Meta's id has the phone number in it: of a person who was forgotten it is not kept.
        if (self.subject.wamid.is_none() || is_latest) && !self.is_erased() {
            let wamid = clean(&news.wamid);
            if self.subject.wamid.as_deref() != Some(&*wamid) {
                self.subject.wamid = Some(wamid.into_owned());
                self.is_new = true;
            }
        }
    }

    /// Notes what it costs: what is told of a message that arrived rules.
    fn book(&mut self, news: &StatusNews, told: &mut Told) {
        let Some(pricing) = &news.pricing else { return };
        let rules = matches!(news.heard, Heard::Delivered | Heard::Read);
        let pricing =
            Pricing { kind: clean(&pricing.kind).into_owned(), category: clean(&pricing.category).into_owned() };
        match &self.subject.pricing {
            None => told.priced.push(pricing.clone()),
            Some(known) if !rules || *known == pricing => return,
            Some(_) => {}
        }
        self.subject.pricing = Some(pricing);
        self.is_new = true;
    }

    /// Goes to this state, and says from which.
    fn go(&mut self, tx: &Tx<'_>, to: State, news: &StatusNews) -> State {
        let from = self.state;
        tx.tally.remove(from, self.subject.reason);
        (self.subject.reason, self.subject.code, self.details) = match &news.heard {
            Heard::Sent | Heard::Delivered | Heard::Read => (None, None, None),
            Heard::Failed(Failure { reason, code, details, .. }) => {
                let details = Some(clean(details).into_owned()).filter(|text| !text.is_empty() && !self.is_erased());
                (Some(*reason), *code, details)
            }
        };
        tx.tally.add(to, self.subject.reason);
        self.state = to;
        if news.attempt == self.subject.attempt {
            // It is lost no more.
            self.lost = in_doubt(from, self.lost);
        }
        // Only of the last attempt it is told that it failed.
        self.gives_back = never_left(to) && self.lost == 0;
        self.is_new = true;
        self.moves = true;
        self.ends |= !from.has_ended();
        self.is_over |= !matches!(news.heard, Heard::Sent);
        from
    }

    fn is_erased(&self) -> bool {
        self.subject.recipient.is_empty()
    }
}

/// Keeps the earlier of two times, and says whether that is a new one.
fn keep_earlier(known: &mut Option<Timestamp>, at: Timestamp) -> bool {
    let is_new = known.is_none_or(|known| at < known);
    if is_new {
        *known = Some(at);
    }
    is_new
}

async fn write(tx: &Tx<'_>, changed: &[&Message], now: Timestamp) -> Result<(), LedgerError> {
    if changed.is_empty() {
        return Ok(());
    }
    let of = |part: fn(&Message) -> Option<Timestamp>| -> Vec<Option<i64>> {
        changed.iter().map(|message| part(message).map(Timestamp::as_millis)).collect()
    };
    let texts = |part: fn(&Message) -> Option<&str>| -> Vec<Option<&str>> {
        changed.iter().map(|message| part(message)).collect()
    };
    let flags = |part: fn(&Message) -> bool| -> Vec<bool> { changed.iter().map(|message| part(message)).collect() };
    let keys: Vec<Uuid> = changed.iter().map(|message| uuid(message.subject.key)).collect();
    let states: Vec<&str> = changed.iter().map(|message| message.state.as_str()).collect();
    let codes: Vec<Option<i32>> = changed.iter().map(|message| code(message.subject.code)).collect();
    let lost: Vec<i32> = changed.iter().map(|message| int(message.lost)).collect();
    let values: super::desk::Values<'_> = &[
        &keys,
        &states,
        &texts(|message| message.subject.wamid.as_deref()),
        &of(|message| message.accepted_at),
        &of(|message| message.sent_at),
        &of(|message| message.delivered_at),
        &of(|message| message.read_at),
        &texts(|message| message.subject.pricing.as_ref().map(|pricing| pricing.kind.as_str())),
        &texts(|message| message.subject.pricing.as_ref().map(|pricing| pricing.category.as_str())),
        &flags(|message| message.moves),
        &texts(|message| message.subject.reason.map(|reason| reason.as_str())),
        &codes,
        &texts(|message| message.details.as_deref()),
        &flags(|message| message.ends),
        &flags(|message| message.is_over),
        &now.as_millis(),
        &lost,
    ];
    tx.execute(UPDATE, values).await?;
    let ended = uuids(changed.iter().filter(|message| message.ends).map(|message| message.subject.key));
    if !ended.is_empty() {
        tx.execute("DELETE FROM waiting WHERE key = ANY ($1::uuid[])", &[&ended]).await?;
    }
    Ok(())
}
