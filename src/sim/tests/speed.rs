//! Stub mode, and how fast the simulator is: the latter only when asked for.

use super::{Client, text, two_numbers};
use crate::sim::{NumberSpec, Sim, SimConfig};
use std::time::Instant;

#[tokio::test]
async fn the_stub_accepts_at_once_whatever_comes() {
    let sim = Sim::start(SimConfig { stub: true, ..two_numbers() }).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let mut ids = std::collections::HashSet::new();
    for n in 0..200 {
        let got = client.send("1001", &text("+447700900123", "x")).await.unwrap();
        assert_eq!(got.status, 200, "message {n}");
        assert!(ids.insert(got.json()["messages"][0]["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(sim.oracle().accepted(), 200);
    assert!(sim.oracle().entries_since(0, 1).is_empty());
}

/// `cargo test --release --lib sim::tests::speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a test: run it in a release build on a quiet machine"]
fn requests_per_second() {
    for stub in [false, true] {
        let mut config = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(1_000_000)]);
        config.stub = stub;
        let sim = Sim::spawn_thread(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (connections, each) = (64_u32, 4_000_u32);
        #[expect(clippy::disallowed_methods, reason = "it measures real time, when asked to")]
        let began = Instant::now();
        runtime.block_on(async {
            let mut senders = tokio::task::JoinSet::new();
            for connection in 0..connections {
                let address = sim.address();
                senders.spawn(async move {
                    let mut client = Client::connect(address).await;
                    for n in 0..each {
                        let to = format!("+4477{connection:03}{n:05}");
                        assert_eq!(client.send("1001", &text(&to, "job:1")).await.unwrap().status, 200);
                    }
                });
            }
            while let Some(sent) = senders.join_next().await {
                sent.unwrap();
            }
        });
        let rate = f64::from(connections * each) / began.elapsed().as_secs_f64();
        println!("stub {stub}: {rate:.0} requests/s, this client included");
        sim.stop_blocking().unwrap();
    }
}
