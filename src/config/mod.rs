//! Configuration: layered, read once into types, and either whole or refused with every problem at once.
//!
//! This room layers sources, composes the groups and checks the rules between them. It knows where each
//! value came from, and never prints a secret. It starts nothing and binds nothing.

mod cloud_api;
mod fleet;
mod form;
mod http;
mod layers;
mod ledger;
mod limits;
mod log;
mod optouts;
mod pace;
mod problem;
mod queue;
mod reader;
mod rules;
mod secret;
mod secret_source;
mod secret_watch;
mod show;
mod size;
mod span;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

pub use cloud_api::{AuthHeader, CloudApiConfig};
pub use fleet::{AccountConfig, Discover, DisplayNumber, FleetConfig, NumberConfig, PoolConfig};
pub use http::{ApiConfig, EventsConfig, OpsConfig, Publish, WebhookConfig};
pub use layers::{DEFAULT_TOML, Sources};
pub use ledger::{Chosen, LedgerConfig, LedgerUrl, Migrate};
pub use limits::{PairConfig, QualityConfig, QuotaConfig, RetryConfig, UnknownConfig};
pub use log::{LogConfig, LogFormat};
pub use optouts::{OptoutCategory, OptoutsConfig};
pub use pace::{Pace, PaceError, PaceUnit};
pub use problem::{ConfigError, Problem};
pub use queue::{BrokerConfig, ClientCertificate, QueueConfig};
pub use secret::Secret;
pub use secret_source::{Check, Reread, SecretSource};
pub use secret_watch::SecretWatch;
pub use show::Setting;
pub use size::{ByteSize, ByteSizeError};
pub use worker::{LeaseConfig, PacingConfig, WorkerConfig};

use layers::Variables;
use reader::{Reader, Told};

/// The whole configuration. Valid because it exists.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the embedded ledger and its lock are.
    pub data_dir: PathBuf,
    /// Who brings schema and topology up to date.
    pub migrate: Migrate,
    /// How long a job is kept after its end.
    pub retention: Duration,
    /// The durable record.
    pub ledger: LedgerConfig,
    /// The broker, if any.
    pub queue: QueueConfig,
    /// What is told of jobs.
    pub events: EventsConfig,
    /// Meta's side.
    pub webhook: WebhookConfig,
    /// What takes people off the list.
    pub optouts: OptoutsConfig,
    /// Producers' side.
    pub api: ApiConfig,
    /// Operators' side.
    pub ops: OpsConfig,
    /// How Meta is reached.
    pub cloud_api: CloudApiConfig,
    /// Numbers that send for each other.
    pub pools: Vec<PoolConfig>,
    /// The numbers that may send; empty: those that `fleet.discover` allows.
    pub numbers: Vec<NumberConfig>,
    /// Accounts with credentials of their own.
    pub accounts: Vec<AccountConfig>,
    /// How numbers are found and kept up to date.
    pub fleet: FleetConfig,
    /// The messaging limit.
    pub quota: QuotaConfig,
    /// Too much for one person.
    pub pair: PairConfig,
    /// Trying again.
    pub retry: RetryConfig,
    /// What nobody can tell.
    pub unknown: UnknownConfig,
    /// What one worker holds.
    pub worker: WorkerConfig,
    /// How long a number is its own.
    pub lease: LeaseConfig,
    /// Exactness of a rate.
    pub pacing: PacingConfig,
    /// Weights by rating.
    pub quality: QualityConfig,
    /// Logs.
    pub log: LogConfig,
    settings: Vec<Setting>,
    watched: Vec<SecretSource>,
    notices: Vec<String>,
}

impl Config {
    /// Reads everything; on failure every problem, not only the first.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let root = layers::merge(&sources, &mut problems);
        let mut reader = Reader::new(root, problems);
        let read = Self::read(&mut reader);
        let readings = reader.finish();
        match (read, readings.problems.is_empty()) {
            (Ok(mut config), true) => {
                config.notices = notices(&sources, &config, &readings.settings);
                config.settings = readings.settings;
                config.watched = readings.watched;
                Ok(config)
            }
            (Ok(_) | Err(Told), _) => Err(ConfigError { problems: readings.problems }),
        }
    }

    /// Every effective key with its value, secrets hidden, and where it came from.
    pub fn show(&self) -> &[Setting] {
        &self.settings
    }

    /// What a person should know at the start though nothing is wrong with it.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Watches the files that secrets were read from, as long as the watch lives.
    pub fn watch_secrets(&self) -> SecretWatch {
        SecretWatch::start(self.watched.clone())
    }

    /// Whether a sender can start on it: commands that send nothing need neither credential nor number.
    pub fn check_sending(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut tell = |key: &str, message: &str| {
            problems.push(Problem { key: key.to_owned(), value: None, origin: None, message: message.to_owned() });
        };
        let has_own_tokens = if self.numbers.is_empty() {
            self.accounts.iter().any(|account| account.token.is_some())
        } else {
            self.numbers.iter().all(|number| self.has_own_token(number))
        };
        if self.cloud_api.access_token.is_none() && !has_own_tokens {
            tell(
                "cloud_api.access_token",
                "sending needs a credential: set WHATSAPP_ACCESS_TOKEN, or cloud_api.access_token_file",
            );
        }
        if self.numbers.is_empty() {
            if self.cloud_api.waba.is_none() && self.accounts.is_empty() {
                tell(
                    "numbers",
                    "sending needs a number: set WHATSAPP_PHONE_NUMBER_ID, list [[numbers]], or give cloud_api.waba or [[accounts]]",
                );
            } else if self.fleet.discover == Discover::Off {
                tell("fleet.discover", "off, and no [[numbers]]: no number may send");
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Whether a number has a credential of its own, or its account has one.
    fn has_own_token(&self, number: &NumberConfig) -> bool {
        let of_account = |waba: &String| self.accounts.iter().any(|it| it.waba == *waba && it.token.is_some());
        // Which account it is of may be found out where it is not written.
        number.token.is_some()
            || number.waba.as_ref().map_or_else(|| self.accounts.iter().any(|it| it.token.is_some()), of_account)
    }

    fn read(reader: &mut Reader) -> Result<Self, Told> {
        let data_dir = reader.read("data_dir", data_dir);
        let ledger = LedgerConfig::read(reader, &data_dir);
        let migrate = Migrate::read(reader);
        let queue = QueueConfig::read(reader);
        let events = EventsConfig::read(reader);
        let api = ApiConfig::read(reader);
        let webhook = WebhookConfig::read(reader, &api);
        let optouts = OptoutsConfig::read(reader);
        let ops = OpsConfig::read(reader);
        let retention = reader.span("retention", Duration::from_secs(1)..=Duration::from_secs(3650 * 86_400));
        let cloud_api = CloudApiConfig::read(reader);
        let numbers = NumberConfig::read_all(reader);
        let accounts = AccountConfig::read_all(reader);
        let pools = PoolConfig::read_all(reader, &numbers);
        let fleet = FleetConfig::read(reader);
        let quota = QuotaConfig::read(reader);
        let pair = PairConfig::read(reader);
        let retry = RetryConfig::read(reader);
        let unknown = UnknownConfig::read(reader);
        let worker = WorkerConfig::read(reader);
        let lease = LeaseConfig::read(reader);
        let pacing = PacingConfig::read(reader);
        let quality = QualityConfig::read(reader);
        let log = LogConfig::read(reader);

        let _ = ops.as_ref().map(|ops| rules::listeners(reader, &api, &webhook, ops));
        let _ = cloud_api.as_ref().map(|cloud_api| rules::requests(reader, cloud_api));
        let _ = lease.as_ref().map(|lease| rules::lease(reader, lease));
        let _ = retry.as_ref().map(|retry| rules::retry(reader, retry));
        let _ = events.as_ref().map(|events| rules::events(reader, events));
        if let (Ok(cloud_api), Ok(worker)) = (&cloud_api, &worker) {
            rules::drain(reader, cloud_api, worker);
        }
        if let (Ok(queue), Ok(ledger)) = (&queue, &ledger) {
            rules::ledger(reader, queue, ledger);
        }
        Ok(Self {
            data_dir: data_dir?,
            migrate: migrate?,
            retention: retention?,
            ledger: ledger?,
            queue: queue?,
            events: events?,
            webhook: webhook?,
            optouts: optouts?,
            api: api?,
            ops: ops?,
            cloud_api: cloud_api?,
            pools: pools?,
            numbers: numbers?,
            accounts: accounts?,
            fleet: fleet?,
            quota: quota?,
            pair: pair?,
            retry: retry?,
            unknown: unknown?,
            worker: worker?,
            lease: lease?,
            pacing: pacing?,
            quality: quality?,
            log: log?,
            settings: Vec::new(),
            watched: Vec::new(),
            notices: Vec::new(),
        })
    }
}

fn data_dir(text: &str) -> Result<PathBuf, String> {
    let fits = !text.trim().is_empty();
    fits.then(|| PathBuf::from(text)).ok_or_else(|| "a folder's path is expected".to_owned())
}

fn notices(sources: &Sources, config: &Config, settings: &[Setting]) -> Vec<String> {
    let keys: BTreeSet<_> =
        settings.iter().map(|setting| setting.key.as_str()).filter(|key| !key.contains('[')).collect();
    let variables = Variables::gather(&sources.env, sources.dotenv.as_deref(), &mut Vec::new());
    let misnamed = variables.misnamed(&keys).into_iter();
    let mut notices: Vec<_> =
        misnamed.map(|(name, right)| format!("{name} is not read: {right} is its name here")).collect();
    let url = &config.cloud_api.base_url;
    let is_local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !is_local {
        notices.push("cloud_api.base_url is http://: credentials and messages travel unencrypted".to_owned());
    }
    notices
}
