//! One scripted fault: which requests it meets, and what it does to them.
//!
//! Written as `number=1002,every=20,code=131000`, on a command line, in TOML and over the control API
//! (there also as a table with the same keys).

use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// A fault. A request must meet every condition that is given; of several faults, the first that meets it acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "super::fault_text::Written", into = "String")]
pub struct Fault {
    /// Only requests of this number.
    pub number: Option<String>,
    /// Only every n-th of the requests that meet the other conditions.
    pub every: Option<NonZeroU32>,
    /// Only this share of them (0 to 1), drawn from the simulator's seed.
    pub probability: Option<f64>,
    /// Only the first n of them.
    pub first: Option<NonZeroU32>,
    /// Only from so long after the simulator's start (real time, never scaled).
    pub from: Option<Duration>,
    /// Only until so long after the simulator's start (real time, never scaled).
    pub until: Option<Duration>,
    /// Only messages to recipients that end so.
    pub recipient_suffix: Option<String>,
    /// The answer comes so much later; what is accepted is accepted before.
    pub slow: Duration,
    /// What becomes of the request.
    pub action: FaultAction,
}

/// What a fault does to a request it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    /// Nothing but the delay of [`Fault::slow`].
    Answer,
    /// Not accepted; answered with this code of Meta's, under its own HTTP status or this one.
    Code {
        /// Meta's error code.
        code: u32,
        /// The HTTP status, if not the code's own.
        http: Option<u16>,
    },
    /// Not accepted; an HTML page with this status, as a proxy in between would send it.
    Http(u16),
    /// Not accepted; the token has expired (code 190).
    TokenExpired,
    /// Not accepted; the connection is reset as soon as the request's head is read. With a recipient to
    /// match, the body is read first, and then thrown away.
    CutBefore,
    /// Accepted; the connection is reset instead of an answer.
    CutAfter,
    /// Accepted; no answer ever comes.
    Hang,
    /// Accepted; the connection ends in the middle of the answer.
    HalfJson,
    /// Accepted; the answer is an HTML page with status 200.
    Html200,
    /// Accepted; the answer is JSON with status 200 that has no message id in it.
    NoWamid,
    /// Accepted; the answer is status 200 and bytes that mean nothing.
    Garbage,
}

impl FaultAction {
    /// The word for it in a fault's text and in the oracle.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answer => "slow",
            Self::Code { .. } => "code",
            Self::Http(_) => "http",
            Self::TokenExpired => "token_expired",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::Hang => "hang",
            Self::HalfJson => "half_json",
            Self::Html200 => "html_200",
            Self::NoWamid => "no_wamid",
            Self::Garbage => "garbage",
        }
    }
}

impl Fault {
    /// A fault that meets every request.
    pub fn always(action: FaultAction) -> Self {
        Self {
            number: None,
            every: None,
            probability: None,
            first: None,
            from: None,
            until: None,
            recipient_suffix: None,
            slow: Duration::ZERO,
            action,
        }
    }
}
