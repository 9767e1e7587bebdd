//! Reads the bodies of Meta's webhooks: bytes in, notices out. Pure, and it never fails.
//!
//! A body holds many changes, and a change of messages many statuses: each is read by itself, so that a broken one
//! spoils none of its neighbours. What nobody here knows, or cannot read, is [`Notice::Strange`].
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview>, read 2026-09-11.

mod account;
mod inbound;
mod number;
mod object;
mod preference;
mod status;
mod template;
#[cfg(test)]
pub(in crate::webhook) mod tests;

pub use account::{AccountNews, Ban, Restriction};
pub use inbound::{Inbound, InboundKind, Trouble};
pub use number::{MessagingLimit, NumberNews, QualityEvent};
pub use preference::Preference;
pub use status::{MetaError, Status, Told};
pub use template::{TemplateEvent, TemplateId, TemplateNews, Turn};

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::job::NumberId;
use object::Object;

/// One thing that a webhook says.
#[derive(Clone, Debug)]
pub enum Notice {
    /// What became of a message.
    Status(Status),
    /// A person wrote.
    Inbound(Box<Inbound>),
    /// Meta could not tell us what it wanted to.
    Trouble(Trouble),
    /// A person said in WhatsApp whether they want marketing.
    Preference(Preference),
    /// News of a number.
    Number(Change, NumberNews),
    /// News of a template.
    Template(Change, TemplateNews),
    /// News of an account.
    Account(Change, AccountNews),
    /// What nobody here understands.
    Strange {
        /// Meta's name of the field, or what of the body could not be read.
        field: String,
        /// As it came.
        body: String,
    },
}

/// Where a notice stood.
#[derive(Clone, Debug)]
pub struct Change {
    /// The account; empty if the webhook does not say.
    pub waba: Arc<str>,
    /// When Meta says it was, else when it came.
    pub at: Timestamp,
    /// Meta's name of the field.
    pub field: String,
    /// What Meta says, as it came.
    pub value: Box<RawValue>,
}

/// A change that is being read.
struct Reading<'a> {
    waba: Arc<str>,
    at: Timestamp,
    field: String,
    value: &'a RawValue,
}

/// Everything that a body says, in its order.
pub fn read(body: &[u8], received: Timestamp) -> Vec<Notice> {
    let mut notices = Vec::new();
    let entries = std::str::from_utf8(body).ok().and_then(Object::read).and_then(|whole| {
        let of_whatsapp = whole.text("object").is_none_or(|object| object == "whatsapp_business_account");
        whole.list("entry").filter(|_| of_whatsapp)
    });
    match entries {
        Some(entries) => entries.into_iter().for_each(|entry| read_entry(entry, received, &mut notices)),
        None => notices.push(strange("body", &String::from_utf8_lossy(body))),
    }
    notices
}

fn read_entry(raw: &RawValue, received: Timestamp, notices: &mut Vec<Notice>) {
    let entry = Object::read(raw.get());
    let Some((entry, changes)) = entry.and_then(|entry| entry.list("changes").map(|changes| (entry, changes))) else {
        notices.push(strange("entry", raw.get()));
        return;
    };
    let waba: Arc<str> = entry.text("id").filter(|id| is_plain(id)).unwrap_or_default().into();
    let at = entry.moment("time").unwrap_or(received);
    for raw in changes {
        let change = Object::read(raw.get()).and_then(|change| Some((change.text("field")?, change.raw("value")?)));
        match change {
            Some((field, value)) => {
                let reading = Reading { waba: waba.clone(), at, field, value };
                if !reading.read(notices) {
                    notices.push(strange(&reading.field, value.get()));
                }
            }
            None => notices.push(strange("change", raw.get())),
        }
    }
}

impl Reading<'_> {
    /// False if the change is not understood; then it has told nothing.
    fn read(&self, notices: &mut Vec<Notice>) -> bool {
        let Some(value) = Object::read(self.value.get()) else { return false };
        let notice = match self.field.as_str() {
            "messages" => return self.read_messages(&value, notices),
            "user_preferences" => return self.read_preferences(&value, notices),
            "phone_number_quality_update" => {
                NumberNews::quality(&value).map(|news| Notice::Number(self.change(), news))
            }
            "phone_number_name_update" => NumberNews::name(&value).map(|news| Notice::Number(self.change(), news)),
            "message_template_status_update" => self.template(TemplateNews::status(&value)),
            "message_template_quality_update" => self.template(TemplateNews::quality(&value)),
            "template_category_update" => self.template(TemplateNews::category(&value)),
            "account_update" => self.account(&value, AccountNews::update(&value)),
            "business_capability_update" => self.account(&value, Some(AccountNews::capability(&value))),
            "account_alerts" => self.account(&value, AccountNews::alert(&value)),
            _ => None,
        };
        let is_read = notice.is_some();
        notices.extend(notice);
        is_read
    }

    fn template(&self, news: Option<TemplateNews>) -> Option<Notice> {
        news.map(|news| Notice::Template(self.change(), news))
    }

    fn account(&self, value: &Object<'_>, news: Option<AccountNews>) -> Option<Notice> {
        let mut change = self.change();
        // News of partners stand under the partner's own id, and name the account inside.
        if let Some(waba) = value.object("waba_info").and_then(|info| info.text("waba_id")).filter(|id| is_plain(id)) {
            change.waba = waba.into();
        }
        news.map(|news| Notice::Account(change, news))
    }

    fn read_messages(&self, value: &Object<'_>, notices: &mut Vec<Notice>) -> bool {
        let number = number_of(value);
        let lists = ["statuses", "messages", "errors"].map(|name| value.list(name));
        let [statuses, messages, errors] = &lists;
        let contacts = value.objects("contacts");
        for raw in statuses.iter().flatten() {
            let status = Object::read(raw.get()).and_then(|status| Status::read(&status, self, number.as_ref()));
            notices.push(status.map_or_else(|| strange(&self.field, raw.get()), Notice::Status));
        }
        for raw in messages.iter().flatten() {
            let inbound = number.as_ref().and_then(|number| Inbound::read(raw, number, &contacts, self.at));
            notices
                .push(inbound.map_or_else(|| strange(&self.field, raw.get()), |read| Notice::Inbound(Box::new(read))));
        }
        for raw in errors.iter().flatten() {
            let error = Object::read(raw.get()).map(|error| MetaError::read(&error));
            let trouble = error.map(|error| Trouble { number: number.clone(), at: self.at, error });
            notices.push(trouble.map_or_else(|| strange(&self.field, raw.get()), Notice::Trouble));
        }
        lists.iter().any(Option::is_some)
    }

    fn read_preferences(&self, value: &Object<'_>, notices: &mut Vec<Notice>) -> bool {
        let Some(preferences) = value.list("user_preferences") else { return false };
        let contacts = value.objects("contacts");
        for raw in preferences {
            let number = number_of(value);
            let preference =
                Object::read(raw.get()).and_then(|read| Preference::read(&read, number, &contacts, self.at));
            notices.push(preference.map_or_else(|| strange(&self.field, raw.get()), Notice::Preference));
        }
        true
    }

    fn change(&self) -> Change {
        Change { waba: self.waba.clone(), at: self.at, field: self.field.clone(), value: self.value.to_owned() }
    }
}

fn number_of(value: &Object<'_>) -> Option<NumberId> {
    value.object("metadata")?.text("phone_number_id")?.parse().ok()
}

/// Without what no database takes as text; the field as short as a name is.
fn strange(field: &str, body: &str) -> Notice {
    let field = field.chars().filter(|c| !c.is_control()).take(64).collect();
    Notice::Strange { field, body: body.replace('\0', "\u{fffd}") }
}

/// Whether a text may be an id or a name of Meta's, and be kept as one.
fn is_plain(text: &str) -> bool {
    (1..=512).contains(&text.len()) && !text.contains(char::is_control)
}
