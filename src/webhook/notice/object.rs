//! JSON objects read member by member: a member of another form than expected is as if it were not there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::Timestamp;

/// Later than any moment that a calendar of four digits names.
const LATEST_SECOND: i64 = 253_402_300_799;
/// What is larger counts milliseconds: in seconds it would be the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// An object, its members unread.
pub(super) struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// None if this is no object.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// A member as it stands; the last one, where it is there twice.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// A text, or a number as a text: Meta writes ids as both. An empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.raw(name)?)
    }

    /// A whole number, or a text of one.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// A moment in seconds since 1970, as a number or a text.
    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        let told = self.whole(name)?;
        let millis = if told >= MILLISECONDS_FROM { told } else { told.checked_mul(1_000)? };
        (1..=LATEST_SECOND * 1_000).contains(&millis).then(|| Timestamp::from_millis(millis))
    }

    /// A member that is an object itself.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.raw(name)?.get())
    }

    /// A member that is a list, its elements unread.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// The elements of a list that are objects; none where there is no list.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        let elements = self.list(name).unwrap_or_default();
        elements.into_iter().filter_map(|element| Self::read(element.get())).collect()
    }
}

fn text(raw: &RawValue) -> Option<String> {
    let text = match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_another_form_is_not_there() {
        let object =
            Object::read(r#"{"id": 7, "name": "a\u0062", "empty": "", "no": null, "many": [1, {"a": 1}], "id2": "8"}"#)
                .expect("an object");
        assert_eq!(object.text("id").as_deref(), Some("7"));
        assert_eq!(object.whole("id2"), Some(8));
        assert_eq!(object.text("name").as_deref(), Some("ab"));
        for absent in ["empty", "no", "many", "nothing"] {
            assert_eq!(object.text(absent), None, "{absent}");
        }
        assert_eq!((object.list("many").map(|list| list.len()), object.objects("many").len()), (Some(2), 1));
        assert!(Object::read("[]").is_none() && Object::read("{").is_none());
    }

    #[test]
    fn a_moment_is_told_in_seconds_as_text_or_number() {
        for (told, expected) in [
            ("\"1697043223\"", Some(1_697_043_223_000)),
            ("1697043223", Some(1_697_043_223_000)),
            ("1697043223123", Some(1_697_043_223_123)),
            ("0", None),
            ("-1", None),
            ("99999999999999999", None),
            ("9223372036854775807", None),
            ("\"soon\"", None),
            ("1.5", None),
        ] {
            let json = format!("{{\"at\":{told}}}");
            let moment = Object::read(&json).expect("an object").moment("at");
            assert_eq!(moment.map(Timestamp::as_millis), expected, "{told}");
        }
    }
}
