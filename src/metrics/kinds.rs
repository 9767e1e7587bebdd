//! The kinds of metrics, each with its labels typed: a value that is in no closed set cannot be told.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use super::labels::Label;
use crate::clock::Timestamp;
use crate::outcome::Reason;

/// Only grows.
pub type Counter = IntCounter;
/// Stands at a value.
pub type Gauge = prometheus::Gauge;
/// Counts how often a value fell into each of its buckets.
pub type Histogram = prometheus::Histogram;

/// How many different refusals of one number have a series of their own; past them it is `other`.
const MOST_REFUSALS: usize = 12;

/// A counter for each value of a closed set.
#[derive(Debug)]
pub struct Counters<K> {
    children: Vec<Counter>,
    label: PhantomData<K>,
}

/// A gauge for each value of a closed set.
#[derive(Debug)]
pub struct Gauges<K> {
    children: Vec<Gauge>,
    label: PhantomData<K>,
}

/// A histogram for each value of a closed set.
#[derive(Debug)]
pub struct Histograms<K> {
    children: Vec<Histogram>,
    label: PhantomData<K>,
}

/// A counter for each value of a large set most of which never occurs: a series appears with its first event.
#[derive(Debug)]
pub struct SeldomCounters<K> {
    vec: IntCounterVec,
    children: Vec<OnceLock<Counter>>,
    label: PhantomData<K>,
}

/// A gauge for each value of a set most of which may never occur: a series appears when it is first told of.
#[derive(Debug)]
pub struct SeldomGauges<K> {
    vec: GaugeVec,
    children: Vec<OnceLock<Gauge>>,
    label: PhantomData<K>,
}

/// Which value of a closed set holds just now, if any: a series of value 1 that goes when the value does.
#[derive(Debug)]
pub struct Mark<K> {
    vec: GaugeVec,
    before: Vec<String>,
    shown: Mutex<Option<usize>>,
    label: PhantomData<K>,
}

/// Meta's refusals by code and by our reason; a bounded number of different ones.
#[derive(Debug)]
pub struct Refusals {
    vec: IntCounterVec,
    number: String,
    seen: Mutex<HashMap<(Option<u32>, Reason), Counter>>,
}

/// How a kind of metric is registered once, and bound to the values of its outer labels.
pub(super) trait Kind: Sized {
    /// What is registered.
    type Family;
    /// Registers it with these outer labels, beside its own.
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Self::Family;
    /// Binds it to the outer labels' values.
    fn bind(family: &Self::Family, values: &[&str]) -> Self;
}

pub(super) const VALID: &str = "metrics are declared with valid and distinct names and labels";

pub(super) fn enrol<V: Collector + Clone + 'static>(registry: &Registry, vec: Result<V, prometheus::Error>) -> V {
    let vec = vec.expect(VALID);
    registry.register(Box::new(vec.clone())).expect(VALID);
    vec
}

fn child<B: MetricVecBuilder>(vec: &MetricVec<B>, outer: &[&str], own: &str) -> B::M {
    vec.with_label_values(&[outer, &[own]].concat())
}

impl Kind for Counter {
    type Family = IntCounterVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], _: &[f64]) -> IntCounterVec {
        enrol(registry, IntCounterVec::new(Opts::new(name, help), labels))
    }
    fn bind(family: &IntCounterVec, values: &[&str]) -> Self {
        family.with_label_values(values)
    }
}

/// For what the system counts in fractions.
impl Kind for prometheus::Counter {
    type Family = CounterVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], _: &[f64]) -> CounterVec {
        enrol(registry, CounterVec::new(Opts::new(name, help), labels))
    }
    fn bind(family: &CounterVec, values: &[&str]) -> Self {
        family.with_label_values(values)
    }
}

impl Kind for Gauge {
    type Family = GaugeVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], _: &[f64]) -> GaugeVec {
        enrol(registry, GaugeVec::new(Opts::new(name, help), labels))
    }
    fn bind(family: &GaugeVec, values: &[&str]) -> Self {
        family.with_label_values(values)
    }
}

impl Kind for Histogram {
    type Family = HistogramVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        enrol(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }
    fn bind(family: &HistogramVec, values: &[&str]) -> Self {
        family.with_label_values(values)
    }
}

/// The kinds that hold one child for each value of their own label.
macro_rules! one_each {
    ($($name:ident of $child:ident,)+) => {$(
        impl<K: Label> Kind for $name<K> {
            type Family = <$child as Kind>::Family;
            fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Self::Family {
                $child::family(registry, name, help, &[labels, &[K::NAME]].concat(), buckets)
            }
            fn bind(family: &Self::Family, values: &[&str]) -> Self {
                let children = K::VALUES.iter().map(|value| child(family, values, value.word())).collect();
                Self { children, label: PhantomData }
            }
        }
    )+};
}

one_each! {
    Counters of Counter,
    Gauges of Gauge,
    Histograms of Histogram,
}

/// The kinds whose children appear as they are needed; they have no outer labels.
macro_rules! seldom {
    ($($name:ident of $child:ident,)+) => {$(
        impl<K: Label> Kind for $name<K> {
            type Family = <$child as Kind>::Family;
            fn family(registry: &Registry, name: &str, help: &str, _: &[&str], buckets: &[f64]) -> Self::Family {
                $child::family(registry, name, help, &[K::NAME], buckets)
            }
            fn bind(family: &Self::Family, _: &[&str]) -> Self {
                let children = K::VALUES.iter().map(|_| OnceLock::new()).collect();
                Self { vec: family.clone(), children, label: PhantomData }
            }
        }

        impl<K: Label> $name<K> {
            fn child(&self, value: K) -> &$child {
                self.children[value.index()].get_or_init(|| child(&self.vec, &[], value.word()))
            }
        }
    )+};
}

seldom! {
    SeldomCounters of Counter,
    SeldomGauges of Gauge,
}

impl<K: Label> Kind for Mark<K> {
    type Family = GaugeVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> GaugeVec {
        Gauge::family(registry, name, help, &[labels, &[K::NAME]].concat(), buckets)
    }
    fn bind(family: &GaugeVec, values: &[&str]) -> Self {
        let before = values.iter().map(|&value| value.to_owned()).collect();
        Self { vec: family.clone(), before, shown: Mutex::default(), label: PhantomData }
    }
}

impl Kind for Refusals {
    type Family = IntCounterVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> IntCounterVec {
        Counter::family(registry, name, help, &[labels, &["code", "reason"]].concat(), buckets)
    }
    fn bind(family: &IntCounterVec, values: &[&str]) -> Self {
        Self { vec: family.clone(), number: values.concat(), seen: Mutex::default() }
    }
}

impl<K: Label> Counters<K> {
    /// One more of these.
    pub fn inc(&self, value: K) {
        self.children[value.index()].inc();
    }
    /// So many more of these.
    pub fn inc_by(&self, value: K, by: u64) {
        self.children[value.index()].inc_by(by);
    }
    /// How many of these there were.
    pub fn get(&self, value: K) -> u64 {
        self.children[value.index()].get()
    }
}

impl<K: Label> Gauges<K> {
    /// So many of these there are now.
    pub fn set(&self, value: K, to: f64) {
        self.children[value.index()].set(to);
    }
    /// When this last happened, in seconds since 1970.
    pub fn set_time(&self, value: K, at: Timestamp) {
        self.set(value, seconds(at));
    }
    /// This one holds (1), the others do not (0).
    pub fn only(&self, value: K) {
        for (index, child) in self.children.iter().enumerate() {
            child.set(if index == value.index() { 1.0 } else { 0.0 });
        }
    }
}

impl<K: Label> Histograms<K> {
    /// One of these took so long.
    pub fn observe(&self, value: K, took: Duration) {
        self.children[value.index()].observe(took.as_secs_f64());
    }
}

impl<K: Label> SeldomCounters<K> {
    /// One more of these.
    pub fn inc(&self, value: K) {
        self.child(value).inc();
    }
}

impl<K: Label> SeldomGauges<K> {
    /// This one holds, or does not.
    pub fn set(&self, value: K, holds: bool) {
        self.child(value).set(f64::from(u8::from(holds)));
    }
    /// So many of these there are now, and none of any other.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and exact to 2^53")]
    pub fn set_all(&self, counts: &[(K, u64)]) {
        for shown in self.children.iter().filter_map(OnceLock::get) {
            shown.set(0.0);
        }
        for (value, count) in counts {
            self.child(*value).set(*count as f64);
        }
    }
}

impl<K: Label> Mark<K> {
    /// This one holds now, or none.
    pub fn set(&self, value: Option<K>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == value.map(Label::index) {
            return;
        }
        let before: Vec<&str> = self.before.iter().map(String::as_str).collect();
        if let Some(past) = shown.take() {
            let values = [before.as_slice(), &[K::VALUES[past].word()]].concat();
            self.vec.remove_label_values(&values).expect("a series that is shown is there");
        }
        if let Some(value) = value {
            child(&self.vec, &before, value.word()).set(1.0);
            *shown = Some(value.index());
        }
    }
}

impl Refusals {
    /// One more refusal with this code of Meta's (none: a busy server's own answer), for this reason of ours.
    pub fn inc(&self, code: Option<u32>, reason: Reason) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = seen.get(&(code, reason)) {
            counter.inc();
        } else if seen.len() < MOST_REFUSALS && reason != Reason::Unlisted {
            let shown = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
            let counter = self.vec.with_label_values(&[self.number.as_str(), &shown, reason.as_str()]);
            counter.inc();
            seen.insert((code, reason), counter);
        } else {
            self.vec.with_label_values(&[self.number.as_str(), "other", Reason::Unlisted.as_str()]).inc();
        }
    }
}

/// A moment as metrics show it: in seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53 for 285,000 years")]
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1_000.0
}
