//! The configuration in the words of the rooms that it sets up.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, OptoutCategory, PairConfig, Publish, UnknownConfig};
use crate::fleet;
use crate::graph;
use crate::job::Category;
use crate::keeper::{Acquaintance, Key, Target};
use crate::ledger::{LeaseTimes, UnknownWait};
use crate::webhook::meaning::{Rules, Words};
use crate::worker::Settings;
use crate::worker::attempt::{AttemptTimes, Policy};
use crate::worker::intake::Caps;
use crate::worker::pairs::PairRule;
use crate::worker::retry::Retries;

/// How long an app may take to take an event.
const HOOK_WITHIN: Duration = Duration::from_secs(10);
/// An admitted job that is overtaken for so long is given back.
const START_WITHIN: Duration = Duration::from_secs(10);
/// How long a settlement may take before its attempt counts as unknown.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);

/// How requests travel, by the configuration.
pub(super) fn travel(config: &Config) -> graph::Settings {
    let cloud_api = &config.cloud_api;
    graph::Settings {
        connect_timeout: cloud_api.connect_timeout,
        write_timeout: cloud_api.write_timeout,
        request_timeout: cloud_api.request_timeout,
        max_response: cloud_api.max_response.as_usize(),
        ca_file: cloud_api.ca_file.clone(),
        ..graph::Settings::default()
    }
}

/// How long an unknown outcome waits for news.
pub(super) fn unknown_wait(config: &Config) -> UnknownWait {
    let UnknownConfig { wait_authentication: authentication, wait_others: others, silence } = config.unknown;
    UnknownWait { authentication, others, silence }
}

/// How leases are kept.
pub(super) fn lease_times(config: &Config) -> LeaseTimes {
    LeaseTimes { ttl: config.lease.ttl, renew: config.lease.renew, margin: config.lease.margin }
}

/// What a worker is set up with.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        policy: Policy {
            times: AttemptTimes {
                start_within: START_WITHIN,
                request: config.cloud_api.request_timeout,
                settle: SETTLE_WITHIN,
                unknown: unknown_wait(config),
            },
            retries: Retries { base: config.retry.base, cap: config.retry.cap, attempts: config.retry.attempts },
        },
        leases: lease_times(config),
        caps: Caps { count: config.worker.in_hand, bytes: config.worker.in_hand_bytes.as_usize() },
        admit_ahead: config.worker.admit_ahead,
        pacing_margin: config.pacing.margin,
        pair_rule: pair_rule(config),
        write_timeout: config.cloud_api.write_timeout,
        connections: graph::Settings::default().max_connections,
        drain: config.worker.drain,
    }
}

/// How often a number writes to one person.
fn pair_rule(config: &Config) -> PairRule {
    let PairConfig { interval, burst_normal, burst_high, burst_urgent } = config.pair;
    PairRule::new(interval, config.pacing.margin, burst_urgent, burst_high, burst_normal)
}

/// Where events go beside the broker, if anywhere.
pub(super) fn hook_target(config: &Config) -> anyhow::Result<Option<Target>> {
    let events = &config.events;
    let (Some(url), Some(secret), false) =
        (events.webhook_url.clone(), events.webhook_secret.clone(), events.publish == Publish::Off)
    else {
        return Ok(None);
    };
    let client = graph::outward_client(config.cloud_api.ca_file.as_deref(), HOOK_WITHIN)?;
    let url = Box::new(move || url.current().expose().to_owned());
    let key = Box::new(move || Key::new(secret.current().expose()));
    Ok(Some(Target { client, url, key }))
}

/// Who numbers and people are, to whoever reads Meta's webhooks.
pub(super) fn acquaintance(config: &Config) -> Acquaintance {
    let optouts = &config.optouts;
    let category = |category: &OptoutCategory| match category {
        OptoutCategory::Marketing => Category::Marketing,
        OptoutCategory::Utility => Category::Utility,
        OptoutCategory::Service => Category::Service,
    };
    let words = |words: &[String]| Words::new(words.iter().map(String::as_str));
    let (stop, start) = (words(&optouts.stop_words), words(&optouts.start_words));
    let rules = Rules { categories: optouts.categories.iter().map(category).collect(), stop, start };
    let listed = config.numbers.iter().map(|number| {
        let display = number.display.as_ref().map_or("", |display| display.as_written()).to_owned();
        (number.id.parse().expect("the configuration has checked number ids"), display)
    });
    let (listed, pools) = (listed.collect(), fleet::Pools::new(config));
    Acquaintance {
        rules: Arc::new(rules),
        listed,
        pool_of: Arc::new(move |id, display| pools.of(id.as_str(), display)),
        portfolios: config.accounts.iter().filter_map(|it| Some((it.waba.clone(), it.portfolio.clone()?))).collect(),
    }
}
