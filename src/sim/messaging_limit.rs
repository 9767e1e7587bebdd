//! The messaging limit: how many different people a portfolio may write to first within 24 hours.
//!
//! Counted when a template is accepted. Meta counts what was *delivered* outside a service window
//! (<https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits>,
//! read 2026-09-11); counting at acceptance is never later, so it is the stricter of the two.

use super::limits::MESSAGING_LIMIT_WINDOW;
use std::collections::{HashMap, VecDeque};

/// The people one portfolio wrote to within the window.
#[derive(Debug)]
pub(crate) struct MessagingLimit {
    /// Different people allowed within the window; none is UNLIMITED, which costs and remembers nothing.
    pub(crate) limit: Option<u32>,
    window_ns: u64,
    latest: HashMap<u64, u64>,
    order: VecDeque<(u64, u64)>,
}

impl MessagingLimit {
    /// Nobody was written to yet; 24 hours pass in `24 h / time_scale`.
    pub(crate) fn new(limit: Option<u32>, time_scale: f64) -> Self {
        Self {
            limit,
            window_ns: super::scaled_ns(MESSAGING_LIMIT_WINDOW, time_scale),
            latest: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether this person may be written to now: somebody known within the window, or a place is free.
    pub(crate) fn allows(&mut self, recipient: u64, now_ns: u64) -> bool {
        let Some(limit) = self.limit else {
            return true;
        };
        self.forget(now_ns);
        self.latest.contains_key(&recipient) || self.latest.len() < limit as usize
    }

    /// Notes a message that was accepted; it moves the person's place forward.
    pub(crate) fn charge(&mut self, recipient: u64, now_ns: u64) {
        if self.limit.is_none() {
            return;
        }
        self.latest.insert(recipient, now_ns);
        self.order.push_back((now_ns, recipient));
        if self.order.len() > self.latest.len() * 2 + 1_024 {
            // Repeats to the same people leave stale entries behind: drop them before they add up.
            let latest = &self.latest;
            self.order.retain(|(at, recipient)| latest.get(recipient) == Some(at));
        }
    }

    /// Different people written to within the window.
    pub(crate) fn used(&mut self, now_ns: u64) -> usize {
        self.forget(now_ns);
        self.latest.len()
    }

    fn forget(&mut self, now_ns: u64) {
        while let Some(&(at, recipient)) = self.order.front()
            && at.saturating_add(self.window_ns) <= now_ns
        {
            self.order.pop_front();
            if self.latest.get(&recipient) == Some(&at) {
                self.latest.remove(&recipient);
            }
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
}
