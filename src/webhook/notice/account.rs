//! What Meta says of an account and of its portfolio.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update>,
//! `account_alerts` and `business_capability_update` beside it, read 2026-09-11.

use super::is_plain;
use super::object::Object;
use crate::clock::Timestamp;

/// Words for what happens to accounts that we know, whether they stop anything or not.
const KNOWN: [&str; 19] = [
    "ACCOUNT_DELETED",
    "ACCOUNT_OFFBOARDED",
    "ACCOUNT_RECONNECTED",
    "ACCOUNT_RESTRICTION",
    "ACCOUNT_VIOLATION",
    "AD_ACCOUNT_LINKED",
    "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
    "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE",
    "DISABLED_UPDATE",
    "MM_LITE_TERMS_SIGNED",
    "PARTNER_ADDED",
    "PARTNER_APP_INSTALLED",
    "PARTNER_APP_UNINSTALLED",
    "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
    "PARTNER_REMOVED",
    "PHONE_NUMBER_ADDED",
    "PHONE_NUMBER_REMOVED",
    "VERIFIED_ACCOUNT",
    "VOLUME_BASED_PRICING_TIER_UPDATE",
];

/// News of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountNews {
    /// Something happened to it.
    Update {
        /// Meta's word, in small letters.
        event: String,
        /// What of its sending is restricted.
        restrictions: Vec<Restriction>,
        /// Whether it is closed or open as a whole.
        ban: Option<Ban>,
    },
    /// How much its portfolio may send.
    Capability {
        /// The messaging limit in Meta's words, where the change says.
        limit: Option<String>,
    },
    /// Meta wants a person to look at something.
    Alert {
        /// What, in Meta's word.
        kind: String,
        /// `CRITICAL`, `WARNING`, `INFORMATIONAL`.
        severity: Option<String>,
    },
}

/// A part of an account's sending that is forbidden for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Nothing may be sent that a person did not ask for: templates.
    Templates {
        /// Until then.
        until: Option<Timestamp>,
    },
    /// Nobody may be answered: free-form messages.
    Answers {
        /// Until then.
        until: Option<Timestamp>,
    },
}

/// Whether an account is closed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ban {
    /// By Meta.
    Closed,
    /// By whoever took it from us.
    Left,
    /// Not any more.
    Open,
}

impl AccountNews {
    pub(super) fn update(value: &Object<'_>) -> Option<Self> {
        let event = value.text("event")?;
        if !KNOWN.contains(&event.as_str()) {
            return None;
        }
        let ban =
            match (event.as_str(), value.object("ban_info").and_then(|info| info.text("waba_ban_state")).as_deref()) {
                (_, Some("DISABLE")) | ("ACCOUNT_DELETED", _) => Some(Ban::Closed),
                (_, Some("REINSTATE")) | ("ACCOUNT_RECONNECTED", _) => Some(Ban::Open),
                ("ACCOUNT_OFFBOARDED", _) => Some(Ban::Left),
                // `SCHEDULE_FOR_DISABLE` closes nothing yet.
                _ => None,
            };
        let restrictions = value.objects("restriction_info").iter().filter_map(restriction).collect();
        Some(Self::Update { event: event.to_ascii_lowercase(), restrictions, ban })
    }

    pub(super) fn capability(value: &Object<'_>) -> Self {
        let limit = value
            .text("max_daily_conversations_per_business")
            .or_else(|| value.text("max_daily_conversation_per_phone"))
            .filter(|limit| is_plain(limit));
        Self::Capability { limit }
    }

    pub(super) fn alert(value: &Object<'_>) -> Option<Self> {
        // Older alerts stand without the block.
        let info = value.object("alert_info");
        let text = |name| {
            let inside = info.as_ref().and_then(|info| info.text(name));
            inside.or_else(|| value.text(name)).filter(|text| is_plain(text))
        };
        Some(Self::Alert { kind: text("alert_type")?, severity: text("alert_severity") })
    }
}

fn restriction(info: &Object<'_>) -> Option<Restriction> {
    let until = info.moment("expiration");
    match info.text("restriction_type")?.as_str() {
        "RESTRICTED_BIZ_INITIATED_MESSAGING" => Some(Restriction::Templates { until }),
        "RESTRICTED_CUSTOMER_INITIATED_MESSAGING" => Some(Restriction::Answers { until }),
        // Adding numbers, calling and the like.
        _ => None,
    }
}
