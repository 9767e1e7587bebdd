//! How things are said to people: moments, lengths of time, counts, recipients.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::Duration;

use crate::clock::Timestamp;

/// Says a line on stderr. That nobody listens there is no reason to fail.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A count with thousands separators.
pub struct Count(pub u64);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// `1 job`, `2,000 jobs`.
pub fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", Count(count))
}

/// A length of time in its two greatest units: `3 d 4 h`, `12 s`, `250 ms`.
pub fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let (great, small) = match seconds {
        0 => return format!("{} ms", length.as_millis()),
        1..60 => return format!("{seconds} s"),
        60..3_600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    };
    match small.0 {
        0 => format!("{} {}", great.0, great.1),
        _ => format!("{} {} {} {}", great.0, great.1, small.0, small.1),
    }
}

/// How far a moment is from now: `in 12 s`, `3 min ago`, `just now`.
pub fn relative(moment: Timestamp, now: Timestamp) -> String {
    /// So that what was just set for two hours is not said to be over in 1 h 59 min.
    const HALF: Duration = Duration::from_millis(500);
    match (moment > now, moment.since(now), now.since(moment)) {
        (true, ahead, _) if ahead.as_secs() == 0 => format!("in {}", length(ahead)),
        (true, ahead, _) => format!("in {}", length(ahead + HALF)),
        (false, _, ago) if ago.as_secs() == 0 => "just now".to_owned(),
        (false, _, ago) => format!("{} ago", length(ago)),
    }
}

/// A moment as people and machines read it: `in 12 s (2026-11-20T09:00:00.000Z)`.
pub fn moment(moment: Timestamp, now: Timestamp) -> String {
    format!("{} ({moment})", relative(moment, now))
}

/// Enough of a recipient to tell two apart, and no more.
pub fn masked(recipient: &str) -> String {
    let keep = recipient.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
    format!("…{}", &recipient[keep..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (20_000, "20,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Count(count).to_string(), text);
        }
        assert_eq!(counted(1, "job"), "1 job");
        assert_eq!(counted(1_000, "job"), "1,000 jobs");
    }

    #[test]
    fn lengths_are_said_in_two_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (250, "250 ms"),
            (12_900, "12 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(length(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn moments_are_said_from_now() {
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(relative(now + Duration::from_secs(12), now), "in 12 s");
        assert_eq!(relative(now + Duration::from_millis(7_199_700), now), "in 2 h");
        assert_eq!(relative(now + Duration::from_millis(40), now), "in 40 ms");
        assert_eq!(relative(now, now), "just now");
        assert_eq!(moment(Timestamp::from_millis(0), now), "16 min 40 s ago (1970-01-01T00:00:00.000Z)");
    }

    #[test]
    fn a_recipient_shows_its_last_two_characters() {
        assert_eq!(masked("+447700900123"), "…23");
        assert_eq!(masked("7"), "…7");
        assert_eq!(masked(""), "…");
    }
}
