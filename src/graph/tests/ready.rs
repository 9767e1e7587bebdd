//! The pool: what is taken, given back, replaced, and how many there are.

use std::time::Duration;

use bytes::Bytes;

use super::outcomes::{accepted, http};
use super::server::{Server, Step};
use super::{Bench, settings};
use crate::graph::Settings;

const SUCCESS: &str = r#"{"messages":[{"id":"wamid.1"}]}"#;

fn answering() -> Server {
    Server::start(vec![Step::Read, http("200 OK", SUCCESS), Step::Again])
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = answering();
    let bench = Bench::new(&server.url(), &settings());
    for _ in 0..50 {
        assert_eq!(bench.send().await, accepted());
    }
    let stats = bench.client.stats();
    assert_eq!((stats.idle, stats.in_use, stats.opened, server.accepted()), (1, 0, 1, 1));
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() {
    let refused = r#"{"error":{"code":131026}}"#;
    let server = Server::start(vec![Step::Read, http("400 Bad Request", refused), Step::Again]);
    let bench = Bench::new(&server.url(), &settings());
    bench.send().await;
    bench.send().await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_replaced() {
    let closing = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{SUCCESS}", SUCCESS.len());
    let server = Server::start(vec![Step::Read, Step::Write(closing.into_bytes())]);
    let bench = Bench::new(&server.url(), &settings());
    for _ in 0..5 {
        assert_eq!(bench.send().await, accepted());
    }
    assert!(server.accepted() >= 5);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_unasked() {
    let mut server = Server::start(vec![Step::Read, http("200 OK", SUCCESS)]);
    let bench = Bench::new(&server.url(), &settings());
    assert_eq!(bench.send().await, accepted());
    server.ended.recv().await.expect("closed by the server");
    let stats = bench.until(|stats| stats.opened == 2).await;
    assert_eq!(stats.failed, 0);
    assert_eq!(bench.send().await, accepted());
}

#[tokio::test]
async fn as_many_are_open_as_are_wanted_and_never_more_than_allowed() {
    let server = answering();
    let bench = Bench::new(&server.url(), &Settings { connections: 3, max_connections: 5, ..settings() });
    bench.until(|stats| stats.idle == 3).await;
    bench.client.set_wanted(100);
    bench.until(|stats| stats.idle == 5 && stats.opening == 0).await;
    let taken: Vec<_> = (0..5).map(|_| bench.client.take_ready().expect("idle")).collect();
    assert!(bench.client.take_ready().is_none());
    let stats = bench.client.stats();
    assert_eq!((stats.idle, stats.in_use, stats.opened), (0, 5, 5));
    drop(taken);
    assert_eq!(bench.client.stats().idle, 5);
}

#[tokio::test]
async fn half_as_many_spare_as_are_busy_are_opened_unasked() {
    let server = answering();
    let bench = Bench::new(&server.url(), &Settings { max_connections: 64, ..settings() });
    let mut taken = Vec::new();
    for _ in 0..8 {
        taken.push(bench.take().await);
    }
    bench.until(|stats| stats.in_use == 8 && stats.idle == 4).await;
}

#[tokio::test]
async fn a_connection_that_is_old_is_replaced_idle_or_not() {
    let server = answering();
    let bench = Bench::new(&server.url(), &Settings { max_age: Duration::from_millis(20), ..settings() });
    bench.until(|stats| stats.opened >= 3).await;
    let held = bench.take().await;
    let opened = bench.client.stats().opened;
    tokio::time::timeout(Duration::from_millis(30), std::future::pending::<()>()).await.expect_err("it grows old");
    assert_eq!(held.send(bench.request(Bytes::from_static(b"{}"))).await, accepted());
    bench.until(|stats| stats.opened > opened).await;
}

#[tokio::test]
async fn a_request_dropped_midway_costs_its_connection() {
    let server = Server::start(vec![Step::Read, Step::Hang]);
    let bench = Bench::new(&server.url(), &settings());
    let sending = bench.take().await.send(bench.request(Bytes::from_static(b"{}")));
    tokio::time::timeout(Duration::from_millis(1), sending).await.expect_err("the server is silent");
    let stats = bench.until(|stats| stats.opened == 2).await;
    assert_eq!(stats.in_use, 0);
}

#[tokio::test]
async fn a_refused_port_is_told_and_tried_again_with_pauses() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let bench = Bench::new(&format!("http://127.0.0.1:{port}"), &settings());
    let stats = bench.until(|stats| stats.failed >= 2).await;
    assert!(stats.trouble.as_deref().is_some_and(|trouble| trouble.contains("refused")), "{stats:?}");
    assert!(bench.client.take_ready().is_none());
    assert!(stats.failed < 5, "{stats:?}");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told() {
    let bench = Bench::new("http://tidegate.invalid", &settings());
    let stats = bench.until(|stats| stats.failed > 0).await;
    assert!(stats.trouble.as_deref().is_some_and(|trouble| trouble.contains("tidegate.invalid")), "{stats:?}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_ends_at_the_connect_deadline() {
    let server = Server::start(vec![Step::Hang]);
    let url = server.url().replace("http:", "https:");
    let bench = Bench::new(
        &url,
        &Settings {
            connect_timeout: Duration::from_millis(30),
            ca_file: Some(super::tls::certificate()),
            ..settings()
        },
    );
    let stats = bench.until(|stats| stats.failed > 0).await;
    assert!(stats.trouble.as_deref().is_some_and(|trouble| trouble.starts_with("not open after")), "{stats:?}");
}
