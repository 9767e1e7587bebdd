//! Sending, tokens, and starting and stopping.

use super::{Client, call, text, two_numbers};
use crate::sim::{Inbound, NumberSpec, Sim, SimConfig, Token};
use serde_json::json;
use std::io;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn an_accepted_message_gets_its_id_and_stands_in_the_oracle() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let got = client.send("1001", &text("+44 7700 900123", "job-1:1")).await.unwrap();
    assert_eq!(got.status, 200);
    let answer = got.json();
    assert_eq!(answer["messaging_product"], "whatsapp");
    assert_eq!(answer["contacts"], json!([{ "input": "+44 7700 900123", "wa_id": "447700900123" }]));
    assert_eq!(answer["messages"][0].get("message_status"), None);
    let entry = sim.oracle().entries_since(0, 10).remove(0);
    assert_eq!(entry.wamid.as_deref(), answer["messages"][0]["id"].as_str());
    assert_eq!((entry.seq, &*entry.number, entry.callback.as_deref()), (1, "1001", Some("job-1:1")));
    assert!(entry.outcome.is_accepted());
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn every_acceptance_has_an_id_of_its_own_also_across_runs() {
    let mut ids = std::collections::HashSet::new();
    for _ in 0..2 {
        let sim = Sim::start(two_numbers()).await.unwrap();
        let mut client = Client::connect(sim.address()).await;
        for n in 0..50 {
            let got = client.send("1001", &text(&format!("+4477009{n:05}"), "x")).await.unwrap();
            let id = got.json()["messages"][0]["id"].as_str().unwrap().to_owned();
            assert!(id.starts_with("wamid.") && id.len() <= 128);
            assert!(ids.insert(id));
        }
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn tokens_are_asked_for_and_looked_at() {
    let mut numbered = NumberSpec::new("1002");
    numbered.token = Some(Token("own".to_owned()));
    let mut config = SimConfig::with_numbers([NumberSpec::new("1001"), numbered]);
    config.tokens = vec![Token("all".to_owned())];
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let body = text("+447700900123", "x").to_string();
    for (number, token, status, code) in [
        ("1001", None, 401, 104),
        ("1001", Some("wrong"), 401, 190),
        ("1001", Some("own"), 400, 100),
        ("9999", Some("all"), 400, 100),
        ("1001", Some("all"), 200, 0),
        ("1002", Some("own"), 200, 0),
        ("1002", Some("all"), 200, 0),
    ] {
        let got = client.call("POST", &format!("/v23.0/{number}/messages"), token, body.as_bytes()).await.unwrap();
        assert_eq!(got.status, status, "{number} {token:?}");
        if status != 200 {
            assert_eq!(got.code(), code, "{number} {token:?}");
        }
    }
    assert_eq!(sim.oracle().accepted(), 3);
}

#[tokio::test]
async fn with_any_number_every_id_may_send() {
    let sim = Sim::start(SimConfig { any_number: true, ..SimConfig::default() }).await.unwrap();
    let got = call(&sim, "POST", "/v23.0/424242/messages", &text("+447700900123", "x").to_string()).await;
    assert_eq!(got.status, 200);
    assert_eq!(sim.oracle().stats().numbers["424242"].accepted, 1);
}

#[tokio::test]
async fn a_body_without_end_is_refused_before_it_is_read() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let head = b"POST /v23.0/1001/messages HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer x\r\nContent-Length: 99999999\r\n\r\n";
    client.stream.write_all(head).await.unwrap();
    assert_eq!(client.read().await.unwrap().status, 413);
}

#[tokio::test]
async fn a_read_receipt_is_no_message() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let receipt = |id: &str| {
        json!({
            "messaging_product": "whatsapp", "status": "read", "message_id": id, "typing_indicator": { "type": "text" },
        })
        .to_string()
    };
    let heard = sim.say("1001", "+447700900123", &Inbound::text("hello")).unwrap();
    let got = call(&sim, "POST", "/v23.0/1001/messages", &receipt(&heard)).await;
    assert_eq!((got.status, got.json()), (200, json!({ "success": true })));
    for (number, id) in [("1001", "wamid.x"), ("1002", heard.as_str())] {
        assert_eq!(call(&sim, "POST", &format!("/v23.0/{number}/messages"), &receipt(id)).await.code(), 100);
    }
    let totals = sim.oracle().totals();
    assert_eq!((totals.accepted, totals.read_receipts), (0, 1));
}

#[test]
fn a_simulator_on_its_own_thread_serves_threads_without_a_runtime() {
    let sim = Sim::spawn_thread(two_numbers()).unwrap();
    let oracle = sim.oracle();
    let address = sim.address();
    let sender = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = Client::connect(address).await;
            for n in 0..3 {
                client.send("1001", &text(&format!("+44770090012{n}"), "x")).await.unwrap();
            }
        });
    });
    oracle.wait_for_blocking(3);
    sender.join().unwrap();
    assert_eq!(oracle.accepted(), 3);
    sim.stop_blocking().unwrap();
}

#[tokio::test]
async fn what_cannot_be_configured_is_refused_with_its_name() {
    let config = SimConfig { time_scale: -1.0, ..SimConfig::default() };
    let error = Sim::start(config.clone()).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("time_scale"), "{error}");
    assert!(Sim::spawn_thread(config).is_err());
}

#[tokio::test]
async fn waiting_ends_when_the_count_is_reached() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let oracle = sim.oracle();
    oracle.wait_for(0).await;
    let sending = async {
        let mut client = Client::connect(sim.address()).await;
        for n in 0..5 {
            client.send("1001", &text(&format!("+44770090012{n}"), "x")).await.unwrap();
        }
    };
    let ((), ()) = tokio::join!(oracle.wait_for(5), sending);
    assert_eq!(oracle.accepted(), 5);
}

#[tokio::test]
async fn whoever_waits_is_let_go_when_the_simulator_stops() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let oracle = sim.oracle();
    let ((), stopped) = tokio::join!(oracle.wait_for(1), sim.stop());
    stopped.unwrap();
    oracle.wait_for(1).await;
    oracle.wait_for_row(1).await;
    assert_eq!(oracle.accepted(), 0);
}

#[tokio::test]
async fn a_row_is_waited_for_whatever_became_of_its_request() {
    let mut config = two_numbers();
    config.faults = vec!["cut_before".parse().unwrap()];
    let sim = Sim::start(config).await.unwrap();
    let oracle = sim.oracle();
    let mut client = Client::connect(sim.address()).await;
    let message = text("+447700900123", "x");
    let (sent, ()) = tokio::join!(client.send("1001", &message), oracle.wait_for_row(1));
    assert!(sent.is_err() && oracle.accepted() == 0);
}
