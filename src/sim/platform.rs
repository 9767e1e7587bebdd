//! The simulated Meta: what it knows, and what it decides about a request. No I/O, no clock of its own.
//!
//! The order of questions: token, number, body, the number's status, throughput, the scripted fault,
//! account, template, recipient, pair limit, messaging limit. What passes the throughput question counts
//! against it, whatever is said afterwards: Meta's page counts messages, and a sender that keeps to
//! the limit with *every* request it makes keeps to it under any reading. What is refused for
//! throughput does not count (the page: «until you are within the level again»).

use super::account::AccountState;
use super::config::{SimConfig, WabaSpec};
use super::customer::Heard;
use super::entry::Totals;
use super::fault_script::FaultScript;
use super::limits::THROUGHPUT_WINDOW;
use super::media::MediaStore;
use super::messaging_limit::MessagingLimit;
use super::number_spec::{NumberSpec, Token};
use super::number_state::NumberChange;
use super::oracle_log::OracleLog;
use super::pair_limit::PairLimit;
use super::refusal::Refusal;
use super::service_windows::ServiceWindows;
use super::sliding_second::SlidingSecond;
use super::template_spec::{Category, TemplateChange, TemplateSpec};
use super::waiters::Waiters;
use super::webhooks::{Origin, Outbox};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Numbers that may come into being by `any_number`.
const MOST_NUMBERS: usize = 100_000;

/// Everything the simulated Meta knows.
pub(crate) struct Platform {
    pub(crate) config: SimConfig,
    pub(crate) numbers: Vec<Number>,
    by_id: HashMap<Arc<str>, u32>,
    pub(crate) wabas: Vec<WabaSpec>,
    pub(crate) templates: Vec<TemplateSpec>,
    pub(crate) portfolios: BTreeMap<String, MessagingLimit>,
    pub(crate) pairs: PairLimit,
    pub(crate) script: FaultScript,
    pub(crate) log: OracleLog,
    pub(crate) totals: Totals,
    pub(crate) refused_by_code: BTreeMap<u32, u64>,
    pub(crate) faults_struck: BTreeMap<&'static str, u64>,
    pub(crate) acceptances: Waiters,
    pub(crate) rows: Waiters,
    /// What the business is to be told; none if no webhooks are configured.
    pub(crate) outbox: Option<Outbox>,
    pub(crate) windows: ServiceWindows,
    pub(crate) heard: Heard,
    pub(crate) media: MediaStore,
    pub(crate) account: AccountState,
    rng: SmallRng,
    /// Whether any number has a token of its own.
    has_own_tokens: bool,
    trace: u64,
    /// New in every run, so that no two runs give the same message id.
    run: u64,
}

/// A number and what it has seen.
pub(crate) struct Number {
    pub(crate) id: Arc<str>,
    /// What webhooks call it.
    pub(crate) origin: Arc<Origin>,
    pub(crate) spec: NumberSpec,
    pub(crate) verified_name: String,
    pub(crate) counted: SlidingSecond,
    pub(crate) offered: SlidingSecond,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) first_accepted_ns: Option<u64>,
    pub(crate) last_accepted_ns: Option<u64>,
}

impl Platform {
    /// A platform that has seen nothing yet.
    pub(crate) fn new(config: SimConfig) -> Self {
        let scale = config.time_scale;
        let mut platform = Self {
            numbers: Vec::new(),
            by_id: HashMap::new(),
            wabas: config.wabas.clone(),
            templates: config.templates.clone(),
            portfolios: BTreeMap::new(),
            pairs: PairLimit::new(scale),
            script: FaultScript::new(config.faults.clone(), config.seed),
            log: OracleLog::new(config.oracle_rows),
            totals: Totals::default(),
            refused_by_code: BTreeMap::new(),
            faults_struck: BTreeMap::new(),
            acceptances: Waiters::default(),
            rows: Waiters::default(),
            outbox: config.webhooks.clone().map(|webhooks| Outbox::new(webhooks, config.seed)),
            windows: ServiceWindows::new(scale),
            heard: Heard::default(),
            media: MediaStore::new(scale),
            account: AccountState::default(),
            rng: SmallRng::seed_from_u64(config.seed ^ 0x5EED),
            has_own_tokens: false,
            trace: 0,
            run: rand::random(),
            config,
        };
        for spec in platform.config.numbers.clone() {
            platform.add_number(spec);
        }
        platform
    }

    /// Lists one more number from now on; false if there is one of that id.
    pub(crate) fn list_number(&mut self, spec: NumberSpec) -> bool {
        let is_new = !self.by_id.contains_key(spec.id.as_str());
        if is_new {
            self.add_number(spec);
        }
        is_new
    }

    fn add_number(&mut self, spec: NumberSpec) -> u32 {
        let width_ns = if self.config.scale_throughput {
            super::scaled_ns(THROUGHPUT_WINDOW, self.config.time_scale)
        } else {
            super::scaled_ns(THROUGHPUT_WINDOW, 1.0)
        };
        if !self.wabas.iter().any(|waba| waba.id == spec.waba) {
            self.wabas.push(WabaSpec::new(spec.waba.clone()));
        }
        self.has_own_tokens |= spec.token.is_some();
        let id: Arc<str> = spec.id.as_str().into();
        let index = u32::try_from(self.numbers.len()).expect("numbers are bounded");
        self.by_id.insert(Arc::clone(&id), index);
        let display = spec.display_number().chars().filter(char::is_ascii_digit).collect();
        let origin = Arc::new(Origin { waba: spec.waba.clone(), number: Arc::clone(&id), display });
        self.numbers.push(Number {
            id,
            origin,
            spec,
            verified_name: "Simulated Business".to_owned(),
            counted: SlidingSecond::new(width_ns),
            offered: SlidingSecond::new(width_ns),
            accepted: 0,
            refused: 0,
            first_accepted_ns: None,
            last_accepted_ns: None,
        });
        index
    }

    /// The number's place, which is made if any number will do.
    pub(crate) fn find_number(&mut self, id: &str) -> Option<u32> {
        if let Some(index) = self.by_id.get(id) {
            return Some(*index);
        }
        let spec = NumberSpec::new(id);
        let may_be = self.config.any_number && self.numbers.len() < MOST_NUMBERS && spec.check().is_ok();
        may_be.then(|| self.add_number(spec))
    }

    /// Whether `token` is one at all: `Err` is the refusal of one that is not.
    pub(crate) fn authenticate(&self, token: Option<&str>) -> Result<(), Refusal> {
        let token = token.ok_or_else(|| Refusal::of(104))?;
        let is = |known: &Token| known.0 == token;
        let any_will_do = self.config.tokens.is_empty() && !self.has_own_tokens;
        let is_a_numbers_own =
            || self.has_own_tokens && self.numbers.iter().any(|number| number.spec.token.as_ref().is_some_and(is));
        if (any_will_do && !token.is_empty()) || self.config.tokens.iter().any(is) || is_a_numbers_own() {
            Ok(())
        } else {
            Err(Refusal::of(190))
        }
    }

    /// Whether a known token may use this number.
    pub(crate) fn may_use(&self, token: &str, number: u32) -> bool {
        let own = self.numbers[number as usize].spec.token.as_ref();
        own.is_some_and(|own| own.0 == token)
            || self.config.tokens.iter().any(|known| known.0 == token)
            || (own.is_none() && self.config.tokens.is_empty())
    }

    /// The template of this name and language; the language's `-` and `_` are one.
    pub(crate) fn template(&self, name: &str, language: &str) -> Option<&TemplateSpec> {
        let plain = |code: &str| code.replace('-', "_").to_ascii_lowercase();
        self.templates
            .iter()
            .filter(|known| known.name == name)
            .find(|known| known.language == language || plain(&known.language) == plain(language))
    }

    /// The messaging limit that a number shares with its portfolio.
    pub(crate) fn messaging_limit(&mut self, number: u32) -> &mut MessagingLimit {
        let waba = &self.numbers[number as usize].spec.waba;
        let portfolio = self.wabas.iter().find(|known| &known.id == waba).map_or("", |waba| waba.portfolio.as_str());
        if !self.portfolios.contains_key(portfolio) {
            let limit = MessagingLimit::new(self.config.messaging_limit, self.config.time_scale);
            self.portfolios.insert(portfolio.to_owned(), limit);
        }
        self.portfolios.get_mut(portfolio).expect("it was just inserted")
    }

    /// Changes a number; false if there is none of that id.
    pub(crate) fn change_number(&mut self, id: &str, change: &NumberChange) -> bool {
        let index = self.find_number(id);
        if let Some(index) = index {
            change.apply(&mut self.numbers[index as usize].spec);
        }
        index.is_some()
    }

    /// Changes a template in all its languages; one that is not listed yet is from now on.
    pub(crate) fn change_template(&mut self, name: &str, change: &TemplateChange) {
        if !self.templates.iter().any(|known| known.name == name) {
            self.templates.push(TemplateSpec::new(name, Category::Utility));
        }
        for known in self.templates.iter_mut().filter(|known| known.name == name) {
            known.status = change.status.unwrap_or(known.status);
            known.category = change.category.unwrap_or(known.category);
            known.body_parameters = change.body_parameters.or(known.body_parameters);
        }
        if let Some(language) = &change.add_language
            && self.template(name, language).is_none()
            && let Some(first) = self.templates.iter().find(|known| known.name == name)
        {
            self.templates.push(TemplateSpec { language: language.clone(), ..first.clone() });
        }
    }

    /// Another messaging limit for every portfolio, now and later ones; none is UNLIMITED.
    pub(crate) fn change_messaging_limit(&mut self, limit: Option<u32>) {
        self.config.messaging_limit = limit;
        for portfolio in self.portfolios.values_mut() {
            portfolio.limit = limit;
        }
    }

    /// A delay for one answer.
    pub(crate) fn latency_ns(&mut self) -> u64 {
        if self.config.latency.median_ms <= 0.0 {
            return 0;
        }
        // Box and Muller's way to a normal draw; 1 − u keeps the logarithm finite.
        let (u, v): (f64, f64) = (self.rng.random(), self.rng.random());
        let normal = (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        self.config.latency.sample_ns(normal)
    }

    /// A number for the next `fbtrace_id`.
    pub(crate) fn next_trace(&mut self) -> u64 {
        self.trace = self.trace.wrapping_add(1);
        self.run ^ self.trace
    }

    /// The message id of the row with this sequence number.
    pub(crate) fn wamid(&self, seq: u64) -> String {
        format!("wamid.HBgM{:016X}{seq:012X}A==", self.run)
    }

    /// The message id of the `seq`-th thing that a customer said.
    pub(crate) fn inbound_wamid(&self, seq: u64) -> String {
        format!("wamid.HBgM{:016X}{seq:012X}I==", self.run)
    }
}
