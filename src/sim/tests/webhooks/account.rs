//! The account talks: each event changes the simulated state, and is announced.

use super::{Client, Receiver, all, at_once, call, changes, start, template, text};
use crate::sim::{AccountEvent, EventError, LimitForm, Sim, SimConfig, WebhookConfig};
use serde_json::{Value, json};

/// A simulator and the receiver of its webhooks.
struct Desk {
    receiver: Receiver,
    sim: Sim,
}

impl Desk {
    async fn new() -> Self {
        let receiver = Receiver::start().await;
        let sim = start(at_once(&receiver)).await;
        Self { receiver, sim }
    }

    /// Makes an event happen by HTTP; gives the changes that were told because of it.
    async fn announce(&self, event: Value) -> Vec<Value> {
        let before = self.told().len();
        let got = call(&self.sim, "POST", "/_sim/events", &event.to_string()).await;
        assert_eq!(got.status, 204, "{}", String::from_utf8_lossy(&got.body));
        self.sim.webhooks_settled().await;
        self.told().split_off(before)
    }

    /// All changes so far but those about messages.
    fn told(&self) -> Vec<Value> {
        let bodies = self.receiver.bodies();
        changes(&bodies).filter(|change| change["field"] != "messages").cloned().collect()
    }

    /// What a read of this id shows in this field.
    async fn shown(&self, id: &str, field: &str) -> Value {
        call(&self.sim, "GET", &format!("/v23.0/{id}?fields={field}"), "").await.json()[field].clone()
    }

    /// The code that a message is refused with; 0 if it is accepted.
    async fn code(&self, message: &Value) -> u64 {
        let got = Client::connect(self.sim.address()).await.send("1001", message).await.unwrap();
        if got.status == 200 { 0 } else { got.code() }
    }
}

#[tokio::test]
async fn a_template_is_paused_freed_and_disabled() {
    let desk = Desk::new().await;
    let sale = template("+447700900001", "sale");
    let paused = desk.announce(json!({ "event": "template_paused", "name": "sale", "pause": "SECOND_PAUSE" })).await;
    let told = |event: &str, title: &str| {
        json!({
            "event": event, "message_template_id": 9_000_000, "message_template_name": "sale",
            "message_template_language": "en-US", "reason": "NONE", "message_template_category": "UTILITY",
            "other_info": { "title": title, "description": "As the simulator was told." },
        })
    };
    let field = "message_template_status_update";
    assert_eq!(paused, [json!({ "field": field, "value": told("PAUSED", "SECOND_PAUSE") })]);
    assert_eq!(desk.code(&sale).await, 132_015);
    let entry = &desk.receiver.bodies()[0]["entry"][0];
    assert_eq!(entry["id"], "2001");
    assert!(entry["time"].is_u64());
    let freed = desk.announce(json!({ "event": "template_unpaused", "name": "sale" })).await;
    assert_eq!(freed, [json!({ "field": field, "value": told("APPROVED", "UNPAUSE") })]);
    assert_eq!(desk.code(&sale).await, 0);
    let disabled = desk.announce(json!({ "event": "template_disabled", "name": "sale", "language": "en-US" })).await;
    assert_eq!(disabled[0]["value"]["event"], "DISABLED");
    assert!(disabled[0]["value"]["disable_info"]["disable_date"].is_u64());
    assert_eq!(desk.code(&sale).await, 132_016);
}

#[tokio::test]
async fn the_library_pauses_templates_too() {
    let desk = Desk::new().await;
    let sale = template("+447700900001", "sale");
    desk.sim.pause_template("sale");
    assert_eq!(desk.code(&sale).await, 132_015);
    desk.sim.unpause_template("sale");
    desk.sim.disable_template("sale");
    assert_eq!(desk.code(&sale).await, 132_016);
    desk.sim.webhooks_settled().await;
    assert_eq!(desk.sim.webhook_counts().acknowledged_updates["message_template_status_update"], 3);
    // Without webhooks, the state changes all the same.
    let mute = Sim::start(super::super::two_numbers()).await.unwrap();
    mute.pause_template("sale");
    let mut client = Client::connect(mute.address()).await;
    assert_eq!(client.send("1001", &sale).await.unwrap().code(), 132_015);
}

#[tokio::test]
async fn a_template_changes_its_quality_and_its_category() {
    let desk = Desk::new().await;
    let quality = desk.announce(json!({ "event": "template_quality", "name": "sale", "quality": "RED" })).await;
    let value = &quality[0]["value"];
    assert_eq!(quality[0]["field"], "message_template_quality_update");
    assert_eq!((&value["previous_quality_score"], &value["new_quality_score"]), (&json!("GREEN"), &json!("RED")));
    let soon = json!({ "event": "template_category", "name": "sale", "category": "MARKETING", "impending": true });
    let impending = desk.announce(soon.clone()).await;
    let value = &impending[0]["value"];
    assert_eq!(impending[0]["field"], "template_category_update");
    assert_eq!((&value["new_category"], &value["correct_category"]), (&json!("UTILITY"), &json!("MARKETING")));
    assert!(value["category_update_timestamp"].is_u64());
    let mut now = soon;
    now["impending"] = false.into();
    let done = desk.announce(now).await;
    let value = &done[0]["value"];
    assert_eq!((&value["previous_category"], &value["new_category"]), (&json!("UTILITY"), &json!("MARKETING")));
    let listed = call(&desk.sim, "GET", "/v23.0/2001/message_templates?fields=category,quality_score", "").await.json();
    assert_eq!(listed["data"][0]["category"], "MARKETING");
    assert_eq!(listed["data"][0]["quality_score"]["score"], "RED");
}

#[tokio::test]
async fn a_number_changes_its_quality_its_throughput_and_its_name() {
    let desk = Desk::new().await;
    let flagged = desk.announce(json!({ "event": "number_quality", "number": "1001", "quality": "RED" })).await;
    assert_eq!(flagged[0]["field"], "phone_number_quality_update");
    let value = json!({
        "display_phone_number": "15550001001", "event": "FLAGGED", "current_limit": "TIER_UNLIMITED",
        "max_daily_conversations_per_business": "TIER_UNLIMITED",
    });
    assert_eq!(flagged[0]["value"], value);
    assert_eq!(desk.shown("1001", "quality_rating").await, "RED");
    let upgraded = desk.announce(json!({ "event": "number_quality", "number": "1001", "level": "HIGH" })).await;
    assert_eq!(upgraded[0]["value"]["event"], "THROUGHPUT_UPGRADE");
    assert_eq!(desk.shown("1001", "throughput").await["level"], "HIGH");
    let name = json!({ "event": "number_name", "number": "1001", "name": "Acme", "decision": "APPROVED" });
    let named = desk.announce(name).await;
    assert_eq!(named[0]["field"], "phone_number_name_update");
    let (decision, name) = (&named[0]["value"]["decision"], &named[0]["value"]["requested_verified_name"]);
    assert_eq!((decision, name), (&json!("APPROVED"), &json!("Acme")));
    assert_eq!(desk.shown("1001", "verified_name").await, "Acme");
}

#[tokio::test]
async fn the_messaging_limit_is_told_to_every_account_in_the_form_that_is_wanted() {
    let desk = Desk::new().await;
    for (event, told) in [
        (json!({ "event": "messaging_limit", "limit": 2_000 }), json!("TIER_2K")),
        (json!({ "event": "messaging_limit", "limit": 250, "form": "integer" }), json!(250)),
        (json!({ "event": "messaging_limit", "limit": null, "form": "integer" }), json!(-1)),
    ] {
        let changes = desk.announce(event).await;
        assert_eq!(changes.len(), 2);
        assert!(changes.iter().all(|change| change["field"] == "business_capability_update"
            && change["value"]["max_daily_conversations_per_business"] == told));
    }
    desk.sim.announce(&AccountEvent::MessagingLimit { limit: Some(250), form: LimitForm::Tier }).unwrap();
    assert_eq!(desk.shown("1002", "whatsapp_business_manager_messaging_limit").await, "TIER_250");
}

#[tokio::test]
async fn an_account_is_restricted_banned_and_reinstated() {
    let desk = Desk::new().await;
    let (free, sale) = (text("+447700900001", "x"), template("+447700900002", "sale"));
    let restricted = json!({
        "event": "account_restricted", "restriction": "RESTRICTED_BIZ_INITIATED_MESSAGING", "seconds": 3_600,
    });
    let told = desk.announce(restricted).await;
    assert_eq!(
        (&told[0]["field"], &told[0]["value"]["event"]),
        (&json!("account_update"), &json!("ACCOUNT_RESTRICTION"))
    );
    let info = &told[0]["value"]["restriction_info"][0];
    assert_eq!(info["restriction_type"], "RESTRICTED_BIZ_INITIATED_MESSAGING");
    let time = desk.receiver.bodies()[0]["entry"][0]["time"].as_u64().unwrap();
    assert!((3_600..3_605).contains(&(info["expiration"].as_u64().unwrap() - time)));
    assert_eq!((desk.code(&free).await, desk.code(&sale).await), (0, 368));
    let banned = desk.announce(json!({ "event": "account_ban", "state": "DISABLE", "waba": "2001" })).await;
    assert_eq!(banned[0]["value"]["event"], "DISABLED_UPDATE");
    assert_eq!(banned[0]["value"]["ban_info"]["waba_ban_state"], "DISABLE");
    assert!(banned[0]["value"]["ban_info"]["waba_ban_date"].as_str().unwrap().contains(", 20"));
    let free = text("+447700900003", "x");
    assert_eq!((desk.code(&free).await, desk.code(&sale).await), (131_031, 131_031));
    desk.announce(json!({ "event": "account_ban", "state": "REINSTATE" })).await;
    assert_eq!((desk.code(&free).await, desk.code(&sale).await), (0, 0));
}

#[tokio::test]
async fn alerts_are_told_and_change_nothing() {
    let desk = Desk::new().await;
    let kind = "INCREASED_CAPABILITIES_ELIGIBILITY_FAILED";
    let told = desk.announce(json!({ "event": "account_alert", "severity": "CRITICAL", "kind": kind })).await;
    assert_eq!(told[0]["field"], "account_alerts");
    assert_eq!(told[0]["value"]["alert_info"]["alert_type"], kind);
    assert_eq!(told[0]["value"]["alert_info"]["alert_severity"], "CRITICAL");
}

#[tokio::test]
async fn marketing_fails_for_those_who_stopped_it_until_they_resume() {
    let receiver = Receiver::start().await;
    let templates = serde_json::from_value(json!([{ "name": "sale", "category": "MARKETING" }])).unwrap();
    let webhooks = Some(WebhookConfig { read_share: 0.0, ..at_once(&receiver) });
    let numbers = super::super::two_numbers();
    let sim = Sim::start(SimConfig { templates, webhooks, pair_limit: false, ..numbers }).await.unwrap();
    let desk = Desk { receiver, sim };
    let preference =
        |value: &str| json!({ "event": "user_preference", "number": "1001", "from": "447700900001", "value": value });
    let told = desk.announce(preference("stop")).await;
    assert_eq!(told[0]["field"], "user_preferences");
    let value = &told[0]["value"];
    assert_eq!(value["metadata"]["phone_number_id"], "1001");
    let said = &value["user_preferences"][0];
    assert_eq!((&said["wa_id"], &said["value"]), (&json!("447700900001"), &json!("stop")));
    assert_eq!(said["category"], "marketing_messages");
    assert!(said["timestamp"].is_u64());
    assert_eq!(desk.code(&template("+447700900001", "sale")).await, 0);
    assert_eq!(desk.code(&template("+447700900001", "notice")).await, 0);
    desk.announce(preference("resume")).await;
    assert_eq!(desk.code(&template("+447700900001", "sale")).await, 0);
    desk.sim.webhooks_settled().await;
    let bodies = desk.receiver.bodies();
    let failed: Vec<_> = all(&bodies, "statuses").filter(|status| status["status"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["errors"][0]["code"], 131_050);
    assert_eq!(all(&bodies, "statuses").filter(|status| status["status"] == "delivered").count(), 2);
}

#[tokio::test]
async fn what_cannot_happen_is_named() {
    let desk = Desk::new().await;
    let nobody = AccountEvent::NumberQuality { number: "7".to_owned(), quality: None, level: None };
    assert_eq!(desk.sim.announce(&nobody), Err(EventError::NoNumber("7".to_owned())));
    for (event, problem) in [
        (json!({ "event": "account_ban", "waba": "7", "state": "DISABLE" }), "there is no account 7"),
        (json!({ "event": "template_paused", "name": "x", "pause": "THIRD" }), "FIRST_PAUSE"),
        (json!({ "event": "earthquake" }), "template_paused"),
    ] {
        let got = call(&desk.sim, "POST", "/_sim/events", &event.to_string()).await;
        assert_eq!(got.status, 400);
        assert!(got.json()["error"].as_str().unwrap().contains(problem), "{}", got.json());
    }
}
