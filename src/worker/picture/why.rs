//! Which of all limits binds a number, from what can be seen of it.

use crate::ops::Why;
use crate::outcome::Reason;

/// A number that has failed no more than this sends its whole share.
const HEALTHY: f64 = 0.9;

/// What decides how much a number sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// This worker may start sends by it.
    pub leased: bool,
    /// Why a hold stands over all of it, if one does.
    pub hold: Option<Reason>,
    /// Meta's fields were read.
    pub is_read: bool,
    /// They, or the configuration, let it send.
    pub may_send: bool,
    /// One send at a time tries a hold.
    pub probing: bool,
    /// Admitted jobs wait, for a connection.
    pub without_connection: bool,
    /// Admitted jobs wait for their permit, or it sends at its limit.
    pub paced: bool,
    /// The last second is another's.
    pub new_owner: bool,
    /// How often Meta counted too many of late.
    pub strikes: u32,
    /// Messages a second that people write to it.
    pub inbound: u32,
    /// Its limit is Meta's level, not the configuration's.
    pub has_level: bool,
    /// Its portfolio's messaging limit is reached.
    pub without_places: bool,
    /// Its share by its quality, 1 for a whole one.
    pub quality: f64,
    /// Its share by its own health, 1 for a whole one.
    pub health: f64,
    /// Another number of its pool sends.
    pub others_send: bool,
}

/// The first thing that would have to change before it could send more.
pub(super) fn why(seen: &Seen) -> Why {
    if !seen.leased {
        return Why::NotLeased;
    }
    match seen.hold {
        Some(Reason::Operator) => return Why::Paused,
        Some(_) => return Why::Held,
        None => {}
    }
    match (seen.may_send, seen.is_read) {
        (false, false) => return Why::Unread,
        (false, true) => return Why::Status,
        (true, _) if seen.probing => return Why::Probe,
        (true, _) if seen.without_connection => return Why::Connections,
        (true, _) => {}
    }
    if seen.paced { pace(seen) } else { share(seen) }
}

/// It has more to send than it may.
fn pace(seen: &Seen) -> Why {
    match seen {
        Seen { new_owner: true, .. } => Why::NewOwner,
        Seen { strikes: 1.., .. } => Why::Throttled,
        Seen { inbound: 1.., .. } => Why::Inbound,
        Seen { has_level: true, .. } => Why::Level,
        Seen { .. } => Why::Configured,
    }
}

/// It may send more than it has.
fn share(seen: &Seen) -> Why {
    match seen {
        Seen { without_places: true, .. } => Why::MessagingLimit,
        Seen { others_send: true, .. } if seen.quality < 1.0 => Why::Quality,
        Seen { others_send: true, .. } if seen.health < HEALTHY => Why::Health,
        Seen { .. } => Why::NoWork,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leased, and without anything to do.
    const IDLE: Seen = Seen {
        leased: true,
        hold: None,
        is_read: true,
        may_send: true,
        probing: false,
        without_connection: false,
        paced: false,
        new_owner: false,
        strikes: 0,
        inbound: 0,
        has_level: true,
        without_places: false,
        quality: 1.0,
        health: 1.0,
        others_send: false,
    };
    const BUSY: Seen = Seen { paced: true, ..IDLE };

    #[test]
    fn every_cause_has_its_word() {
        let cases = [
            (Seen { leased: false, ..BUSY }, Why::NotLeased),
            (Seen { hold: Some(Reason::Operator), ..BUSY }, Why::Paused),
            (Seen { hold: Some(Reason::Failing), ..BUSY }, Why::Held),
            (Seen { may_send: false, is_read: false, ..IDLE }, Why::Unread),
            (Seen { may_send: false, ..IDLE }, Why::Status),
            (Seen { probing: true, ..BUSY }, Why::Probe),
            (Seen { without_connection: true, ..BUSY }, Why::Connections),
            (Seen { new_owner: true, ..BUSY }, Why::NewOwner),
            (Seen { strikes: 3, ..BUSY }, Why::Throttled),
            (Seen { inbound: 2, ..BUSY }, Why::Inbound),
            (BUSY, Why::Level),
            (Seen { has_level: false, ..BUSY }, Why::Configured),
            (Seen { without_places: true, ..IDLE }, Why::MessagingLimit),
            (Seen { quality: 0.1, others_send: true, ..IDLE }, Why::Quality),
            (Seen { health: 0.5, others_send: true, ..IDLE }, Why::Health),
            (IDLE, Why::NoWork),
        ];
        for (seen, expected) in cases {
            assert_eq!(why(&seen), expected, "{seen:?}");
        }
        for word in Why::ALL {
            assert!(cases.iter().any(|(_, case)| case == word), "{word} is tried");
        }
    }

    #[test]
    fn what_binds_first_is_said() {
        let cases = [
            (Seen { leased: false, hold: Some(Reason::Operator), ..IDLE }, Why::NotLeased),
            (Seen { hold: Some(Reason::Operator), may_send: false, ..IDLE }, Why::Paused),
            (Seen { strikes: 1, inbound: 5, ..BUSY }, Why::Throttled),
            // At its pace, it is not the messaging limit that binds.
            (Seen { without_places: true, ..BUSY }, Why::Level),
            // What is of low quality sends all there is, where it is alone.
            (Seen { quality: 0.1, ..IDLE }, Why::NoWork),
            (Seen { strikes: 1, inbound: 5, has_level: false, ..IDLE }, Why::NoWork),
            // The configuration vouches for a number that cannot be read.
            (Seen { is_read: false, has_level: false, ..BUSY }, Why::Configured),
        ];
        for (seen, expected) in cases {
            assert_eq!(why(&seen), expected, "{seen:?}");
        }
    }
}
