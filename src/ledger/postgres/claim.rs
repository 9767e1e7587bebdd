//! Waiting rows into a worker's hands.

use std::collections::BTreeSet;

use tokio_postgres::Row;
use uuid::Uuid;

use super::change;
use super::desk::Tx;
use super::hold_cache::Known;
use super::holds;
use super::quota::Queues;
use super::standing::find;
use super::words::time;
use crate::clock::Timestamp;
use crate::hold::HoldId;
use crate::job::JobKey;
use crate::ledger::end::End;
use crate::ledger::{Claimed, ClaimedRow, LaneRoom, LedgerError, WorkerId};
use crate::outcome::{Reason, State};

/// Rows that are due, and fresh ones, each as far as its lane has room.
const FREE: &str = "WITH rooms AS MATERIALIZED (
        SELECT * FROM unnest($1::int[], $2::int[], $3::int[]) WITH ORDINALITY AS r (lane, timed, fresh, n)
    ), picked AS MATERIALIZED (
        SELECT r.n, p.place FROM rooms r CROSS JOIN LATERAL (
            SELECT place FROM (
                SELECT w.ctid AS place FROM waiting w
                WHERE w.lane = r.lane AND w.class = 0 AND w.due_at <= $4 AND w.owner IS NULL AND w.held = 0
                ORDER BY w.due_at, w.seq LIMIT r.timed FOR UPDATE SKIP LOCKED) timed
            UNION ALL
            SELECT place FROM (
                SELECT w.ctid AS place FROM waiting w
                WHERE w.lane = r.lane AND w.class = 1 AND w.owner IS NULL AND w.held = 0
                ORDER BY w.due_at, w.seq LIMIT r.fresh FOR UPDATE SKIP LOCKED) fresh) p
    )
    UPDATE waiting w SET owner = $5 FROM picked p
    WHERE w.ctid = p.place
    RETURNING p.n, w.key, w.class, w.due_at, w.seq, w.expires_at, w.body, 0::bigint";

/// Rows under holds that are lifted, lane by lane: those of one hold may all be in lanes that nobody asks for.
const LET_OUT: &str = "WITH rooms AS MATERIALIZED (
        SELECT * FROM unnest($1::int[], $2::int[]) WITH ORDINALITY AS r (lane, room, n)
    ), picked AS MATERIALIZED (
        SELECT r.n, p.place, p.held FROM rooms r CROSS JOIN LATERAL (
            SELECT q.place, h.id AS held FROM (SELECT id FROM holds WHERE lifted ORDER BY id) h CROSS JOIN LATERAL (
                SELECT w.ctid AS place FROM waiting w WHERE w.held = h.id AND w.held > 0 AND w.lane = r.lane
                ORDER BY w.due_at, w.seq LIMIT r.room FOR UPDATE SKIP LOCKED) q
            LIMIT r.room) p
    )
    UPDATE waiting w SET owner = $3, held = 0 FROM picked p
    WHERE w.ctid = p.place
    RETURNING p.n, w.key, w.class, w.due_at, w.seq, w.expires_at, w.body, p.held";

/// The first row under one hold in any of these lanes.
const TRIAL: &str = "WITH rooms AS MATERIALIZED (SELECT * FROM unnest($1::int[]) WITH ORDINALITY AS r (lane, n)),
    picked AS MATERIALIZED (
        SELECT r.n, p.place FROM rooms r CROSS JOIN LATERAL (
            SELECT w.ctid AS place FROM waiting w WHERE w.held = $2 AND w.held > 0 AND w.lane = r.lane
            ORDER BY w.due_at, w.seq LIMIT 1 FOR UPDATE SKIP LOCKED) p
        LIMIT 1
    )
    UPDATE waiting w SET owner = $3, held = 0 FROM picked p
    WHERE w.ctid = p.place
    RETURNING p.n, w.key, w.class, w.due_at, w.seq, w.expires_at, w.body, $2";

/// What each lane has left.
const LEFT: &str = "SELECT
        EXISTS (SELECT 1 FROM waiting w WHERE w.lane = r.lane AND w.class = 0 AND w.due_at <= $2
                AND w.owner IS NULL AND w.held = 0),
        EXISTS (SELECT 1 FROM waiting w WHERE w.lane = r.lane AND w.class = 1 AND w.owner IS NULL AND w.held = 0),
        $3 AND EXISTS (SELECT 1 FROM holds h JOIN waiting w ON w.held = h.id AND w.held > 0 AND w.lane = r.lane
                WHERE h.lifted),
        (SELECT w.due_at FROM waiting w WHERE w.lane = r.lane AND w.class = 0 AND w.due_at > $2
         AND w.owner IS NULL AND w.held = 0 ORDER BY w.due_at LIMIT 1)
    FROM unnest($1::int[]) WITH ORDINALITY AS r (lane, n) ORDER BY r.n";

/// One row at a time tries a hold; a trial of which nothing has come in this time is given to another row.
const MAY_TRY: &str = "INSERT INTO trials AS t (hold, until, given_at) VALUES ($1, $2, $3)
    ON CONFLICT (hold) DO UPDATE SET until = excluded.until, given_at = excluded.given_at
    WHERE t.until IS DISTINCT FROM excluded.until OR t.given_at + 15000 <= excluded.given_at";

/// A claim ends so many jobs that ran out of time at most, so that it never keeps its locks for long.
pub(super) const MOST_ENDED: usize = 400;

/// What a worker asks for.
pub(super) struct Ask {
    pub(super) worker: WorkerId,
    pub(super) rooms: Vec<LaneRoom>,
    pub(super) now: Timestamp,
}

/// A lane of the database, with the room that is left in it.
pub(super) struct Lane<'a> {
    pub(super) id: i32,
    pub(super) room: &'a LaneRoom,
    pub(super) place: usize,
    timed: u32,
    fresh: u32,
    /// Whether room for timed rows, or for fresh ones, was filled.
    is_full: [bool; 2],
}

/// In which order rows of one lane come out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shelf {
    Trial,
    Timed,
    /// From under a lifted hold, or with a place it waited for, into room for timed rows.
    LetOutFirst,
    Fresh,
    LetOutLast,
}

/// A row with its place among the others.
pub(super) struct Taken {
    order: (usize, Shelf, i64, i64, i64),
    row: ClaimedRow,
}

/// One claim while it is made.
pub(super) struct Pass<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) ask: &'a Ask,
    pub(super) lanes: Vec<Lane<'a>>,
    /// Rows that wait for places of a messaging limit.
    pub(super) queues: Queues,
    taken: Vec<Taken>,
    /// Jobs that ran out of time and ended.
    pub(super) ended: usize,
    /// Lifted holds that rows were let out of.
    opened: BTreeSet<HoldId>,
}

pub(super) async fn claim(tx: &Tx<'_>, ask: &Ask) -> Result<Claimed, LedgerError> {
    let known = tx.desk.holds.known(tx).await?;
    let mut lanes = Vec::with_capacity(ask.rooms.len());
    for (place, room) in ask.rooms.iter().enumerate() {
        // A lane that the database does not know has no rows.
        if let Some(id) = tx.desk.lanes.find(tx, &room.route, room.priority).await? {
            lanes.push(Lane { id, room, place, timed: room.timed, fresh: room.fresh, is_full: [false; 2] });
        }
    }
    let ids: Vec<i32> = lanes.iter().map(|lane| lane.id).collect();
    let queues = Queues::open(tx, &known, &ids).await?;
    let mut pass = Pass { tx, ask, lanes, queues, taken: Vec::new(), ended: 0, opened: BTreeSet::new() };
    for hold in known.all.iter().filter(|hold| hold.probe && hold.until.is_some_and(|until| until <= ask.now)) {
        pass.give_trial(hold.id, hold.until).await?;
    }
    pass.take_free().await?;
    for lane in &mut pass.lanes {
        lane.is_full = [lane.room.timed > 0 && lane.timed == 0, lane.room.fresh > 0 && lane.fresh == 0];
    }
    if known.has_lifted {
        pass.let_out().await?;
    }
    pass.let_in().await?;
    for hold in &pass.opened {
        holds::drop_if_empty(tx, *hold).await?;
    }
    let let_out_at = known.all.iter().filter_map(|hold| hold.until).filter(|until| *until > ask.now).min();
    pass.finish(let_out_at, known.has_lifted).await
}

impl Pass<'_> {
    /// Lets one row out to try a hold whose time is over, if none was given out for it lately.
    async fn give_trial(&mut self, hold: HoldId, until: Option<Timestamp>) -> Result<(), LedgerError> {
        let has_room = |lane: &&Lane<'_>| lane.timed + lane.fresh > 0;
        let lanes: Vec<i32> = self.lanes.iter().filter(has_room).map(|lane| lane.id).collect();
        let places: Vec<usize> = (0..self.lanes.len()).filter(|n| has_room(&&self.lanes[*n])).collect();
        let has_rows = "SELECT EXISTS (SELECT 1 FROM waiting WHERE held = $1 AND held > 0 AND lane = ANY ($2))";
        if lanes.is_empty() || !self.tx.query_one(has_rows, &[&hold.0, &lanes]).await?.try_get::<_, bool>(0)? {
            return Ok(());
        }
        let (until, now) = (until.map(Timestamp::as_millis), self.ask.now.as_millis());
        if self.tx.execute(MAY_TRY, &[&hold.0, &until, &now]).await? == 0 {
            return Ok(());
        }
        while self.ended < MOST_ENDED {
            let rows = self.tx.query(TRIAL, &[&lanes, &hold.0, &self.ask.worker.0]).await?;
            if rows.is_empty() {
                break;
            }
            if self.keep(&rows, &places, |_| Shelf::Trial).await? > 0 {
                return Ok(());
            }
        }
        // Nobody tries it after all.
        self.tx.execute("DELETE FROM trials WHERE hold = $1", &[&hold.0]).await?;
        Ok(())
    }

    /// Takes rows that are due, and fresh ones, as far as there is room; again where some had run out of time.
    async fn take_free(&mut self) -> Result<(), LedgerError> {
        loop {
            let places: Vec<usize> =
                (0..self.lanes.len()).filter(|n| self.lanes[*n].timed + self.lanes[*n].fresh > 0).collect();
            if places.is_empty() {
                return Ok(());
            }
            let of = |what: fn(&Lane<'_>) -> u32| -> Vec<i32> {
                places.iter().map(|n| change::int(what(&self.lanes[*n]))).collect()
            };
            let ids: Vec<i32> = places.iter().map(|n| self.lanes[*n].id).collect();
            let (timed, fresh, now) = (of(|lane| lane.timed), of(|lane| lane.fresh), self.ask.now.as_millis());
            let rows = self.tx.query(FREE, &[&ids, &timed, &fresh, &now, &self.ask.worker.0]).await?;
            let shelf = |class| if class == 0 { Shelf::Timed } else { Shelf::Fresh };
            let kept = self.keep(&rows, &places, shelf).await?;
            // Where rows ended instead, others stand behind them.
            if kept == rows.len() || self.ended >= MOST_ENDED {
                return Ok(());
            }
        }
    }

    /// Takes rows from under lifted holds into what room is left.
    async fn let_out(&mut self) -> Result<(), LedgerError> {
        loop {
            let places: Vec<usize> =
                (0..self.lanes.len()).filter(|n| self.lanes[*n].timed + self.lanes[*n].fresh > 0).collect();
            if places.is_empty() {
                return Ok(());
            }
            let ids: Vec<i32> = places.iter().map(|n| self.lanes[*n].id).collect();
            let rooms: Vec<i32> =
                places.iter().map(|n| change::int(self.lanes[*n].timed + self.lanes[*n].fresh)).collect();
            let rows = self.tx.query(LET_OUT, &[&ids, &rooms, &self.ask.worker.0]).await?;
            for row in &rows {
                self.opened.insert(HoldId(row.try_get(7)?));
            }
            let kept = self.keep(&rows, &places, |_| Shelf::LetOutFirst).await?;
            if kept == rows.len() || self.ended >= MOST_ENDED {
                return Ok(());
            }
        }
    }

    /// Notes the rows that are in hand now, and says how many; those that ran out of time end instead.
    pub(super) async fn keep(
        &mut self,
        rows: &[Row],
        places: &[usize],
        shelf: impl Fn(i16) -> Shelf,
    ) -> Result<usize, LedgerError> {
        let mut late = Vec::new();
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let key = JobKey::from_bytes(row.try_get::<_, Uuid>(1)?.into_bytes());
            if row.try_get::<_, i64>(5)? <= self.ask.now.as_millis() {
                late.push(key);
                continue;
            }
            let n = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(0);
            let order: (i64, i64, i64) = (row.try_get(7)?, row.try_get(3)?, row.try_get(4)?);
            found.push((places[n], order, key, row));
        }
        // Room is filled in the order in which rows come out.
        found.sort_unstable_by_key(|(lane, order, ..)| (*lane, *order));
        let kept = found.len();
        for (n, (held, due, seq), key, row) in found {
            let class: i16 = row.try_get(2)?;
            let lane = &mut self.lanes[n];
            let shelf = lane.fill(shelf(class));
            let due_at = if class == 0 { time(row, 3)? } else { None };
            self.taken.push(Taken {
                order: (lane.place, shelf, held, due, seq),
                row: ClaimedRow {
                    key,
                    body: row.try_get(6)?,
                    route: lane.room.route.clone(),
                    priority: lane.room.priority,
                    due_at,
                    released: Some(HoldId(held)).filter(|hold| hold.0 > 0),
                },
            });
        }
        self.expire(&late).await?;
        Ok(kept)
    }

    /// Ends jobs that ran out of time. A row that cannot be read stays in the worker's hands: out of the way.
    async fn expire(&mut self, late: &[JobKey]) -> Result<(), LedgerError> {
        if late.is_empty() {
            return Ok(());
        }
        let found = find(self.tx, late).await?;
        let end = |job| (job, End::ours(State::Expired, Reason::TooLate, self.ask.now));
        change::end(self.tx, &found.iter().map(end).collect::<Vec<_>>()).await?;
        self.ended += late.len();
        Ok(())
    }

    /// Puts the answer together, with what each lane has left.
    async fn finish(self, let_out_at: Option<Timestamp>, has_lifted: bool) -> Result<Claimed, LedgerError> {
        let asked = self.ask.rooms.len();
        let mut claimed = Claimed { rows: Vec::new(), more: vec![false; asked], dues: vec![None; asked], let_out_at };
        if !self.queues.is_empty() {
            self.note_stalled(&mut claimed).await?;
        }
        let Self { tx, ask, lanes, mut taken, ended, .. } = self;
        let ids: Vec<i32> = lanes.iter().map(|lane| lane.id).collect();
        let left = tx.query(LEFT, &[&ids, &ask.now.as_millis(), &has_lifted]).await?;
        for (lane, row) in lanes.iter().zip(&left) {
            let was_cut = ended >= MOST_ENDED;
            let has = |column| row.try_get::<_, bool>(column);
            // Only room that was asked for can be full: a worker whose hands are full must not be called again for it.
            let timed = lane.room.timed > 0 && (lane.is_full[0] || was_cut) && has(0)?;
            let fresh = lane.room.fresh > 0 && (lane.is_full[1] || was_cut) && has(1)?;
            let let_out = (lane.timed + lane.fresh == 0 || was_cut) && has(2)?;
            claimed.more[lane.place] |= timed || fresh || let_out;
            let due = match time(row, 3)? {
                // The worker takes room that was not filled for a sign that no row is due.
                _ if timed && lane.timed > 0 => Some(ask.now),
                due => due,
            };
            claimed.dues[lane.place] = due;
        }
        taken.sort_unstable_by_key(|taken| taken.order);
        claimed.rows = taken.into_iter().map(|taken| taken.row).collect();
        Ok(claimed)
    }
}

impl Lane<'_> {
    /// How many rows it may still take.
    pub(super) const fn room_left(&self) -> u32 {
        self.timed + self.fresh
    }

    /// Takes the row's place, and says on which shelf it counts.
    fn fill(&mut self, shelf: Shelf) -> Shelf {
        match shelf {
            Shelf::Fresh => self.fresh = self.fresh.saturating_sub(1),
            Shelf::Trial | Shelf::Timed | Shelf::LetOutFirst | Shelf::LetOutLast if self.timed > 0 => self.timed -= 1,
            Shelf::Trial | Shelf::Timed => self.fresh = self.fresh.saturating_sub(1),
            Shelf::LetOutFirst | Shelf::LetOutLast => {
                self.fresh = self.fresh.saturating_sub(1);
                return Shelf::LetOutLast;
            }
        }
        shelf
    }
}

/// Lifts those of the holds that everyone must pass whose time is over and which need no trial.
pub(super) async fn lift_run_out(tx: &Tx<'_>, now: Timestamp) -> Result<(), LedgerError> {
    let known = tx.desk.holds.known(tx).await?;
    let is_over = |hold: &&crate::hold::Hold| !hold.probe && hold.until.is_some_and(|until| until <= now);
    for hold in known.all.iter().filter(is_over) {
        holds::lift(tx, hold.id).await?;
    }
    Ok(())
}

/// Whether there are such holds, as far as is remembered: the lifting itself looks again.
pub(super) fn has_run_out(known: &Known, now: Timestamp) -> bool {
    known.all.iter().any(|hold| !hold.probe && hold.until.is_some_and(|until| until <= now))
}
