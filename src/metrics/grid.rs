//! A counter by two closed sets at once.

use std::marker::PhantomData;

use prometheus::{IntCounterVec, Opts, Registry};

use super::kinds::{Kind, VALID, enrol};
use super::labels::Label;

/// A counter for each pair of two sets' values: a series appears with its first event.
#[derive(Debug)]
pub struct Grid<A, B> {
    vec: IntCounterVec,
    outer: Vec<String>,
    labels: PhantomData<(A, B)>,
}

impl<A: Label, B: Label> Kind for Grid<A, B> {
    type Family = IntCounterVec;
    fn family(registry: &Registry, name: &str, help: &str, labels: &[&str], _: &[f64]) -> IntCounterVec {
        let labels = [labels, &[A::NAME, B::NAME]].concat();
        enrol(registry, IntCounterVec::new(Opts::new(name, help), &labels))
    }
    fn bind(family: &IntCounterVec, values: &[&str]) -> Self {
        let outer = values.iter().map(|value| (*value).to_owned()).collect();
        Self { vec: family.clone(), outer, labels: PhantomData }
    }
}

impl<A: Label, B: Label> Grid<A, B> {
    /// One more of these.
    pub fn inc(&self, one: A, other: B) {
        let mut values: Vec<&str> = self.outer.iter().map(String::as_str).collect();
        values.extend([one.word(), other.word()]);
        self.vec.get_metric_with_label_values(&values).expect(VALID).inc();
    }
}
