//! What the fleet's readings change in a running worker.

use std::sync::Arc;

use futures_util::FutureExt;

use crate::clock::Now;
use crate::graph::{Credential, Endpoint};
use crate::hold::{Hold, HoldId, Scope};
use crate::job::{Catalogue, NumberId};
use crate::outcome::Reason;

use super::event::Event;
use super::index::NumberIdx;
use super::joining::Joining;
use super::number::Standing;
use super::pacer::Limit;
use super::picture::rating;
use super::shell::Worker;

/// One change.
#[derive(Debug)]
pub enum FleetChange {
    /// Numbers were found that may send, and did not yet.
    Joined(Joining),
    /// What Meta says of a number now.
    Number {
        /// Which.
        id: NumberId,
        /// Whether it may send, and its share.
        standing: Standing,
        /// Its throughput; none leaves it as it is.
        limit: Option<Limit>,
        /// Its quality in Meta's word.
        quality: String,
        /// Its status in Meta's word.
        status: String,
    },
    /// Whose a number is.
    Account {
        /// Which.
        id: NumberId,
        /// Its account; empty if unknown.
        waba: String,
        /// Its portfolio; empty if unknown.
        portfolio: String,
    },
    /// People write to a number: Meta counts that with what it sends.
    Inbound {
        /// Which.
        id: NumberId,
        /// How many messages come.
        per_second: u32,
    },
    /// What is known of templates now.
    Templates(Arc<Catalogue>),
    /// A credential has a new secret.
    Token {
        /// The credential's name.
        credential: String,
        /// The header to send with from now on.
        header: Credential,
    },
}

impl Worker {
    pub(super) fn apply(&mut self, change: FleetChange, now: Now) {
        match change {
            FleetChange::Joined(joining) => {
                self.join(joining, now);
                // Jobs that name them may wait already, and nobody has their leases.
                self.intake.look_again();
                self.begin_round(now);
            }
            FleetChange::Number { id, standing, limit, quality, status } => {
                let Some(number) = self.core.scheduler.number_of(&id) else { return };
                self.core.set_standing(number, standing, now.mono);
                let way = &mut self.ways[number.slot()];
                (way.rating, way.status) = (rating(&quality), status);
                (way.level, way.has_level) = (limit.unwrap_or(way.level), way.has_level || limit.is_some());
                self.retune(number, now);
            }
            FleetChange::Account { id, waba, portfolio } => {
                let Some(number) = self.core.scheduler.number_of(&id) else { return };
                self.core.scheduler.set_owner(number, (waba, portfolio), now);
            }
            FleetChange::Inbound { id, per_second } => {
                let Some(number) = self.core.scheduler.number_of(&id) else { return };
                self.ways[number.slot()].inbound = per_second;
                self.retune(number, now);
            }
            FleetChange::Templates(catalogue) => self.templates.catalogue = catalogue,
            FleetChange::Token { credential, header } => {
                for number in self.core.scheduler.with_credential(&credential) {
                    let id = self.core.scheduler.number(number).spec.id.clone();
                    self.ways[number.slot()].endpoint = Endpoint::new(&self.api, &id, &header);
                }
                self.lift_holds_of_old_secret(&credential, now);
            }
        }
    }

    /// What Meta lets a number do, less what people use of it.
    fn retune(&mut self, number: NumberIdx, now: Now) {
        let way = &self.ways[number.slot()];
        let limit = way.level.less(way.inbound);
        self.core.retune(number, limit, now.mono);
    }

    /// What Meta said of a credential it said of the old secret. Quotas and what people placed stand.
    fn lift_holds_of_old_secret(&mut self, credential: &str, now: Now) {
        let is_over = |hold: &&Hold| {
            hold.cover.scope == Scope::Credential
                && hold.cover.subject == credential
                && matches!(hold.reason, Reason::Credentials | Reason::Permission)
        };
        let over: Vec<HoldId> = self.core.scheduler.holds.iter().filter(is_over).map(|hold| hold.id).collect();
        for hold in over {
            let ledger = self.ledger.clone();
            let lift = async move { Event::Lifted(ledger.lift(hold, now.wall).await) };
            self.asked.push(lift.boxed_local());
        }
    }
}
