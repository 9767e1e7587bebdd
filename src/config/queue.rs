//! The broker, if there is one.

use std::path::PathBuf;

use super::form;
use super::reader::{Reader, Told};
use super::{Secret, SecretSource};

/// Group `queue`.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// None: jobs are waiting rows of the ledger from the start.
    pub broker: Option<BrokerConfig>,
    /// What names of exchanges and queues begin with.
    pub prefix: String,
}

/// How to reach RabbitMQ.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    source: SecretSource,
    /// Authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// For brokers that ask for a certificate.
    pub client_certificate: Option<ClientCertificate>,
}

/// Two PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and what leads to its authority.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

const URL: &str = "queue.url";

impl BrokerConfig {
    /// The URLs to try in turn, with their passwords, as they are now; at least one.
    pub fn urls(&self) -> Vec<Secret> {
        split(self.source.current().expose()).map(Secret::new).collect()
    }

    /// Tells when the URLs, and so perhaps the password, have changed.
    pub fn source(&self) -> &SecretSource {
        &self.source
    }
}

impl QueueConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let source = reader.secret(URL, check);
        let prefix = reader.read("queue.prefix", form::identifier);
        let ca_file = reader.file("queue.ca_file");
        let certificate = reader.file("queue.client_cert_file");
        let key = reader.file("queue.client_key_file");
        let (source, ca_file) = (source?, ca_file?);
        let client_certificate = match (certificate?, key?) {
            (Some(certificate_file), Some(key_file)) => Some(ClientCertificate { certificate_file, key_file }),
            (None, None) => None,
            (Some(_), None) => {
                return told(reader, "queue.client_key_file", "queue.client_cert_file needs its key");
            }
            (None, Some(_)) => {
                return told(reader, "queue.client_cert_file", "queue.client_key_file needs its certificate");
            }
        };
        let Some(source) = source else {
            return Ok(Self { broker: None, prefix: prefix? });
        };
        let urls = source.current();
        let hosts: Vec<_> = split(urls.expose()).map(form::host_of).collect();
        reader.show_as(URL, hosts.join(","), None);
        let is_plain = split(urls.expose()).all(|url| url.starts_with("amqp:"));
        if is_plain && (ca_file.is_some() || client_certificate.is_some()) {
            return told(reader, URL, "certificates need amqps://");
        }
        let broker = BrokerConfig { source, ca_file, client_certificate };
        Ok(Self { broker: Some(broker), prefix: prefix? })
    }
}

fn told<T>(reader: &mut Reader, key: &str, message: &str) -> Result<T, Told> {
    reader.tell(key, message);
    Err(Told)
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|url| !url.is_empty())
}

fn check(text: &str) -> Result<(), String> {
    let fits = |url: &str| {
        url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.host().is_some())
    };
    let fits = split(text).count() > 0 && split(text).all(fits);
    fits.then_some(()).ok_or_else(|| {
        "allowed: \"amqp://user:password@host/vhost\" or amqps://, one or a list; a comma in a password is %2C"
            .to_owned()
    })
}
