//! What people choose in WhatsApp itself about our marketing.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences>, read
//! 2026-09-11.

use super::inbound::{contact, people};
use super::object::Object;
use crate::clock::Timestamp;
use crate::job::{NumberId, Recipient};

/// A choice about marketing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The number that it was told by.
    pub number: Option<NumberId>,
    /// Whose it is, by phone number and by user id: one of them at least.
    pub from: Vec<Recipient>,
    /// Whether they want it: they stopped it, or went on with it or signed up for it.
    pub wants: bool,
    /// When they chose.
    pub at: Timestamp,
}

impl Preference {
    pub(super) fn read(
        preference: &Object<'_>,
        number: Option<NumberId>,
        contacts: &[Object<'_>],
        told_at: Timestamp,
    ) -> Option<Self> {
        let wants = match (preference.text("category")?.as_str(), preference.text("value")?.as_str()) {
            ("marketing_messages", "stop") => false,
            ("marketing_messages", "resume" | "signup") => true,
            _ => return None,
        };
        let own = [preference.text("wa_id"), preference.text("user_id")];
        let [phone, user_id] = own.clone();
        let contact = contact(contacts, phone, user_id).map(|contact| [contact.text("wa_id"), contact.text("user_id")]);
        let from = people(own, contact);
        let at = preference.moment("timestamp").unwrap_or(told_at);
        (!from.is_empty()).then_some(Self { number, from, wants, at })
    }
}
