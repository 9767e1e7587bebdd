//! The heart: one attempt from the core's choice to the commit that says what came of it, and only then the ack.
//!
//! Pure but for the random spread of retries: what to ask of the ledger, what an answer means, what to commit.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;

use crate::clock::Now;
use crate::hold::{HoldId, HoldOrder, Scope};
use crate::ledger::{Admission, AdmitRequest, Fate, Hand, Settlement};
use crate::outcome::Outcome;

use super::lane::Delivery;
use super::number::NumberSpec;
use super::retry::Retries;
use super::scheduler::Choice;
use super::verdict::{self, Verdict};

/// Times that decide how long an attempt may be in doubt.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTimes {
    /// How long an admitted job may be overtaken before it must start or be given back.
    pub start_within: Duration,
    /// The request's own deadline.
    pub request: Duration,
    /// How long a settlement may take after that.
    pub settle: Duration,
    /// How long an unknown outcome waits for news.
    pub unknown: crate::ledger::UnknownWait,
}

/// What deciding needs beside the job and the answer.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Deadlines.
    pub times: AttemptTimes,
    /// Backoff and budgets.
    pub retries: Retries,
}

/// Asks the ledger whether the chosen job may go.
pub fn admit_request(choice: &Choice, spec: &NumberSpec, hand: Hand, times: &AttemptTimes, now: Now) -> AdmitRequest {
    AdmitRequest {
        routed: choice.delivery.routed.clone(),
        hand,
        again: false,
        number: spec.id.clone(),
        fence: choice.fence,
        account: spec.account.clone(),
        deadline: now.wall + times.start_within + times.request + times.settle,
        probe: choice.probe,
        siblings: Arc::default(),
        unfit: None,
    }
}

/// One attempt that has come to an outcome.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The ledger's yes; used up here.
    pub admission: Admission,
    /// The job.
    pub delivery: &'a Delivery,
    /// The number that tried.
    pub spec: &'a NumberSpec,
    /// The hold that it tried.
    pub probe: Option<HoldId>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What to commit, and what the answer says of the number.
#[derive(Debug)]
pub struct Conclusion {
    /// The commit that ends the attempt.
    pub settlement: Settlement,
    /// The verdict's own words on the number, the pace and holds.
    pub verdict: Verdict,
}

/// Decides what an outcome means for the job, its number, and everyone else.
pub fn conclude(finished: Finished<'_>, policy: &Policy, rng: &mut SmallRng, now: Now) -> Conclusion {
    let Finished { admission, delivery, spec, probe, outcome } = finished;
    let passed = matches!(outcome, Outcome::Accepted { .. });
    let context = verdict::Context {
        job: delivery.job(),
        attempt: admission.attempt(),
        tries: admission.tries(),
        number: &spec.id,
        account: &spec.account,
        retries: policy.retries,
        unknown: policy.times.unknown,
        now: now.wall,
    };
    let mut verdict = verdict::decide(outcome, &context, rng);
    verdict.fate = unpark(verdict.fate, verdict.hold.as_ref(), now);
    let settlement = Settlement {
        key: admission.key(),
        attempt: admission.attempt(),
        at: now.wall,
        fate: verdict.fate.clone(),
        hold: verdict.hold.clone(),
        lift: probe.filter(|_| passed),
        delivered: delivery.delivered().filter(|_| goes_on(&verdict.fate)),
    };
    Conclusion { settlement, verdict }
}

/// Whether the job needs its waiting row after this.
const fn goes_on(fate: &Fate) -> bool {
    match fate {
        Fate::Retry { .. } | Fate::Park { .. } | Fate::Unknown { .. } => true,
        Fate::Accepted { .. } | Fate::End { .. } => false,
    }
}

/// A hold over a whole number leaves the job free for the others of its pool: it is not parked, and lies due until
/// some number is able.
fn unpark(fate: Fate, hold: Option<&HoldOrder>, now: Now) -> Fate {
    let whole = hold.is_some_and(|order| order.cover.is_whole() && covers_numbers(order.cover.scope));
    match fate {
        Fate::Park { reason, code } if whole => Fate::Retry { due: now.wall, reason, code, charged: false },
        Fate::Park { .. } | Fate::Accepted { .. } | Fate::Retry { .. } | Fate::End { .. } | Fate::Unknown { .. } => {
            fate
        }
    }
}

/// Whether a hold of this scope makes numbers unable, whatever the job.
pub const fn covers_numbers(scope: Scope) -> bool {
    match scope {
        Scope::Everything | Scope::Credential | Scope::Portfolio | Scope::Waba | Scope::Number => true,
        Scope::Template | Scope::Recipient | Scope::Campaign | Scope::Quota => false,
    }
}
