//! What the fleet's readings change in a running worker.

use crate::clock::Now;
use crate::config::Secret;
use crate::job::NumberId;

use super::number::Standing;
use super::pacer::Limit;
use super::shell::Worker;

/// One change.
#[derive(Clone, Debug)]
pub enum FleetChange {
    /// What Meta says of a number now.
    Number {
        /// Which.
        id: NumberId,
        /// Whether it may send, and its share.
        standing: Standing,
        /// Its throughput; none leaves it as it is.
        limit: Option<Limit>,
    },
    /// A credential has a new secret.
    Token {
        /// The credential's name.
        credential: String,
        /// The secret.
        token: Secret,
    },
}

impl Worker {
    pub(super) fn apply(&mut self, change: FleetChange, now: Now) {
        match change {
            FleetChange::Number { id, standing, limit } => {
                let Some(number) = self.core.scheduler.number_of(&id) else { return };
                self.core.set_standing(number, standing, now.mono);
                if let Some(limit) = limit {
                    self.core.retune(number, limit, now.mono);
                }
            }
            FleetChange::Token { credential, token } => {
                for number in self.core.scheduler.with_credential(&credential) {
                    self.ways[number.slot()].sender.set_token(&token);
                }
            }
        }
    }
}
