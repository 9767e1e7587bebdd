//! The three HTTP faces, and where webhooks and events are passed on to.

use std::net::SocketAddr;

use super::SecretSource;
use super::form;
use super::reader::{Reader, Told};

/// Group `api`: producers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where producers are served.
    pub listen: SocketAddr,
}

/// Group `ops`: operators and Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpsConfig {
    /// Where metrics, probes and the status page are.
    pub listen: SocketAddr,
}

/// Group `webhook`: Meta.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// May equal that of `api`, and does by default.
    pub listen: SocketAddr,
    /// What Meta sends when the webhook is set up.
    pub verify_token: Option<SecretSource>,
    /// What Meta signs webhooks with; without it they are refused.
    pub app_secret: Option<SecretSource>,
    /// An HTTP address that gets every verified webhook as it came.
    pub forward_to: Option<SecretSource>,
}

/// Group `events`.
#[derive(Clone, Debug)]
pub struct EventsConfig {
    /// Which are published.
    pub publish: Publish,
    /// An HTTP address that gets them, beside or instead of the broker.
    pub webhook_url: Option<SecretSource>,
    /// What they are signed with there.
    pub webhook_secret: Option<SecretSource>,
}

/// Which events are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Every change of state.
    All,
    /// Only that a job has ended, and what changes afterwards.
    Ended,
    /// None.
    Off,
}

impl ApiConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        Ok(Self { listen: reader.read("api.listen", form::address)? })
    }
}

impl OpsConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        Ok(Self { listen: reader.read("ops.listen", form::address)? })
    }
}

impl WebhookConfig {
    pub(super) fn read(reader: &mut Reader, api: &Result<ApiConfig, Told>) -> Result<Self, Told> {
        let listen = reader.read_optional("webhook.listen", form::address);
        let verify_token = reader.secret("webhook.verify_token", form::shared_secret);
        let app_secret = reader.secret("webhook.app_secret", form::shared_secret);
        let forward_to = http_secret(reader, "webhook.forward_to");
        let listen = match listen? {
            Some(listen) => listen,
            None => {
                let listen = api.as_ref().map_err(|told| *told)?.listen;
                reader.show_as("webhook.listen", listen.to_string(), Some("from api.listen"));
                listen
            }
        };
        Ok(Self { listen, verify_token: verify_token?, app_secret: app_secret?, forward_to: forward_to? })
    }
}

impl EventsConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let words = [("all", Publish::All), ("ended", Publish::Ended), ("off", Publish::Off)];
        let publish = reader.word("events.publish", &words);
        let webhook_url = http_secret(reader, "events.webhook_url");
        let webhook_secret = reader.secret("events.webhook_secret", form::shared_secret);
        Ok(Self { publish: publish?, webhook_url: webhook_url?, webhook_secret: webhook_secret? })
    }
}

fn http_secret(reader: &mut Reader, key: &str) -> Result<Option<SecretSource>, Told> {
    let source = reader.secret(key, form::secret_http_url)?;
    if let Some(source) = &source {
        reader.show_as(key, form::host_of(source.current().expose()), None);
    }
    Ok(source)
}
