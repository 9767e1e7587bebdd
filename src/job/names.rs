//! The names that people and machines write in jobs: valid because they exist, and cheap to clone.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that does not fit its name's rule; the rule is the whole message, since what was given may be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {allowed}")]
pub struct InvalidName {
    pub(super) allowed: &'static str,
}

/// Declares a name: a text with a rule, shared by its clones.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $fits:ident, $allowed:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $fits(text) { Ok(Self(text.into())) } else { Err(InvalidName { allowed: $allowed }) }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

names! {
    /// A producer's id of a job; together with its [`Source`] it tells one job from every other.
    JobId: is_job_id, "1 to 128 printable characters, in at most 255 bytes";

    /// A producer's name.
    Source: is_word, "1 to 64 of a-z, 0-9, _ and -";

    /// The name of a set of numbers that may send for each other.
    PoolName: is_pool_name, "a letter of a-z, then at most 63 of a-z, 0-9, _ and -";

    /// A sending number by Meta's `phone_number_id`.
    NumberId: is_number_id, "Meta's phone_number_id: 1 to 32 digits";

    /// A campaign's name, as its producer gave it.
    Campaign: is_word, "1 to 64 of a-z, 0-9, _ and -";
}

impl PoolName {
    /// The pool of every number that no configured pool names.
    pub fn default_pool() -> Self {
        static DEFAULT: LazyLock<PoolName> = LazyLock::new(|| PoolName("default".into()));
        DEFAULT.clone()
    }
}

/// 255 bytes: an AMQP `message_id` or `correlation_id` holds no more.
fn is_job_id(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && text.len() <= 255 && text.chars().all(is_printable)
}

/// Neither control, nor white space but the plain one, nor invisible, nor changing the direction of what follows.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_word_byte)
}

fn is_word_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

fn is_pool_name(text: &str) -> bool {
    is_word(text) && text.as_bytes()[0].is_ascii_lowercase()
}

fn is_number_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_are_printable_and_short() {
        for good in ["a", "order 17/shipped", "bestellung-äöü", &"x".repeat(128)] {
            assert!(good.parse::<JobId>().is_ok(), "{good}");
        }
        for bad in ["", "a\tb", "a\u{7f}", "a\u{202e}b", "a\u{a0}b", &"x".repeat(129), &"😀".repeat(64)] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_keep_to_their_alphabets() {
        assert!("shop_1-a".parse::<Source>().is_ok());
        assert!("1-summer".parse::<Campaign>().is_ok());
        assert!("1pool".parse::<PoolName>().is_err());
        assert!("Shop".parse::<Source>().is_err());
        assert!("a".repeat(65).parse::<PoolName>().is_err());
        assert!("1".repeat(33).parse::<NumberId>().is_err());
        assert!("٣".parse::<NumberId>().is_err());
        assert_eq!(PoolName::default_pool().as_str(), "default");
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let refused = "Shop".parse::<Source>().expect_err("upper case").to_string();
        assert_eq!(refused, "must be 1 to 64 of a-z, 0-9, _ and -");
    }

    #[test]
    fn json_goes_through_the_same_rule() {
        let id: JobId = serde_json::from_str("\"order-17\"").expect("valid");
        assert_eq!(serde_json::to_string(&id).expect("a string"), "\"order-17\"");
        assert!(serde_json::from_str::<NumberId>("\"+44\"").is_err());
    }
}
