//! The closed sets that may stand in a label.

use serde::{Deserialize, Serialize};

use crate::hold::Scope;
use crate::job::Priority;
use crate::outcome::{NotSentCause, Outcome, Reason, State, UnknownCause, words};

/// A closed set of words that may be a label's values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in order of [`Label::index`].
    const VALUES: &'static [Self];
    /// The value as it is shown.
    fn word(self) -> &'static str;
    /// Its place in [`Label::VALUES`].
    fn index(self) -> usize;
}

macro_rules! labels {
    ($($name:ident: $label:literal,)+) => {$(
        impl Label for $name {
            const NAME: &'static str = $label;
            const VALUES: &'static [Self] = Self::ALL;
            fn word(self) -> &'static str {
                self.as_str()
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    Answer: "outcome",
    BrokerTrouble: "reason",
    Connection: "connection",
    ForwardResult: "result",
    HookResult: "result",
    LeaseChange: "reason",
    NotSentCause: "cause",
    PriceCategory: "category",
    PriceType: "type",
    Priority: "priority",
    PublishResult: "result",
    Rating: "rating",
    Reason: "reason",
    Redelivered: "redelivered",
    RowClass: "class",
    Scope: "scope",
    SettledBy: "by",
    Stage: "stage",
    State: "state",
    UnknownCause: "cause",
    Update: "kind",
    WebhookResult: "result",
}

words! {
    /// What one attempt came to, without its particulars.
    Answer {
        /// Meta took the message.
        Accepted = "accepted",
        /// Meta answered with an error.
        Refused = "refused",
        /// No byte left.
        NotSent = "not_sent",
        /// Nobody can say.
        Unknown = "unknown",
    }
}

impl From<&Outcome> for Answer {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted { .. } => Self::Accepted,
            Outcome::Refused(_) => Self::Refused,
            Outcome::NotSent(_) => Self::NotSent,
            Outcome::Unknown(_) => Self::Unknown,
        }
    }
}

words! {
    /// Why a claimed row had waited.
    RowClass {
        /// It was published and not looked at yet.
        Fresh = "fresh",
        /// Its time had come.
        Timed = "timed",
        /// Its hold was lifted.
        Released = "released",
    }
}

words! {
    /// What came of a request to the outgoing webhook.
    HookResult {
        /// The app took the event.
        Taken = "taken",
        /// It did not, and will be asked again.
        Refused = "refused",
        /// It did not for three days: the event is gone.
        GivenUp = "given_up",
    }
}

words! {
    /// What ended the doubt about an unknown job.
    SettledBy {
        /// An answer that came late.
        LateAnswer = "late_answer",
        /// A webhook that told of its message.
        Webhook = "webhook",
        /// Its policy: it was sent again.
        Resent = "resent",
        /// Its policy: it was left `unresolved`.
        Left = "left",
        /// A person.
        Operator = "operator",
    }
}

words! {
    /// What happened to a lease of this worker.
    LeaseChange {
        /// It is ours now.
        Taken = "taken",
        /// It was given back in order.
        Released = "released",
        /// It ran out, or another worker has it.
        Lost = "lost",
    }
}

words! {
    /// Why the broker has to be connected to again.
    BrokerTrouble {
        /// The connection stood, and broke or was closed.
        Lost = "lost",
        /// It could not be reached.
        Unreachable = "unreachable",
        /// It does not let us in, or not do this.
        Refused = "refused",
        /// What must be there is not, or is of another make; or a file of ours is no good.
        Unfit = "unfit",
    }
}

words! {
    /// What a connection to the broker is for.
    Connection {
        /// Taking jobs.
        Consuming = "consuming",
        /// Handing events over.
        Publishing = "publishing",
    }
}

words! {
    /// Whether the broker had delivered a message before.
    Redelivered {
        /// For the first time.
        No = "false",
        /// It may have been seen, here or elsewhere.
        Yes = "true",
    }
}

impl From<bool> for Redelivered {
    fn from(redelivered: bool) -> Self {
        if redelivered { Self::Yes } else { Self::No }
    }
}

words! {
    /// What the broker said to a message that was published to it.
    PublishResult {
        /// It has it.
        Ack = "ack",
        /// It could not take it.
        Nack = "nack",
        /// No queue was bound for it.
        Returned = "returned",
        /// Nothing, for too long.
        Timeout = "timeout",
        /// The connection broke before it said anything.
        Lost = "lost",
    }
}

words! {
    /// What Meta says of a number's quality.
    Rating {
        /// High.
        Green = "green",
        /// Medium.
        Yellow = "yellow",
        /// Low.
        Red = "red",
        /// Not rated, or not read yet.
        Unknown = "unknown",
    }
}

words! {
    /// A stage of a job's way that says when it last did something.
    Stage {
        /// The worker's loop turned.
        Loop = "loop",
        /// Rows or deliveries were received.
        Receive = "receive",
        /// Meta accepted a message.
        Accept = "accept",
        /// The ledger committed.
        Commit = "commit",
    }
}

words! {
    /// What a webhook tells of.
    Update {
        /// A message left Meta.
        Sent = "sent",
        /// A message reached its phone.
        Delivered = "delivered",
        /// A message was opened.
        Read = "read",
        /// A message will not arrive.
        Failed = "failed",
        /// A person wrote.
        Inbound = "inbound",
        /// A number.
        Number = "number",
        /// A template.
        Template = "template",
        /// An account, or its portfolio.
        Account = "account",
        /// A person chose whether they want marketing.
        Preference = "preference",
        /// Something that nobody here understands.
        Strange = "strange",
        /// A message that is none of ours, or that we have forgotten.
        Foreign = "foreign",
    }
}

words! {
    /// How a message was billed.
    PriceType {
        /// It costs.
        Regular = "regular",
        /// Free, as an answer to the person.
        FreeCustomerService = "free_customer_service",
        /// Free, since the person came by an advertisement.
        FreeEntryPoint = "free_entry_point",
        /// A word that we don't know.
        Other = "other",
    }
}

words! {
    /// As what a message was billed.
    PriceCategory {
        /// Marketing.
        Marketing = "marketing",
        /// Marketing by the path for marketing.
        MarketingLite = "marketing_lite",
        /// About something the recipient did.
        Utility = "utility",
        /// One-time passwords.
        Authentication = "authentication",
        /// One-time passwords to another country.
        AuthenticationInternational = "authentication_international",
        /// Free-form.
        Service = "service",
        /// To a person who came by an advertisement.
        ReferralConversion = "referral_conversion",
        /// A word that we don't know.
        Other = "other",
    }
}

words! {
    /// What came of a request at the webhook's address.
    WebhookResult {
        /// The body is on disk: answered 200.
        Kept = "kept",
        /// Meta's dashboard verified the address.
        Handshake = "handshake",
        /// Another path.
        Path = "path",
        /// Neither GET nor POST.
        Method = "method",
        /// From a network that is not allowed.
        Network = "network",
        /// Nobody told us what Meta signs with.
        NoSecret = "no_secret",
        /// The signature is missing or wrong.
        Signature = "signature",
        /// The token is missing or wrong, or none is set.
        VerifyToken = "verify_token",
        /// The body is not JSON, by its head.
        ContentType = "content_type",
        /// The head tells of no body.
        NoLength = "no_length",
        /// The body is larger than any of Meta's.
        TooLarge = "too_large",
        /// The head or the body did not come in time.
        TooSlow = "too_slow",
        /// There is no body.
        Empty = "empty",
        /// No HTTP, or it broke off.
        Broken = "broken",
        /// The connection gave its place to another.
        GaveWay = "gave_way",
        /// Too much waits for the ledger: answered 503.
        Full = "full",
        /// The ledger did not take it: answered 503.
        Away = "ledger_away",
    }
}

words! {
    /// What came of forwarding a webhook.
    ForwardResult {
        /// It was taken.
        Taken = "taken",
        /// It was tried often enough.
        GivenUp = "given_up",
        /// Too many waited already.
        Dropped = "dropped",
    }
}
