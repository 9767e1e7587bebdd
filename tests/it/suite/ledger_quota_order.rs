//! Who has the places of a messaging limit that fall free: those that wait for them, by priority and age, before those
//! that come later.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidegate::job::{Job, Priority};
use tidegate::ledger::{Account, Admission, AdmitRequest, Admitted, Fate, LaneRoom, QuotaRules, Routed};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::places::*;
use super::told::*;

const SIBLING: &str = "2002";
const NOBODYS: &str = "3003";

/// It did not leave: its place is free again.
fn fails() -> Fate {
    Fate::End { state: State::Failed, reason: Reason::NotOnWhatsapp, code: None, details: String::new() }
}

/// Asks for a job that the broker delivered for one number alone.
fn bound(steps: &Steps<'_>, number: &str, job: Job, now: i64) -> AdmitRequest {
    let routed = Routed { route: pinned(number), ..routed(job.clone()) };
    AdmitRequest { routed, ..timely(steps.delivery(job), now) }
}

pub async fn a_place_that_falls_free_goes_to_who_waits(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    open(&bench, vec![wrote(&person(5), NUMBER, at(0))], at(0)).await;
    send(&steps, letter("sent", 1), 0).await;
    let failing = begin(&steps, letter("failing", 2), 0).await;
    let hold = park(&steps, letter("older", 3), 1).await;
    steps.settle(&failing, fails(), at(2)).await;
    assert_eq!(taken(&bench, 2).await, 1);
    let before = bench.signals().borrow().work;
    assert_eq!(park(&steps, letter("newer", 4), 3).await, hold);
    assert!(bench.signals().borrow().work > before, "there is a place to come for");
    assert_eq!(park(&steps, with(Priority::Bulk, letter("campaign", 6)), 3).await, hold);
    // Whoever needs no new place need not wait for one.
    send(&steps, letter("again", 1), 3).await;
    send(&steps, letter("answer", 5), 3).await;
    assert_eq!(quota(&bench, 3).await.map(|row| (row.taken, row.parked)), Some((1, 3)));
    assert_eq!(ids(&steps.claim(9, 9, at(4)).await), ["older"]);
    drop(go(ask_claimed(&steps, letter("older", 3), 4).await));
    assert_eq!(steps.stands("newer").await, (State::Waiting, Some(Reason::MessagingLimit)));
    assert_eq!(ids(&steps.claim(9, 9, at(DAY + 60)).await), ["newer"]);
}

pub async fn who_is_more_urgent_goes_before_who_waits(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    let mut failing = Vec::new();
    for n in 1..=3 {
        failing.push(begin(&steps, letter(&format!("failing {n}"), n), 0).await);
    }
    park(&steps, with(Priority::Bulk, letter("campaign", 11)), 1).await;
    let give_back = async |admission: Option<Admission>| {
        steps.settle(&admission.expect("one is left"), fails(), at(2)).await;
    };
    give_back(failing.pop()).await;
    drop(begin(&steps, letter("normal", 12), 3).await);
    park(&steps, with(Priority::High, letter("high", 13)), 3).await;
    give_back(failing.pop()).await;
    park(&steps, with(Priority::High, letter("high too", 14)), 4).await;
    park(&steps, letter("normal too", 15), 4).await;
    drop(go(ask(&steps, with(Priority::Urgent, letter("urgent", 16)), 4).await));
    give_back(failing.pop()).await;
    let lanes = Priority::ALL.iter().map(|priority| lane(*priority, 9, 9)).collect();
    assert_eq!(ids(&bench.claim(steps.worker, lanes, at(5)).await.expect("claimed")), ["high"]);
}

pub async fn where_nobody_waits_who_comes_takes_the_place(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let failing = begin(&steps, letter("failing", 1), 0).await;
    park(&steps, letter("parked", 2), 1).await;
    steps.settle(&failing, fails(), at(2)).await;
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["parked"]);
    let parked = go(ask_claimed(&steps, letter("parked", 2), 3).await);
    steps.settle(&parked, fails(), at(4)).await;
    assert_eq!(bench.holds().await.expect("listed").len(), 1);
    let first = begin(&steps, letter("first", 3), 5).await;
    park(&steps, letter("cancelled", 4), 6).await;
    steps.settle(&first, fails(), at(7)).await;
    drop(bench.cancel(vec![named("cancelled")], Unseen::Refuse, at(8)).await.expect("answered"));
    drop(begin(&steps, letter("second", 5), 9).await);
}

pub async fn who_waits_for_a_number_that_nobody_has_keeps_nobody_waiting(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let failing = begin(&steps, letter("failing", 1), 0).await;
    let answer = steps.ask(bound(&steps, SIBLING, letter("bound", 2), 1), at(1)).await;
    assert!(matches!(answer, Admitted::Parked(_)), "{answer:?}");
    steps.settle(&failing, fails(), at(2)).await;
    let next = begin(&steps, letter("next", 3), 3).await;
    steps.settle(&next, fails(), at(4)).await;
    // As soon as somebody has it, the older one goes first.
    lease(&bench, other(), SIBLING).await;
    park(&steps, letter("newer", 4), 5).await;
    let lanes = vec![LaneRoom { route: pinned(SIBLING), ..room(9, 9) }];
    assert_eq!(ids(&bench.claim(other(), lanes, at(6)).await.expect("claimed")), ["bound"]);
}

pub async fn who_waits_in_a_lane_that_nobody_asks_for_keeps_nobody_waiting(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    let failing = [begin(&steps, letter("one", 1), 0).await, begin(&steps, letter("two", 2), 0).await];
    lease(&bench, other(), SIBLING).await;
    for n in 3..=9 {
        let request = bound(&steps, SIBLING, letter(&format!("bound {n}"), n), 1);
        assert!(matches!(steps.ask(request, at(1)).await, Admitted::Parked(_)));
    }
    for admission in &failing {
        steps.settle(admission, fails(), at(2)).await;
    }
    for n in 10..=11 {
        let name = format!("next {n}");
        park(&steps, letter(&name, n), 3).await;
        // It comes out with the next claim, though others waited before it.
        assert_eq!(ids(&steps.claim(9, 9, at(4)).await), [name.as_str()]);
        drop(go(ask_claimed(&steps, letter(&name, n), 4).await));
    }
    assert_eq!(quota(&bench, 4).await.map(|row| (row.taken, row.parked)), Some((2, 7)));
}

pub async fn within_a_batch_who_comes_first_waits_first(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, letter("answer", 2), 1).await;
    let now = DAY + 60;
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["answer"]);
    open(&bench, vec![wrote(&person(2), NUMBER, at(now))], at(now)).await;
    let batch = vec![
        steps.delivery(letter("first", 3)),
        // It needs its place no more.
        steps.request(letter("answer", 2)),
        steps.delivery(letter("second", 4)),
        steps.delivery(with(Priority::Urgent, letter("urgent", 5))),
    ];
    let batch = batch.into_iter().map(|request| timely(request, now)).collect();
    let answers = bench.admit(batch, at(now)).await.expect("answered");
    let went: Vec<bool> = answers.iter().map(|answer| matches!(answer, Admitted::Go(_))).collect();
    assert_eq!(went, [false, true, false, true], "{answers:?}");
    assert_eq!(quota(&bench, now).await.map(|row| (row.taken, row.parked)), Some((1, 2)));
}

pub async fn who_has_waited_does_not_wait_again(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let another = |request: AdmitRequest| {
        let account = Account { portfolio: "another".to_owned(), ..(*request.account).clone() };
        AdmitRequest { account: Arc::new(account), ..request }
    };
    let deliver = async |name, n, now| steps.ask(another(timely(steps.delivery(letter(name, n)), now)), at(now)).await;
    send(&steps, letter("sent", 1), 0).await;
    let failing = go(deliver("failing", 2, 0).await);
    park(&steps, letter("moves", 3), 1).await;
    let answer = deliver("stays", 4, 1).await;
    assert!(matches!(answer, Admitted::Parked(_)), "{answer:?}");
    let now = DAY + 60;
    assert_eq!(ids(&steps.claim(1, 0, at(now)).await), ["moves"]);
    steps.settle(&failing, fails(), at(now)).await;
    let answer = deliver("newer", 5, now).await;
    assert!(matches!(answer, Admitted::Parked(_)), "{answer:?}");
    // Its place is one of another portfolio, but it is not behind those who wait in this one: or it would go to and fro.
    let moves = another(timely(steps.request(letter("moves", 3)), now));
    drop(go(steps.ask(moves, at(now)).await));
    let rows = bench.quotas(at(now)).await.expect("listed");
    let counts: Vec<_> = rows.iter().map(|row| (row.portfolio.as_str(), row.taken, row.parked)).collect();
    assert_eq!(counts, [("another", 1, 2), (OWN, 0, 0)]);
}

/// Ten places, of which three are kept.
const PLACES: QuotaRules =
    QuotaRules { limit: Some(10), reserve: 0.3, used_elsewhere: 0, window: std::time::Duration::from_secs(86_400) };

/// What a test knows of the jobs that it has had.
struct Book<'a> {
    bench: &'a Bench,
    steps: Steps<'a>,
    chance: StdRng,
    now: i64,
    names: u32,
    /// Who waits, by name.
    parked: BTreeMap<String, (Job, Lane)>,
    going: Vec<Admission>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    Pool,
    /// Of a number that a worker has.
    Sibling,
    /// Of one that nobody has.
    Nobodys,
}

pub async fn no_place_stays_free_while_somebody_waits_for_it(bench: &Bench) {
    for seed in 0..4 {
        let bench = bench.giving_places(PLACES).await;
        let steps = Steps::new(&bench).await;
        lease(&bench, worker(), SIBLING).await;
        let (chance, parked) = (StdRng::seed_from_u64(seed), BTreeMap::new());
        let mut book = Book { bench: &bench, steps, chance, now: 0, names: 0, parked, going: Vec::new() };
        for _ in 0..120 {
            match book.chance.random_range(0..10) {
                0..5 => book.come().await,
                5..7 => book.end_one().await,
                7..9 => book.claim_some().await,
                _ => book.let_time_pass().await,
            }
        }
        for _ in 0..4 {
            while book.claim(LANES.map(|route| (route, 3)).to_vec()).await > 0 {}
            book.no_place_is_left().await;
            book.now += DAY + 60;
        }
    }
}

const LANES: [Lane; 2] = [Lane::Pool, Lane::Sibling];

impl Book<'_> {
    async fn free(&self, priority: Priority) -> u64 {
        PLACES.free(10, taken(self.bench, self.now).await, priority)
    }

    /// Somebody comes who has no place.
    async fn come(&mut self) {
        self.names += 1;
        let name = format!("job {}", self.names);
        let priority = Priority::ALL[self.chance.random_range(0..4)];
        let lane = [Lane::Pool, Lane::Pool, Lane::Sibling, Lane::Nobodys][self.chance.random_range(0..4)];
        let job = with(priority, letter(&name, self.names));
        let request = AdmitRequest {
            routed: Routed { job: Arc::new(job.clone()), route: lane.route() },
            ..timely(self.steps.delivery(job.clone()), self.now)
        };
        let free = self.free(priority).await;
        let stands = !self.bench.holds().await.expect("listed").is_empty();
        let waiting = self.parked.values().filter(|(_, lane)| *lane != Lane::Nobodys);
        let is_behind = stands && waiting.map(|(job, _)| job.priority).any(|waiting| waiting <= priority);
        match self.steps.ask(request, at(self.now)).await {
            Admitted::Go(admission) => {
                assert!(free > 0 && !is_behind, "{name} took a place of others");
                self.going.push(admission);
            }
            Admitted::Parked(_) => {
                assert!(free == 0 || is_behind, "{name} waits for nothing");
                self.parked.insert(name, (job, lane));
            }
            other => panic!("neither admitted nor parked: {other:?}"),
        }
    }

    async fn end_one(&mut self) {
        if self.going.is_empty() {
            return;
        }
        let one = self.chance.random_range(0..self.going.len());
        let fate = if self.chance.random_bool(0.7) { fails() } else { accepted() };
        self.steps.settle(&self.going.swap_remove(one), fate, at(self.now)).await;
    }

    async fn claim_some(&mut self) {
        let lane = LANES[self.chance.random_range(0..2)];
        let room = self.chance.random_range(1..3);
        self.claim(vec![(lane, room)]).await;
    }

    /// Claims rows of lanes in all priorities, and has them admitted. Says how many.
    async fn claim(&mut self, lanes: Vec<(Lane, u32)>) -> usize {
        let rooms = |(asked, timed): &(Lane, u32)| {
            let (route, timed) = (asked.route(), *timed);
            Priority::ALL.iter().map(move |priority| LaneRoom { route: route.clone(), ..lane(*priority, timed, 0) })
        };
        let rooms: Vec<LaneRoom> = lanes.iter().flat_map(rooms).collect();
        let claimed = self.bench.claim(self.steps.worker, rooms, at(self.now)).await.expect("claimed");
        for row in &claimed.rows {
            let job = claimed_job(row);
            let (_, lane) = self.parked.remove(job.id.as_str()).expect("only those come out who wait");
            let request = AdmitRequest {
                routed: Routed { job: Arc::new(job.clone()), route: lane.route() },
                ..timely(self.steps.request(job.clone()), self.now)
            };
            match self.steps.ask(request, at(self.now)).await {
                Admitted::Go(admission) => self.going.push(admission),
                // Its hold was lifted, and others came before it.
                Admitted::Parked(_) => drop(self.parked.insert(job.id.to_string(), (job, lane))),
                other => panic!("neither admitted nor parked: {other:?}"),
            }
        }
        claimed.rows.len()
    }

    async fn let_time_pass(&mut self) {
        self.now += self.chance.random_range(0..8 * HOUR);
        self.bench.sweep(at(self.now), WAIT, 100).await.expect("swept");
        // What was not settled in time is lost, and nobody here asks for it.
        self.going.clear();
    }

    async fn no_place_is_left(&self) {
        for (name, (job, lane)) in &self.parked {
            let is_left = *lane != Lane::Nobodys && self.free(job.priority).await > 0;
            assert!(!is_left, "{name} waits in {lane:?} while there is a place for it");
        }
    }
}

impl Lane {
    fn route(self) -> tidegate::ledger::Route {
        match self {
            Self::Pool => route("default"),
            Self::Sibling => pinned(SIBLING),
            Self::Nobodys => pinned(NOBODYS),
        }
    }
}
