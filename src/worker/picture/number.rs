//! A number in the picture: how it does, whether it may send, and why it does not send more.

use std::time::Duration;

use crate::clock::Now;
use crate::hold::Scope;
use crate::metrics::{LeaseChange, Rating};
use crate::ops::NumberStatus;
use crate::outcome::Reason;
use crate::worker::index::NumberIdx;
use crate::worker::number::{Blocked, Number};
use crate::worker::shell::Worker;

use super::why::{Seen, why};

const SECOND: Duration = Duration::from_secs(1);
/// Who sends this much of the limit sends at the limit: what is missing are late timers.
const AT_THE_LIMIT: f64 = 0.95;

impl Worker {
    pub(super) fn gauge(&mut self, idx: NumberIdx, weights: &[f64], now: Now) {
        let number = self.core.scheduler.number(idx);
        let way = &mut self.ways[idx.slot()];
        let pool = weights[number.spec.pool.slot()];
        way.metrics.rate_limit.set(number.pacer.effective().within(SECOND));
        way.metrics.tokens.set(number.pacer.free(now.mono) as f64);
        way.metrics.quality.only(way.rating);
        way.metrics.paused.set(paused(number, &way.status, now));
        way.metrics.share.set(if number.is_able(now.mono) { number.weight() / pool } else { 0.0 });
        let tenure = number.tenure().filter(|tenure| now.mono < tenure.until);
        way.metrics.leased_until(tenure.map(|tenure| now.wall + tenure.until.since(now.mono)));
        let held = tenure.is_some();
        if held != way.leased {
            way.leased = held;
            let change = if held { LeaseChange::Taken } else { LeaseChange::Lost };
            self.telling.metrics.lease_changes.inc(change);
        }
    }

    /// Every number, in order.
    pub(super) fn number_statuses(&self, now: Now) -> Vec<NumberStatus> {
        let scheduler = &self.core.scheduler;
        let rates: Vec<usize> =
            scheduler.numbers().map(|number| number.pacer.started_within(SECOND, now.mono)).collect();
        let mut of_pools = vec![0; scheduler.pools.len()];
        for (number, rate) in scheduler.numbers().zip(&rates) {
            of_pools[number.spec.pool.slot()] += rate;
        }
        let status = |(idx, rate): (NumberIdx, usize)| {
            let others = of_pools[scheduler.number(idx).spec.pool.slot()] - rate;
            self.number_status(idx, (rate, others), now)
        };
        scheduler.indices().zip(rates).map(status).collect()
    }

    fn number_status(&self, idx: NumberIdx, (rate, others): (usize, usize), now: Now) -> NumberStatus {
        let number = self.core.scheduler.number(idx);
        let way = &self.ways[idx.slot()];
        let until = match number.blocked {
            Blocked::Until(until) => until.map(|until| now.wall + until.since(now.mono)),
            Blocked::No | Blocked::Probe(_) => None,
        };
        let rate_limit = number.pacer.effective().within(SECOND);
        NumberStatus {
            display: number.spec.display.clone(),
            pool: self.core.scheduler.pools[number.spec.pool.slot()].name.to_string(),
            quality: way.rating,
            status: way.status.clone(),
            blocked: paused(number, &way.status, now),
            blocked_until: until,
            rate: rate as f64,
            rate_limit,
            why: why(&self.seen(idx, rate as f64 >= AT_THE_LIMIT * rate_limit, others > 0, now)),
            tokens: number.pacer.free(now.mono) as f64,
            admitted: number.waiting() as u64,
            in_flight: number.in_flight() as u64,
        }
    }

    fn seen(&self, idx: NumberIdx, at_the_limit: bool, others_send: bool, now: Now) -> Seen {
        let number = self.core.scheduler.number(idx);
        let way = &self.ways[idx.slot()];
        let waits = number.waiting() > 0;
        Seen {
            leased: number.holds_lease(now.mono),
            hold: number.is_blocked().then(|| self.hold_over(number, now)),
            is_read: !way.status.is_empty(),
            may_send: number.standing.may_send,
            probing: matches!(number.blocked, Blocked::Probe(_)),
            without_connection: waits && (self.starved || number.in_flight() >= number.most_in_flight),
            paced: waits || at_the_limit,
            new_owner: !number.pacer.knows_its_window(now.mono),
            strikes: number.pacer.strikes(),
            inbound: way.inbound,
            has_level: way.has_level,
            without_places: self
                .core
                .scheduler
                .holds
                .iter()
                .any(|hold| hold.cover.scope == Scope::Quota && hold.cover.subject == number.spec.account.portfolio),
            quality: number.standing.weight,
            health: number.health(),
            others_send,
        }
    }

    /// Why a number is held that is; one that was just lifted may be gone already.
    fn hold_over(&self, number: &Number, now: Now) -> Reason {
        let holds = &self.core.scheduler.holds;
        number.whole_hold(holds, now).map_or(Reason::Held, |hold| hold.reason)
    }
}

/// Why a number may not send just now.
fn paused(number: &Number, status: &str, now: Now) -> Option<Reason> {
    match number.blocked {
        Blocked::Until(_) => Some(Reason::Held),
        Blocked::No | Blocked::Probe(_) if !number.standing.may_send && status.is_empty() => Some(Reason::Unread),
        Blocked::No | Blocked::Probe(_) if !number.standing.may_send => Some(Reason::AccountRestricted),
        Blocked::No | Blocked::Probe(_) => (!number.holds_lease(now.mono)).then_some(Reason::NoNumber),
    }
}

/// The rating that Meta's word stands for.
pub fn rating(quality: &str) -> Rating {
    match quality {
        "GREEN" => Rating::Green,
        "YELLOW" => Rating::Yellow,
        "RED" => Rating::Red,
        _ => Rating::Unknown,
    }
}
