//! Random operations on one core, compared with looking at everything: when the core says that nothing can go, no
//! job of any lane may have a number with room; and nobody is woken too late.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::clock::{Mono, Now, Timestamp};
use crate::hold::{Cover, HoldSet, Scope};
use crate::job::Priority;
use crate::ledger::{Admission, needs_place};
use crate::worker::index::NumberIdx;
use crate::worker::launch::{Core, Launch, Start};
use crate::worker::number::{Blocked, Class, Number, Ready, Room, Standing};
use crate::worker::pacer::Limit;
use crate::worker::scheduler::{Choice, Pick, Scheduler};

use super::making::{Draft, MARGIN, at, hold, ms, number_id, pool_name, seq_of, spec, tenure};

const AHEAD: Duration = Duration::from_millis(50);

/// One core, and everything it has handed out.
struct Lookout {
    core: Core,
    rng: SmallRng,
    time: Duration,
    /// The wall clock's steps so far.
    step_ms: i64,
    numbers: Vec<NumberIdx>,
    asked: Vec<Choice>,
    flying: Vec<Launch>,
    next_seq: u64,
    fence: i64,
    hold_seq: i64,
    /// Jobs in hand, from our own count.
    in_hand: usize,
    /// The last key taken from each lane's fresh line, to see that order is kept.
    last: HashMap<(usize, Option<usize>, Priority), u64>,
    gave_back: bool,
}

impl Lookout {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut core = Core::new(Scheduler::new(AHEAD));
        let mut numbers = Vec::new();
        for pool in 0..rng.random_range(1..4) {
            let idx = core.scheduler.pool(&pool_name(pool));
            for _ in 0..rng.random_range(1..4) {
                let rate = [1, 5, 20, 80, 1_000][rng.random_range(0..5)];
                let number = core.scheduler.add_number(spec(numbers.len(), idx, rate), MARGIN, at(ms(0)));
                let portfolio = format!("p{}", numbers.len() % 2);
                core.scheduler.set_owner(number, ("waba".to_owned(), portfolio), at(ms(0)));
                numbers.push(number);
            }
        }
        Self {
            core,
            rng,
            time: ms(0),
            step_ms: 0,
            numbers,
            asked: Vec::new(),
            flying: Vec::new(),
            next_seq: 0,
            fence: 0,
            hold_seq: 0,
            in_hand: 0,
            last: HashMap::new(),
            gave_back: false,
        }
    }

    fn now(&self) -> Now {
        let now = at(self.time);
        Now { wall: Timestamp::from_millis(now.wall.as_millis() + self.step_ms), ..now }
    }

    fn any_number(&mut self) -> usize {
        self.rng.random_range(0..self.numbers.len())
    }

    fn pool_of(&self, number: usize) -> usize {
        self.core.scheduler.numbers[number].spec.pool.slot()
    }

    fn operate(&mut self) {
        match self.rng.random_range(0..100) {
            0..25 => self.take_in_hand(),
            25..50 => self.hear_from_the_ledger(),
            50..65 => self.hear_from_meta(),
            65..75 => self.change_a_lease(),
            75..80 => self.change_holds(),
            80..83 => self.change_standing(),
            83..86 => self.retune(),
            86..88 => self.drain(),
            88..90 => self.step_the_clock(),
            90..92 => self.refused_for_throughput(),
            _ => self.time += Duration::from_micros(self.rng.random_range(0..200_000)),
        }
    }

    fn take_in_hand(&mut self) {
        for _ in 0..self.rng.random_range(1..20) {
            let number = self.any_number();
            let priority = Priority::ALL[self.rng.random_range(0..4)];
            let mut draft = Draft::of(self.pool_of(number), priority);
            draft.template = self.rng.random_range(0..4);
            draft.is_free_form = self.rng.random_bool(0.2);
            draft = draft.to(self.rng.random_range(0..200));
            if self.rng.random_bool(0.2) {
                draft = draft.pinned(number);
            }
            let due = self.rng.random_bool(0.2).then(|| self.now().wall);
            self.core.scheduler.push(draft.delivery(self.next_seq, due)).expect("the lane is served");
            self.next_seq += 1;
            self.in_hand += 1;
        }
    }

    fn hear_from_the_ledger(&mut self) {
        for _ in 0..self.rng.random_range(1..6) {
            if self.asked.is_empty() {
                return;
            }
            let which = self.rng.random_range(0..self.asked.len());
            let Choice { delivery, number, fence: _, probe } = self.asked.remove(which);
            let now = self.now();
            if self.rng.random_bool(0.8) {
                let admission = Admission::for_test(delivery.job().key, number_id(number.slot()), 1, 0, Timestamp::MAX);
                let start_by = now.mono + ms(2_000);
                let ready = Ready { admission, delivery, probe, start_by, admitted_at: now.mono };
                self.core.admitted(number, ready, now.mono);
            } else {
                self.core.not_admitted(number, &delivery, probe, now.mono);
                if self.rng.random_bool(0.5) {
                    self.core.scheduler.push_front(delivery).expect("the lane is served");
                    self.in_hand += 1;
                    self.gave_back = true;
                }
            }
        }
    }

    fn hear_from_meta(&mut self) {
        if self.flying.is_empty() {
            return;
        }
        let which = self.rng.random_range(0..self.flying.len());
        let Launch { number, probe, .. } = self.flying.remove(which);
        let fault = [None, Some(true), Some(false)][self.rng.random_range(0..3)];
        self.core.finished(number, probe, fault, self.now().mono);
    }

    fn change_a_lease(&mut self) {
        let number = self.any_number();
        let now = self.now();
        self.fence += 1;
        let tenure = match self.rng.random_range(0..10) {
            0 => None,
            1 => Some(tenure(self.fence, self.time + ms(300))),
            2..6 => self.core.fence(self.numbers[number]).map(|fence| tenure(fence.0, self.time + ms(800))),
            _ => Some(tenure(self.fence, self.time + ms(1_500))),
        };
        self.core.set_tenure(self.numbers[number], tenure, now.mono);
        if tenure.is_none() && self.rng.random_bool(0.7) {
            // Handed over: nothing of it is left to start.
            for ready in self.core.clear_pad_of(self.numbers[number]) {
                self.core.stopped(self.numbers[number], ready.probe, now.mono);
            }
            assert_eq!(self.core.scheduler.number(self.numbers[number]).waiting(), 0);
        }
    }

    fn change_holds(&mut self) {
        let mut holds = Vec::new();
        for _ in 0..self.rng.random_range(0..4) {
            let number = self.any_number();
            let cover = match self.rng.random_range(0..8) {
                0 => Cover::of(Scope::Everything, ""),
                1 => Cover::of(Scope::Credential, format!("token{}", number / 3)),
                2 | 3 => Cover::of(Scope::Number, number_id(number).as_str()),
                4 | 5 => Cover::of(Scope::Quota, format!("p{}", number % 2)),
                _ => Cover::of(Scope::Template, format!("t{}/en", number % 4)),
            };
            let until = self.rng.random_bool(0.8).then(|| self.now().wall + ms(self.rng.random_range(0..800)));
            self.hold_seq += 1;
            holds.push(hold(self.hold_seq, cover, until, self.rng.random_bool(0.5)));
        }
        let now = self.now();
        if self.rng.random_bool(0.3)
            && let Some(hold) = holds.first()
        {
            self.core.stop_covered(&hold.cover, now);
        }
        self.core.scheduler.set_holds(HoldSet::new(holds), now);
    }

    fn change_standing(&mut self) {
        let number = self.any_number();
        let weight = [1.0, 0.5, 0.1][self.rng.random_range(0..3)];
        let standing = Standing { may_send: self.rng.random_bool(0.8), weight };
        self.core.set_standing(self.numbers[number], standing, self.now().mono);
    }

    fn retune(&mut self) {
        let number = self.any_number();
        let count = [1, 20, 80, 1_000][self.rng.random_range(0..4)];
        let limit = Limit::per_second(std::num::NonZeroU32::new(count).expect("not zero"));
        self.core.retune(self.numbers[number], limit, self.now().mono);
    }

    fn refused_for_throughput(&mut self) {
        let number = self.any_number();
        self.core.throttled(self.numbers[number], self.now().mono);
    }

    fn drain(&mut self) {
        let now = self.now();
        let drained = match self.rng.random_range(0..4) {
            0 => self.core.scheduler.drain_all(),
            1 => self.core.scheduler.take_out(|delivery| seq_of(delivery.job().key).is_multiple_of(3)),
            _ => self.core.scheduler.drain_unable(now.mono),
        };
        self.in_hand -= drained.len();
    }

    fn step_the_clock(&mut self) {
        self.step_ms += self.rng.random_range(-4_000_000..4_000_000);
    }

    /// Does what can be done at this moment, and looks at everything afterwards.
    fn turn(&mut self) {
        let now = self.now();
        let (mut picks, most) = (0, self.in_hand + 1);
        let waits = loop {
            picks += 1;
            assert!(picks <= most, "the pick spins");
            match self.core.scheduler.pick(now) {
                Pick::Admit(choice) => self.chosen(choice, now),
                Pick::Park(delivery, hold) => {
                    self.in_hand -= 1;
                    let known = self.core.scheduler.holds.iter().find(|known| known.id == hold);
                    let scope = known.expect("a known hold").cover.scope;
                    assert!(scope == Scope::Template, "{} parked under {scope}", delivery.job().key);
                }
                Pick::Defer(delivery, until, _) => {
                    self.in_hand -= 1;
                    assert!(until > now.wall + ms(2_000), "{} is put off for a moment", delivery.job().key);
                }
                Pick::WaitUntil(at) => break Some(at),
                Pick::Idle => break None,
            }
        };
        assert_eq!(self.core.scheduler.in_hand, self.in_hand);
        assert_eq!(self.core.scheduler.in_hand_bytes, self.in_hand * 100);
        self.nobody_is_overlooked(now, waits);
        self.launch(now);
    }

    fn chosen(&mut self, choice: Choice, now: Now) {
        self.in_hand -= 1;
        let job = choice.delivery.job();
        let number = self.core.scheduler.number(choice.number);
        assert!(number.is_able(now.mono), "{} was chosen and is not able", number.spec.id);
        let route = choice.delivery.route();
        let has_places = route.pinned.is_some() || !needs_place(job) || self.may_take_place(number);
        assert!(has_places, "{} has no places left, and another number has some", number.spec.id);
        assert!(route.pinned.as_ref().is_none_or(|pinned| *pinned == number.spec.id), "pinned elsewhere");
        if let Some(hold) = choice.probe {
            let tries = |other: &Option<_>| *other == Some(hold);
            let waiting = self.asked.iter().filter(|other| tries(&other.probe)).count();
            let flying = self.flying.iter().filter(|other| tries(&other.probe)).count();
            assert_eq!(waiting + flying, 0, "hold {hold:?} is tried twice at once");
        }
        if choice.delivery.due_at.is_none() && !self.gave_back {
            let lane = (number.spec.pool.slot(), route.pinned.is_some().then(|| choice.number.slot()), job.priority);
            let before = self.last.insert(lane, seq_of(job.key));
            assert!(before.is_none_or(|before| before < seq_of(job.key)), "fresh jobs of a lane go in order");
        }
        self.asked.push(choice);
    }

    /// Whether jobs that need a place may go by this number.
    fn may_take_place(&self, number: &Number) -> bool {
        let scheduler = &self.core.scheduler;
        let is_full = |number: &Number| scheduler.holds.at_limit(&number.spec.account.portfolio).is_some();
        let is_fit = |number: &Number| number.standing.may_send && !matches!(number.blocked, Blocked::Until(_));
        let mut pool = scheduler.pools[number.spec.pool.slot()].numbers.iter().map(|idx| scheduler.number(*idx));
        !is_full(number) || !pool.any(|other| is_fit(other) && !is_full(other))
    }

    fn launch(&mut self, now: Now) {
        loop {
            match self.core.start(now) {
                Start::Go(launch) => {
                    let number = self.core.scheduler.number(launch.number);
                    assert!(number.holds_lease(now.mono), "sent without a lease");
                    self.flying.push(launch);
                }
                Start::Stopped(ready, number, _) => self.core.stopped(number, ready.probe, now.mono),
                Start::WaitUntil(at) => {
                    assert!(at > now.mono, "a start that waits for the past spins");
                    for number in self.core.scheduler.numbers().filter(|number| number.waiting() > 0) {
                        assert!(at <= number.pacer.due_at(0, now.mono), "{} starts late", number.spec.id);
                    }
                    return;
                }
                Start::Idle => {
                    assert!(self.core.scheduler.numbers().all(|number| number.waiting() == 0), "left on the pad");
                    return;
                }
            }
        }
    }

    /// The core said that nothing can go before `waits`: looks at every lane and every number.
    fn nobody_is_overlooked(&self, now: Now, waits: Option<Mono>) {
        assert!(waits.is_none_or(|at| at > now.mono), "a pick that waits for the past spins");
        let scheduler = &self.core.scheduler;
        for lane in scheduler.lanes.iter().filter(|lane| !lane.is_empty()) {
            let key = lane.key();
            for idx in scheduler.pools[key.pool.slot()].numbers.iter().copied() {
                if key.pinned.is_some_and(|pinned| pinned != idx) {
                    continue;
                }
                let number = scheduler.number(idx);
                if key.pinned.is_none() && lane.needs_place() && !self.may_take_place(number) {
                    continue;
                }
                let tried = matches!(number.blocked, Blocked::Probe(hold) if scheduler.probing.contains(&hold));
                match number.room(Class::of(key.priority), AHEAD, now.mono) {
                    Room::Now => assert!(tried, "{key:?} has jobs and {} has room", number.spec.id),
                    Room::At(at) => assert!(
                        tried || waits.is_some_and(|wakes| wakes <= at),
                        "{key:?}: {} has room at {at:?}, the core wakes at {waits:?}",
                        number.spec.id
                    ),
                    Room::None => {}
                }
                if let Blocked::Until(Some(until)) = number.blocked
                    && number.holds_lease(now.mono)
                {
                    assert!(waits.is_some_and(|wakes| wakes <= until.max(now.mono + ms(1))), "a hold ends unnoticed");
                }
            }
        }
    }
}

#[test]
fn whoever_can_go_is_found_whatever_happened_before() {
    for seed in 0..400 {
        let run = std::panic::catch_unwind(|| {
            let mut lookout = Lookout::new(seed);
            for _ in 0..400 {
                lookout.operate();
                lookout.turn();
            }
            assert!(lookout.next_seq > 100);
        });
        if let Err(panic) = run {
            eprintln!("failed with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
