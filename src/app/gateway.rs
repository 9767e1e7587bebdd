//! The gateway: takes Meta's webhooks in, where somebody told how they are verified.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;

use super::House;
use crate::config::{SecretSource, WebhookConfig};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::webhook::{self, Forward, Limits, Networks, Secrets, Server, Text};

/// Files that the rest of the process may want beside the gateway's connections.
const OTHER_FILES: u64 = 1_024;

impl House {
    /// Binds the address, tells it, and serves beside the rest.
    pub(super) async fn take_webhooks_in(
        &mut self,
        config: &WebhookConfig,
        ledger: &Ledger,
        metrics: &Arc<Metrics>,
        told: Option<&watch::Sender<Option<SocketAddr>>>,
    ) -> Result<()> {
        if config.secrets().is_empty() && config.verify_token.is_none() {
            tracing::info!(
                "no webhooks are taken in: set webhook.app_secret and webhook.verify_token, and statuses come back"
            );
            return Ok(());
        }
        let server = Server::bind(set_up(config)).await?;
        if let Some(told) = told {
            told.send_replace(Some(server.address()));
        }
        self.helpers.spawn(server.serve(ledger.clone(), metrics.clone(), self.stop.clone()));
        Ok(())
    }
}

fn set_up(config: &WebhookConfig) -> webhook::Config {
    let read = config.clone();
    webhook::Config {
        listen: config.listen,
        verify_token: config.verify_token.clone().map(text),
        secrets: Secrets::new(Arc::new(move || read.secrets()), config.rotation),
        networks: Networks { allowed: config.networks.clone(), proxies: config.proxies },
        forward: config.forward_to.clone().map(|url| Forward::to(text(url))),
        limits: Limits { connections: affordable(config.connections), ..Limits::default() },
    }
}

fn text(source: SecretSource) -> Text {
    Arc::new(move || source.current().expose().to_owned())
}

/// As many connections as were wished for, or as many as leave the rest of the process enough files: a flood from
/// outside must not keep the sending from opening its own.
fn affordable(wished: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = wished as u64 + OTHER_FILES;
    let Some(allowed) = current.filter(|allowed| *allowed < wanted) else { return wished };
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    let limit = Rlimit { current: Some(raised), maximum };
    let files = setrlimit(Resource::Nofile, limit).map_or(allowed, |()| raised);
    if files >= wanted {
        return wished;
    }
    let connections = files / 2;
    tracing::warn!(
        files,
        "this process may open only {files} files: webhook.connections is {connections} instead of {wished}"
    );
    usize::try_from(connections).unwrap_or(wished)
}
