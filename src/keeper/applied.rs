//! What came of webhooks, told in metrics and in the log.

use crate::ledger::{Applied, Moved};
use crate::metrics::{Metrics, PriceCategory, PriceType, SettledBy, Update};
use crate::outcome::State;

/// Counts what each status moved, what it cost, and who is left alone from now on.
pub(super) fn tell(metrics: &Metrics, told: &[State], applied: Applied) {
    let Applied { statuses, suppressed, priced } = applied;
    for (state, moved) in told.iter().zip(statuses) {
        metrics.webhook_updates.inc(update(*state, moved));
        let Moved::Job { from, to, after } = moved else { continue };
        metrics.jobs.inc(to);
        if from == State::Unknown {
            metrics.unknown_settled.inc(SettledBy::Webhook);
        }
        if let (State::Delivered, Some(after)) = (to, after) {
            metrics.delivery_latency.observe(after.as_secs_f64());
        }
    }
    for price in priced {
        let kind = price.kind.parse().unwrap_or(PriceType::Other);
        metrics.priced.inc(kind, price.category.parse().unwrap_or(PriceCategory::Other));
    }
    if suppressed > 0 {
        metrics.suppressed.inc_by(u64::from(suppressed));
        tracing::info!(
            suppressed,
            "{suppressed} recipients were not on WhatsApp three times in a row, they are left alone for a week"
        );
    }
}

fn update(told: State, moved: Moved) -> Update {
    match (moved, told) {
        (Moved::Stranger, _) => Update::Foreign,
        (Moved::Job { .. } | Moved::Nothing, State::Sent) => Update::Sent,
        (Moved::Job { .. } | Moved::Nothing, State::Delivered) => Update::Delivered,
        (Moved::Job { .. } | Moved::Nothing, State::Read) => Update::Read,
        // The only others that a status tells are `failed` and `suppressed`.
        (
            Moved::Job { .. } | Moved::Nothing,
            State::Failed
            | State::Suppressed
            | State::Queued
            | State::Waiting
            | State::Sending
            | State::Unknown
            | State::Accepted
            | State::Expired
            | State::Cancelled
            | State::Unresolved,
        ) => Update::Failed,
    }
}
