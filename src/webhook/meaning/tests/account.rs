//! What Meta says of numbers, templates and accounts.

use super::*;

#[test]
fn numbers_change_their_fields() {
    let number = "number 106540352242922";
    for (name, expected, topic) in [
        (
            "quality_flagged",
            vec![
                ("portfolio ", json!({"messaging_limit": 1_000})),
                (
                    number,
                    json!({"status": "FLAGGED", "quality_rating": "RED",
                        "whatsapp_business_manager_messaging_limit": "TIER_1K"}),
                ),
            ],
            "number.flagged",
        ),
        (
            "quality_unflagged_new",
            vec![
                ("portfolio ", json!({"messaging_limit": 2_000})),
                (
                    number,
                    json!({"status": "CONNECTED", "quality_rating": "UNKNOWN",
                        "whatsapp_business_manager_messaging_limit": "TIER_2K"}),
                ),
            ],
            "number.unflagged",
        ),
        (
            "quality_throughput_upgrade",
            vec![
                ("portfolio ", json!({"messaging_limit": "unlimited"})),
                (
                    number,
                    json!({"throughput": {"level": "HIGH"},
                        "whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED"}),
                ),
            ],
            "number.throughput_upgrade",
        ),
        ("name", vec![(number, json!({"name_status": "APPROVED", "verified_name": "Lucky Shrub"}))], "number.name"),
    ] {
        let meaning = says(&format!("reference/{name}"));
        let expected: Vec<_> = expected.into_iter().map(|(thing, fields)| (thing.to_owned(), fields)).collect();
        assert_eq!(fields(&meaning), expected, "{name}");
        assert_eq!(topics(&meaning), [topic]);
        assert_eq!(meaning.updates, [Update::Number]);
    }
    let stranger = World { names: Names::default(), ..World::new() }.says(&body("reference/quality_flagged"));
    assert_eq!(stranger.updates, [Update::Strange]);
    assert_eq!(stranger.news.strange[0].field, "phone_number_quality_update");
    assert_eq!(topics(&says("reference/errors")), ["number.error"]);
}

#[test]
fn a_limit_is_the_portfolio_s_in_every_form() {
    for (name, expected) in [
        ("capability_tier", json!(10_000)),
        ("capability_integer", json!(2_000)),
        ("capability_unlimited", json!("unlimited")),
    ] {
        let meaning = says(&format!("reference/{name}"));
        assert_eq!(fields(&meaning), [("portfolio ".to_owned(), json!({"messaging_limit": expected}))], "{name}");
        assert_eq!(topics(&meaning), ["account.messaging_limit"]);
    }
    let world = World { portfolios: [("102290129340398".to_owned(), "55".to_owned())].into(), ..World::new() };
    for name in ["reference/capability_tier", "reference/quality_flagged"] {
        let told = world.says(&body(name)).news.fields.remove(0);
        assert_eq!((told.kind.as_str(), told.id.as_str()), ("portfolio", "55"), "that of the account it came for");
    }
}

#[test]
fn a_template_stops_and_goes_by_its_webhooks() {
    let template = "template order_confirmation/en_US";
    for (event, title, expected, status) in [
        ("PAUSED", "FIRST_PAUSE", Some("wait template_paused"), Some("PAUSED")),
        ("LOCKED", "RATE_LIMITING_PAUSE", Some("wait template_paused"), Some("PAUSED")),
        ("APPROVED", "UNPAUSE", Some("lift"), Some("APPROVED")),
        ("REINSTATED", "", Some("lift"), Some("APPROVED")),
        ("DISABLED", "", Some("end template_disabled"), Some("DISABLED")),
        ("DELETED", "", Some("end template_missing"), Some("DELETED")),
        ("PENDING_DELETION", "", Some("end template_missing"), Some("PENDING_DELETION")),
        ("REJECTED", "", Some("end template_policy"), Some("REJECTED")),
        ("FLAGGED", "", None, None),
        ("PENDING", "", None, Some("PENDING")),
    ] {
        let value = json!({"event": event, "message_template_id": 7, "message_template_name": "order_confirmation",
            "message_template_language": "en-US", "other_info": {"title": title}});
        let meaning = World::new().says(&told("message_template_status_update", &value, NOW.as_millis() / 1_000));
        let expected: Vec<String> = expected.iter().map(|what| format!("{template}: {what}")).collect();
        assert_eq!(holds(&meaning), expected, "{event} {title}");
        let (thing, fields) = fields(&meaning).remove(0);
        assert_eq!((thing.as_str(), fields.get("status").and_then(Value::as_str)), (template, status), "{event}");
        let is_to_be_read = matches!(status, Some("APPROVED" | "PENDING"));
        assert_eq!(fields.get("needs"), is_to_be_read.then(|| json!({})).as_ref(), "{event}: it may have been edited");
        assert_eq!(topics(&meaning), [format!("template.{}", event.to_lowercase())]);
    }
}

#[test]
fn what_was_told_before_a_newer_word_of_a_template_changes_nothing() {
    let id = "order_confirmation/en_US".to_owned();
    let told_at = Timestamp::from_millis(1_751_247_549_000);
    let world = World { templates: HashMap::from([(id, told_at)]), ..World::new() };
    let meaning = world.says(&body("reference/template_disabled"));
    assert!(meaning.news.holds.is_empty() && fields(&meaning).is_empty(), "{meaning:?}");
    let newer = World { templates: HashMap::new(), ..World::new() }.says(&body("reference/template_disabled"));
    assert_eq!(newer.news.holds.len(), 1);
    let row = |fields: &Value| crate::ledger::FleetRow {
        kind: "template".to_owned(),
        id: "order_confirmation/en_US".to_owned(),
        parent: String::new(),
        fields: fields.to_string(),
        read_at: NOW,
    };
    let rows = [row(&Value::Object(newer.news.fields[0].fields.clone()))];
    assert_eq!(template_times(&rows)["order_confirmation/en_US"], Timestamp::from_millis(1_751_247_548_000));
    assert!(template_times(&[row(&json!({"status": "APPROVED"}))]).is_empty());
}

#[test]
fn a_template_s_marks_and_category_are_noted() {
    for (name, topic, expected) in [
        ("template_quality", "template.quality", json!({"quality_score": {"score": "YELLOW"}})),
        ("template_category_done", "template.category", json!({"category": "MARKETING"})),
        (
            "template_category_impending",
            "template.category_impending",
            json!({"correct_category": "MARKETING", "category_update_at": "2025-07-01T01:39:08.000Z"}),
        ),
    ] {
        let meaning = says(&format!("reference/{name}"));
        assert_eq!(fields(&meaning), [("template order_confirmation/en_US".to_owned(), expected)], "{name}");
        assert_eq!(topics(&meaning), [topic]);
        assert!(meaning.news.holds.is_empty());
    }
}

#[test]
fn an_account_closes_and_opens() {
    let waba = "waba 102290129340398";
    let seconds = NOW.as_millis() / 1_000;
    let restricted = |kind: &str| {
        json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": [
        {"restriction_type": kind, "expiration": seconds + 60}, {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION"}]})
    };
    let ban = |state: &str| json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}});
    let cases = [
        (
            restricted("RESTRICTED_BIZ_INITIATED_MESSAGING"),
            ["marketing", "utility", "authentication"]
                .map(|of| format!("{waba} {of}: wait account_restricted"))
                .to_vec(),
        ),
        (
            restricted("RESTRICTED_CUSTOMER_INITIATED_MESSAGING"),
            vec![format!("{waba} service: wait account_restricted")],
        ),
        (ban("DISABLE"), vec![format!("{waba}: wait account_locked")]),
        (ban("REINSTATE"), vec![format!("{waba}: lift")]),
        (ban("SCHEDULE_FOR_DISABLE"), vec![]),
        (json!({"event": "ACCOUNT_DELETED"}), vec![format!("{waba}: wait account_locked")]),
        (json!({"event": "ACCOUNT_OFFBOARDED"}), vec![format!("{waba}: wait permission")]),
        (json!({"event": "ACCOUNT_RECONNECTED"}), vec![format!("{waba}: lift")]),
        (json!({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "ADULT"}}), vec![]),
    ];
    for (value, expected) in cases {
        let meaning = World::new().says(&told("account_update", &value, seconds));
        assert_eq!(holds(&meaning), expected, "{value}");
        let word = value["event"].as_str().expect("a word").to_lowercase();
        assert_eq!(topics(&meaning), [format!("account.{word}")]);
    }
    let until =
        World::new().says(&told("account_update", &restricted("RESTRICTED_CUSTOMER_INITIATED_MESSAGING"), seconds));
    assert_eq!(order(&until).until, Some(Timestamp::from_millis((seconds + 60) * 1_000)));
    // Its end came before it was told.
    assert!(says("account_update/account_restriction").news.holds.is_empty());
    assert_eq!(topics(&says("reference/alert")), ["account.alert"]);
}
