//! What the broker delivers, taken in hand, and given its ack when the ledger has it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::{self, Mono, Timestamp};
use crate::job::Priority;
use crate::ledger::{Dead, Enqueued, Ledger, LedgerError, Routed};
use crate::queue::{Arrival, Arrived, LaneName, Ticket};

use super::event::Event;
use super::index::PoolIdx;
use super::lane::Delivery;
use super::reception::{Aside, Sorted, sort};
use super::shell::Worker;

/// So many deliveries are taken in before the loop turns to what they made possible.
const ARRIVALS_A_TURN: usize = 256;
/// At most so many deliveries are set aside in one batch.
const MOST_ASIDE: usize = 200;
/// How often it is looked which lanes to consume; what makes numbers unable is heeded at once.
const SERVE_EVERY: Duration = Duration::from_millis(100);
/// So much of a lane's work is in hand.
const IN_HAND: f64 = 1.0;
/// At least so many jobs of a lane are in hand, however slow its numbers.
const LEAST: u16 = 8;
/// Urgent jobs are few, and shall not stand behind each other in one worker's hands.
const MOST_URGENT: u16 = 32;
/// What a job is taken to weigh before any has been seen.
const USUAL_BYTES: usize = 1_024;

impl Worker {
    pub(super) fn receive(&mut self, first: Arrival) {
        let mut next = Some(first);
        for turn in 1.. {
            match next {
                Some(Arrival::Delivery(arrived)) => self.deliver(&arrived),
                Some(Arrival::Lost(lost)) => self.forget(|ticket| lost.covers(ticket)),
                Some(Arrival::State(state)) => self.telling.broker(&state),
                None => return,
            }
            // What is taken out here is nobody else's: nothing more once the turn is over.
            next = if turn < ARRIVALS_A_TURN { self.queue.try_next() } else { None };
        }
    }

    fn deliver(&mut self, arrived: &Arrived) {
        let now = clock::now();
        self.telling.delivered(arrived, now.wall);
        if self.stopping {
            self.refused.push(arrived.ticket);
            return;
        }
        let origin = self.queue.origin(arrived.lane.as_ref());
        match sort(arrived, &origin, (&self.router, &self.templates.catalogue), now.wall) {
            Sorted::InLine(delivery) if !self.core.scheduler.may_take(&delivery) => self.refused.push(arrived.ticket),
            Sorted::InLine(delivery) => self.take_in_hand(delivery, now.mono),
            Sorted::Aside(aside) => self.lay_aside(aside, arrived.ticket),
        }
    }

    /// A job for one number alone, which is not able here or has enough to do, waits in a row of its own.
    fn take_in_hand(&mut self, delivery: Delivery, now: Mono) {
        let scheduler = &mut self.core.scheduler;
        let pinned = delivery.route().pinned.as_ref().map(|id| scheduler.number_of(id));
        let is_here = pinned.is_none_or(|number| number.is_some_and(|number| scheduler.number(number).is_able(now)));
        let is_wanted = is_here && !scheduler.is_too_much(&delivery, now);
        let refused = if is_wanted { scheduler.push(delivery).err() } else { Some(delivery) };
        if let Some(Delivery { routed, ticket: Some(ticket), .. }) = refused {
            self.lay_aside(Aside::HandOver(routed), ticket);
        }
    }

    fn lay_aside(&mut self, aside: Aside, ticket: Ticket) {
        if let Aside::HandOver(routed) = &aside {
            self.core.scheduler.hand_over(routed);
        }
        self.asides.push((aside, ticket));
    }

    /// These are not on their way to rows any more.
    fn aside_no_more<'a>(&mut self, asides: impl Iterator<Item = &'a (Aside, Ticket)>) {
        let now = clock::now().mono;
        for (aside, _) in asides {
            if let Aside::HandOver(routed) = aside {
                self.core.scheduler.handed_over(routed, now);
            }
        }
    }

    /// What the broker has taken back is delivered again, here or elsewhere.
    fn forget(&mut self, is_lost: impl Fn(Ticket) -> bool) {
        let lost = self.core.scheduler.take_out(|delivery| delivery.ticket.is_some_and(&is_lost));
        let asides = std::mem::take(&mut self.asides);
        let (gone, kept): (Vec<_>, Vec<_>) = asides.into_iter().partition(|(_, ticket)| is_lost(*ticket));
        self.asides = kept;
        self.aside_no_more(gone.iter());
        tracing::warn!(in_hand = lost.len(), "the broker's connection was lost: it delivers {} jobs again", lost.len());
    }

    /// Hands over, expires and buries what goes no further here.
    pub(super) fn flush_asides(&mut self, now: clock::Now) {
        if self.asides.is_empty() || self.ledger_away_until.is_some() {
            return;
        }
        while !self.asides.is_empty() {
            let most = self.asides.len().min(MOST_ASIDE);
            let batch: Vec<(Aside, Ticket)> = self.asides.drain(..most).collect();
            let ledger = self.ledger.clone();
            let carry_out = async move {
                let answer = set_aside(&ledger, &batch, now.wall).await;
                Event::SetAside(batch, answer)
            };
            self.asked.push(carry_out.boxed_local());
        }
    }

    pub(super) fn set_aside(&mut self, batch: Vec<(Aside, Ticket)>, answer: Result<(), LedgerError>) {
        match answer {
            Ok(()) => {
                self.aside_no_more(batch.iter());
                self.acks.extend(batch.into_iter().map(|(_, ticket)| ticket));
            }
            Err(error) => {
                self.asides.extend(batch);
                self.ledger_failed(&error);
            }
        }
    }

    /// Tells the broker what the ledger has, and what goes back.
    pub(super) fn flush_tickets(&mut self) {
        if !self.acks.is_empty() {
            self.queue.ack(std::mem::take(&mut self.acks));
        }
        if !self.refused.is_empty() {
            self.queue.give_back(std::mem::take(&mut self.refused));
        }
    }

    pub(super) fn serve_lanes_in_time(&mut self, now: Mono) {
        if self.serve_at <= now {
            self.serve_lanes(now);
        }
    }

    /// Consumes the lanes of the pools that this worker has an able number of, and no others.
    pub(super) fn serve_lanes(&mut self, now: Mono) {
        self.serve_at = now + SERVE_EVERY;
        if !self.stopping {
            let lanes = self.lanes_to_serve(now);
            self.queue.serve(&lanes);
        }
    }

    fn lanes_to_serve(&mut self, now: Mono) -> BTreeMap<LaneName, u16> {
        let all: Vec<PoolIdx> = self.core.scheduler.pools().map(|(pool, _)| pool).collect();
        let bulk: Vec<Option<u32>> = all.iter().map(|pool| self.core.scheduler.bulk_room(*pool, now)).collect();
        let scheduler = &self.core.scheduler;
        let pools: Vec<_> = scheduler.pools().filter(|(pool, _)| scheduler.rate_of_pool(*pool, now) > 0.0).collect();
        let each = scheduler.in_hand_bytes.checked_div(scheduler.in_hand).unwrap_or(USUAL_BYTES).max(USUAL_BYTES);
        let caps = self.settings.caps;
        let share = caps.count.min(caps.bytes / each) / (pools.len() * Priority::ALL.len()).max(1);
        self.lane_share = settled_share(self.lane_share, u16::try_from(share).unwrap_or(u16::MAX).max(1));
        let mut lanes = BTreeMap::new();
        for (pool, name) in pools {
            let rate = scheduler.limit_of_pool(pool, now);
            for priority in Priority::ALL {
                let most = if *priority == Priority::Urgent { MOST_URGENT } else { u16::MAX };
                let mut prefetch = steady((rate * IN_HAND) as u16).min(most).min(self.lane_share);
                if let Some(few) = bulk[pool.slot()].filter(|_| *priority == Priority::Bulk) {
                    if few == 0 {
                        continue;
                    }
                    prefetch = prefetch.min(u16::try_from(few).unwrap_or(u16::MAX));
                }
                lanes.insert(LaneName { pool: name.clone(), priority: *priority }, prefetch);
            }
        }
        lanes
    }
}

/// The share of a lane by now: it follows what jobs weigh only where that has changed much.
const fn settled_share(before: u16, now: u16) -> u16 {
    if now < before / 2 || now / 2 > before { now } else { before }
}

/// A prefetch that does not change with every small change of a rate: changing it means consuming anew.
fn steady(wanted: u16) -> u16 {
    wanted.max(LEAST).checked_next_power_of_two().unwrap_or(u16::MAX)
}

async fn set_aside(ledger: &Ledger, batch: &[(Aside, Ticket)], now: Timestamp) -> Result<(), LedgerError> {
    let (mut over, mut late, mut dead): (Vec<Routed>, Vec<Routed>, Vec<Dead>) = Default::default();
    for (aside, _) in batch {
        match aside {
            Aside::HandOver(routed) => over.push(routed.clone()),
            Aside::Expire(routed) => late.push(routed.clone()),
            Aside::Bury(body) => dead.push(body.clone()),
        }
    }
    if !over.is_empty() {
        let answers = ledger.enqueue(over.clone(), now).await?;
        let reused = over.iter().zip(answers).filter(|(_, answer)| *answer == Enqueued::IdReused);
        dead.extend(reused.map(|(routed, _)| reused_id(routed, now)));
    }
    if !late.is_empty() {
        ledger.expire(late, now).await?;
    }
    if !dead.is_empty() {
        ledger.bury(dead).await?;
    }
    Ok(())
}

fn reused_id(routed: &Routed, at: Timestamp) -> Dead {
    let body = serde_json::to_vec(&*routed.job).expect("a job has no map whose keys are not text");
    let reason = "id_reused: another job has this id".to_owned();
    Dead { body, reason, field: "id".to_owned(), origin: "ledger".to_owned(), at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefetch_changes_only_with_great_changes() {
        assert_eq!((steady(1), steady(80), steady(100), steady(1_000)), (8, 128, 128, 1_024));
        assert_eq!(settled_share(1, 1_250), 1_250);
        assert_eq!(settled_share(1_250, 900), 1_250);
        assert_eq!(settled_share(1_250, 2_400), 1_250);
        assert_eq!((settled_share(1_250, 600), settled_share(1_250, 2_600)), (600, 2_600));
    }
}
