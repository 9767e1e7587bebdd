//! The person a message goes to. Never printed whole by accident: there is no `Display`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is no recipient. It does not repeat the text, which may be somebody's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    /// A letter or sign that no phone number has.
    #[error(
        "must be a phone number of 8 to 15 digits (+ - ( ) . and spaces may stand between), or a business-scoped \
         user id as US.13491208655302741918"
    )]
    Neither,
    /// Too few digits or too many.
    #[error("{0} digits, a phone number has 8 to 15")]
    Digits(usize),
    /// A national number, or an international one with its dialling prefix.
    #[error("begins with 0, must begin with the country's calling code")]
    LeadingZero,
    /// A zero that is dialled only inside the country: kept, it would be another person's number.
    #[error("leave (0) out: it is dialled only inside the country")]
    NationalZero,
}

/// Who gets the message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// By phone number.
    Phone(Phone),
    /// By Meta's user id, which only one business portfolio knows.
    UserId(UserId),
}

/// A phone number as E.164 with `+`, held in place: no allocation a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone {
    /// `+` and up to 15 digits, then zeros.
    text: [u8; 16],
}

/// A business-scoped user id: `CC.…`, or `CC.ENT.…` of a parent business.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Box<str>);

impl Recipient {
    /// The whole, as the Cloud API takes it. For requests and the ledger; never for a log.
    pub fn expose(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.expose(),
            Self::UserId(id) => &id.0,
        }
    }

    /// Whether Meta wants it as `to` (a phone number) or as `recipient` (a user id).
    pub const fn is_phone(&self) -> bool {
        match self {
            Self::Phone(_) => true,
            Self::UserId(_) => false,
        }
    }
}

impl Phone {
    fn expose(&self) -> &str {
        let end = self.text.iter().position(|byte| *byte == 0).unwrap_or(self.text.len());
        std::str::from_utf8(&self.text[..end]).expect("a plus sign and digits")
    }

    /// Without the plus sign, as display numbers are compared.
    pub(super) fn digits(&self) -> &str {
        &self.expose()[1..]
    }
}

impl FromStr for Phone {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        if text.contains("(0)") {
            return Err(InvalidRecipient::NationalZero);
        }
        let mut phone = Self { text: [0; 16] };
        phone.text[0] = b'+';
        let mut digits = 0;
        for byte in text.strip_prefix('+').unwrap_or(text).bytes() {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    if let Some(place) = phone.text.get_mut(digits) {
                        *place = byte;
                    }
                }
                b'-' | b'(' | b')' | b'.' | b' ' => {}
                _ => return Err(InvalidRecipient::Neither),
            }
        }
        match (digits, phone.text[1]) {
            (0, _) => Err(InvalidRecipient::Neither),
            (8..=15, b'0') => Err(InvalidRecipient::LeadingZero),
            (8..=15, _) => Ok(phone),
            _ => Err(InvalidRecipient::Digits(digits)),
        }
    }
}

impl FromStr for UserId {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        let (country, id) = text.split_once('.').ok_or(InvalidRecipient::Neither)?;
        let id = id.strip_prefix("ENT.").unwrap_or(id);
        let fits = country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits { Ok(Self(text.into())) } else { Err(InvalidRecipient::Neither) }
    }
}

/// Separators do not matter: what differs only in them is one recipient.
impl FromStr for Recipient {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        let text = text.trim_matches(' ');
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            text.parse().map(Self::UserId)
        } else {
            text.parse().map(Self::Phone)
        }
    }
}

/// The last two characters only.
impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.expose();
        // Both kinds are ASCII.
        write!(f, "…{}", &whole[whole.len().saturating_sub(2)..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Recipient::Phone(*self), f)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Recipient::UserId(self.clone()), f)
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_phone_number_is_kept_as_e164() {
        for text in ["+447700900123", "447700900123", "+44 (7700) 900-123", "44.7700.900123", " +44 7700 900123 "] {
            let recipient: Recipient = text.parse().expect(text);
            assert_eq!(recipient.expose(), "+447700900123");
            assert!(recipient.is_phone());
        }
        assert_eq!("123456789012345".parse::<Recipient>().expect("15 digits").expose(), "+123456789012345");
    }

    #[test]
    fn what_is_no_phone_number_is_refused_with_the_rule() {
        let refused = |text: &str| text.parse::<Recipient>().expect_err(text);
        assert_eq!(refused("+1555"), InvalidRecipient::Digits(4));
        assert_eq!(refused("1234567890123456"), InvalidRecipient::Digits(16));
        assert_eq!(refused("07700900123"), InvalidRecipient::LeadingZero);
        for text in ["", "+", "44770090012x", "++447700900123", "44+7700900123", "４４７７００９００１２３", "a"]
        {
            assert_eq!(refused(text), InvalidRecipient::Neither, "{text}");
        }
    }

    #[test]
    fn a_user_id_is_kept_to_the_letter() {
        for text in ["US.13491208655302741918", "US.ENT.11815799212886844830", "DE.a"] {
            let recipient: Recipient = text.parse().expect(text);
            assert_eq!(recipient.expose(), text);
            assert!(!recipient.is_phone());
        }
        let long = format!("US.{}", "1".repeat(129));
        for text in ["us.1", "USA.1", "US.", "US.ENT.", "US.1_2", "US.1.2", &long] {
            assert_eq!(text.parse::<Recipient>(), Err(InvalidRecipient::Neither), "{text}");
        }
    }

    #[test]
    fn debug_shows_the_last_two_digits_only() {
        let recipient: Recipient = "+447700900123".parse().expect("valid");
        assert_eq!(format!("{recipient:?}"), "…23");
    }

    proptest! {
        #[test]
        fn separators_do_not_matter(digits in "[1-9][0-9]{7,14}", gaps in proptest::collection::vec("[-(). ]{0,2}", 15)) {
            let plain: Recipient = digits.parse().expect("digits");
            let spaced: String = digits.chars().zip(&gaps).map(|(digit, gap)| format!("{digit}{gap}")).collect();
            prop_assume!(!spaced.contains("(0)"));
            prop_assert_eq!(&spaced.parse::<Recipient>().expect("digits and separators"), &plain);
            prop_assert_eq!(format!("+{digits}"), plain.expose());
        }
    }
}
