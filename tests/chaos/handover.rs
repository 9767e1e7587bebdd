//! How long a number rests when it changes hands. A new owner knows nothing of what the one before sent, so it waits
//! for a whole second before its first send; whoever did not would pass the limit, and only now and then be seen to.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// A request that left a worker.
#[derive(Clone, Debug)]
pub struct Send {
    pub at: Instant,
    /// The number that it went by.
    pub number: String,
    /// The place of the process, and which of those that sat there it was.
    pub owner: (usize, usize),
}

/// The shortest rest of any number between two owners, and where it ended; none if no number changed hands.
pub fn shortest_rest(mut sends: Vec<Send>) -> Option<(Duration, Send)> {
    sends.sort_by_key(|send| send.at);
    let mut last: BTreeMap<String, Send> = BTreeMap::new();
    let mut shortest: Option<(Duration, Send)> = None;
    for send in sends {
        let before = last.insert(send.number.clone(), send.clone());
        if let Some(before) = before.filter(|before| before.owner != send.owner) {
            let rest = send.at - before.at;
            if shortest.as_ref().is_none_or(|(shortest, _)| rest < *shortest) {
                shortest = Some((rest, send));
            }
        }
    }
    shortest
}
