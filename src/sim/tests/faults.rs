//! Every scripted fault, seen from the sender's end of the connection.

use super::{Client, text, two_numbers};
use crate::sim::{EntryOutcome, Sim};
use std::io;
use std::time::Duration;

async fn with_fault(fault: &str) -> (Sim, Client) {
    let mut config = two_numbers();
    config.faults = vec![fault.parse().unwrap()];
    let sim = Sim::start(config).await.unwrap();
    let client = Client::connect(sim.address()).await;
    (sim, client)
}

fn outcomes(sim: &Sim) -> Vec<EntryOutcome> {
    sim.oracle().entries_since(0, 100).into_iter().map(|entry| entry.outcome).collect()
}

#[tokio::test]
async fn a_code_comes_with_its_status_and_is_not_accepted() {
    for (fault, status, code) in [
        ("code=131026", 400, 131_026),
        ("code=131000", 500, 131_000),
        ("code=2", 503, 2),
        ("code=132001", 404, 132_001),
        ("code=4,http=429", 429, 4),
        ("token_expired", 401, 190),
    ] {
        let (sim, mut client) = with_fault(fault).await;
        let got = client.send("1001", &text("+447700900123", "x")).await.unwrap();
        assert_eq!((got.status, got.code()), (status, code), "{fault}");
        assert_eq!(outcomes(&sim), [EntryOutcome::Refused { code: code as u32, http: status }], "{fault}");
        assert_eq!(sim.oracle().accepted(), 0);
    }
}

#[tokio::test]
async fn a_page_from_a_proxy_is_not_json_and_not_accepted() {
    let (sim, mut client) = with_fault("http=502").await;
    let got = client.send("1001", &text("+447700900123", "x")).await.unwrap();
    assert_eq!(got.status, 502);
    assert!(got.head.contains("text/html") && got.body.starts_with(b"<html>"));
    assert_eq!(outcomes(&sim), [EntryOutcome::Dropped { fault: "http" }]);
}

#[tokio::test]
async fn a_cut_before_the_body_resets_the_connection_and_accepts_nothing() {
    for fault in ["cut_before", "cut_before,recipient_suffix=23"] {
        let (sim, mut client) = with_fault(fault).await;
        let error = client.send("1001", &text("+447700900123", "x")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{fault}");
        assert_eq!(outcomes(&sim), [EntryOutcome::Dropped { fault: "cut_before" }]);
        assert_eq!(sim.oracle().accepted(), 0);
    }
}

#[tokio::test]
async fn a_cut_after_accepting_resets_the_connection_without_a_byte() {
    let (sim, mut client) = with_fault("cut_after").await;
    let error = client.send("1001", &text("+447700900123", "job:1")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(outcomes(&sim), [EntryOutcome::AcceptedThen { fault: "cut_after" }]);
    let entry = sim.oracle().accepted_entries().remove(0);
    assert!(entry.wamid.is_some() && entry.callback.as_deref() == Some("job:1"));
}

#[tokio::test]
async fn a_hanging_request_is_accepted_and_never_answered() {
    let (sim, mut client) = with_fault("hang").await;
    let message = text("+447700900123", "x");
    let oracle = sim.oracle();
    tokio::select! {
        got = client.send("1001", &message) => panic!("answered: {got:?}"),
        () = oracle.wait_for(1) => {}
    }
    assert_eq!(outcomes(&sim), [EntryOutcome::AcceptedThen { fault: "hang" }]);
    // Stopping does not wait for it.
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn half_an_answer_is_half_of_the_real_one() {
    let (sim, mut client) = with_fault("half_json").await;
    let got = client.send("1001", &text("+447700900123", "x")).await.unwrap();
    assert_eq!(got.status, 200);
    assert!(!got.whole);
    assert!(got.body.starts_with(br#"{"messaging_product":"whatsapp""#), "{}", String::from_utf8_lossy(&got.body));
    assert_eq!(outcomes(&sim), [EntryOutcome::AcceptedThen { fault: "half_json" }]);
}

#[tokio::test]
async fn accepted_messages_may_be_answered_with_nonsense() {
    for (fault, is_json) in [("html_200", false), ("no_wamid", true), ("garbage", false)] {
        let (sim, mut client) = with_fault(fault).await;
        let got = client.send("1001", &text("+447700900123", "x")).await.unwrap();
        assert_eq!(got.status, 200, "{fault}");
        let json = serde_json::from_slice::<serde_json::Value>(&got.body);
        assert_eq!(json.is_ok(), is_json, "{fault}");
        assert!(!String::from_utf8_lossy(&got.body).contains("wamid"), "{fault}");
        assert!(matches!(outcomes(&sim)[..], [EntryOutcome::AcceptedThen { .. }]), "{fault}");
        // The connection itself is fine.
        assert_eq!(client.send("1002", &text("+447700900123", "x")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_message_was_accepted() {
    let (sim, mut client) = with_fault("slow=60").await;
    let oracle = sim.oracle();
    let message = text("+447700900123", "x");
    let mut sending = std::pin::pin!(client.send("1001", &message));
    tokio::select! {
        got = &mut sending => panic!("answered before it was accepted: {got:?}"),
        () = oracle.wait_for(1) => {}
    }
    assert_eq!(sending.await.unwrap().status, 200);
    let accepted = Duration::from_nanos(oracle.entries_since(0, 1)[0].at_ns);
    assert!(Duration::from_nanos(oracle.now_ns()) - accepted >= Duration::from_millis(60));
    assert_eq!(outcomes(&sim), [EntryOutcome::Accepted]);
}

#[tokio::test]
async fn faults_are_changed_while_it_runs() {
    let (sim, mut client) = with_fault("number=1001,code=131000").await;
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 500);
    assert_eq!(client.send("1002", &text("+447700900123", "x")).await.unwrap().status, 200);
    sim.set_faults(vec!["number=1002,every=2,code=2".parse().unwrap()]);
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200);
    let mut statuses = Vec::new();
    for n in 0..4 {
        statuses.push(client.send("1002", &text(&format!("+44770090013{n}"), "x")).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 503, 200, 503]);
    assert_eq!(sim.oracle().stats().faults["code"], 3);
}
