//! Webhook options in writing, as they stand on a command line.

use super::config::{AnswerShares, Between, Delays, FailedShare};
use crate::sim::key_values::{self, SpecError};
use std::str::FromStr;

impl FromStr for Delays {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut delays = Self::default();
        for (key, value) in key_values::pairs(text) {
            let (least, most) = value.split_once('/').unwrap_or((value, value));
            let between = Between::seconds(key_values::seconds(key, least)?, key_values::seconds(key, most)?);
            match key {
                "sent" => delays.sent = between,
                "delivered" => delays.delivered = between,
                "read" => delays.read = between,
                _ => return Err(SpecError::unknown_key(key, &["sent", "delivered", "read"])),
            }
        }
        Ok(delays)
    }
}

impl FromStr for FailedShare {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut failed = Self::of(0, 1.0);
        for (key, value) in key_values::pairs(text) {
            match key {
                "code" => failed.code = key_values::parse(key, value, "one of Meta's error codes, such as 131026")?,
                "share" => failed.share = share(key, value)?,
                "number" => failed.number = Some(value.to_owned()),
                "recipient_suffix" => failed.recipient_suffix = Some(value.to_owned()),
                _ => return Err(SpecError::unknown_key(key, &["code", "share", "number", "recipient_suffix"])),
            }
        }
        if failed.code == 0 {
            return Err(SpecError::whole("code: one of Meta's error codes is needed, as in code=131026,share=0.1"));
        }
        Ok(failed)
    }
}

impl FromStr for AnswerShares {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut answers = Self::default();
        for (key, value) in key_values::pairs(text) {
            match key {
                "stop" => answers.stop = share(key, value)?,
                "text" => answers.text = share(key, value)?,
                "button" => answers.button = share(key, value)?,
                _ => return Err(SpecError::unknown_key(key, &["stop", "text", "button"])),
            }
        }
        Ok(answers)
    }
}

fn share(key: &str, value: &str) -> Result<f64, SpecError> {
    let allowed = "a number from 0 to 1";
    let share: f64 = key_values::parse(key, value, allowed)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(SpecError::bad_value(key, value, allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_a_command_line() {
        let delays: Delays = "sent=0.1/2,read=3".parse().unwrap();
        assert_eq!((delays.sent, delays.read), (Between::seconds(0.1, 2.0), Between::seconds(3.0, 3.0)));
        assert_eq!(delays.delivered, Delays::default().delivered);
        let failed: FailedShare = "code=131049,share=0.5,recipient_suffix=99".parse().unwrap();
        assert_eq!(failed, FailedShare { recipient_suffix: Some("99".to_owned()), ..FailedShare::of(131_049, 0.5) });
        let answers: AnswerShares = "stop=0.25".parse().unwrap();
        assert_eq!(answers, AnswerShares { stop: 0.25, ..AnswerShares::default() });
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        let says = |error: SpecError| error.to_string();
        assert!(says("snet=1".parse::<Delays>().unwrap_err()).starts_with("snet: no such key; allowed are sent"));
        assert!(says("share=0.1".parse::<FailedShare>().unwrap_err()).starts_with("code: one of Meta's error codes"));
        assert!(says("text=2".parse::<AnswerShares>().unwrap_err()).starts_with("text: `2` is not allowed"));
    }
}
