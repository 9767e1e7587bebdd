//! Throughput, pairs and the messaging limit, over the wire.

use super::{Client, slow_time, template, text, two_numbers};
use crate::sim::{NumberSpec, Sim, SimConfig};

#[tokio::test]
async fn a_number_that_is_too_fast_is_refused_and_seen_to_be() {
    let mut config = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(20), NumberSpec::new("1002")]);
    (config.scale_throughput, config.time_scale) = (true, 0.001);
    let sim = Sim::start(config).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    let mut codes = Vec::new();
    for n in 0..30 {
        let got = client.send("1001", &text(&format!("+44770090{n:04}"), "x")).await.unwrap();
        codes.push(if got.status == 200 { 0 } else { got.code() });
    }
    assert!(codes[..20].iter().all(|code| *code == 0) && codes[20..].iter().all(|code| *code == 130_429));
    assert_eq!(client.send("1002", &text("+447700900123", "x")).await.unwrap().status, 200);
    let stats = sim.oracle().stats();
    assert_eq!(stats.refused_by_code[&130_429], 10);
    assert_eq!((stats.numbers["1001"].worst_second, stats.numbers["1001"].worst_second_offered), (20, 30));
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
        assert_eq!(client.send("1001", &text("nobody", "x")).await.unwrap().code(), 131_009);
    }
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().code(), 131_000);
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200);
    assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().code(), 130_429);
}

#[tokio::test]
async fn a_pair_is_held_to_its_debt_and_can_be_let_off() {
    let sim = Sim::start(slow_time()).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for n in 0..45 {
        assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200, "message {n}");
    }
    let refused = client.send("1001", &text("+44 7700 900123", "x")).await.unwrap();
    assert_eq!((refused.status, refused.code()), (400, 131_056));
    assert_eq!(client.send("1002", &text("+447700900123", "x")).await.unwrap().status, 200);

    let free = Sim::start(SimConfig { pair_limit: false, ..two_numbers() }).await.unwrap();
    let mut client = Client::connect(free.address()).await;
    for _ in 0..60 {
        assert_eq!(client.send("1001", &text("+447700900123", "x")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn the_messaging_limit_counts_people_for_the_whole_portfolio() {
    let sim = Sim::start(SimConfig { messaging_limit: Some(3), ..two_numbers() }).await.unwrap();
    let mut client = Client::connect(sim.address()).await;
    for (number, to) in [("1001", "+447700900001"), ("1002", "+447700900002"), ("1001", "+447700900003")] {
        assert_eq!(client.send(number, &template(to, "hello")).await.unwrap().status, 200);
    }
    assert_eq!(client.send("1002", &template("+447700900004", "hello")).await.unwrap().code(), 131_048);
    // Somebody known, and a free-form message, need no place.
    assert_eq!(client.send("1002", &template("+447700900001", "hello")).await.unwrap().status, 200);
    assert_eq!(client.send("1002", &text("+447700900004", "x")).await.unwrap().status, 200);
    assert_eq!(sim.oracle().stats().messaged["portfolio"], 3);
    sim.set_messaging_limit(Some(4));
    assert_eq!(client.send("1002", &template("+447700900004", "hello")).await.unwrap().status, 200);
}
