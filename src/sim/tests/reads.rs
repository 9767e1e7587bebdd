//! Reading numbers, accounts and templates.

use super::{Client, call, two_numbers};
use crate::sim::{Category, NumberSpec, Quality, Sim, SimConfig, TemplateSpec, ThroughputLevel};
use serde_json::json;

const FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,status,throughput,\
    whatsapp_business_manager_messaging_limit,code_verification_status,name_status,platform_type,is_on_biz_app,account_mode";

#[tokio::test]
async fn a_number_shows_the_fields_that_were_asked_for() {
    let mut spec = NumberSpec::new("1001");
    spec.quality = Quality::Yellow;
    spec.level = ThroughputLevel::High;
    let sim = Sim::start(SimConfig { messaging_limit: Some(2_000), ..SimConfig::with_numbers([spec]) }).await.unwrap();
    let got = call(&sim, "GET", &format!("/v23.0/1001?fields={FIELDS}"), "").await;
    assert_eq!(
        got.json(),
        json!({
            "id": "1001", "display_phone_number": "+15550001001", "verified_name": "Simulated Business",
            "quality_rating": "YELLOW", "status": "CONNECTED", "throughput": { "level": "HIGH" },
            "whatsapp_business_manager_messaging_limit": "TIER_2K", "code_verification_status": "VERIFIED",
            "name_status": "APPROVED", "platform_type": "CLOUD_API", "is_on_biz_app": false, "account_mode": "LIVE",
        })
    );
    assert_eq!(call(&sim, "GET", "/v23.0/1001?fields=colour", "").await.code(), 100);
}

#[tokio::test]
async fn the_numbers_of_an_account_come_in_pages() {
    let numbers = (0..7).map(|n| NumberSpec::new(format!("100{n}")));
    let sim = Sim::start(SimConfig::with_numbers(numbers)).await.unwrap();
    let (mut ids, mut path) = (Vec::new(), "/v23.0/2001/phone_numbers?limit=3".to_owned());
    loop {
        let page = call(&sim, "GET", &path, "").await.json();
        ids.extend(page["data"].as_array().unwrap().iter().map(|number| number["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["paging"]["next"].as_str() else {
            break;
        };
        path = next.strip_prefix("http://sim").unwrap().to_owned();
    }
    assert_eq!(ids, ["1000", "1001", "1002", "1003", "1004", "1005", "1006"]);
}

#[tokio::test]
async fn accounts_and_their_templates_are_read() {
    let mut config = two_numbers();
    let waba = call_templates(&Sim::start(config.clone()).await.unwrap()).await;
    assert_eq!(waba, json!({ "data": [] }));
    config.templates = vec![TemplateSpec::new("sale", Category::Marketing)];
    let sim = Sim::start(config).await.unwrap();
    assert_eq!(call(&sim, "GET", "/v23.0/2001", "").await.json()["id"], "2001");
    let list = call_templates(&sim).await;
    assert_eq!(list["data"][0]["name"], "sale");
    assert_eq!(list["data"][0]["status"], "APPROVED");
    assert_eq!(list["data"][0]["category"], "MARKETING");
}

async fn call_templates(sim: &Sim) -> serde_json::Value {
    call(sim, "GET", "/v23.0/2001/message_templates?fields=name,language,status,category,components,quality_score", "")
        .await
        .json()
}

#[tokio::test]
async fn reads_need_a_token_and_an_object() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    assert_eq!(client.call("GET", "/v23.0/1001", None, b"").await.unwrap().code(), 104);
    let missing = client.call("GET", "/v23.0/777", Some("x"), b"").await.unwrap();
    assert_eq!((missing.code(), missing.json()["error"]["error_subcode"].as_u64()), (100, Some(33)));
    assert_eq!(client.call("GET", "/v23.0/777/phone_numbers", Some("x"), b"").await.unwrap().code(), 100);
    assert_eq!(client.call("GET", "/latest/1001", Some("x"), b"").await.unwrap().code(), 2500);
    assert_eq!(client.call("GET", "/what/is/this/path", Some("x"), b"").await.unwrap().code(), 2500);
}
