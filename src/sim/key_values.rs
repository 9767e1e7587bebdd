//! `key=value,key=value`, the form in which faults and numbers are written on a command line.

use std::str::FromStr;

/// A specification that could not be read. The text names the key and says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(String);

impl SpecError {
    /// `what` is allowed for `key`, and `value` is not that.
    pub(crate) fn bad_value(key: &str, value: &str, allowed: &str) -> Self {
        Self(format!("{key}: `{value}` is not allowed; allowed is {allowed}"))
    }

    /// There is no such key.
    pub(crate) fn unknown_key(key: &str, allowed: &[&str]) -> Self {
        Self(format!("{key}: no such key; allowed are {}", allowed.join(", ")))
    }

    /// Something about the whole of it.
    pub(crate) fn whole(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// The pairs of `text`; a word without `=` is `word=true`.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').map_or((part, "true"), |(key, value)| (key.trim(), value.trim())))
}

/// `value` as a `T`, or the error that names `key` and `allowed`.
pub(crate) fn parse<T: FromStr>(key: &str, value: &str, allowed: &str) -> Result<T, SpecError> {
    value.parse().map_err(|_| SpecError::bad_value(key, value, allowed))
}

/// `value` as yes or no.
pub(crate) fn flag(key: &str, value: &str) -> Result<bool, SpecError> {
    parse(key, value, "true or false")
}

/// `value` as seconds (a decimal number, not negative).
pub(crate) fn seconds(key: &str, value: &str) -> Result<f64, SpecError> {
    let allowed = "a number of seconds, 0 or more";
    let seconds: f64 = parse(key, value, allowed)?;
    if (0.0..1e9).contains(&seconds) { Ok(seconds) } else { Err(SpecError::bad_value(key, value, allowed)) }
}
