//! What Meta says of a template.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/message_template_status_update>,
//! `message_template_quality_update` and `template_category_update` beside it, read 2026-09-11.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::object::Object;
use crate::clock::Timestamp;
use crate::outcome::words;

words! {
    /// What happened to a template.
    TemplateEvent {
        /// It may be sent.
        Approved = "APPROVED",
        /// It was put away.
        Archived = "ARCHIVED",
        /// It was taken out again.
        Unarchived = "UNARCHIVED",
        /// It is gone.
        Deleted = "DELETED",
        /// It may not be sent any more.
        Disabled = "DISABLED",
        /// It gets bad marks, and may be paused soon.
        Flagged = "FLAGGED",
        /// Somebody objects to a decision on it.
        InAppeal = "IN_APPEAL",
        /// The account has too many templates.
        LimitExceeded = "LIMIT_EXCEEDED",
        /// It may not be changed; the title says why.
        Locked = "LOCKED",
        /// It may not be sent for some hours.
        Paused = "PAUSED",
        /// It is being looked at.
        Pending = "PENDING",
        /// It may be sent again.
        Reinstated = "REINSTATED",
        /// It will be gone.
        PendingDeletion = "PENDING_DELETION",
        /// Meta does not want it.
        Rejected = "REJECTED",
        /// It may be sent again, in an older word.
        Unpaused = "UNPAUSED",
    }
}

/// What a status means for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be sent.
    Opens,
    /// It may not be sent for some hours.
    Pauses {
        /// For so many.
        hours: u64,
    },
    /// It will not be sent again.
    Disables,
    /// The same, since it is gone.
    Removes,
    /// The same, since Meta refused it.
    Rejects,
    /// Nothing.
    Stays,
}

/// Which template, as jobs name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplateId {
    name: String,
    language: String,
}

/// News of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateNews {
    /// It may be sent, or may not.
    Status {
        /// Which.
        template: TemplateId,
        /// What happened.
        event: TemplateEvent,
        /// What that means.
        turn: Turn,
        /// Its category, where the change says.
        category: Option<String>,
    },
    /// People like it more or less than before.
    Quality {
        /// Which.
        template: TemplateId,
        /// `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
        score: String,
    },
    /// Meta puts it into another category.
    Category {
        /// Which.
        template: TemplateId,
        /// The category that it is in, or will be.
        category: String,
        /// When it will be; none: it is.
        from: Option<Timestamp>,
    },
}

impl TemplateNews {
    pub(super) fn status(value: &Object<'_>) -> Option<Self> {
        let event: TemplateEvent = value.text("event")?.parse().ok()?;
        let title = value.object("other_info").and_then(|info| info.text("title"));
        let category = value.text("message_template_category").and_then(|word| upper_word(&word));
        Some(Self::Status { template: TemplateId::read(value)?, event, turn: turn(event, title.as_deref()), category })
    }

    pub(super) fn quality(value: &Object<'_>) -> Option<Self> {
        let score = value.text("new_quality_score").and_then(|word| upper_word(&word))?;
        Some(Self::Quality { template: TemplateId::read(value)?, score })
    }

    /// A day before, `new_category` still is the old one, and `correct_category` the new one.
    pub(super) fn category(value: &Object<'_>) -> Option<Self> {
        let template = TemplateId::read(value)?;
        if let Some(category) = value.text("correct_category").and_then(|word| upper_word(&word))
            && let Some(from) = value.moment("category_update_timestamp")
        {
            return Some(Self::Category { template, category, from: Some(from) });
        }
        let category = value.text("new_category").and_then(|word| upper_word(&word))?;
        Some(Self::Category { template, category, from: None })
    }

    /// Which template it is about.
    pub fn template(&self) -> &TemplateId {
        match self {
            Self::Status { template, .. } | Self::Quality { template, .. } | Self::Category { template, .. } => {
                template
            }
        }
    }
}

/// The title, where there is one, says more than the event: `LOCKED` comes with pauses and their ends.
fn turn(event: TemplateEvent, title: Option<&str>) -> Turn {
    match title {
        Some("UNPAUSE") => return Turn::Opens,
        // <https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-pausing>
        Some("FIRST_PAUSE") => return Turn::Pauses { hours: 3 },
        Some("SECOND_PAUSE") => return Turn::Pauses { hours: 6 },
        Some("RATE_LIMITING_PAUSE") => return Turn::Pauses { hours: 3 },
        Some("DISABLED") => return Turn::Disables,
        Some(_) | None => {}
    }
    match event {
        TemplateEvent::Approved | TemplateEvent::Reinstated | TemplateEvent::Unpaused | TemplateEvent::Unarchived => {
            Turn::Opens
        }
        TemplateEvent::Paused => Turn::Pauses { hours: 3 },
        TemplateEvent::Disabled => Turn::Disables,
        TemplateEvent::Deleted | TemplateEvent::PendingDeletion => Turn::Removes,
        TemplateEvent::Rejected => Turn::Rejects,
        // If it can't be sent after all, Meta's answers say so.
        TemplateEvent::Archived
        | TemplateEvent::Flagged
        | TemplateEvent::InAppeal
        | TemplateEvent::LimitExceeded
        | TemplateEvent::Locked
        | TemplateEvent::Pending => Turn::Stays,
    }
}

fn upper_word(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| text.to_ascii_uppercase())
}

impl TemplateId {
    fn read(value: &Object<'_>) -> Option<Self> {
        let fits = |text: &String| text.len() <= 512 && !text.contains(|c: char| c.is_control() || c == '/');
        let name = value.text("message_template_name").filter(fits)?;
        let language = value.text("message_template_language").filter(fits)?;
        // Webhooks have been seen to write `en-US` for what sends call `en_US`.
        Some(Self { name, language: language.replace('-', "_") })
    }
}

/// As holds and the fleet name it: `name/language`.
impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.language)
    }
}
