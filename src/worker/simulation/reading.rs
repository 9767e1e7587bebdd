//! What a simulated answer does to its job and to holds: few codes, but every kind of fate.

use rand::Rng;
use rand::rngs::SmallRng;

use crate::clock::Now;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::job::Job;
use crate::ledger::{Account, Admission, Fate};
use crate::outcome::{Outcome, Reason, Refusal, State};

use super::making::ms;

/// Meta's codes as this Meta uses them.
pub(super) const BUSY: u32 = 131_016;
pub(super) const THROTTLED: u32 = 130_429;
pub(super) const UNDELIVERABLE: u32 = 131_026;
pub(super) const NUMBER_SICK: u32 = 131_057;
pub(super) const CREDENTIAL_SICK: u32 = 190;
pub(super) const TEMPLATE_SICK: u32 = 132_015;

/// So many tries that count, and no more.
const TRIES: u32 = 8;

pub(super) struct Reading {
    pub fate: Fate,
    pub hold: Option<HoldOrder>,
    pub fault: Option<bool>,
    pub throttled: bool,
}

pub(super) const fn covers_numbers(scope: Scope) -> bool {
    match scope {
        Scope::Everything | Scope::Credential | Scope::Portfolio | Scope::Waba | Scope::Number => true,
        Scope::Template | Scope::Recipient | Scope::Campaign | Scope::Quota => false,
    }
}

/// What was tried.
pub(super) struct Tried<'a> {
    pub admission: &'a Admission,
    pub job: &'a Job,
    pub account: &'a Account,
}

pub(super) fn read(outcome: &Outcome, tried: &Tried<'_>, rng: &mut SmallRng, now: Now) -> Reading {
    let plain = |fate, fault| Reading { fate, hold: None, fault, throttled: false };
    let again = |reason, charged, rng: &mut SmallRng| {
        let due = now.wall + ms(rng.random_range(0..800));
        Fate::Retry { due, reason, code: None, charged }
    };
    match outcome {
        Outcome::Accepted { wamid, held_for_quality } => {
            let fate = Fate::Accepted { wamid: wamid.clone(), held_for_quality: *held_for_quality };
            plain(fate, Some(false))
        }
        Outcome::NotSent(cause) => plain(again(cause.reason(), false, rng), None),
        Outcome::Unknown(cause) => plain(Fate::Unknown { cause: *cause, until: now.wall + ms(1_000) }, Some(true)),
        Outcome::Refused(refusal) => refused(refusal, tried, rng, now),
    }
}

fn refused(refusal: &Refusal, tried: &Tried<'_>, rng: &mut SmallRng, now: Now) -> Reading {
    let Tried { admission, job, account } = tried;
    let code = refusal.code.expect("this Meta always names its code");
    let retry =
        |wait_ms: u64, reason, charged| Fate::Retry { due: now.wall + ms(wait_ms), reason, code: Some(code), charged };
    let end = |reason| Fate::End { state: State::Failed, reason, code: Some(code), details: String::new() };
    let order = |cover, reason| {
        let (who, until) = (format!("meta:{code}"), Some(now.wall + ms(700)));
        Some(HoldOrder { cover, effect: Effect::Wait, reason, who, until, probe: true })
    };
    let (fate, hold, fault, throttled) = match code {
        BUSY if admission.tries() >= TRIES => (end(Reason::AttemptsExhausted), None, Some(true), false),
        BUSY => (retry(rng.random_range(0..1_500), Reason::ServiceUnavailable, true), None, Some(true), false),
        THROTTLED => (retry(rng.random_range(0..500), Reason::Throughput, false), None, None, true),
        UNDELIVERABLE => (end(Reason::NotOnWhatsapp), None, None, false),
        NUMBER_SICK => {
            let cover = Cover::of(Scope::Number, admission.number().as_str());
            (retry(0, Reason::Maintenance, false), order(cover, Reason::Maintenance), Some(true), false)
        }
        CREDENTIAL_SICK => {
            let cover = Cover::of(Scope::Credential, account.credential.as_str());
            (retry(0, Reason::Credentials, false), order(cover, Reason::Credentials), None, false)
        }
        TEMPLATE_SICK => {
            let template = job.message.template.as_ref().expect("every simulated job has one");
            let cover = Cover::of(Scope::Template, format!("{}/{}", template.name, template.language));
            let fate = Fate::Park { reason: Reason::TemplatePaused, code: Some(code) };
            (fate, order(cover, Reason::TemplatePaused), None, false)
        }
        other => panic!("this Meta has no code {other}"),
    };
    Reading { fate, hold, fault, throttled }
}
