//! How a job ends, the same in every database.

use crate::clock::Timestamp;
use crate::outcome::{Reason, State};

/// The end of a job, as its row tells it.
pub(super) struct End<'a> {
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
    pub(super) code: Option<u32>,
    pub(super) details: Option<&'a str>,
    pub(super) wamid: Option<&'a str>,
    pub(super) at: Timestamp,
}

impl End<'_> {
    /// It ends for a reason of ours.
    pub(super) fn ours(state: State, reason: Reason, at: Timestamp) -> Self {
        Self { state, reason: Some(reason), code: None, details: None, wamid: None, at }
    }
}
