//! A fault in writing: `number=1002,every=20,code=131000`, or a table with the same keys.

use super::fault::{Fault, FaultAction};
use super::key_values::{self, SpecError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const KEYS: &[&str] = &[
    "number",
    "every",
    "probability",
    "first",
    "from",
    "until",
    "recipient_suffix",
    "slow",
    "code",
    "http",
    "token_expired",
    "cut_before",
    "cut_after",
    "hang",
    "half_json",
    "html_200",
    "no_wamid",
    "garbage",
];

/// The actions that are one bare word.
const WORDS: &[FaultAction] = &[
    FaultAction::TokenExpired,
    FaultAction::CutBefore,
    FaultAction::CutAfter,
    FaultAction::Hang,
    FaultAction::HalfJson,
    FaultAction::Html200,
    FaultAction::NoWamid,
    FaultAction::Garbage,
];

impl Fault {
    fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, SpecError> {
        let mut fault = Self::always(FaultAction::Answer);
        let mut reading = Actions::default();
        for (key, value) in pairs {
            let whole = "a whole number, 1 or more";
            match key {
                "number" if value == "*" => fault.number = None,
                "number" => fault.number = Some(value.to_owned()),
                "every" => fault.every = Some(key_values::parse(key, value, whole)?),
                "first" => fault.first = Some(key_values::parse(key, value, whole)?),
                "probability" => fault.probability = Some(probability(key, value)?),
                "from" => fault.from = Some(Duration::from_secs_f64(key_values::seconds(key, value)?)),
                "until" => fault.until = Some(Duration::from_secs_f64(key_values::seconds(key, value)?)),
                "recipient_suffix" => fault.recipient_suffix = Some(value.to_owned()),
                "slow" => {
                    fault.slow =
                        Duration::from_millis(key_values::parse(key, value, "a whole number of milliseconds")?);
                }
                _ => reading.read(key, value)?,
            }
        }
        fault.action = reading.action(fault.slow)?;
        Ok(fault)
    }
}

/// The action keys of a fault's text, gathered: `code` and `http` may stand together.
#[derive(Default)]
struct Actions {
    code: Option<u32>,
    http: Option<u16>,
    word: Option<FaultAction>,
}

impl Actions {
    fn read(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        match key {
            "code" => self.code = Some(key_values::parse(key, value, "one of Meta's error codes, such as 131000")?),
            "http" => {
                let allowed = "an HTTP status from 200 to 599";
                let status = key_values::parse(key, value, allowed)?;
                if !(200..600).contains(&status) {
                    return Err(SpecError::bad_value(key, value, allowed));
                }
                self.http = Some(status);
            }
            _ => {
                let known = WORDS.iter().find(|action| action.word() == key);
                let action = *known.ok_or_else(|| SpecError::unknown_key(key, KEYS))?;
                if key_values::flag(key, value)? {
                    if self.word.is_some() {
                        return Err(SpecError::whole(format!("{key}: a fault does one thing; it already has another")));
                    }
                    self.word = Some(action);
                }
            }
        }
        Ok(())
    }

    fn action(self, slow: Duration) -> Result<FaultAction, SpecError> {
        match (self.word, self.code, self.http) {
            (Some(action), None, None) => Ok(action),
            (Some(action), _, _) => {
                Err(SpecError::whole(format!("{}: cannot stand together with code or http", action.word())))
            }
            (None, Some(code), http) => Ok(FaultAction::Code { code, http }),
            (None, None, Some(status)) => Ok(FaultAction::Http(status)),
            (None, None, None) if !slow.is_zero() => Ok(FaultAction::Answer),
            (None, None, None) => Err(SpecError::whole(format!(
                "a fault needs something to do: slow=ms, code=N, http=N, or one of {}",
                WORDS.iter().map(|action| action.word()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

fn probability(key: &str, value: &str) -> Result<f64, SpecError> {
    let allowed = "a number from 0 to 1";
    let share: f64 = key_values::parse(key, value, allowed)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(SpecError::bad_value(key, value, allowed)) }
}

impl FromStr for Fault {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::from_pairs(key_values::pairs(text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number={}", self.number.as_deref().unwrap_or("*"))?;
        if let Some(every) = self.every {
            write!(f, ",every={every}")?;
        }
        if let Some(probability) = self.probability {
            write!(f, ",probability={probability}")?;
        }
        if let Some(first) = self.first {
            write!(f, ",first={first}")?;
        }
        if let Some(from) = self.from {
            write!(f, ",from={}", from.as_secs_f64())?;
        }
        if let Some(until) = self.until {
            write!(f, ",until={}", until.as_secs_f64())?;
        }
        if let Some(suffix) = &self.recipient_suffix {
            write!(f, ",recipient_suffix={suffix}")?;
        }
        if !self.slow.is_zero() {
            write!(f, ",slow={}", self.slow.as_millis())?;
        }
        match self.action {
            FaultAction::Answer => Ok(()),
            FaultAction::Code { code, http: None } => write!(f, ",code={code}"),
            FaultAction::Code { code, http: Some(status) } => write!(f, ",code={code},http={status}"),
            FaultAction::Http(status) => write!(f, ",http={status}"),
            FaultAction::TokenExpired
            | FaultAction::CutBefore
            | FaultAction::CutAfter
            | FaultAction::Hang
            | FaultAction::HalfJson
            | FaultAction::Html200
            | FaultAction::NoWamid
            | FaultAction::Garbage => write!(f, ",{}", self.action.word()),
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

/// The two ways to write a fault in TOML or JSON.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Written {
    Text(String),
    Table(BTreeMap<String, Scalar>),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Flag(bool),
    Whole(i64),
    Decimal(f64),
    Text(String),
}

impl TryFrom<Written> for Fault {
    type Error = SpecError;

    fn try_from(written: Written) -> Result<Self, SpecError> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Table(table) => {
                let pairs: Vec<(String, String)> = table
                    .into_iter()
                    .map(|(key, value)| match value {
                        Scalar::Flag(flag) => (key, flag.to_string()),
                        Scalar::Whole(whole) => (key, whole.to_string()),
                        Scalar::Decimal(decimal) => (key, decimal.to_string()),
                        Scalar::Text(text) => (key, text),
                    })
                    .collect();
                Self::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_was_written() {
        for text in [
            "number=1002,every=20,code=131000",
            "number=*,probability=0.25,first=3,from=1.5,until=9,http=502",
            "number=*,recipient_suffix=00,slow=250",
            "number=7,slow=10,code=2,http=500",
            "number=*,hang",
            "number=*,cut_before",
            "number=*,cut_after",
            "number=*,half_json",
            "number=*,html_200",
            "number=*,no_wamid",
            "number=*,garbage",
            "number=*,token_expired",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_table_means_the_same_as_the_text() {
        let table =
            serde_json::json!({ "number": 1002, "every": 20, "probability": 0.5, "hang": true, "garbage": false });
        let fault: Fault = serde_json::from_value(table).unwrap();
        assert_eq!(fault, "number=1002,every=20,probability=0.5,hang".parse().unwrap());
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        for (text, says) in [
            ("evry=20,hang", "evry: no such key; allowed are number, every"),
            ("every=0,hang", "every: `0` is not allowed; allowed is a whole number, 1 or more"),
            ("probability=2,hang", "probability: `2` is not allowed; allowed is a number from 0 to 1"),
            ("from=-1,hang", "from: `-1` is not allowed; allowed is a number of seconds"),
            ("code=abc", "code: `abc` is not allowed; allowed is one of Meta's error codes"),
            ("http=99", "http: `99` is not allowed; allowed is an HTTP status from 200 to 599"),
            ("slow=soon", "slow: `soon` is not allowed; allowed is a whole number of milliseconds"),
            ("hang,garbage", "garbage: a fault does one thing"),
            ("hang,code=2", "hang: cannot stand together with code"),
            ("hang=maybe", "hang: `maybe` is not allowed; allowed is true or false"),
            ("number=1", "a fault needs something to do: slow=ms, code=N"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
