//! Jobs that find no place: parked under their portfolio's hold, and let out as places are free.

use super::super::change::{Place, Wait};
use super::super::claim::{Found, Lane, Pass, Shelf};
use super::super::desk::{Desk, Standing, known_word};
use super::places::Letter;
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, Hold, HoldId, HoldOrder, Scope};
use crate::job::Priority;
use crate::ledger::quota::{Line, has_waited};
use crate::ledger::{AdmitRequest, Admitted, LedgerError, needs_place};
use crate::outcome::Reason;

/// The priorities of those who wait under one hold in the lanes that anybody may ask for: one step for each lane with
/// rows in it.
const IN_LINE: &str = "WITH RECURSIVE parked (lane) AS (
        SELECT * FROM (SELECT lane FROM waiting WHERE held = ?1 AND held > 0 ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (SELECT w.lane FROM waiting w WHERE w.held = ?1 AND w.held > 0 AND w.lane > p.lane
                ORDER BY w.lane LIMIT 1)
        FROM parked p WHERE p.lane IS NOT NULL
    )
    SELECT DISTINCT l.priority FROM parked p CROSS JOIN lanes l ON l.id = p.lane
    WHERE l.pinned = '' OR EXISTS (SELECT 1 FROM leases s
        WHERE s.name = 'number:' || l.pinned AND s.owner IS NOT NULL AND s.expires_at > ?2)";

/// Rows that wait for places of one portfolio, while a claim is made.
pub(in crate::ledger::sqlite) struct Queue {
    pub(in crate::ledger::sqlite) hold: HoldId,
    portfolio: String,
    /// None: it has no limit any more.
    limit: Option<u64>,
    /// The lane that is being filled found no more places.
    is_full: bool,
}

impl Desk {
    /// The answer to a job that needs a place and has none.
    pub(in crate::ledger::sqlite) fn mind_limit(
        &self,
        standing: &Standing,
        request: &AdmitRequest,
        line: &mut Line,
        now: Timestamp,
    ) -> Result<Option<Admitted>, LedgerError> {
        let (job, portfolio) = (&*request.routed.job, request.account.portfolio.as_str());
        if !needs_place(job) {
            return Ok(None);
        }
        let Some(limit) = self.limit_of(portfolio)? else { return Ok(None) };
        if let Some(answer) = self.answer_by_window(standing, request, now)? {
            // What a claim took for it is not needed.
            self.give_back_places(standing.seq, standing.in_doubt(), now)?;
            return Ok(answer);
        }
        // It may have come out with a place of another portfolio, and go by a number of this one.
        self.give_back_elsewhere(standing.seq, standing.in_doubt(), portfolio, now)?;
        let letter = Letter { portfolio, recipient: job.to.expose(), key: job.key, priority: job.priority };
        let stands_behind =
            !has_waited(standing.state, standing.reason) && self.stands_behind(letter, limit, line, now)?;
        if !stands_behind && self.take_place(letter, limit, request.deadline, now)? {
            return Ok(None);
        }
        let hold = self.hold_at_limit(portfolio, now)?;
        line.join(portfolio, job.priority);
        if stands_behind {
            // There is a place: a claim gives it out.
            self.stir_work();
        }
        let (charged, lost) = (standing.charged, standing.lost);
        let (place, reason) = (Place::Under(&hold), Reason::MessagingLimit);
        self.wait(standing, &Wait { place, reason, code: None, at: now, charged, lost })?;
        Ok(Some(Admitted::Parked(hold.id)))
    }

    /// Whether a job that could take a place waits behind others that shall have it.
    fn stands_behind(
        &self,
        letter: Letter<'_>,
        limit: u64,
        line: &mut Line,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let Letter { portfolio, priority, .. } = letter;
        let hold = self.holds.known(&self.conn)?.set.at_limit(portfolio).map(|hold| hold.id);
        let Some(hold) = hold else { return Ok(false) };
        if self.has_place_of_its_own(letter, now)? || self.free_places(portfolio, limit, priority, now)? == 0 {
            return Ok(false);
        }
        if !line.is_known(portfolio) {
            line.learn(portfolio, self.in_line(hold, now)?.into_iter());
        }
        Ok(line.is_before(portfolio, priority))
    }

    /// The priorities of those who wait under a hold and may come out.
    fn in_line(&self, hold: HoldId, now: Timestamp) -> Result<Vec<Priority>, LedgerError> {
        let mut find = self.conn.prepare_cached(IN_LINE)?;
        let rows = find.query_map([hold.0, now.as_millis()], |row| Ok(known_word(row, 0)))?;
        let known: Vec<Option<Priority>> = rows.map(|row| row?).collect::<Result<_, _>>()?;
        Ok(known.into_iter().flatten().collect())
    }

    /// The hold under which jobs wait for places of a portfolio; it is placed if it does not stand.
    fn hold_at_limit(&self, portfolio: &str, now: Timestamp) -> Result<Hold, LedgerError> {
        if let Some(hold) = self.holds.known(&self.conn)?.set.at_limit(portfolio) {
            return Ok(hold.clone());
        }
        let (effect, reason) = (Effect::Wait, Reason::MessagingLimit);
        let cover = Cover::of(Scope::Quota, portfolio);
        self.place(&HoldOrder { cover, effect, reason, who: "quota".to_owned(), until: None, probe: false }, now)
    }

    /// The queues for places that stand.
    pub(in crate::ledger::sqlite) fn queues(&self) -> Result<Vec<Queue>, LedgerError> {
        let known = self.holds.known(&self.conn)?;
        let holds = known.all.iter().filter(|hold| hold.cover.scope == Scope::Quota);
        holds
            .map(|hold| {
                let portfolio = hold.cover.subject.clone();
                let limit = self.limit_of(&portfolio)?;
                Ok(Queue { hold: hold.id, portfolio, limit, is_full: false })
            })
            .collect()
    }

    /// Lifts holds of which there are places for everybody, also for those who wait and have not come for theirs: there
    /// may be nobody to send them. Says how many.
    pub(in crate::ledger::sqlite) fn lift_queues(&self, now: Timestamp) -> Result<u32, LedgerError> {
        let mut lifted = 0;
        for queue in self.queues()? {
            if self.has_place_for_all(&queue, now)? {
                lifted += u32::from(self.lift(queue.hold)?);
            }
        }
        Ok(lifted)
    }

    /// Whether a place is left over once all that wait have theirs.
    fn has_place_for_all(&self, queue: &Queue, now: Timestamp) -> Result<bool, LedgerError> {
        let Some(limit) = queue.limit else { return Ok(true) };
        let free = self.free_places(&queue.portfolio, limit, Priority::Bulk, now)?;
        let free = i64::try_from(free).unwrap_or(i64::MAX);
        let sql = "SELECT count(*) FROM (SELECT 1 FROM waiting WHERE held = ?1 AND held > 0 LIMIT ?2)";
        let waiting: i64 = self.conn.prepare_cached(sql)?.query_row([queue.hold.0, free], |row| row.get(0))?;
        Ok(waiting < free)
    }

    fn has_place(&self, queue: &Queue, priority: Priority, now: Timestamp) -> Result<bool, LedgerError> {
        match queue.limit {
            Some(limit) => Ok(self.free_places(&queue.portfolio, limit, priority, now)? > 0),
            None => Ok(true),
        }
    }
}

impl Pass<'_> {
    /// Takes at most `limit` rows for which there are places, and says how many.
    pub(in crate::ledger::sqlite) fn let_in(&mut self, lane: &Lane<'_>, limit: u32) -> Result<u32, LedgerError> {
        let mut taken = 0;
        for queue in 0..self.queues.len() {
            taken += self.take(lane, Shelf::Queue(queue), limit - taken)?;
        }
        Ok(taken)
    }

    /// A new lane may have places where others have none.
    pub(in crate::ledger::sqlite) fn ask_queues_anew(&mut self) {
        for queue in &mut self.queues {
            queue.is_full = false;
        }
    }

    /// Whether a row of a queue may come out: then it has its place, and nobody else takes that, or it needs none of this
    /// portfolio.
    pub(in crate::ledger::sqlite) fn takes_place(
        &mut self,
        queue: usize,
        lane: &Lane<'_>,
        found: &Found,
    ) -> Result<bool, LedgerError> {
        let (desk, now, priority) = (self.desk, self.now, lane.room.priority);
        let queue = &mut self.queues[queue];
        let Some(limit) = queue.limit else { return Ok(true) };
        if lane.room.has_places {
            return Ok(true);
        }
        if queue.is_full {
            return Ok(false);
        }
        let recipient: String = desk
            .conn
            .prepare_cached("SELECT recipient FROM jobs WHERE seq = ?1")?
            .query_row([found.seq], |row| row.get(0))?;
        let letter = Letter { portfolio: &queue.portfolio, recipient: &recipient, key: found.key, priority };
        queue.is_full = !desk.take_place(letter, limit, now, now)?;
        Ok(!queue.is_full)
    }

    /// Whether rows of the lane that stayed in queues could come out now; where there are no places for them, the claim
    /// says when there may be.
    pub(in crate::ledger::sqlite) fn may_let_in(
        &mut self,
        lane: &Lane<'_>,
        has_room: bool,
    ) -> Result<bool, LedgerError> {
        let (desk, now) = (self.desk, self.now);
        let mut more = false;
        // What has room left took all that it could have.
        for queue in self.queues.iter().filter(|queue| queue.is_full || !has_room) {
            let sql = "SELECT 1 FROM waiting WHERE held = ?1 AND held > 0 AND lane = ?2 LIMIT 1";
            if !desk.conn.prepare_cached(sql)?.exists([queue.hold.0, lane.id])? {
                continue;
            }
            if lane.room.has_places || !queue.is_full && desk.has_place(queue, lane.room.priority, now)? {
                more = true;
                continue;
            }
            let freed = desk.next_freed(&queue.portfolio, now)?;
            self.claimed.let_out_at = [self.claimed.let_out_at, freed].into_iter().flatten().min();
        }
        Ok(more)
    }
}
