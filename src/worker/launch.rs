//! From the ledger's yes to the bytes: which admitted job takes a number's next permit, and the last look at it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::{Mono, Now};
use crate::hold::{Cover, HoldId, Passage};
use crate::ledger::{Admission, Fence};
use crate::outcome::NotSentCause;

use super::index::NumberIdx;
use super::lane::Delivery;
use super::number::{Blocked, Ready, Standing, Tenure};
use super::pacer::{Limit, Permit, Slot};
use super::pairs::PairKey;
use super::scheduler::Scheduler;

/// A hold that was just placed is read back from the ledger by then.
const UNTIL_READ: Duration = Duration::from_secs(2);

/// What may leave now.
#[derive(Debug)]
pub enum Start {
    /// Send it: admission and permit are consumed by the send.
    Go(Launch),
    /// The last look stopped it; it was not sent and is not charged.
    Stopped(Ready, NumberIdx, NotSentCause),
    /// Nothing before this moment.
    WaitUntil(Mono),
    /// Nothing is admitted.
    Idle,
}

/// One send about to leave.
#[derive(Debug)]
pub struct Launch {
    /// The ledger's yes.
    pub admission: Admission,
    /// The number's permit.
    pub permit: Permit,
    /// What to send.
    pub delivery: Delivery,
    /// By which number.
    pub number: NumberIdx,
    /// The hold that it tries.
    pub probe: Option<HoldId>,
    /// When the ledger let it through.
    pub admitted_at: Mono,
}

/// Scheduler and launch pad in one: the worker's pure state.
#[derive(Debug)]
pub struct Core {
    /// Chooses jobs and numbers.
    pub scheduler: Scheduler,
    /// Numbers with admitted jobs, by when their next permit is due.
    due: BTreeSet<(Mono, NumberIdx)>,
    listed: Vec<Option<Mono>>,
}

impl Core {
    /// A core around a scheduler.
    pub fn new(scheduler: Scheduler) -> Self {
        Self { scheduler, due: BTreeSet::new(), listed: Vec::new() }
    }

    /// The ledger let a job through.
    pub fn admitted(&mut self, number: NumberIdx, ready: Ready, now: Mono) {
        let entry = &mut self.scheduler.numbers[number.slot()];
        entry.answered(ready.delivery.job().priority);
        entry.push_ready(ready);
        let at = entry.pacer.due_at(0, now);
        self.list(number, at);
        self.scheduler.refresh(number, now);
    }

    /// The ledger let a job not through, or did not answer: its place is free again.
    pub fn not_admitted(&mut self, number: NumberIdx, delivery: &Delivery, probe: Option<HoldId>, now: Mono) {
        let entry = &mut self.scheduler.numbers[number.slot()];
        entry.answered(delivery.job().priority);
        entry.pairs.refund(PairKey::of(&delivery.job().to));
        self.probe_over(probe, now);
        self.scheduler.refresh(number, now);
    }

    /// The next send, if its number's permit is there. Called only with an open connection in hand.
    pub fn start(&mut self, now: Now) -> Start {
        while let Some((at, number_idx)) = self.due.first().copied() {
            if at > now.mono {
                return Start::WaitUntil(at);
            }
            self.unlist(number_idx);
            let others = self.scheduler.other_weights(number_idx);
            let number = &mut self.scheduler.numbers[number_idx.slot()];
            let Some(ready) = number.pop_ready(others) else { continue };
            if let Some(cause) = self.last_look(number_idx, &ready, now) {
                self.refund(number_idx, &ready);
                self.relist(number_idx, now.mono);
                return Start::Stopped(ready, number_idx, cause);
            }
            let number = &mut self.scheduler.numbers[number_idx.slot()];
            match number.pacer.permit(now.mono) {
                Slot::At(later) => {
                    number.unpop_ready(ready);
                    self.list(number_idx, later);
                }
                Slot::Now(permit) => {
                    number.started(ready.delivery.job().priority, others);
                    number.pairs.started(PairKey::of(&ready.delivery.job().to), now.mono);
                    self.relist(number_idx, now.mono);
                    self.scheduler.refresh(number_idx, now.mono);
                    let Ready { admission, delivery, probe, admitted_at, start_by: _ } = ready;
                    let number = number_idx;
                    return Start::Go(Launch { admission, permit, delivery, number, probe, admitted_at });
                }
            }
        }
        Start::Idle
    }

    /// The bytes of what a number started since then left just now.
    pub fn left(&mut self, number: NumberIdx, since: Mono, now: Mono) {
        self.scheduler.numbers[number.slot()].pacer.left(since, now);
    }

    /// When the next admitted job's permit is due.
    pub fn next_start(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Lease, expiry, holds: what may have changed since the ledger's yes.
    fn last_look(&self, idx: NumberIdx, ready: &Ready, now: Now) -> Option<NotSentCause> {
        let number = &self.scheduler.numbers[idx.slot()];
        let job = ready.delivery.job();
        let late = now.mono >= ready.start_by || now.wall >= job.expires_at;
        let stopped = matches!(number.blocked, Blocked::Until(_)) || !number.standing.may_send;
        // Overtaken for so long that what it was to borrow is not lent any more.
        let owes = !number.pairs.may_start(PairKey::of(&job.to), now.mono);
        if late || stopped || owes || !number.holds_lease(now.mono) {
            return Some(NotSentCause::LastLook);
        }
        if self.scheduler.holds.is_empty() {
            return None;
        }
        let template = job.message.template.as_ref().map_or(String::new(), |t| format!("{}/{}", t.name, t.language));
        match self.scheduler.holds.passage(&number.facts(job, &template), now.wall) {
            Passage::Free => None,
            Passage::Probe(hold) if ready.probe == Some(hold.id) => None,
            Passage::Probe(_) | Passage::Blocked(_) => Some(NotSentCause::LastLook),
        }
    }

    /// What the last look stopped is settled: its place is free again.
    pub fn stopped(&mut self, number: NumberIdx, probe: Option<HoldId>, now: Mono) {
        self.probe_over(probe, now);
        self.scheduler.refresh(number, now);
    }

    /// An answer came. `fault` says whether it speaks against the number, for it, or neither.
    pub fn finished(&mut self, number: NumberIdx, probe: Option<HoldId>, fault: Option<bool>, now: Mono) {
        self.scheduler.numbers[number.slot()].finished(fault, now);
        self.probe_over(probe, now);
        self.scheduler.refresh(number, now);
    }

    /// A send that was started has come to nothing: no byte of it left, or Meta did not take it.
    pub fn not_sent(&mut self, number: NumberIdx, delivery: &Delivery) {
        self.scheduler.numbers[number.slot()].pairs.refund_started(PairKey::of(&delivery.job().to));
    }

    /// Meta refused a job, since its number had written to this person too often: nobody else of that pair before then.
    pub fn pair_refused(&mut self, number: NumberIdx, delivery: &Delivery, until: Mono, now: Mono) {
        self.scheduler.numbers[number.slot()].pairs.refused(PairKey::of(&delivery.job().to), until, now);
    }

    fn refund(&mut self, number: NumberIdx, ready: &Ready) {
        self.scheduler.numbers[number.slot()].pairs.refund(PairKey::of(&ready.delivery.job().to));
    }

    /// The receiver counted too many from this number.
    pub fn throttled(&mut self, number: NumberIdx, now: Mono) {
        self.scheduler.numbers[number.slot()].pacer.strike(now);
        self.relist(number, now);
        self.scheduler.refresh(number, now);
    }

    /// A number's throughput is another one now.
    pub fn retune(&mut self, number: NumberIdx, limit: Limit, now: Mono) {
        self.scheduler.numbers[number.slot()].pacer.retune(limit, now);
        self.scheduler.is_changed = true;
        self.relist(number, now);
        self.scheduler.refresh(number, now);
    }

    /// A hold over whole numbers is on its way to the ledger: what it covers stops now, and is looked at again when
    /// the holds have been read.
    pub fn stop_covered(&mut self, cover: &Cover, now: Now) {
        for number in self.scheduler.indices() {
            if self.scheduler.number(number).is_under(cover) {
                self.scheduler.numbers[number.slot()].blocked = Blocked::Until(Some(now.mono + UNTIL_READ));
                self.scheduler.refresh(number, now.mono);
            }
        }
    }

    /// Whoever tries this hold is done with it, or another worker tries it.
    pub fn probe_over(&mut self, probe: Option<HoldId>, now: Mono) {
        let Some(hold) = probe else { return };
        self.scheduler.probing.remove(&hold);
        // Others of its cover stood back for this one.
        self.scheduler.refresh_all(now);
    }

    /// The lease of a number, new, renewed or gone.
    pub fn set_tenure(&mut self, number: NumberIdx, tenure: Option<Tenure>, now: Mono) {
        // What is only renewed changes nothing, unless it had run out.
        let was_able = self.scheduler.numbers[number.slot()].is_able(now);
        self.scheduler.numbers[number.slot()].set_tenure(tenure, now);
        if !was_able {
            self.scheduler.is_changed = true;
            self.scheduler.tell_lanes_of(number);
        }
        self.scheduler.refresh(number, now);
    }

    /// The fence of a number's lease, while it is held.
    pub fn fence(&self, number: NumberIdx) -> Option<Fence> {
        self.scheduler.numbers[number.slot()].fence()
    }

    /// The numbers whose lease is held, or was until it ran out.
    pub fn leased(&self) -> impl Iterator<Item = NumberIdx> + '_ {
        self.scheduler.indices().filter(|number| self.fence(*number).is_some())
    }

    /// What Meta says of a number.
    pub fn set_standing(&mut self, number: NumberIdx, standing: Standing, now: Mono) {
        self.scheduler.numbers[number.slot()].standing = standing;
        self.scheduler.forget_fit();
        self.scheduler.is_changed = true;
        self.scheduler.refresh(number, now);
    }

    /// Takes off the pad what should have started by now: no connection has come.
    pub fn overdue(&mut self, now: Mono) -> Vec<(NumberIdx, Ready)> {
        let mut overdue = Vec::new();
        for idx in self.scheduler.indices() {
            let ready = self.scheduler.numbers[idx.slot()].pop_overdue(now);
            if !ready.is_empty() {
                ready.iter().for_each(|ready| self.refund(idx, ready));
                overdue.extend(ready.into_iter().map(|ready| (idx, ready)));
                self.scheduler.refresh(idx, now);
            }
        }
        overdue
    }

    /// Takes all that is admitted and not started off the pad: the worker stops.
    pub fn clear_pad(&mut self) -> Vec<(NumberIdx, Ready)> {
        self.due.clear();
        self.listed.fill(None);
        let mut cleared = Vec::new();
        for idx in self.scheduler.indices() {
            cleared.extend(self.pop_all(idx).into_iter().map(|ready| (idx, ready)));
        }
        cleared
    }

    /// Takes all that is admitted for one number and not started off the pad: it is another worker's from now on.
    pub fn clear_pad_of(&mut self, number: NumberIdx) -> Vec<Ready> {
        self.unlist(number);
        self.pop_all(number)
    }

    fn pop_all(&mut self, number: NumberIdx) -> Vec<Ready> {
        let entry = &mut self.scheduler.numbers[number.slot()];
        let popped: Vec<Ready> = std::iter::from_fn(|| entry.pop_ready(0)).collect();
        popped.iter().for_each(|ready| self.refund(number, ready));
        popped
    }

    fn relist(&mut self, idx: NumberIdx, now: Mono) {
        let number = &self.scheduler.numbers[idx.slot()];
        if number.waiting() > 0 {
            let at = number.pacer.due_at(0, now);
            self.list(idx, at);
        }
    }

    fn list(&mut self, idx: NumberIdx, at: Mono) {
        self.unlist(idx);
        if self.listed.len() <= idx.slot() {
            self.listed.resize(idx.slot() + 1, None);
        }
        self.listed[idx.slot()] = Some(at);
        self.due.insert((at, idx));
    }

    fn unlist(&mut self, idx: NumberIdx) {
        if let Some(at) = self.listed.get_mut(idx.slot()).and_then(Option::take) {
            self.due.remove(&(at, idx));
        }
    }
}
