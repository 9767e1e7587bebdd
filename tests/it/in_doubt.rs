//! Requests without an answer that could be understood: perhaps sent, and never sent again blindly.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, Sim, SimConfig};

use crate::process::Process;
use crate::world::{World, audit, count, text};

/// Each answers nothing of use to the first two requests of a number; whether Meta accepted, and what is said of it.
const SPOILT: [(&str, bool, Reason); 8] = [
    ("hang", true, Reason::Timeout),
    ("cut_after", true, Reason::ConnectionLost),
    ("half_json", true, Reason::ConnectionLost),
    ("html_200", true, Reason::Garbled),
    ("no_wamid", true, Reason::Garbled),
    ("garbage", true, Reason::Garbled),
    ("http=502", false, Reason::Garbled),
    ("http=500", false, Reason::Garbled),
];

fn number(slot: usize) -> String {
    format!("100{slot}")
}

fn from(number: &str, mut job: Value) -> Value {
    job["from"] = json!(number);
    job
}

/// One number for each fault.
fn world() -> World {
    let numbers: Vec<String> = (0..SPOILT.len()).map(number).collect();
    let sim = SimConfig::with_numbers(numbers.iter().map(NumberSpec::new));
    let rates: Vec<_> = numbers.iter().map(|id| (id.as_str(), "80/s")).collect();
    let mut world = World::with(sim, &rates);
    world.set("cloud_api.connect_timeout", "1s");
    world.set("cloud_api.request_timeout", "2s");
    let fault =
        |(slot, (fault, ..)): (usize, &(&str, bool, Reason))| format!("number={},first=1,{fault}", number(slot));
    let faults: Vec<String> = SPOILT.iter().enumerate().map(fault).collect();
    world.faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    world
}

#[tokio::test]
async fn with_leave_a_job_in_doubt_is_never_sent_again() {
    let world = world();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..SPOILT.len()).map(|slot| from(&number(slot), text(&number(slot), "normal"))).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    for (slot, (fault, _, reason)) in SPOILT.iter().enumerate() {
        let in_doubt = |state| matches!(state, State::Unknown | State::Unresolved);
        let row = world.row_when(&ledger, &number(slot), |row| in_doubt(row.state)).await;
        let told = (row.state, row.reason);
        assert!(told == (State::Unknown, Some(*reason)) || row.state == State::Unresolved, "{fault}: {told:?}");
    }
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Unresolved, SPOILT.len())].into());
    for row in &rows {
        assert_eq!((row.reason, row.attempts), (Some(Reason::Left), 1), "{}", row.id);
    }
    let totals = world.oracle().totals();
    let taken = SPOILT.iter().filter(|(_, taken, _)| *taken).count() as u64;
    assert_eq!((totals.accepted, totals.refused + totals.dropped), (taken, SPOILT.len() as u64 - taken));
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_one_time_password_in_doubt_is_sent_again_after_the_wait() {
    let world = world();
    let ledger = world.beside().await;
    let job = |slot: usize| {
        let mut job = from(&number(slot), text(&number(slot), "urgent"));
        job.as_object_mut().expect("a job").remove("on_unknown");
        job["category"] = json!("authentication");
        job["message"] = json!({"type": "template", "template": {"name": "otp", "language": {"code": "en"}}});
        job
    };
    world.enqueue(&ledger, &(0..SPOILT.len()).map(job).collect::<Vec<_>>()).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let entries = world.oracle().accepted_entries();
    for (slot, (fault, taken, _)) in SPOILT.iter().enumerate() {
        let row = world.row(&ledger, &number(slot)).await;
        assert_eq!((row.state, row.attempts), (State::Accepted, 2), "{fault}");
        let sent = entries.iter().filter(|entry| *entry.number == *number(slot)).count();
        assert_eq!(sent, 1 + usize::from(*taken), "{fault}");
        let trail = ledger.trail(row.key).await.expect("a trail");
        assert_eq!(trail.last().expect("it was resent").reason, Reason::Resent, "{fault}");
    }
}

#[tokio::test]
async fn a_request_that_is_cut_before_meta_reads_it_is_never_doubled() {
    let world = World::new();
    world.faults(&["first=3,cut_before"]);
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..20).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    let unresolved = count(&rows).get(&State::Unresolved).copied().unwrap_or(0);
    assert!(unresolved <= 3, "{:?}", count(&rows));
    assert_eq!(count(&rows)[&State::Accepted], 20 - unresolved);
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn while_meta_cannot_be_reached_no_attempt_is_charged() {
    let first = Sim::spawn_thread(SimConfig::with_numbers([NumberSpec::new("1001")])).expect("a free port");
    let address: SocketAddr = first.address();
    first.stop().await.expect("it stops");
    let mut world = World::new();
    world.set("cloud_api.base_url", &format!("http://{address}"));
    world.set("retry.attempts", "1");
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..5).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let mut expiring = text("expiring", "bulk");
    expiring["ttl"] = json!("3s");
    world.enqueue(&ledger, &[expiring]).await;
    let worker = world.start();
    // Three seconds without Meta.
    let row = world.row_when(&ledger, "expiring", |row| row.state == State::Expired).await;
    let late = row.ended_at.expect("it has ended").since(row.expires_at);
    assert!(late < Duration::from_secs(4), "it ended {late:?} after its time");
    let config = SimConfig { listen: address, ..SimConfig::with_numbers([NumberSpec::new("1001")]) };
    let meta = Sim::spawn_thread(config).expect("the port is still free");
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 5), (State::Expired, 1)].into());
    audit(&rows, &meta.oracle());
}

#[tokio::test]
async fn a_person_decides_what_became_of_a_job_in_doubt() {
    let mut world = World::new();
    world.set("unknown.wait.others", "10m");
    world.faults(&["first=3,html_200"]);
    let ledger = world.beside().await;
    let ids = ["sent", "resend", "leave"];
    world.enqueue(&ledger, &ids.map(|id| text(id, "normal"))).await;
    let worker = world.start();
    for id in ids {
        world.row_when(&ledger, id, |row| row.state == State::Unknown).await;
        assert_eq!(Process::run(&world, &format!("unknown resolve {id} --{id} --yes")).0, Some(0), "{id}");
    }
    world.all_ended(&ledger).await;
    worker.stop();
    for (id, state, attempts) in
        [("sent", State::Accepted, 1), ("resend", State::Accepted, 2), ("leave", State::Unresolved, 1)]
    {
        let row = world.row(&ledger, id).await;
        assert_eq!((row.state, row.attempts), (state, attempts), "{id}");
    }
    assert_eq!(world.oracle().accepted(), 4);
}
