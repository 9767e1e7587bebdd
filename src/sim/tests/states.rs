//! The states of numbers and templates, over the wire.

use super::{Client, call, template, text, two_numbers};
use crate::sim::{
    Category, NumberChange, NumberSpec, NumberStatus, Sim, SimConfig, TemplateChange, TemplateSpec, TemplateStatus,
    ThroughputLevel,
};
use serde_json::json;

#[tokio::test]
async fn a_number_is_refused_by_its_status() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for (status, code) in [
        (NumberStatus::Disconnected, 133_010),
        (NumberStatus::Deleted, 33),
        (NumberStatus::Banned, 131_031),
        (NumberStatus::Pending, 133_010),
    ] {
        assert!(sim.set_number("1001", &NumberChange { status: Some(status), ..NumberChange::default() }));
        assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().code(), code, "{status:?}");
    }
    assert!(sim.set_number("1001", &NumberChange { status: Some(NumberStatus::Flagged), ..NumberChange::default() }));
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200);
    assert!(!sim.set_number("nobody", &NumberChange::default()));
}

#[tokio::test]
async fn a_raised_level_holds_from_the_next_request_on() {
    let mut config = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(1)]);
    (config.scale_throughput, config.time_scale) = (true, 0.001);
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    assert_eq!(client.send("1001", &text("+447700900001", "x")).await.unwrap().status, 200);
    assert_eq!(client.send("1001", &text("+447700900002", "x")).await.unwrap().code(), 130_429);
    let high = NumberChange { level: Some(ThroughputLevel::High), ..NumberChange::default() };
    assert!(sim.set_number("1001", &high));
    assert_eq!(client.send("1001", &text("+447700900003", "x")).await.unwrap().status, 200);
}

#[tokio::test]
async fn templates_have_a_state() {
    let mut config = two_numbers();
    let mut counted = TemplateSpec::new("counted", Category::Authentication);
    counted.body_parameters = Some(1);
    config.templates = vec![TemplateSpec::new("sale", Category::Marketing), counted];
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let got = client.send("1001", &template("+447700900001", "sale")).await.unwrap();
    assert_eq!(got.json()["messages"][0]["message_status"], "accepted");
    assert_eq!(sim.oracle().accepted_entries()[0].category, Some(Category::Marketing));
    for (status, code) in
        [(TemplateStatus::Paused, 132_015), (TemplateStatus::Disabled, 132_016), (TemplateStatus::Rejected, 132_001)]
    {
        sim.set_template("sale", &TemplateChange::status(status));
        assert_eq!(client.send("1001", &template("+447700900002", "sale")).await.unwrap().code(), code);
    }
    assert_eq!(client.send("1001", &template("+447700900003", "counted")).await.unwrap().code(), 132_000);
    // A template that nobody listed is taken, and can be paused all the same.
    assert_eq!(client.send("1001", &template("+447700900004", "other")).await.unwrap().status, 200);
    sim.set_template("other", &TemplateChange::status(TemplateStatus::Paused));
    assert_eq!(client.send("1001", &template("+447700900005", "other")).await.unwrap().code(), 132_015);
}

#[tokio::test]
async fn only_listed_templates_are_taken_if_so_configured() {
    let sim = Sim::start(SimConfig { known_templates_only: true, ..two_numbers() }).await.unwrap();
    let got = call(&sim, "POST", "/v23.0/1001/messages", &template("+447700900001", "nobody").to_string()).await;
    assert_eq!((got.status, got.code()), (404, 132_001));
}

#[tokio::test]
async fn the_marketing_endpoint_takes_marketing_templates_only() {
    let mut config = two_numbers();
    config.templates =
        vec![TemplateSpec::new("sale", Category::Marketing), TemplateSpec::new("bill", Category::Utility)];
    let sim = Sim::start(config).await.unwrap();
    let path = "/v23.0/1001/marketing_messages";
    let mut sale = template("+447700900001", "sale");
    sale["recipient_type"] = json!("individual");
    sale["product_policy"] = json!("STRICT");
    assert_eq!(call(&sim, "POST", path, &sale.to_string()).await.status, 200);
    let mut bill = sale.clone();
    bill["template"]["name"] = json!("bill");
    assert_eq!(call(&sim, "POST", path, &bill.to_string()).await.code(), 134_100);
    assert_eq!(call(&sim, "POST", path, &text("+447700900001", "x").to_string()).await.code(), 131_055);
    sale["product_policy"] = json!("MAYBE");
    assert_eq!(call(&sim, "POST", path, &sale.to_string()).await.code(), 131_009);
}

#[tokio::test]
async fn nobody_writes_to_themselves() {
    let mut own = NumberSpec::new("1001");
    own.display = "+1 555-000-1001".to_owned();
    let sim = Sim::start(SimConfig::with_numbers([own])).await.unwrap();
    let got = call(&sim, "POST", "/v23.0/1001/messages", &text("+15550001001", "x").to_string()).await;
    assert_eq!(got.code(), 131_021);
}
