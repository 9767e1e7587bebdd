//! Everything together on virtual time: workers, ledger, Meta, people; events in order of time, one at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::{Mono, Now};
use crate::outcome::{NotSentCause, Outcome, UnknownCause};

use crate::worker::pairs::PairRule;

use super::chance::{Chance, Died};
use super::fold::{Fold, Life};
use super::judge;
use super::making::{MARGIN, at, ms, seq_of};
use super::meta::{Answer, Arrival, Meta};
use super::plan::{NumberPlan, Plan, Stroke};
use super::shell::{Deed, REQUEST, Reply, Request, Shell};

/// A byte that has not left by then stays here.
const WRITE_WITHIN: Duration = Duration::from_millis(25);
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// So many of the last events are kept for a replay.
const TRACE: usize = 400;

#[derive(Debug)]
pub(super) enum Event {
    Publish(u64),
    Stroke(Stroke),
    Sweep,
    Start(usize),
    /// To a worker, if it still lives that life.
    To(usize, Life, Word),
    Commit(usize, Life, u64, Request),
    Arrive(usize, Life, u64, Arrival),
}

#[derive(Debug)]
pub(super) enum Word {
    Turn(u64),
    Told {
        holds: bool,
    },
    LeasesChanged,
    /// A number was found: its place and what it is.
    Joined(usize, NumberPlan),
    Reply(u64, Reply),
    Write(u64, Mono),
    Answer(u64, Outcome),
}

/// A place where a worker runs, again and again.
#[derive(Default)]
pub(super) struct Slot {
    pub shell: Option<Shell>,
    pub frozen_until: Duration,
    /// Only the latest alarm counts.
    alarm: u64,
    told: bool,
    /// Its calls reach the ledger in the order in which they were made.
    last_commit: Duration,
}

pub(super) struct World {
    pub plan: Plan,
    pub now: Duration,
    pub fold: Fold,
    pub meta: Meta,
    pub chance: Chance,
    pub deaths: u32,
    /// What all numbers may be promised at once.
    pub(super) given_back: usize,
    pub slots: Vec<Slot>,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    next_life: Life,
    trace: VecDeque<String>,
    tracing: bool,
    /// Takes in every event: two runs of one seed have the same.
    pub fingerprint: u64,
}

impl World {
    pub(super) fn new(plan: Plan, tracing: bool) -> Self {
        let mut world = Self {
            now: ms(0),
            fold: Fold::default(),
            meta: Meta::default(),
            chance: Chance::new(plan.seed, plan.kills, plan.kills_apart),
            deaths: 0,
            given_back: (0..plan.numbers.len()).map(|number| judge::window(&plan, number)).sum(),
            slots: (0..plan.workers).map(|_| Slot::default()).collect(),
            events: BTreeMap::new(),
            next_event: 0,
            next_life: 0,
            trace: VecDeque::new(),
            tracing,
            fingerprint: 0,
            plan,
        };
        for seq in 0..world.plan.jobs.len() {
            world.schedule(world.plan.jobs[seq].0, Event::Publish(seq as u64));
        }
        for (when, stroke) in world.plan.strokes.clone() {
            world.schedule(when, Event::Stroke(stroke));
        }
        for slot in 0..world.plan.workers {
            world.schedule(ms(slot as u64 * 7), Event::Start(slot));
        }
        world.schedule(world.plan.calm_from, Event::Stroke(Stroke::LiftHolds));
        world.schedule(SWEEP_EVERY, Event::Sweep);
        world
    }

    /// Until every job has ended, or the time for that is over.
    pub(super) fn run(&mut self) {
        while let Some(((when, number), event)) = self.events.pop_first() {
            if when > self.plan.ends_by || (self.plan.jobs.len() == self.fold.ended() && when > self.plan.calm_from) {
                break;
            }
            self.now = when;
            self.fingerprint = (self.fingerprint ^ (when.as_nanos() as u64) ^ number).wrapping_mul(0x0100_0000_01b3);
            self.note(&event);
            self.happen(event);
        }
    }

    pub(super) fn last_words(&self) -> impl Iterator<Item = &str> {
        self.trace.iter().map(String::as_str)
    }

    fn note(&mut self, event: &Event) {
        if !self.tracing {
            return;
        }
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        let text = format!("{event:?}");
        let short: String = text.chars().take(300).collect();
        self.trace.push_back(format!("{:>10.6} {short}", self.now.as_secs_f64()));
    }

    pub(super) fn schedule(&mut self, when: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((when, self.next_event), event);
    }

    pub(super) fn clock(&self) -> Now {
        at(self.now)
    }

    pub(super) fn is_calm(&self) -> bool {
        self.now >= self.plan.calm_from
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Publish(seq) => {
                let routed = self.plan.jobs[usize::try_from(seq).expect("small")].1.routed(seq);
                self.fold.enqueue(seq, routed);
                self.tell_all(false);
            }
            Event::Stroke(stroke) => self.strike(stroke),
            Event::Sweep => {
                if self.is_calm() {
                    self.chance.spare();
                }
                self.fold.sweep(self.clock().wall);
                self.keep_busy();
                self.tell_all(true);
                self.schedule(self.now + SWEEP_EVERY, Event::Sweep);
            }
            Event::Start(slot) => self.start(slot),
            Event::To(slot, life, word) => self.deliver(slot, life, word),
            Event::Commit(slot, life, call, request) => self.commit(slot, life, call, request),
            Event::Arrive(slot, life, flight, arrival) => {
                match self.meta.receive(self.now, arrival, &self.plan, &mut self.chance) {
                    Answer::After(wait, outcome) => {
                        self.schedule(self.now + wait, Event::To(slot, life, Word::Answer(flight, outcome)));
                    }
                    Answer::Never => {
                        let outcome = Outcome::Unknown(UnknownCause::Timeout);
                        self.schedule(self.now + REQUEST, Event::To(slot, life, Word::Answer(flight, outcome)));
                    }
                }
            }
        }
    }

    fn start(&mut self, slot: usize) {
        self.next_life += 1;
        self.slots[slot].shell = Some(Shell::new(self.next_life, &self.plan, self.clock()));
        self.turn(slot);
    }

    /// Hands a worker a word, if it lives and can move; what it then does may be its last.
    fn deliver(&mut self, slot: usize, life: Life, word: Word) {
        let now = self.clock();
        let frozen_until = self.slots[slot].frozen_until;
        let alarm = self.slots[slot].alarm;
        let Some(shell) = self.slots[slot].shell.as_mut().filter(|shell| shell.life == life) else { return };
        if frozen_until > self.now {
            self.schedule(frozen_until, Event::To(slot, life, word));
            return;
        }
        let done = match word {
            Word::Turn(set) if set != alarm => return,
            Word::Turn(_) => Ok(()),
            Word::Told { holds } => {
                self.slots[slot].told = false;
                let shell = self.slots[slot].shell.as_mut().expect("lives");
                shell.look_again();
                if holds {
                    shell.read_holds();
                }
                Ok(())
            }
            Word::LeasesChanged => {
                shell.look_at_leases(now);
                Ok(())
            }
            Word::Joined(place, number) => {
                shell.join(place, number, now);
                Ok(())
            }
            Word::Reply(call, reply) => shell.hear(call, reply, &mut self.chance, now),
            Word::Answer(flight, outcome) => shell.answered(flight, outcome, &mut self.chance, now),
            Word::Write(flight, permit) => return self.write(slot, life, flight, permit),
        };
        match done {
            Ok(()) => self.turn(slot),
            Err(died) => self.bury(slot, &died),
        }
    }

    fn turn(&mut self, slot: usize) {
        let now = self.clock();
        let shell = self.slots[slot].shell.as_mut().expect("lives");
        let turned = shell.turn(&mut self.chance, now);
        judge::buffers(shell, &self.plan, self.given_back);
        let (life, released) = (shell.life, shell.released);
        for deed in std::mem::take(&mut shell.deeds) {
            self.carry_out(slot, life, deed);
        }
        match turned {
            Ok(wake) => {
                self.slots[slot].alarm += 1;
                let late = self.chance.between(ms(0), Duration::from_micros(1_500));
                let wake = Duration::from_nanos(wake.as_nanos()).max(self.now) + late;
                let alarm = Word::Turn(self.slots[slot].alarm);
                self.schedule(wake, Event::To(slot, life, alarm));
            }
            Err(died) => return self.bury(slot, &died),
        }
        if released {
            self.slots[slot].shell = None;
            let pause = self.chance.between(ms(50), ms(1_000));
            self.schedule(self.now + pause, Event::Start(slot));
        }
    }

    /// Its memory is gone; what it asked of others is still under way.
    fn bury(&mut self, slot: usize, died: &Died) {
        let shell = self.slots[slot].shell.take().expect("lived until now");
        let life = shell.life;
        for deed in shell.deeds {
            self.carry_out(slot, life, deed);
        }
        self.deaths += 1;
        if self.tracing {
            self.trace.push_back(format!("{:>10.6} worker {slot} dies at {:?}", self.now.as_secs_f64(), died.0));
        }
        let pause = self.chance.between(ms(20), ms(4_000));
        self.schedule(self.now + pause, Event::Start(slot));
    }

    fn carry_out(&mut self, slot: usize, life: Life, deed: Deed) {
        match deed {
            Deed::Ask(call, request) => {
                let takes = self.chance.between(Duration::from_micros(100), self.plan.ledger_within);
                let when = (self.now + takes).max(self.slots[slot].last_commit + Duration::from_nanos(1));
                self.slots[slot].last_commit = when;
                self.schedule(when, Event::Commit(slot, life, call, request));
            }
            Deed::Write(flight, permit) => {
                if !self.is_calm() && self.chance.one_in(0.002) {
                    // Stopped between its permit and the write.
                    let until = self.now + self.chance.between(ms(30), ms(2_500));
                    self.slots[slot].frozen_until = until;
                }
                if self.slots[slot].frozen_until > self.now {
                    let until = self.slots[slot].frozen_until;
                    self.schedule(until, Event::To(slot, life, Word::Write(flight, permit)));
                } else {
                    self.write(slot, life, flight, permit);
                }
            }
        }
    }

    /// The bytes leave, or it is too late for that.
    fn write(&mut self, slot: usize, life: Life, flight: u64, permit: Mono) {
        // It may have died in this very step, after the bytes were handed to the kernel.
        let Some(shell) = self.slots[slot].shell.as_ref().filter(|shell| shell.life == life) else { return };
        let unconnected = !self.is_calm() && self.chance.one_in(self.plan.unconnected);
        if self.clock().mono.since(permit) > WRITE_WITHIN || unconnected {
            let cause = if unconnected { NotSentCause::ClosedBeforeWrite } else { NotSentCause::WriteStalled };
            let answer = Word::Answer(flight, Outcome::NotSent(cause));
            return self.schedule(self.now + ms(1), Event::To(slot, life, answer));
        }
        let sent = &shell.flights[&flight];
        judge::send(shell, sent, &self.fold, self.clock());
        let job = sent.delivery.job();
        let draft = &self.plan.jobs[usize::try_from(seq_of(job.key)).expect("small")].1;
        let arrival = Arrival {
            number: sent.number.slot(),
            seq: seq_of(job.key),
            attempt: sent.admission.attempt(),
            template: draft.template,
            person: draft.person.unwrap_or(1_000_000 + seq_of(job.key)),
            may_borrow: PairRule::default().burst(job.priority),
            life,
        };
        let jitter = self.chance.between(ms(0), MARGIN);
        self.schedule(self.now + jitter, Event::Arrive(slot, life, flight, arrival));
    }

    /// Every worker hears that leases were given up.
    pub(super) fn tell_of_leases(&mut self) {
        for slot in 0..self.slots.len() {
            let Some(life) = self.slots[slot].shell.as_ref().map(|shell| shell.life) else { continue };
            let takes = self.chance.between(ms(0), ms(4));
            self.schedule(self.now + takes, Event::To(slot, life, Word::LeasesChanged));
        }
    }

    /// Every worker hears that rows or holds may have changed.
    pub(super) fn tell_all(&mut self, holds: bool) {
        for slot in 0..self.slots.len() {
            let Some(life) = self.slots[slot].shell.as_ref().map(|shell| shell.life) else { continue };
            if holds || !std::mem::replace(&mut self.slots[slot].told, true) {
                let takes = self.chance.between(ms(0), ms(4));
                self.schedule(self.now + takes, Event::To(slot, life, Word::Told { holds }));
            }
        }
    }
}
