//! What news of a number mean: its fields change before they are read the next time.

use serde_json::{Value, json};

use super::Known;
use super::draft::{Draft, fields};
use super::event::{self, About};
use crate::ledger::{FieldsNews, PORTFOLIO};
use crate::metrics::Update;
use crate::webhook::notice::{Change, MessagingLimit, NumberNews, QualityEvent, Trouble};

pub(super) fn change(change: &Change, news: &NumberNews, known: &Known<'_>, draft: &mut Draft) {
    let Some(id) = known.names.id(news.display()) else {
        draft.strange(change.field.clone(), change.value.get().to_owned());
        return;
    };
    draft.count(Update::Number);
    let (topic, fields) = match news {
        NumberNews::Quality { event, limit, .. } => {
            if let Some(limit) = limit.as_deref().and_then(MessagingLimit::parse) {
                draft.fields(portfolio(change, limit, known));
            }
            (event.as_str().to_ascii_lowercase(), quality(*event, limit.as_deref()))
        }
        NumberNews::Name { decision, name, .. } => {
            let name = name.as_ref().filter(|_| decision == "APPROVED");
            let told = [("name_status", Some(json!(decision))), ("verified_name", name.map(|name| json!(name)))];
            ("name".to_owned(), fields(told))
        }
    };
    if !fields.is_empty() {
        let (kind, parent) = ("number".to_owned(), change.waba.to_string());
        draft.fields(FieldsNews { kind, id: id.to_string(), parent, fields, at: change.at });
    }
    let about = About { number: Some(id), ..About::default() };
    draft.event(event::change(format!("number.{topic}"), change, about));
}

/// A flagged number has low quality, and one that is no longer flagged has not: which it has, the next read tells.
fn quality(event: QualityEvent, limit: Option<&str>) -> serde_json::Map<String, Value> {
    let (status, rating, throughput) = match event {
        QualityEvent::Flagged => (Some("FLAGGED"), Some("RED"), None),
        QualityEvent::Unflagged => (Some("CONNECTED"), Some("UNKNOWN"), None),
        QualityEvent::ThroughputUpgrade => (None, None, Some(json!({"level": "HIGH"}))),
        QualityEvent::Onboarding | QualityEvent::Upgrade | QualityEvent::Downgrade => (None, None, None),
    };
    fields([
        ("status", status.map(Value::from)),
        ("quality_rating", rating.map(Value::from)),
        ("throughput", throughput),
        ("whatsapp_business_manager_messaging_limit", limit.map(Value::from)),
    ])
}

/// The limit is the portfolio's, whichever of its numbers it is told of. Where nobody knows whose the account is, it is
/// that of the portfolio without a name, like what its numbers send.
pub(super) fn portfolio(change: &Change, limit: MessagingLimit, known: &Known<'_>) -> FieldsNews {
    let limit = match limit {
        MessagingLimit::Of(count) => json!(count),
        MessagingLimit::Unlimited => json!("unlimited"),
    };
    FieldsNews {
        kind: PORTFOLIO.to_owned(),
        id: known.portfolios.get(&*change.waba).cloned().unwrap_or_default(),
        parent: String::new(),
        fields: fields([("messaging_limit", Some(limit))]),
        at: change.at,
    }
}

/// Meta could not tell us something: nothing follows from it, but somebody should know.
pub(super) fn trouble(trouble: &Trouble, draft: &mut Draft) {
    draft.count(Update::Number);
    draft.event(event::trouble(trouble));
}
