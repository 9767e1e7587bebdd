//! Rules between keys: which length of time must end before which other, and what must not stand together.

use std::time::Duration;

use super::reader::{Reader, Told};
use super::{
    ApiConfig, Chosen, CloudApiConfig, EventsConfig, LeaseConfig, LedgerConfig, OpsConfig, QueueConfig, RetryConfig,
    WebhookConfig, WorkerConfig, span,
};

/// A request ends before a drain does, or a clean stop would leave unknowns.
pub fn requests(reader: &mut Reader, cloud_api: &CloudApiConfig) {
    let request = ("cloud_api.request_timeout", cloud_api.request_timeout);
    not_longer(reader, ("cloud_api.connect_timeout", cloud_api.connect_timeout), request);
    not_longer(reader, ("cloud_api.write_timeout", cloud_api.write_timeout), request);
}

/// A request ends before a drain does, or a clean stop would leave unknowns.
pub fn drain(reader: &mut Reader, cloud_api: &CloudApiConfig, worker: &WorkerConfig) {
    if cloud_api.request_timeout >= worker.drain {
        let message = format!("must be shorter than worker.drain ({})", span::write(worker.drain));
        reader.tell("cloud_api.request_timeout", message);
    }
}

/// A lease is renewed before its last part, in which nothing is started.
pub fn lease(reader: &mut Reader, lease: &LeaseConfig) {
    let usable = lease.ttl.saturating_sub(lease.margin);
    if usable.is_zero() {
        reader.tell("lease.margin", format!("must be shorter than lease.ttl ({})", span::write(lease.ttl)));
    } else if lease.renew >= usable {
        reader
            .tell("lease.renew", format!("must be shorter than lease.ttl less lease.margin ({})", span::write(usable)));
    }
}

/// A wait begins at the base and ends at the cap.
pub fn retry(reader: &mut Reader, retry: &RetryConfig) {
    not_longer(reader, ("retry.base", retry.base), ("retry.cap", retry.cap));
}

/// Metrics are not for producers or Meta. Port 0 is a port of its own each time.
pub fn listeners(
    reader: &mut Reader,
    api: &Result<ApiConfig, Told>,
    webhook: &Result<WebhookConfig, Told>,
    ops: &OpsConfig,
) {
    let api = api.as_ref().ok().map(|api| ("api.listen", api.listen));
    let webhook = webhook.as_ref().ok().map(|webhook| ("webhook.listen", webhook.listen));
    let same = [api, webhook].into_iter().flatten().find(|(_, listen)| *listen == ops.listen && listen.port() != 0);
    if let Some((key, _)) = same {
        reader.tell("ops.listen", format!("must not equal {key}: metrics are not for everyone"));
    }
}

/// Several workers at one broker must share one ledger, or each would count the limits for itself.
pub fn ledger(reader: &mut Reader, queue: &QueueConfig, ledger: &LedgerConfig) {
    if queue.broker.is_some() && ledger.chosen == Chosen::ByDefault {
        let message = "a broker needs a ledger that all its workers share: give \"postgres://…\", or \"sqlite:PATH\" \
                       if there will only ever be one worker";
        reader.tell("ledger.url", message);
    }
}

/// An app must be able to tell our events from those of others.
pub fn events(reader: &mut Reader, events: &EventsConfig) {
    if events.webhook_url.is_some() && events.webhook_secret.is_none() {
        reader.tell("events.webhook_secret", "a webhook_url needs a secret that its events are signed with".to_owned());
    }
}

fn not_longer(reader: &mut Reader, (key, length): (&str, Duration), (bound_key, bound): (&str, Duration)) {
    if length > bound {
        reader.tell(key, format!("must not be longer than {bound_key} ({})", span::write(bound)));
    }
}
