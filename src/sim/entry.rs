//! What the oracle tells about one request, and about all of them together.

use super::fault::FaultAction;
use super::message::MessageKind;
use super::oracle_log::Fate;
use super::template_spec::Category;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One request as the simulator saw it. Written as JSON it is a line of the oracle file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its place among all requests, from 1.
    pub seq: u64,
    /// Nanoseconds from the simulator's start to its arrival, on a monotonic clock.
    pub at_ns: u64,
    /// The wall clock at its arrival.
    pub unix_ms: u64,
    /// The number it was for; empty if there is no such number.
    pub number: Arc<str>,
    /// The recipient as the request wrote it; empty if that was never read.
    pub recipient: String,
    /// The message id, if it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wamid: Option<String>,
    /// `biz_opaque_callback_data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
    /// The message's type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageKind>,
    /// Its category, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: EntryOutcome,
}

impl Entry {
    /// When it arrived, from the simulator's start.
    pub fn at(&self) -> Duration {
        Duration::from_nanos(self.at_ns)
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum EntryOutcome {
    /// Accepted, and the sender was told.
    Accepted,
    /// Accepted, and then a fault spoilt the answer.
    AcceptedThen {
        /// The fault's word, such as `hang`.
        fault: &'static str,
    },
    /// Refused, with a code of Meta's.
    Refused {
        /// The code.
        code: u32,
        /// The HTTP status.
        http: u16,
    },
    /// Not accepted, by a fault that answers nothing of Meta's.
    Dropped {
        /// The fault's word, such as `cut_before`.
        fault: &'static str,
    },
}

impl EntryOutcome {
    /// Whether the message would reach its recipient.
    pub fn is_accepted(&self) -> bool {
        match self {
            Self::Accepted | Self::AcceptedThen { .. } => true,
            Self::Refused { .. } | Self::Dropped { .. } => false,
        }
    }
}

impl From<Fate> for EntryOutcome {
    fn from(fate: Fate) -> Self {
        let word = |action: FaultAction| action.word();
        match fate {
            Fate::Accepted => Self::Accepted,
            Fate::AcceptedThen(action) => Self::AcceptedThen { fault: word(action) },
            Fate::Refused { code, http } => Self::Refused { code, http },
            Fate::Dropped(action) => Self::Dropped { fault: word(action) },
        }
    }
}

/// Counts that cost nothing to ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Messages accepted, those with a spoilt answer included.
    pub accepted: u64,
    /// Of these, messages whose answer a fault spoilt.
    pub accepted_then_fault: u64,
    /// Requests refused with a code of Meta's.
    pub refused: u64,
    /// Requests lost to a fault that answers nothing of Meta's.
    pub dropped: u64,
    /// Read receipts and typing indicators.
    pub read_receipts: u64,
    /// Accepted recipients without `+`, to whom Meta might prepend the sender's country code.
    pub without_plus: u64,
    /// Requests for an account's templates, page by page.
    pub template_reads: u64,
}

/// All counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
    /// Refusals by code.
    pub refused_by_code: BTreeMap<u32, u64>,
    /// Faults that struck, by their word.
    pub faults: BTreeMap<&'static str, u64>,
    /// Each number that saw a request.
    pub numbers: BTreeMap<Arc<str>, NumberStats>,
    /// Different people each portfolio wrote to within the last 24 (scaled) hours; nothing where there is no limit.
    pub messaged: BTreeMap<String, usize>,
    /// Accepted messages whose whole callback data had been accepted before: the same attempt, twice.
    pub duplicate_callbacks: u64,
    /// Accepted messages whose callback data had been accepted before, less what follows its last `:`:
    /// the same job, if the sender writes `job:attempt` there.
    pub duplicate_jobs: u64,
    /// Rows that the oracle no longer keeps; the two counts above do not see them.
    pub rows_dropped: u64,
}

/// The counts of one number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NumberStats {
    /// Messages accepted.
    pub accepted: u64,
    /// Requests refused or dropped.
    pub refused: u64,
    /// The limit in force now.
    pub messages_per_second: u32,
    /// The most requests that counted against the limit in any sliding second: never above the limit.
    pub worst_second: usize,
    /// The most requests that arrived in any sliding second, those refused for throughput (130429) included:
    /// above the limit if the sender was too fast.
    pub worst_second_offered: usize,
    /// Arrival of the first accepted message, in nanoseconds from the start.
    pub first_accepted_ns: Option<u64>,
    /// Arrival of the latest accepted message.
    pub last_accepted_ns: Option<u64>,
}
