//! What the process counts about itself, in one struct, for `/metrics`.
//!
//! Each field's doc is also the metric's help text. Labels come from closed sets, so that no producer can make a
//! series; a number's series are bound once, in a [`NumberMetrics`], so that a send looks nothing up. The broker's series
//! are there where a broker is, those of webhooks where they are taken in.

mod bound;
mod broker;
mod grid;
mod kinds;
mod labels;
mod number;
mod portfolio;
mod process;
mod webhook;

pub use broker::{BrokerMetrics, LaneMetrics};
pub use grid::Grid;
pub use kinds::{
    Counter, Counters, Gauge, Gauges, Histogram, Histograms, Mark, Refusals, SeldomCounters, SeldomGauges,
};
pub use labels::{
    Answer, BrokerTrouble, Connection, ForwardResult, HookResult, Label, LeaseChange, PriceCategory, PriceType,
    PublishResult, Rating, Redelivered, RowClass, SettledBy, Stage, Update, WebhookResult,
};
pub use number::NumberMetrics;
pub use portfolio::PortfolioMetrics;
pub use webhook::WebhookMetrics;

use std::sync::OnceLock;

use prometheus::{Registry, TextEncoder};

use crate::hold::Scope;
use crate::job::Priority;
use crate::outcome::{NotSentCause, Reason, State, UnknownCause};
use broker::{BrokerFamilies, LaneFamilies};
use kinds::Kind;
use number::NumberFamilies;
use portfolio::PortfolioFamilies;
use process::ProcessMetrics;
use webhook::WebhookFamilies;

/// How old a job is when its request starts: 30 ms and 80 ms are what a one-time password is promised, 5 min is late.
const JOB_WAIT: &[f64] = &[0.005, 0.03, 0.08, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 14_400.0];
/// Where a disk's commit turns from good (under 1 ms) to what holds up the sending (over 50 ms).
const COMMIT: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 2.5];
/// How well commits are shared: one row each is the worst, 200 rows the most.
const COMMIT_ROWS: &[f64] = &[1.0, 5.0, 20.0, 50.0, 100.0, 200.0];

/// From acceptance to the phone: a moment where all is well, hours where it is switched off.
const DELIVERY: &[f64] = &[1.0, 5.0, 15.0, 60.0, 3_600.0, 86_400.0];

/// A few milliseconds for a handful of bodies; a second is the share of each batch when Meta repeats a day's.
const APPLY: &[f64] = &[0.005, 0.02, 0.1, 0.5, 2.5];

/// Declares a struct of metrics; a field's doc is its help.
macro_rules! catalogue {
    ($(#[$doc:meta])* $name:ident {
        $($(#[doc = $help:literal])+ $field:ident: $kind:ty = $metric:literal $(, $buckets:expr)?;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            registry: Registry,
            numbers: NumberFamilies,
            lanes: LaneFamilies,
            portfolios: PortfolioFamilies,
            broker: (BrokerFamilies, OnceLock<BrokerMetrics>),
            webhook: (WebhookFamilies, OnceLock<WebhookMetrics>),
            process: ProcessMetrics,
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl $name {
            /// All known series stand at zero.
            pub fn new() -> Self {
                let registry = Registry::new();
                Self {
                    $($field: {
                        let buckets: &[&[f64]] = &[$($buckets)?];
                        let family = <$kind as Kind>::family(&registry, $metric, concat!($($help),+).trim(), &[], &buckets.concat());
                        <$kind as Kind>::bind(&family, &[])
                    },)+
                    numbers: NumberFamilies::register(&registry),
                    lanes: LaneFamilies::register(&registry),
                    portfolios: PortfolioFamilies::register(&registry),
                    broker: (BrokerFamilies::register(&registry), OnceLock::new()),
                    webhook: (WebhookFamilies::register(&registry), OnceLock::new()),
                    process: ProcessMetrics::register(&registry),
                    registry,
                }
            }
        }
    };
}

catalogue! {
    /// Everything the process counts. Share it in an `Arc`.
    Metrics {
        /// Waiting rows claimed from the ledger, by why they waited.
        claimed_rows: Counters<RowClass> = "tidegate_claimed_rows_total";
        /// Time of one claim of waiting rows.
        claim_duration: Histogram = "tidegate_claim_duration_seconds", COMMIT;
        /// Jobs in this worker's hands: taken from their lane, not yet settled.
        in_hand: Gauges<Priority> = "tidegate_jobs_in_hand";
        /// Bytes of the jobs in this worker's hands.
        in_hand_bytes: Gauge = "tidegate_jobs_in_hand_bytes";
        /// Age of a job when its request starts, counted from its publishing or its not_before.
        job_wait: Histograms<Priority> = "tidegate_job_wait_seconds", JOB_WAIT;
        /// Jobs that came again and had been taken before.
        duplicates: Counter = "tidegate_duplicates_total";
        /// Jobs that entered a state, by this worker's doing.
        jobs: Counters<State> = "tidegate_jobs_total";
        /// Jobs that ended without being sent, by why.
        not_delivered: SeldomCounters<Reason> = "tidegate_jobs_ended_unsent_total";
        /// Waiting jobs in the whole ledger, by why they wait.
        waiting: SeldomGauges<Reason> = "tidegate_waiting";
        /// Jobs that were set aside as dead.
        buried: Counter = "tidegate_dead_total";
        /// Dead jobs that lie in the ledger for a person to look at.
        dead: Gauge = "tidegate_dead";

        /// Requests of which no byte left, by cause.
        not_sent: Counters<NotSentCause> = "tidegate_not_sent_total";
        /// Attempts of which nobody can say whether Meta took them, by cause.
        unknown: Counters<UnknownCause> = "tidegate_unknown_total";
        /// Jobs in the whole ledger of which nobody can say yet whether they were sent.
        unknown_pending: Gauge = "tidegate_unknown_pending";
        /// Unknown jobs that were settled, by what settled them.
        unknown_settled: Counters<SettledBy> = "tidegate_unknown_settled_total";
        /// Attempts that will be made again, by why.
        retries: SeldomCounters<Reason> = "tidegate_retries_total";
        /// Jobs that had to wait since their number had just written to the same recipient.
        pair_deferred: Counter = "tidegate_pair_deferred_total";
        /// Holds that stand, by what they cover.
        holds: Gauges<Scope> = "tidegate_holds";

        /// Time from asking the ledger for admissions to its answer.
        admission_duration: Histogram = "tidegate_admission_duration_seconds", COMMIT;
        /// Time of one commit of the ledger, to durable.
        commit_duration: Histogram = "tidegate_ledger_commit_duration_seconds", COMMIT;
        /// Rows that shared one commit of the ledger.
        commit_rows: Histogram = "tidegate_ledger_commit_batch_rows", COMMIT_ROWS;
        /// Calls that wait for the ledger's next commit.
        ledger_backlog: Gauge = "tidegate_ledger_calls_waiting";
        /// 1 while the ledger answers, 0 while it is away: nothing is sent then.
        ledger_up: Gauge = "tidegate_ledger_up";
        /// Connections to the ledger that work just now.
        ledger_pool_in_use: Gauge = "tidegate_ledger_pool_in_use";
        /// Calls that wait for a free connection to the ledger.
        ledger_pool_waiting: Gauge = "tidegate_ledger_pool_waiting";
        /// Calls that the ledger could not carry out.
        ledger_failures: Counter = "tidegate_ledger_failures_total";
        /// Admissions that the ledger refused since the number belongs to another worker now.
        fenced_writes: Counter = "tidegate_fenced_writes_total";
        /// Answers that came when their job was not waiting for them any more.
        stale_settlements: Counter = "tidegate_stale_settlements_total";
        /// Changes of this worker's leases.
        lease_changes: Counters<LeaseChange> = "tidegate_lease_transitions_total";
        /// Jobs found in a place where none may be: must stay 0.
        identity_violations: Counter = "tidegate_identity_violations_total";

        /// Events that lie in the whole ledger and are not published yet, about so many.
        outbox_pending: Gauge = "tidegate_outbox_pending";
        /// Requests to the outgoing webhook, by what came of them.
        hook: Counters<HookResult> = "tidegate_events_webhook_requests_total";

        /// What webhooks told of, once it was applied.
        webhook_updates: Counters<Update> = "tidegate_webhook_updates_total";
        /// Time of applying one batch of webhook bodies, from reading them to durable.
        webhook_apply: Histogram = "tidegate_webhook_apply_seconds", APPLY;
        /// When the oldest webhook body came that is not applied yet; 0 if all are.
        inbox_oldest: Gauge = "tidegate_inbox_oldest_timestamp_seconds";
        /// Time from Meta's acceptance of a message to its delivery, by Meta's clock.
        delivery_latency: Histogram = "tidegate_delivery_latency_seconds", DELIVERY;
        /// Messages whose price was told, by how and as what they are billed.
        priced: Grid<PriceType, PriceCategory> = "tidegate_priced_total";
        /// Recipients that were not on WhatsApp several times in a row, and are left alone for a while.
        suppressed: Counter = "tidegate_recipients_suppressed_total";

        /// When each stage of the way of a job last did something.
        last_seen: Gauges<Stage> = "tidegate_heartbeat_last_seen_timestamp_seconds";
        /// Log lines that were dropped since nobody took them fast enough.
        log_lines_dropped: Counter = "tidegate_log_lines_dropped_total";
    }
}

impl Metrics {
    /// Binds the series of one number, by the name that people know it by; bind once and keep.
    pub fn number(&self, display: &str, pool: &str) -> NumberMetrics {
        self.numbers.bind(display, pool)
    }

    /// Binds the series of one lane, `<pool>.<priority>`; bind once and keep.
    pub fn lane(&self, name: &str) -> LaneMetrics {
        self.lanes.bind(&[name])
    }

    /// Binds the series of one portfolio.
    pub fn portfolio(&self, id: &str) -> PortfolioMetrics {
        self.portfolios.bind(&[id])
    }

    /// The series of the broker: from the first call on they are shown. Ask only where there is a broker, so that an
    /// alert never mistakes having none for one that is away.
    pub fn broker(&self) -> &BrokerMetrics {
        let (families, bound) = &self.broker;
        bound.get_or_init(|| families.bind(&[]))
    }

    /// The series of webhooks: from the first call on they are shown. Ask only where webhooks are taken in.
    pub fn webhook(&self) -> &WebhookMetrics {
        let (families, bound) = &self.webhook;
        bound.get_or_init(|| families.bind(&[]))
    }

    /// What [`Metrics::render`] writes, as an HTTP header says it.
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.process.look();
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("families are checked when registered")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;

    fn series(text: &str) -> BTreeSet<&str> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect()
    }

    /// Name and type of every family, from the text that Prometheus would read.
    fn families(metrics: &Metrics) -> Vec<prometheus::proto::MetricFamily> {
        metrics.registry.gather()
    }

    fn with_three_numbers() -> (Metrics, Vec<NumberMetrics>) {
        let metrics = Metrics::new();
        let numbers = (0..3).map(|n| metrics.number(&format!("+4420794600{n:02}"), "default")).collect();
        (metrics, numbers)
    }

    #[test]
    fn names_say_what_they_measure_and_in_what_unit() {
        let (metrics, numbers) = with_three_numbers();
        metrics.retries.inc(Reason::Throughput);
        metrics.not_delivered.inc(Reason::NotOnWhatsapp);
        metrics.waiting.set_all(&[(Reason::Held, 1)]);
        metrics.broker().blocked(true);
        metrics.webhook().connections.set(1.0);
        metrics.lane("default.bulk").oldest(None);
        numbers[0].refused.inc(Some(130_429), Reason::Throughput);
        numbers[0].paused.set(Some(Reason::Failing));
        for family in families(&metrics) {
            let (name, kind) = (family.name(), family.get_field_type());
            assert!(name.starts_with("tidegate_") || name.starts_with("process_"), "{name} lacks our prefix");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name} is no plain name");
            let is_counter = kind == prometheus::proto::MetricType::COUNTER;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}: counters, and they alone, end in _total");
            let base = ["_ms", "_milliseconds", "_percent", "_kb", "_minutes", "_count", "_sum", "_bucket"];
            assert!(!base.iter().any(|end| name.ends_with(end)), "{name}: seconds, bytes, ratios; no reserved ends");
            let is_histogram = kind == prometheus::proto::MetricType::HISTOGRAM;
            assert!(!is_histogram || name.ends_with("_seconds") || name.ends_with("_rows"), "{name} lacks its unit");
            let help = family.help();
            assert!(help.len() > 15 && !help.contains("  "), "{name}: «{help}» helps nobody");
        }
    }

    #[test]
    fn known_series_stand_at_zero_before_anything_happens() {
        let (metrics, _numbers) = with_three_numbers();
        let text = metrics.render();
        for line in [
            "tidegate_jobs_total{state=\"accepted\"} 0",
            "tidegate_unknown_total{cause=\"timeout\"} 0",
            "tidegate_job_wait_seconds_bucket{priority=\"urgent\",le=\"0.03\"} 0",
            "tidegate_send_attempts_total{number=\"+442079460001\",outcome=\"refused\"} 0",
            "tidegate_identity_violations_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing");
        }
        assert!(text.contains(concat!("tidegate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
    }

    #[test]
    fn nothing_that_a_producer_or_meta_can_say_grows_the_series_past_the_budget() {
        let (metrics, numbers) = with_three_numbers();
        metrics.broker().connected(Connection::Consuming, true);
        metrics.webhook().connections.set(1.0);
        Priority::ALL.iter().for_each(|priority| metrics.lane(&format!("default.{priority}")).oldest(None));
        for reason in Reason::ALL {
            metrics.retries.inc(*reason);
            metrics.not_delivered.inc(*reason);
            metrics.waiting.set_all(&[(*reason, 1)]);
            for number in &numbers {
                number.paused.set(Some(*reason));
                number.quality.only(Rating::Red);
                (0..1_000).for_each(|code| number.refused.inc(Some(code), *reason));
            }
        }
        let text = metrics.render();
        let all = series(&text);
        let of_numbers = all.iter().filter(|name| name.contains("number=")).count();
        assert!(of_numbers <= 3 * 60, "{of_numbers} series of 3 numbers");
        // The budget is 300; three families name a reason, and no reason stands in all three but here.
        let besides = all.len() - of_numbers;
        assert!(besides <= 300 + 3 * Reason::ALL.len(), "{besides} series besides");
        assert!(text.contains("code=\"other\""));
    }

    #[test]
    fn a_worker_without_a_broker_shows_no_broker() {
        let metrics = Metrics::new();
        assert!(!metrics.render().contains("tidegate_broker_connected"));
        metrics.broker().connected(Connection::Consuming, false);
        metrics.broker().deliveries.inc(true.into());
        metrics.broker().published.inc(PublishResult::Nack);
        metrics.lane("default.urgent").oldest(Some(Timestamp::from_millis(2_500)));
        metrics.lane("default.urgent").due(None);
        let text = metrics.render();
        for line in [
            "tidegate_broker_connected{connection=\"consuming\"} 0",
            "tidegate_broker_blocked 0",
            "tidegate_broker_reconnects_total{reason=\"lost\"} 0",
            "tidegate_queue_deliveries_total{redelivered=\"false\"} 0",
            "tidegate_queue_deliveries_total{redelivered=\"true\"} 1",
            "tidegate_publish_total{result=\"nack\"} 1",
            "tidegate_publish_confirm_duration_seconds_count 0",
            "tidegate_queue_oldest_enqueued_timestamp_seconds{lane=\"default.urgent\"} 2.5",
            "tidegate_waiting_oldest_due_timestamp_seconds{lane=\"default.urgent\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn what_is_told_is_what_is_shown() {
        let (metrics, numbers) = with_three_numbers();
        metrics.jobs.inc_by(State::Accepted, 3);
        metrics.job_wait.observe(Priority::Urgent, Duration::from_millis(20));
        metrics.last_seen.set_time(Stage::Commit, Timestamp::from_millis(1_500));
        metrics.waiting.set_all(&[(Reason::Held, 4), (Reason::NotBefore, 1)]);
        metrics.waiting.set_all(&[(Reason::NotBefore, 2)]);
        numbers[1].duration.observe(0.2);
        numbers[1].quality.only(Rating::Green);
        numbers[1].quality.only(Rating::Yellow);
        numbers[1].paused.set(Some(Reason::Credentials));
        numbers[1].paused.set(Some(Reason::Failing));
        numbers[2].paused.set(Some(Reason::Failing));
        numbers[2].paused.set(None);
        numbers[1].refused.inc(Some(131_026), Reason::NotOnWhatsapp);
        let text = metrics.render();
        for line in [
            "tidegate_jobs_total{state=\"accepted\"} 3",
            "tidegate_job_wait_seconds_bucket{priority=\"urgent\",le=\"0.03\"} 1",
            "tidegate_heartbeat_last_seen_timestamp_seconds{stage=\"commit\"} 1.5",
            "tidegate_waiting{reason=\"held\"} 0",
            "tidegate_waiting{reason=\"not_before\"} 2",
            "tidegate_send_duration_seconds_bucket{number=\"+442079460001\",le=\"0.25\"} 1",
            "tidegate_number_quality{number=\"+442079460001\",rating=\"green\"} 0",
            "tidegate_number_quality{number=\"+442079460001\",rating=\"yellow\"} 1",
            "tidegate_send_errors_total{code=\"131026\",number=\"+442079460001\",reason=\"not_on_whatsapp\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        let paused: Vec<&str> = text.lines().filter(|line| line.starts_with("tidegate_number_paused{")).collect();
        assert_eq!(paused, ["tidegate_number_paused{number=\"+442079460001\",reason=\"failing\"} 1"]);
    }
}
