//! A sending number as the core sees it: whether it may send, how much it has been promised, what is ready to go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Mono, Now};
use crate::hold::{Cover, Facts, Hold, HoldId, HoldSet, Passage, Scope};
use crate::job::{Category, Job, NumberId, Priority};
use crate::ledger::{Account, Admission, Fence};

use super::index::PoolIdx;
use super::lane::{Delivery, stride};
use super::pacer::{Limit, Pacer};
use super::pairs::{PairRule, Pairs};

/// At least so many jobs are admitted ahead, however slow the number.
const LEAST_WINDOW: usize = 4;
/// What one send costs a number of full weight, in units of virtual time.
pub(super) const STRIDE: f64 = 1_000_000.0;
/// A weight never falls below this, so that a number's recovery is noticed.
const LEAST_WEIGHT: f64 = 0.01;
/// How much one answer moves a number's own health.
const HEALTH_STEP: f64 = 0.05;

/// What a number is, apart from how it does.
#[derive(Clone, Debug)]
pub struct NumberSpec {
    /// Meta's id.
    pub id: NumberId,
    /// How people know it; labels metrics.
    pub display: String,
    /// Its one pool.
    pub pool: PoolIdx,
    /// Whose it is.
    pub account: Arc<Account>,
    /// Its throughput.
    pub limit: Limit,
}

/// What Meta says of a number, in so far as it decides how much it gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Whether its status lets it send at all.
    pub may_send: bool,
    /// 1 for the best quality; less gets less.
    pub weight: f64,
}

/// The right to send by a number until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Guards admissions.
    pub fence: Fence,
    /// No send starts from this moment on.
    pub until: Mono,
}

/// A job that the ledger let through and that waits for its permit.
#[derive(Debug)]
pub struct Ready {
    /// The ledger's yes.
    pub admission: Admission,
    /// What to send.
    pub delivery: Delivery,
    /// The hold that this send tries.
    pub probe: Option<HoldId>,
    /// It must have started by then, or its answer could come after its deadline.
    pub start_by: Mono,
    /// When the ledger let it through.
    pub admitted_at: Mono,
}

/// What stands in the way of a number as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Nothing.
    No,
    /// A hold, until this moment if it ends by itself.
    Until(Option<Mono>),
    /// A hold whose time is over: one send may try it.
    Probe(HoldId),
}

/// Which jobs a question of room is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One-time passwords: a place is kept for them.
    Urgent,
    /// Everything else.
    Rest,
}

impl Class {
    /// Both, the urgent first.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Rest];

    /// The class of a priority.
    pub const fn of(priority: Priority) -> Self {
        match priority {
            Priority::Urgent => Self::Urgent,
            Priority::High | Priority::Normal | Priority::Bulk => Self::Rest,
        }
    }
}

/// Whether a number can be promised one more job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Now.
    Now,
    /// Not before this moment.
    At(Mono),
    /// Not until something happens to it.
    None,
}

/// A sending number.
#[derive(Debug)]
pub struct Number {
    /// What it is.
    pub spec: NumberSpec,
    /// Gives its permits.
    pub pacer: Pacer,
    /// Whom it wrote to lately.
    pub(super) pairs: Pairs,
    pub(super) standing: Standing,
    tenure: Option<Tenure>,
    /// The fence of its latest tenure: another one says that others may have sent in between.
    fence: Option<Fence>,
    pub(super) blocked: Blocked,
    health: f64,
    faults: u32,
    /// When the first of them came.
    failing_since: Mono,
    /// Jobs at the ledger, by priority.
    asked: [usize; 4],
    ready: [VecDeque<Ready>; 4],
    /// What urgent jobs took since others had their turn, in units of a lane's virtual time.
    overtaken: u64,
    in_flight: usize,
    /// Its share of the connections.
    pub(super) most_in_flight: usize,
    pub(super) pass: f64,
    /// When the scheduler looks at its room again.
    pub(super) alarm: Option<Mono>,
    /// Whether its portfolio has no place left for ordinary jobs.
    pub(super) is_at_limit: bool,
    /// Whether its pool counts it with those that have places.
    pub(super) is_counted: bool,
    /// How it stands in its pool's ready sets, by class: whether at the limit, and under which pass.
    pub(super) listed: [Option<(bool, u64)>; 2],
}

impl Number {
    /// A number that may not send yet: no lease, and a window that begins full.
    pub fn new(spec: NumberSpec, margin: Duration, pair_rule: PairRule, now: Mono) -> Self {
        let pacer = Pacer::new(spec.limit, margin, now);
        Self {
            spec,
            pacer,
            pairs: Pairs::new(pair_rule),
            standing: Standing { may_send: true, weight: 1.0 },
            tenure: None,
            fence: None,
            blocked: Blocked::No,
            health: 1.0,
            faults: 0,
            failing_since: now,
            asked: [0; 4],
            ready: Default::default(),
            overtaken: 0,
            in_flight: 0,
            most_in_flight: usize::MAX,
            pass: 0.0,
            alarm: None,
            is_at_limit: false,
            is_counted: false,
            listed: [None; 2],
        }
    }

    /// Its share among the able numbers of its pool.
    pub fn weight(&self) -> f64 {
        (self.standing.weight * self.health).max(LEAST_WEIGHT)
    }

    /// Leased, of a status that may send, and nothing whole in its way.
    pub fn is_able(&self, now: Mono) -> bool {
        self.holds_lease(now) && self.is_fit()
    }

    /// Whether a hold stops it as a whole.
    pub fn is_blocked(&self) -> bool {
        matches!(self.blocked, Blocked::Until(_))
    }

    /// Whether it could send if it were leased, whoever leases it.
    pub(super) fn is_fit(&self) -> bool {
        self.standing.may_send && !self.is_blocked()
    }

    /// Whether it could, and begin to write to somebody new.
    pub(super) fn has_places(&self) -> bool {
        self.is_fit() && !self.is_at_limit
    }

    /// Whether a send may still start under its lease.
    pub fn holds_lease(&self, now: Mono) -> bool {
        self.tenure.is_some_and(|tenure| now < tenure.until)
    }

    /// Admitted and waiting for a permit.
    pub fn waiting(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    /// Requests without an answer yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Answers in a row that speak against the number.
    pub fn faults(&self) -> u32 {
        self.faults
    }

    /// How long there were no other answers than those.
    pub fn failing_for(&self, now: Mono) -> Duration {
        if self.faults == 0 { Duration::ZERO } else { now.since(self.failing_since) }
    }

    /// Whether one more job of this class may be asked for: only what can go within `ahead` is admitted, so that
    /// little is in doubt when a worker dies. One place in eight is kept for urgent jobs; the others are anybody's, so
    /// that urgent ones without end don't keep them all.
    pub fn room(&self, class: Class, ahead: Duration, now: Mono) -> Room {
        if !self.is_able(now) {
            return Room::None;
        }
        let promised = self.asked.iter().sum::<usize>() + self.waiting();
        if let Blocked::Probe(_) = self.blocked {
            return if promised + self.in_flight == 0 { Room::Now } else { Room::None };
        }
        let window = LEAST_WINDOW.max(self.pacer.effective().within(ahead) as usize);
        let urgent = self.promised(Priority::Urgent);
        let (full, before) = match class {
            Class::Urgent => (false, urgent),
            Class::Rest => (promised - urgent >= window - (window / 8).max(1), promised),
        };
        if full || promised >= window || promised + self.in_flight >= self.most_in_flight {
            return Room::None;
        }
        let from = self.pacer.due_at(before, now) - ahead;
        if from <= now { Room::Now } else { Room::At(from) }
    }

    fn promised(&self, priority: Priority) -> usize {
        self.asked[priority.index()] + self.ready[priority.index()].len()
    }

    /// A job is on its way to the ledger.
    pub(super) fn ask(&mut self, priority: Priority) {
        self.asked[priority.index()] += 1;
        self.pass += STRIDE / self.weight();
    }

    /// The ledger answered, whatever it said.
    pub(super) fn answered(&mut self, priority: Priority) {
        self.asked[priority.index()] -= 1;
    }

    pub(super) fn push_ready(&mut self, ready: Ready) {
        self.ready[ready.delivery.job().priority.index()].push_back(ready);
    }

    /// The highest priority among the admitted, the first admitted of it; who is overtaken stays. Urgent jobs have a
    /// place of their own, so without end to them nobody else would ever go: when the others' turn is due, the one
    /// that was admitted first does, of whatever priority; their lanes have had their say before.
    /// `others` are the weights of all other priorities that have work for this number.
    pub(super) fn pop_ready(&mut self, others: u64) -> Option<Ready> {
        if self.overtaken >= turn(others) {
            let lines = self.ready[1..].iter_mut().filter(|line| !line.is_empty());
            let longest = lines.min_by_key(|line| line.front().map(|ready| ready.admitted_at));
            if let Some(line) = longest {
                return line.pop_front();
            }
        }
        self.ready.iter_mut().find_map(VecDeque::pop_front)
    }

    /// Whether a job of this priority is admitted and waits.
    pub(super) fn has_ready(&self, priority: Priority) -> bool {
        !self.ready[priority.index()].is_empty()
    }

    /// Takes out what should have started by now.
    pub(super) fn pop_overdue(&mut self, now: Mono) -> Vec<Ready> {
        let mut overdue = Vec::new();
        for lane in &mut self.ready {
            let (late, kept): (VecDeque<Ready>, VecDeque<Ready>) =
                lane.drain(..).partition(|ready| ready.start_by <= now);
            *lane = kept;
            overdue.extend(late);
        }
        overdue
    }

    /// It was taken out and could not go yet: first in line again.
    pub(super) fn unpop_ready(&mut self, ready: Ready) {
        self.ready[ready.delivery.job().priority.index()].push_front(ready);
    }

    pub(super) fn started(&mut self, priority: Priority, others: u64) {
        self.in_flight += 1;
        self.overtaken = match Class::of(priority) {
            Class::Rest => self.overtaken.saturating_sub(turn(others)),
            Class::Urgent if others == 0 => 0,
            Class::Urgent => (self.overtaken + stride(priority)).min(turn(others) + stride(priority)),
        };
    }

    /// The lease under which it sends, if any.
    pub fn tenure(&self) -> Option<Tenure> {
        self.tenure
    }

    /// The lease, new, renewed or gone. A new owner knows nothing of what the one before sent.
    pub(super) fn set_tenure(&mut self, tenure: Option<Tenure>, now: Mono) {
        self.tenure = tenure;
        if let Some(Tenure { fence, until: _ }) = tenure
            && self.fence.replace(fence) != Some(fence)
        {
            self.pacer.take_over(now);
        }
    }

    /// The fence of its lease, while it is held.
    pub fn fence(&self) -> Option<Fence> {
        self.tenure.map(|tenure| tenure.fence)
    }

    /// An answer came. `fault` says whether it speaks for or against the number, or neither.
    pub(super) fn finished(&mut self, fault: Option<bool>, now: Mono) {
        self.in_flight -= 1;
        match fault {
            Some(true) => {
                if self.faults == 0 {
                    self.failing_since = now;
                }
                self.faults += 1;
                self.health -= HEALTH_STEP * self.health;
            }
            Some(false) => {
                self.faults = 0;
                self.health += HEALTH_STEP * (1.0 - self.health);
            }
            None => {}
        }
    }

    /// Its share by its own health: 1 for one that has not failed.
    pub fn health(&self) -> f64 {
        self.health
    }

    /// The hold that blocks it as a whole.
    pub fn whole_hold<'a>(&self, holds: &'a HoldSet, now: Now) -> Option<&'a Hold> {
        match holds.whole_passage(&self.whole_facts(), now.wall) {
            Passage::Blocked(hold) => Some(hold),
            Passage::Free | Passage::Probe(_) => None,
        }
    }

    /// What stands in its way as a whole; looked at when the holds change or one of them ends.
    pub(super) fn look_at(&mut self, holds: &HoldSet, now: Now) {
        self.is_at_limit = holds.at_limit(&self.spec.account.portfolio).is_some();
        self.blocked = match holds.whole_passage(&self.whole_facts(), now.wall) {
            Passage::Free => Blocked::No,
            Passage::Probe(hold) => Blocked::Probe(hold.id),
            Passage::Blocked(hold) => Blocked::Until(hold.until.map(|until| now.mono + until.since(now.wall))),
        };
    }

    fn whole_facts(&self) -> Facts<'_> {
        Facts {
            credential: &self.spec.account.credential,
            portfolio: &self.spec.account.portfolio,
            waba: &self.spec.account.waba,
            number: self.spec.id.as_str(),
            template: "",
            recipient: "",
            campaign: "",
            // Holds of one category are not whole, so they are not asked here.
            category: Category::Service,
        }
    }

    /// Whether a hold of this cover is over this number.
    pub fn is_under(&self, cover: &Cover) -> bool {
        let account = &self.spec.account;
        match cover.scope {
            Scope::Everything => true,
            Scope::Credential => account.credential == cover.subject,
            Scope::Portfolio => account.portfolio == cover.subject,
            Scope::Waba => account.waba == cover.subject,
            Scope::Number => self.spec.id.as_str() == cover.subject,
            Scope::Template | Scope::Recipient | Scope::Campaign | Scope::Quota => false,
        }
    }

    /// Looks again, and says whether a hold over the whole of it had been missed.
    pub(super) fn missed_a_hold(&mut self, holds: &HoldSet, now: Now) -> bool {
        let before = std::mem::replace(&mut self.blocked, Blocked::No);
        self.look_at(holds, now);
        self.blocked != Blocked::No && self.blocked != before
    }

    /// What holds may look at in a job that would go by this number.
    pub fn facts<'a>(&'a self, job: &'a Job, template: &'a str) -> Facts<'a> {
        Facts {
            credential: &self.spec.account.credential,
            portfolio: &self.spec.account.portfolio,
            waba: &self.spec.account.waba,
            number: self.spec.id.as_str(),
            template,
            recipient: job.to.expose(),
            campaign: job.campaign.as_ref().map_or("", |campaign| campaign.as_str()),
            category: job.category,
        }
    }
}

/// How much virtual time lanes of these weights together let pass between two jobs of theirs.
fn turn(weights: u64) -> u64 {
    stride(Priority::Bulk) / weights.max(1)
}
