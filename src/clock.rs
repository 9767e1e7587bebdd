//! Time as everyone else is handed it: the only file that reads a clock.
//!
//! Decisions take a [`Now`]; pacing, leases and deadlines of our own go by [`Mono`], which no clock change moves,
//! and what people and other machines agreed on (due times, expiry) goes by [`Timestamp`].

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment on the wall clock, in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A moment on the machine's own clock, in nanoseconds since boot; it also counts while the machine is suspended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(u64);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For pacing, leases and our own deadlines.
    pub mono: Mono,
    /// For due times, expiry and everything that is stored.
    pub wall: Timestamp,
}

/// Reads both clocks.
pub fn now() -> Now {
    Now { mono: Mono::read(), wall: Timestamp::read() }
}

/// What this thread has used of a processor: other work on the machine hardly shows in it.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn processor_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(spent.tv_sec), u32::try_from(spent.tv_nsec));
    Duration::new(seconds.expect("it began at zero"), nanos.expect("below a second"))
}

impl Timestamp {
    /// Later than any moment a job may name.
    pub const MAX: Self = Self(i64::MAX);

    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    fn read() -> Self {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Self(t.tv_sec * 1_000 + t.tv_nsec / 1_000_000)
    }

    /// From milliseconds since 1970.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// In milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Mono {
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    fn read() -> Self {
        // CLOCK_BOOTTIME: CLOCK_MONOTONIC stands still in a suspended VM, and a lease would seem to live on.
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self(u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0))
    }

    /// From nanoseconds since boot.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// In nanoseconds since boot.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(d)))
    }
}

impl Add<Duration> for Now {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self { mono: self.mono + d, wall: self.wall + d }
    }
}

/// RFC 3339 with milliseconds, in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", Duration::from_nanos(self.0).as_secs_f64())
    }
}

/// Reads RFC 3339; a moment without an offset is refused, since it would mean another time on every machine.
impl FromStr for Timestamp {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_what_it_was_read_from() {
        let t: Timestamp = "2026-11-20T10:00:00.250+01:00".parse().expect("valid");
        assert_eq!(t.to_string(), "2026-11-20T09:00:00.250Z");
        assert!("2026-11-20T09:00:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn time_never_runs_backward_in_a_difference() {
        let t = Mono::from_nanos(5);
        assert_eq!(Mono::from_nanos(3).since(t), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(1).since(Timestamp::from_millis(4)), Duration::ZERO);
    }
}
