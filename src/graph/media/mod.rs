//! Media at Meta's: uploads, and what customers sent.
//!
//! An uploaded file lives 30 days, one from a webhook 7; the address under which it is fetched 5 minutes
//! (<https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media>, read
//! 2026-09-11). The access token goes to Meta's own hosts and to that of `cloud_api.base_url`, and nowhere else.
//!
//! A message's `link` is Meta's to fetch: we never open one, so that nobody can make us call at an address of theirs.
//! Whoever makes us fetch links has to check each address at the moment of connecting, on every hop.

mod checksum;
mod fetch;
mod kind;
mod upload;

use std::path::Path;
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::ask::{self, ANSWER_WITHIN, Asker};
use super::{ApiBase, AskError, Credential, SetupError};
use crate::job::NumberId;

pub use checksum::Checksum;
pub use kind::{LARGEST, ending_of, mime_type_of};
pub use upload::Upload;

/// A line that is slower than this is given up, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// Meta's id of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MediaId(String);

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of Meta's: 1 to 128 digits, letters, - and _")]
pub struct InvalidMediaId;

/// A file as Meta describes it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Medium {
    /// Its id.
    pub id: MediaId,
    /// Its type, as `image/jpeg`.
    pub mime_type: String,
    /// Its checksum as Meta writes it.
    pub sha256: Option<String>,
    /// Its bytes.
    pub file_size: Option<u64>,
    /// Where it can be fetched, with the token, for five minutes.
    pub url: String,
}

/// Why nothing came of a file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file's name says nothing about its type.
    #[error("the type of {0} is not known by its name: say which it is, as in image/jpeg")]
    TypeUnknown(String),
    /// WhatsApp takes no files of this type.
    #[error("WhatsApp takes no files of type {given}; it takes {}", kind::all())]
    TypeRefused {
        /// The type.
        given: String,
    },
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// More than WhatsApp takes, or than the caller does.
    #[error("the file has {size} bytes; a file of type {mime_type} has at most {most} here")]
    TooLarge {
        /// What it is.
        mime_type: String,
        /// How many bytes it has, or how many had come when it was given up.
        size: u64,
        /// How many it may have.
        most: u64,
    },
    /// No regular file, or another one when it had been read.
    #[error("{0}")]
    NoFile(&'static str),
    /// The file could not be read.
    #[error("the file can't be read")]
    Read(#[source] std::io::Error),
    /// What came could not be written.
    #[error("the file can't be written")]
    Write(#[source] std::io::Error),
    /// Meta did not do it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The file's address is not one of Meta's: it was not called, and has not seen the token.
    #[error(
        "Meta says that the file lies at {host}, which is neither Meta's nor cloud_api.base_url: it was not fetched"
    )]
    Foreign {
        /// Scheme and host.
        host: String,
    },
    /// Two addresses in a row led to nothing.
    #[error("Meta has no file at the address that it gave, twice")]
    Gone,
    /// Not what Meta keeps.
    #[error("what came is not what Meta keeps: {0}")]
    Damaged(&'static str),
}

/// Media of one server.
#[derive(Clone, Debug)]
pub struct Media {
    asker: Asker,
}

#[derive(Deserialize)]
struct Created {
    id: MediaId,
}

#[derive(Deserialize)]
struct Described {
    url: String,
    mime_type: String,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    file_size: Option<Value>,
}

impl MediaId {
    /// As Meta writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MediaId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for MediaId {
    type Err = InvalidMediaId;

    fn from_str(text: &str) -> Result<Self, InvalidMediaId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_id = (1..=128).contains(&text.len()) && text.bytes().all(fits);
        is_id.then(|| Self(text.to_owned())).ok_or(InvalidMediaId)
    }
}

impl<'de> Deserialize<'de> for MediaId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Without its address, which is as good as the file to whoever has a token.
impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium").field("id", &self.id).field("mime_type", &self.mime_type).finish_non_exhaustive()
    }
}

impl Media {
    /// Trusts the same authorities as the send path.
    pub fn new(base: ApiBase, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        Ok(Self { asker: Asker::new(base, ca_file)? })
    }

    /// Gives Meta a file, for this number to send. Doing so twice makes two ids, and harms nobody.
    pub async fn upload(
        &self,
        number: &NumberId,
        credential: &Credential,
        upload: Upload,
    ) -> Result<MediaId, MediaError> {
        let url = self.asker.base().join(&format!("{number}/media"));
        let within = time_for(upload.size());
        let (form, sent) = upload.into_form().await?;
        let request = self.asker.request(Method::POST, url, credential).timeout(within).multipart(form);
        let Created { id } = ask::answer_of(request).await?;
        sent.check_unchanged().await?;
        Ok(id)
    }

    /// What Meta says of a file, with a fresh address; only if it is of this number, where one is named.
    pub async fn look_up(
        &self,
        id: &MediaId,
        of: Option<&NumberId>,
        credential: &Credential,
    ) -> Result<Medium, MediaError> {
        let described: Described = self.asker.get(self.node(id, of), credential).await?;
        // Meta's examples have it as a number and as a text.
        let file_size = described.file_size.and_then(|size| match size {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        });
        let Described { url, mime_type, sha256, .. } = described;
        Ok(Medium { id: id.clone(), mime_type, sha256, file_size, url })
    }

    /// Makes Meta forget a file; only if it is of this number, where one is named.
    pub async fn delete(&self, id: &MediaId, of: Option<&NumberId>, credential: &Credential) -> Result<(), MediaError> {
        Ok(ask::done(self.asker.request(Method::DELETE, self.node(id, of), credential)).await?)
    }

    fn node(&self, id: &MediaId, of: Option<&NumberId>) -> url::Url {
        let mut url = self.asker.base().join(id.as_str());
        if let Some(number) = of {
            url.query_pairs_mut().append_pair("phone_number_id", number.as_str());
        }
        url
    }
}

/// How long so many bytes may take.
fn time_for(bytes: u64) -> Duration {
    ANSWER_WITHIN + Duration::from_secs(bytes / SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_path() {
        for fine in ["700000000000001", "a-b_C9"] {
            assert_eq!(fine.parse::<MediaId>().expect("an id").as_str(), fine);
        }
        for wrong in ["", "../1001", "1/messages", "1?x", "1 ", "ü", &"1".repeat(129)] {
            assert!(wrong.parse::<MediaId>().is_err(), "{wrong}");
        }
    }
}
