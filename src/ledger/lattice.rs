//! Where a job goes when Meta tells what became of its message: forward, whatever the order in which it is told.
//!
//! Pure. Statuses come late, early, twice and in any order, and before our own commit; whatever the order, they end in
//! the same state, since each state has a rank and the higher one stays.

use super::news::Heard;
use crate::outcome::State;

/// How much a state is proof of. What ended without proof (given up, taken back, out of time) gives way to any;
/// what reached a phone was not refused.
const fn rank(state: State) -> u8 {
    match state {
        State::Queued | State::Waiting | State::Sending | State::Unknown => 0,
        State::Expired | State::Cancelled | State::Unresolved => 1,
        State::Accepted => 2,
        State::Sent => 3,
        State::Failed | State::Suppressed => 4,
        State::Delivered => 5,
        State::Read => 6,
    }
}

impl Heard {
    /// The state that it would be told as.
    pub const fn state(&self) -> State {
        match self {
            Self::Sent => State::Sent,
            Self::Delivered => State::Delivered,
            Self::Read => State::Read,
            Self::Failed(failure) => failure.state,
        }
    }
}

/// Where a job in this state at this attempt goes on such a status of that attempt; none: it stays.
pub(super) fn advance(stands: State, attempt: u32, told_of: u32, heard: &Heard) -> Option<State> {
    let goes = heard.state();
    match heard {
        // That an earlier attempt failed says nothing of the one that followed.
        Heard::Failed(_) if told_of != attempt => None,
        // What was taken back or ran out was never known to have left: that it failed is no news.
        Heard::Failed(_) if matches!(stands, State::Expired | State::Cancelled | State::Queued | State::Waiting) => {
            None
        }
        Heard::Failed(_) | Heard::Sent | Heard::Delivered | Heard::Read => (rank(goes) > rank(stands)).then_some(goes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::news::Failure;
    use crate::outcome::Reason;

    fn failed() -> Heard {
        let (state, reason, code) = (State::Failed, Reason::NotOnWhatsapp, Some(131_026));
        Heard::Failed(Failure { state, reason, code, details: String::new(), retryable: false })
    }

    #[test]
    fn every_order_of_a_messages_statuses_ends_in_the_same_state() {
        let once = [Heard::Sent, Heard::Delivered, Heard::Read, failed()];
        let told: Vec<Heard> = once.iter().chain(&once).cloned().collect();
        let mut orders = 0;
        for first in [State::Sending, State::Unknown, State::Accepted, State::Unresolved] {
            for subset in 1_u32..1 << told.len() {
                let chosen: Vec<usize> = (0..told.len()).filter(|n| subset >> n & 1 == 1).collect();
                let mut ends = std::collections::BTreeSet::new();
                permute(&mut chosen.clone(), 0, &mut |order| {
                    orders += 1;
                    let end = order.iter().fold(first, |state, n| advance(state, 1, 1, &told[*n]).unwrap_or(state));
                    ends.insert(end);
                });
                assert_eq!(ends.len(), 1, "{first} {chosen:?}: {ends:?}");
            }
        }
        assert!(orders > 100_000, "{orders}");
    }

    fn permute(order: &mut [usize], from: usize, visit: &mut impl FnMut(&[usize])) {
        if from == order.len() {
            return visit(order);
        }
        for other in from..order.len() {
            order.swap(from, other);
            permute(order, from + 1, visit);
            order.swap(from, other);
        }
    }

    #[test]
    fn a_state_never_moves_backward() {
        for stands in State::ALL {
            for heard in [Heard::Sent, Heard::Delivered, Heard::Read, failed()] {
                if let Some(goes) = advance(*stands, 1, 1, &heard) {
                    assert!(rank(goes) > rank(*stands), "{stands} to {goes}");
                    assert!(goes.has_ended());
                }
            }
        }
    }

    #[test]
    fn proof_of_an_earlier_attempt_counts_and_its_failure_does_not() {
        assert_eq!(advance(State::Waiting, 1, 1, &Heard::Sent), Some(State::Sent));
        assert_eq!(advance(State::Sending, 2, 1, &Heard::Delivered), Some(State::Delivered));
        assert_eq!(advance(State::Sending, 2, 1, &failed()), None);
        assert_eq!(advance(State::Cancelled, 1, 1, &Heard::Delivered), Some(State::Delivered));
        assert_eq!(advance(State::Cancelled, 1, 1, &failed()), None);
        assert_eq!(advance(State::Unresolved, 1, 1, &failed()), Some(State::Failed));
        assert_eq!(advance(State::Unknown, 1, 1, &failed()), Some(State::Failed));
    }
}
