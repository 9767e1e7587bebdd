//! What the sender gets to see.

use std::io::Write as _;
use std::time::Duration;

/// An answer, and how it is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
}

/// The answer's content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Html,
}

/// How the answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Whole,
    /// In the middle of the body, with the connection.
    Half,
    /// With a reset connection instead of a first byte.
    Cut,
    /// Never: there is no answer.
    Hang,
}

impl Answer {
    /// An answer in JSON, whole and at once.
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, content: Content::Json, delay: Duration::ZERO, ending: Ending::Whole }
    }

    /// A page such as a proxy in between would send.
    pub(crate) fn page(status: u16) -> Self {
        let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Self { content: Content::Html, ..Self::json(status, body.into_bytes()) }
    }

    /// The same answer with another end.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

/// The body of a 200. Written by hand: it is the hot path, and its parts were validated, save `input`.
pub(crate) fn acceptance(input: &str, wa_id: Option<&str>, wamid: &str, status: Option<&str>) -> Vec<u8> {
    const INVARIANT: &str = "a vector takes everything, and a string always serialises";
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(br#"{"messaging_product":"whatsapp","contacts":[{"input":"#);
    serde_json::to_writer(&mut body, input).expect(INVARIANT);
    if let Some(wa_id) = wa_id {
        write!(body, r#","wa_id":"{wa_id}""#).expect(INVARIANT);
    }
    write!(body, r#"}}],"messages":[{{"id":"{wamid}""#).expect(INVARIANT);
    if let Some(status) = status {
        write!(body, r#","message_status":"{status}""#).expect(INVARIANT);
    }
    body.extend_from_slice(b"}]}");
    body
}
