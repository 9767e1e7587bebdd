//! What a simulator is told at its start.

use super::fault::Fault;
use super::key_values::SpecError;
use super::number_spec::{NumberSpec, Token};
use super::template_spec::TemplateSpec;
use super::webhooks::WebhookConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// A simulator's configuration. The default is one that knows no number, refuses nobody's token and makes no trouble.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// Where it listens; port 0 takes any free one (see [`super::Sim::url`]).
    pub listen: SocketAddr,
    /// Tokens that may use every number. None at all, and no number with a token of its own: any token will do.
    pub tokens: Vec<Token>,
    /// The numbers there are.
    pub numbers: Vec<NumberSpec>,
    /// A number that is not listed comes into being (healthy, STANDARD) when it is first used.
    pub any_number: bool,
    /// Accounts; those that only numbers name exist too.
    pub wabas: Vec<WabaSpec>,
    /// Templates with a known state; others are accepted unless `known_templates_only`.
    pub templates: Vec<TemplateSpec>,
    /// Refuse templates that are not listed (132001).
    pub known_templates_only: bool,
    /// How long an answer takes.
    pub latency: Latency,
    /// Seed of everything random but message ids, which are new in every run.
    pub seed: u64,
    /// So many simulated seconds pass in a real one, for the pair limit and the 24 hours of the messaging limit.
    pub time_scale: f64,
    /// Scale the second of the throughput limit too.
    pub scale_throughput: bool,
    /// Whether the pair limit is kept.
    pub pair_limit: bool,
    /// The messaging limit of every portfolio; none is UNLIMITED.
    pub messaging_limit: Option<u32>,
    /// Scripted faults.
    pub faults: Vec<Fault>,
    /// What the business is told by webhook, and where; none: nothing.
    pub webhooks: Option<WebhookConfig>,
    /// Let free-form messages outside a service window fail (131047, by webhook).
    pub strict_windows: bool,
    /// For benches: accept everything at once, check and record nothing but the count, and tell nobody.
    pub stub: bool,
    /// Its own thread goes before others', where the system allows that: on a machine that senders and databases share
    /// with it, it then counts when requests came and not when it got to look.
    pub punctual: bool,
    /// Rows the oracle keeps; past that, the oldest go and are counted.
    pub oracle_rows: usize,
    /// Append every row of the oracle to this file, as JSON lines.
    pub oracle_file: Option<PathBuf>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tokens: Vec::new(),
            numbers: Vec::new(),
            any_number: false,
            wabas: Vec::new(),
            templates: Vec::new(),
            known_templates_only: false,
            latency: Latency::default(),
            seed: 1,
            time_scale: 1.0,
            scale_throughput: false,
            pair_limit: true,
            messaging_limit: None,
            faults: Vec::new(),
            webhooks: None,
            strict_windows: false,
            stub: false,
            punctual: false,
            oracle_rows: 2_000_000,
            oracle_file: None,
        }
    }
}

impl SimConfig {
    /// The default configuration with these numbers.
    pub fn with_numbers(numbers: impl IntoIterator<Item = NumberSpec>) -> Self {
        Self { numbers: numbers.into_iter().collect(), ..Self::default() }
    }

    /// What is wrong with it, if anything: the first problem, with its key and what is allowed.
    pub fn check(&self) -> Result<(), SpecError> {
        for (index, number) in self.numbers.iter().enumerate() {
            number.check().map_err(|error| SpecError::whole(format!("numbers[{index}].{error}")))?;
            if self.numbers[..index].iter().any(|other| other.id == number.id) {
                return Err(SpecError::whole(format!("numbers[{index}].id: {} is there twice", number.id)));
            }
        }
        if !(self.time_scale.is_finite() && (0.001..=1e6).contains(&self.time_scale)) {
            return Err(SpecError::bad_value(
                "time_scale",
                &self.time_scale.to_string(),
                "a number from 0.001 to 1000000",
            ));
        }
        let Latency { median_ms, p99_ms } = self.latency;
        if !(median_ms >= 0.0 && p99_ms >= median_ms && p99_ms <= 600_000.0) {
            let given = format!("{median_ms} and {p99_ms}");
            return Err(SpecError::bad_value("latency", &given, "0 <= median_ms <= p99_ms <= 600000"));
        }
        self.webhooks.as_ref().map_or(Ok(()), WebhookConfig::check)
    }
}

/// How long answers take: log-normal, as networks are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Half of all answers are faster.
    pub median_ms: f64,
    /// One answer in a hundred is slower.
    pub p99_ms: f64,
}

impl Latency {
    /// A delay in nanoseconds for a standard normal draw.
    pub(crate) fn sample_ns(self, normal: f64) -> u64 {
        /// The 99th percentile of the standard normal distribution.
        const Z99: f64 = 2.326_347_874;
        if self.median_ms <= 0.0 {
            return 0;
        }
        let sigma = (self.p99_ms / self.median_ms).max(1.0).ln() / Z99;
        // Ten times the p99 is far enough for any tail.
        let milliseconds = (self.median_ms * (sigma * normal).exp()).min(self.p99_ms * 10.0);
        (milliseconds * 1e6) as u64
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WabaSpec {
    /// Meta's id of it.
    pub id: String,
    /// Its name.
    #[serde(default = "default_name")]
    pub name: String,
    /// The portfolio it belongs to: accounts of one portfolio share the messaging limit.
    #[serde(default = "default_portfolio")]
    pub portfolio: String,
}

fn default_name() -> String {
    "Simulated Business".to_owned()
}

fn default_portfolio() -> String {
    "portfolio".to_owned()
}

impl WabaSpec {
    /// An account of the default portfolio.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), name: default_name(), portfolio: default_portfolio() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::number_spec::DEFAULT_WABA;
    use super::*;

    #[test]
    fn a_configuration_is_read_from_a_file() {
        let config: SimConfig = serde_json::from_value(serde_json::json!({
            "listen": "127.0.0.1:4010",
            "numbers": [{ "id": "1001", "quality": "RED", "mps": 80 }],
            "faults": ["number=1001,every=20,code=131000", { "number": "1001", "hang": true }],
            "templates": [{ "name": "hello_world", "category": "MARKETING", "status": "PAUSED" }],
            "latency": { "median_ms": 40, "p99_ms": 200 },
            "time_scale": 10.0
        }))
        .unwrap();
        config.check().unwrap();
        assert_eq!(config.faults.len(), 2);
        assert_eq!(config.numbers[0].waba, DEFAULT_WABA);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = serde_json::from_value::<SimConfig>(serde_json::json!({ "tokns": [] })).unwrap_err().to_string();
        assert!(error.contains("tokns"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let twice = SimConfig::with_numbers([NumberSpec::new("1"), NumberSpec::new("1")]);
        assert_eq!(twice.check().unwrap_err().to_string(), "numbers[1].id: 1 is there twice");
        let frozen = SimConfig { time_scale: 0.0, ..SimConfig::default() };
        assert!(frozen.check().unwrap_err().to_string().starts_with("time_scale: `0` is not allowed"));
        let backward = SimConfig { latency: Latency { median_ms: 9.0, p99_ms: 1.0 }, ..SimConfig::default() };
        assert!(backward.check().unwrap_err().to_string().starts_with("latency: `9 and 1`"));
    }

    #[test]
    fn latency_meets_its_median_and_its_p99() {
        let latency = Latency { median_ms: 40.0, p99_ms: 200.0 };
        assert_eq!(latency.sample_ns(0.0), 40_000_000);
        assert!((latency.sample_ns(2.326_347_874) as f64 / 2e8 - 1.0).abs() < 1e-6);
        assert_eq!(Latency::default().sample_ns(5.0), 0);
    }
}
