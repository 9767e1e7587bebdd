//! What an account may not do for the time being.

use super::event::Restriction;
use std::collections::{HashMap, HashSet};

/// Bans, restrictions, and people who stopped marketing.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    banned: HashSet<String>,
    /// Until when, if that is known.
    restricted: HashMap<(String, Restriction), Option<u64>>,
    /// The keys of people who stopped marketing messages of this business. As many as the control API was told of.
    stopped: HashSet<u64>,
}

impl AccountState {
    pub(super) fn ban(&mut self, waba: &str) {
        self.banned.insert(waba.to_owned());
    }

    /// Ends the ban and all restrictions of an account.
    pub(super) fn reinstate(&mut self, waba: &str) {
        self.banned.remove(waba);
        self.restricted.retain(|(restricted, _), _| restricted != waba);
    }

    pub(super) fn restrict(&mut self, waba: &str, restriction: Restriction, until_ns: Option<u64>) {
        self.restricted.insert((waba.to_owned(), restriction), until_ns);
    }

    pub(super) fn stop_marketing(&mut self, person: u64) {
        self.stopped.insert(person);
    }

    pub(super) fn resume_marketing(&mut self, person: u64) {
        self.stopped.remove(&person);
    }

    /// Whether this person wants no marketing messages.
    pub(crate) fn has_stopped_marketing(&self, person: u64) -> bool {
        self.stopped.contains(&person)
    }

    /// The code with which a message of this account is refused, if it is.
    pub(crate) fn refusal(&self, waba: &str, is_template: bool, now_ns: u64) -> Option<u32> {
        if self.banned.is_empty() && self.restricted.is_empty() {
            return None;
        }
        if self.banned.contains(waba) {
            return Some(131_031);
        }
        let restriction = if is_template { Restriction::BusinessInitiated } else { Restriction::CustomerInitiated };
        let until_ns = self.restricted.get(&(waba.to_owned(), restriction))?;
        until_ns.is_none_or(|until_ns| now_ns < until_ns).then_some(368)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restriction_meets_one_kind_of_message_until_it_ends_or_is_lifted() {
        let mut state = AccountState::default();
        state.restrict("1", Restriction::BusinessInitiated, Some(10));
        state.restrict("1", Restriction::CustomerInitiated, None);
        assert_eq!(state.refusal("1", true, 9), Some(368));
        assert_eq!(state.refusal("1", true, 10), None);
        assert_eq!(state.refusal("1", false, u64::MAX), Some(368));
        assert_eq!(state.refusal("2", false, 9), None);
        state.ban("1");
        assert_eq!(state.refusal("1", true, 10), Some(131_031));
        state.reinstate("1");
        assert_eq!((state.refusal("1", true, 9), state.refusal("1", false, 9)), (None, None));
    }
}
