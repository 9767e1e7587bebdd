//! The body of a send: the job's own message in its own bytes, with what is ours spliced in front.

use std::fmt::Write;

use bytes::Bytes;

use crate::job::{Job, JobKey};

/// The body of one attempt at a job.
pub fn body(job: &Job, attempt: u32) -> Bytes {
    let message = job.message.json.get();
    let inside = message
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .expect("a job's message was checked to be an object");
    let mut body = String::with_capacity(message.len() + 256);
    let field = if job.to.is_phone() { "to" } else { "recipient" };
    // None of these texts needs escaping: a recipient is letters, digits, `+` and `.`, a key is hexadecimal.
    write!(
        body,
        r#"{{"messaging_product":"whatsapp","recipient_type":"individual","{field}":"{to}","biz_opaque_callback_data":"{key}:{attempt}""#,
        to = job.to.expose(),
        key = job.key,
    )
    .expect("a string takes every write");
    if let Some(marketing) = &job.marketing {
        if let Some(policy) = &marketing.product_policy {
            let policy = serde_json::to_string(policy).expect("a text is JSON");
            write!(body, r#","product_policy":{policy}"#).expect("a string takes every write");
        }
        if let Some(sharing) = marketing.message_activity_sharing {
            write!(body, r#","message_activity_sharing":{sharing}"#).expect("a string takes every write");
        }
    }
    if !inside.trim_ascii().is_empty() {
        body.push(',');
        body.push_str(inside);
    }
    body.push('}');
    Bytes::from(body)
}

/// Reads what [`body`] put into `biz_opaque_callback_data`, as it comes back in webhooks; none if it is not ours.
pub fn parse_callback(data: &str) -> Option<(JobKey, u32)> {
    let (key, attempt) = data.split_once(':')?;
    let is_canonical =
        key.len() == 36 && attempt.bytes().all(|byte| byte.is_ascii_digit()) && !attempt.starts_with('0');
    if !is_canonical {
        return None;
    }
    Some((key.parse().ok()?, attempt.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::graph::samples::job;

    fn sent(job: &Job, attempt: u32) -> Value {
        serde_json::from_slice(&body(job, attempt)).expect("a body is JSON")
    }

    #[test]
    fn a_body_is_the_message_with_what_is_ours() {
        let job =
            job(json!({"to": "+447700900123", "message": {"type": "text", "text": {"body": "a \"b\" \u{1f30a}"}}}));
        let expected = json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+447700900123",
            "biz_opaque_callback_data": format!("{}:3", job.key),
            "type": "text",
            "text": {"body": "a \"b\" \u{1f30a}"},
        });
        assert_eq!(sent(&job, 3), expected);
    }

    #[test]
    fn a_user_id_goes_as_recipient() {
        let job = job(json!({"to": "US.13491208655302741918"}));
        let body = sent(&job, 1);
        assert_eq!(body["recipient"], "US.13491208655302741918");
        assert_eq!(body.get("to"), None);
    }

    #[test]
    fn marketing_fields_stand_beside_the_template() {
        let marketing = json!({"product_policy": "CLOUD_\"API", "message_activity_sharing": false});
        let job = job(json!({"marketing": marketing}));
        let body = sent(&job, 1);
        assert_eq!(body["product_policy"], "CLOUD_\"API");
        assert_eq!(body["message_activity_sharing"], false);
        assert_eq!(body["type"], "template");
    }

    #[test]
    fn an_empty_message_still_makes_json() {
        for message in ["{}", "{ }", "{\n}"] {
            let mut job = job(json!({}));
            job.message.json = serde_json::value::RawValue::from_string(message.to_owned()).expect("JSON");
            assert_eq!(sent(&job, 1)["messaging_product"], "whatsapp");
        }
    }

    #[test]
    fn a_callback_reads_back_as_what_was_sent() {
        let job = job(json!({}));
        for attempt in [1, 17, u32::MAX] {
            let body = sent(&job, attempt);
            let data = body["biz_opaque_callback_data"].as_str().expect("a text");
            assert!(data.len() <= 512);
            assert_eq!(parse_callback(data), Some((job.key, attempt)));
        }
    }

    #[test]
    fn what_is_not_ours_is_no_callback() {
        let key = job(json!({})).key;
        for text in [
            "",
            ":",
            "order-17",
            &format!("{key}"),
            &format!("{key}:"),
            &format!("{key}:+1"),
            &format!("{key}:01"),
            &format!("{key}:4294967296"),
            &format!("{{{key}}}:1"),
            &format!("{key}:1:2"),
        ] {
            assert_eq!(parse_callback(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_callback_panics(text in "\\PC{0,60}") {
            parse_callback(&text);
        }

        #[test]
        fn any_message_survives_the_splice(fields in proptest::collection::btree_map("[a-z]{1,8}", "\\PC{0,20}", 0..6)) {
            let mut message = json!({"type": "text"});
            for (name, value) in &fields {
                message[format!("x_{name}")] = json!(value);
            }
            let body = sent(&job(json!({"message": message})), 1);
            for (name, value) in message.as_object().expect("an object") {
                prop_assert_eq!(&body[name], value);
            }
        }
    }
}
