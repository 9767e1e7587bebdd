//! Statuses come back, each is booked once, and apps hear of them in order.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tidegate::outcome::State;
use tidegate::sim::WebhookConfig;

use super::{Place, Stage, accepted_by_job, events, everywhere, quick, simulated, url_in};
use crate::process::Process;
use crate::world::{count, text, until};

everywhere! {
    every_message_ends_as_its_phone_says_and_is_booked_once
}

const JOBS: usize = 200;
const RANKS: [&str; 4] = ["accepted", "sent", "delivered", "read"];

async fn every_message_ends_as_its_phone_says_and_is_booked_once(place: Place) {
    let webhooks = WebhookConfig {
        read_share: 0.6,
        only_read_share: 0.2,
        repeat_share: 0.3,
        disorder_share: 0.3,
        most_in_one_post: 40,
        ..quick()
    };
    let stage = Stage::new(place, simulated(&["1001", "1002"], webhooks));
    let ledger = stage.world.beside().await;
    let jobs: Vec<_> = (0..JOBS)
        .map(|n| {
            let mut job = text(&format!("job-{n}"), "normal");
            job["metadata"] = serde_json::json!({ "order": n });
            job
        })
        .collect();
    stage.world.enqueue(&ledger, &jobs).await;
    let mut process = Process::start(&stage.world, "run");
    let board = url_in(&process.until_said("status page on http://"));
    stage.world.sim.set_webhook_url(url_in(&process.until_said("webhooks on http://")));
    until(&ledger, "every phone answers", async || {
        let counts = count(&stage.world.rows(&ledger).await);
        let arrived = [State::Delivered, State::Read].map(|state| counts.get(&state).copied().unwrap_or(0));
        (arrived.iter().sum::<usize>() == JOBS).then_some(())
    })
    .await;
    stage.heard(&ledger).await;

    let told = stage.world.sim.webhook_counts();
    let read = usize::try_from(told.planned["read"]).expect("few");
    let rows = stage.world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Delivered, JOBS - read), (State::Read, read)].into());
    assert!(told.repeats > 0 && told.disordered > 0, "{told:?}");
    let entries = stage.world.oracle().accepted_entries();
    let sent = accepted_by_job(&entries);
    for row in &rows {
        let there = &sent[&row.key.to_string()];
        assert_eq!((there.len(), row.attempts), (1, 1), "{}", row.id);
        assert_eq!(row.wamid, there[0].wamid, "{}", row.id);
        assert!(row.cost_type.is_some() && row.cost_category.is_some(), "{} has no price", row.id);
        assert!(row.accepted_at.is_some() && row.ended_at.is_some(), "{}", row.id);
        assert_eq!(row.read_at.is_some(), row.state == State::Read, "{}", row.id);
    }
    assert_eq!(booked(&board), JOBS as u64, "each price is booked once");

    let mut by_job: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events(&ledger).await {
        by_job.entry(event.job.clone()).or_default().push(serde_json::from_str(&event.body).expect("JSON"));
    }
    assert_eq!(by_job.len(), JOBS);
    for row in &rows {
        let told = &by_job[&row.id];
        let ranks: Vec<_> =
            told.iter().map(|event| RANKS.iter().position(|rank| event["state"] == *rank).expect("a state")).collect();
        assert!(ranks.is_sorted_by(|one, next| one < next), "{}: {ranks:?}", row.id);
        assert_eq!(told.last().expect("there is one")["state"], row.state.as_str(), "{}", row.id);
        let order: usize = row.id.trim_start_matches("job-").parse().expect("a number");
        assert!(told.iter().all(|event| event["metadata"]["order"] == order), "{}", row.id);
    }
    process.terminate();
    assert_eq!(process.ended().0, Some(0));
}

/// How many prices the process has booked, by its own metrics.
fn booked(board: &str) -> u64 {
    let address = board.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let series = answer.lines().filter(|line| line.starts_with("tidegate_priced_total{"));
    series.map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count")).sum()
}
