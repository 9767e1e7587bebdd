//! What news of a template mean: whether it may be sent.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Known;
use super::draft::{Draft, fields};
use super::event::{self, About};
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::ledger::{FieldsNews, FleetRow};
use crate::metrics::Update;
use crate::outcome::Reason;
use crate::webhook::notice::{Change, TemplateEvent, TemplateNews, Turn};

/// The field of ours that says when Meta told of the status.
const STATUS_AT: &str = "status_at";
/// What a template that may be sent again was held for.
const CLOSED: &[Reason] =
    &[Reason::TemplatePaused, Reason::TemplatePolicy, Reason::TemplateDisabled, Reason::TemplateMissing];

/// When Meta told of each template's status, from what is kept of templates.
pub fn times(rows: &[FleetRow]) -> HashMap<String, Timestamp> {
    let time = |row: &FleetRow| {
        let fields: Value = serde_json::from_str(&row.fields).ok()?;
        Some((row.id.clone(), Timestamp::from_millis(fields.get(STATUS_AT)?.as_i64()?)))
    };
    rows.iter().filter_map(time).collect()
}

pub(super) fn change(change: &Change, news: &TemplateNews, known: &Known<'_>, draft: &mut Draft) {
    draft.count(Update::Template);
    let id = news.template().to_string();
    let (topic, fields) = match news {
        TemplateNews::Status { event, turn, category, .. } => {
            // Repeated, or late: a newer word stands.
            let outdated = known.templates.get(&id).is_some_and(|told| *told > change.at);
            let mut told = fields([("category", category.as_deref().map(Value::from))]);
            if !outdated {
                take_turn(&id, *turn, change.at, draft);
                told.extend(fields([
                    ("status", status(*event, *turn).map(Value::from)),
                    (STATUS_AT, Some(json!(change.at.as_millis()))),
                    // It may have been edited: nothing is held against a message before it is read anew.
                    ("needs", (*turn == Turn::Opens || *event == TemplateEvent::Pending).then(|| json!({}))),
                ]));
            }
            (event.as_str().to_ascii_lowercase(), told)
        }
        TemplateNews::Quality { score, .. } => {
            ("quality".to_owned(), fields([("quality_score", Some(json!({"score": score})))]))
        }
        TemplateNews::Category { category, from: None, .. } => {
            ("category".to_owned(), fields([("category", Some(json!(category)))]))
        }
        TemplateNews::Category { category, from: Some(from), .. } => {
            let told =
                [("correct_category", Some(json!(category))), ("category_update_at", Some(json!(from.to_string())))];
            ("category_impending".to_owned(), fields(told))
        }
    };
    if !fields.is_empty() {
        let (kind, parent) = ("template".to_owned(), change.waba.to_string());
        draft.fields(FieldsNews { kind, id: id.clone(), parent, fields, at: change.at });
    }
    let about = About { template: Some(&id), ..About::default() };
    draft.event(event::change(format!("template.{topic}"), change, about));
}

fn take_turn(id: &str, turn: Turn, at: Timestamp, draft: &mut Draft) {
    let cover = Cover::of(Scope::Template, id);
    let (effect, reason, until) = match turn {
        Turn::Stays => return,
        Turn::Opens => return draft.lift(cover, CLOSED),
        // One message tries it then, should the webhook of its end be lost.
        Turn::Pauses { hours } => (Effect::Wait, Reason::TemplatePaused, Some(at + Duration::from_secs(hours * 3_600))),
        Turn::Disables => (Effect::End, Reason::TemplateDisabled, None),
        Turn::Removes => (Effect::End, Reason::TemplateMissing, None),
        Turn::Rejects => (Effect::End, Reason::TemplatePolicy, None),
    };
    let who = "webhook:message_template_status_update".to_owned();
    draft.place(HoldOrder { cover, effect, reason, who, until, probe: until.is_some() });
}

/// In the words of Meta's reads; none where the event says nothing of it.
fn status(event: TemplateEvent, turn: Turn) -> Option<&'static str> {
    match turn {
        Turn::Opens => Some("APPROVED"),
        Turn::Pauses { .. } => Some("PAUSED"),
        Turn::Disables => Some("DISABLED"),
        Turn::Removes | Turn::Rejects => Some(event.as_str()),
        Turn::Stays => match event {
            TemplateEvent::Archived | TemplateEvent::InAppeal | TemplateEvent::Pending => Some(event.as_str()),
            TemplateEvent::Approved
            | TemplateEvent::Unarchived
            | TemplateEvent::Deleted
            | TemplateEvent::Disabled
            | TemplateEvent::Flagged
            | TemplateEvent::LimitExceeded
            | TemplateEvent::Locked
            | TemplateEvent::Paused
            | TemplateEvent::Reinstated
            | TemplateEvent::PendingDeletion
            | TemplateEvent::Rejected
            | TemplateEvent::Unpaused => None,
        },
    }
}
