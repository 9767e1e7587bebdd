//! What may happen to an account.

use crate::sim::number_state::{Quality, ThroughputLevel};
use crate::sim::template_spec::Category;
use crate::sim::words::words;
use serde::Deserialize;

/// Something that Meta does and announces. Over the control API it is a table with its name under `event`, as in
/// `{"event": "template_paused", "name": "sale"}`.
///
/// A template that is not listed is from then on; without a `language`, all its languages are meant. Without a
/// `waba`, the first account is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountEvent {
    /// A template is paused: its sends are refused (132015).
    TemplatePaused {
        /// Its name.
        name: String,
        /// One language only.
        #[serde(default)]
        language: Option<String>,
        /// Which pause it is.
        #[serde(default)]
        pause: Pause,
    },
    /// A paused template may be sent again.
    TemplateUnpaused {
        /// Its name.
        name: String,
        /// One language only.
        #[serde(default)]
        language: Option<String>,
    },
    /// A template is disabled for good: its sends are refused (132016).
    TemplateDisabled {
        /// Its name.
        name: String,
        /// One language only.
        #[serde(default)]
        language: Option<String>,
    },
    /// A template's quality changed.
    TemplateQuality {
        /// Its name.
        name: String,
        /// One language only.
        #[serde(default)]
        language: Option<String>,
        /// The new score.
        quality: Quality,
    },
    /// A template's category changed, or will in a day.
    TemplateCategory {
        /// Its name.
        name: String,
        /// One language only.
        #[serde(default)]
        language: Option<String>,
        /// The new category.
        category: Category,
        /// It is only announced: nothing changes yet.
        #[serde(default)]
        impending: bool,
    },
    /// A number's quality or throughput changed.
    NumberQuality {
        /// Its id.
        number: String,
        /// The new rating, if it changed.
        #[serde(default)]
        quality: Option<Quality>,
        /// The new level, if it changed; HIGH is announced as an upgrade.
        #[serde(default)]
        level: Option<ThroughputLevel>,
    },
    /// The messaging limit of all portfolios changed.
    MessagingLimit {
        /// The new limit; none is UNLIMITED.
        limit: Option<u32>,
        /// How the webhook writes it.
        #[serde(default)]
        form: LimitForm,
    },
    /// An account may no longer send one kind of message: templates, or answers to customers. They are refused (368).
    AccountRestricted {
        /// The account.
        #[serde(default)]
        waba: Option<String>,
        /// What it may not do.
        restriction: Restriction,
        /// For so many simulated seconds; none: until it is lifted.
        #[serde(default)]
        seconds: Option<f64>,
    },
    /// An account is banned, will be, or is no more. While it is, all its sends are refused (131031). A reinstatement
    /// lifts restrictions too.
    AccountBan {
        /// The account.
        #[serde(default)]
        waba: Option<String>,
        /// What became of it.
        state: BanState,
    },
    /// An alert to the account's people. Changes nothing.
    AccountAlert {
        /// The account.
        #[serde(default)]
        waba: Option<String>,
        /// How bad it is.
        severity: AlertSeverity,
        /// Meta's word for it, such as `INCREASED_CAPABILITIES_ELIGIBILITY_FAILED`.
        kind: String,
        /// A sentence about it.
        #[serde(default)]
        description: String,
    },
    /// A decision about a number's name; an approved one is shown from then on.
    NumberName {
        /// The number's id.
        number: String,
        /// The name that was asked for.
        name: String,
        /// The decision.
        decision: NameDecision,
        /// Why it was rejected.
        #[serde(default)]
        reason: Option<String>,
    },
    /// A customer stops marketing messages, or wants them again. While they are stopped, they fail (131050).
    UserPreference {
        /// The id of the number that the customer writes with.
        number: String,
        /// The customer: a phone number or a user id.
        from: String,
        /// What the customer wants.
        value: MarketingPreference,
    },
}

/// Why an event could not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// There is no such number.
    #[error("there is no number {0}")]
    NoNumber(String),
    /// There is no such account, or none at all.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// It is neither a phone number nor a user id.
    #[error("from: `{0}` is not allowed; allowed is a phone number with its country code, or a user id")]
    NoPerson(String),
    /// Such a length of time cannot be.
    #[error("seconds: `{0}` is not allowed; allowed is a number from 0 to 1000000000")]
    BadSeconds(String),
}

words! {
    /// `other_info.title` of a pause.
    #[derive(Default)]
    Pause {
        /// Three hours.
        #[default]
        First = "FIRST_PAUSE",
        /// Six hours.
        Second = "SECOND_PAUSE",
        /// By the rate limit of new templates.
        RateLimiting = "RATE_LIMITING_PAUSE",
    }
}

words! {
    /// The forms in which `business_capability_update` has been seen to write a limit.
    #[derive(Default)]
    LimitForm {
        /// As documented: `TIER_2K`.
        #[default]
        Tier = "tier",
        /// As in Meta's example: `2000`, and `-1` for UNLIMITED.
        Integer = "integer",
        /// The integer, as a string.
        Text = "text",
    }
}

words! {
    /// `restriction_type` of an account.
    Restriction {
        /// No templates.
        BusinessInitiated = "RESTRICTED_BIZ_INITIATED_MESSAGING",
        /// No answers to customers.
        CustomerInitiated = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
        /// No new numbers; sends are not refused.
        AddNumber = "RESTRICTED_ADD_PHONE_NUMBER_ACTION",
    }
}

words! {
    /// `waba_ban_state` of an account.
    BanState {
        /// Banned.
        Disable = "DISABLE",
        /// Free again.
        Reinstate = "REINSTATE",
        /// Will be banned; still free.
        ScheduleForDisable = "SCHEDULE_FOR_DISABLE",
    }
}

words! {
    /// `alert_severity` of an alert.
    AlertSeverity {
        /// Someone must act.
        Critical = "CRITICAL",
        /// Someone should look.
        Warning = "WARNING",
        /// Good to know.
        Informational = "INFORMATIONAL",
    }
}

words! {
    /// `decision` about a name.
    NameDecision {
        /// It is the number's name now.
        Approved = "APPROVED",
        /// Not decided yet.
        Deferred = "DEFERRED",
        /// Under review.
        Pending = "PENDING",
        /// Refused.
        Rejected = "REJECTED",
    }
}

words! {
    /// `value` of a preference about marketing messages.
    MarketingPreference {
        /// No more of them.
        Stop = "stop",
        /// Welcome again.
        Resume = "resume",
    }
}
