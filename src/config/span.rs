//! Lengths of time, written `30s`, `5m`, `24h`, `30d`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Unit};

/// Why a text is no length of time.
pub const FORM: &str = "a length of time looks like \"250ms\", \"30s\", \"5m\", \"24h\" or \"30d\"";

/// Reads jiff's friendly form; a day is 24 hours, and months and years, which vary, are refused.
pub fn parse(text: &str) -> Result<Duration, String> {
    let refuse = |_| FORM.to_owned();
    let span: Span = text.trim().parse().map_err(refuse)?;
    if span.is_negative() {
        return Err(FORM.to_owned());
    }
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(refuse)?;
    Duration::try_from(signed).map_err(refuse)
}

/// Writes a length of time as short as it can be read back.
pub fn write(length: Duration) -> String {
    let days = SpanRelativeTo::days_are_24_hours();
    Span::try_from(length)
        .and_then(|span| span.round(jiff::SpanRound::new().largest(Unit::Day).relative(days)))
        .map_or_else(|_| format!("{length:?}"), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written_the_same() {
        for (text, length) in [
            ("30s", Duration::from_secs(30)),
            ("5m", Duration::from_secs(300)),
            ("1d", Duration::from_secs(86_400)),
            ("30d", Duration::from_secs(30 * 86_400)),
            ("25ms", Duration::from_millis(25)),
            ("0s", Duration::ZERO),
            ("1h 30m", Duration::from_secs(5400)),
        ] {
            assert_eq!(parse(text), Ok(length));
            assert_eq!(write(length), text);
        }
        assert_eq!(parse("24h"), Ok(Duration::from_secs(86_400)));
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "30", "s", "-5s", "5s ago", "1 month", "2y", "soon", "5 parsecs"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
