//! The ledger as a fold over its rows: what `design.md` promises of every ledger, and nothing of how one keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::hold::{Effect, Hold, HoldId, HoldSet};
use crate::job::{JobKey, OnUnknown, Priority};
use crate::ledger::{
    Admission, AdmitRequest, Admitted, Claimed, ClaimedRow, Fate, LaneRoom, Route, Routed, Settled, Settlement,
};
use crate::outcome::State;

use super::making::seq_of;

/// One run of one worker.
pub(super) type Life = u64;

/// How long a lease lasts here; short, so that a run sees many takeovers.
pub(super) const TTL: Duration = Duration::from_secs(2);
/// Where a job is: always in exactly one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Waiting { due: Option<Timestamp>, hold: Option<HoldId>, claimed: Option<Life> },
    Sending { by: Life, number: usize, deadline: Timestamp },
    Unknown { until: Timestamp },
    Ended(State),
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub routed: Routed,
    pub on_unknown: OnUnknown,
    pub place: Place,
    pub attempt: u32,
    pub tries: u32,
    /// Attempts that were `unknown` at some time.
    pub unknowns: u32,
    /// How often its policy sent it again.
    pub resends: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseRow {
    pub owner: Life,
    pub fence: i64,
    pub expires: Timestamp,
}

/// Pool, pinned number, priority.
type LaneName = (String, Option<String>, usize);
/// Fresh ones after those that are due, each by time and age.
type InLine = (bool, Timestamp, u64);

#[derive(Default)]
pub(super) struct Fold {
    pub rows: BTreeMap<u64, Row>,
    pub leases: BTreeMap<usize, LeaseRow>,
    pub holds: BTreeMap<HoldId, Hold>,
    /// Free rows by lane: fresh ones with no time.
    free: BTreeMap<LaneName, BTreeSet<InLine>>,
    /// Rows in somebody's hands, and rows under a hold.
    pub(super) claimed: BTreeMap<Life, BTreeSet<u64>>,
    pub(super) parked: BTreeMap<HoldId, BTreeSet<u64>>,
    /// Times at which a row may have to be looked at.
    pub(super) alarms: BTreeSet<(Timestamp, u64)>,
    /// Until when each worker lives, as far as is known.
    pub(super) present: BTreeMap<Life, Timestamp>,
    pub(super) next_hold: i64,
    ended: usize,
    /// What is kept of a job that ended, in runs that would remember too much.
    pub(super) instead_of_ended: Option<Routed>,
}

fn lane(route: &Route, priority: Priority) -> LaneName {
    let pinned = route.pinned.as_ref().map(|number| number.as_str().to_owned());
    (route.pool.as_str().to_owned(), pinned, priority.index())
}

fn in_line(row: &Row, seq: u64) -> Option<InLine> {
    match row.place {
        Place::Waiting { due, hold: None, claimed: None } => {
            Some((due.is_none(), due.unwrap_or(Timestamp::from_millis(0)), seq))
        }
        Place::Waiting { .. } | Place::Sending { .. } | Place::Unknown { .. } | Place::Ended(_) => None,
    }
}

impl Fold {
    /// Every change of a row's place goes through here, so that the lines are right.
    pub(super) fn put(&mut self, seq: u64, place: Place) {
        let row = self.rows.get_mut(&seq).expect("a job is never forgotten");
        let line = self.free.entry(lane(&row.routed.route, row.routed.job.priority)).or_default();
        if let Some(entry) = in_line(row, seq) {
            line.remove(&entry);
        }
        if let Place::Waiting { hold, claimed, .. } = row.place {
            claimed.and_then(|life| self.claimed.get_mut(&life)).map(|rows| rows.remove(&seq));
            hold.and_then(|hold| self.parked.get_mut(&hold)).map(|rows| rows.remove(&seq));
        }
        assert!(!matches!(row.place, Place::Ended(_)), "job {seq} had ended and was changed to {place:?}");
        row.place = place;
        self.ended += usize::from(matches!(row.place, Place::Ended(_)));
        if let Some(entry) = in_line(row, seq) {
            line.insert(entry);
        }
        match row.place {
            Place::Sending { deadline: at, .. } | Place::Unknown { until: at } => {
                self.alarms.insert((at, seq));
            }
            Place::Waiting { hold, claimed, .. } => {
                claimed.map(|life| self.claimed.entry(life).or_default().insert(seq));
                hold.map(|hold| self.parked.entry(hold).or_default().insert(seq));
            }
            Place::Ended(_) => {
                // A million whole jobs would not fit.
                if let Some(nobody) = &self.instead_of_ended {
                    row.routed = nobody.clone();
                }
            }
        }
    }

    /// How many jobs of a pool wait for anybody.
    pub(super) fn waiting_in(&self, route: &Route, priority: Priority) -> usize {
        self.free.get(&lane(route, priority)).map_or(0, BTreeSet::len)
    }

    /// How many jobs have ended.
    pub(super) fn ended(&self) -> usize {
        self.ended
    }

    pub(super) fn enqueue(&mut self, seq: u64, routed: Routed) {
        if routed.job.expires_at < Timestamp::MAX {
            self.alarms.insert((routed.job.expires_at, seq));
        }
        // Put in as claimed by nobody that lives, so that the step into its line is the usual one.
        let place = Place::Waiting { due: None, hold: None, claimed: Some(0) };
        let on_unknown = routed.job.on_unknown;
        self.rows.insert(seq, Row { routed, on_unknown, place, attempt: 0, tries: 0, unknowns: 0, resends: 0 });
        self.put(seq, Place::Waiting { due: None, hold: None, claimed: None });
    }

    pub(super) fn claim(&mut self, life: Life, rooms: &[LaneRoom], now: Timestamp) -> (Claimed, Vec<Routed>) {
        let mut claimed = Claimed::default();
        let mut jobs = Vec::new();
        for room in rooms {
            let line = self.free.entry(lane(&room.route, room.priority)).or_default();
            let mut left = [room.timed, room.fresh];
            let mut taken = Vec::new();
            let (mut more, mut next) = (false, None);
            let first_fresh = (true, Timestamp::from_millis(0), 0);
            for (_, due, seq) in line.range(..first_fresh).copied() {
                if due > now {
                    next = Some(due);
                    break;
                }
                let Some(rest) = left[0].checked_sub(1) else { break };
                left[0] = rest;
                taken.push((seq, Some(due)));
            }
            for (_, _, seq) in line.range(first_fresh..).copied() {
                let Some(rest) = left[1].checked_sub(1) else {
                    more = true;
                    break;
                };
                left[1] = rest;
                taken.push((seq, None));
            }
            claimed.more.push(more);
            claimed.dues.push(next);
            for (seq, due_at) in taken {
                self.put(seq, Place::Waiting { due: due_at, hold: None, claimed: Some(life) });
                let routed = self.rows[&seq].routed.clone();
                let (route, key) = (routed.route.clone(), routed.job.key);
                let (body, priority) = (String::new(), room.priority);
                claimed.rows.push(ClaimedRow { key, body, route, priority, due_at, released: None });
                jobs.push(routed);
            }
        }
        (claimed, jobs)
    }

    fn is_claimed_by(&self, key: JobKey, life: Life) -> Option<Option<Timestamp>> {
        match self.rows[&seq_of(key)].place {
            Place::Waiting { due, hold: None, claimed } if claimed == Some(life) => Some(due),
            Place::Waiting { .. } | Place::Sending { .. } | Place::Unknown { .. } | Place::Ended(_) => None,
        }
    }

    pub(super) fn give_back(&mut self, life: Life, keys: &[JobKey]) {
        for key in keys {
            if let Some(due) = self.is_claimed_by(*key, life) {
                self.put(seq_of(*key), Place::Waiting { due, hold: None, claimed: None });
            }
        }
    }

    /// Frees what is this worker's and not among these.
    pub(super) fn keep_only(&mut self, life: Life, keys: &[JobKey]) {
        let kept: BTreeSet<u64> = keys.iter().map(|key| seq_of(*key)).collect();
        let claimed = self.claimed.get(&life).into_iter().flatten();
        let lost = claimed.filter(|seq| !kept.contains(seq)).map(|seq| self.rows[seq].routed.job.key);
        let lost: Vec<JobKey> = lost.collect();
        self.give_back(life, &lost);
    }

    pub(super) fn park(&mut self, life: Life, parked: &[(JobKey, HoldId)]) {
        for (key, hold) in parked {
            if let Some(due) = self.is_claimed_by(*key, life) {
                let hold = self.holds.contains_key(hold).then_some(*hold);
                self.put(seq_of(*key), Place::Waiting { due, hold, claimed: None });
            }
        }
    }

    pub(super) fn defer(&mut self, life: Life, deferred: &[(JobKey, Timestamp)]) {
        for (key, until) in deferred {
            if self.is_claimed_by(*key, life).is_some() {
                self.put(seq_of(*key), Place::Waiting { due: Some(*until), hold: None, claimed: None });
            }
        }
    }

    pub(super) fn admit(&mut self, life: Life, request: &AdmitRequest, now: Timestamp) -> Admitted {
        let number = number_of(request.number.as_str());
        let seq = seq_of(request.routed.job.key);
        match self.rows[&seq].place {
            Place::Ended(state) => return Admitted::Ended(state),
            Place::Sending { number: other, .. }
                if request.again && other == number && self.owns(life, request, now) =>
            {
                let row = &self.rows[&seq];
                let (key, number) = (request.routed.job.key, request.number.clone());
                return Admitted::Go(Admission::for_test(key, number, row.attempt, row.tries, request.deadline));
            }
            Place::Sending { .. } | Place::Unknown { .. } => return Admitted::InFlight,
            // It was claimed away while this worker was thought dead: the row is somebody else's to hand out.
            Place::Waiting { claimed, .. } if claimed != Some(life) => return Admitted::InFlight,
            Place::Waiting { .. } => {}
        }
        if !self.owns(life, request, now) {
            return Admitted::LeaseLost;
        }
        let job = &request.routed.job;
        if job.expires_at <= now {
            self.put(seq, Place::Ended(State::Expired));
            return Admitted::Ended(State::Expired);
        }
        match self.stands(request, now) {
            Some((_, Effect::End)) => {
                self.put(seq, Place::Ended(State::Suppressed));
                return Admitted::Ended(State::Suppressed);
            }
            Some((hold, Effect::Wait)) => {
                self.put(seq, Place::Waiting { due: None, hold: Some(hold), claimed: None });
                return Admitted::Parked(hold);
            }
            None => {}
        }
        self.put(seq, Place::Sending { by: life, number, deadline: request.deadline });
        let row = self.rows.get_mut(&seq).expect("looked at above");
        row.attempt += 1;
        Admitted::Go(Admission::for_test(job.key, request.number.clone(), row.attempt, row.tries, request.deadline))
    }

    fn stands(&self, request: &AdmitRequest, now: Timestamp) -> Option<(HoldId, Effect)> {
        if self.holds.is_empty() {
            return None;
        }
        let job = &request.routed.job;
        let template = job.message.template.as_ref().map_or(String::new(), |t| format!("{}/{}", t.name, t.language));
        let facts = crate::hold::Facts {
            credential: &request.account.credential,
            portfolio: &request.account.portfolio,
            waba: &request.account.waba,
            number: request.number.as_str(),
            template: &template,
            recipient: job.to.expose(),
            campaign: "",
            category: job.category,
        };
        let holds = HoldSet::new(self.holds.values().cloned());
        holds.obstacle(&facts, now, request.probe).map(|hold| (hold.id, hold.effect))
    }

    pub(super) fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Settled {
        let seq = seq_of(settlement.key);
        let row = self.rows.get_mut(&seq).expect("a job is never forgotten");
        let awaited = match row.place {
            Place::Sending { .. } | Place::Unknown { .. } => row.attempt == settlement.attempt,
            Place::Waiting { .. } | Place::Ended(_) => false,
        };
        if !awaited {
            return Settled::Stale;
        }
        let hold = settlement.hold.as_ref().map(|order| self.place_hold(order, now));
        if let Some(hold) = settlement.lift {
            self.lift(hold);
        }
        let row = self.rows.get_mut(&seq).expect("looked at above");
        let place = match &settlement.fate {
            Fate::Accepted { .. } => Place::Ended(State::Accepted),
            Fate::End { state, .. } => Place::Ended(*state),
            Fate::Retry { due, charged, .. } => {
                row.tries += u32::from(*charged);
                Place::Waiting { due: Some(*due), hold: None, claimed: None }
            }
            Fate::Park { .. } => Place::Waiting { due: None, hold, claimed: None },
            Fate::Unknown { until, .. } => {
                row.unknowns += u32::from(!matches!(row.place, Place::Unknown { .. }));
                Place::Unknown { until: *until }
            }
        };
        self.put(seq, place);
        Settled::Done
    }

    fn owns(&self, life: Life, request: &AdmitRequest, now: Timestamp) -> bool {
        let ours = |row: &LeaseRow| row.owner == life && row.fence == request.fence.0 && row.expires > now;
        self.leases.get(&number_of(request.number.as_str())).is_some_and(ours)
    }
}

/// The number that [`number_id`] named.
pub(super) fn number_of(id: &str) -> usize {
    id.parse::<usize>().expect("digits") - 1_000
}
