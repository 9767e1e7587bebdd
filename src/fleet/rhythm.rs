//! When one thing is read again: on a schedule that gives way to Meta's quota of calls. Pure.
//!
//! <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>, read 2026-11-20: 200 calls an hour for each
//! account, 5,000 for one that has a registered number.

use std::time::Duration;

use crate::clock::Mono;
use crate::graph::Usage;

/// From so many percent of the quota on, readings slow down.
const HIGH_USAGE: Usage = Usage(75);
/// So much slower at most.
const SLOWEST: u32 = 8;
/// What could not be read is tried again sooner than on schedule.
const SOON: Duration = Duration::from_secs(20);
/// After a refusal for too many calls, at least so long nothing is asked.
const LEAST_REST: Duration = Duration::from_secs(300);

/// What is read out of turn because jobs do not fit it is read so no more often than this, and than readings slow down.
const OUT_OF_TURN: Duration = Duration::from_secs(60);

/// So old is what was read at most, where somebody goes on reading: at the slowest, and after a rest. Quotas count
/// calls of an hour.
pub fn oldest(every: Duration) -> Duration {
    every * SLOWEST + Duration::from_secs(3_600)
}

/// When one thing is read again.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    every: Duration,
    slower: u32,
    due: Mono,
    /// How long it waits after the next reading, if that is another part of the interval than usual.
    turn: Option<Duration>,
    /// The last reading out of turn.
    hastened: Option<Mono>,
    /// Before this moment Meta wants no calls.
    rest_until: Mono,
}

impl Rhythm {
    /// Every so often, the first time at this moment.
    pub fn new(every: Duration, due: Mono) -> Self {
        Self { every, slower: 1, due, turn: None, hastened: None, rest_until: Mono::default() }
    }

    /// When it is read next.
    pub fn due(&self) -> Mono {
        self.due
    }

    /// Starts anew, with this moment as the next; after a rest, if Meta wants one.
    pub fn restart(&mut self, due: Mono) {
        self.due = due.max(self.rest_until);
    }

    /// Starts anew at this moment, and goes on so much later: not everything is to be read at the same time.
    pub fn begin(&mut self, due: Mono, turn: Duration) {
        self.restart(due);
        self.turn = Some(turn);
    }

    /// Somebody wants it read out of turn: as soon as that may be.
    pub fn hasten(&mut self, now: Mono) {
        let next = self.hastened.map_or(now, |last| last + OUT_OF_TURN * self.slower).max(now).max(self.rest_until);
        if next < self.due {
            (self.due, self.hastened) = (next, Some(next));
        }
    }

    /// It was read. Says how long it waits now, if it has slowed down.
    pub fn read(&mut self, usage: Usage, now: Mono) -> Option<Duration> {
        let before = self.slower;
        self.slower = if usage > HIGH_USAGE { (before * 2).min(SLOWEST) } else { (before / 2).max(1) };
        let turn = self.turn.take().filter(|_| self.slower == 1);
        self.due = now + turn.unwrap_or(self.every * self.slower);
        (self.slower > before).then(|| self.every * self.slower)
    }

    /// It could not be read.
    pub fn failed(&mut self, now: Mono) {
        self.due = now + SOON.min(self.every);
    }

    /// Meta wants no calls for so long. Says how long none is made.
    pub fn refused(&mut self, regain: Duration, now: Mono) -> Duration {
        let rest = regain.max(LEAST_REST);
        self.rest_until = self.rest_until.max(now + rest);
        self.due = self.due.max(self.rest_until);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn readings_slow_down_while_much_of_the_quota_is_used_and_come_back() {
        let start = Mono::default();
        let mut rhythm = Rhythm::new(MINUTE, start);
        let mut read = |usage: u32| {
            let told = rhythm.read(Usage(usage), start);
            (rhythm.due().since(start), told)
        };
        assert_eq!(read(75), (MINUTE, None));
        assert_eq!(read(76), (MINUTE * 2, Some(MINUTE * 2)));
        assert_eq!(read(90), (MINUTE * 4, Some(MINUTE * 4)));
        assert_eq!(read(90), (MINUTE * 8, Some(MINUTE * 8)));
        assert_eq!(read(99), (MINUTE * 8, None), "no slower, and not told again");
        assert_eq!(read(10), (MINUTE * 4, None));
        assert_eq!((read(10).0, read(10).0, read(10).0), (MINUTE * 2, MINUTE, MINUTE));
    }

    #[test]
    fn a_first_turn_may_be_shorter() {
        let start = Mono::default();
        let mut rhythm = Rhythm::new(MINUTE * 5, start);
        rhythm.begin(start, MINUTE);
        rhythm.read(Usage(0), start);
        assert_eq!(rhythm.due().since(start), MINUTE);
        rhythm.read(Usage(0), start);
        assert_eq!(rhythm.due().since(start), MINUTE * 5);
    }

    #[test]
    fn a_refusal_rests_as_long_as_meta_says_and_at_least_five_minutes() {
        let start = Mono::default();
        let mut rhythm = Rhythm::new(MINUTE, start);
        assert_eq!(rhythm.refused(MINUTE, start), MINUTE * 5);
        assert_eq!(rhythm.due().since(start), MINUTE * 5);
        assert_eq!(rhythm.refused(MINUTE * 30, start), MINUTE * 30);
        assert_eq!(rhythm.refused(MINUTE, start), MINUTE * 5);
        assert_eq!(rhythm.due().since(start), MINUTE * 30, "the longer rest stands");
    }

    #[test]
    fn what_is_wanted_out_of_turn_is_read_at_once_and_then_once_a_minute() {
        let hour = MINUTE * 60;
        let mut now = Mono::default();
        let mut rhythm = Rhythm::new(hour, now);
        rhythm.read(Usage(0), now);
        let mut readings = 0;
        for _ in 0..600 {
            now = now + Duration::from_secs(1);
            rhythm.hasten(now);
            if rhythm.due() <= now {
                readings += 1;
                rhythm.read(Usage(0), now);
            }
        }
        assert_eq!(readings, 10);
        rhythm.read(Usage(0), now);
        assert_eq!(rhythm.due().since(now), hour, "nobody wants it any more");
    }

    #[test]
    fn what_is_wanted_out_of_turn_slows_down_and_rests_as_everything_does() {
        let start = Mono::default();
        let mut rhythm = Rhythm::new(MINUTE * 60, start);
        rhythm.hasten(start);
        assert_eq!(rhythm.due(), start, "no later than it would be");
        rhythm.read(Usage(90), start);
        rhythm.hasten(start);
        rhythm.read(Usage(90), start);
        rhythm.hasten(start);
        assert_eq!(rhythm.due().since(start), MINUTE * 4, "much of the quota is used");
        rhythm.refused(MINUTE * 30, start);
        rhythm.hasten(start + MINUTE * 5);
        rhythm.restart(start + MINUTE * 5);
        assert_eq!(rhythm.due().since(start), MINUTE * 30);
    }

    #[test]
    fn what_could_not_be_read_is_tried_soon() {
        let start = Mono::default();
        let mut rhythm = Rhythm::new(MINUTE, start);
        rhythm.failed(start);
        assert_eq!(rhythm.due().since(start), SOON);
        let mut quick = Rhythm::new(Duration::from_secs(1), start);
        quick.failed(start);
        assert_eq!(quick.due().since(start), Duration::from_secs(1));
    }
}
