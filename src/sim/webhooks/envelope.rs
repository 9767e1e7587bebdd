//! The body of a POST: one `entry` for each account, in it one change for each number's statuses, one for each
//! number's messages, and one for each event.

use super::update::{Origin, Update, contact, metadata, status};
use crate::sim::clock::Clock;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Writes the body of these updates. `clock` turns their times into the wall clock's.
pub(super) fn body(updates: &[Update], clock: &Clock) -> Bytes {
    if let [Update::Raw(body)] = updates {
        return body.clone();
    }
    let mut entries: Vec<Entry> = Vec::new();
    for update in updates {
        let (waba, time_s) = match update {
            Update::Status { message, .. } => (message.origin.waba.as_str(), None),
            Update::Message { origin, .. } => (origin.waba.as_str(), None),
            Update::Event { waba, happened_ns, .. } => (&**waba, Some(unix_s(clock, *happened_ns))),
            // Those go alone.
            Update::Raw(_) => continue,
        };
        let index = entries.iter().position(|entry| entry.waba == waba).unwrap_or_else(|| {
            entries.push(Entry { waba: waba.to_owned(), time_s: None, changes: Vec::new() });
            entries.len() - 1
        });
        let entry = &mut entries[index];
        entry.time_s = entry.time_s.max(time_s);
        entry.add(update, clock);
    }
    let entries: Vec<Value> = entries.into_iter().map(Entry::value).collect();
    json!({ "object": "whatsapp_business_account", "entry": entries }).to_string().into()
}

struct Entry {
    waba: String,
    /// When the latest event happened; entries of messages have no time.
    time_s: Option<u64>,
    changes: Vec<Change>,
}

enum Change {
    /// Statuses or messages of one number, under this key.
    Messages {
        origin: Arc<Origin>,
        key: &'static str,
        people: Vec<Value>,
        items: Vec<Value>,
    },
    Event {
        field: &'static str,
        value: Arc<Value>,
    },
}

impl Entry {
    fn add(&mut self, update: &Update, clock: &Clock) {
        match update {
            Update::Status { message, step, happened_ns, is_priced } => {
                let item = status(message, *step, unix_s(clock, *happened_ns), *is_priced);
                // A failed message has no contact (`webhooks/reference/messages/status`).
                let person = item.get("errors").is_none().then(|| contact(&message.recipient));
                self.add_item(&message.origin, "statuses", item, person);
            }
            Update::Message { origin, from, message, happened_ns } => {
                let mut item = (**message).clone();
                item["timestamp"] = unix_s(clock, *happened_ns).to_string().into();
                self.add_item(origin, "messages", item, Some(contact(from)));
            }
            Update::Event { field, value, .. } => {
                self.changes.push(Change::Event { field, value: Arc::clone(value) });
            }
            Update::Raw(_) => {}
        }
    }

    fn add_item(&mut self, to: &Arc<Origin>, wanted: &'static str, item: Value, person: Option<Value>) {
        let there = self.changes.iter_mut().find_map(|change| match change {
            Change::Messages { origin, key, people, items } if origin == to && *key == wanted => Some((people, items)),
            Change::Messages { .. } | Change::Event { .. } => None,
        });
        match there {
            Some((people, items)) => {
                people.extend(person.filter(|person| !people.contains(person)));
                items.push(item);
            }
            None => self.changes.push(Change::Messages {
                origin: Arc::clone(to),
                key: wanted,
                people: person.into_iter().collect(),
                items: vec![item],
            }),
        }
    }

    fn value(self) -> Value {
        let changes: Vec<Value> = self.changes.into_iter().map(Change::value).collect();
        let mut entry = json!({ "id": self.waba, "changes": changes });
        if let Some(time_s) = self.time_s {
            entry["time"] = time_s.into();
        }
        entry
    }
}

impl Change {
    fn value(self) -> Value {
        match self {
            Self::Messages { origin, key, people, items } => {
                let mut value = json!({ "messaging_product": "whatsapp", "metadata": metadata(&origin) });
                if !people.is_empty() {
                    value["contacts"] = people.into();
                }
                value[key] = items.into();
                json!({ "field": "messages", "value": value })
            }
            Self::Event { field, value } => json!({ "field": field, "value": *value }),
        }
    }
}

/// The wall clock's second at this time of ours.
fn unix_s(clock: &Clock, at_ns: u64) -> u64 {
    clock.unix_ms(at_ns) / 1_000
}
