//! Whether jobs fit their templates, and the wish to have those read again of which too old a reading tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::clock::{Now, Timestamp};
use crate::job::{Catalogue, Fit, Job};
use crate::ledger::{FieldsNews, LedgerError, News};
use crate::outcome::Reason;

use super::event::Event;
use super::scheduler::Choice;
use super::shell::Worker;

/// What the worker knows of templates, and which readings of them it doubts.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// What is known.
    pub catalogue: Arc<Catalogue>,
    /// The latest reading of each account that was doubted: each once.
    doubted: BTreeMap<String, Timestamp>,
    /// Doubts that nobody was told of yet.
    untold: Doubts,
}

/// Accounts, each with the moment of the reading that is doubted.
pub(super) type Doubts = Vec<(String, Timestamp)>;

impl Templates {
    /// Why Meta is sure to refuse a job. One that only an old reading speaks against goes out: Meta judges it.
    fn unfit(&mut self, job: &Job, waba: &str, now: Timestamp) -> Option<Reason> {
        match self.catalogue.check(&job.message, waba, now) {
            Fit::Fits => None,
            Fit::Unfit(unfit) => {
                tracing::debug!(job.id = %job.id, "job {} does not fit its template: {unfit}", job.id);
                Some(unfit.reason)
            }
            Fit::AskAgain(readings) => {
                for (waba, read_at) in readings {
                    if self.doubted.insert(waba.clone(), read_at) != Some(read_at) {
                        tracing::debug!("a job does not fit its template as account {waba} had it: to be read again");
                        self.untold.push((waba, read_at));
                    }
                }
                None
            }
        }
    }

    /// These doubts came to nothing: the next job tells of them again.
    fn forget(&mut self, doubts: &Doubts) {
        for (waba, read_at) in doubts {
            if self.doubted.get(waba) == Some(read_at) {
                self.doubted.remove(waba);
            }
        }
    }
}

impl Worker {
    /// Why Meta is sure to refuse a job, by what is known of its template: it ends before it costs a request.
    pub(super) fn unfit(&mut self, choice: &Choice, now: Timestamp) -> Option<Reason> {
        let waba = &self.core.scheduler.number(choice.number).spec.account.waba;
        self.templates.unfit(choice.delivery.job(), waba, now)
    }

    /// Leaves word of new doubts with the ledger, where whoever reads the templates sees them.
    pub(super) fn tell_doubts(&mut self, now: Now) {
        if self.templates.untold.is_empty() {
            return;
        }
        let doubts = std::mem::take(&mut self.templates.untold);
        let fields = doubts.iter().map(|(waba, read_at)| FieldsNews::templates_doubted(waba, *read_at, now.wall));
        let news = News { fields: fields.collect(), ..News::default() };
        let ledger = self.ledger.clone();
        let told = async move { Event::Doubted(doubts, ledger.apply(news, now.wall).await.map(drop)) };
        self.asked.push(told.boxed_local());
    }

    pub(super) fn doubts_told(&mut self, doubts: &Doubts, answer: Result<(), LedgerError>) {
        if answer.is_err() {
            self.templates.forget(doubts);
        }
        self.note_failure(answer);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::job::{Needs, Received, TemplateEntry, TemplateRef, parse};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    /// The account's one template takes so many parameters, as was read at this moment.
    fn read(templates: &mut Templates, parameters: usize, moment: Timestamp) {
        let text: Vec<String> = (1..=parameters).map(|place| format!("{{{{{place}}}}}")).collect();
        let needs = Needs::of(&[json!({"type": "BODY", "text": text.join(" ")})], None);
        let entry = TemplateEntry { category: None, needs: [("102".to_owned(), needs)].into() };
        let mut catalogue = Catalogue::default();
        catalogue.add(&TemplateRef { name: "sale".to_owned(), language: "en".to_owned() }, entry);
        catalogue.note_reading("102", moment);
        templates.catalogue = Arc::new(catalogue);
    }

    fn job(parameters: usize) -> Job {
        let parameters: Vec<Value> = (0..parameters).map(|_| json!({"type": "text", "text": "x"})).collect();
        let components = json!([{"type": "body", "parameters": parameters}]);
        let template = json!({"name": "sale", "language": {"code": "en"}, "components": components});
        let job = json!({"to": "+447700900123", "message": {"type": "template", "template": template}});
        parse(job.to_string().as_bytes(), &Received::here(at(0))).expect("a job")
    }

    #[test]
    fn a_reading_is_doubted_once_however_many_jobs_it_speaks_against() {
        let mut templates = Templates::default();
        read(&mut templates, 2, at(1_000));
        for second in 5_000..5_100 {
            assert_eq!(templates.unfit(&job(1), "102", at(second)), None, "Meta judges it");
        }
        let told = std::mem::take(&mut templates.untold);
        assert_eq!(told, [("102".to_owned(), at(1_000))]);
        // The next one says the same: now it counts, until it is old as well.
        read(&mut templates, 2, at(5_100));
        assert_eq!(templates.unfit(&job(1), "102", at(5_101)), Some(Reason::TemplateMismatch));
        assert_eq!(templates.unfit(&job(2), "102", at(5_101)), None);
        assert_eq!(templates.untold, []);
        assert_eq!(templates.unfit(&job(1), "102", at(5_200)), None);
        assert_eq!(templates.untold, [("102".to_owned(), at(5_100))]);
    }

    #[test]
    fn what_was_not_told_is_told_with_the_next_job() {
        let mut templates = Templates::default();
        read(&mut templates, 2, at(1_000));
        assert_eq!(templates.unfit(&job(1), "102", at(5_000)), None);
        let told = std::mem::take(&mut templates.untold);
        templates.forget(&told);
        assert_eq!(templates.unfit(&job(1), "102", at(5_001)), None);
        assert_eq!(templates.untold, told);
    }
}
