//! What things are called at the broker, and back.

use super::LaneName;

/// The names of exchanges and queues under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Under this prefix, `tidegate` as a rule.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The topic exchange that producers publish to, and what its queues begin with.
    pub fn jobs(&self) -> String {
        format!("{}.jobs", self.prefix)
    }

    /// The fanout exchange and its queue for what has no lane, and what the broker expired.
    pub fn returned(&self) -> String {
        format!("{}.returned", self.prefix)
    }

    /// The topic exchange of events.
    pub fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The queue of a lane.
    pub fn queue(&self, lane: &LaneName) -> String {
        format!("{}.{lane}", self.jobs())
    }

    /// The queue of a lane, or that of returned messages.
    pub(super) fn source(&self, lane: Option<&LaneName>) -> String {
        lane.map_or_else(|| self.returned(), |lane| self.queue(lane))
    }
}
