//! News while it is being gathered.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Meaning;
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, HoldOrder};
use crate::ledger::{FieldsNews, HoldChange, OutboxRow, StatusNews, StrangeChange, WindowNews};
use crate::metrics::Update;
use crate::outcome::Reason;

/// Gathers news.
pub(super) struct Draft {
    now: Timestamp,
    meaning: Meaning,
    /// Where the last change of each cover stands.
    last: HashMap<Cover, usize>,
}

impl Draft {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, meaning: Meaning::default(), last: HashMap::new() }
    }

    pub(super) fn finish(self) -> Meaning {
        self.meaning
    }

    pub(super) fn count(&mut self, update: Update) {
        self.meaning.updates.push(update);
    }

    pub(super) fn status(&mut self, news: StatusNews) {
        self.meaning.news.statuses.push(news);
    }

    pub(super) fn window(&mut self, news: WindowNews) {
        if news.until > self.now {
            self.meaning.news.windows.push(news);
        }
    }

    /// Places a hold that is not over yet. Told a thousand times in a batch, it is placed once.
    pub(super) fn place(&mut self, order: HoldOrder) {
        if order.until.is_some_and(|until| until <= self.now) {
            return;
        }
        let holds = &mut self.meaning.news.holds;
        if let Some(HoldChange::Place(last)) = self.last.get(&order.cover).and_then(|at| holds.get_mut(*at)) {
            *last = stronger(last, order);
            return;
        }
        self.last.insert(order.cover.clone(), holds.len());
        holds.push(HoldChange::Place(order));
    }

    pub(super) fn lift(&mut self, cover: Cover, only: &'static [Reason]) {
        let holds = &mut self.meaning.news.holds;
        self.last.insert(cover.clone(), holds.len());
        holds.push(HoldChange::Lift { cover, only });
    }

    /// A person does not want something. Said a thousand times in a batch, it is noted once, with the last time.
    pub(super) fn stop(&mut self, order: HoldOrder, at: Timestamp) {
        let holds = &mut self.meaning.news.holds;
        if let Some(HoldChange::Stop { said, .. }) = self.last.get(&order.cover).and_then(|at| holds.get_mut(*at)) {
            *said = at.max(*said);
            return;
        }
        self.last.insert(order.cover.clone(), holds.len());
        holds.push(HoldChange::Stop { order, said: at });
    }

    /// They want it again.
    pub(super) fn start(&mut self, cover: Cover, said: Timestamp) {
        let holds = &mut self.meaning.news.holds;
        self.last.insert(cover.clone(), holds.len());
        holds.push(HoldChange::Start { cover, said });
    }

    pub(super) fn fields(&mut self, news: FieldsNews) {
        self.meaning.news.fields.push(news);
    }

    pub(super) fn event(&mut self, row: OutboxRow) {
        self.meaning.news.events.push(row);
    }

    /// Keeps what nobody here understands.
    pub(super) fn strange(&mut self, field: String, body: String) {
        self.meaning.news.strange.push(StrangeChange { field, body, at: self.now });
        self.count(Update::Strange);
    }
}

/// One hold in place of two of the same cover: what ends jobs comes before what makes them wait, then what lasts longer.
fn stronger(one: &HoldOrder, other: HoldOrder) -> HoldOrder {
    let ends = |order: &HoldOrder| order.effect == Effect::End;
    let lasts = |order: &HoldOrder| order.until.unwrap_or(Timestamp::MAX);
    if (ends(one), lasts(one)) > (ends(&other), lasts(&other)) { one.clone() } else { other }
}

/// Fields by name, of values that are there.
pub(super) fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
