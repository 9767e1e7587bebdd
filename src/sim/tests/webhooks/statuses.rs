//! What the statuses say, and of which messages.

use super::{Client, Receiver, all, at_once, changes, send_to_many, start, template, text};
use crate::sim::{FailedShare, Fault, SimConfig, WebhookConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn each_status_has_the_shape_that_meta_gives_it() {
    let receiver = Receiver::start().await;
    let sim = start(WebhookConfig { most_in_one_post: 1, ..at_once(&receiver) }).await;
    let ids = send_to_many(&sim, 1).await;
    sim.webhooks_settled().await;
    let mut bodies = receiver.bodies();
    // Posts on different connections overtake each other, as Meta's do.
    let place = |body: &Value| {
        let word = &body["entry"][0]["changes"][0]["value"]["statuses"][0]["status"];
        ["sent", "delivered", "read"].iter().position(|known| word == known)
    };
    bodies.sort_by_key(place);
    let words: Vec<_> = all(&bodies, "statuses").map(|status| status["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["sent", "delivered", "read"]);
    for (body, word) in bodies.iter().zip(words) {
        let status = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
        let timestamp: u64 = status["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(timestamp.abs_diff(sim.oracle().accepted_entries()[0].unix_ms / 1_000) <= 60, "{timestamp}");
        let mut expected = json!({
            "id": ids[0], "status": word, "timestamp": timestamp.to_string(), "recipient_id": "447700900000",
            "biz_opaque_callback_data": "job-0:1",
        });
        if let Some(pricing) = status.get("pricing") {
            let service = json!({ "billable": true, "pricing_model": "PMP", "type": "regular", "category": "service" });
            assert_eq!(pricing, &service);
            expected["pricing"] = pricing.clone();
        }
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550001001", "phone_number_id": "1001" },
            "contacts": [{ "profile": { "name": "Simulated Customer" }, "wa_id": "447700900000" }],
            "statuses": [expected],
        });
        let changes = json!([{ "field": "messages", "value": value }]);
        let entry = json!([{ "id": "2001", "changes": changes }]);
        assert_eq!(body, &json!({ "object": "whatsapp_business_account", "entry": entry }));
    }
    let priced: Vec<bool> = all(&bodies, "statuses").map(|status| status.get("pricing").is_some()).collect();
    assert!(priced[0] && (priced[1] != priced[2]), "on sent, and on one of the others: {priced:?}");
}

#[tokio::test]
async fn what_fails_says_why_and_nothing_else_comes_of_it() {
    let receiver = Receiver::start().await;
    let failed = FailedShare { recipient_suffix: Some("1".to_owned()), ..FailedShare::of(131_026, 1.0) };
    let sim = start(WebhookConfig { failed: vec![failed], ..at_once(&receiver) }).await;
    let ids = send_to_many(&sim, 2).await;
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let of_second: Vec<&Value> = all(&bodies, "statuses").filter(|status| status["id"] == ids[1]).collect();
    assert_eq!(of_second.len(), 1);
    assert_eq!(of_second[0]["status"], "failed");
    assert_eq!(of_second[0]["errors"][0]["code"], 131_026);
    assert_eq!(of_second[0]["errors"][0]["title"], "Message undeliverable");
    assert!(of_second[0]["errors"][0]["error_data"]["details"].is_string());
    assert_eq!(of_second[0].get("pricing"), None);
    let change = changes(&bodies).find(|change| change["value"]["statuses"][0]["id"] == ids[1]).unwrap();
    assert_eq!(change["value"].get("contacts"), None);
    assert_eq!(all(&bodies, "statuses").filter(|status| status["id"] == ids[0]).count(), 3);
}

#[tokio::test]
async fn failures_are_changed_while_it_runs() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    let odd = super::call(&sim, "PUT", "/_sim/webhooks/failed", r#"[{"code":131049,"share":2}]"#).await;
    assert_eq!(odd.status, 400);
    let failed = r#"[{"code":131049,"number":"1001"}]"#;
    assert_eq!(super::call(&sim, "PUT", "/_sim/webhooks/failed", failed).await.status, 204);
    send_to_many(&sim, 2).await;
    sim.webhooks_settled().await;
    sim.set_webhook_failures(Vec::new());
    let mut client = Client::connect(sim.address()).await;
    client.send("1001", &text("+447700900009", "x")).await.unwrap();
    sim.webhooks_settled().await;
    let planned = sim.webhook_counts().planned;
    assert_eq!((planned["failed"], planned["sent"]), (1, 2));
}

#[tokio::test]
async fn a_message_that_is_read_at_once_is_never_delivered_and_priced_when_it_is_read() {
    let receiver = Receiver::start().await;
    let sim = start(WebhookConfig { only_read_share: 1.0, ..at_once(&receiver) }).await;
    send_to_many(&sim, 1).await;
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let told: Vec<_> =
        all(&bodies, "statuses").map(|status| (&status["status"], &status["pricing"]["category"])).collect();
    assert_eq!(told, [(&json!("sent"), &json!("service")), (&json!("read"), &json!("service"))]);
}

#[tokio::test]
async fn a_message_whose_answer_was_cut_is_told_of_and_a_refused_one_is_not() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    sim.set_faults(vec!["first=1,cut_after".parse::<Fault>().unwrap()]);
    let mut client = Client::connect(sim.address()).await;
    client.send("1001", &text("+447700900001", "cut:1")).await.unwrap_err();
    let mut client = Client::connect(sim.address()).await;
    assert_eq!(client.send("1001", &text("nobody", "refused:1")).await.unwrap().status, 400);
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let callbacks: Vec<_> = all(&bodies, "statuses").map(|status| &status["biz_opaque_callback_data"]).collect();
    assert_eq!(callbacks, ["cut:1", "cut:1", "cut:1"]);
    let wamid = sim.oracle().accepted_entries()[0].wamid.clone().unwrap();
    assert!(all(&bodies, "statuses").all(|status| status["id"] == wamid));
}

#[tokio::test]
async fn the_price_follows_the_category_and_the_endpoint() {
    let receiver = Receiver::start().await;
    let webhooks = WebhookConfig { service_is_free: true, ..at_once(&receiver) };
    let templates = serde_json::from_value(json!([
        { "name": "sale", "category": "MARKETING" }, { "name": "code", "category": "AUTHENTICATION" },
    ]));
    let config = SimConfig { templates: templates.unwrap(), webhooks: Some(webhooks), ..super::super::two_numbers() };
    let sim = crate::sim::Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for (n, body) in [template("+447700900001", "sale"), template("+447700900002", "code")].iter().enumerate() {
        assert_eq!(client.send("1001", body).await.unwrap().status, 200, "{n}");
    }
    client.send("1001", &text("+447700900003", "x")).await.unwrap();
    let mut lite = template("+447700900004", "sale");
    lite["recipient_type"] = "individual".into();
    let path = "/v23.0/1001/marketing_messages";
    assert_eq!(super::call(&sim, "POST", path, &lite.to_string()).await.status, 200);
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let sent = all(&bodies, "statuses").filter(|status| status["status"] == "sent");
    let prices: BTreeMap<&str, (&Value, &Value)> = sent
        .map(|status| {
            let pricing = &status["pricing"];
            (status["recipient_id"].as_str().unwrap(), (&pricing["category"], &pricing["type"]))
        })
        .collect();
    let expected = [
        ("447700900001", "marketing", "regular"),
        ("447700900002", "authentication", "regular"),
        ("447700900003", "service", "free_customer_service"),
        ("447700900004", "marketing_lite", "regular"),
    ];
    for (recipient, category, kind) in expected {
        assert_eq!((prices[recipient].0, prices[recipient].1), (&json!(category), &json!(kind)), "{recipient}");
    }
}

#[tokio::test]
async fn shares_decide_who_is_delivered_and_who_reads() {
    let receiver = Receiver::start().await;
    let webhooks = WebhookConfig { delivered_share: 0.5, read_share: 0.5, ..at_once(&receiver) };
    let sim = start(webhooks).await;
    send_to_many(&sim, 100).await;
    sim.webhooks_settled().await;
    let planned = sim.webhook_counts().planned;
    assert_eq!(planned["sent"], 100);
    assert!((30..70).contains(&planned["delivered"]), "{planned:?}");
    assert!((10..45).contains(&planned["read"]), "{planned:?}");
}
