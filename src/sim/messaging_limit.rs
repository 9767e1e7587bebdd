//! The messaging limit: how many different people a portfolio may write to first within 24 hours.
//!
//! Counted when a template is accepted. Meta counts what was *delivered* outside a service window
//! (<https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits>,
//! read 2026-09-11); counting at acceptance is never later, so it is the stricter of the two. A message that fails
//! gives its place back at that moment, unless another message of the same person has it.

use super::limits::MESSAGING_LIMIT_WINDOW;
use std::collections::{BTreeSet, HashMap};

/// The people one portfolio wrote to within the window.
#[derive(Debug)]
pub(crate) struct MessagingLimit {
    /// Different people allowed within the window; none is UNLIMITED, which costs and remembers nothing.
    pub(crate) limit: Option<u32>,
    window_ns: u64,
    places: HashMap<u64, Place>,
    /// Every place by its latest message, the oldest first.
    order: BTreeSet<(u64, u64)>,
    /// Messages that will fail: when, whose, and when they were accepted.
    failing: BTreeSet<(u64, u64, u64)>,
}

/// When a person was written to.
#[derive(Debug, Clone, Copy)]
struct Place {
    latest: u64,
    before: Option<u64>,
}

impl MessagingLimit {
    /// Nobody was written to yet; 24 hours pass in `24 h / time_scale`.
    pub(crate) fn new(limit: Option<u32>, time_scale: f64) -> Self {
        Self {
            limit,
            window_ns: super::scaled_ns(MESSAGING_LIMIT_WINDOW, time_scale),
            places: HashMap::new(),
            order: BTreeSet::new(),
            failing: BTreeSet::new(),
        }
    }

    /// Whether this person may be written to now: somebody known within the window, or a place is free.
    pub(crate) fn allows(&mut self, recipient: u64, now_ns: u64) -> bool {
        let Some(limit) = self.limit else {
            return true;
        };
        self.forget(now_ns);
        self.places.contains_key(&recipient) || self.places.len() < limit as usize
    }

    /// Notes a message that was accepted; it moves the person's place forward.
    pub(crate) fn charge(&mut self, recipient: u64, now_ns: u64) {
        if self.limit.is_none() {
            return;
        }
        let before = self.places.get(&recipient).map(|place| place.latest);
        self.stand(recipient, Some(Place { latest: now_ns, before }));
    }

    /// Notes that the message accepted at `accepted_ns` will fail.
    pub(crate) fn fails(&mut self, recipient: u64, accepted_ns: u64, failed_ns: u64) {
        if self.limit.is_some() {
            self.failing.insert((failed_ns, recipient, accepted_ns));
        }
    }

    /// Different people written to within the window.
    pub(crate) fn used(&mut self, now_ns: u64) -> usize {
        self.forget(now_ns);
        self.places.len()
    }

    fn stand(&mut self, recipient: u64, place: Option<Place>) {
        let gone = match place {
            Some(place) => {
                self.order.insert((place.latest, recipient));
                self.places.insert(recipient, place).filter(|gone| gone.latest != place.latest)
            }
            None => self.places.remove(&recipient),
        };
        if let Some(gone) = gone {
            self.order.remove(&(gone.latest, recipient));
        }
    }

    fn forget(&mut self, now_ns: u64) {
        while let Some(&(failed_ns, recipient, accepted_ns)) = self.failing.first()
            && failed_ns <= now_ns
        {
            self.failing.pop_first();
            self.give_back(recipient, accepted_ns);
        }
        while let Some(&(at, recipient)) = self.order.first()
            && at.saturating_add(self.window_ns) <= now_ns
        {
            self.stand(recipient, None);
        }
    }

    fn give_back(&mut self, recipient: u64, accepted_ns: u64) {
        let Some(place) = self.places.get(&recipient).copied() else {
            return;
        };
        if place.latest == accepted_ns {
            self.stand(recipient, place.before.map(|latest| Place { latest, before: None }));
        } else if place.before == Some(accepted_ns) {
            self.stand(recipient, Some(Place { before: None, ..place }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn send(limit: &mut MessagingLimit, recipient: u64, at: u64) -> bool {
        let allowed = limit.allows(recipient, at);
        if allowed {
            limit.charge(recipient, at);
        }
        allowed
    }

    #[test]
    fn the_same_person_again_needs_no_further_place() {
        let mut limit = MessagingLimit::new(Some(2), 1.0);
        assert!(send(&mut limit, 1, 0));
        assert!(send(&mut limit, 2, 0));
        assert!(send(&mut limit, 1, HOUR));
        assert!(!send(&mut limit, 3, HOUR));
    }

    #[test]
    fn writing_again_moves_the_place_forward() {
        let mut limit = MessagingLimit::new(Some(1), 1.0);
        assert!(send(&mut limit, 1, 0));
        assert!(send(&mut limit, 1, 23 * HOUR));
        assert!(!send(&mut limit, 2, 24 * HOUR));
        assert!(send(&mut limit, 2, 47 * HOUR));
    }

    #[test]
    fn memory_stays_with_the_people_not_with_the_messages() {
        let mut limit = MessagingLimit::new(Some(10), 1.0);
        for n in 0..100_000 {
            assert!(send(&mut limit, n % 10, n));
        }
        assert!(limit.order.len() <= 1_044, "{} entries", limit.order.len());
        assert_eq!(limit.used(100_000), 10);
    }

    #[test]
    fn unlimited_remembers_nobody() {
        let mut limit = MessagingLimit::new(None, 1.0);
        assert!(send(&mut limit, 1, 0));
        assert_eq!(limit.used(0), 0);
    }

    #[test]
    fn a_message_that_failed_gives_its_place_back_when_it_fails_unless_another_has_it() {
        let mut limit = MessagingLimit::new(Some(2), 1.0);
        assert!(send(&mut limit, 1, 0));
        assert!(send(&mut limit, 2, 1));
        limit.fails(1, 0, HOUR);
        assert!(!send(&mut limit, 3, HOUR - 1));
        assert!(send(&mut limit, 3, HOUR));
        // The first message to the third keeps the place of the second, until its own day is over.
        assert!(send(&mut limit, 3, 2 * HOUR));
        limit.fails(3, 2 * HOUR, 3 * HOUR);
        assert!(!send(&mut limit, 4, 3 * HOUR));
        assert!(send(&mut limit, 4, 24 * HOUR + 1));
        assert_eq!(limit.used(24 * HOUR + 1), 2);
        assert_eq!(limit.used(25 * HOUR), 1);
    }
}
