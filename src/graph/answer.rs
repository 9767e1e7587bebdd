//! What an HTTP answer says of a send: table W of what a failed request means, as code.
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx with a message id | accepted |
//! | Meta's error JSON, whatever the status | refused, by its code |
//! | 429 or 503 without it | refused without a code: a server in front was too busy to take it |
//! | everything else | unknown |

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use crate::outcome::{Outcome, Refusal, UnknownCause};

/// Longer ids than the documented 128 are still taken, but not without bound.
const LONGEST_WAMID: usize = 512;
/// What is kept of Meta's words for people.
const LONGEST_DETAILS: usize = 300;
/// A wait that Meta asks for is believed up to this.
const LONGEST_REGAIN: Duration = Duration::from_secs(86_400);

#[derive(Deserialize)]
struct Success<'a> {
    #[serde(borrow)]
    messages: Vec<SentMessage<'a>>,
}

#[derive(Deserialize)]
struct SentMessage<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    message_status: Option<Cow<'a, str>>,
}

/// What an answer that came whole says of the message.
pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    if status.is_success()
        && let Some(accepted) = accepted(body)
    {
        return accepted;
    }
    match refusal(status, headers, body) {
        Some(refusal) => Outcome::Refused(refusal),
        None => Outcome::Unknown(UnknownCause::Garbled),
    }
}

/// What an answer that is no success says: Meta's error, or that a server was too busy; none if it says neither.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Refusal> {
    let regain = regain(headers);
    let http = status.as_u16();
    if let Some(error) = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(|body| body.get("error"))
        && let Some(code) = number(error.get("code"))
    {
        let details = error.pointer("/error_data/details").or_else(|| error.get("message"));
        return Some(Refusal {
            code: Some(code),
            subcode: number(error.get("error_subcode")),
            http,
            transient: error.get("is_transient").and_then(Value::as_bool).unwrap_or(false),
            details: details.and_then(Value::as_str).map(shorten).unwrap_or_default(),
            regain,
        });
    }
    let too_busy = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    too_busy.then(|| Refusal { code: None, subcode: None, http, transient: true, details: String::new(), regain })
}

fn accepted(body: &[u8]) -> Option<Outcome> {
    let success: Success<'_> = serde_json::from_slice(body).ok()?;
    let message = success.messages.into_iter().next()?;
    let fits = (1..=LONGEST_WAMID).contains(&message.id.len()) && !message.id.contains(char::is_control);
    // Meta's OpenAPI file of 2025-11-21 also knows `paused`: taken, and not going out yet either.
    let held = matches!(message.message_status.as_deref(), Some("held_for_quality_assessment" | "paused"));
    fits.then(|| Outcome::Accepted { wamid: message.id.into_owned(), held_for_quality: held })
}

/// Meta writes codes as numbers; resellers have been seen to quote them.
fn number(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `estimated_time_to_regain_access` (minutes) or `Retry-After` (seconds), whichever is longer.
/// <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>, read 2026-11-20.
fn regain(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let usage = headers.get("x-business-use-case-usage").and_then(text);
    let minutes = usage.and_then(|usage| longest_estimate(&usage)).map(|minutes| minutes.saturating_mul(60));
    let seconds = headers.get(header::RETRY_AFTER).and_then(text).and_then(|text| text.trim().parse().ok());
    let longest = minutes.max(seconds).filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(longest).min(LONGEST_REGAIN))
}

fn longest_estimate(usage: &str) -> Option<u64> {
    let usage: Value = serde_json::from_str(usage).ok()?;
    let entries = usage.as_object()?.values().filter_map(Value::as_array).flatten();
    entries.filter_map(|entry| entry.get("estimated_time_to_regain_access")?.as_u64()).max()
}

/// The highest percentage that Meta says is used of its quota of calls; 0 where it says nothing.
pub(super) fn usage(headers: &HeaderMap) -> u32 {
    let usage =
        headers.get("x-business-use-case-usage").and_then(|value| serde_json::from_slice(value.as_bytes()).ok());
    let usage: Value = usage.unwrap_or_default();
    let entries = usage.as_object().into_iter().flat_map(|of| of.values()).filter_map(Value::as_array).flatten();
    let percent = |entry: &Value| {
        let parts = ["call_count", "total_cputime", "total_time"].map(|name| entry.get(name).and_then(Value::as_u64));
        parts.into_iter().flatten().max()
    };
    entries.filter_map(percent).max().map_or(0, |most| u32::try_from(most).unwrap_or(u32::MAX))
}

/// Meta's words without what could be somebody's: runs of digits that a phone number could be, and user ids.
pub fn shorten(details: &str) -> String {
    let mut short = String::with_capacity(details.len().min(LONGEST_DETAILS));
    let mut rest = details;
    while let Some(c) = rest.chars().next() {
        if short.len() >= LONGEST_DETAILS {
            short.push('…');
            break;
        }
        let private = private_run(rest);
        if private > 0 {
            short.push('…');
            rest = &rest[private..];
            continue;
        }
        // A whole word at once, so that the end of one is never taken for the beginning of a user id.
        let word = rest.bytes().take_while(u8::is_ascii_alphabetic).take(LONGEST_DETAILS).count();
        if word > 0 {
            short.push_str(&rest[..word]);
            rest = &rest[word..];
        } else {
            short.push(if c.is_control() { ' ' } else { c });
            rest = &rest[c.len_utf8()..];
        }
    }
    short
}

/// How many bytes at the beginning are a run of at least 7 digits, with single separators, or a user id.
fn private_run(text: &str) -> usize {
    let bytes = text.as_bytes();
    let user_id = matches!(bytes, [a, b, b'.', c, ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_alphanumeric());
    if user_id {
        return bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    }
    let (mut digits, mut end) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => (digits, end) = (digits + 1, at + 1),
            b' ' | b'-' | b'(' | b')' | b'.' if digits > 0 && at < end + 2 => {}
            _ => break,
        }
    }
    if digits >= 7 { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Outcome {
        read(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), body.as_bytes())
    }

    fn refused(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        match read(StatusCode::from_u16(status).expect("a status"), &headers.collect(), body.as_bytes()) {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_id_is_accepted() {
        let body = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+447700900123","wa_id":"447700900123"}],
            "messages":[{"id":"wamid.HBgL","message_status":"STATUS"}]}"#;
        for (status, held) in
            [("accepted", false), ("held_for_quality_assessment", true), ("paused", true), ("x", false)]
        {
            let expected = Outcome::Accepted { wamid: "wamid.HBgL".to_owned(), held_for_quality: held };
            assert_eq!(answer(200, &body.replace("STATUS", status)), expected, "{status}");
        }
        let escaped = Outcome::Accepted { wamid: "wamid./=".to_owned(), held_for_quality: false };
        assert_eq!(answer(201, r#"{"messages":[{"id":"wamid.\/="}]}"#), escaped);
    }

    #[test]
    fn an_answer_that_says_nothing_is_unknown() {
        let long = format!(r#"{{"messages":[{{"id":"{}"}}]}}"#, "x".repeat(513));
        let deep = "[".repeat(100_000);
        let success = [
            "",
            "{}",
            "null",
            "[]",
            r#"{"success":true}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"id":""}]}"#,
            r#"{"messages":[{"id":7}]}"#,
            r#"{"messages":[{"id":"wamid.HB"#,
            "<html>200</html>",
            "\0",
            &long,
            &deep,
            r#"{"messages":[{"id":"a\u0000b"}]}"#,
            r#"{"messages":[{"id":"a"}],"messages":[{"id":"b"}]}"#,
        ];
        for body in success {
            assert_eq!(answer(200, body), Outcome::Unknown(UnknownCause::Garbled), "{}", &body[..body.len().min(60)]);
        }
        for status in [301, 400, 401, 404, 408, 500, 502, 504] {
            for body in ["", "<html>", r#"{"error":"no"}"#, r#"{"error":{"message":"no code"}}"#] {
                assert_eq!(answer(status, body), Outcome::Unknown(UnknownCause::Garbled), "{status} {body}");
            }
        }
    }

    #[test]
    fn a_busy_server_without_metas_words_took_nothing() {
        for status in [429, 503] {
            for body in ["", "<html>busy</html>", "{"] {
                let refusal = refused(status, &[("retry-after", "7")], body);
                assert_eq!((refusal.code, refusal.http, refusal.regain), (None, status, Some(Duration::from_secs(7))));
            }
        }
    }

    #[test]
    fn metas_error_is_read_whatever_its_status() {
        let error = json!({"error": {"message": "(#131056) Pair rate limit hit", "type": "OAuthException", "code": 131_056,
            "error_data": {"messaging_product": "whatsapp", "details": "Message failed to send"}, "error_subcode": 2_494_055,
            "is_transient": true, "fbtrace_id": "AqvPFfdD"}});
        for status in [200, 400, 403, 429, 500, 503] {
            let refusal = refused(status, &[], &error.to_string());
            assert_eq!((refusal.code, refusal.subcode, refusal.transient), (Some(131_056), Some(2_494_055), true));
            assert_eq!(
                (refusal.details.as_str(), refusal.http, refusal.regain),
                ("Message failed to send", status, None)
            );
        }
        assert_eq!(refused(400, &[], r#"{"error":{"code":"190","error_data":"x"}}"#).code, Some(190));
        assert_eq!(refused(401, &[], r#"{"error":{"code":190,"message":"expired"}}"#).details, "expired");
    }

    #[test]
    fn the_highest_share_of_the_quota_counts() {
        let of = |text: &str| {
            let headers =
                [(http::HeaderName::from_static("x-business-use-case-usage"), text.parse().expect("a value"))];
            usage(&headers.into_iter().collect())
        };
        let read =
            r#"{"1":[{"type":"messaging","call_count":12,"total_cputime":25,"total_time":7}],"2":[{"call_count":76}]}"#;
        assert_eq!((of(read), of("{}"), of("nonsense"), usage(&HeaderMap::new())), (76, 0, 0, 0));
    }

    #[test]
    fn the_longest_regain_counts() {
        let usage = r#"{"1":[{"type":"whatsapp","estimated_time_to_regain_access":3}],"2":[{"estimated_time_to_regain_access":9},{}]}"#;
        let quota = r#"{"error":{"code":80007}}"#;
        let regain = |headers: &[(&'static str, &str)]| refused(400, headers, quota).regain;
        assert_eq!(regain(&[("x-business-use-case-usage", usage)]), Some(Duration::from_secs(540)));
        assert_eq!(
            regain(&[("x-business-use-case-usage", usage), ("retry-after", "600")]),
            Some(Duration::from_secs(600))
        );
        assert_eq!(regain(&[("x-business-use-case-usage", "{\"1\":7}")]), None);
        assert_eq!(regain(&[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")]), None);
        assert_eq!(regain(&[("retry-after", "0")]), None);
        assert_eq!(regain(&[("retry-after", "18446744073709551615")]), Some(LONGEST_REGAIN));
    }

    #[test]
    fn details_never_show_a_recipient() {
        let cases = [
            ("Recipient phone number +447700900123 not in list", "Recipient phone number +… not in list"),
            ("to: +1 (212) 555-0123.", "to: +…."),
            ("to447700900123x", "to…x"),
            ("user US.13491208655302741918 is", "user … is"),
            ("user GB.ENT.abcd1234, gone", "user …, gone"),
            ("body has 1,025 characters; at most 1024", "body has 1,025 characters; at most 1024"),
            ("template['components'][0].text\n\u{0}x", "template['components'][0].text  x"),
        ];
        for (said, kept) in cases {
            assert_eq!(shorten(said), kept);
        }
        assert!(shorten(&"ü".repeat(1_000)).len() < 400);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(status in 100_u16..1000, body in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), &body);
        }

        #[test]
        fn no_words_panic_or_show_a_number(before in "\\PC{0,40}", digits in "[0-9]{7,15}", after in "\\PC{0,40}") {
            let kept = shorten(&format!("{before}+{digits}{after}"));
            prop_assert!(!kept.contains(&digits), "{}", kept);
        }

        #[test]
        fn cut_json_is_never_accepted(end in 0_usize..40) {
            let body = r#"{"messages":[{"id":"wamid.HBgLMTY1M"}]}"#;
            let expected = end >= body.len();
            let end = end.min(body.len());
            prop_assert_eq!(matches!(answer(200, &body[..end]), Outcome::Accepted { .. }), expected);
        }
    }
}
