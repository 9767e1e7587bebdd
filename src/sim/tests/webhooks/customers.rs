//! Customers who speak, of themselves or when they are written to.

use super::{Client, Receiver, all, at_once, call, send_to_many, start, template, text};
use crate::sim::{AnswerShares, Inbound, SayError, Sim, SimConfig, WebhookConfig};
use serde_json::{Value, json};

#[tokio::test]
async fn a_customer_says_all_kinds_of_things() {
    let receiver = Receiver::start().await;
    let sim = start(WebhookConfig { most_in_one_post: 1, concurrency: 1, ..at_once(&receiver) }).await;
    let reply_to = || Some("wamid.Q".to_owned());
    let text = |text: &str| text.to_owned();
    let said = [
        Inbound::Text { body: text("hello"), reply_to: None },
        Inbound::Button { text: text("Stop"), payload: text("STOP_ALL"), reply_to: reply_to() },
        Inbound::ButtonReply { id: text("yes"), title: text("Yes"), reply_to: reply_to() },
        Inbound::Reaction { message_id: text("wamid.Q"), emoji: text("👍") },
        Inbound::Image { caption: Some(text("look")), media: None },
    ];
    let ids: Vec<String> = said.iter().map(|said| sim.say("1001", "+44 7700 900123", said).unwrap()).collect();
    assert!(ids.iter().all(|id| id.starts_with("wamid.")));
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let context = json!({ "from": "15550001001", "id": "wamid.Q" });
    let reply = json!({ "type": "button_reply", "button_reply": { "id": "yes", "title": "Yes" } });
    let expected = [
        json!({ "type": "text", "text": { "body": "hello" } }),
        json!({ "type": "button", "button": { "text": "Stop", "payload": "STOP_ALL" }, "context": context }),
        json!({ "type": "interactive", "interactive": reply, "context": context }),
        json!({ "type": "reaction", "reaction": { "message_id": "wamid.Q", "emoji": "👍" } }),
    ];
    let mut got: Vec<Value> = all(&bodies, "messages").cloned().collect();
    for (message, id) in got.iter_mut().zip(&ids) {
        let fields = message.as_object_mut().unwrap();
        assert_eq!(fields.remove("id").unwrap(), id.as_str());
        assert_eq!(fields.remove("from").unwrap(), "447700900123");
        assert!(fields.remove("timestamp").unwrap().as_str().unwrap().parse::<u64>().is_ok());
    }
    assert_eq!(got[..4], expected);
    let change = &bodies[0]["entry"][0]["changes"][0]["value"];
    assert_eq!(change["metadata"], json!({ "display_phone_number": "15550001001", "phone_number_id": "1001" }));
    assert_eq!(change["contacts"][0]["wa_id"], "447700900123");
    let image = &got[4]["image"];
    assert_eq!((&image["caption"], &image["mime_type"]), (&json!("look"), &json!("image/png")));
    let shown = call(&sim, "GET", &format!("/v23.0/{}", image["id"].as_str().unwrap()), "").await.json();
    let link = shown["url"].as_str().unwrap().strip_prefix("http://sim").unwrap().to_owned();
    assert!(call(&sim, "GET", &link, "").await.body.starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn what_cannot_be_said_is_named() {
    let sim = Sim::start(super::super::two_numbers()).await.unwrap();
    let hello = Inbound::text("hello");
    assert_eq!(sim.say("1003", "+447700900123", &hello), Err(SayError::NoNumber("1003".to_owned())));
    assert_eq!(sim.say("1001", "nobody", &hello), Err(SayError::NoPerson("nobody".to_owned())));
    let picture = Inbound::Image { caption: None, media: Some("7".to_owned()) };
    assert_eq!(sim.say("1001", "+447700900123", &picture), Err(SayError::NoMedium("7".to_owned())));
}

#[tokio::test]
async fn a_customer_speaks_by_http() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    let body = json!({ "number": "1001", "from": "US.1349", "message": { "type": "text", "body": "hi" } });
    let id = call(&sim, "POST", "/_sim/say", &body.to_string()).await.json()["id"].clone();
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let message = all(&bodies, "messages").next().unwrap();
    assert_eq!((&message["id"], &message["from_user_id"]), (&id, &json!("US.1349")));
    let contact = all(&bodies, "contacts").next().unwrap();
    assert_eq!((&contact["user_id"], contact.get("wa_id")), (&json!("US.1349"), None));
    let wrong = json!({ "number": "1001", "from": "US.1349", "message": { "type": "song" } });
    assert_eq!(call(&sim, "POST", "/_sim/say", &wrong.to_string()).await.status, 400);
}

#[tokio::test]
async fn free_form_fails_outside_a_window_and_passes_inside_if_windows_are_strict() {
    let receiver = Receiver::start().await;
    let webhooks = Some(at_once(&receiver));
    let config = SimConfig { webhooks, strict_windows: true, ..super::super::two_numbers() };
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    sim.say("1001", "447700900001", &Inbound::text("hello")).unwrap();
    for body in [text("+447700900001", "in:1"), text("+447700900002", "out:1"), template("+447700900003", "hello")] {
        assert_eq!(client.send("1001", &body).await.unwrap().status, 200);
    }
    assert_eq!(client.send("1002", &text("+447700900001", "other:1")).await.unwrap().status, 200);
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let failed: Vec<_> = all(&bodies, "statuses").filter(|status| status["status"] == "failed").collect();
    let mut callbacks: Vec<_> = failed.iter().map(|status| status["biz_opaque_callback_data"].as_str()).collect();
    callbacks.sort_unstable();
    assert_eq!(callbacks, [Some("other:1"), Some("out:1")]);
    assert!(failed.iter().all(|status| status["errors"][0]["code"] == 131_047));
}

#[tokio::test]
async fn a_share_of_those_who_are_written_to_answers() {
    let receiver = Receiver::start().await;
    let answers = AnswerShares { stop: 0.5, text: 0.0, button: 0.5 };
    let webhooks = WebhookConfig { answers, ..at_once(&receiver) };
    let config = SimConfig { webhooks: Some(webhooks), strict_windows: true, ..super::super::two_numbers() };
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for n in 0..20 {
        let mut body = template(&format!("+4477009000{n:02}"), "offer");
        let payload = json!([{ "type": "payload", "payload": "BUY" }]);
        body["template"]["components"] =
            json!([{ "type": "button", "sub_type": "quick_reply", "index": "0", "parameters": payload }]);
        assert_eq!(client.send("1001", &body).await.unwrap().status, 200);
    }
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let messages: Vec<&Value> = all(&bodies, "messages").collect();
    let stops = messages.iter().filter(|message| message["text"]["body"] == "STOP").count();
    let taps: Vec<_> = messages.iter().filter(|message| message["button"]["payload"] == "BUY").collect();
    assert_eq!(stops + taps.len(), 20);
    assert!(stops > 2 && taps.len() > 2, "{stops} stops");
    let accepted = sim.oracle().accepted_entries();
    for tap in taps {
        let answered = accepted.iter().find(|entry| entry.recipient[1..] == *tap["from"].as_str().unwrap()).unwrap();
        assert_eq!(tap["context"]["id"].as_str(), answered.wamid.as_deref());
    }
    // Those who answered opened a window.
    assert_eq!(client.send("1001", &text("+447700900000", "after:1")).await.unwrap().status, 200);
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let after = all(&bodies, "statuses").find(|status| status["biz_opaque_callback_data"] == "after:1").unwrap();
    assert_ne!(after["status"], "failed");
}

#[tokio::test]
async fn nobody_answers_unless_told_to() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    send_to_many(&sim, 5).await;
    sim.webhooks_settled().await;
    assert_eq!(all(&receiver.bodies(), "messages").count(), 0);
}
