//! The series of Meta's webhooks, which are there where they are taken in.

use prometheus::Registry;

use super::bound::bound;
use super::kinds::{Counters, Gauge, Histogram, Kind};
use super::labels::{ForwardResult, WebhookResult};

/// Meta wants a median of 250 ms, and less than 1 % above 1 s.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview>, read 2026-09-11.
const WEBHOOK: &[f64] = &[0.005, 0.025, 0.1, 0.25, 1.0, 5.0];

bound! {
    /// What taking webhooks in has.
    WebhookFamilies,
    /// The series of webhooks, bound.
    WebhookMetrics of [""; 0];

    /// Requests of whoever speaks to us as Meta does, by what came of them.
    requests: Counters<WebhookResult> = "tidegate_webhook_requests_total";
    /// Time from a verified webhook's head to its answer, its body's way to us and to disk included.
    duration: Histogram = "tidegate_webhook_seconds", WEBHOOK;
    /// Connections that stand open at the webhook's address.
    connections: Gauge = "tidegate_webhook_connections";
    /// Verified webhooks that were to be forwarded, by what came of it.
    forwards: Counters<ForwardResult> = "tidegate_webhook_forwards_total";
    /// Verified webhooks that wait to be forwarded.
    forwards_waiting: Gauge = "tidegate_webhook_forwards_waiting";
}
