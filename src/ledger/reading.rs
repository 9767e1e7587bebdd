//! When an account's templates were read, and whether a worker doubts that they still are so: a row of the fleet.
//!
//! A doubt names the reading that it doubts. So a reading is doubted once, by however many workers and jobs, and one
//! that came meanwhile answers the doubt, whatever anybody's clock says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FieldsNews, FleetRow};
use crate::clock::Timestamp;

/// The kind under which these readings lie.
pub const READING: &str = "template_reading";

/// The latest reading of an account's templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateReading {
    /// When it was asked for; 1970 if nobody knows.
    #[serde(rename = "read_at")]
    pub at: Timestamp,
    /// The one that was doubted last.
    pub doubted: Option<Timestamp>,
}

impl TemplateReading {
    /// Of a row of this kind.
    pub fn of(row: &FleetRow) -> Self {
        serde_json::from_str(&row.fields).unwrap_or_default()
    }

    /// Whether somebody doubts this one.
    pub fn is_doubted(&self) -> bool {
        self.doubted.is_some_and(|doubted| doubted >= self.at)
    }
}

impl FieldsNews {
    /// The templates of this account were asked for at this moment, and are known since.
    pub fn templates_read(waba: &str, at: Timestamp) -> Self {
        news(waba, ("read_at", at), at)
    }

    /// What was read of this account's templates at this moment may no longer be so.
    pub fn templates_doubted(waba: &str, read_at: Timestamp, now: Timestamp) -> Self {
        news(waba, ("doubted", read_at), now)
    }
}

fn news(waba: &str, (field, moment): (&str, Timestamp), at: Timestamp) -> FieldsNews {
    FieldsNews {
        kind: READING.to_owned(),
        id: waba.to_owned(),
        parent: waba.to_owned(),
        fields: [(field.to_owned(), Value::from(moment.as_millis()))].into_iter().collect(),
        at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn a_newer_reading_answers_a_doubt() {
        let at = Timestamp::from_millis;
        let merged = |news: &[FieldsNews]| {
            let fields: Map<String, Value> = news.iter().flat_map(|news| news.fields.clone()).collect();
            let fields = json!(fields).to_string();
            let (kind, id) = (READING.to_owned(), "102".to_owned());
            TemplateReading::of(&FleetRow { kind, id, parent: String::new(), fields, read_at: at(0) })
        };
        let [read, doubted] = [at(1_000), at(2_000)].map(|moment| FieldsNews::templates_read("102", moment));
        let doubt = FieldsNews::templates_doubted("102", at(1_000), at(9_000));
        assert_eq!(merged(&[]), TemplateReading::default());
        assert!(!merged(std::slice::from_ref(&read)).is_doubted());
        assert!(merged(&[read, doubt.clone()]).is_doubted());
        assert!(!merged(&[doubted, doubt]).is_doubted(), "of one that is no longer the latest");
        let never = FieldsNews::templates_doubted("102", at(0), at(9_000));
        assert!(merged(&[never]).is_doubted(), "none was noted yet");
    }
}
