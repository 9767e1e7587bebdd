//! What a cell needs before anything breaks: which services, how many numbers and workers, which settings.

use tidegate::sim::{Latency, NumberSpec, SimConfig};

/// Where jobs and the ledger are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// SQLite, no broker, one worker.
    Embedded,
    /// RabbitMQ and SQLite, one worker.
    Broker,
    /// PostgreSQL, no broker.
    Database,
    /// RabbitMQ and PostgreSQL.
    Services,
}

impl Ground {
    pub fn has_broker(self) -> bool {
        match self {
            Self::Embedded | Self::Database => false,
            Self::Broker | Self::Services => true,
        }
    }

    pub fn has_database(self) -> bool {
        match self {
            Self::Embedded | Self::Broker => false,
            Self::Database | Self::Services => true,
        }
    }
}

#[derive(Clone)]
pub struct Setup {
    pub ground: Ground,
    pub workers: usize,
    pub numbers: usize,
    /// Messages a second, of each number.
    pub rate: usize,
    /// What becomes of jobs in doubt.
    pub on_unknown: &'static str,
    /// Whether workers reach Meta by links of their own, which tell who sent what.
    pub taps_meta: bool,
    /// Jobs that are handed in before the start, where no broker takes more of them at any time.
    pub jobs: usize,
    /// Settings besides those of every cell.
    pub settings: Vec<(&'static str, &'static str)>,
}

/// How long Meta takes to answer.
const LATENCY: Latency = Latency { median_ms: 40.0, p99_ms: 300.0 };

impl Setup {
    /// Workers over RabbitMQ and PostgreSQL, with leases that lapse sooner than usual, so that more faults fit in.
    pub fn services() -> Self {
        Self {
            ground: Ground::Services,
            workers: 3,
            numbers: 8,
            rate: 40,
            on_unknown: "leave",
            taps_meta: false,
            jobs: 0,
            settings: vec![("lease.ttl", "4s"), ("lease.renew", "1s"), ("lease.margin", "1s")],
        }
    }

    /// With leases so short that a killed worker's numbers are soon somebody else's to be killed with.
    pub fn with_short_leases(mut self) -> Self {
        self.settings = vec![("lease.ttl", "2s"), ("lease.renew", "500ms"), ("lease.margin", "500ms")];
        self
    }

    /// One worker over SQLite.
    pub fn embedded() -> Self {
        Self {
            ground: Ground::Embedded,
            workers: 1,
            jobs: 6_000,
            taps_meta: true,
            settings: Vec::new(),
            ..Self::services()
        }
    }

    /// One worker over RabbitMQ and SQLite.
    pub fn broker() -> Self {
        Self { ground: Ground::Broker, workers: 1, settings: Vec::new(), ..Self::services() }
    }

    /// With the leases that everybody has.
    pub fn with_usual_leases(mut self) -> Self {
        self.settings.retain(|(key, _)| !key.starts_with("lease."));
        self
    }

    /// The simulated Meta.
    pub fn sim(&self, seed: u64) -> SimConfig {
        let mps = u32::try_from(self.rate).expect("a rate that Meta has");
        let numbers = self.number_ids().map(|id| NumberSpec::new(id).with_mps(mps));
        SimConfig { latency: LATENCY, seed, punctual: true, ..SimConfig::with_numbers(numbers) }
    }

    pub fn number_ids(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.numbers).map(|slot| (1001 + slot).to_string())
    }

    /// Settings of every worker, whatever its ways to the services are.
    pub fn flags(&self, meta: &str) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = [
            ("cloud_api.base_url", meta),
            ("cloud_api.access_token", "test-token"),
            ("cloud_api.connect_timeout", "1s"),
            ("cloud_api.request_timeout", "3s"),
            ("ops.listen", "127.0.0.1:0"),
            ("api.listen", "127.0.0.1:0"),
            ("retry.base", "100ms"),
            ("log.filter", "info,lapin=off"),
            ("unknown.wait.authentication", "1s"),
            ("unknown.wait.others", "1s"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        for (slot, id) in self.number_ids().enumerate() {
            all.push((format!("numbers[{slot}].id"), id));
            all.push((format!("numbers[{slot}].rate"), format!("{}/s", self.rate)));
        }
        all.extend(self.settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        all
    }
}
