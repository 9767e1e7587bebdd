//! What Meta says of a number, and how much a portfolio may send.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/phone_number_quality_update>
//! and `phone_number_name_update` beside it, read 2026-09-11.

use serde::{Deserialize, Serialize};

use super::is_plain;
use super::object::Object;
use crate::outcome::words;

words! {
    /// What happened to a number's quality, limit or speed.
    QualityEvent {
        /// It was registered.
        Onboarding = "ONBOARDING",
        /// It may send faster.
        ThroughputUpgrade = "THROUGHPUT_UPGRADE",
        /// Its quality is low.
        Flagged = "FLAGGED",
        /// Its quality is no longer low.
        Unflagged = "UNFLAGGED",
        /// Its messaging limit rose.
        Upgrade = "UPGRADE",
        /// Its messaging limit fell.
        Downgrade = "DOWNGRADE",
    }
}

/// News of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberNews {
    /// Of its quality, limit or speed.
    Quality {
        /// How people know the number.
        display: String,
        /// What happened.
        event: QualityEvent,
        /// The limit as it is now, in Meta's words, where the change says.
        limit: Option<String>,
    },
    /// Of its name.
    Name {
        /// How people know the number.
        display: String,
        /// `APPROVED`, `DECLINED`, …
        decision: String,
        /// The name that it was about.
        name: Option<String>,
    },
}

/// How many people a portfolio may begin to write to in 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagingLimit {
    /// So many.
    Of(u64),
    /// As many as it likes.
    Unlimited,
}

impl NumberNews {
    pub(super) fn quality(value: &Object<'_>) -> Option<Self> {
        Some(Self::Quality {
            display: display(value)?,
            event: value.text("event")?.parse().ok()?,
            limit: value
                .text("max_daily_conversations_per_business")
                .or_else(|| value.text("current_limit"))
                .filter(|limit| is_plain(limit)),
        })
    }

    pub(super) fn name(value: &Object<'_>) -> Option<Self> {
        Some(Self::Name {
            display: display(value)?,
            decision: value.text("decision").filter(|decision| is_plain(decision))?,
            name: value.text("requested_verified_name").filter(|name| is_plain(name)),
        })
    }

    /// How people know the number.
    pub fn display(&self) -> &str {
        match self {
            Self::Quality { display, .. } | Self::Name { display, .. } => display,
        }
    }
}

fn display(value: &Object<'_>) -> Option<String> {
    value.text("display_phone_number").filter(|display| is_plain(display))
}

impl MessagingLimit {
    /// From `TIER_250`, `TIER_10K`, `TIER_UNLIMITED`, a number, or −1; none if it says nothing of the kind.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let amount = text.strip_prefix("TIER_").unwrap_or(&text);
        if matches!(amount, "UNLIMITED" | "-1") {
            return Some(Self::Unlimited);
        }
        let (digits, factor) = match amount.as_bytes().last()? {
            b'K' => (&amount[..amount.len() - 1], 1_000),
            b'M' => (&amount[..amount.len() - 1], 1_000_000),
            _ => (amount, 1),
        };
        let count: u64 = digits.parse().ok()?;
        (count > 0).then(|| count.checked_mul(factor)).flatten().map(Self::Of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_in_many_forms() {
        for (text, expected) in [
            ("TIER_50", Some(MessagingLimit::Of(50))),
            ("TIER_250", Some(MessagingLimit::Of(250))),
            ("TIER_1K", Some(MessagingLimit::Of(1_000))),
            ("tier_100k", Some(MessagingLimit::Of(100_000))),
            ("TIER_1M", Some(MessagingLimit::Of(1_000_000))),
            ("2000", Some(MessagingLimit::Of(2_000))),
            ("TIER_UNLIMITED", Some(MessagingLimit::Unlimited)),
            ("-1", Some(MessagingLimit::Unlimited)),
            ("TIER_NOT_SET", None),
            ("0", None),
            ("-2", None),
            ("", None),
            ("K", None),
            ("18446744073709551615K", None),
        ] {
            assert_eq!(MessagingLimit::parse(text), expected, "{text}");
        }
    }
}
