//! What a failed status means: for its job by the same table as an answer, and for everyone who would fail alike.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::graph::holding::Subjects;
use crate::graph::rule::{CodeFate, CodeRow};
use crate::graph::{Path, codes};
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::job::NumberId;
use crate::ledger::{Failure, JobFacts};
use crate::outcome::{Reason, Refusal, State};
use crate::webhook::notice::{MetaError, Status};

/// As an answer a bad request; in a webhook: Meta held the message back to see how the portfolio's messages are taken,
/// and dropped it («Business portfolio pacing», page of 2026-05-21).
const PACED: u32 = 135_000;
/// A person must look at it; a probe an hour notices that they have.
const PACED_PROBE: Duration = Duration::from_secs(3_600);

/// The path of the request is forgotten; where it matters, the job had its answer by it already.
fn row(error: &MetaError) -> Option<&'static CodeRow> {
    error.code.and_then(|code| codes::lookup(Path::Messages, code, None))
}

/// Whether such a failure says something of others than its job.
pub(super) fn places_hold(error: &MetaError) -> bool {
    error.code == Some(PACED) || row(error).is_some_and(|row| row.hold.is_some())
}

/// What becomes of the job. It has ended with Meta's acceptance, and is not tried again by us: whether the app might,
/// the table's fate says. What would go again, or wait for a hold, may be sent anew; what the table ends would fail
/// anew, also after the day of a marketing limit, since Meta may refuse it every day.
pub(super) fn of(error: MetaError) -> Failure {
    let MetaError { code, details } = &error;
    let (state, reason, retryable) = match row(&error) {
        _ if *code == Some(PACED) => (State::Failed, Reason::PortfolioPacing, true),
        Some(row) => match row.fate {
            CodeFate::End(state) => (state, row.reason, false),
            CodeFate::WaitForHold | CodeFate::Retry { .. } => (State::Failed, row.reason, true),
        },
        None => (State::Failed, Reason::Unlisted, false),
    };
    Failure { state, reason, code: *code, details: details.clone(), retryable }
}

/// The hold that a failure means, counted from when it happened: told again a week later, it is over.
pub(super) fn order(error: &MetaError, status: &Status, facts: &JobFacts, now: Timestamp) -> Option<HoldOrder> {
    let from = status.at.min(now);
    if error.code == Some(PACED) {
        return Some(HoldOrder {
            cover: Cover::of(Scope::Portfolio, ""),
            effect: Effect::Wait,
            reason: Reason::PortfolioPacing,
            who: format!("meta:{PACED}"),
            until: Some(from + PACED_PROBE),
            probe: true,
        });
    }
    let row = row(error)?;
    let subjects = Subjects {
        // Which token it was, only the worker knew; its own sends meet the same refusal.
        credential: None,
        waba: &status.waba,
        number: status.number.as_ref().or(facts.number.as_ref()).map(NumberId::as_str),
        recipient: &facts.recipient,
        category: facts.category,
        template: facts.template.as_deref(),
    };
    let details = String::new();
    let refusal = Refusal { code: error.code, subcode: None, http: 200, transient: false, details, regain: None };
    // A forgotten person's job names nobody.
    let order = subjects.order(row.hold?, row.reason, &refusal, from)?;
    (order.cover.scope != Scope::Recipient || !order.cover.subject.is_empty()).then_some(order)
}
