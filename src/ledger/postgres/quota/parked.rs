//! Rows that wait for places of a portfolio, let out by a claim as places are free: each comes out with its place.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::super::claim::{MOST_ENDED, Pass, Shelf};
use super::super::desk::Tx;
use super::super::hold_cache::Known;
use super::super::holds;
use super::super::words::known_word;
use super::places::{Person, Places, next_freed};
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, Scope};
use crate::job::Priority;
use crate::ledger::{Claimed, LedgerError};

/// The first rows of a lane that wait under one hold. Those that are out of time come along.
const WAITING: &str = "SELECT w.key, w.expires_at, j.recipient
    FROM (SELECT key, expires_at FROM waiting WHERE held = $1 AND held > 0 AND lane = $2
        ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED) w
    CROSS JOIN LATERAL (SELECT f.recipient FROM jobs f WHERE f.key = w.key OFFSET 0) j";

const LET_IN: &str = "UPDATE waiting w SET owner = $2, held = 0 WHERE w.key = ANY ($1::uuid[])
    RETURNING 1::bigint, w.key, w.class, w.due_at, w.seq, w.expires_at, w.body, $3::bigint";

/// Which of these holds have rows in which of these lanes.
const LEFT: &str = "SELECT h.n, r.n FROM unnest($1::bigint[]) WITH ORDINALITY AS h (id, n)
    CROSS JOIN unnest($2::int[]) WITH ORDINALITY AS r (lane, n)
    WHERE EXISTS (SELECT 1 FROM waiting w WHERE w.held = h.id AND w.held > 0 AND w.lane = r.lane)";

/// The priorities of those who wait under one hold in the lanes that anybody may ask for: one step for each lane with
/// rows in it.
const IN_LINE: &str = "WITH RECURSIVE parked (lane) AS (
        (SELECT lane FROM waiting WHERE held = $1 AND held > 0 ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (SELECT w.lane FROM waiting w WHERE w.held = $1 AND w.held > 0 AND w.lane > p.lane
                ORDER BY w.lane LIMIT 1)
        FROM parked p WHERE p.lane IS NOT NULL
    )
    SELECT DISTINCT l.priority FROM parked p JOIN lanes l ON l.id = p.lane
    WHERE l.pinned = '' OR EXISTS (SELECT 1 FROM leases s
        WHERE s.name = 'number:' || l.pinned AND s.owner IS NOT NULL AND s.expires_at > clock_timestamp())";

/// The holds under which rows of the lanes that a claim asks for wait for places.
#[derive(Default)]
pub(in crate::ledger::postgres) struct Queues {
    holds: Vec<(HoldId, String)>,
    /// Of which hold in which lane a row found no place.
    full: HashSet<(usize, usize)>,
}

/// A hold of the list, and a lane of the claim's.
type Stall = (usize, usize);

impl Queues {
    /// Those that there are, their places locked before anything else is.
    pub(in crate::ledger::postgres) async fn open(
        tx: &Tx<'_>,
        known: &Known,
        lanes: &[i32],
    ) -> Result<Self, LedgerError> {
        let all: Vec<&Hold> = known.all.iter().filter(|hold| hold.cover.scope == Scope::Quota).collect();
        if all.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<i64> = all.iter().map(|hold| hold.id.0).collect();
        let asked: BTreeSet<usize> = left(tx, &ids, lanes).await?.into_iter().map(|(hold, _)| hold).collect();
        let holds: Vec<_> = asked.iter().map(|n| (all[*n].id, all[*n].cover.subject.clone())).collect();
        tx.lock_places(&holds.iter().map(|(_, portfolio)| portfolio.clone()).collect()).await?;
        Ok(Self { holds, full: HashSet::new() })
    }

    pub(in crate::ledger::postgres) fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }
}

/// The priorities of those who wait under a hold and may come out.
pub(super) async fn in_line(tx: &Tx<'_>, hold: HoldId) -> Result<Vec<Priority>, LedgerError> {
    let rows = tx.query(IN_LINE, &[&hold.0]).await?;
    rows.iter().filter_map(|row| known_word(row, 0).transpose()).collect()
}

async fn left(tx: &Tx<'_>, holds: &[i64], lanes: &[i32]) -> Result<Vec<Stall>, LedgerError> {
    let place = |n: i64| usize::try_from(n - 1).unwrap_or(0);
    let rows = tx.query(LEFT, &[&holds, &lanes]).await?;
    rows.iter().map(|row| Ok((place(row.try_get(0)?), place(row.try_get(1)?)))).collect()
}

impl Pass<'_> {
    /// Takes rows for which there are places into what room is left; the most urgent lanes have the first places.
    pub(in crate::ledger::postgres) async fn let_in(&mut self) -> Result<(), LedgerError> {
        let mut lanes: Vec<usize> = (0..self.lanes.len()).collect();
        lanes.sort_by_key(|n| (self.lanes[*n].room.priority.index(), *n));
        for lane in lanes {
            for queue in 0..self.queues.holds.len() {
                while self.lanes[lane].room_left() > 0
                    && self.ended < MOST_ENDED
                    && self.let_some_in(queue, lane).await?
                {}
            }
        }
        Ok(())
    }

    /// Takes as many rows of a queue as there is room for; true if others may stand behind them.
    async fn let_some_in(&mut self, queue: usize, lane: usize) -> Result<bool, LedgerError> {
        let (tx, now) = (self.tx, self.ask.now);
        let (hold, portfolio) = self.queues.holds[queue].clone();
        let (id, room) = (self.lanes[lane].id, self.lanes[lane].room_left());
        let rows = tx.query(WAITING, &[&hold.0, &id, &i64::from(room)]).await?;
        let mut waiting = Vec::with_capacity(rows.len());
        for row in &rows {
            let (key, expires_at): (Uuid, i64) = (row.try_get(0)?, row.try_get(1)?);
            let person: Person = (portfolio.clone(), row.try_get(2)?);
            waiting.push((key, expires_at <= now.as_millis(), person));
        }
        if waiting.is_empty() {
            return Ok(false);
        }
        let asked = self.lanes[lane].room;
        let (keys, is_full) = if asked.has_places {
            (waiting.iter().map(|(key, ..)| *key).collect(), false)
        } else {
            take(tx, &waiting, asked.priority, now).await?
        };
        if is_full {
            self.queues.full.insert((queue, lane));
        }
        let rows = tx.query(LET_IN, &[&keys, &self.ask.worker.0, &hold.0]).await?;
        self.keep(&rows, &[lane], |_| Shelf::LetOutFirst).await?;
        Ok(!is_full && waiting.len() == usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Says whether rows that stayed in queues could come out now; where there are no places for them, when there may be.
    pub(in crate::ledger::postgres) async fn note_stalled(&self, claimed: &mut Claimed) -> Result<(), LedgerError> {
        let (tx, now) = (self.tx, self.ask.now);
        let ids: Vec<i64> = self.queues.holds.iter().map(|(hold, _)| hold.0).collect();
        let lanes: Vec<i32> = self.lanes.iter().map(|lane| lane.id).collect();
        for (queue, lane) in left(tx, &ids, &lanes).await? {
            let (portfolio, room) = (&self.queues.holds[queue].1, self.lanes[lane].room);
            let is_asked = room.timed + room.fresh > 0;
            let is_full = self.queues.full.contains(&(queue, lane));
            let may_come = room.has_places || !is_full && has_free(tx, portfolio, room.priority, now).await?;
            if is_asked && may_come {
                claimed.more[self.lanes[lane].place] = true;
                continue;
            }
            let freed = next_freed(tx, &tx.desk.quota, portfolio, now).await?;
            claimed.let_out_at = [claimed.let_out_at, freed].into_iter().flatten().min();
        }
        Ok(())
    }
}

/// Takes places for rows in their order, up to the first that gets none: those that come out, and whether one got none.
/// What is out of time needs none.
async fn take(
    tx: &Tx<'_>,
    waiting: &[(Uuid, bool, Person)],
    priority: Priority,
    now: Timestamp,
) -> Result<(Vec<Uuid>, bool), LedgerError> {
    let people: BTreeSet<Person> = waiting.iter().map(|(.., person)| person.clone()).collect();
    let mut places = Places::read(tx, &people, now).await?;
    let mut keys = Vec::with_capacity(waiting.len());
    let mut is_full = false;
    for (key, is_late, person) in waiting {
        let needs_none = *is_late || places.limit(&person.0).is_none();
        if !needs_none && !places.take(person, *key, priority, now) {
            is_full = true;
            break;
        }
        keys.push(*key);
    }
    places.write(tx).await?;
    Ok((keys, is_full))
}

async fn has_free(tx: &Tx<'_>, portfolio: &str, priority: Priority, now: Timestamp) -> Result<bool, LedgerError> {
    Ok(read(tx, portfolio, now).await?.has_free(portfolio, priority))
}

/// How a portfolio stands, with nobody of its people.
async fn read(tx: &Tx<'_>, portfolio: &str, now: Timestamp) -> Result<Places, LedgerError> {
    Places::read(tx, &BTreeSet::from([(portfolio.to_owned(), String::new())]), now).await
}

/// Lifts holds of which there are places for everybody, also for those who wait and have not come for theirs: there may
/// be nobody to send them. Says how many.
pub(in crate::ledger::postgres) async fn lift_spare(tx: &Tx<'_>, now: Timestamp) -> Result<u32, LedgerError> {
    let known = tx.desk.holds.known(tx).await?;
    let mut lifted = 0;
    for hold in known.all.iter().filter(|hold| hold.cover.scope == Scope::Quota) {
        if has_place_for_all(tx, hold, now).await? {
            lifted += u32::from(holds::lift(tx, hold.id).await?);
        }
    }
    Ok(lifted)
}

/// Whether a place is left over once all that wait have theirs.
async fn has_place_for_all(tx: &Tx<'_>, hold: &Hold, now: Timestamp) -> Result<bool, LedgerError> {
    let Some(free) = read(tx, &hold.cover.subject, now).await?.free(&hold.cover.subject, Priority::Bulk) else {
        return Ok(true);
    };
    let free = i64::try_from(free).unwrap_or(i64::MAX);
    let sql = "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE held = $1 AND held > 0 LIMIT $2) w";
    let waiting: i64 = tx.query_one(sql, &[&hold.id.0, &free]).await?.try_get(0)?;
    Ok(waiting < free)
}
