//! The words of the table of error codes: what a code does to its job, and what hold it places.

use std::time::Duration;

use super::Path;
use crate::hold::Effect;
use crate::outcome::{Reason, State};

/// One line of the table: what we know of an error code, or of a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The code, or the first of a range.
    pub first: u32,
    /// The code, or the last of a range.
    pub last: u32,
    /// Only with this subcode.
    pub subcode: Option<u32>,
    /// Only on this path.
    pub path: Option<Path>,
    /// What Meta means by it, in our words.
    pub meaning: &'static str,
    /// What it does to the job.
    pub fate: CodeFate,
    /// The closed word for it.
    pub reason: Reason,
    /// What else must not be sent for now.
    pub hold: Option<HoldRule>,
}

/// What an error code does to the job that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFate {
    /// It goes again.
    Retry {
        /// After so many charged tries in all it ends; none: only the job's own budget counts.
        few: Option<u32>,
        /// When.
        after: After,
        /// Whether the attempt counts against the job's budget.
        charged: bool,
    },
    /// It waits for the row's hold, uncharged.
    WaitForHold,
    /// It ends, as `failed` or `suppressed`.
    End(State),
}

/// How long a job waits before it goes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Exponential, with full jitter.
    Backoff,
    /// About this long.
    About(Duration),
    /// 4^x seconds, x being the number of earlier attempts.
    Pair,
}

/// The hold that a code places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRule {
    /// What it covers; the attempt says which one.
    pub covers: Covers,
    /// How it ends.
    pub lasts: Lasts,
    /// What becomes of other jobs that meet it.
    pub effect: Effect,
}

/// What of an attempt a hold covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// The access token, and so everything that the app sends with it.
    Credential,
    /// The number's business account.
    Waba,
    /// The recipient's country, for the business account.
    WabaCountry,
    /// Marketing by the business account.
    WabaMarketing,
    /// The number.
    Number,
    /// The job's template.
    Template,
    /// The recipient.
    Recipient,
    /// The recipient, for marketing.
    RecipientMarketing,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// After this time.
    For(Duration),
    /// After this time one job goes, and only if it comes through the others follow. A webhook or a person may
    /// lift it earlier.
    Probed(Duration),
    /// As [`Lasts::Probed`], after the time that Meta's answer estimates, or this time if it does not say.
    MetasEstimate(Duration),
    /// Only by a webhook or a person.
    UntilLifted,
}

impl Lasts {
    /// How long until it ends or is tried; for what only somebody else ends, how long a job without a hold waits.
    pub fn time(self, estimate: Option<Duration>) -> Duration {
        match self {
            Self::For(time) | Self::Probed(time) => time,
            Self::MetasEstimate(default) => estimate.unwrap_or(default),
            Self::UntilLifted => Duration::from_secs(3_600),
        }
    }
}

impl CodeRow {
    /// A row for one code, without a hold.
    pub const fn new(code: u32, meaning: &'static str, fate: CodeFate, reason: Reason) -> Self {
        Self { first: code, last: code, subcode: None, path: None, meaning, fate, reason, hold: None }
    }

    /// The same for all codes up to this one.
    pub const fn to(self, last: u32) -> Self {
        Self { last, ..self }
    }

    /// The same with this subcode only.
    pub const fn subcode(self, subcode: u32) -> Self {
        Self { subcode: Some(subcode), ..self }
    }

    /// The same on this path only.
    pub const fn on(self, path: Path) -> Self {
        Self { path: Some(path), ..self }
    }

    /// The same with a hold.
    pub const fn holds(self, hold: HoldRule) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// Whether this row speaks of such an answer.
    pub fn covers(&self, path: Path, code: u32, subcode: Option<u32>) -> bool {
        (self.first..=self.last).contains(&code)
            && (self.subcode.is_none() || self.subcode == subcode)
            && self.path.is_none_or(|only| only == path)
    }
}
