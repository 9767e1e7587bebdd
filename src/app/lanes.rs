//! The way to the broker: how it is reached, and its exchanges and lanes, declared or looked at.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Migrate};
use crate::fleet::Pools;
use crate::job::{PoolName, Priority};
use crate::queue::{Broker, ClientCertificate, LaneName, QueueError, topology};

/// How long a broker that is away, or lacks something, is left alone.
const AGAIN: Duration = Duration::from_secs(5);

/// How the broker is reached, if there is one; `role` is for its operators.
pub(super) fn broker(config: &Config, role: &str) -> Option<Broker> {
    let reached = config.queue.broker.clone()?;
    let certificate = reached.client_certificate.as_ref().map(|certificate| ClientCertificate {
        certificate_file: certificate.certificate_file.clone(),
        key_file: certificate.key_file.clone(),
    });
    let ca_file = reached.ca_file.clone();
    let urls = move || reached.urls().iter().map(|url| url.expose().to_owned()).collect();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = format!("tidegate {role} {}", host.trim());
    let mut broker = Broker::new(urls, config.queue.prefix.clone(), name.trim_end());
    broker.ca_file = ca_file;
    broker.client_certificate = certificate;
    Some(broker)
}

/// Declares what is missing, as `tidegate migrate` does, and says what that was.
pub(super) async fn declare(config: &Config) -> Result<Vec<String>> {
    match broker(config, "migrate") {
        Some(broker) => {
            let declared = topology::declare(&broker, &Pools::new(config).names()).await;
            Ok(declared.context("the broker's exchanges and lanes can't be declared")?.created)
        }
        None => Ok(Vec::new()),
    }
}

/// Looks whether exchanges and lanes are there, and says what is not.
pub async fn check(config: &Config) -> Result<()> {
    match broker(config, "check") {
        Some(broker) => Ok(topology::check(&broker, &Pools::new(config).names()).await?),
        None => Ok(()),
    }
}

/// The lanes in which messages stand ready, with how many; none without a broker.
pub async fn ready_in_lanes(config: &Config) -> Result<Vec<(LaneName, u32)>> {
    let Some(broker) = broker(config, "look") else { return Ok(Vec::new()) };
    let pools = Pools::new(config).names();
    let lane = |pool: &PoolName, priority: &Priority| LaneName { pool: pool.clone(), priority: *priority };
    let lanes: Vec<_> =
        pools.iter().flat_map(|pool| Priority::ALL.iter().map(|priority| lane(pool, priority))).collect();
    let counts = topology::lane_counts(&broker, &lanes).await.context("the broker can't be asked for its lanes")?;
    Ok(counts.into_iter().filter(|(_, ready)| *ready > 0).collect())
}

/// Sees to it that exchanges and lanes are there, until they are: a broker may come later than its workers.
pub(super) async fn prepare(config: Config, stop: CancellationToken) {
    let Some(broker) = broker(&config, "check") else { return };
    let pools = Pools::new(&config).names();
    let mut told = String::new();
    loop {
        let looked = async {
            match config.migrate {
                Migrate::Auto => topology::declare(&broker, &pools).await.map(|declared| declared.created),
                Migrate::Check => topology::check(&broker, &pools).await.map(|()| Vec::new()),
            }
        };
        let Some(found) = stop.run_until_cancelled(looked).await else { return };
        match found {
            Ok(created) if created.is_empty() => return,
            Ok(created) => return tracing::info!("declared {}", created.join(", ")),
            Err(error) => tell(&error, &mut told),
        }
        if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
            return;
        }
    }
}

/// The same trouble is told once.
fn tell(error: &QueueError, told: &mut String) {
    let words = error.to_string();
    if *told != words {
        match error {
            QueueError::Unreachable(_) => tracing::warn!(%error, "{words}"),
            QueueError::Refused(_)
            | QueueError::Internal(_)
            | QueueError::Unusable { .. }
            | QueueError::Missing(_)
            | QueueError::Differs { .. } => tracing::error!(%error, "{words}"),
        }
        *told = words;
    }
}
