//! The outermost object of a job: its fields by name, each still in the producer's own bytes.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::strict::{Strict, without_place};
use crate::job::field::{Field, Grouped, Problem};

/// Every field that a job may have, in the order of the format's description.
pub(in crate::job) const FIELDS: &[&str] = &[
    "v",
    "id",
    "source",
    "from",
    "priority",
    "to",
    "message",
    "category",
    "campaign",
    "not_before",
    "expires_at",
    "ttl",
    "deliver_within",
    "on_unknown",
    "marketing",
    "metadata",
];

/// The most bytes that a job may have.
const BODY_BYTES: usize = 256 * 1_024;

/// The fields of a job as they were written; no name stands there twice.
#[derive(Default)]
pub(super) struct Document<'b>(Vec<(String, &'b RawValue)>);

impl<'b> Document<'b> {
    pub fn read(bytes: &'b [u8]) -> Result<Self, Problem> {
        let refuse = |reason: String| Problem::new("body", reason);
        if bytes.len() > BODY_BYTES {
            return Err(refuse(format!("{} bytes, at most {}", Grouped(bytes.len()), Grouped(BODY_BYTES))));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| refuse(format!("not UTF-8: {error}")))?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(refuse("must be a JSON object".to_owned()));
        }
        serde_json::from_str(text).map_err(|error| {
            let what = if error.is_data() { without_place(&error) } else { format!("not JSON: {error}") };
            refuse(what)
        })
    }

    /// Refuses the first field that the format does not know.
    pub fn check_names(&self) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !FIELDS.contains(&name.as_str())) {
            Some((name, _)) => Err(unknown(None, name, FIELDS)),
            None => Ok(()),
        }
    }

    /// A field's own bytes; `null` is the same as absent.
    pub fn raw(&self, name: &str) -> Option<&'b RawValue> {
        self.0.iter().find(|(known, raw)| known == name && raw.get() != "null").map(|(_, raw)| *raw)
    }

    pub fn value(&self, name: &'static str) -> Result<Option<Value>, Problem> {
        self.raw(name).map(|raw| strict(name, raw)).transpose()
    }

    /// The message, as it was written and as it is read.
    pub fn message(&self) -> Result<(&'b RawValue, Value), Problem> {
        let raw = self.raw("message").ok_or_else(|| Problem::new("message", "missing"))?;
        Ok((raw, strict("message", raw)?))
    }

    /// A field that is a text with a rule of its own, or one of a closed set of words.
    pub fn parsed<T>(&self, name: &'static str) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let field = Field::top(name, &value);
        field.text()?.parse().map(Some).map_err(|error: T::Err| field.refuse(error.to_string()))
    }
}

fn strict(name: &str, raw: &RawValue) -> Result<Value, Problem> {
    match serde_json::from_str::<Strict>(raw.get()) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(Problem::new(name, without_place(&error))),
    }
}

/// A name that is not known, with the known one that it looks like.
pub(super) fn unknown(above: Option<&str>, name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    let likeness = |known: &&&str| (strsim::jaro_winkler(name, known) * 1_000.0) as u32;
    let reason = match known.iter().max_by_key(likeness).filter(|nearest| likeness(nearest) > 800) {
        Some(nearest) => format!("unknown field, did you mean {nearest}?"),
        None => format!("unknown field, known are {}", known.join(", ")),
    };
    match above {
        Some(above) => Problem::new(format!("{above}.{shown}"), reason),
        None => Problem::new(shown, reason),
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(String, &'de RawValue)> = Vec::with_capacity(FIELDS.len());
        while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("the key {} stands there twice", Key(&name))));
            }
            // More than the format knows: the first unknown one is refused next, the others need no place.
            if fields.len() <= FIELDS.len() {
                fields.push((name, raw));
            }
        }
        Ok(Document(fields))
    }
}

/// A key as a refusal quotes it.
pub(super) struct Key<'k>(pub &'k str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(64).collect();
        write!(f, "{shown:?}")
    }
}
