//! The three HTTP faces, and where webhooks and events are passed on to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

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
    /// What Meta signs webhooks with; without any they are refused. See [`WebhookConfig::secrets`].
    pub app_secret: Option<SecretSource>,
    /// More of them: of other apps, or during a rotation.
    pub app_secrets: Option<SecretSource>,
    /// How long a secret is valid after its file lost it.
    pub rotation: Duration,
    /// Who may speak to us; empty: everybody.
    pub networks: Vec<IpNet>,
    /// How many proxies of ours stand before us and write `X-Forwarded-For`.
    pub proxies: usize,
    /// Connections at once.
    pub connections: usize,
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
        let app_secrets = reader.secret("webhook.app_secrets", form::shared_secrets);
        let rotation = reader.span("webhook.rotation", Duration::ZERO..=Duration::from_secs(30 * 86_400));
        let networks = networks(reader);
        let proxies = reader.amount("webhook.proxies", 0..=10);
        let connections = reader.amount("webhook.connections", 16..=65_536);
        let forward_to = http_secret(reader, "webhook.forward_to");
        let listen = match listen? {
            Some(listen) => listen,
            None => {
                let listen = api.as_ref().map_err(|told| *told)?.listen;
                reader.show_as("webhook.listen", listen.to_string(), Some("from api.listen"));
                listen
            }
        };
        Ok(Self {
            listen,
            verify_token: verify_token?,
            app_secret: app_secret?,
            app_secrets: app_secrets?,
            rotation: rotation?,
            networks: networks?,
            proxies: proxies?,
            connections: connections?,
            forward_to: forward_to?,
        })
    }

    /// What Meta signs webhooks with, as it is now.
    pub fn secrets(&self) -> Vec<String> {
        let one = self.app_secret.iter().map(|source| source.current().expose().to_owned());
        let list = self.app_secrets.as_ref().map(SecretSource::current);
        let more = list.iter().flat_map(|list| form::listed(list.expose())).map(str::to_owned);
        one.chain(more).collect()
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

/// Networks as `10.0.0.0/8`, or single addresses.
fn networks(reader: &mut Reader) -> Result<Vec<IpNet>, Told> {
    let key = "webhook.networks";
    let network = |text: &String| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let read: Option<Vec<IpNet>> = reader.texts(key)?.iter().map(network).collect();
    read.ok_or_else(|| {
        reader.tell(key, "a network looks like \"10.0.0.0/8\", \"2001:db8::/32\" or \"192.0.2.7\"");
        Told
    })
}

fn http_secret(reader: &mut Reader, key: &str) -> Result<Option<SecretSource>, Told> {
    let source = reader.secret(key, form::secret_http_url)?;
    if let Some(source) = &source {
        reader.show_as(key, form::host_of(source.current().expose()), None);
    }
    Ok(source)
}
