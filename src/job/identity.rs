//! Which job a job is: its key in the ledger, and a digest of what it says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::{From, JobId, Recipient, Source};
use crate::clock::Timestamp;

/// The ledger's key of a job, a UUID.
///
/// Keys of jobs with UUIDv7 ids begin with the same 48 bits of time, so they lie in order of time; all others
/// begin with ff, beyond every time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey([u8; 16]);

impl JobKey {
    /// The key of the job that `source` calls `id`.
    pub fn of(source: Option<&Source>, id: &JobId) -> Self {
        let source = source.map_or("", Source::as_str);
        let hash = Sha256::new()
            // A length in front: ("a", "bc") is not ("ab", "c"). No source has length 0.
            .chain_update([u8::try_from(source.len()).expect("a source has at most 64 bytes")])
            .chain_update(source)
            .chain_update(id.as_str())
            .finalize();
        let mut key: [u8; 16] = hash[..16].try_into().expect("SHA-256 has 32 bytes");
        match id.uuid_v7() {
            Some(uuid) => key[..6].copy_from_slice(&uuid.as_bytes()[..6]),
            None => key[0] = 0xff,
        }
        Self(Builder::from_custom_bytes(key).into_uuid().into_bytes())
    }

    /// From what [`as_bytes`](Self::as_bytes) gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As the ledger keeps it.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl JobId {
    /// When this id was made, if it says so: the time of a UUIDv7.
    pub fn made_at(&self) -> Option<Timestamp> {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.uuid_v7()?.as_bytes()[..6]);
        Some(Timestamp::from_millis(i64::from_be_bytes(millis)))
    }

    /// Only the hyphenated form: one in 64 of all MD5 sums would pass for a UUIDv7 without hyphens.
    fn uuid_v7(&self) -> Option<Uuid> {
        let uuid = (self.as_str().len() == 36).then(|| Uuid::try_parse(self.as_str()).ok())??;
        (uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122).then_some(uuid)
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_bytes(self.0), f)
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for JobKey {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Ok(Self(Uuid::try_parse(text)?.into_bytes()))
    }
}

impl Serialize for JobKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A hash of `to`, `from` and `message`: two jobs of one id are the same job if these are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Of what the job says; white space and the order of keys in the message do not matter.
    pub fn of(to: &Recipient, from: &From, message: &Value) -> Self {
        let (kind, from) = match from {
            From::Pool(pool) => (b'p', pool.as_str()),
            From::Number(number) => (b'n', number.as_str()),
            From::Display(digits) => (b'd', digits.as_str()),
        };
        let mut canonical = Vec::with_capacity(512);
        for part in [to.expose(), from] {
            canonical.extend_from_slice(&(part.len() as u64).to_be_bytes());
            canonical.extend_from_slice(part.as_bytes());
        }
        canonical.push(kind);
        write_sorted(&mut canonical, message);
        let hash = Sha256::digest(&canonical);
        Self(hash[..16].try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Of a job that was cancelled before anybody saw it: whatever comes up under its name is it.
    pub const UNSEEN: Self = Self([0; 16]);

    /// Whether two jobs of one name are the same job.
    pub fn is_same(&self, other: &Self) -> bool {
        self == other || *self == Self::UNSEEN || *other == Self::UNSEEN
    }

    /// From what [`as_bytes`](Self::as_bytes) gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As the ledger keeps it.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Sorts by itself: whether `serde_json`'s maps are sorted depends on a feature that any dependency may turn on.
fn write_sorted(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (name, value) in entries {
                write_text(out, name);
                write_sorted(out, value);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_sorted(out, item);
            }
            out.push(b']');
        }
        Value::String(text) => write_text(out, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            serde_json::to_writer(&mut *out, value).expect("memory takes every write");
            // Ends a number: [1, 2] is not [12].
            out.push(b',');
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).map_err(de::Error::custom)?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key(source: &str, id: &str) -> JobKey {
        let source = (!source.is_empty()).then(|| source.parse().expect("a source"));
        JobKey::of(source.as_ref(), &id.parse().expect("an id"))
    }

    fn digest(message: &Value) -> Digest {
        let to = "+447700900123".parse().expect("a recipient");
        Digest::of(&to, &From::Pool("default".parse().expect("a pool")), message)
    }

    #[test]
    fn a_uuid_v7_keeps_its_time_in_front() {
        let id = "01936d5e-8a4b-7c3d-9e2f-0123456789ab";
        let text = key("shop", id).to_string();
        assert!(text.starts_with("01936d5e-8a4b-8"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        assert_ne!(key("shop", id), key("other", id));
        let made_at = id.parse::<JobId>().expect("an id").made_at();
        assert_eq!(made_at, Some(Timestamp::from_millis(0x0193_6d5e_8a4b)));
    }

    #[test]
    fn any_other_id_lies_beyond_every_time() {
        for id in ["order-17", "01936d5e8a4b7c3d9e2f0123456789ab", "01936d5e-8a4b-4c3d-9e2f-0123456789ab"] {
            assert_eq!(key("", id).as_bytes()[0], 0xff, "{id}");
        }
    }

    #[test]
    fn source_and_id_do_not_run_into_each_other() {
        assert_ne!(key("a", "bc"), key("ab", "c"));
        assert_ne!(key("", "abc"), key("a", "bc"));
    }

    #[test]
    fn a_key_and_a_digest_read_back_as_themselves() {
        let key = key("shop", "order-17");
        assert_eq!(key.to_string().parse::<JobKey>().expect("printed"), key);
        let json = serde_json::to_string(&key).expect("a string");
        assert_eq!(serde_json::from_str::<JobKey>(&json).expect("printed"), key);
        let digest = digest(&json!({"type": "text"}));
        let json = serde_json::to_string(&digest).expect("a string");
        assert_eq!(serde_json::from_str::<Digest>(&json).expect("printed"), digest);
    }

    #[test]
    fn a_digest_sees_every_difference_but_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"a": [1, 2], "b": {"c": "x", "d": null}}"#).expect("JSON");
        let same: Value = serde_json::from_str(r#"{"b":{"d":null,"c":"x"},"a":[1,2]}"#).expect("JSON");
        assert_eq!(digest(&one), digest(&same));
        let others = [
            json!({"a": [2, 1], "b": {"c": "x", "d": null}}),
            json!({"a": [12], "b": {"c": "x", "d": null}}),
            json!({"a": [1, 2], "b": {"c": "x"}, "d": null}),
            json!({"a": ["1", 2], "b": {"c": "x", "d": null}}),
        ];
        for other in others {
            assert_ne!(digest(&one), digest(&other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn different_names_have_different_keys(
            a in ("[a-c]{1,3}", "[a-c]{1,3}"),
            b in ("[a-c]{1,3}", "[a-c]{1,3}"),
        ) {
            prop_assert_eq!(a == b, key(&a.0, &a.1) == key(&b.0, &b.1));
        }
    }
}
