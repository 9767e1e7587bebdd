//! The jobs that the demo hands in, as a producer's JSON, each to somebody else in a range reserved for fiction.

use serde_json::{Value, json};

use super::stage::template;

/// The campaign's name.
pub const CAMPAIGN: &str = "spring-sale";

/// As many messages as the campaign can have: recipients do not repeat.
pub const MOST: u32 = 50_000;

/// One message of the campaign.
pub fn campaign(place: u32) -> Value {
    let id = format!("{CAMPAIGN}-{:05}", place + 1);
    let mut job = job(&id, &recipient(place), template::CAMPAIGN, "marketing", &format!("Reader {}", place + 1));
    job["campaign"] = CAMPAIGN.into();
    job
}

/// A message of the campaign that is worth nothing two seconds after it was handed in.
pub fn flash(place: u32, recipient: u32) -> Value {
    let mut job = campaign(recipient);
    job["id"] = format!("flash-sale-{}", place + 1).into();
    job["ttl"] = "2s".into();
    job
}

/// Who gets a message of the campaign.
pub fn recipient(place: u32) -> String {
    american(place)
}

/// A one-time password.
pub fn password(place: u32) -> Value {
    password_for(place, &british(place))
}

/// A one-time password for this person.
pub fn password_for(place: u32, to: &str) -> Value {
    let code = format!("{:06}", u64::from(place + 1) * 7_919 % 1_000_000);
    let mut job = job(&format!("login-{}", place + 1), to, template::PASSWORD, "authentication", &code);
    let button = json!({
        "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": code }]
    });
    if let Some(components) = job.pointer_mut("/message/template/components").and_then(Value::as_array_mut) {
        components.push(button);
    }
    job
}

/// A shipping notice.
pub fn notice(place: u32) -> Value {
    job(
        &format!("order-{}-shipped", place + 1),
        &londoner(place),
        template::NOTICE,
        "utility",
        &format!("#{}", place + 1),
    )
}

/// A text that nobody could send: it is longer than Meta takes.
pub fn too_long() -> Value {
    json!({
        "id": "newsletter-1", "to": londoner(999),
        "message": { "type": "text", "text": { "body": "Dear reader! ".repeat(330) } }
    })
}

fn job(id: &str, to: &str, template: &str, category: &str, text: &str) -> Value {
    json!({
        "id": id, "source": "demo", "to": to, "category": category,
        "message": { "type": "template", "template": {
            "name": template, "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": text }] }]
        } }
    })
}

/// 555-0100 to 555-0199 of an area code are for fiction (North American Numbering Plan). One hundred people of an
/// area after the other.
fn american(place: u32) -> String {
    format!("+1{}55501{:02}", area_code(place / 100), place % 100)
}

/// The n-th code that an area could have: no 0 or 1 first, no 9 in the middle, no 11 at the end.
fn area_code(n: u32) -> u32 {
    let mut codes = (200..1_000).filter(|code| code / 10 % 10 != 9 && code % 100 != 11);
    codes.nth(n as usize).expect("there are over 700 area codes, and at most 501 are asked for")
}

/// 07700 900000 to 900999 are for fiction (Ofcom).
fn british(place: u32) -> String {
    format!("+447700900{:03}", place % 1_000)
}

/// 020 7946 0000 to 0999 are for fiction (Ofcom).
fn londoner(place: u32) -> String {
    format!("+4420794600{:02}", place % 100)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clock::Timestamp;
    use crate::job::{OnUnknown, Priority, Received, parse};

    fn parsed(job: &Value) -> crate::job::Job {
        parse(job.to_string().as_bytes(), &Received::here(Timestamp::from_millis(0))).unwrap()
    }

    #[test]
    fn every_kind_of_job_is_one_with_the_priority_that_its_category_has() {
        let campaign = parsed(&campaign(0));
        assert_eq!((campaign.priority, campaign.on_unknown), (Priority::Bulk, OnUnknown::Leave));
        assert_eq!(parsed(&flash(0, 7)).expires_at, Timestamp::from_millis(2_000));
        assert_eq!(parsed(&password(0)).priority, Priority::Urgent);
        assert_eq!(parsed(&notice(0)).priority, Priority::Normal);
    }

    #[test]
    fn what_is_too_long_is_no_job() {
        let refused = parse(too_long().to_string().as_bytes(), &Received::here(Timestamp::from_millis(0))).unwrap_err();
        assert_eq!(refused.field, "message.text.body");
    }

    #[test]
    fn nobody_gets_two_messages_of_the_campaign() {
        let recipients: BTreeSet<String> = (0..MOST + 10).map(american).collect();
        assert_eq!(recipients.len(), MOST as usize + 10);
        assert!(recipients.iter().all(|recipient| recipient.len() == 12 && recipient[5..].starts_with("55501")));
    }
}
