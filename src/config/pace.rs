//! A pace: so many sends in a period, written `80/s` or `20/min`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// How fast a number may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    count: NonZeroU32,
    unit: PaceUnit,
}

/// The period that a [`Pace`] counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaceUnit {
    /// Per second, `/s`.
    Second,
    /// Per minute, `/min`.
    Minute,
}

/// Why a text is no pace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaceError {
    /// Neither `N/s` nor `N/min`.
    #[error("a pace looks like \"80/s\" or \"20/min\"")]
    Form,
    /// Out of what can be kept to exactly.
    #[error("a pace is between 1 and {MOST} in its period")]
    Range,
}

/// The ring behind the bucket holds one instant per send of a period; past this it is a typing mistake.
const MOST: u32 = 100_000;

impl Pace {
    /// So many in a second.
    pub const fn per_second_of(count: NonZeroU32) -> Self {
        Self { count, unit: PaceUnit::Second }
    }

    /// How many in one [`Pace::period`].
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The window in which at most [`Pace::count`] sends start.
    pub const fn period(self) -> Duration {
        match self.unit {
            PaceUnit::Second => Duration::from_secs(1),
            PaceUnit::Minute => Duration::from_secs(60),
        }
    }

    /// The same speed in sends a second, for weights and forecasts.
    pub fn per_second(self) -> f64 {
        f64::from(self.count.get()) / self.period().as_secs_f64()
    }
}

impl FromStr for Pace {
    type Err = PaceError;

    fn from_str(text: &str) -> Result<Self, PaceError> {
        let (count, unit) = text.trim().split_once('/').ok_or(PaceError::Form)?;
        let unit = match unit.trim() {
            "s" | "sec" | "second" => PaceUnit::Second,
            "min" | "minute" => PaceUnit::Minute,
            _ => return Err(PaceError::Form),
        };
        let digits = count.trim().replace([',', '_'], "");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PaceError::Form);
        }
        let count = digits.parse::<u32>().map_err(|_| PaceError::Range)?;
        if count > MOST {
            return Err(PaceError::Range);
        }
        Ok(Self { count: NonZeroU32::new(count).ok_or(PaceError::Range)?, unit })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            PaceUnit::Second => "s",
            PaceUnit::Minute => "min",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_read_and_written_the_same() {
        for (text, written, per_second) in [
            ("80/s", "80/s", 80.0),
            (" 1,000 / s ", "1000/s", 1000.0),
            ("20/min", "20/min", 20.0 / 60.0),
            ("1_000/sec", "1000/s", 1000.0),
        ] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!(pace.to_string(), written);
            assert!((pace.per_second() - per_second).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_pace_is_refused() {
        for text in ["80", "", "/s", "80/", "80/h", "-3/s", "8.5/s", "a/s", "+5/s"] {
            assert_eq!(text.parse::<Pace>(), Err(PaceError::Form), "{text}");
        }
        for text in ["0/s", "100001/s", "99999999999/s"] {
            assert_eq!(text.parse::<Pace>(), Err(PaceError::Range), "{text}");
        }
    }
}
