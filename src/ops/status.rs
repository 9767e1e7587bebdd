//! What the worker says of itself about once a second, as plain facts: the page, `/status.json` and `/readyz` read it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::hold::{Effect, Hold, Scope};
use crate::job::Priority;
use crate::metrics::Rating;
use crate::outcome::{Reason, State};

use super::why::Why;

/// How everything stands at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusSnapshot {
    /// The moment.
    pub at: Timestamp,
    /// When the process started.
    pub started_at: Timestamp,
    /// This build.
    pub version: &'static str,
    /// What must be well for the worker to be of use.
    pub parts: Vec<PartStatus>,
    /// The numbers it knows, able or not.
    pub numbers: Vec<NumberStatus>,
    /// What it has in hand, by lane.
    pub lanes: Vec<LaneStatus>,
    /// Waiting jobs in the ledger, by why they wait.
    pub waiting: BTreeMap<Reason, u64>,
    /// Jobs in the ledger, by where they stand.
    pub jobs: BTreeMap<State, u64>,
    /// Dead jobs that lie there for a person to look at.
    pub dead: u64,
    /// What blocks the way.
    pub holds: Vec<HoldStatus>,
    /// How the ledger does.
    pub ledger: LedgerStatus,
}

/// One part that must be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartStatus {
    /// Its name: `ledger`, `queue`, `numbers`.
    pub name: &'static str,
    /// What is wrong with it; none: it is well.
    pub problem: Option<String>,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumberStatus {
    /// The name that people know it by.
    pub display: String,
    /// The pool it sends for.
    pub pool: String,
    /// What Meta says of its quality.
    pub quality: Rating,
    /// What Meta says of its state: `CONNECTED`, `FLAGGED`; empty if not read.
    pub status: String,
    /// Why it may not send; none: it may.
    pub blocked: Option<Reason>,
    /// Until when it may not, where that is known.
    pub blocked_until: Option<Timestamp>,
    /// Messages a second it sends now.
    pub rate: f64,
    /// Messages a second it may send.
    pub rate_limit: f64,
    /// Why it does not send more.
    pub why: Why,
    /// Permits that could be taken at once.
    pub tokens: f64,
    /// Jobs admitted for it that have not left yet.
    pub admitted: u64,
    /// Requests that are not answered yet.
    pub in_flight: u64,
}

/// What the worker has in hand of one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// Its pool.
    pub pool: String,
    /// Its priority.
    pub priority: Priority,
    /// Jobs taken from it and not settled.
    pub in_hand: u64,
    /// When the oldest of them was published.
    pub oldest: Option<Timestamp>,
}

/// One hold, without a recipient's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// The ledger's number of it.
    pub id: i64,
    /// What kind of thing it covers.
    pub scope: Scope,
    /// Which one, and which part of it.
    pub subject: String,
    /// What becomes of jobs that meet it.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Who placed it.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none: a webhook or a person ends it.
    pub until: Option<Timestamp>,
}

/// How the ledger does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerStatus {
    /// Which: `sqlite:PATH`, without credentials.
    pub url: String,
    /// Whether it answers.
    pub up: bool,
    /// What its last commits took, in the middle.
    pub commit_ms: f64,
    /// Calls that wait for its next commit.
    pub backlog: u64,
}

impl StatusSnapshot {
    /// Before the worker has published anything: not ready, and says so.
    pub fn starting(now: Timestamp) -> Self {
        Self {
            at: now,
            started_at: now,
            version: env!("CARGO_PKG_VERSION"),
            parts: vec![PartStatus::broken("start", "still starting")],
            numbers: Vec::new(),
            lanes: Vec::new(),
            waiting: BTreeMap::new(),
            jobs: BTreeMap::new(),
            dead: 0,
            holds: Vec::new(),
            ledger: LedgerStatus { url: String::new(), up: false, commit_ms: 0.0, backlog: 0 },
        }
    }
}

impl PartStatus {
    /// It is well.
    pub fn well(name: &'static str) -> Self {
        Self { name, problem: None }
    }

    /// It is not, and this is why.
    pub fn broken(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: Some(problem.into()) }
    }
}

impl From<&Hold> for HoldStatus {
    fn from(hold: &Hold) -> Self {
        let cover = &hold.cover;
        let mut subject = match cover.scope {
            Scope::Recipient => masked(&cover.subject),
            Scope::Everything
            | Scope::Credential
            | Scope::Portfolio
            | Scope::Waba
            | Scope::Number
            | Scope::Template
            | Scope::Campaign
            | Scope::Quota => cover.subject.clone(),
        };
        if let Some(category) = cover.category {
            subject.push_str(&format!(" ({category} only)"));
        }
        if let Some(country) = &cover.country {
            subject.push_str(&format!(" (to +{country} only)"));
        }
        Self {
            id: hold.id.0,
            scope: cover.scope,
            subject: subject.trim_start().to_owned(),
            effect: hold.effect,
            reason: hold.reason,
            who: hold.who.clone(),
            since: hold.since,
            until: hold.until,
        }
    }
}

/// The last two characters, which tell two recipients apart well enough.
fn masked(recipient: &str) -> String {
    let skipped = recipient.chars().count().saturating_sub(2);
    format!("…{}", recipient.chars().skip(skipped).collect::<String>())
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hold::{Cover, HoldId};
    use crate::job::Category;

    fn hold(cover: Cover) -> Hold {
        let since = Timestamp::from_millis(0);
        let reason = Reason::OptedOut;
        Hold {
            id: HoldId(4),
            cover,
            effect: Effect::End,
            reason,
            who: "cli:anna".to_owned(),
            since,
            until: None,
            probe: false,
            step: 1,
        }
    }

    /// A worker that has everything to show.
    pub(in crate::ops) fn busy(now: Timestamp) -> StatusSnapshot {
        let ago = |seconds| now - Duration::from_secs(seconds);
        let number = |display: &str, quality, rate| NumberStatus {
            display: display.to_owned(),
            pool: "default".to_owned(),
            quality,
            status: "CONNECTED".to_owned(),
            blocked: None,
            blocked_until: None,
            rate,
            rate_limit: 80.0,
            why: Why::Level,
            tokens: 1.0,
            admitted: 4,
            in_flight: 9,
        };
        let resting = NumberStatus {
            blocked: Some(Reason::Failing),
            blocked_until: Some(now + Duration::from_secs(24)),
            status: "FLAGGED".to_owned(),
            why: Why::Held,
            tokens: 0.0,
            admitted: 0,
            in_flight: 0,
            ..number("+44 20 7946 0003", Rating::Red, 0.0)
        };
        let lane = |priority, in_hand| LaneStatus {
            pool: "default".to_owned(),
            priority,
            in_hand,
            oldest: (in_hand > 0).then(|| ago(3)),
        };
        let paused = Hold {
            id: HoldId(7),
            effect: Effect::Wait,
            reason: Reason::Operator,
            who: "cli:<anna>".to_owned(),
            since: ago(300),
            ..hold(Cover::of(Scope::Campaign, "spring"))
        };
        let opted_out = Hold { since: ago(90_000), ..hold(Cover::of(Scope::Recipient, "+447700900123")) };
        StatusSnapshot {
            at: now,
            started_at: ago(8_000),
            parts: vec![PartStatus::well("ledger"), PartStatus::well("numbers")],
            numbers: vec![
                number("+44 20 7946 0001", Rating::Green, 79.6),
                number("+44 20 7946 0002", Rating::Yellow, 38.2),
                resting,
            ],
            lanes: vec![lane(Priority::Urgent, 1), lane(Priority::High, 0), lane(Priority::Bulk, 412)],
            waiting: [(Reason::PairLimit, 17), (Reason::Held, 2_204), (Reason::NotBefore, 1_000_000)].into(),
            jobs: [(State::Waiting, 1_002_221), (State::Accepted, 184_202), (State::Failed, 31), (State::Unknown, 2)]
                .into(),
            dead: 3,
            holds: vec![HoldStatus::from(&paused), HoldStatus::from(&opted_out)],
            ledger: LedgerStatus {
                url: "sqlite:tidegate-data/ledger.db".to_owned(),
                up: true,
                commit_ms: 0.84,
                backlog: 2,
            },
            ..StatusSnapshot::starting(now)
        }
    }

    #[test]
    fn a_recipients_hold_is_shown_without_the_recipient() {
        let cover = Cover::of(Scope::Recipient, "+447700900123").category(Category::Marketing);
        assert_eq!(HoldStatus::from(&hold(cover)).subject, "…23 (marketing only)");
    }

    #[test]
    fn a_hold_says_which_part_it_covers() {
        let cover = Cover::of(Scope::Waba, "102290129340398").country("44");
        assert_eq!(HoldStatus::from(&hold(cover)).subject, "102290129340398 (to +44 only)");
        assert_eq!(HoldStatus::from(&hold(Cover::of(Scope::Everything, ""))).subject, "");
    }
}
