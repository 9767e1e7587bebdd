//! Waiting rows into the worker's hands, and back.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{OptionalExtension, Row, Rows, params};

use super::change::{Place, Wait};
use super::desk::Desk;
use super::enqueue::{Begins, body};
use super::quota::Queue;
use crate::clock::Timestamp;
use crate::hold::HoldId;
use crate::job::JobKey;
use crate::ledger::end::End;
use crate::ledger::{Claimed, ClaimedRow, Deferral, LaneRoom, LedgerError, Parking, Routed};
use crate::outcome::{Reason, State};

const TIMED: &str = "SELECT w.seq, w.expires_at, w.due_at, b.key, b.body, w.held
    FROM waiting w CROSS JOIN bodies b ON b.seq = w.seq
    WHERE w.lane = ?1 AND w.class = 0 AND w.due_at <= ?2 AND w.owned = 0 AND w.held = 0
    ORDER BY w.due_at, w.seq LIMIT ?3";
const FRESH: &str = "SELECT w.seq, w.expires_at, NULL, b.key, b.body, w.held
    FROM waiting w CROSS JOIN bodies b ON b.seq = w.seq
    WHERE w.lane = ?1 AND w.class = 1 AND w.owned = 0 AND w.held = 0
    ORDER BY w.due_at, w.seq LIMIT ?2";
const PARKED: &str = "SELECT w.seq, w.expires_at, iif(w.class = 0, w.due_at, NULL), b.key, b.body, w.held
    FROM waiting w CROSS JOIN bodies b ON b.seq = w.seq
    WHERE w.held = ?1 AND w.held > 0 AND w.lane = ?2
    ORDER BY w.due_at, w.seq LIMIT ?3";
/// Lane by lane: the rows of a hold that was lifted early may all be in lanes that nobody asks for.
const LET_OUT: &str = "SELECT w.seq, w.expires_at, iif(w.class = 0, w.due_at, NULL), b.key, b.body, w.held
    FROM holds h CROSS JOIN waiting w ON w.held = h.id AND w.held > 0 AND w.lane = ?1
    CROSS JOIN bodies b ON b.seq = w.seq
    WHERE h.lifted = 1
    ORDER BY h.id, w.due_at, w.seq LIMIT ?2";

/// A claim ends so many jobs that ran out of time at most, so that it never delays an admission for long.
const MOST_ENDED: u32 = 400;

/// Where rows are taken from.
#[derive(Clone, Copy)]
pub(super) enum Shelf {
    Timed,
    Fresh,
    /// Under this hold.
    Parked(HoldId),
    /// In this queue of the claim's for places.
    Queue(usize),
    /// Under any hold that is lifted.
    LetOut,
}

/// A lane of the file, with what a worker has room for.
pub(super) struct Lane<'a> {
    pub(super) id: i64,
    pub(super) room: &'a LaneRoom,
}

pub(super) struct Found {
    pub(super) seq: i64,
    expires_at: Timestamp,
    due_at: Option<Timestamp>,
    pub(super) key: JobKey,
    body: String,
    /// The hold that it is parked under.
    held: Option<HoldId>,
}

/// One claim while it is made.
pub(super) struct Pass<'a> {
    pub(super) desk: &'a Desk,
    pub(super) now: Timestamp,
    /// Whether any hold is lifted, with rows parked under it.
    has_lifted: bool,
    /// Lifted holds that rows were let out of.
    opened: BTreeSet<HoldId>,
    /// Holds whose time is over, and which one row shall try.
    trials: Vec<HoldId>,
    /// Rows that wait for places of a messaging limit.
    pub(super) queues: Vec<Queue>,
    /// Jobs that ran out of time and ended.
    ended: u32,
    pub(super) claimed: Claimed,
}

impl<'a> Pass<'a> {
    /// Lifts the holds that have run out, and sees which others let rows out.
    fn begin(desk: &'a Desk, now: Timestamp) -> Result<Self, LedgerError> {
        desk.lift_run_out(now)?;
        let (trials, queues) = (desk.holds_to_try(now)?, desk.queues()?);
        let known = desk.holds.known(&desk.conn)?;
        let let_out_at = known.all.iter().filter_map(|hold| hold.until).filter(|until| *until > now).min();
        let has_lifted = known.has_lifted;
        let (opened, claimed) = (BTreeSet::new(), Claimed { let_out_at, ..Claimed::default() });
        Ok(Self { desk, now, has_lifted, opened, trials, queues, ended: 0, claimed })
    }

    /// Fills the room of one lane, and says whether it has more.
    fn fill(&mut self, lane: &Lane<'_>, at: usize) -> Result<bool, LedgerError> {
        let (mut timed, mut fresh) = (lane.room.timed, lane.room.fresh);
        self.ask_queues_anew();
        for hold in std::mem::take(&mut self.trials) {
            if self.take(lane, Shelf::Parked(hold), (timed + fresh).min(1))? == 0 {
                self.trials.push(hold);
                continue;
            }
            self.desk.holds.note_trial(hold, self.now);
            if timed > 0 { timed -= 1 } else { fresh -= 1 }
        }
        timed -= self.take(lane, Shelf::Timed, timed)?;
        // Only room that was asked for can be full: a worker whose hands are full must not be called again for it.
        let may_be_timed = lane.room.timed > 0 && (timed == 0 || self.ended >= MOST_ENDED);
        timed -= self.let_out(lane, timed)?;
        timed -= self.let_in(lane, timed)?;
        fresh -= self.take(lane, Shelf::Fresh, fresh)?;
        let may_be_fresh = lane.room.fresh > 0 && (fresh == 0 || self.ended >= MOST_ENDED);
        fresh -= self.let_out(lane, fresh)?;
        fresh -= self.let_in(lane, fresh)?;
        self.claimed.dues[at] = self.next_due(lane.id)?;
        let has_timed = may_be_timed && self.has_timed(lane.id)?;
        if has_timed && timed > 0 {
            // The worker takes room that was not filled for a sign that no row is due.
            self.claimed.dues[at] = Some(self.now);
        }
        let may_be_let_out = timed + fresh == 0 || self.ended >= MOST_ENDED;
        let may_be_let_in = self.may_let_in(lane, !may_be_let_out)?;
        Ok(has_timed
            || may_be_let_in
            || may_be_fresh && self.has_fresh(lane.id)?
            || may_be_let_out && self.has_let_out(lane.id)?)
    }

    /// Takes at most `limit` rows from under lifted holds, and says how many.
    fn let_out(&mut self, lane: &Lane<'_>, limit: u32) -> Result<u32, LedgerError> {
        if self.has_lifted { self.take(lane, Shelf::LetOut, limit) } else { Ok(0) }
    }

    /// Takes at most `limit` rows off a shelf, and says how many; rows that ran out of time end instead.
    pub(super) fn take(&mut self, lane: &Lane<'_>, shelf: Shelf, limit: u32) -> Result<u32, LedgerError> {
        let mut taken = 0;
        while taken < limit {
            let ended = self.ended;
            taken += self.take_once(lane, shelf, limit - taken)?;
            // Where rows ended instead, others stand behind them.
            if self.ended == ended || self.ended >= MOST_ENDED {
                break;
            }
        }
        Ok(taken)
    }

    fn take_once(&mut self, lane: &Lane<'_>, shelf: Shelf, limit: u32) -> Result<u32, LedgerError> {
        let desk = self.desk;
        let mut own = desk.conn.prepare_cached("UPDATE waiting SET owned = 1, held = 0 WHERE seq = ?1")?;
        let mut taken = 0;
        for found in self.find_on(shelf, lane.id, limit)? {
            if let (Shelf::LetOut, Some(hold)) = (shelf, found.held) {
                self.opened.insert(hold);
            }
            if found.expires_at <= self.now {
                if !desk.expire(found.seq, self.now)? {
                    // Out of the way until the next start, or the same row would be found for ever.
                    own.execute([found.seq])?;
                }
                self.ended += 1;
                continue;
            }
            if let Shelf::Queue(queue) = shelf
                && !self.takes_place(queue, lane, &found)?
            {
                break;
            }
            own.execute([found.seq])?;
            taken += 1;
            self.claimed.rows.push(ClaimedRow {
                key: found.key,
                body: found.body,
                route: lane.room.route.clone(),
                priority: lane.room.priority,
                due_at: found.due_at,
                released: found.held,
            });
        }
        Ok(taken)
    }

    /// Read whole before anything is changed: the rows leave the index that is being read.
    fn find_on(&self, shelf: Shelf, lane: i64, limit: u32) -> Result<Vec<Found>, LedgerError> {
        let conn = &self.desk.conn;
        match shelf {
            Shelf::Timed => collect(conn.prepare_cached(TIMED)?.query(params![lane, self.now.as_millis(), limit])?),
            Shelf::Fresh => collect(conn.prepare_cached(FRESH)?.query(params![lane, limit])?),
            Shelf::Parked(hold) => collect(conn.prepare_cached(PARKED)?.query(params![hold.0, lane, limit])?),
            Shelf::Queue(queue) => {
                let hold = self.queues[queue].hold;
                collect(conn.prepare_cached(PARKED)?.query(params![hold.0, lane, limit])?)
            }
            Shelf::LetOut => collect(conn.prepare_cached(LET_OUT)?.query(params![lane, limit])?),
        }
    }

    fn has_timed(&self, lane: i64) -> Result<bool, LedgerError> {
        let sql = "SELECT 1 FROM waiting
            WHERE lane = ?1 AND class = 0 AND due_at <= ?2 AND owned = 0 AND held = 0 LIMIT 1";
        Ok(self.desk.conn.prepare_cached(sql)?.exists([lane, self.now.as_millis()])?)
    }

    fn has_fresh(&self, lane: i64) -> Result<bool, LedgerError> {
        let sql = "SELECT 1 FROM waiting WHERE lane = ?1 AND class = 1 AND owned = 0 AND held = 0 LIMIT 1";
        Ok(self.desk.conn.prepare_cached(sql)?.exists([lane])?)
    }

    fn has_let_out(&self, lane: i64) -> Result<bool, LedgerError> {
        let sql = "SELECT 1 FROM holds h CROSS JOIN waiting w ON w.held = h.id AND w.held > 0 AND w.lane = ?1
            WHERE h.lifted = 1 LIMIT 1";
        Ok(self.has_lifted && self.desk.conn.prepare_cached(sql)?.exists([lane])?)
    }

    fn next_due(&self, lane: i64) -> Result<Option<Timestamp>, LedgerError> {
        let due: Option<i64> = self
            .desk
            .conn
            .prepare_cached(
                "SELECT due_at FROM waiting
                 WHERE lane = ?1 AND class = 0 AND due_at > ?2 AND owned = 0 AND held = 0 ORDER BY due_at LIMIT 1",
            )?
            .query_row([lane, self.now.as_millis()], |row| row.get(0))
            .optional()?;
        Ok(due.map(Timestamp::from_millis))
    }
}

impl Desk {
    pub(super) fn claim(&self, rooms: &[LaneRoom], now: Timestamp) -> Result<Claimed, LedgerError> {
        let mut pass = Pass::begin(self, now)?;
        let mut in_order: Vec<usize> = (0..rooms.len()).collect();
        if !pass.queues.is_empty() {
            // The most urgent have the first places, in whatever order lanes are asked.
            in_order.sort_by_key(|at| rooms[*at].priority.index());
        }
        pass.claimed.more = vec![false; rooms.len()];
        pass.claimed.dues = vec![None; rooms.len()];
        for at in in_order {
            let room = &rooms[at];
            // A lane that the file does not know has no rows.
            pass.claimed.more[at] = match self.lanes.find(&self.conn, &room.route, room.priority)? {
                Some(id) => pass.fill(&Lane { id, room }, at)?,
                None => false,
            };
        }
        for hold in &pass.opened {
            self.drop_if_empty(*hold)?;
        }
        Ok(pass.claimed)
    }

    /// Ends a job that ran out of time; false if its row cannot be read.
    pub(super) fn expire(&self, seq: i64, now: Timestamp) -> Result<bool, LedgerError> {
        let Some(job) = self.find_readable(seq)? else { return Ok(false) };
        self.end(&job, &End::ours(State::Expired, Reason::TooLate, now))?;
        Ok(true)
    }

    pub(super) fn give_back(&self, keys: &[JobKey]) -> Result<(), LedgerError> {
        for key in keys {
            if let Some(job) = self.find(*key)?.filter(|job| is_in_line(job.state)) {
                self.put_back(job.seq)?;
            }
        }
        Ok(())
    }

    /// Frees every row in hand that is not among these.
    pub(super) fn keep_only(&self, in_hand: &[JobKey]) -> Result<(), LedgerError> {
        let kept: HashSet<&[u8; 16]> = in_hand.iter().map(JobKey::as_bytes).collect();
        let mut find = self.conn.prepare_cached(
            "SELECT w.seq, j.key FROM waiting w JOIN jobs j ON j.seq = w.seq
             WHERE w.owned = 1 AND j.state IN ('queued', 'waiting')",
        )?;
        let rows = find.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 16]>(1)?)))?;
        for (seq, key) in rows.collect::<Result<Vec<_>, _>>()? {
            if !kept.contains(&key) {
                self.put_back(seq)?;
            }
        }
        Ok(())
    }

    /// Ends delivered jobs that were given up elsewhere as too old.
    pub(super) fn expire_delivered(&self, jobs: &[Routed], now: Timestamp) -> Result<(), LedgerError> {
        for routed in jobs {
            if let Some(seq) = self.insert(routed, &body(&routed.job), now, Begins::InHand)? {
                self.expire(seq, now)?;
            }
        }
        Ok(())
    }

    pub(super) fn park(&self, jobs: &[Parking], now: Timestamp) -> Result<(), LedgerError> {
        for Parking { key, hold, delivered } in jobs {
            if let Some(routed) = delivered
                && self.insert(routed, &body(&routed.job), now, Begins::InHand)?.is_none()
            {
                continue;
            }
            let Some(job) = self.find(*key)?.filter(|job| is_in_line(job.state)) else { continue };
            let Some(hold) = self.standing_hold(*hold)? else {
                self.put_back(job.seq)?;
                continue;
            };
            let (charged, lost) = (job.charged, job.lost);
            let place = Place::Under(&hold);
            self.wait(&job, &Wait { place, reason: hold.reason, code: None, at: now, charged, lost })?;
        }
        Ok(())
    }

    pub(super) fn defer(&self, jobs: &[Deferral], now: Timestamp) -> Result<(), LedgerError> {
        for Deferral { key, due, reason, delivered } in jobs {
            if let Some(routed) = delivered
                && self.insert(routed, &body(&routed.job), now, Begins::InHand)?.is_none()
            {
                continue;
            }
            let Some(job) = self.find(*key)?.filter(|job| is_in_line(job.state)) else { continue };
            let (charged, lost) = (job.charged, job.lost);
            let place = Place::Due(*due);
            self.wait(&job, &Wait { place, reason: *reason, code: None, at: now, charged, lost })?;
        }
        Ok(())
    }
}

/// Whether a job in this state may be moved about: no attempt has it.
pub(super) const fn is_in_line(state: State) -> bool {
    matches!(state, State::Queued | State::Waiting)
}

fn collect(mut rows: Rows<'_>) -> Result<Vec<Found>, LedgerError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Found, LedgerError> {
    Ok(Found {
        seq: row.get(0)?,
        expires_at: Timestamp::from_millis(row.get(1)?),
        due_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        key: JobKey::from_bytes(row.get(3)?),
        body: row.get(4)?,
        held: Some(HoldId(row.get(5)?)).filter(|hold| hold.0 > 0),
    })
}
