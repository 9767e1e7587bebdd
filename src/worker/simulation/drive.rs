//! One core with a ledger and a Meta that always answer, after a fixed time: for questions of shares and turns.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::clock::{Now, Timestamp};
use crate::hold::{Hold, HoldId, HoldOrder, HoldSet};
use crate::job::Priority;
use crate::ledger::Admission;
use crate::worker::index::NumberIdx;
use crate::worker::launch::{Core, Start};
use crate::worker::number::{Ready, Standing};
use crate::worker::pacer::Limit;
use crate::worker::resting;
use crate::worker::scheduler::{Choice, Pick, Scheduler};

use super::making::{Draft, MARGIN, at, ms, number_id, pool_name, seq_of, spec, tenure};

/// What was admitted may be overtaken for so long; then it goes back.
const START_WITHIN: Duration = Duration::from_secs(10);

/// One send that started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub at: Duration,
    pub number: usize,
    pub priority: Priority,
    pub seq: u64,
}

#[derive(Debug)]
enum Event {
    Turn,
    Admitted(Vec<Choice>),
    Answered(NumberIdx, Option<HoldId>, Option<bool>),
    /// So many jobs like this one.
    Push(Draft, usize),
    Standing(usize, Standing),
    Holds(Vec<Hold>),
    /// The ledger has a rest that was ordered.
    Rest(HoldOrder),
}

pub(super) struct Drive {
    pub core: Core,
    pub log: Vec<Sent>,
    /// What the ledger takes to answer.
    pub commit: Duration,
    /// What the answer to the n-th send of a number says of it.
    pub fault: fn(usize, u64) -> Option<bool>,
    /// Every rest that a number was given: when, and which.
    pub rests: Vec<(Duration, usize)>,
    rested: Vec<u32>,
    holds: Vec<Hold>,
    pub next_seq: u64,
    /// How many were overtaken for too long.
    pub stopped: usize,
    time: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    wake: Duration,
    sent: Vec<u64>,
}

impl Drive {
    /// Numbers by pool and limit, all leased for good.
    pub(super) fn new(numbers: &[(usize, u32)], ahead: Duration) -> Self {
        let mut core = Core::new(Scheduler::new(ahead));
        for (slot, (pool, per_second)) in numbers.iter().enumerate() {
            let pool = core.scheduler.pool(&pool_name(*pool));
            let idx = core.scheduler.add_number(spec(slot, pool, *per_second), MARGIN, at(ms(0)));
            core.set_tenure(idx, Some(tenure(1, ms(100_000_000))), at(ms(0)).mono);
        }
        Self {
            core,
            log: Vec::new(),
            commit: ms(5),
            fault: |_, _| Some(false),
            rests: Vec::new(),
            rested: vec![0; numbers.len()],
            holds: Vec::new(),
            next_seq: 0,
            stopped: 0,
            time: ms(0),
            events: BTreeMap::new(),
            next_event: 0,
            wake: ms(0),
            sent: vec![0; numbers.len()],
        }
    }

    fn schedule(&mut self, when: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((when, self.next_event), event);
    }

    pub(super) fn push_at(&mut self, when: Duration, draft: Draft, count: usize) {
        self.schedule(when, Event::Push(draft, count));
    }

    /// One at a time, evenly, so many a second.
    pub(super) fn push_evenly(&mut self, draft: &Draft, per_second: u32, from: Duration, to: Duration) {
        let gap = Duration::from_secs(1) / NonZeroU32::new(per_second).expect("not zero").get();
        let mut when = from;
        while when < to {
            self.push_at(when, draft.clone(), 1);
            when += gap;
        }
    }

    /// One at a time, so many a second on average, at random.
    pub(super) fn push_randomly(&mut self, draft: &Draft, per_second: u32, from: Duration, to: Duration) {
        let mut rng = SmallRng::seed_from_u64(u64::from(per_second));
        let mut when = from;
        while when < to {
            self.push_at(when, draft.clone(), 1);
            let chance: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
            when += Duration::from_secs_f64(-chance.ln() / f64::from(per_second));
        }
    }

    pub(super) fn stand_at(&mut self, when: Duration, number: usize, weight: f64) {
        self.schedule(when, Event::Standing(number, Standing { may_send: true, weight }));
    }

    /// Its status lets it send nothing.
    pub(super) fn restrict_at(&mut self, when: Duration, number: usize) {
        self.schedule(when, Event::Standing(number, Standing { may_send: false, weight: 1.0 }));
    }

    pub(super) fn hold_at(&mut self, when: Duration, holds: Vec<Hold>) {
        self.schedule(when, Event::Holds(holds));
    }

    /// Whose it is.
    pub(super) fn belongs(&mut self, number: usize, portfolio: &str) {
        let idx = self.core.scheduler.indices().nth(number).expect("known");
        let owner = (format!("waba of {portfolio}"), portfolio.to_owned());
        self.core.scheduler.set_owner(idx, owner, at(self.time));
    }

    pub(super) fn retune(&mut self, number: usize, per_second: u32) {
        let limit = Limit::per_second(NonZeroU32::new(per_second).expect("not zero"));
        let idx = self.core.scheduler.indices().nth(number).expect("known");
        self.core.retune(idx, limit, at(self.time).mono);
    }

    pub(super) fn run(&mut self, until: Duration) {
        while let Some(((when, _), event)) = self.events.pop_first() {
            if when > until {
                self.schedule(when, event);
                break;
            }
            self.time = when;
            let now = at(when);
            match event {
                Event::Turn if when < self.wake => continue,
                Event::Turn => {}
                Event::Admitted(choices) => self.admitted(choices, now),
                Event::Answered(number, probe, fault) => self.answered(number, probe, fault, now),
                Event::Push(draft, count) => {
                    for _ in 0..count {
                        self.core.scheduler.push(draft.delivery(self.next_seq, None)).expect("the lane is served");
                        self.next_seq += 1;
                    }
                }
                Event::Standing(number, standing) => {
                    let idx = self.core.scheduler.indices().nth(number).expect("known");
                    self.core.set_standing(idx, standing, now.mono);
                }
                Event::Holds(holds) => {
                    self.holds = holds;
                    self.set_holds(now);
                }
                Event::Rest(order) => self.rest(order, now),
            }
            self.turn(now);
        }
        self.time = until;
    }

    fn admitted(&mut self, choices: Vec<Choice>, now: Now) {
        for Choice { delivery, number, fence: _, probe } in choices {
            let key = delivery.job().key;
            let admission = Admission::for_test(key, number_id(number.slot()), 1, 0, Timestamp::MAX);
            let start_by = now.mono + START_WITHIN;
            let ready = Ready { admission, delivery, probe, start_by, admitted_at: now.mono };
            self.core.admitted(number, ready, now.mono);
        }
    }

    /// As the real worker: a number that keeps failing is rested, and one send tries it when that is over.
    fn answered(&mut self, number: NumberIdx, probe: Option<HoldId>, fault: Option<bool>, now: Now) {
        self.core.finished(number, probe, fault, now.mono);
        let tried = self.holds.len();
        self.holds.retain(|hold| fault != Some(false) || Some(hold.id) != probe);
        if self.holds.len() < tried {
            self.set_holds(now);
        }
        let rests = &mut self.rested[number.slot()];
        if let Some(order) = resting::rest(&self.core.scheduler, number, rests, fault, now) {
            self.rests.push((self.time, number.slot()));
            self.core.stop_covered(&order.cover, now);
            self.schedule(self.time + self.commit, Event::Rest(order));
        }
    }

    fn rest(&mut self, order: HoldOrder, now: Now) {
        self.holds.retain(|hold| hold.cover != order.cover);
        let HoldOrder { cover, effect, reason, who, until, probe } = order;
        let id = HoldId(1_000 + i64::try_from(self.rests.len()).expect("few"));
        self.holds.push(Hold { id, cover, effect, reason, who, since: now.wall, until, probe, step: 1 });
        self.set_holds(now);
    }

    fn set_holds(&mut self, now: Now) {
        self.core.scheduler.set_holds(HoldSet::new(self.holds.iter().cloned()), now);
    }

    fn turn(&mut self, now: Now) {
        let mut wake = now.mono + ms(1_000);
        loop {
            match self.core.start(now) {
                Start::Go(launch) => {
                    let number = launch.number.slot();
                    let job = launch.delivery.job();
                    let sent = Sent { at: self.time, number, priority: job.priority, seq: seq_of(job.key) };
                    self.log.push(sent);
                    self.sent[number] += 1;
                    let fault = (self.fault)(number, self.sent[number]);
                    self.schedule(self.time + ms(60), Event::Answered(launch.number, launch.probe, fault));
                }
                Start::Stopped(ready, number, _) => {
                    self.core.stopped(number, ready.probe, now.mono);
                    self.core.scheduler.push_front(ready.delivery).expect("the lane is served");
                    self.stopped += 1;
                }
                Start::WaitUntil(at) => break wake = wake.min(at),
                Start::Idle => break,
            }
        }
        let mut choices = Vec::new();
        loop {
            match self.core.scheduler.pick(now) {
                Pick::Admit(choice) => choices.push(choice),
                Pick::Park(_, hold) => panic!("nothing here is parked, under {hold:?}"),
                Pick::Defer(_, until, reason) => panic!("nothing here is put off until {until}, for {reason}"),
                Pick::WaitUntil(at) => break wake = wake.min(at),
                Pick::Idle => break,
            }
        }
        if !choices.is_empty() {
            self.schedule(self.time + self.commit, Event::Admitted(choices));
        }
        let next = Duration::from_nanos(wake.as_nanos());
        if next < self.wake || self.wake <= self.time {
            self.wake = next;
            self.schedule(next, Event::Turn);
        }
    }

    /// Sends of each number within a span.
    pub(super) fn counts(&self, from: Duration, to: Duration) -> Vec<f64> {
        let mut counts = vec![0.0; self.sent.len()];
        for sent in self.log.iter().filter(|sent| (from..to).contains(&sent.at)) {
            counts[sent.number] += 1.0;
        }
        counts
    }

    pub(super) fn count_of(&self, priority: Priority, from: Duration, to: Duration) -> usize {
        let ours = |sent: &&Sent| sent.priority == priority && (from..to).contains(&sent.at);
        self.log.iter().filter(ours).count()
    }
}
