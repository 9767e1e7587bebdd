//! What `tidegate config show` lists.

use serde::Serialize;

use super::layers::Origin;

/// One effective key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// As `numbers[0].rate`.
    pub key: String,
    /// As text, as it would be written; empty if not set, `***` if secret.
    pub value: String,
    /// `default`, a file and line, a variable, a flag.
    pub origin: String,
}

impl Setting {
    pub(super) fn new(key: &str, value: String, origin: Option<Origin>) -> Self {
        let origin = origin.map_or_else(|| "default".to_owned(), |origin| origin.text);
        Self { key: key.to_owned(), value, origin }
    }
}
