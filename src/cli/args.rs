//! What people write as values of flags, read into types.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::{Span, SpanRelativeTo};

use crate::clock::Timestamp;

/// A moment, as it is written or from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// So long from now.
    In(Duration),
}

impl Moment {
    /// The moment, seen from now.
    pub fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::In(length) => now + length,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        length(text).map(Self::In).map_err(|_| {
            "a moment is a length of time from now (\"90s\", \"2h\", \"3d\"), or RFC 3339 with its offset \
             (\"2026-11-20T09:00:00Z\")"
                .to_owned()
        })
    }
}

/// A length of time; a day has 24 hours.
pub fn length(text: &str) -> Result<Duration, String> {
    let refused = || "a length of time looks like \"30s\", \"5m\", \"24h\" or \"3d\"".to_owned();
    let span: Span = text.trim().parse().map_err(|_| refused())?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refused())?;
    Duration::try_from(signed).map_err(|_| refused())
}

/// One word of a closed set: listed in the help, completed by the shell, suggested when misspelt.
pub fn word<Word>(all: &'static [Word], written: fn(Word) -> &'static str) -> impl TypedValueParser<Value = Word>
where
    Word: Copy + FromStr + Send + Sync + 'static,
{
    let words = PossibleValuesParser::new(all.iter().map(|word| written(*word)));
    words.map(|text| text.parse().ok().expect("only words of the set get here"))
}

/// The number that a list shows for a thing.
pub fn serial(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is named by the number that the list shows, as in 3".to_owned())
}

/// `key=value`, split at the first `=`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        Some(_) | None => Err("a setting looks like key=value, as in worker.drain=10s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_length_from_now() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!("2h".parse::<Moment>().expect("valid").seen_from(now), now + Duration::from_secs(7_200));
        let at: Moment = "1970-01-01T00:00:05Z".parse().expect("valid");
        assert_eq!(at.seen_from(now), Timestamp::from_millis(5_000));
        for wrong in ["", "soon", "2", "-2h", "1 month", "2026-11-20T09:00:00"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_setting_is_split_at_its_first_equals_sign() {
        assert_eq!(pair("a.b = c=d"), Ok(("a.b".to_owned(), " c=d".to_owned())));
        assert!(pair("worker.drain").is_err());
        assert!(pair("=x").is_err());
    }
}
