//! Which numbers this worker should own: an even share of what is known, by nothing but the list of leases. Pure.
//!
//! Everyone who lives holds a lease `worker:<id>`, and everyone reckons for himself: N numbers and W workers make N / W
//! each, and one more for the N mod W eldest. Who has more hands the surplus over at once, who has less takes what is
//! free; the ledger sees to it that nothing has two owners, so a stale look costs a round and no more.
//!
//! # Numbers that not everyone knows
//!
//! Workers may know different numbers, as while a fleet is rolled out: then somebody's share may hold room that he
//! fills with nothing, and a number beyond everyone else's share would stand unserved. So a number that was seen free
//! for longer than anyone can live without a look at the leases is taken by whoever knows it, share or no share. And a
//! number that somebody handed over and then had to take back, he does not hand over again until somebody new comes:
//! between two arrivals nobody hands over the same number twice, so nothing is passed to and fro for ever. Where all
//! know the same numbers, neither ever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Mono;
use crate::ledger::{LeaseRow, WorkerId};

use super::leases;

const WORKER: &str = "worker:";

/// What one round changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Given up, for others to take: nothing may be sent by them from now on.
    pub hand_over: Vec<String>,
    /// To be taken or renewed, the worker's own first.
    pub take: Vec<String>,
    /// How many of `take` are free as far as was seen.
    pub new: usize,
    /// When the next lease of another worker ends unless it is renewed.
    pub others_end: Option<Duration>,
}

/// A worker's memory of the rounds before.
#[derive(Clone, Debug)]
pub struct Ownership {
    me: WorkerId,
    /// Whoever lives looks at the leases at least this often.
    ttl: Duration,
    looked_at: Option<Mono>,
    /// Who else lived at the last look.
    others: BTreeSet<Uuid>,
    /// Since when known numbers were seen free, at every look.
    free_since: BTreeMap<String, Mono>,
    /// Handed over since the last arrival.
    given: BTreeSet<String>,
    /// Of those, what came back, and what nobody took.
    unwanted: BTreeSet<String>,
}

/// The name of a worker's own lease: it says that the worker lives.
pub fn presence(worker: WorkerId) -> String {
    format!("{WORKER}{}", worker.0)
}

impl Ownership {
    /// Nothing has been seen yet.
    pub fn new(me: WorkerId, ttl: Duration) -> Self {
        let (others, given, unwanted) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { me, ttl, looked_at: None, others, free_since: BTreeMap::new(), given, unwanted }
    }

    /// What to change, by these leases. `known` are the names of the leases of all numbers that this worker knows.
    pub fn shift(&mut self, rows: &[LeaseRow], known: &BTreeSet<String>, now: Mono) -> Shift {
        self.meet(rows);
        let owned: BTreeMap<&str, WorkerId> = rows
            .iter()
            .filter(|row| leases::number(&row.name).is_some())
            .filter_map(|row| row.owner.map(|owner| (row.name.as_str(), owner)))
            .collect();
        let free: Vec<&str> = known.iter().map(String::as_str).filter(|name| !owned.contains_key(name)).collect();
        self.note_free(&free, now);
        let share = self.share(owned.len() + free.len());
        let mine: Vec<&str> = owned.iter().filter(|(_, owner)| **owner == self.me).map(|(name, _)| *name).collect();
        let hand_over = self.surplus(&mine, share, known);
        let kept = mine.into_iter().filter(|name| !hand_over.iter().any(|given| given == name));
        let mut take = vec![presence(self.me)];
        take.extend(kept.map(str::to_owned));
        let new = self.wanted(&free, share.saturating_sub(take.len() - 1), now);
        let others_end = rows.iter().filter(|row| row.owner.is_some_and(|owner| owner != self.me)).map(|row| row.left);
        let shift = Shift { hand_over, new: new.len(), others_end: others_end.min(), take };
        self.given.extend(shift.hand_over.iter().cloned());
        Shift { take: shift.take.into_iter().chain(new).collect(), ..shift }
    }

    /// Sees who lives. Somebody new may want what nobody wanted before.
    fn meet(&mut self, rows: &[LeaseRow]) {
        let workers = rows.iter().filter(|row| row.name.starts_with(WORKER)).filter_map(|row| row.owner);
        let others: BTreeSet<Uuid> = workers.filter(|worker| *worker != self.me).map(|worker| worker.0).collect();
        if !others.is_subset(&self.others) {
            self.given.clear();
            self.unwanted.clear();
        }
        self.others = others;
    }

    fn note_free(&mut self, free: &[&str], now: Mono) {
        let before = std::mem::take(&mut self.free_since);
        // After a gap in which this worker would have been given up for dead, so may others have been.
        let is_gap = self.looked_at.is_some_and(|at| now.since(at) >= self.ttl);
        let since = |name: &str| before.get(name).copied().filter(|_| !is_gap).unwrap_or(now);
        self.free_since = free.iter().map(|name| ((*name).to_owned(), since(name))).collect();
        self.looked_at = Some(now);
    }

    fn share(&self, numbers: usize) -> usize {
        let workers = self.others.len() + 1;
        let elder = self.others.range(..self.me.0).count();
        numbers / workers + usize::from(elder < numbers % workers)
    }

    fn surplus(&self, mine: &[&str], share: usize, known: &BTreeSet<String>) -> Vec<String> {
        let (ours, strange): (Vec<&str>, Vec<&str>) = mine.iter().partition(|name| known.contains(**name));
        let wanted = ours.iter().rev().filter(|name| !self.unwanted.contains(**name));
        let beyond = wanted.take(ours.len().saturating_sub(share));
        // What this worker does not know it cannot serve.
        strange.iter().chain(beyond).map(|name| (*name).to_owned()).collect()
    }

    /// Free numbers up to the share, and what nobody else seems to know.
    fn wanted(&mut self, free: &[&str], room: usize, now: Mono) -> Vec<String> {
        let elder = self.others.range(..self.me.0).count();
        // Each begins somewhere else, so that not all reach for the same.
        let first = free.len() * elder / (self.others.len() + 1);
        let in_turn = free[first..].iter().chain(&free[..first]);
        let patience = self.ttl * 2;
        let mut wanted = Vec::new();
        for (place, name) in in_turn.enumerate() {
            let is_stray = self.free_since.get(*name).is_some_and(|since| now.since(*since) >= patience);
            if place >= room && !is_stray {
                continue;
            }
            if place >= room || self.given.contains(*name) {
                self.unwanted.insert((*name).to_owned());
            }
            wanted.push((*name).to_owned());
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Fence;

    const TTL: Duration = Duration::from_secs(8);
    const RENEW: Duration = Duration::from_secs(2);
    const MARGIN: Duration = Duration::from_secs(2);

    /// A worker with what it believes to own, and until when.
    struct Fellow {
        ownership: Ownership,
        known: BTreeSet<String>,
        read: Option<Vec<LeaseRow>>,
        trusted: BTreeMap<String, Mono>,
    }

    /// Workers around one list of leases.
    struct Fleet {
        now: Mono,
        leases: BTreeMap<String, (WorkerId, Mono)>,
        fellows: Vec<Fellow>,
        joined: u128,
    }

    #[derive(Clone, Debug)]
    enum Step {
        Join(BTreeSet<u8>),
        Crash(usize),
        Leave(usize),
        /// It looks at the leases, and acts on what it saw when its turn comes again.
        Look(usize),
        /// The answer may be lost, and so may the call.
        Act(usize, bool, bool),
        Wait(u64),
    }

    fn number(number: u8) -> String {
        leases::name(&format!("{number:03}"))
    }

    impl Fleet {
        fn new() -> Self {
            Self { now: Mono::from_nanos(0), leases: BTreeMap::new(), fellows: Vec::new(), joined: 0 }
        }

        fn join(&mut self, known: &BTreeSet<u8>) {
            self.joined += 1;
            let ownership = Ownership::new(WorkerId(Uuid::from_u128(self.joined)), TTL);
            let known = known.iter().map(|each| number(*each)).collect();
            self.fellows.push(Fellow { ownership, known, read: None, trusted: BTreeMap::new() });
        }

        fn rows(&self) -> Vec<LeaseRow> {
            let row = |(name, (owner, end)): (&String, &(WorkerId, Mono))| {
                let left = end.since(self.now);
                let owner = Some(*owner).filter(|_| !left.is_zero());
                LeaseRow { name: name.clone(), owner, fence: Fence(1), left }
            };
            self.leases.iter().map(row).collect()
        }

        /// Says how much changed hands.
        fn act(&mut self, slot: usize, is_done: bool, is_heard: bool) -> usize {
            let Some(rows) = self.fellows[slot].read.take() else { return 0 };
            let (now, fellow) = (self.now, &mut self.fellows[slot]);
            let me = fellow.ownership.me;
            let shift = fellow.ownership.shift(&rows, &fellow.known, now);
            for name in &shift.hand_over {
                fellow.trusted.remove(name);
            }
            if !is_done {
                return 0;
            }
            self.leases.retain(|name, (owner, _)| *owner != me || !shift.hand_over.contains(name));
            let mut changes = shift.hand_over.len();
            let mut taken = BTreeMap::new();
            for name in shift.take {
                let before = self.leases.get(&name).filter(|(_, end)| *end > now).map(|(owner, _)| *owner);
                if before.is_none_or(|owner| owner == me) {
                    changes += usize::from(before.is_none());
                    self.leases.insert(name.clone(), (me, now + TTL));
                    taken.insert(name, now + (TTL - MARGIN));
                }
            }
            if is_heard {
                self.fellows[slot].trusted = taken;
            }
            self.nothing_has_two_owners();
            changes
        }

        fn round(&mut self, slot: usize) -> usize {
            self.fellows[slot].read = Some(self.rows());
            self.act(slot, true, true)
        }

        /// Everyone, one after the other, or all looking before anyone acts.
        fn calm_round(&mut self, at_once: bool) -> usize {
            self.now = self.now + RENEW;
            if at_once {
                let rows = self.rows();
                self.fellows.iter_mut().for_each(|fellow| fellow.read = Some(rows.clone()));
                return (0..self.fellows.len()).map(|slot| self.act(slot, true, true)).sum();
            }
            (0..self.fellows.len()).map(|slot| self.round(slot)).sum()
        }

        fn step(&mut self, step: Step) {
            let any = |slot: usize, of: usize| (of > 0).then(|| slot % of);
            match step {
                Step::Join(known) => self.join(&known),
                Step::Crash(slot) => {
                    if let Some(slot) = any(slot, self.fellows.len()) {
                        self.fellows.remove(slot);
                    }
                }
                Step::Leave(slot) => {
                    if let Some(slot) = any(slot, self.fellows.len()) {
                        let gone = self.fellows.remove(slot).ownership.me;
                        self.leases.retain(|_, (owner, _)| *owner != gone);
                    }
                }
                Step::Look(slot) => {
                    if let Some(slot) = any(slot, self.fellows.len()) {
                        self.fellows[slot].read = Some(self.rows());
                    }
                }
                Step::Act(slot, is_done, is_heard) => {
                    if let Some(slot) = any(slot, self.fellows.len()) {
                        self.act(slot, is_done, is_heard);
                    }
                }
                Step::Wait(ms) => self.now = self.now + Duration::from_millis(ms),
            }
        }

        fn nothing_has_two_owners(&self) {
            let mut owners = BTreeMap::new();
            for fellow in &self.fellows {
                for (name, _) in fellow.trusted.iter().filter(|(_, until)| **until > self.now) {
                    let other = owners.insert(name, fellow.ownership.me);
                    assert_eq!(other, None, "{name} is also {:?}'s", fellow.ownership.me);
                }
            }
        }

        /// How many numbers each has.
        fn counts(&self) -> Vec<usize> {
            let mine = |fellow: &Fellow| {
                let ours = |(name, (owner, end)): &(&String, &(WorkerId, Mono))| {
                    leases::number(name).is_some() && *owner == fellow.ownership.me && *end > self.now
                };
                self.leases.iter().filter(ours).count()
            };
            self.fellows.iter().map(mine).collect()
        }

        fn unserved(&self) -> Vec<&String> {
            let known: BTreeSet<&String> = self.fellows.iter().flat_map(|fellow| &fellow.known).collect();
            let owned = |name: &String| self.leases.get(name).is_some_and(|(_, end)| *end > self.now);
            known.into_iter().filter(|name| !owned(name)).collect()
        }
    }

    fn steps(known: impl Strategy<Value = BTreeSet<u8>> + 'static) -> impl Strategy<Value = Vec<Step>> {
        let slot = 0_usize..8;
        let step = prop_oneof![
            2 => known.prop_map(Step::Join),
            1 => slot.clone().prop_map(Step::Crash),
            1 => slot.clone().prop_map(Step::Leave),
            6 => slot.clone().prop_map(Step::Look),
            6 => (slot, prop::bool::weighted(0.9), prop::bool::weighted(0.9))
                .prop_map(|(slot, is_done, is_heard)| Step::Act(slot, is_done, is_heard)),
            3 => (0_u64..5_000).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn from_any_state_the_numbers_are_soon_spread_evenly_and_stay_where_they_are(
            numbers in 0_u8..14,
            steps in steps(Just(BTreeSet::new())),
            at_once: bool,
        ) {
            let mut fleet = Fleet::new();
            let known: BTreeSet<u8> = (0..numbers).collect();
            fleet.join(&known);
            for step in steps {
                fleet.step(match step {
                    Step::Join(_) => Step::Join(known.clone()),
                    step => step,
                });
            }
            if fleet.fellows.is_empty() {
                return Ok(());
            }
            // Until the leases of the dead have run out, and then a few rounds.
            for _ in 0..4 + 5 {
                fleet.calm_round(at_once);
            }
            let counts = fleet.counts();
            let (most, least) = (counts.iter().max().expect("somebody"), counts.iter().min().expect("somebody"));
            prop_assert!(most - least <= 1, "spread as {counts:?}");
            prop_assert_eq!(counts.iter().sum::<usize>(), usize::from(numbers));
            for _ in 0..20 {
                prop_assert_eq!(fleet.calm_round(at_once), 0, "it was even, and something changed hands");
            }
        }

        #[test]
        fn where_workers_know_different_numbers_each_is_served_and_none_is_passed_to_and_fro(
            first in prop::collection::btree_set(0_u8..14, 0..8),
            steps in steps(prop::collection::btree_set(0_u8..14, 0..8)),
            at_once: bool,
        ) {
            let mut fleet = Fleet::new();
            fleet.join(&first);
            steps.into_iter().for_each(|step| fleet.step(step));
            let mut changed = 0;
            for _ in 0..100 {
                changed = fleet.calm_round(at_once);
            }
            prop_assert_eq!(fleet.unserved(), Vec::<&String>::new());
            prop_assert_eq!(changed, 0);
            for _ in 0..50 {
                prop_assert_eq!(fleet.calm_round(at_once), 0, "something is passed to and fro");
            }
        }
    }

    #[test]
    fn a_worker_alone_takes_every_number_in_its_first_round() {
        let mut fleet = Fleet::new();
        fleet.join(&(0..10).collect());
        fleet.round(0);
        assert_eq!(fleet.counts(), [10]);
    }

    #[test]
    fn a_newcomer_has_its_share_after_one_round_of_each() {
        let mut fleet = Fleet::new();
        for _ in 0..3 {
            fleet.join(&(0..10).collect());
            let newest = fleet.fellows.len() - 1;
            fleet.round(newest);
            for slot in 0..newest {
                fleet.round(slot);
            }
            fleet.round(newest);
        }
        assert_eq!(fleet.counts(), [4, 3, 3]);
    }

    #[test]
    fn who_must_look_soon_is_told_when_the_dead_are_given_up() {
        let mut fleet = Fleet::new();
        fleet.join(&(0..2).collect());
        fleet.join(&(0..2).collect());
        fleet.round(0);
        fleet.now = fleet.now + RENEW;
        let (rows, now) = (fleet.rows(), fleet.now);
        let newcomer = &mut fleet.fellows[1];
        assert_eq!(newcomer.ownership.shift(&rows, &newcomer.known, now).others_end, Some(TTL - RENEW));
    }
}
