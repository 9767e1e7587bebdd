//! What can become of a job: its states, the closed words for why, and what one attempt came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Declares a closed set of words: the enum, its wire names, `ALL`, `Display` and `FromStr`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every word of the set, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is stored, printed and published.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::outcome::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| $crate::outcome::UnknownWord {
                    given: text.chars().take(40).collect(),
                    allowed: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}
pub(crate) use words;

/// A word that is not in its closed set.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is none of {allowed}")]
pub struct UnknownWord {
    pub(crate) given: String,
    pub(crate) allowed: String,
}

words! {
    /// Where a job stands. It never moves backward.
    State {
        /// Taken, not yet looked at.
        Queued = "queued",
        /// Has a reason to wait, and a time or a hold that ends it.
        Waiting = "waiting",
        /// Admitted: a request is about to leave, or has left.
        Sending = "sending",
        /// Perhaps sent; being found out.
        Unknown = "unknown",
        /// Meta took it.
        Accepted = "accepted",
        /// Meta sent it on.
        Sent = "sent",
        /// It reached the recipient's phone.
        Delivered = "delivered",
        /// The recipient opened it.
        Read = "read",
        /// It will not go out, by Meta's answer or ours.
        Failed = "failed",
        /// Its time ran out before it could be sent.
        Expired = "expired",
        /// A person or a program took it back.
        Cancelled = "cancelled",
        /// The recipient does not want it.
        Suppressed = "suppressed",
        /// Unknown for good.
        Unresolved = "unresolved",
    }
}

impl State {
    /// Whether nothing more will be sent for a job in this state.
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Queued | Self::Waiting | Self::Sending | Self::Unknown => false,
            Self::Accepted
            | Self::Sent
            | Self::Delivered
            | Self::Read
            | Self::Failed
            | Self::Expired
            | Self::Cancelled
            | Self::Suppressed
            | Self::Unresolved => true,
        }
    }
}

words! {
    /// Why a job is where it is. A closed set: it stands in events, rows and labels.
    Reason {
        // What Meta said of the credential, the account, the number.
        /// The access token was refused.
        Credentials = "credentials",
        /// The app or token may not do this.
        Permission = "permission",
        /// Meta restricted the account for its policy.
        AccountRestricted = "account_restricted",
        /// Meta locked the account.
        AccountLocked = "account_locked",
        /// The account may not message this country.
        CountryRestricted = "country_restricted",
        /// Payment for the account fails.
        Payment = "payment",
        /// The number is gone or unknown to Meta.
        NumberGone = "number_gone",
        /// The number is not registered.
        NumberUnregistered = "number_unregistered",
        /// The number's display name is not approved.
        DisplayName = "display_name",
        /// Meta restricts the number for its quality.
        SpamLimit = "spam_limit",
        /// Meta limits the account for templates in the wrong category.
        Misclassified = "misclassified",
        // Limits.
        /// The number's throughput was reached.
        Throughput = "throughput",
        /// Too many messages to this recipient from this number.
        PairLimit = "pair_limit",
        /// The app's call quota is used up.
        AppQuota = "app_quota",
        /// The account's call quota is used up.
        WabaQuota = "waba_quota",
        /// The portfolio's unique recipients of 24 hours are used up.
        MessagingLimit = "messaging_limit",
        /// Meta dropped it while it looked at how the portfolio's messages are taken.
        PortfolioPacing = "portfolio_pacing",
        // Passing trouble.
        /// Meta could not say what went wrong.
        MetaUnknown = "meta_unknown",
        /// Meta is overloaded or down.
        ServiceUnavailable = "service_unavailable",
        /// The number is being maintained or upgraded.
        Maintenance = "maintenance",
        /// The marketing template is not yet synchronised.
        TemplateSyncing = "template_syncing",
        /// Meta could not fetch or take the media.
        Media = "media",
        // The recipient.
        /// Not on WhatsApp, or cannot receive this.
        NotOnWhatsapp = "not_on_whatsapp",
        /// The recipient's last message is over 24 hours old.
        WindowClosed = "window_closed",
        /// Meta limits marketing to this recipient.
        MarketingLimit = "marketing_limit",
        /// The recipient stopped our marketing.
        OptedOut = "opted_out",
        /// We blocked the recipient.
        RecipientBlocked = "recipient_blocked",
        /// Meta keeps the recipient out, for an experiment.
        Experiment = "experiment",
        /// The recipient is the sending number itself.
        SameAsSender = "same_as_sender",
        /// A test number may not write to this recipient.
        RecipientNotAllowed = "recipient_not_allowed",
        /// This message cannot go to a business-scoped user id.
        RecipientUnsupported = "recipient_unsupported",
        /// The recipient's identity has changed.
        IdentityChanged = "identity_changed",
        // The request and the template.
        /// Meta refused a parameter.
        InvalidParameter = "invalid_parameter",
        /// Meta does not take this type of message.
        UnsupportedType = "unsupported_type",
        /// Only marketing templates may go this way.
        NotMarketing = "not_marketing",
        /// Marketing is switched off on this endpoint.
        MarketingDisabled = "marketing_disabled",
        /// The parameters do not fit the template.
        TemplateMismatch = "template_mismatch",
        /// There is no such template, or not in this language.
        TemplateMissing = "template_missing",
        /// The template's content breaks Meta's policy.
        TemplatePolicy = "template_policy",
        /// Meta paused the template.
        TemplatePaused = "template_paused",
        /// Meta disabled the template for good.
        TemplateDisabled = "template_disabled",
        /// The flow is blocked.
        FlowBlocked = "flow_blocked",
        /// The flow is throttled.
        FlowThrottled = "flow_throttled",
        /// Not a message this worker sends.
        GroupUnsupported = "group_unsupported",
        /// Meta's code belongs to another operation than sending to one person.
        NotForSending = "not_for_sending",
        /// A code that our table does not have.
        Unlisted = "unlisted",
        // The way to Meta.
        /// No connection could be made.
        NotConnected = "not_connected",
        /// Nothing could be written in time.
        WriteStalled = "write_stalled",
        /// The connection was closed before anything was written.
        ClosedBeforeWrite = "closed_before_write",
        /// The last look before the send stopped it.
        LastLook = "last_look",
        /// A server answered that was too busy to be Meta's own.
        NotTaken = "not_taken",
        /// No answer in time.
        Timeout = "timeout",
        /// The connection broke before the answer.
        ConnectionLost = "connection_lost",
        /// The answer could not be understood.
        Garbled = "garbled",
        /// The worker stopped without telling.
        WorkerLost = "worker_lost",
        // Ours.
        /// Waits for the time its producer set.
        NotBefore = "not_before",
        /// Waits behind a hold.
        Held = "held",
        /// Waits for a number of its pool.
        NoNumber = "no_number",
        /// Waits because its number has more than it can send soon.
        NumberBusy = "number_busy",
        /// It was tried as often as allowed.
        AttemptsExhausted = "attempts_exhausted",
        /// Its time ran out.
        TooLate = "too_late",
        /// A person or a program took it back.
        Cancelled = "cancelled",
        /// Attempted too often without an outcome.
        Poison = "poison",
        /// The worker is stopping, and gave it back.
        Draining = "draining",
        /// Sent again, since nobody could say that it was sent.
        Resent = "resent",
        /// Nobody could say whether it was sent, and its policy says to leave it.
        Left = "left",
        /// Placed by a person.
        Operator = "operator",
        /// Several sends in a row failed.
        Failing = "failing",
        /// Meta's fields of the number could not be read yet.
        Unread = "unread",
    }
}

words! {
    /// Why it is not known whether a request was taken.
    UnknownCause {
        /// No answer in time after bytes were written.
        Timeout = "timeout",
        /// The connection broke after bytes were written.
        ConnectionLost = "connection_lost",
        /// An answer that is no answer of Meta's.
        Garbled = "garbled",
        /// The worker that sent it is gone.
        WorkerLost = "worker_lost",
    }
}

impl UnknownCause {
    /// The same, as the reason of a job's state.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Timeout => Reason::Timeout,
            Self::ConnectionLost => Reason::ConnectionLost,
            Self::Garbled => Reason::Garbled,
            Self::WorkerLost => Reason::WorkerLost,
        }
    }
}

words! {
    /// Why no byte of a request left.
    NotSentCause {
        /// No connection: DNS, refused, unreachable, TLS, or the connect deadline.
        NotConnected = "not_connected",
        /// Nothing could be written within the write deadline.
        WriteStalled = "write_stalled",
        /// The server closed an idle connection first.
        ClosedBeforeWrite = "closed_before_write",
        /// The last look found the lease, the expiry or a hold against it.
        LastLook = "last_look",
        /// The worker is stopping.
        Draining = "draining",
    }
}

impl NotSentCause {
    /// The same, as the reason of a job's state.
    pub const fn reason(self) -> Reason {
        match self {
            Self::NotConnected => Reason::NotConnected,
            Self::WriteStalled => Reason::WriteStalled,
            Self::ClosedBeforeWrite => Reason::ClosedBeforeWrite,
            Self::LastLook => Reason::LastLook,
            Self::Draining => Reason::Draining,
        }
    }
}

/// Meta's own error answer, or a refusal in front of Meta that proves the request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Meta's error code; none where a busy server answered 429 or 503 without Meta's JSON.
    pub code: Option<u32>,
    /// Meta's subcode, where given.
    pub subcode: Option<u32>,
    /// HTTP status.
    pub http: u16,
    /// Meta's own hint that another try may help.
    pub transient: bool,
    /// Meta's words for people, shortened; may name the parameter at fault.
    pub details: String,
    /// When Meta says that access comes back (`estimated_time_to_regain_access`, `Retry-After`).
    pub regain: Option<Duration>,
}

/// What one attempt came to. Never an error: «perhaps sent» is an answer too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Meta took the message.
    Accepted {
        /// Meta's id of the message.
        wamid: String,
        /// Meta holds it back to assess the template's quality.
        held_for_quality: bool,
    },
    /// Meta answered with an error.
    Refused(Refusal),
    /// No byte left: the attempt is not charged.
    NotSent(NotSentCause),
    /// Bytes left and no answer says what became of them.
    Unknown(UnknownCause),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse::<Reason>().expect("known"), *reason);
        }
        let refused = "snet".parse::<State>().expect_err("misspelt").to_string();
        assert!(refused.starts_with("\"snet\" is none of queued, waiting"), "{refused}");
    }
}
