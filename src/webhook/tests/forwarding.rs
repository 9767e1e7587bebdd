//! What is verified goes to the one who had this callback before us.

use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post as route_post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::Forward;
use super::*;

type Came = (HeaderMap, Bytes);

/// A receiver that answers as the list says, and 200 past its end; what it took comes out of the channel.
async fn receiver(answers: Vec<u16>) -> (String, mpsc::Receiver<Came>, JoinSet<()>) {
    let (took, taken) = mpsc::channel(100);
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    type Shared = State<(mpsc::Sender<Came>, Arc<Mutex<std::vec::IntoIter<u16>>>)>;
    let take = async |State((took, answers)): Shared, headers: HeaderMap, body: Bytes| {
        let status = answers.lock().unwrap().next().unwrap_or(200);
        if status == 200 {
            took.send((headers, body)).await.unwrap();
        }
        StatusCode::from_u16(status).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/bot?key=canary", listener.local_addr().unwrap());
    let router = Router::new().route("/bot", route_post(take)).with_state((took, answers));
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, taken, running)
}

fn forwarding_to(url: String, tries: u32) -> Config {
    let forward = Forward {
        tries,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        ..Forward::to(Arc::new(move || url.clone()))
    };
    Config { forward: Some(forward), ..config() }
}

fn shows(bench: &Bench, line: &str) -> bool {
    bench.metrics.render().lines().any(|found| found == line)
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_is_taken_and_comes_as_it_was() {
    let (url, mut taken, _running) = receiver(vec![500, 404]).await;
    let bench = bench(forwarding_to(url, 10)).await;
    assert_eq!(bench.status(&signed(BODY)).await, Some(200));
    let (headers, body) = tokio::time::timeout(PATIENCE, taken.recv()).await.unwrap().unwrap();
    assert_eq!(body, BODY);
    assert_eq!(headers["x-hub-signature-256"].to_str().unwrap(), sign(SECRET, BODY));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["user-agent"], "facebookexternalua");
}

#[tokio::test]
async fn what_was_not_verified_is_not_forwarded() {
    let (url, mut taken, _running) = receiver(Vec::new()).await;
    let bench = bench(forwarding_to(url, 10)).await;
    assert_eq!(bench.status(&post(&sign("x", b"forged"), "", b"forged")).await, Some(403));
    assert_eq!(bench.status(&signed(BODY)).await, Some(200));
    assert_eq!(tokio::time::timeout(PATIENCE, taken.recv()).await.unwrap().unwrap().1, BODY);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_never_delays_the_answer() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut bench = bench(forwarding_to(format!("http://{free}/"), 2)).await;
    for _ in 0..20 {
        assert_eq!(bench.status(&signed(BODY)).await, Some(200));
    }
    bench.stop.cancel();
    bench.running.join_next().await.unwrap().unwrap();
    assert!(shows(&bench, "tidegate_webhook_forwards_total{result=\"given_up\"} 20"), "{}", bench.metrics.render());
    assert!(shows(&bench, "tidegate_webhook_forwards_waiting 0"));
}
