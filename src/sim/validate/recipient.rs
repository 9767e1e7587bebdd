//! Whom a message goes to: a phone number in `to`, a business-scoped user id in `recipient`.

use super::part::Part;
use crate::sim::limits::{PHONE_DIGITS, USER_ID_CHARS};
use crate::sim::message::Recipient;
use crate::sim::refusal::Refusal;

/// Reads the recipient; if both fields are given, `to` wins.
pub(super) fn read(root: &Part<'_>) -> Result<Recipient, Refusal> {
    if let Some(to) = root.get("to") {
        let input = to.filled()?;
        let wa_id = digits(input).ok_or_else(|| {
            to.bad("must be a phone number of 8 to 15 digits with its country code, such as +447700900123")
        })?;
        return Ok(Recipient { input: input.to_owned(), wa_id: Some(wa_id) });
    }
    let Some(recipient) = root.get("recipient") else {
        return Err(Refusal::because(100, "The parameter to is required."));
    };
    let input = recipient.filled()?;
    if is_user_id(input) {
        Ok(Recipient { input: input.to_owned(), wa_id: None })
    } else {
        Err(recipient.bad("must be a business-scoped user id, such as US.13491208655302741918"))
    }
}

/// The person of this phone number or user id, if it is one.
pub(crate) fn person(input: &str) -> Option<Recipient> {
    let wa_id = digits(input);
    (wa_id.is_some() || is_user_id(input)).then(|| Recipient { input: input.to_owned(), wa_id })
}

/// The digits of a phone number in which `+ - ( )` and spaces may stand; a `+` only in front.
fn digits(input: &str) -> Option<String> {
    let mut digits = String::with_capacity(15);
    for (index, character) in input.trim().char_indices() {
        match character {
            '0'..='9' => digits.push(character),
            '+' if index == 0 => {}
            '-' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    (PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0')).then_some(digits)
}

/// `CC.id` or `CC.ENT.id` (`business-scoped-user-ids`, page of 2026-02-06).
fn is_user_id(input: &str) -> bool {
    let Some((country, rest)) = input.split_once('.') else {
        return false;
    };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=USER_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
