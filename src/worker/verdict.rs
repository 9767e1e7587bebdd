//! What an outcome means: for the job, for its number, and for everyone who would meet the same answer.
//!
//! Pure. The table of codes is [`graph::codes`](crate::graph::codes); here its rows meet one attempt.

use std::time::Duration;

use rand::Rng;

use super::retry::{self, Retries};
use crate::clock::Timestamp;
use crate::graph::holding::Subjects;
use crate::graph::rule::{After, CodeFate, HoldRule};
use crate::graph::{Path, codes};
use crate::hold::HoldOrder;
use crate::job::{Category, Job, NumberId};
use crate::ledger::{Account, Fate, UnknownWait};
use crate::outcome::{NotSentCause, Outcome, Reason, Refusal, State, UnknownCause};

/// What deciding looks at besides the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The job.
    pub job: &'a Job,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// How many earlier attempts were charged.
    pub tries: u32,
    /// The number that tried.
    pub number: &'a NumberId,
    /// Whose it is.
    pub account: &'a Account,
    /// Backoff and budget.
    pub retries: Retries,
    /// How long an unknown outcome waits for news.
    pub unknown: UnknownWait,
    /// When the outcome came.
    pub now: Timestamp,
}

/// What is to be done about an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the job.
    pub fate: Fate,
    /// What else must not be sent for now.
    pub hold: Option<HoldOrder>,
    /// What it says of the number.
    pub health: Health,
    /// The number was too fast: its pace must fall.
    pub throttled: bool,
}

/// What an outcome says of the number that tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Good,
    /// It, or Meta behind it, failed.
    NumberFault,
    /// Nothing: the job's own fault, a limit, or the way there.
    Neutral,
}

impl Health {
    /// Whether it speaks against the number (`true`), for it, or neither.
    pub const fn fault(self) -> Option<bool> {
        match self {
            Self::Good => Some(false),
            Self::NumberFault => Some(true),
            Self::Neutral => None,
        }
    }
}

/// What a refusal came with, for the job's record.
struct Told {
    reason: Reason,
    code: Option<u32>,
    details: String,
}

/// Decides what an outcome means. The job's own budgets come last: what would be tried again too late, or too often,
/// ends.
pub fn decide(outcome: Outcome, context: &Context<'_>, rng: &mut impl Rng) -> Verdict {
    match outcome {
        Outcome::Accepted { wamid, held_for_quality } => {
            Verdict::of(Fate::Accepted { wamid, held_for_quality }, Health::Good)
        }
        Outcome::Refused(refusal) => refused(refusal, context, rng),
        Outcome::NotSent(cause) => not_sent(cause, context, rng),
        Outcome::Unknown(cause) => unknown(cause, context),
    }
}

fn refused(refusal: Refusal, context: &Context<'_>, rng: &mut impl Rng) -> Verdict {
    let row = refusal.code.and_then(|code| codes::lookup(Path::of(context.job), code, refusal.subcode));
    let hold = row.and_then(|row| row.hold.map(|rule| (rule, row.reason)));
    let order = hold.and_then(|(rule, reason)| context.order(rule, reason, &refusal));
    let fate = match (row, refusal.code) {
        (Some(row), _) => row.fate,
        (None, Some(_)) => codes::unlisted(refusal.http, refusal.transient),
        // A server in front of Meta was too busy. 429 is a throttle, and throttles are not charged.
        (None, None) => CodeFate::Retry { few: None, after: After::Backoff, charged: refusal.http != 429 },
    };
    let reason = match (row, refusal.code) {
        (Some(row), _) => row.reason,
        (None, Some(_)) => Reason::Unlisted,
        (None, None) => Reason::NotTaken,
    };
    let throttled = reason == Reason::Throughput || refusal.http == 429 && refusal.code.is_none();
    let regain = refusal.regain;
    let told = Told { reason, code: refusal.code, details: refusal.details };
    let (fate, health) = match fate {
        CodeFate::End(state) => (told.end(state, reason), Health::Neutral),
        CodeFate::WaitForHold if order.is_some() => (Fate::Park { reason, code: told.code }, Health::Neutral),
        // Its hold has nothing to cover, as with a flow outside a template: the job alone waits as long.
        CodeFate::WaitForHold => {
            let wait = hold.map_or(context.retries.cap, |(rule, _)| rule.lasts.time(regain));
            (context.again(retry::about(wait, rng), false, told), Health::Neutral)
        }
        CodeFate::Retry { few, after, charged } => {
            let tries = context.tries.saturating_add(u32::from(charged));
            let most = few.map_or(context.retries.attempts, |few| few.min(context.retries.attempts));
            let wait = match after {
                After::Backoff => context.retries.delay(if charged { tries } else { context.attempt }, rng),
                After::About(wait) => retry::about(wait, rng),
                After::Pair => retry::pair_delay(context.attempt.saturating_sub(1)),
            };
            let health = if charged { Health::NumberFault } else { Health::Neutral };
            let fate = if charged && tries >= most {
                let reason = if few.is_some_and(|few| tries >= few) { reason } else { Reason::AttemptsExhausted };
                told.end(State::Failed, reason)
            } else {
                context.again(wait.max(regain.unwrap_or_default()), charged, told)
            };
            (fate, health)
        }
    };
    Verdict { fate, hold: order, health, throttled }
}

fn not_sent(cause: NotSentCause, context: &Context<'_>, rng: &mut impl Rng) -> Verdict {
    let wait = match cause {
        // Another worker takes it up, or this one after its start.
        NotSentCause::Draining => Duration::ZERO,
        NotSentCause::NotConnected
        | NotSentCause::WriteStalled
        | NotSentCause::ClosedBeforeWrite
        | NotSentCause::LastLook => retry::unsent_delay(context.attempt, rng),
    };
    let told = Told { reason: cause.reason(), code: None, details: String::new() };
    Verdict::of(context.again(wait, false, told), Health::Neutral)
}

fn unknown(cause: UnknownCause, context: &Context<'_>) -> Verdict {
    let wait = match context.job.category {
        Category::Authentication => context.unknown.authentication,
        Category::Marketing | Category::Utility | Category::Service => context.unknown.others,
    };
    let left = context.job.expires_at.since(context.now);
    let until = context.now + wait.min(left / 4);
    Verdict::of(Fate::Unknown { cause, until }, Health::NumberFault)
}

impl Verdict {
    fn of(fate: Fate, health: Health) -> Self {
        Self { fate, hold: None, health, throttled: false }
    }
}

impl Told {
    fn end(self, state: State, reason: Reason) -> Fate {
        Fate::End { state, reason, code: self.code, details: self.details }
    }
}

impl Context<'_> {
    /// Another try after a wait, if the job lives that long.
    fn again(&self, wait: Duration, charged: bool, told: Told) -> Fate {
        let due = self.now + wait;
        if due >= self.job.expires_at {
            return told.end(State::Expired, Reason::TooLate);
        }
        Fate::Retry { due, reason: told.reason, code: told.code, charged }
    }

    /// The hold of a row, for this attempt; none if the attempt has nothing that it could cover.
    fn order(&self, rule: HoldRule, reason: Reason, refusal: &Refusal) -> Option<HoldOrder> {
        let template = self.job.message.template.as_ref();
        let template = template.map(|template| format!("{}/{}", template.name, template.language));
        let subjects = Subjects {
            credential: Some(&self.account.credential),
            waba: &self.account.waba,
            number: Some(self.number.as_str()),
            recipient: self.job.to.expose(),
            category: self.job.category,
            template: template.as_deref(),
        };
        subjects.order(rule, reason, refusal, self.now)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use serde_json::{Value, json};

    use super::*;
    use crate::graph::samples;
    use crate::hold::{Cover, Effect};

    const NOW: Timestamp = Timestamp::from_millis(100_000);
    /// In seconds, of the sample job.
    const LIFE: u64 = 86_400;

    struct Case {
        job: Value,
        attempt: u32,
        tries: u32,
        waba: &'static str,
    }

    impl Default for Case {
        fn default() -> Self {
            Self { job: json!({}), attempt: 1, tries: 0, waba: "waba-1" }
        }
    }

    impl Case {
        fn decide(&self, outcome: Outcome) -> Verdict {
            let mut fields = json!({"expires_at": (NOW + seconds(LIFE)).as_millis()});
            for (name, value) in self.job.as_object().expect("an object") {
                fields[name] = value.clone();
            }
            let account =
                Account { credential: "main".to_owned(), waba: self.waba.to_owned(), portfolio: String::new() };
            let context = Context {
                job: &samples::job(fields),
                attempt: self.attempt,
                tries: self.tries,
                number: &"17".parse().expect("a number id"),
                account: &account,
                retries: Retries { base: seconds(1), cap: seconds(300), attempts: 8 },
                unknown: UnknownWait { authentication: seconds(10), others: seconds(60), silence: seconds(300) },
                now: NOW,
            };
            decide(outcome, &context, &mut SmallRng::seed_from_u64(7))
        }

        fn refused(&self, code: u32) -> Verdict {
            self.decide(Outcome::Refused(Refusal { code: Some(code), ..busy(400) }))
        }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn busy(http: u16) -> Refusal {
        Refusal { code: None, subcode: None, http, transient: false, details: "said".to_owned(), regain: None }
    }

    fn cover(verdict: &Verdict) -> String {
        let order = verdict.hold.as_ref().expect("a hold");
        let Cover { scope, subject, category, country } = &order.cover;
        let parts = [Some(scope.to_string()), Some(subject.clone()), category.map(|c| c.to_string()), country.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn wait(verdict: &Verdict) -> Duration {
        match &verdict.fate {
            Fate::Retry { due, .. } => due.since(NOW),
            Fate::Accepted { .. } | Fate::Park { .. } | Fate::End { .. } | Fate::Unknown { .. } => {
                panic!("{verdict:?}")
            }
        }
    }

    fn ended(state: State, reason: Reason, code: Option<u32>) -> Fate {
        Fate::End { state, reason, code, details: "said".to_owned() }
    }

    #[test]
    fn an_acceptance_speaks_for_the_number() {
        let verdict = Case::default().decide(Outcome::Accepted { wamid: "wamid.1".to_owned(), held_for_quality: true });
        assert_eq!(verdict.fate, Fate::Accepted { wamid: "wamid.1".to_owned(), held_for_quality: true });
        assert_eq!((verdict.health, verdict.hold, verdict.throttled), (Health::Good, None, false));
    }

    #[test]
    fn a_hold_covers_what_the_code_speaks_of() {
        let authentication = json!({"category": "authentication"});
        let by_user_id = json!({"to": "US.13491208655302741918"});
        let cases: &[(u32, &Value, &str, Option<&str>)] = &[
            (190, &Value::Null, "waba-1", Some("credential main")),
            (368, &Value::Null, "waba-1", Some("waba waba-1")),
            (368, &Value::Null, "", Some("number 17")),
            (131_048, &Value::Null, "waba-1", Some("number 17")),
            (132_015, &Value::Null, "waba-1", Some("template spring/en_US")),
            (130_497, &Value::Null, "waba-1", Some("waba waba-1 44")),
            (130_497, &Value::Null, "", Some("number 17 44")),
            (130_497, &by_user_id, "waba-1", None),
            (131_063, &Value::Null, "waba-1", Some("waba waba-1 marketing")),
            (131_063, &authentication, "waba-1", Some("template spring/en_US")),
            (131_049, &Value::Null, "waba-1", Some("recipient +447700900123 marketing")),
            (130_403, &Value::Null, "waba-1", Some("recipient +447700900123")),
            (131_026, &Value::Null, "waba-1", None),
            (130_429, &Value::Null, "waba-1", None),
        ];
        for (code, job, waba, expected) in cases {
            let job = if job.is_null() { json!({}) } else { (*job).clone() };
            let verdict = Case { job, waba, ..Case::default() }.refused(*code);
            assert_eq!(verdict.hold.is_some().then(|| cover(&verdict)).as_deref(), *expected, "{code}");
        }
    }

    #[test]
    fn a_hold_says_who_placed_it_and_how_it_ends() {
        let order = |code, regain| {
            let refusal = Refusal { code: Some(code), regain, ..busy(400) };
            Case::default().decide(Outcome::Refused(refusal)).hold.expect("a hold")
        };
        let credentials = order(190, None);
        assert_eq!((credentials.who.as_str(), credentials.reason), ("meta:190", Reason::Credentials));
        let cases = [
            (190, None, Some(60), true, Effect::Wait),
            (80_007, None, Some(600), true, Effect::Wait),
            (80_007, Some(seconds(1_800)), Some(1_800), true, Effect::Wait),
            (131_049, None, Some(86_400), false, Effect::Wait),
            (131_050, None, None, false, Effect::End),
            (132_016, None, None, false, Effect::End),
        ];
        for (code, regain, lasts, probe, effect) in cases {
            let order = order(code, regain);
            let until = lasts.map(|lasts| NOW + seconds(lasts));
            assert_eq!((order.until, order.probe, order.effect), (until, probe, effect), "{code}");
        }
    }

    #[test]
    fn every_row_of_the_table_makes_a_verdict() {
        for row in codes::TABLE {
            let job = match row.path {
                Some(Path::MarketingMessages) => json!({"marketing": {}}),
                Some(Path::Messages) | None => json!({}),
            };
            let refusal = Refusal { code: Some(row.first), subcode: row.subcode, ..busy(400) };
            let verdict = Case { job, ..Case::default() }.decide(Outcome::Refused(refusal));
            let code = Some(row.first);
            match row.fate {
                CodeFate::End(state) => assert_eq!(verdict.fate, ended(state, row.reason, code)),
                CodeFate::WaitForHold => assert_eq!(verdict.fate, Fate::Park { reason: row.reason, code }),
                CodeFate::Retry { charged, .. } => {
                    assert!(wait(&verdict) <= seconds(900), "{row:?}");
                    let due = NOW + wait(&verdict);
                    assert_eq!(verdict.fate, Fate::Retry { due, reason: row.reason, code, charged });
                }
            }
            assert_eq!(verdict.hold.is_some(), row.hold.is_some(), "{row:?}");
            assert_eq!(verdict.throttled, row.reason == Reason::Throughput, "{row:?}");
            let charged = matches!(row.fate, CodeFate::Retry { charged: true, .. });
            assert_eq!(verdict.health == Health::NumberFault, charged, "{row:?}");
        }
    }

    #[test]
    fn a_hold_with_nothing_to_cover_makes_the_job_wait_alone() {
        let flow = json!({"message": {"type": "interactive"}, "category": "service"});
        let verdict = Case { job: flow, ..Case::default() }.refused(132_069);
        assert_eq!(verdict.hold, None);
        assert!((seconds(3_600)..=seconds(5_400)).contains(&wait(&verdict)), "{verdict:?}");
        assert!(matches!(verdict.fate, Fate::Retry { charged: false, .. }));
    }

    #[test]
    fn throttles_wait_briefly_and_are_never_charged() {
        for attempt in [1, 9, 1_000] {
            let verdict = Case { attempt, ..Case::default() }.refused(130_429);
            assert!((Duration::from_millis(500)..=Duration::from_millis(750)).contains(&wait(&verdict)));
            assert!(matches!(verdict.fate, Fate::Retry { charged: false, .. }));
        }
        for (attempt, expected) in [(1, 1), (2, 4), (4, 64), (40, 3_600)] {
            let verdict = Case { attempt, ..Case::default() }.refused(131_056);
            assert_eq!(wait(&verdict), seconds(expected));
            assert!(matches!(verdict.fate, Fate::Retry { charged: false, .. }));
        }
    }

    #[test]
    fn a_busy_server_took_nothing() {
        for (http, charged, throttled) in [(503, true, false), (429, false, true)] {
            let verdict = Case::default().decide(Outcome::Refused(busy(http)));
            let due = NOW + wait(&verdict);
            assert_eq!(verdict.fate, Fate::Retry { due, reason: Reason::NotTaken, code: None, charged });
            assert_eq!(verdict.throttled, throttled);
            let asked = Refusal { regain: Some(seconds(40)), ..busy(http) };
            assert_eq!(wait(&Case::default().decide(Outcome::Refused(asked))), seconds(40));
        }
    }

    #[test]
    fn charged_tries_run_out() {
        let verdict = |tries, code| Case { tries, ..Case::default() }.refused(code).fate;
        assert!(matches!(verdict(6, 131_000), Fate::Retry { charged: true, .. }));
        assert_eq!(verdict(7, 131_000), ended(State::Failed, Reason::AttemptsExhausted, Some(131_000)));
        assert!(matches!(verdict(1, 1), Fate::Retry { charged: true, .. }));
        assert_eq!(verdict(2, 1), ended(State::Failed, Reason::MetaUnknown, Some(1)));
        // Throttled ones do not.
        assert!(matches!(verdict(7, 130_429), Fate::Retry { charged: false, .. }));
    }

    #[test]
    fn an_unlisted_code_fails_unless_meta_may_be_at_fault() {
        assert_eq!(Case::default().refused(999).fate, ended(State::Failed, Reason::Unlisted, Some(999)));
        let transient = Refusal { code: Some(999), transient: true, ..busy(400) };
        let verdict = Case::default().decide(Outcome::Refused(transient));
        assert!(matches!(verdict.fate, Fate::Retry { reason: Reason::Unlisted, charged: true, .. }));
    }

    #[test]
    fn what_would_go_again_too_late_expires() {
        let short = Case { job: json!({"expires_at": (NOW + seconds(3)).as_millis()}), attempt: 2, ..Case::default() };
        assert_eq!(short.refused(131_056).fate, ended(State::Expired, Reason::TooLate, Some(131_056)));
        let over = Case { job: json!({"expires_at": NOW.as_millis()}), ..Case::default() };
        let expired = Fate::End { state: State::Expired, reason: Reason::TooLate, code: None, details: String::new() };
        for cause in NotSentCause::ALL {
            assert_eq!(over.decide(Outcome::NotSent(*cause)).fate, expired);
        }
    }

    #[test]
    fn what_was_not_sent_goes_again_uncharged_after_a_growing_wait() {
        for cause in NotSentCause::ALL {
            let longest = |attempt| {
                let verdict = Case { attempt, ..Case::default() }.decide(Outcome::NotSent(*cause));
                assert!(
                    matches!(verdict.fate, Fate::Retry { reason, code: None, charged: false, .. } if reason == cause.reason())
                );
                assert_eq!((verdict.health, verdict.hold.is_none()), (Health::Neutral, true));
                wait(&verdict)
            };
            assert!(longest(1) <= Duration::from_millis(50));
            assert!(longest(1_000) <= seconds(10));
            assert_eq!(longest(12) > longest(1), *cause != NotSentCause::Draining, "{cause}");
        }
    }

    #[test]
    fn an_unknown_waits_at_most_a_quarter_of_its_life() {
        let cases = [
            ("authentication", LIFE, 10),
            ("utility", LIFE, 60),
            ("service", LIFE, 60),
            ("marketing", LIFE, 60),
            ("authentication", 20, 5),
            ("marketing", 100, 25),
            ("marketing", 0, 0),
        ];
        for (category, life, expected) in cases {
            for cause in UnknownCause::ALL {
                let job = json!({"category": category, "expires_at": (NOW + seconds(life)).as_millis()});
                let verdict = Case { job, ..Case::default() }.decide(Outcome::Unknown(*cause));
                let until = NOW + seconds(expected);
                assert_eq!(verdict.fate, Fate::Unknown { cause: *cause, until }, "{category} {life}");
                assert_eq!(verdict.health.fault(), Some(true));
            }
        }
    }
}
