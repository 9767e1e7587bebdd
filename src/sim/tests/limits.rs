//! Throughput, pairs, the messaging limit, and states of numbers and templates, over the wire.

use super::{Client, call, slow_time, text, two_numbers};
use crate::sim::{
    Category, NumberChange, NumberSpec, NumberStatus, Sim, SimConfig, TemplateChange, TemplateSpec,
    TemplateStatus, ThroughputLevel,
};
use serde_json::{Value, json};

fn template(to: &str, name: &str) -> Value {
    json!({
        "messaging_product": "whatsapp", "to": to, "type": "template",
        "template": { "name": name, "language": { "code": "en_US" } },
    })
}

#[tokio::test]
async fn a_number_that_is_too_fast_is_refused_and_seen_to_be() {
    let mut config = SimConfig::with_numbers([
        NumberSpec::new("1001").with_mps(20),
        NumberSpec::new("1002"),
    ]);
    (config.scale_throughput, config.time_scale) = (true, 0.001);
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let mut codes = Vec::new();
    for n in 0..30 {
        let got = client
            .send("1001", &text(&format!("+44770090{n:04}"), "x"))
            .await
            .unwrap();
        codes.push(if got.status == 200 { 0 } else { got.code() });
    }
    assert!(
        codes[..20].iter().all(|code| *code == 0)
            && codes[20..].iter().all(|code| *code == 130_429)
    );
    assert_eq!(
        client
            .send("1002", &text("+447700900123", "x"))
            .await
            .unwrap()
            .status,
        200
    );
    let stats = sim.oracle().stats();
    assert_eq!(stats.refused_by_code[&130_429], 10);
    assert_eq!(
        (
            stats.numbers["1001"].worst_second,
            stats.numbers["1001"].worst_second_offered
        ),
        (20, 30)
    );
    assert_eq!(sim.oracle().worst_sliding_second("1001"), 30);
}

#[tokio::test]
async fn what_fails_validation_costs_no_throughput_and_what_fails_later_does() {
    let mut config = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(2)]);
    (config.scale_throughput, config.time_scale) = (true, 0.001);
    config.faults = vec!["first=1,code=131000".parse().unwrap()];
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for _ in 0..5 {
        assert_eq!(
            client
                .send("1001", &text("nobody", "x"))
                .await
                .unwrap()
                .code(),
            131_009
        );
    }
    assert_eq!(
        client
            .send("1001", &text("+447700900123", "x"))
            .await
            .unwrap()
            .code(),
        131_000
    );
    assert_eq!(
        client
            .send("1001", &text("+447700900123", "x"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        client
            .send("1001", &text("+447700900123", "x"))
            .await
            .unwrap()
            .code(),
        130_429
    );
}

#[tokio::test]
async fn a_pair_is_held_to_its_debt_and_can_be_let_off() {
    let sim = Sim::start(slow_time()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for n in 0..45 {
        assert_eq!(
            client
                .send("1001", &text("+447700900123", "x"))
                .await
                .unwrap()
                .status,
            200,
            "message {n}"
        );
    }
    let refused = client
        .send("1001", &text("+44 7700 900123", "x"))
        .await
        .unwrap();
    assert_eq!((refused.status, refused.code()), (400, 131_056));
    assert_eq!(
        client
            .send("1002", &text("+447700900123", "x"))
            .await
            .unwrap()
            .status,
        200
    );

    let free = Sim::start(SimConfig {
        pair_limit: false,
        ..two_numbers()
    })
    .await
    .unwrap();
    let mut client = Client::connect(free.address()).await;
    for _ in 0..60 {
        assert_eq!(
            client
                .send("1001", &text("+447700900123", "x"))
                .await
                .unwrap()
                .status,
            200
        );
    }
}

#[tokio::test]
async fn the_messaging_limit_counts_people_for_the_whole_portfolio() {
    let sim = Sim::start(SimConfig {
        messaging_limit: Some(3),
        ..two_numbers()
    })
    .await
    .unwrap();
    let mut client = Client::connect(sim.address()).await;
    for (number, to) in [
        ("1001", "+447700900001"),
        ("1002", "+447700900002"),
        ("1001", "+447700900003"),
    ] {
        assert_eq!(
            client
                .send(number, &template(to, "hello"))
                .await
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(
        client
            .send("1002", &template("+447700900004", "hello"))
            .await
            .unwrap()
            .code(),
        131_048
    );
    // Somebody known, and a free-form message, need no place.
    assert_eq!(
        client
            .send("1002", &template("+447700900001", "hello"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        client
            .send("1002", &text("+447700900004", "x"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(sim.oracle().stats().messaged["portfolio"], 3);
    sim.set_messaging_limit(Some(4));
    assert_eq!(
        client
            .send("1002", &template("+447700900004", "hello"))
            .await
            .unwrap()
            .status,
        200
    );
}

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
        assert!(sim.set_number(
            "1001",
            &NumberChange {
                status: Some(status),
                ..NumberChange::default()
            }
        ));
        assert_eq!(
            client
                .send("1001", &text("+447700900123", "x"))
                .await
                .unwrap()
                .code(),
            code,
            "{status:?}"
        );
    }
    assert!(sim.set_number(
        "1001",
        &NumberChange {
            status: Some(NumberStatus::Flagged),
            ..NumberChange::default()
        }
    ));
    assert_eq!(
        client
            .send("1001", &text("+447700900123", "x"))
            .await
            .unwrap()
            .status,
        200
    );
    assert!(!sim.set_number("nobody", &NumberChange::default()));
}

#[tokio::test]
async fn a_raised_level_holds_from_the_next_request_on() {
    let mut config = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(1)]);
    (config.scale_throughput, config.time_scale) = (true, 0.001);
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    assert_eq!(
        client
            .send("1001", &text("+447700900001", "x"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        client
            .send("1001", &text("+447700900002", "x"))
            .await
            .unwrap()
            .code(),
        130_429
    );
    let high = NumberChange {
        level: Some(ThroughputLevel::High),
        ..NumberChange::default()
    };
    assert!(sim.set_number("1001", &high));
    assert_eq!(
        client
            .send("1001", &text("+447700900003", "x"))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn templates_have_a_state() {
    let mut config = two_numbers();
    let mut counted = TemplateSpec::new("counted", Category::Authentication);
    counted.body_parameters = Some(1);
    config.templates = vec![TemplateSpec::new("sale", Category::Marketing), counted];
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let got = client
        .send("1001", &template("+447700900001", "sale"))
        .await
        .unwrap();
    assert_eq!(got.json()["messages"][0]["message_status"], "accepted");
    assert_eq!(
        sim.oracle().accepted_entries()[0].category,
        Some(Category::Marketing)
    );
    for (status, code) in [
        (TemplateStatus::Paused, 132_015),
        (TemplateStatus::Disabled, 132_016),
        (TemplateStatus::Rejected, 132_001),
    ] {
        sim.set_template("sale", &TemplateChange::status(status));
        assert_eq!(
            client
                .send("1001", &template("+447700900002", "sale"))
                .await
                .unwrap()
                .code(),
            code
        );
    }
    assert_eq!(
        client
            .send("1001", &template("+447700900003", "counted"))
            .await
            .unwrap()
            .code(),
        132_000
    );
    // A template that nobody listed is taken, and can be paused all the same.
    assert_eq!(
        client
            .send("1001", &template("+447700900004", "other"))
            .await
            .unwrap()
            .status,
        200
    );
    sim.set_template("other", &TemplateChange::status(TemplateStatus::Paused));
    assert_eq!(
        client
            .send("1001", &template("+447700900005", "other"))
            .await
            .unwrap()
            .code(),
        132_015
    );
}

#[tokio::test]
async fn only_listed_templates_are_taken_if_so_configured() {
    let sim = Sim::start(SimConfig {
        known_templates_only: true,
        ..two_numbers()
    })
    .await
    .unwrap();
    let got = call(
        &sim,
        "POST",
        "/v23.0/1001/messages",
        &template("+447700900001", "nobody").to_string(),
    )
    .await;
    assert_eq!((got.status, got.code()), (404, 132_001));
}

#[tokio::test]
async fn the_marketing_endpoint_takes_marketing_templates_only() {
    let mut config = two_numbers();
    config.templates = vec![
        TemplateSpec::new("sale", Category::Marketing),
        TemplateSpec::new("bill", Category::Utility),
    ];
    let sim = Sim::start(config).await.unwrap();
    let path = "/v23.0/1001/marketing_messages";
    let mut sale = template("+447700900001", "sale");
    sale["recipient_type"] = json!("individual");
    sale["product_policy"] = json!("STRICT");
    assert_eq!(
        call(&sim, "POST", path, &sale.to_string()).await.status,
        200
    );
    let mut bill = sale.clone();
    bill["template"]["name"] = json!("bill");
    assert_eq!(
        call(&sim, "POST", path, &bill.to_string()).await.code(),
        134_100
    );
    assert_eq!(
        call(&sim, "POST", path, &text("+447700900001", "x").to_string())
            .await
            .code(),
        131_055
    );
    sale["product_policy"] = json!("MAYBE");
    assert_eq!(
        call(&sim, "POST", path, &sale.to_string()).await.code(),
        131_009
    );
}

#[tokio::test]
async fn nobody_writes_to_themselves() {
    let mut own = NumberSpec::new("1001");
    own.display = "+1 555-000-1001".to_owned();
    let sim = Sim::start(SimConfig::with_numbers([own])).await.unwrap();
    let got = call(
        &sim,
        "POST",
        "/v23.0/1001/messages",
        &text("+15550001001", "x").to_string(),
    )
    .await;
    assert_eq!(got.code(), 131_021);
}
