//! The simulator's own API and the oracle's file.

use super::{Client, call, slow_time, text, two_numbers};
use crate::sim::{Sim, SimConfig};
use serde_json::Value;

#[tokio::test]
async fn the_oracle_is_read_in_lines_from_any_place() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for n in 0..5 {
        client.send("1001", &text(&format!("+44770090012{n}"), &format!("job-{n}:1"))).await.unwrap();
    }
    let got = call(&sim, "GET", "/_sim/oracle?after=2&limit=2", "").await;
    let rows: Vec<Value> =
        String::from_utf8(got.body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(rows[0]["callback"], "job-2:1");
    assert_eq!((rows[0]["type"].as_str(), rows[0]["outcome"].as_str()), (Some("text"), Some("accepted")));
}

#[tokio::test]
async fn the_statistics_tell_attempts_from_jobs() {
    let sim = Sim::start(slow_time()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for callback in ["a:1", "a:1", "a:2", "b:1"] {
        client.send("1001", &text("+447700900123", callback)).await.unwrap();
    }
    client.send("1001", &text("447700900124", "c:1")).await.unwrap();
    client.send("1001", &text("nobody", "d:1")).await.unwrap();
    let stats = call(&sim, "GET", "/_sim/stats", "").await.json();
    assert_eq!(stats["accepted"], 5);
    assert_eq!((&stats["duplicate_callbacks"], &stats["duplicate_jobs"]), (&1.into(), &2.into()));
    assert_eq!((&stats["without_plus"], &stats["refused_by_code"]["131009"]), (&1.into(), &1.into()));
    assert_eq!(stats["numbers"]["1001"]["worst_second_offered"], 5);
    assert_eq!(stats["numbers"]["1001"]["messages_per_second"], 80);
}

#[tokio::test]
async fn faults_come_and_go_by_http() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let one = call(&sim, "POST", "/_sim/faults", "number=1001,code=131000\nslow=1").await;
    assert_eq!(one.json(), serde_json::json!(["number=1001,code=131000", "number=*,slow=1"]));
    assert_eq!(
        call(&sim, "POST", "/_sim/faults", r#"{"number":"1002","hang":true}"#).await.json()[2],
        "number=1002,hang"
    );
    assert_eq!(call(&sim, "PUT", "/_sim/faults", r#"["code=2"]"#).await.json(), serde_json::json!(["number=*,code=2"]));
    let mut client = Client::connect(sim.address()).await;
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().code(), 2);
    assert_eq!(call(&sim, "DELETE", "/_sim/faults", "").await.status, 204);
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200);
    let wrong = call(&sim, "POST", "/_sim/faults", "evry=2,hang").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().starts_with("evry: no such key; allowed are number"));
}

#[tokio::test]
async fn numbers_templates_and_the_limit_are_changed_by_http() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let change = r#"{"quality":"RED","status":"BANNED","mps":3}"#;
    assert_eq!(call(&sim, "PATCH", "/_sim/numbers/1001", change).await.status, 204);
    assert_eq!(call(&sim, "GET", "/v23.0/1001?fields=quality_rating", "").await.json()["quality_rating"], "RED");
    assert_eq!(call(&sim, "PATCH", "/_sim/numbers/1003", change).await.status, 404);
    assert_eq!(call(&sim, "PATCH", "/_sim/numbers/1001", r#"{"color":"RED"}"#).await.status, 400);
    assert_eq!(call(&sim, "POST", "/_sim/numbers", r#"{"id":"1003","mps":5}"#).await.status, 201);
    assert_eq!(call(&sim, "GET", "/v23.0/1003?fields=status", "").await.json()["status"], "CONNECTED");
    assert_eq!(call(&sim, "POST", "/_sim/numbers", r#"{"id":"1003"}"#).await.status, 409);
    assert_eq!(call(&sim, "POST", "/_sim/numbers", r#"{"id":"1/3"}"#).await.status, 400);
    assert_eq!(call(&sim, "PATCH", "/_sim/templates/sale", r#"{"status":"PAUSED"}"#).await.status, 204);
    let form = r#"{"body_parameters":2,"add_language":"de"}"#;
    assert_eq!(call(&sim, "PATCH", "/_sim/templates/sale", form).await.status, 204);
    let listed = call(&sim, "GET", "/v23.0/2001/message_templates?fields=language,components", "").await.json();
    let of = |place: usize| (&listed["data"][place]["language"], &listed["data"][place]["components"][0]["text"]);
    assert_eq!([of(0), of(1)].map(|(_, text)| text), ["Simulated text {{1}} {{2}}"; 2]);
    assert_eq!([of(0), of(1)].map(|(language, _)| language), ["en_US", "de"]);
    assert_eq!(sim.oracle().totals().template_reads, 1);
    assert_eq!(call(&sim, "PATCH", "/_sim/messaging_limit", r#"{"limit":250}"#).await.status, 204);
    let limit = "whatsapp_business_manager_messaging_limit";
    assert_eq!(call(&sim, "GET", &format!("/v23.0/1002?fields={limit}"), "").await.json()[limit], "TIER_250");
}

#[tokio::test]
async fn the_file_holds_every_row_once_the_simulator_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oracle.jsonl");
    let sim = Sim::start(SimConfig { oracle_file: Some(path.clone()), ..two_numbers() }).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for n in 0..70 {
        client.send("1001", &text(&format!("+4477009001{n:02}"), "x")).await.unwrap();
    }
    let expected = sim.oracle().entries_since(0, 1_000);
    sim.stop().await.unwrap();
    let lines = std::fs::read_to_string(&path).unwrap();
    let expected: Vec<String> = expected.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 70);
}
