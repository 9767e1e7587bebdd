//! Several workers, a keeper and a person at one ledger, all at once: each job is accepted by one attempt of one
//! worker, whatever they do to each other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidegate::clock::Timestamp;
use tidegate::job::Job;
use tidegate::ledger::{AdmitRequest, Admitted, Fate, Ledger, Settlement, WorkerId};
use tidegate::outcome::{Reason, State};
use uuid::Uuid;

use super::bench::Bench;
use super::ledger::*;

const PUBLISHED: usize = 150;
const DELIVERED: usize = 150;
const NUMBERS: [&str; 3] = ["1001", "2002", "3003"];

/// What all of them share: the broker, and what Meta saw.
struct World {
    /// Each act is a little later than the one before.
    now: Cell<i64>,
    broker: RefCell<VecDeque<Job>>,
    accepted: RefCell<BTreeMap<String, u32>>,
    is_over: Cell<bool>,
}

impl World {
    fn tick(&self) -> Timestamp {
        self.now.set(self.now.get() + 1);
        ms(self.now.get())
    }
}

pub async fn each_job_is_accepted_once_whatever_is_done_at_once(bench: &Bench) {
    storm(bench, false).await;
}

/// Lets everything happen; where others can take over, workers die too.
pub async fn storm(bench: &Bench, may_die: bool) {
    let jobs = (0..PUBLISHED).map(|n| routed(job(&format!("published {n}")))).collect();
    bench.enqueue(jobs, at(0)).await.expect("enqueued");
    // Every third is delivered twice, to whomever it may be.
    let delivered = (0..DELIVERED).map(|n| job(&format!("delivered {n}")));
    let again = (0..DELIVERED).step_by(3).map(|n| job(&format!("delivered {n}")));
    let broker = RefCell::new(delivered.chain(again).collect());
    let world = World { now: Cell::new(0), broker, accepted: RefCell::default(), is_over: Cell::new(false) };
    let (second, third) = (bench.another().await, bench.another().await);
    let all = async {
        tokio::join!(
            work(bench, &second, &world, 0, may_die),
            work(bench, &third, &world, 1, may_die),
            work(bench, bench, &world, 2, false),
            keep(bench, &world),
        )
    };
    tokio::time::timeout(4 * PATIENCE, all).await.expect("in time");
    let accepted = world.accepted.into_inner();
    let twice: Vec<_> = accepted.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(accepted.len(), PUBLISHED + DELIVERED);
    let states = bench.census().await.expect("counted").states;
    assert_eq!(states, [(State::Accepted, (PUBLISHED + DELIVERED) as u64)]);
    assert!(bench.with_bodies().await.is_empty());
}

/// One worker after the other at one place: each has a number, and all that it can get hold of.
async fn work(bench: &Bench, ledger: &Ledger, world: &World, place: usize, may_die: bool) {
    let mut chance = StdRng::seed_from_u64(place as u64);
    let mut name = WorkerId(Uuid::from_u128(place as u128 + 1));
    let mut lives = 1;
    while !world.is_over.get() {
        let names = vec![format!("number:{}", NUMBERS[place]), format!("worker:{place}")];
        let ttl = Duration::from_secs(600);
        let leases = ledger.take_leases(name, names.clone(), ttl, world.tick()).await.expect("answered");
        let Some(lease) = leases.iter().find(|lease| lease.name == names[0]) else { continue };
        let steps = Steps { ledger, worker: name, number: NUMBERS[place], fence: lease.fence };
        let dies = may_die && lives < 8 && chance.random_ratio(1, 10);
        let finished = round(&steps, world, &mut chance, dies).await;
        if dies {
            // Its connections are gone: the broker delivers again what it had, the ledger waits for its leases' end.
            lives += 1;
            let owner = name.0;
            bench
                .query(&format!("UPDATE leases SET expires_at = now() - interval '1 s' WHERE owner = '{owner}'"))
                .await;
            name = WorkerId(Uuid::from_u128((lives * 100 + place) as u128));
        } else if chance.random_ratio(1, 10) {
            ledger.hand_over(name, names).await.expect("handed over");
        } else if finished && chance.random_ratio(1, 10) {
            ledger.release_leases(name).await.expect("released");
        }
    }
}

/// Claims, asks, sends, settles. True if nothing is left in hand.
async fn round(steps: &Steps<'_>, world: &World, chance: &mut StdRng, dies: bool) -> bool {
    let claimed = steps.claim(8, 8, world.tick()).await;
    let mut requests: Vec<AdmitRequest> = claimed.rows.iter().map(|row| steps.request(claimed_job(row))).collect();
    let deliveries: Vec<Job> = {
        let mut broker = world.broker.borrow_mut();
        let n = broker.len().min(chance.random_range(0..8));
        broker.drain(..n).collect()
    };
    requests.extend(deliveries.iter().map(|job| steps.delivery(job.clone())));
    if dies && chance.random_ratio(1, 2) {
        // Before it has asked.
        world.broker.borrow_mut().extend(deliveries);
        return false;
    }
    let deadline = ms(world.now.get() + 20);
    let requests: Vec<_> = requests.into_iter().map(|request| AdmitRequest { deadline, ..request }).collect();
    let hands: Vec<_> = requests.iter().map(|request| (Job::clone(&request.routed.job), request.hand)).collect();
    let answers = steps.ledger.admit(requests, world.tick()).await.expect("answered");
    if dies {
        // Before a byte left: nobody knows that, and each of these is unknown at its deadline.
        world.broker.borrow_mut().extend(deliveries);
        return false;
    }
    let mut settlements = Vec::new();
    let mut unsent = Vec::new();
    for (answer, (job, hand)) in answers.into_iter().zip(hands) {
        let is_delivered = hand == tidegate::ledger::Hand::Delivered;
        match answer {
            Admitted::Go(admission) => {
                let fate = fate(chance, world, &job);
                let hold = matches!(fate, Fate::Park { .. }).then(|| pause(steps.number));
                let delivered = is_delivered.then(|| routed(job));
                let settled = settlement(&admission, fate, world.tick());
                settlements.push(Settlement { hold, delivered, ..settled });
            }
            Admitted::LeaseLost if is_delivered => world.broker.borrow_mut().push_back(job),
            Admitted::LeaseLost => unsent.push(job.key),
            Admitted::Ended(_) | Admitted::InFlight | Admitted::Parked(_) => {}
            Admitted::Elsewhere(_) => panic!("nobody wrote to us"),
            Admitted::IdReused => panic!("{} is itself", job.id),
        }
    }
    steps.ledger.settle(settlements).await.expect("settled");
    steps.ledger.give_back(steps.worker, unsent).await.expect("given back");
    true
}

/// What Meta says; what it took it does not take again.
fn fate(chance: &mut StdRng, world: &World, job: &Job) -> Fate {
    match chance.random_range(0..10) {
        0 | 1 => Fate::Retry { due: ms(world.now.get() + 5), reason: Reason::Throughput, code: None, charged: false },
        2 => Fate::Park { reason: Reason::Failing, code: None },
        _ => {
            *world.accepted.borrow_mut().entry(job.id.to_string()).or_default() += 1;
            accepted()
        }
    }
}

/// Sweeps, sends again what is unknown, places and lifts holds, and sees when all is done.
async fn keep(ledger: &Ledger, world: &World) {
    while !world.is_over.get() {
        let now = world.tick();
        ledger.sweep(now, WAIT, 50).await.expect("swept");
        let all = tidegate::ledger::JobFilter { limit: 1_000, ..Default::default() };
        let unknown = tidegate::ledger::JobFilter { state: Some(State::Unknown), ..all };
        for job in ledger.jobs(unknown).await.expect("listed") {
            ledger.resolve(named(&job.id), tidegate::ledger::Resolution::Resend, now).await.expect("answered");
        }
        ledger.place(pause(NUMBERS[0]), now).await.expect("placed");
        for hold in ledger.holds().await.expect("listed") {
            ledger.lift(hold.id, world.tick()).await.expect("answered");
        }
        let states = ledger.census().await.expect("counted").states;
        let is_done = states.iter().all(|(state, _)| state.has_ended()) && world.broker.borrow().is_empty();
        let seen: u64 = states.iter().map(|(_, n)| n).sum();
        world.is_over.set(is_done && seen == (PUBLISHED + DELIVERED) as u64);
    }
}
