//! The states of a number: quality, status, throughput level, and changing them.

use super::number_spec::NumberSpec;
use super::words::words;
use serde::{Deserialize, Serialize};

words! {
    /// `quality_rating` of a number.
    #[derive(Default)]
    Quality {
        /// High quality.
        #[default]
        Green = "GREEN",
        /// Medium.
        Yellow = "YELLOW",
        /// Low.
        Red = "RED",
        /// Not rated yet.
        Na = "NA",
        /// Seen with third parties.
        Unknown = "UNKNOWN",
    }
}

words! {
    /// `status` of a number.
    #[derive(Default)]
    NumberStatus {
        /// May send.
        #[default]
        Connected = "CONNECTED",
        /// Quality is low; may still send.
        Flagged = "FLAGGED",
        /// Reached its limit.
        RateLimited = "RATE_LIMITED",
        /// Not registered yet.
        Pending = "PENDING",
        /// Not verified yet.
        Unverified = "UNVERIFIED",
        /// Deregistered.
        Disconnected = "DISCONNECTED",
        /// Moved to another account.
        Migrated = "MIGRATED",
        /// Gone.
        Deleted = "DELETED",
        /// Restricted for policy reasons.
        Restricted = "RESTRICTED",
        /// Banned.
        Banned = "BANNED",
    }
}

impl NumberStatus {
    /// The code with which every message of such a number is refused.
    pub(crate) fn refusal(self) -> Option<u32> {
        match self {
            Self::Connected | Self::Flagged => None,
            Self::RateLimited => Some(131_048),
            Self::Pending | Self::Unverified | Self::Disconnected | Self::Migrated => Some(133_010),
            Self::Deleted => Some(33),
            Self::Restricted | Self::Banned => Some(131_031),
        }
    }
}

words! {
    /// `throughput.level` of a number.
    #[derive(Default)]
    ThroughputLevel {
        /// 80 messages a second.
        #[default]
        Standard = "STANDARD",
        /// 1,000 messages a second.
        High = "HIGH",
        /// What Meta shows for numbers that are not on Cloud API; paced as STANDARD.
        NotApplicable = "NOT_APPLICABLE",
    }
}

/// What to change of a number while the simulator runs; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberChange {
    /// The new quality rating.
    pub quality: Option<Quality>,
    /// The new status.
    pub status: Option<NumberStatus>,
    /// The new level; it also ends a configured `mps`, unless one is given with it.
    pub level: Option<ThroughputLevel>,
    /// The new throughput.
    pub mps: Option<u32>,
}

impl NumberChange {
    /// Makes the change. The arrivals already counted stay counted.
    pub(crate) fn apply(&self, spec: &mut NumberSpec) {
        spec.quality = self.quality.unwrap_or(spec.quality);
        spec.status = self.status.unwrap_or(spec.status);
        if let Some(level) = self.level {
            spec.level = level;
            spec.mps = None;
        }
        spec.mps = self.mps.or(spec.mps);
    }
}
