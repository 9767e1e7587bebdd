//! Events that belong to no job: what apps are told of people, numbers, templates and accounts.

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::job::{NumberId, Recipient};
use crate::ledger::OutboxRow;
use crate::webhook::notice::{Change, Inbound, InboundKind, Preference, Trouble};

/// An AMQP message id has at most 255 bytes.
const LONGEST_NAME: usize = 200;

#[derive(Serialize)]
struct InboundEvent<'a> {
    v: u8,
    event: &'a str,
    at: String,
    number: &'a str,
    from: Option<&'a str>,
    from_user_id: Option<&'a str>,
    name: Option<&'a str>,
    wamid: &'a str,
    r#type: InboundKind,
    context: Option<&'a RawValue>,
    message: &'a RawValue,
}

#[derive(Serialize)]
struct PreferenceEvent<'a> {
    v: u8,
    event: &'a str,
    at: String,
    number: Option<&'a str>,
    from: Option<&'a str>,
    from_user_id: Option<&'a str>,
    r#type: &'static str,
    preference: &'static str,
}

#[derive(Serialize)]
struct TroubleEvent<'a> {
    v: u8,
    event: &'a str,
    at: String,
    number: Option<&'a str>,
    code: Option<u32>,
    details: &'a str,
}

#[derive(Serialize)]
struct ChangeEvent<'a> {
    v: u8,
    event: &'a str,
    at: String,
    waba: Option<&'a str>,
    number: Option<&'a str>,
    template: Option<&'a str>,
    field: &'a str,
    value: &'a RawValue,
}

/// What a change is about, beside its account.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) number: Option<&'a NumberId>,
    pub(super) template: Option<&'a str>,
}

/// That a person wrote: the one place where apps get the text, since nobody keeps it here.
pub(super) fn inbound(inbound: &Inbound, pool: &str) -> OutboxRow {
    let name = named("inbound", &inbound.wamid);
    let (from, from_user_id) = names(&inbound.from);
    let event = InboundEvent {
        v: 1,
        event: &name,
        at: inbound.at.to_string(),
        number: inbound.number.as_str(),
        from,
        from_user_id,
        name: inbound.name.as_deref(),
        wamid: &inbound.wamid,
        r#type: inbound.kind,
        context: inbound.context.as_deref(),
        message: &inbound.message,
    };
    row(format!("inbound.{}.{pool}", inbound.kind), &name, &event)
}

/// That a person chose whether they want marketing.
pub(super) fn preference(preference: &Preference, pool: &str) -> OutboxRow {
    let (from, from_user_id) = names(&preference.from);
    let word = if preference.wants { "resume" } else { "stop" };
    let at = preference.at.to_string();
    let name = hashed("preference", &[from.unwrap_or_default(), from_user_id.unwrap_or_default(), word, &at]);
    let number = preference.number.as_ref().map(NumberId::as_str);
    let event =
        PreferenceEvent { v: 1, event: &name, at, number, from, from_user_id, r#type: "preference", preference: word };
    row(format!("inbound.preference.{pool}"), &name, &event)
}

/// That Meta could not tell something of a number.
pub(super) fn trouble(trouble: &Trouble) -> OutboxRow {
    let number = trouble.number.as_ref().map(NumberId::as_str);
    let (code, details) = (trouble.error.code, trouble.error.details.as_str());
    let at = trouble.at.to_string();
    let name = hashed("number", &[number.unwrap_or_default(), &code.unwrap_or_default().to_string(), details, &at]);
    let event = TroubleEvent { v: 1, event: &name, at, number, code, details };
    row("number.error".to_owned(), &name, &event)
}

/// A change of a number, a template or an account: `topic` is its first two words.
pub(super) fn change(topic: String, change: &Change, about: About<'_>) -> OutboxRow {
    let at = change.at.to_string();
    let kind = topic.split('.').next().unwrap_or_default();
    let name = hashed(kind, &[&change.waba, &change.field, change.value.get(), &at]);
    let event = ChangeEvent {
        v: 1,
        event: &name,
        at,
        waba: Some(&*change.waba).filter(|waba| !waba.is_empty()),
        number: about.number.map(NumberId::as_str),
        template: about.template,
        field: &change.field,
        value: &change.value,
    };
    row(topic, &name, &event)
}

/// When it was told twice, it is the same name.
fn hashed(kind: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}:{digits}")
}

fn named(kind: &str, id: &str) -> String {
    if id.len() > LONGEST_NAME { hashed(kind, &[id]) } else { format!("{kind}:{id}") }
}

fn names(from: &[Recipient]) -> (Option<&str>, Option<&str>) {
    let of = |is_phone| from.iter().find(|one| one.is_phone() == is_phone).map(Recipient::expose);
    (of(true), of(false))
}

fn row(topic: String, name: &str, event: &impl Serialize) -> OutboxRow {
    let body = serde_json::to_string(event).expect("texts, numbers and JSON are JSON");
    OutboxRow { seq: 0, topic, event: name.to_owned(), job: String::new(), body }
}
