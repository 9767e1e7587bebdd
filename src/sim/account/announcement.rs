//! The bodies of events: what stands under `value`.

use super::event::{AlertSeverity, BanState, LimitForm, Restriction};
use crate::sim::reads::tier;
use crate::sim::template_spec::TemplateSpec;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// A template in the words that all events of templates share; its language as `en-US` here.
pub(super) fn template(id: u64, template: &TemplateSpec) -> Value {
    json!({
        "message_template_id": id,
        "message_template_name": template.name,
        "message_template_language": template.language.replace('_', "-"),
    })
}

/// `message_template_status_update`; `title` is what happened in particular.
pub(super) fn template_status(id: u64, spec: &TemplateSpec, event: &str, title: &str) -> Value {
    let mut value = template(id, spec);
    value["event"] = event.into();
    value["reason"] = "NONE".into();
    value["message_template_category"] = json!(spec.category);
    value["other_info"] = json!({ "title": title, "description": "As the simulator was told." });
    value
}

/// How a limit is written.
pub(super) fn limit(limit: Option<u32>, form: LimitForm) -> Value {
    let integer = limit.map_or(-1, i64::from);
    match form {
        LimitForm::Tier => tier(limit).into(),
        LimitForm::Integer => integer.into(),
        LimitForm::Text => integer.to_string().into(),
    }
}

/// `account_update` of a restriction that ends at this wall clock second, if it ends.
pub(super) fn restriction(restriction: Restriction, until_s: Option<u64>) -> Value {
    let mut info = json!({ "restriction_type": restriction });
    if let Some(until_s) = until_s {
        info["expiration"] = until_s.into();
    }
    json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [info] })
}

/// `account_update` of a ban.
pub(super) fn ban(state: BanState, now_s: u64) -> Value {
    json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state, "waba_ban_date": date(now_s) } })
}

/// `account_alerts`.
pub(super) fn alert(waba: &str, severity: AlertSeverity, kind: &str, description: &str) -> Value {
    let info = json!({
        "alert_severity": severity, "alert_status": "ACTIVE", "alert_type": kind, "alert_description": description,
    });
    json!({ "entity_type": "BUSINESS", "entity_id": waba, "alert_info": info })
}

/// A day as Meta writes it: `April 17, 2025`.
fn date(unix_s: u64) -> String {
    let moment = i64::try_from(unix_s).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).strftime("%B %-d, %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_in_every_form_that_was_seen() {
        assert_eq!(limit(Some(2_000), LimitForm::Tier), "TIER_2K");
        assert_eq!(limit(Some(2_000), LimitForm::Integer), 2_000);
        assert_eq!(limit(None, LimitForm::Integer), -1);
        assert_eq!(limit(None, LimitForm::Tier), "TIER_UNLIMITED");
        assert_eq!(limit(Some(250), LimitForm::Text), "250");
    }

    #[test]
    fn a_day_is_written_as_meta_does() {
        assert_eq!(date(1_744_848_000), "April 17, 2025");
    }
}
