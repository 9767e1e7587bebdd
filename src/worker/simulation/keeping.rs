//! The ledger's holds and its keeper: deadlines, expiry, the claims of the dead.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::OnUnknown;
use crate::outcome::State;

use super::fold::{Fold, Life, Place};

/// A job attempted so often without an outcome is poison.
const POISON: u32 = 6;

impl Fold {
    pub(super) fn place_hold(&mut self, order: &HoldOrder, now: Timestamp) -> HoldId {
        if let Some(hold) = self.holds.values_mut().find(|hold| hold.cover == order.cover) {
            hold.until = hold.until.zip(order.until).map(|(before, until)| before.max(until));
            (hold.probe, hold.step) = (order.probe, hold.step + 1);
            return hold.id;
        }
        self.next_hold += 1;
        let HoldOrder { cover, effect, reason, who, until, probe } = order.clone();
        let id = HoldId(self.next_hold);
        self.holds.insert(id, Hold { id, cover, effect, reason, who, since: now, until, probe, step: 1 });
        id
    }

    pub(super) fn lift(&mut self, hold: HoldId) {
        self.holds.remove(&hold);
        let parked: Vec<u64> = self.parked(hold).collect();
        for seq in parked {
            self.release(seq);
        }
    }

    fn parked(&self, hold: HoldId) -> impl Iterator<Item = u64> + '_ {
        self.parked.get(&hold).into_iter().flatten().copied()
    }

    fn release(&mut self, seq: u64) {
        if let Place::Waiting { due, .. } = self.rows[&seq].place {
            self.put(seq, Place::Waiting { due, hold: None, claimed: None });
        }
    }

    pub(super) fn free_claims(&mut self, now: Timestamp) {
        let is_there = |life: Life| self.present.get(&life).is_some_and(|until| *until > now);
        let holds_any =
            |life: Life| is_there(life) || self.leases.values().any(|row| row.owner == life && (row.expires > now));
        self.claimed.retain(|_, rows| !rows.is_empty());
        let gone: Vec<Life> = self.claimed.keys().copied().filter(|life| !holds_any(*life)).collect();
        for life in gone {
            for seq in self.claimed.remove(&life).unwrap_or_default() {
                self.release(seq);
            }
        }
    }

    /// A pass of the keeper: deadlines, expiry, claims of the dead, holds that ran out.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.free_claims(now);
        let ended: Vec<HoldId> =
            self.holds.values().filter(|h| !h.probe && h.until.is_some_and(|at| at <= now)).map(|h| h.id).collect();
        for hold in ended {
            self.lift(hold);
        }
        let tried: Vec<HoldId> =
            self.holds.values().filter(|h| h.probe && h.until.is_some_and(|at| at <= now)).map(|h| h.id).collect();
        for hold in tried {
            // One row at a time may try it.
            if let Some(seq) = { self.parked(hold).next() } {
                self.release(seq);
            }
        }
        while let Some((at, seq)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarms.remove(&(at, seq));
            self.look_at(seq, now);
        }
    }

    fn look_at(&mut self, seq: u64, now: Timestamp) {
        let row = self.rows.get_mut(&seq).expect("a job is never forgotten");
        let expired = row.routed.job.expires_at <= now;
        match row.place {
            Place::Waiting { .. } if expired => self.put(seq, Place::Ended(State::Expired)),
            Place::Sending { deadline, .. } if deadline <= now => {
                row.unknowns += 1;
                self.put(seq, Place::Unknown { until: now + Duration::from_millis(1_000) });
            }
            Place::Unknown { until } if until <= now => {
                let place = match row.routed.job.on_unknown {
                    OnUnknown::Resend if row.unknowns >= POISON => Place::Ended(State::Failed),
                    OnUnknown::Resend if expired => Place::Ended(State::Unresolved),
                    OnUnknown::Resend => {
                        row.resends += 1;
                        Place::Waiting { due: Some(now), hold: None, claimed: None }
                    }
                    // No webhooks here: as `leave`.
                    OnUnknown::ResendIfSilent | OnUnknown::Leave => Place::Ended(State::Unresolved),
                };
                self.put(seq, place);
            }
            Place::Waiting { .. } | Place::Sending { .. } | Place::Unknown { .. } | Place::Ended(_) => {}
        }
    }
}
