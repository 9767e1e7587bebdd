//! Why a number does not send faster: the one thing that binds it just now.

use serde::{Deserialize, Serialize};

use crate::outcome::words;

words! {
    /// What keeps a number from sending more.
    Why {
        /// No worker has its lease.
        NotLeased = "not_leased",
        /// A person paused it.
        Paused = "paused",
        /// A hold is over it.
        Held = "held",
        /// Meta's fields of it were not read yet.
        Unread = "unread",
        /// Its status at Meta's lets it send nothing.
        Status = "status",
        /// A hold's time is over: one send at a time tries whether it really is.
        Probe = "probe",
        /// Its requests are under way on all the connections that it may have.
        Connections = "connections",
        /// It has a new owner, who does not know what was sent in the last second.
        NewOwner = "new_owner",
        /// Meta counted too many: it goes slower for up to a minute.
        Throttled = "throttled",
        /// Meta counts what people write to it with what it sends.
        Inbound = "inbound",
        /// It sends as fast as Meta's level lets it.
        Level = "level",
        /// It sends as fast as the configuration lets it.
        Configured = "configured",
        /// No place is free of its portfolio's messaging limit.
        MessagingLimit = "messaging_limit",
        /// Its quality is low: others of its pool get most of the work.
        Quality = "quality",
        /// It has failed of late: others of its pool get most of the work.
        Health = "health",
        /// There is nothing to send by it.
        NoWork = "no_work",
    }
}
