//! Whatever is done to a ledger in whatever order, every job stands in one state, and has a waiting row exactly as
//! long as it has not ended; of an attempt at a delivered job, the broker may be the one who keeps the body.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidegate::clock::Timestamp;
use tidegate::hold::HoldId;
use tidegate::job::{Job, OnUnknown};
use tidegate::ledger::{Admission, AdmitRequest, Admitted, Fate, Hand, JobFilter, Resolution, Settlement};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;

/// Something that a worker, a keeper or a person does. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    Enqueue(u8),
    Claim(u32, u32),
    GiveBack,
    Park(u8),
    Defer(u8, i64),
    Admit(u8),
    Deliver(u8),
    Expire(u8),
    Settle(u8, u8, bool),
    Place(bool, i64),
    Lift(u8),
    Sweep,
    Trim,
    Cancel(u8),
    Resolve(u8, u8),
    Pass(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..12_u8).prop_map(Act::Enqueue),
        4 => (0..4_u32, 0..4_u32).prop_map(|(timed, fresh)| Act::Claim(timed, fresh)),
        1 => Just(Act::GiveBack),
        1 => any::<u8>().prop_map(Act::Park),
        1 => (any::<u8>(), 0..40_i64).prop_map(|(job, wait)| Act::Defer(job, wait)),
        6 => any::<u8>().prop_map(Act::Admit),
        2 => (0..12_u8).prop_map(Act::Deliver),
        1 => (0..12_u8).prop_map(Act::Expire),
        6 => (any::<u8>(), 0..6_u8, any::<bool>()).prop_map(|(job, fate, hold)| Act::Settle(job, fate, hold)),
        1 => (any::<bool>(), 0..60_i64).prop_map(|(probe, time)| Act::Place(probe, time)),
        1 => any::<u8>().prop_map(Act::Lift),
        2 => Just(Act::Sweep),
        1 => Just(Act::Trim),
        1 => (0..12_u8).prop_map(Act::Cancel),
        1 => (0..12_u8, 0..3_u8).prop_map(|(job, resolution)| Act::Resolve(job, resolution)),
        3 => (1..40_i64).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..60)
}

/// What the worker of the test has in hand.
struct Hands<'a> {
    steps: Steps<'a>,
    now: Timestamp,
    claimed: Vec<Job>,
    /// Admissions, and the job if it was delivered.
    admitted: Vec<(Admission, Option<Job>)>,
    /// Jobs of which the broker has a delivery that is not acked yet.
    delivered: BTreeSet<String>,
}

/// A job of the test's dozen, with lives and policies that differ.
fn nth(n: u8) -> Job {
    let on_unknown = [OnUnknown::Resend, OnUnknown::Leave][usize::from(n) % 2];
    let expires_at = at(100 + i64::from(n) * 20);
    let not_before = (n % 5 == 4).then(|| at(30));
    Job { on_unknown, expires_at, not_before, ..job(&format!("job {n}")) }
}

/// Tries so many orders of events, each on a bench of its own.
pub fn every_job_stands_in_one_state<Opening: Future<Output = Bench>>(cases: u32, open: impl Fn() -> Opening) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let tried = runner.run(&acts(), |acts| {
        runtime.block_on(async { keeps_its_promise(&open().await, acts).await });
        Ok(())
    });
    tried.expect("no act breaks the promise");
}

/// Does all of it, and after each act holds the ledger to its promise.
async fn keeps_its_promise(bench: &Bench, acts: Vec<Act>) {
    let steps = Steps::new(bench).await;
    let (claimed, admitted, delivered) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut hands = Hands { steps, now: at(0), claimed, admitted, delivered };
    for act in acts {
        hands.do_it(&act).await;
        let jobs = bench.jobs(JobFilter { limit: 1_000, ..JobFilter::default() }).await.expect("listed");
        let standing: BTreeSet<_> =
            jobs.iter().filter(|job| !job.state.has_ended()).map(|job| job.id.clone()).collect();
        let waiting = bench.with_bodies().await;
        assert!(waiting.is_subset(&standing), "{waiting:?} of {standing:?} after {act:?}");
        let bodiless: BTreeSet<_> = standing.difference(&waiting).cloned().collect();
        assert!(bodiless.is_subset(&hands.delivered), "{bodiless:?} of {:?} after {act:?}", hands.delivered);
        for job in &jobs {
            assert_eq!(job.ended_at.is_some(), job.state.has_ended(), "{job:?} after {act:?}");
            let is_tried = matches!(job.state, State::Sending | State::Unknown);
            assert_eq!(job.deadline.is_some(), is_tried, "{job:?} after {act:?}");
        }
        for (state, n) in bench.census().await.expect("counted").states {
            let listed = jobs.iter().filter(|job| job.state == state).count();
            assert_eq!(usize::try_from(n).expect("small"), listed, "{state} after {act:?}");
        }
    }
}

impl Hands<'_> {
    async fn do_it(&mut self, act: &Act) {
        let (ledger, now) = (self.steps.ledger, self.now);
        match *act {
            Act::Enqueue(n) => drop(self.steps.enqueue(nth(n), now).await),
            Act::Claim(timed, fresh) => {
                let claimed = self.steps.claim(timed, fresh, now).await;
                let fresh: Vec<_> = claimed.rows.iter().map(claimed_job).collect();
                for job in &fresh {
                    assert!(!self.claimed.iter().any(|other| other.key == job.key), "{} claimed twice", job.id);
                }
                self.claimed.extend(fresh);
            }
            Act::GiveBack => {
                let keys = self.claimed.drain(..).map(|job| job.key).collect();
                ledger.give_back(worker(), keys).await.expect("given back");
            }
            Act::Park(which) => {
                let Some(job) = self.take(which) else { return };
                let hold = ledger.holds().await.expect("listed").first().map_or(HoldId(99), |hold| hold.id);
                ledger.park(vec![parking(job.key, hold)], now).await.expect("parked");
            }
            Act::Defer(which, wait) => {
                let Some(job) = self.take(which) else { return };
                let due = Timestamp::from_millis(now.as_millis() + wait * 1_000);
                ledger.defer(vec![put_off_row(job.key, due)], now).await.expect("deferred");
            }
            Act::Admit(which) => {
                let Some(job) = self.take(which) else { return };
                let request = self.steps.request(job);
                self.admit(request).await;
            }
            Act::Deliver(n) => {
                let request = self.steps.delivery(nth(n));
                self.admit(request).await;
            }
            Act::Expire(n) => ledger.expire(vec![routed(nth(n))], now).await.expect("expired"),
            Act::Settle(which, fate, hold) => self.settle(which, fate, hold).await,
            Act::Place(probe, time) => {
                let until = Timestamp::from_millis(now.as_millis() + time * 1_000);
                self.steps.place(if probe { rest(NUMBER, until) } else { pause(NUMBER) }, now).await;
            }
            Act::Lift(which) => {
                let holds = ledger.holds().await.expect("listed");
                let Some(hold) = holds.get(usize::from(which) % holds.len().max(1)) else { return };
                assert!(self.steps.lift(hold.id, now).await);
            }
            Act::Sweep => drop(ledger.sweep(now, WAIT, 3).await.expect("swept")),
            Act::Trim => {
                ledger.trim(now, 3).await.expect("trimmed");
                self.forget_what_is_forgotten().await;
            }
            Act::Cancel(n) => {
                drop(ledger.cancel(vec![named(nth(n).id.as_str())], Unseen::Refuse, now).await.expect("answered"))
            }
            Act::Resolve(n, resolution) => {
                let resolution = [Resolution::Sent, Resolution::Resend, Resolution::Leave][usize::from(resolution)];
                ledger.resolve(named(nth(n).id.as_str()), resolution, now).await.expect("answered");
            }
            Act::Pass(seconds) => self.now = Timestamp::from_millis(now.as_millis() + seconds * 1_000),
        }
    }

    /// Nobody has a job in hand for as long as the ledger remembers those that ended.
    async fn forget_what_is_forgotten(&mut self) {
        let jobs = self.steps.ledger.jobs(JobFilter { limit: 1_000, ..JobFilter::default() }).await.expect("listed");
        let known: BTreeSet<_> = jobs.iter().map(|job| job.key.to_string()).collect();
        self.claimed.retain(|job| known.contains(&job.key.to_string()));
        self.admitted.retain(|(admission, _)| known.contains(&admission.key().to_string()));
    }

    fn take(&mut self, which: u8) -> Option<Job> {
        let n = self.claimed.len();
        (n > 0).then(|| self.claimed.swap_remove(usize::from(which) % n))
    }

    async fn admit(&mut self, request: AdmitRequest) {
        let deadline = Timestamp::from_millis(self.now.as_millis() + 20_000);
        let job = Job::clone(&request.routed.job);
        let delivered = (request.hand == Hand::Delivered).then_some(job);
        let answer = self.steps.ask(AdmitRequest { deadline, ..request }, self.now).await;
        // What is not sent is acked at once, what is sent when it is settled.
        match &delivered {
            Some(job) if matches!(answer, Admitted::Go(_)) => drop(self.delivered.insert(job.id.to_string())),
            Some(job) => drop(self.delivered.remove(job.id.as_str())),
            None => {}
        }
        match answer {
            Admitted::Go(admission) => self.admitted.push((admission, delivered)),
            Admitted::LeaseLost => panic!("the lease outlasts the test"),
            Admitted::Ended(state) => assert!(state.has_ended()),
            Admitted::Elsewhere(_) => panic!("only templates are sent here"),
            Admitted::InFlight | Admitted::Parked(_) | Admitted::IdReused => {}
        }
    }

    async fn settle(&mut self, which: u8, fate: u8, hold: bool) {
        let n = self.admitted.len();
        if n == 0 {
            return;
        }
        let (admission, delivered) = self.admitted.swap_remove(usize::from(which) % n);
        let later = Timestamp::from_millis(self.now.as_millis() + 10_000);
        let (state, reason) = (State::Failed, Reason::InvalidParameter);
        let fate = match fate {
            0 | 1 => accepted(),
            2 => retry(later),
            3 => Fate::Park { reason: Reason::Failing, code: None },
            4 => Fate::End { state, reason, code: Some(100), details: String::new() },
            _ => unknown(later),
        };
        let hold = hold.then(|| rest(NUMBER, later));
        if let Some(job) = &delivered {
            self.delivered.remove(job.id.as_str());
        }
        let delivered = delivered.map(routed);
        self.steps.settle_with(Settlement { hold, delivered, ..settlement(&admission, fate, self.now) }).await;
    }
}
