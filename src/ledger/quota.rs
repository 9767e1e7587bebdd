//! The messaging limit: how many people a portfolio may begin to write to within a moving 24 hours, and who may have a
//! place. Pure; both ledgers count by it.
//!
//! A person has a place as long as one of the messages to them that may have reached Meta is younger than the window.
//! Places are counted by slots of the moment at which the latest such message must have been answered: a slot that is
//! partly over counts whole, so the count is never too low.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::job::{Job, Priority};
use crate::outcome::{Reason, State};

/// The kind under which portfolios lie in the ledger.
pub const PORTFOLIO: &str = "portfolio";
/// The field of a portfolio's row that says how much it may send.
const FIELD: &str = "messaging_limit";
/// Into so many slots the window is cut: a minute each for 24 hours.
const SLOTS: i64 = 1_440;

/// How places are given out, as the configuration has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaRules {
    /// For a portfolio of which Meta has not said any limit; none: without a limit.
    pub limit: Option<u64>,
    /// The share that is kept for `urgent` and `high`.
    pub reserve: f64,
    /// Where the count starts: places that something else has.
    pub used_elsewhere: u64,
    /// How long a person keeps a place: 24 hours at Meta.
    pub window: Duration,
}

/// How many people a portfolio may begin to write to within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessagingLimit {
    /// So many.
    Of(u64),
    /// As many as it likes.
    Unlimited,
}

/// How a portfolio's places stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaRow {
    /// Meta's id of the portfolio; empty where it is not known.
    pub portfolio: String,
    /// How many people it may begin to write to; none: without a limit.
    pub limit: Option<u64>,
    /// How many of these places are taken, those that something else has among them.
    pub taken: u64,
    /// How many of all places are kept for `urgent` and `high`.
    pub reserve: u64,
    /// When a place is free for `normal` and `bulk`, if nothing else changes; none: never, or there is no limit.
    pub ordinary_at: Option<Timestamp>,
    /// The same for `urgent` and `high`.
    pub urgent_at: Option<Timestamp>,
    /// How many jobs wait for one.
    pub parked: u64,
}

impl QuotaRow {
    /// How a portfolio stands of whose places so many are counted in each slot, the earliest first.
    pub(super) fn new(
        (portfolio, limit): (String, Option<u64>),
        slots: &[(i64, u64)],
        parked: u64,
        rules: &QuotaRules,
        now: Timestamp,
    ) -> Self {
        let at = |priority| rules.place_at(limit?, slots, priority, now);
        Self {
            taken: rules.taken(slots.iter().map(|(_, n)| n).sum()),
            reserve: limit.map_or(0, |limit| limit - rules.share(limit, Priority::Bulk)),
            ordinary_at: at(Priority::Bulk),
            urgent_at: at(Priority::Urgent),
            portfolio,
            limit,
            parked,
        }
    }

    /// When a place is free for jobs of this priority.
    pub const fn place_at(&self, priority: Priority) -> Option<Timestamp> {
        match priority {
            Priority::Urgent | Priority::High => self.urgent_at,
            Priority::Normal | Priority::Bulk => self.ordinary_at,
        }
    }
}

impl Default for QuotaRules {
    fn default() -> Self {
        Self { limit: None, reserve: 0.1, used_elsewhere: 0, window: Duration::from_secs(86_400) }
    }
}

impl QuotaRules {
    /// How many places are free for jobs of this priority, with so many counted as taken by us.
    pub fn free(&self, limit: u64, counted: u64, priority: Priority) -> u64 {
        self.share(limit, priority).saturating_sub(self.taken(counted))
    }

    /// How many are taken, with so many counted as taken by us.
    pub const fn taken(&self, counted: u64) -> u64 {
        counted.saturating_add(self.used_elsewhere)
    }

    /// How many of all places jobs of this priority may take.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count of people is positive and small"
    )]
    fn share(&self, limit: u64, priority: Priority) -> u64 {
        match priority {
            Priority::Urgent | Priority::High => limit,
            Priority::Normal | Priority::Bulk => limit - ((limit as f64 * self.reserve).ceil() as u64).min(limit),
        }
    }

    /// When a place is free for jobs of this priority, with so many counted in each slot, the earliest first.
    fn place_at(&self, limit: u64, slots: &[(i64, u64)], priority: Priority, now: Timestamp) -> Option<Timestamp> {
        let mut counted: u64 = slots.iter().map(|(_, n)| n).sum();
        if self.free(limit, counted, priority) > 0 {
            return Some(now);
        }
        slots.iter().find_map(|(slot, n)| {
            counted -= n;
            (self.free(limit, counted, priority) > 0).then(|| self.freed_at(*slot))
        })
    }

    /// The slot in which a place taken until `window` after this moment is counted.
    pub fn slot(&self, at: Timestamp) -> i64 {
        at.as_millis().div_euclid(self.slot_ms())
    }

    /// The first slot that counts now: those before it are over.
    pub fn first_slot(&self, now: Timestamp) -> i64 {
        // The slot of `now - window` ends after that moment, and counts until it has ended too.
        self.slot(Timestamp::from_millis(now.as_millis() - self.window_ms()))
    }

    /// When the places of a slot are free again.
    pub fn freed_at(&self, slot: i64) -> Timestamp {
        Timestamp::from_millis((slot + 1) * self.slot_ms() + self.window_ms())
    }

    /// Whether a place that was taken at this moment still counts.
    pub fn counts(&self, at: Timestamp, now: Timestamp) -> bool {
        self.slot(at) >= self.first_slot(now)
    }

    fn slot_ms(&self) -> i64 {
        (self.window_ms() / SLOTS).max(1)
    }

    fn window_ms(&self) -> i64 {
        i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX / 4).max(1)
    }
}

impl MessagingLimit {
    /// Reads Meta's words: `TIER_250` … `TIER_UNLIMITED`, a count, `-1`. None: it says nothing of a limit.
    pub fn read(said: &Value) -> Option<Self> {
        match said {
            Value::Number(count) => match count.as_i64()? {
                -1 => Some(Self::Unlimited),
                count => u64::try_from(count).ok().map(Self::Of),
            },
            Value::String(word) => Self::of_word(word.trim()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        let tier = word.strip_prefix("TIER_").unwrap_or(word);
        if tier.eq_ignore_ascii_case("unlimited") || tier == "-1" {
            return Some(Self::Unlimited);
        }
        let (digits, unit) = tier.strip_suffix('K').map_or((tier, 1), |digits| (digits, 1_000));
        Some(Self::Of(digits.parse::<u64>().ok()?.checked_mul(unit)?))
    }

    /// What a portfolio's row says; none: nothing.
    pub fn of_fields(fields: &str) -> Option<Self> {
        let fields: Value = serde_json::from_str(fields).ok()?;
        Self::read(fields.get(FIELD)?)
    }

    /// The limit as the field of a portfolio's row.
    pub fn field(self) -> (&'static str, Value) {
        match self {
            Self::Of(count) => (FIELD, count.into()),
            Self::Unlimited => (FIELD, "unlimited".into()),
        }
    }

    /// As a number; none: without a limit.
    pub const fn count(self) -> Option<u64> {
        match self {
            Self::Of(count) => Some(count),
            Self::Unlimited => None,
        }
    }
}

/// Whether this job needs a place, unless its recipient wrote lately to the number that sends it: free-form messages go
/// to nobody else.
pub fn needs_place(job: &Job) -> bool {
    job.message.template.is_some()
}

/// Who waits for places, as far as one batch of admissions knows: the most urgent of each portfolio.
///
/// A place that falls free while jobs wait for one is theirs, by priority and age: a claim gives it out. So who comes
/// new and needs a place waits behind them, unless it is more urgent than every one of them. Whether there is a place
/// for those before it need not be asked: the share of who is as urgent or more is no smaller than its own.
///
/// Nobody waits for ever for a place that is free. Who is parked in spite of one comes out with the next claim of its
/// own lane, if nobody before it came for the place: claims let out what is in the lanes they ask for, and jobs in lanes
/// that nobody asks for, as while a number is paused, cost others that one turn and no more. Jobs for a number that
/// no worker has are not counted at all.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By portfolio, what was found in the ledger.
    found: HashMap<String, Option<Priority>>,
    /// Those who came to wait with this batch.
    joined: HashMap<String, Priority>,
}

impl Line {
    /// Whether it was looked up who waits for places of this portfolio: once a batch is enough.
    pub(super) fn is_known(&self, portfolio: &str) -> bool {
        self.found.contains_key(portfolio)
    }

    /// Those who wait for places of a portfolio have these priorities.
    pub(super) fn learn(&mut self, portfolio: &str, waiting: impl Iterator<Item = Priority>) {
        self.found.insert(portfolio.to_owned(), waiting.min());
    }

    /// A job of this priority waits too.
    pub(super) fn join(&mut self, portfolio: &str, priority: Priority) {
        let most_urgent = self.joined.entry(portfolio.to_owned()).or_insert(priority);
        *most_urgent = priority.min(*most_urgent);
    }

    /// Whether any of them goes before one that comes now.
    pub(super) fn is_before(&self, portfolio: &str, priority: Priority) -> bool {
        let found = self.found.get(portfolio).copied().flatten();
        let joined = self.joined.get(portfolio).copied();
        found.into_iter().chain(joined).any(|waiting| waiting <= priority)
    }
}

/// Whether a job has had its turn in the line for a place: it came out with one, perhaps of another portfolio than the
/// one in whose name it is sent, or from under a hold that was lifted.
pub(super) fn has_waited(state: State, reason: Option<Reason>) -> bool {
    state == State::Waiting && reason == Some(Reason::MessagingLimit)
}

/// How many attempts of a job have no outcome, but for the last one: it has one now.
pub(super) fn in_doubt(state: State, lost: u32) -> u32 {
    lost.saturating_sub(u32::from(matches!(state, State::Unknown | State::Unresolved)))
}

/// Whether the messages of a job that ended so did not arrive, as far as anybody knows.
pub(super) const fn never_left(state: State) -> bool {
    match state {
        State::Failed | State::Expired | State::Cancelled | State::Suppressed => true,
        State::Queued
        | State::Waiting
        | State::Sending
        | State::Unknown
        | State::Accepted
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Unresolved => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RULES: QuotaRules =
        QuotaRules { limit: None, reserve: 0.1, used_elsewhere: 0, window: Duration::from_secs(86_400) };

    #[test]
    fn the_reserve_is_for_urgent_and_high() {
        assert_eq!(RULES.free(250, 0, Priority::Normal), 225);
        assert_eq!(RULES.free(250, 225, Priority::Bulk), 0);
        assert_eq!(RULES.free(250, 225, Priority::Urgent), 25);
        assert_eq!(RULES.free(250, 300, Priority::Urgent), 0);
        let elsewhere = QuotaRules { used_elsewhere: 100, ..RULES };
        assert_eq!(elsewhere.free(250, 100, Priority::High), 50);
    }

    #[test]
    fn who_comes_new_goes_before_those_that_are_less_urgent() {
        let mut line = Line::default();
        assert!(!line.is_before("one", Priority::Bulk));
        line.learn("one", [Priority::Bulk, Priority::Normal].into_iter());
        let after =
            |line: &Line| Priority::ALL.iter().map(|priority| line.is_before("one", *priority)).collect::<Vec<_>>();
        assert_eq!(after(&line), [false, false, true, true]);
        assert!(!line.is_before("another", Priority::Bulk));
        line.join("one", Priority::High);
        line.join("one", Priority::Bulk);
        assert_eq!(after(&line), [false, true, true, true]);
        line.learn("one", std::iter::empty());
        assert_eq!(after(&line), [false, true, true, true]);
    }

    #[test]
    fn the_next_place_is_free_when_enough_slots_are_over() {
        let now = Timestamp::from_millis(2 * 86_400_000);
        let slot = RULES.slot(now);
        let slots = [(slot - 3, 10), (slot - 2, 20), (slot, 220)];
        let row = |limit| QuotaRow::new(("p".to_owned(), limit), &slots, 7, &RULES, now);
        let full = row(Some(250));
        assert_eq!((full.taken, full.reserve, full.parked), (250, 25, 7));
        assert_eq!(full.place_at(Priority::High), Some(RULES.freed_at(slot - 3)));
        assert_eq!(
            full.place_at(Priority::Normal),
            Some(RULES.freed_at(slot - 2)),
            "230 are left of 225 after the first"
        );
        assert_eq!(row(Some(2_000)).place_at(Priority::Bulk), Some(now));
        assert_eq!((row(None).place_at(Priority::Bulk), row(Some(0)).place_at(Priority::Urgent)), (None, None));
    }

    #[test]
    fn meta_names_limits_in_several_ways() {
        for (said, limit) in [
            (json!("TIER_250"), Some(MessagingLimit::Of(250))),
            (json!("TIER_2K"), Some(MessagingLimit::Of(2_000))),
            (json!("TIER_100K"), Some(MessagingLimit::Of(100_000))),
            (json!("TIER_UNLIMITED"), Some(MessagingLimit::Unlimited)),
            (json!("unlimited"), Some(MessagingLimit::Unlimited)),
            (json!(-1), Some(MessagingLimit::Unlimited)),
            (json!(250), Some(MessagingLimit::Of(250))),
            (json!("TIER_NOT_SET"), None),
            (json!(null), None),
        ] {
            assert_eq!(MessagingLimit::read(&said), limit, "{said}");
        }
        let (field, said) = MessagingLimit::Of(2_000).field();
        assert_eq!(MessagingLimit::of_fields(&json!({ field: said }).to_string()), Some(MessagingLimit::Of(2_000)));
    }

    #[test]
    fn a_place_counts_for_at_least_the_window_and_at_most_a_slot_longer() {
        let taken = Timestamp::from_millis(1_000_000_123);
        let slot = RULES.slot(taken);
        let last = taken + RULES.window;
        assert!(RULES.counts(taken, last));
        let freed = RULES.freed_at(slot);
        assert!(freed > last && freed.since(last) <= Duration::from_secs(60));
        assert!(!RULES.counts(taken, freed));
        assert!(RULES.counts(taken, Timestamp::from_millis(freed.as_millis() - 1)));
    }
}
