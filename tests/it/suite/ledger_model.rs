//! Whatever is done to a ledger in whatever order, every job stands in one state, and has a waiting row exactly as
//! long as it has not ended.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate::clock::Timestamp;
use tidegate::hold::HoldId;
use tidegate::job::{Job, OnUnknown};
use tidegate::ledger::{Admission, Admitted, Fate, JobFilter, Ledger, Resolution, Settlement};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

/// Something that a worker, a keeper or a person does. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub enum Act {
    Enqueue(u8),
    Claim(u32, u32),
    GiveBack,
    Park(u8),
    Defer(u8, i64),
    Admit(u8),
    Deliver(u8),
    Settle(u8, u8, bool),
    Place(bool, i64),
    Lift(u8),
    Sweep,
    Trim,
    Cancel(u8),
    Resolve(u8, u8),
    Pass(i64),
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..12_u8).prop_map(Act::Enqueue),
        4 => (0..4_u32, 0..4_u32).prop_map(|(timed, fresh)| Act::Claim(timed, fresh)),
        1 => Just(Act::GiveBack),
        1 => any::<u8>().prop_map(Act::Park),
        1 => (any::<u8>(), 0..40_i64).prop_map(|(job, wait)| Act::Defer(job, wait)),
        6 => any::<u8>().prop_map(Act::Admit),
        1 => (0..12_u8).prop_map(Act::Deliver),
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
    admitted: Vec<Admission>,
}

/// A job of the test's dozen, with lives and policies that differ.
fn nth(n: u8) -> Job {
    let on_unknown = [OnUnknown::Resend, OnUnknown::Leave][usize::from(n) % 2];
    let expires_at = at(100 + i64::from(n) * 20);
    let not_before = (n % 5 == 4).then(|| at(30));
    Job { on_unknown, expires_at, not_before, ..job(&format!("job {n}")) }
}

/// Does all of it, and after each act holds the ledger to its promise; `waiting` says which ids have a row.
pub async fn keeps_its_promise(ledger: &Ledger, acts: Vec<Act>, waiting: impl Fn() -> BTreeSet<String>) {
    let steps = Steps::new(ledger).await;
    let mut hands = Hands { steps, now: at(0), claimed: Vec::new(), admitted: Vec::new() };
    for act in acts {
        hands.do_it(&act).await;
        let jobs = ledger.jobs(JobFilter { limit: 1_000, ..JobFilter::default() }).await.expect("listed");
        let standing: BTreeSet<_> =
            jobs.iter().filter(|job| !job.state.has_ended()).map(|job| job.id.clone()).collect();
        assert_eq!(waiting(), standing, "after {act:?}");
        for job in &jobs {
            assert_eq!(job.ended_at.is_some(), job.state.has_ended(), "{job:?} after {act:?}");
            let is_tried = matches!(job.state, State::Sending | State::Unknown);
            assert_eq!(job.deadline.is_some(), is_tried, "{job:?} after {act:?}");
        }
        for (state, n) in ledger.census().await.expect("counted").states {
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
                ledger.defer(vec![(job.key, due, Reason::NumberBusy)], now).await.expect("deferred");
            }
            Act::Admit(which) => {
                let Some(job) = self.take(which) else { return };
                self.admit(job).await;
            }
            // As if a broker had it too.
            Act::Deliver(n) => {
                self.claimed.retain(|job| job.key != nth(n).key);
                self.admit(nth(n)).await;
            }
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
            Act::Trim => drop(ledger.trim(now, 3).await.expect("trimmed")),
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

    fn take(&mut self, which: u8) -> Option<Job> {
        let n = self.claimed.len();
        (n > 0).then(|| self.claimed.swap_remove(usize::from(which) % n))
    }

    async fn admit(&mut self, job: Job) {
        let deadline = Timestamp::from_millis(self.now.as_millis() + 20_000);
        let request = tidegate::ledger::AdmitRequest { deadline, ..self.steps.request(job.clone()) };
        match self.steps.ask(request, self.now).await {
            Admitted::Go(admission) => self.admitted.push(admission),
            Admitted::LeaseLost => panic!("the lease outlasts the test"),
            Admitted::Ended(state) => assert!(state.has_ended()),
            Admitted::InFlight | Admitted::Parked(_) | Admitted::IdReused => {}
        }
    }

    async fn settle(&mut self, which: u8, fate: u8, hold: bool) {
        let n = self.admitted.len();
        if n == 0 {
            return;
        }
        let admission = self.admitted.swap_remove(usize::from(which) % n);
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
        self.steps.settle_with(Settlement { hold, ..settlement(&admission, fate, self.now) }).await;
    }
}
