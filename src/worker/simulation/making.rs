//! Makes what simulations need: names, jobs, numbers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::clock::{Mono, Now, Timestamp};
use crate::hold::{Cover, Effect, Hold, HoldId};
use crate::job::{
    Category, Digest, From, Job, JobKey, Message, NumberId, OnUnknown, PoolName, Priority, Recipient, TemplateRef,
};
use crate::ledger::{Account, Fence, Route, Routed};
use crate::outcome::Reason;
use crate::worker::index::PoolIdx;
use crate::worker::lane::Delivery;
use crate::worker::number::{NumberSpec, Tenure};
use crate::worker::pacer::Limit;

/// The margin of every simulated number: the network's jitter stays below it.
pub(super) const MARGIN: Duration = Duration::from_millis(8);
/// The wall clock when virtual time is zero.
const EPOCH_MS: i64 = 1_800_000_000_000;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Both clocks at a moment of virtual time.
pub(super) fn at(virtual_time: Duration) -> Now {
    let ns = u64::try_from(virtual_time.as_nanos()).expect("simulations are short");
    Now { mono: Mono::from_nanos(ns), wall: wall(virtual_time) }
}

pub(super) fn wall(virtual_time: Duration) -> Timestamp {
    Timestamp::from_millis(EPOCH_MS) + virtual_time
}

pub(super) fn pool_name(pool: usize) -> PoolName {
    format!("pool{pool}").parse().expect("a name")
}

pub(super) fn number_id(number: usize) -> NumberId {
    (1_000 + number).to_string().parse().expect("digits")
}

pub(super) fn spec(number: usize, pool: PoolIdx, per_second: u32) -> NumberSpec {
    let count = NonZeroU32::new(per_second).expect("not zero");
    NumberSpec {
        id: number_id(number),
        display: number.to_string(),
        pool,
        account: account(number),
        limit: Limit::per_second(count),
    }
}

/// Three numbers share a credential, and all of those an account.
pub(super) fn account(number: usize) -> Arc<Account> {
    let credential = format!("token{}", number / 3);
    Arc::new(Account { credential, waba: format!("waba{}", number / 3), portfolio: "p".to_owned() })
}

pub(super) fn tenure(fence: i64, until: Duration) -> Tenure {
    Tenure { fence: Fence(fence), until: at(until).mono }
}

/// What a simulated job says; the rest is the same for all.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub pool: usize,
    pub pinned: Option<usize>,
    pub priority: Priority,
    pub template: usize,
    /// Instead of the template.
    pub is_free_form: bool,
    pub on_unknown: OnUnknown,
    pub expires_at: Timestamp,
    /// Who gets it; somebody else with each job if not said.
    pub person: Option<u64>,
}

impl Draft {
    pub(super) fn of(pool: usize, priority: Priority) -> Self {
        let (template, on_unknown) = (0, OnUnknown::Leave);
        let (is_free_form, expires_at) = (false, Timestamp::MAX);
        Self { pool, pinned: None, priority, template, is_free_form, on_unknown, expires_at, person: None }
    }

    pub(super) fn free_form(self) -> Self {
        Self { is_free_form: true, ..self }
    }

    pub(super) fn pinned(self, number: usize) -> Self {
        Self { pinned: Some(number), ..self }
    }

    pub(super) fn to(self, person: u64) -> Self {
        Self { person: Some(person), ..self }
    }

    pub(super) fn routed(&self, seq: u64) -> Routed {
        let mut key = [0; 16];
        key[8..].copy_from_slice(&seq.to_be_bytes());
        let name = format!("t{}", self.template);
        let template = (!self.is_free_form).then(|| TemplateRef { name, language: "en".to_owned() });
        let kind = if self.is_free_form { "text" } else { "template" };
        let json = RawValue::from_string("{}".to_owned()).expect("JSON");
        let job = Job {
            key: JobKey::from_bytes(key),
            id: seq.to_string().parse().expect("digits"),
            source: None,
            digest: Digest::from_bytes(key),
            from: From::Pool(pool_name(self.pool)),
            priority: self.priority,
            to: phone(self.person.unwrap_or(1_000_000 + seq)),
            message: Message { kind: kind.to_owned(), template, json },
            category: if self.template.is_multiple_of(2) { Category::Utility } else { Category::Marketing },
            campaign: None,
            not_before: None,
            expires_at: self.expires_at,
            deliver_within: None,
            on_unknown: self.on_unknown,
            marketing: None,
            metadata: None,
            enqueued_at: Timestamp::from_millis(EPOCH_MS),
        };
        let route = Route { pool: pool_name(self.pool), pinned: self.pinned.map(number_id) };
        Routed { job: Arc::new(job), route }
    }

    pub(super) fn delivery(&self, seq: u64, due_at: Option<Timestamp>) -> Delivery {
        Delivery { routed: self.routed(seq), due_at, ticket: None, bytes: 100 }
    }
}

fn phone(person: u64) -> Recipient {
    format!("+4477{:08}", person % 100_000_000).parse().expect("a phone number")
}

/// The number that [`Draft::routed`] was given.
pub(super) fn seq_of(key: JobKey) -> u64 {
    u64::from_be_bytes(key.as_bytes()[8..].try_into().expect("eight bytes"))
}

pub(super) fn hold(id: i64, cover: Cover, until: Option<Timestamp>, probe: bool) -> Hold {
    Hold {
        id: HoldId(id),
        cover,
        effect: Effect::Wait,
        reason: Reason::Operator,
        who: "simulation".to_owned(),
        since: Timestamp::from_millis(0),
        until,
        probe,
        step: 1,
    }
}
