//! A worker's loop around one core, as the real one but for its I/O: what it asks of others it leaves as deeds, and
//! any step of it may be its last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Mono, Now, Timestamp};
use crate::hold::{Hold, HoldId};
use crate::job::JobKey;
use crate::ledger::{
    Admission, AdmitRequest, Admitted, Claimed, Fate, Hand, LaneRoom, Lease, LeaseRow, LeaseTimes, Routed, Settlement,
};
use crate::outcome::NotSentCause;
use crate::worker::index::{LaneIdx, NumberIdx};
use crate::worker::intake::{Caps, Intake, Wanted};
use crate::worker::lane::Delivery;
use crate::worker::launch::{Core, Launch, Start};
use crate::worker::number::Ready;
use crate::worker::scheduler::{Choice, Pick, Scheduler};

use super::chance::{Chance, Died, Point};
use super::fold::{Life, TTL};
use super::making::{MARGIN, ms, pool_name, spec};
use super::plan::{NumberPlan, Plan};
use super::reading;
use super::renewing::Rounds;
use crate::worker::recovery::Recovery;

pub(super) const LEASES: LeaseTimes =
    LeaseTimes { ttl: TTL, renew: Duration::from_millis(500), margin: Duration::from_millis(500) };
/// How long an admitted job may be overtaken.
pub(super) const START_WITHIN: Duration = Duration::from_millis(2_000);
/// A request's own deadline.
pub(super) const REQUEST: Duration = Duration::from_millis(1_500);
const SETTLE: Duration = Duration::from_millis(1_000);
pub(super) const LEDGER_PAUSE: Duration = Duration::from_millis(100);
const MOST_ASKING: usize = 2;
const MOST_SETTLING: usize = 4;
const MOST_CHOICES: usize = 128;

/// What a worker asks of the ledger.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Claim(Vec<LaneRoom>),
    Admit(Vec<AdmitRequest>),
    Settle(Vec<Settlement>),
    Park(Vec<(JobKey, HoldId)>),
    Defer(Vec<(JobKey, Timestamp)>),
    GiveBack(Vec<JobKey>),
    KeepOnly(Vec<JobKey>),
    Leases,
    HandOver(Vec<String>),
    Take(Vec<String>),
    Release,
    Holds,
}

/// What comes back; nothing says whether a call that failed was committed.
#[derive(Debug)]
pub(super) enum Reply {
    Claimed(Claimed, Vec<Routed>),
    Admitted(Vec<Admitted>),
    Settled,
    Done,
    Rows(Vec<LeaseRow>),
    Leases(Vec<Lease>),
    Holds(Vec<Hold>),
    Failed,
}

/// What the worker remembers of a call without an answer.
#[derive(Debug)]
pub(super) enum Waiting {
    Claim(Wanted),
    Admit(Vec<Choice>, Now),
    Settle(Vec<(Settlement, Option<LaneIdx>)>),
    Put(Request),
    Count,
    Look,
    HandOver,
    Renew(Mono),
    Release,
    Holds,
}

/// A request to Meta without an answer.
#[derive(Debug)]
pub(super) struct Flight {
    pub admission: Admission,
    pub delivery: Delivery,
    pub number: NumberIdx,
    pub probe: Option<HoldId>,
}

/// What the world shall do for a worker.
#[derive(Debug)]
pub(super) enum Deed {
    Ask(u64, Request),
    /// The bytes of this flight leave, by its permit's time.
    Write(u64, Mono),
}

pub(super) struct Shell {
    pub life: Life,
    pub core: Core,
    pub deeds: Vec<Deed>,
    pub flights: BTreeMap<u64, Flight>,
    pub stopping: bool,
    pub released: bool,
    /// The keys asked about and not answered, by number: for the judge.
    pub asking: BTreeMap<usize, usize>,
    /// The numbers that it was promised something for in this turn: for the judge too.
    pub promised: Vec<NumberIdx>,
    pub(super) intake: Intake,
    /// Each with the lane to which its job comes back.
    pub(super) settlements: VecDeque<(Settlement, Option<LaneIdx>)>,
    /// What failed and must be put back all the same.
    pub(super) unput: Vec<Request>,
    pub(super) calls: BTreeMap<u64, Waiting>,
    next_call: u64,
    pub(super) away_until: Option<Mono>,
    pub(super) renew_at: Mono,
    pub(super) rounds: Rounds,
    pub(super) recovery: Recovery,
    /// Asks whose answer was lost.
    pub(super) doubtful: Vec<(Vec<Choice>, Now)>,
}

impl Shell {
    pub(super) fn new(life: Life, plan: &Plan, now: Now) -> Self {
        let mut core = Core::new(Scheduler::new(plan.ahead));
        for (slot, number) in plan.numbers.iter().enumerate() {
            add(&mut core, slot, *number, now);
        }
        let mut shell = Self {
            life,
            core,
            deeds: Vec::new(),
            flights: BTreeMap::new(),
            stopping: false,
            released: false,
            asking: BTreeMap::new(),
            promised: Vec::new(),
            intake: Intake::new(Caps { count: plan.cap, bytes: 1_000_000 }),
            settlements: VecDeque::new(),
            unput: Vec::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            away_until: None,
            renew_at: now.mono,
            rounds: Rounds::new(life, plan.numbers.len()),
            recovery: Recovery::default(),
            doubtful: Vec::new(),
        };
        shell.read_holds();
        shell
    }

    /// A number is found while it runs.
    pub(super) fn join(&mut self, slot: usize, number: NumberPlan, now: Now) {
        add(&mut self.core, slot, number, now);
        self.rounds.meet(slot);
        self.look_again();
        self.look_at_leases(now);
    }

    pub(super) fn ask(&mut self, waiting: Waiting, request: Request) {
        self.next_call += 1;
        self.calls.insert(self.next_call, waiting);
        self.deeds.push(Deed::Ask(self.next_call, request));
    }

    pub(super) fn under_way(&self, kind: fn(&Waiting) -> bool) -> usize {
        self.calls.values().filter(|call| kind(call)).count()
    }

    /// Carries out what the core decides; returns when to come back if nothing else happens.
    pub(super) fn turn(&mut self, chance: &mut Chance, now: Now) -> Result<Mono, Died> {
        if self.away_until.is_some_and(|until| until <= now.mono) {
            self.away_until = None;
            self.read_holds();
            for request in std::mem::take(&mut self.unput) {
                self.put(request);
            }
            self.recovery.begin();
        }
        self.flush(chance)?;
        self.recover(now);
        if self.renew_at <= now.mono {
            self.look_at_leases(now);
        }
        let start = self.launch(chance, now)?;
        let mut wake = self.renew_at.min(now.mono + ms(1_000));
        if self.stopping {
            self.release_when_done();
        } else if self.away_until.is_none() && self.recovery.is_over() {
            let picked = self.choose(chance, now)?;
            self.claim(now);
            let may_claim = self.under_way(|call| matches!(call, Waiting::Claim(_))) == 0;
            let due = self.intake.next_due().filter(|_| may_claim).map(|due| now.mono + due.since(now.wall));
            let soon = Some(now.mono).filter(|_| may_claim && self.intake.goes_on());
            wake = [picked, due, soon].into_iter().flatten().fold(wake, Mono::min);
        }
        Ok([start, self.away_until].into_iter().flatten().fold(wake, Mono::min))
    }

    fn flush(&mut self, chance: &mut Chance) -> Result<(), Died> {
        while self.away_until.is_none()
            && !self.settlements.is_empty()
            && self.under_way(|call| matches!(call, Waiting::Settle(_))) < MOST_SETTLING
        {
            let batch: Vec<_> = self.settlements.drain(..self.settlements.len().min(20)).collect();
            let settlements = batch.iter().map(|(settlement, _)| settlement.clone()).collect();
            self.ask(Waiting::Settle(batch), Request::Settle(settlements));
            chance.pass(Point::Settling)?;
        }
        Ok(())
    }

    fn launch(&mut self, chance: &mut Chance, now: Now) -> Result<Option<Mono>, Died> {
        loop {
            match self.core.start(now) {
                Start::Go(launch) => {
                    chance.pass(Point::Permitted)?;
                    let Launch { admission, permit, delivery, number, probe, admitted_at: _ } = launch;
                    self.next_call += 1;
                    self.flights.insert(self.next_call, Flight { admission, delivery, number, probe });
                    self.deeds.push(Deed::Write(self.next_call, permit.at()));
                    chance.pass(Point::Written)?;
                }
                Start::Stopped(ready, number, cause) => {
                    let probe = ready.probe;
                    self.unsent(&ready, cause, now);
                    self.core.stopped(number, probe, now.mono);
                }
                Start::WaitUntil(at) => {
                    assert!(at > now.mono, "a start that waits for the past spins");
                    return Ok(Some(at));
                }
                Start::Idle => return Ok(None),
            }
        }
    }

    pub(super) fn unsent(&mut self, ready: &Ready, cause: NotSentCause, now: Now) {
        let fate = Fate::Retry { due: now.wall, reason: cause.reason(), code: None, charged: false };
        let (key, attempt) = (ready.admission.key(), ready.admission.attempt());
        let settlement = Settlement { key, attempt, at: now.wall, fate, hold: None, lift: None, delivered: None };
        self.settle(settlement, &ready.delivery, now);
    }

    pub(super) fn settle(&mut self, settlement: Settlement, delivery: &Delivery, now: Now) {
        if let Some(order) = settlement.hold.as_ref().filter(|order| reading::covers_numbers(order.cover.scope)) {
            self.core.stop_covered(&order.cover, now);
        }
        self.settlements.push_back((settlement, self.core.scheduler.home_of(delivery)));
    }

    fn choose(&mut self, chance: &mut Chance, now: Now) -> Result<Option<Mono>, Died> {
        if self.under_way(|call| matches!(call, Waiting::Admit(..))) >= MOST_ASKING {
            return Ok(None);
        }
        let (mut choices, mut parked, mut deferred) = (Vec::new(), Vec::new(), Vec::new());
        let wake = loop {
            if choices.len() + parked.len() + deferred.len() >= MOST_CHOICES {
                break Some(now.mono + ms(1));
            }
            match self.core.scheduler.pick(now) {
                Pick::Admit(choice) => {
                    chance.pass(Point::Picked)?;
                    *self.asking.entry(choice.number.slot()).or_default() += 1;
                    self.promised.push(choice.number);
                    choices.push(choice);
                }
                Pick::Park(delivery, hold) => parked.push((delivery.job().key, hold)),
                Pick::Defer(delivery, until, _) => {
                    self.intake.expect(self.core.scheduler.home_of(&delivery), until);
                    deferred.push((delivery.job().key, until));
                }
                Pick::WaitUntil(at) => {
                    assert!(at > now.mono, "a pick that waits for the past spins");
                    break Some(at);
                }
                Pick::Idle => break None,
            }
        };
        if !parked.is_empty() {
            self.put(Request::Park(parked));
        }
        if !deferred.is_empty() {
            self.put(Request::Defer(deferred));
        }
        if !choices.is_empty() {
            self.ask_to_admit(choices, now, false);
            chance.pass(Point::Asked)?;
        }
        Ok(wake)
    }

    pub(super) fn ask_to_admit(&mut self, choices: Vec<Choice>, first: Now, again: bool) {
        let requests = choices.iter().map(|choice| AdmitRequest { again, ..self.admit_request(choice, first) });
        let requests = requests.collect();
        self.ask(Waiting::Admit(choices, first), Request::Admit(requests));
    }

    fn admit_request(&self, choice: &Choice, now: Now) -> AdmitRequest {
        let spec = &self.core.scheduler.number(choice.number).spec;
        AdmitRequest {
            routed: choice.delivery.routed.clone(),
            hand: Hand::Delivered,
            again: false,
            number: spec.id.clone(),
            fence: choice.fence,
            account: spec.account.clone(),
            deadline: now.wall + START_WITHIN + REQUEST + SETTLE,
            probe: choice.probe,
            siblings: Arc::default(),
            unfit: None,
        }
    }

    fn claim(&mut self, now: Now) {
        if self.under_way(|call| matches!(call, Waiting::Claim(_))) > 0 {
            return;
        }
        let wanted = self.intake.wanted(&mut self.core.scheduler, now.mono, now.wall);
        if !wanted.rooms.is_empty() {
            let rooms = wanted.rooms.clone();
            self.ask(Waiting::Claim(wanted), Request::Claim(rooms));
        }
    }

    /// A clean stop: nothing new, what is in hand goes back, what is in flight comes to its end.
    pub(super) fn stop(&mut self, now: Now) {
        self.stopping = true;
        let in_hand = self.core.scheduler.drain_all();
        self.give_back(in_hand.iter().map(|delivery| delivery.job().key).collect());
        self.clear_pad(now);
        self.step_down(now);
    }

    pub(super) fn clear_pad(&mut self, now: Now) {
        for (_, ready) in self.core.clear_pad() {
            self.unsent(&ready, NotSentCause::Draining, now);
        }
    }

    fn release_when_done(&mut self) {
        let done = self.calls.is_empty() && self.settlements.is_empty() && self.unput.is_empty();
        let done = done && self.doubtful.is_empty();
        if done && self.flights.is_empty() && !self.released {
            self.ask(Waiting::Release, Request::Release);
        }
    }

    pub(super) fn read_holds(&mut self) {
        if self.under_way(|call| matches!(call, Waiting::Holds)) < 2 {
            self.ask(Waiting::Holds, Request::Holds);
        }
    }

    pub(super) fn look_again(&mut self) {
        self.intake.look_again();
    }

    fn put(&mut self, request: Request) {
        self.ask(Waiting::Put(request.clone()), request);
    }

    pub(super) fn give_back(&mut self, keys: Vec<JobKey>) {
        if !keys.is_empty() {
            self.put(Request::GiveBack(keys));
        }
    }

    pub(super) fn give_back_of_unable(&mut self, now: Now) {
        let drained = self.core.scheduler.drain_unable(now.mono);
        self.give_back(drained.iter().map(|delivery| delivery.job().key).collect());
    }

    /// Jobs that this worker has in memory, wherever they are.
    pub(super) fn in_hand(&self) -> usize {
        self.core.scheduler.in_hand
    }
}

fn add(core: &mut Core, slot: usize, number: NumberPlan, now: Now) {
    let pool = core.scheduler.pool(&pool_name(number.pool));
    core.scheduler.add_number(spec(slot, pool, number.per_second), MARGIN, now);
}
