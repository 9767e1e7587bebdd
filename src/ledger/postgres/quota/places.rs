//! Places of a messaging limit: read once, taken and given back in memory, written in a few statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::super::desk::{Session, Tx};
use super::limits;
use crate::clock::Timestamp;
use crate::job::Priority;
use crate::ledger::{LedgerError, PORTFOLIO, QuotaRules};

/// A person, as one portfolio knows them: portfolio and recipient.
pub(super) type Person = (String, String);

/// How the places of some portfolios stand that this transaction has locked, and the messages to some people.
pub(super) struct Places {
    rules: QuotaRules,
    now: Timestamp,
    portfolios: HashMap<String, Portfolio>,
    people: HashMap<Person, BTreeMap<Uuid, Timestamp>>,
    /// Messages that count from another moment now.
    noted: BTreeMap<(Person, Uuid), Timestamp>,
    gone: BTreeSet<(Person, Uuid)>,
    /// By how much the slots change.
    moved: BTreeMap<(String, i64), i64>,
}

struct Portfolio {
    /// None: without a limit.
    limit: Option<u64>,
    counted: i64,
}

impl Places {
    /// Reads what these people have, and how their portfolios stand.
    pub(super) async fn read(tx: &Tx<'_>, people: &BTreeSet<Person>, now: Timestamp) -> Result<Self, LedgerError> {
        let rules = tx.desk.quota;
        let names: BTreeSet<&str> = people.iter().map(|(portfolio, _)| portfolio.as_str()).collect();
        let names = Vec::from_iter(names);
        let (portfolios, recipients): (Vec<&str>, Vec<&str>) =
            people.iter().map(|(portfolio, recipient)| (portfolio.as_str(), recipient.as_str())).unzip();
        let sql = "SELECT a.portfolio, (SELECT f.fields FROM fleet f WHERE f.kind = $2 AND f.id = a.portfolio),
                (SELECT coalesce(sum(b.n), 0)::bigint FROM bucket b
                 WHERE b.portfolio = a.portfolio AND b.slot >= $3)
            FROM unnest($1::text[]) AS a (portfolio)";
        let mut known = HashMap::with_capacity(names.len());
        for row in tx.query(sql, &[&names, &PORTFOLIO, &rules.first_slot(now)]).await? {
            let limit = limits::of(row.try_get(1)?, &rules);
            known.insert(row.try_get(0)?, Portfolio { limit, counted: row.try_get(2)? });
        }
        let sql = "SELECT s.portfolio, s.recipient, s.key, s.at
            FROM unnest($1::text[], $2::text[]) AS a (portfolio, recipient)
            CROSS JOIN LATERAL (SELECT * FROM seen f
                WHERE f.portfolio = a.portfolio AND f.recipient = a.recipient OFFSET 0) s";
        let mut messages: HashMap<Person, BTreeMap<Uuid, Timestamp>> = HashMap::with_capacity(people.len());
        for row in tx.query(sql, &[&portfolios, &recipients]).await? {
            let person = (row.try_get(0)?, row.try_get(1)?);
            messages.entry(person).or_default().insert(row.try_get(2)?, Timestamp::from_millis(row.try_get(3)?));
        }
        Ok(Self {
            rules,
            now,
            portfolios: known,
            people: messages,
            noted: BTreeMap::new(),
            gone: BTreeSet::new(),
            moved: BTreeMap::new(),
        })
    }

    /// The limit of a portfolio; none: it has none.
    pub(super) fn limit(&self, portfolio: &str) -> Option<u64> {
        self.portfolios.get(portfolio)?.limit
    }

    /// Whether there is a place for a job of this priority.
    pub(super) fn has_free(&self, portfolio: &str, priority: Priority) -> bool {
        self.free(portfolio, priority).is_none_or(|free| free > 0)
    }

    /// How many places are free for jobs of this priority; none: there is no limit.
    pub(super) fn free(&self, portfolio: &str, priority: Priority) -> Option<u64> {
        let Portfolio { limit, counted } = self.portfolios.get(portfolio)?;
        Some(self.rules.free((*limit)?, u64::try_from(*counted).unwrap_or(0), priority))
    }

    /// Whether a person has a place already.
    pub(super) fn has_place(&self, person: &Person) -> bool {
        self.latest(person).is_some_and(|latest| self.rules.counts(latest, self.now))
    }

    /// Takes a place for a message that must have been answered by then; false if there is none. Who has one keeps it,
    /// whatever the limit.
    pub(super) fn take(&mut self, person: &Person, key: Uuid, priority: Priority, at: Timestamp) -> bool {
        if !self.has_place(person) && !self.has_free(&person.0, priority) {
            return false;
        }
        self.note(person, key, at);
        true
    }

    /// A message counts from this moment, if that is later than what was known of it.
    pub(super) fn note(&mut self, person: &Person, key: Uuid, at: Timestamp) {
        let before = self.latest(person);
        let known = self.people.entry(person.clone()).or_default().entry(key).or_insert(at);
        *known = at.max(*known);
        self.noted.insert((person.clone(), key), *known);
        self.gone.remove(&(person.clone(), key));
        self.recount(&person.0, before, before.max(Some(at)));
    }

    /// A message that is noted counts from this moment, if that is later.
    pub(super) fn move_up(&mut self, person: &Person, key: Uuid, at: Timestamp) {
        if self.people.get(person).and_then(|messages| messages.get(&key)).is_some_and(|known| *known < at) {
            self.note(person, key, at);
        }
    }

    /// A message did not leave: whoever has none beside it gives their place back.
    pub(super) fn give_back(&mut self, person: &Person, key: Uuid) -> bool {
        let before = self.latest(person);
        if self.people.get_mut(person).and_then(|messages| messages.remove(&key)).is_none() {
            return false;
        }
        self.noted.remove(&(person.clone(), key));
        self.gone.insert((person.clone(), key));
        self.recount(&person.0, before, self.latest(person));
        true
    }

    fn latest(&self, person: &Person) -> Option<Timestamp> {
        self.people.get(person)?.values().max().copied()
    }

    /// Counts a person in the slot of another latest moment. What is over is not counted any more.
    fn recount(&mut self, portfolio: &str, before: Option<Timestamp>, after: Option<Timestamp>) {
        let slot =
            |at: Option<Timestamp>| at.filter(|at| self.rules.counts(*at, self.now)).map(|at| self.rules.slot(at));
        let (from, to) = (slot(before), slot(after));
        if from == to {
            return;
        }
        for (slot, n) in [(from, -1), (to, 1)] {
            let Some(slot) = slot else { continue };
            *self.moved.entry((portfolio.to_owned(), slot)).or_default() += n;
            if let Some(portfolio) = self.portfolios.get_mut(portfolio) {
                portfolio.counted += n;
            }
        }
    }

    /// Writes what changed.
    pub(super) async fn write(mut self, session: &Session) -> Result<(), LedgerError> {
        self.moved.retain(|_, n| *n != 0);
        if !self.gone.is_empty() {
            let (portfolios, recipients, keys) = columns(self.gone.iter());
            let sql = "DELETE FROM seen s USING unnest($1::text[], $2::text[], $3::uuid[])
                    AS a (portfolio, recipient, key)
                WHERE s.portfolio = a.portfolio AND s.recipient = a.recipient AND s.key = a.key";
            session.execute(sql, &[&portfolios, &recipients, &keys]).await?;
        }
        if !self.noted.is_empty() {
            let (portfolios, recipients, keys) = columns(self.noted.keys());
            let times: Vec<i64> = self.noted.values().map(|at| at.as_millis()).collect();
            let sql = "INSERT INTO seen AS s (portfolio, recipient, key, at)
                SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[])
                ON CONFLICT (portfolio, recipient, key) DO UPDATE SET at = greatest(s.at, excluded.at)";
            session.execute(sql, &[&portfolios, &recipients, &keys, &times]).await?;
        }
        self.move_counts(session).await
    }

    async fn move_counts(&self, session: &Session) -> Result<(), LedgerError> {
        let part = |is_part: fn(i64) -> bool| -> (Vec<&str>, Vec<i64>, Vec<i64>) {
            let part = self.moved.iter().filter(|(_, n)| is_part(**n));
            let mut columns = (Vec::new(), Vec::new(), Vec::new());
            for ((portfolio, slot), n) in part {
                columns.0.push(portfolio.as_str());
                columns.1.push(*slot);
                columns.2.push(*n);
            }
            columns
        };
        let (portfolios, slots, counts) = part(|n| n < 0);
        if !slots.is_empty() {
            let sql = "UPDATE bucket b SET n = b.n + a.n
                FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS a (portfolio, slot, n)
                WHERE b.portfolio = a.portfolio AND b.slot = a.slot";
            session.execute(sql, &[&portfolios, &slots, &counts]).await?;
            let sql = "DELETE FROM bucket b USING unnest($1::text[], $2::bigint[]) AS a (portfolio, slot)
                WHERE b.portfolio = a.portfolio AND b.slot = a.slot AND b.n <= 0";
            session.execute(sql, &[&portfolios, &slots]).await?;
        }
        let (portfolios, slots, counts) = part(|n| n > 0);
        if !slots.is_empty() {
            let sql = "INSERT INTO bucket AS b (portfolio, slot, n)
                SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
                ON CONFLICT (portfolio, slot) DO UPDATE SET n = b.n + excluded.n";
            session.execute(sql, &[&portfolios, &slots, &counts]).await?;
        }
        Ok(())
    }
}

/// Messages as columns.
fn columns<'a>(messages: impl Iterator<Item = &'a (Person, Uuid)>) -> (Vec<&'a str>, Vec<&'a str>, Vec<Uuid>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for ((portfolio, recipient), key) in messages {
        columns.0.push(portfolio.as_str());
        columns.1.push(recipient.as_str());
        columns.2.push(*key);
    }
    columns
}

/// When the next places of a portfolio are free again; none: none is taken.
pub(super) async fn next_freed(
    session: &Session,
    rules: &QuotaRules,
    portfolio: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let sql = "SELECT min(slot) FROM bucket WHERE portfolio = $1 AND slot >= $2 AND n > 0";
    let slot: Option<i64> = session.query_one(sql, &[&portfolio, &rules.first_slot(now)]).await?.try_get(0)?;
    Ok(slot.map(|slot| rules.freed_at(slot)))
}

/// Forgets places that are over, at most so many rows of each kind.
pub(in crate::ledger::postgres) async fn trim(
    session: &Session,
    rules: &QuotaRules,
    now: Timestamp,
    limit: u32,
) -> Result<(), LedgerError> {
    let first = rules.first_slot(now);
    let begins = rules.freed_at(first - 1) - rules.window;
    let seen = "DELETE FROM seen WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM seen WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(seen, &[&begins.as_millis(), &i64::from(limit)]).await?;
    let bucket = "DELETE FROM bucket WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM bucket WHERE slot < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(bucket, &[&first, &i64::from(limit)]).await?;
    Ok(())
}
