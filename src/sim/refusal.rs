//! A refusal in Meta's words, and the body that carries it.

use super::error_table::{ErrorRow, find};
use serde::Serialize;
use std::borrow::Cow;

/// A refusal in Meta's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) http: u16,
    subcode: Option<u32>,
    message: Cow<'static, str>,
    details: Option<String>,
}

impl Refusal {
    /// `code` as the table has it; a code that Meta does not have yet comes as a plain 400.
    pub(crate) fn of(code: u32) -> Self {
        let row = find(code).copied().unwrap_or(ErrorRow { code, http: 400, subcode: None, title: "Unknown error" });
        // Authentication answers come without the «(#code)» that all others begin with.
        let message = match code {
            0 | 104 | 190 => Cow::Borrowed(row.title),
            _ => Cow::Owned(format!("(#{code}) {}", row.title)),
        };
        Self { code, http: row.http, subcode: row.subcode, message, details: None }
    }

    /// `code`, with a sentence on what exactly was wrong.
    pub(crate) fn because(code: u32, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..Self::of(code) }
    }

    /// The object does not exist, or this token may not see it: Meta tells neither apart.
    pub(crate) fn no_such_object(id: &str) -> Self {
        let id: String = id.chars().take(64).collect();
        Self {
            subcode: Some(33),
            message: Cow::Owned(format!(
                "Unsupported post request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
                 permissions, or does not support this operation"
            )),
            ..Self::of(100)
        }
    }

    /// A token that was good and is no more.
    pub(crate) fn token_expired() -> Self {
        Self {
            subcode: Some(463),
            message: Cow::Borrowed("Error validating access token: Session has expired"),
            ..Self::of(190)
        }
    }

    /// The same refusal under another HTTP status.
    pub(crate) fn with_http(self, http: u16) -> Self {
        Self { http, ..self }
    }

    /// The body that carries it; `trace` makes its `fbtrace_id`.
    pub(crate) fn body(&self, trace: u64) -> Vec<u8> {
        let body = Body {
            error: ErrorBody {
                message: &self.message,
                kind: "OAuthException",
                code: self.code,
                error_data: self.details.as_deref().map(|details| ErrorData { messaging_product: "whatsapp", details }),
                error_subcode: self.subcode,
                fbtrace_id: format!("A{trace:022X}"),
            },
        };
        serde_json::to_vec(&body).expect("strings and numbers always serialise")
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_data: Option<ErrorData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_subcode: Option<u32>,
    fbtrace_id: String,
}

#[derive(Serialize)]
struct ErrorData<'a> {
    messaging_product: &'static str,
    details: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_looks_like_one_of_metas() {
        let body: serde_json::Value =
            serde_json::from_slice(&Refusal::because(130_429, "too many messages").body(7)).unwrap();
        let error = &body["error"];
        assert_eq!(error["code"], 130_429);
        assert_eq!(error["error_subcode"], 2_494_055);
        assert_eq!(error["type"], "OAuthException");
        assert_eq!(error["message"], "(#130429) Rate limit hit");
        assert_eq!(error["error_data"]["messaging_product"], "whatsapp");
        assert_eq!(error["error_data"]["details"], "too many messages");
        assert_eq!(error["fbtrace_id"].as_str().unwrap().len(), 23);
    }

    #[test]
    fn a_code_that_meta_does_not_have_is_a_plain_400() {
        assert_eq!(Refusal::of(999_999).http, 400);
    }
}
