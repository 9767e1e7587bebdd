//! Requests without an answer: webhooks settle them, and without webhooks each policy does what it says.

use serde_json::{Value, json};
use tidegate::app::Role;
use tidegate::ledger::{JobFilter, JobRow};
use tidegate::outcome::{Reason, State};
use tidegate::sim::{Latency, SimConfig, WebhookConfig};

use super::{Place, Stage, accepted_by_job, accepted_of, everywhere, quick, simulated, start_process};
use crate::world::{count, text, until};

everywhere! {
    webhooks_settle_what_meta_took_without_an_answer
    without_webhooks_each_policy_does_what_it_says
    webhooks_settle_what_a_killed_worker_had_in_flight
}

const POLICIES: [&str; 3] = ["resend", "resend_if_silent", "leave"];
const FAULTS: [&str; 2] = ["hang", "cut_after"];
/// So many of each number's first requests are taken and not answered.
const SPOILT: usize = 4;
const EACH: usize = 8;
const ALL_ROLES: [Role; 3] = [Role::Sender, Role::Keeper, Role::Gateway];

fn text_by(policy: &str, id: &str) -> Value {
    let mut job = text(id, "normal");
    job["on_unknown"] = json!(policy);
    job
}

/// A number for each fault and policy, and its jobs.
fn spoilt(place: Place, webhooks: WebhookConfig) -> (Stage, Vec<Value>) {
    let cells: Vec<_> = FAULTS.iter().flat_map(|fault| POLICIES.map(|policy| (*fault, policy))).collect();
    let numbers: Vec<String> = (1..=cells.len()).map(|n| format!("100{n}")).collect();
    let ids: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut stage = Stage::new(place, simulated(&ids, webhooks));
    stage.world.set("cloud_api.connect_timeout", "1s");
    stage.world.set("cloud_api.request_timeout", "2s");
    let (mut faults, mut jobs) = (Vec::new(), Vec::new());
    for (number, (fault, policy)) in numbers.iter().zip(cells) {
        faults.push(format!("number={number},first={SPOILT},{fault}"));
        for n in 0..EACH {
            let mut job = text_by(policy, &format!("{fault}-{policy}-{n}"));
            job["from"] = json!(number);
            jobs.push(job);
        }
    }
    stage.world.faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    (stage, jobs)
}

const fn is_told(state: State) -> bool {
    matches!(state, State::Sent | State::Delivered | State::Read)
}

async fn webhooks_settle_what_meta_took_without_an_answer(place: Place) {
    let (mut stage, jobs) = spoilt(place, WebhookConfig { delivered_share: 0.7, ..quick() });
    stage.world.set("unknown.wait.others", "50s");
    let ledger = stage.world.beside().await;
    stage.world.enqueue(&ledger, &jobs).await;
    let (worker, url) = stage.start_as(&ALL_ROLES, false).await;
    let in_doubt = FAULTS.len() * POLICIES.len() * SPOILT;
    until(&ledger, "the spoilt ones are in doubt", async || {
        let counts = count(&stage.world.rows(&ledger).await);
        let is_all = counts.get(&State::Accepted) == Some(&(jobs.len() - in_doubt));
        (is_all && counts.get(&State::Unknown) == Some(&in_doubt)).then_some(())
    })
    .await;
    stage.world.sim.set_webhook_url(url);
    stage.heard(&ledger).await;
    worker.stop();
    let rows = stage.world.rows(&ledger).await;
    for row in &rows {
        assert!(is_told(row.state), "{}: {} {:?}", row.id, row.state, row.reason);
        assert_eq!((row.attempts, row.wamid.is_some()), (1, true), "{}", row.id);
    }
    assert_eq!((rows.len(), stage.world.oracle().accepted()), (jobs.len(), jobs.len() as u64));
    assert_eq!(stage.world.oracle().stats().duplicate_jobs, 0);
}

async fn without_webhooks_each_policy_does_what_it_says(place: Place) {
    let (mut stage, jobs) = spoilt(place, quick());
    stage.world.set("unknown.silence", "1s");
    let ledger = stage.world.beside().await;
    stage.world.enqueue(&ledger, &jobs).await;
    let (worker, _url) = stage.start_as(&ALL_ROLES, false).await;
    stage.world.all_ended(&ledger).await;
    worker.stop();
    let rows = stage.world.rows(&ledger).await;
    let entries = stage.world.oracle().accepted_entries();
    let sent = accepted_by_job(&entries);
    for (fault, policy) in FAULTS.iter().flat_map(|fault| POLICIES.map(|policy| (fault, policy))) {
        let cell: Vec<&JobRow> = rows.iter().filter(|row| row.id.starts_with(&format!("{fault}-{policy}-"))).collect();
        let of = |state| cell.iter().filter(|row| row.state == state).count();
        let doubled = cell.iter().filter(|row| accepted_of(&sent, row.key) == 2).count();
        let resends = policy == "resend";
        let left = if resends { 0 } else { SPOILT };
        let told = format!("{fault}, {policy}: {:?}", cell.iter().map(|row| row.state).collect::<Vec<_>>());
        assert_eq!((of(State::Accepted), of(State::Unresolved)), (EACH - left, left), "{told}");
        assert_eq!(doubled, if resends { SPOILT } else { 0 }, "{told}");
        for row in cell.iter().filter(|row| row.state == State::Unresolved) {
            assert_eq!((row.reason, row.attempts), (Some(Reason::Left), 1), "{}", row.id);
        }
    }
}

async fn webhooks_settle_what_a_killed_worker_had_in_flight(place: Place) {
    const JOBS: usize = 300;
    let latency = Latency { median_ms: 300.0, p99_ms: 800.0 };
    let sim = SimConfig { latency, ..simulated(&["1001", "1002"], quick()) };
    let mut stage = Stage::new(place, sim);
    stage.world.set("cloud_api.request_timeout", "3s");
    stage.world.set("unknown.wait.others", "10s");
    stage.world.set("unknown.silence", "3s");
    let ledger = stage.world.beside().await;
    let jobs: Vec<_> = (0..JOBS).map(|n| text_by(POLICIES[n % 3], &format!("job-{n}"))).collect();
    stage.world.enqueue(&ledger, &jobs).await;
    let (process, _gone) = start_process(&stage);
    stage.world.accepted(60).await;
    process.kill();
    let sending = JobFilter { state: Some(State::Sending), limit: 1_000, ..JobFilter::default() };
    let in_flight: Vec<_> =
        ledger.jobs(sending).await.expect("the ledger answers").into_iter().map(|row| row.key).collect();
    let at_kill = stage.world.oracle().accepted_entries();
    let taken = accepted_by_job(&at_kill);
    let lost_answers = in_flight.iter().filter(|key| accepted_of(&taken, **key) == 1).count();
    assert!(lost_answers > 0, "the kill fell between an acceptance and its answer");

    let (process, url) = start_process(&stage);
    stage.world.sim.set_webhook_url(url);
    stage.world.all_ended(&ledger).await;
    stage.heard(&ledger).await;
    process.terminate();
    assert_eq!(process.ended().0, Some(0));
    let rows = stage.world.rows(&ledger).await;
    let entries = stage.world.oracle().accepted_entries();
    let sent = accepted_by_job(&entries);
    assert_eq!(rows.len(), JOBS);
    for row in &rows {
        let times = accepted_of(&sent, row.key);
        let told = format!("{}: {} {:?}, accepted {times} times", row.id, row.state, row.reason);
        // What the kill cut off before Meta had it was never sent: nobody can tell, and the policy decides.
        let is_left = row.state == State::Unresolved && in_flight.contains(&row.key) && times == 0;
        assert!(is_told(row.state) && times == 1 || is_left, "{told}");
    }
}
