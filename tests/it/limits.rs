//! Meta's limits at a portfolio's and a pair's edge: reached, and never passed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::app::{Role, RunOptions};
use tidegate::clock;
use tidegate::hold::Scope;
use tidegate::job::JobKey;
use tidegate::ledger::Ledger;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, Oracle, SimConfig, WabaSpec, WebhookConfig};
use tokio::sync::watch;

use crate::gateway::{APP_SECRET, with_webhooks};
#[cfg(feature = "services")]
use crate::shared::Shared;
use crate::world::{Running, World, audit, text, until};

/// What the limit of the portfolio is here, and what its reserve leaves to ordinary jobs.
const LIMIT: usize = 250;
const ORDINARY: usize = 225;
/// Messages to these people are reported as failed, once webhooks are told where to go.
const FAILING: usize = 10;
const FAILS: &str = "77";
/// On the scaled clock, 24 hours.
const DAY: Duration = Duration::from_secs(10);

/// A template to somebody nobody else is.
fn template(id: &str, priority: &str, person: &str) -> Value {
    json!({
        "id": id, "to": person, "priority": priority, "on_unknown": "leave", "category": "marketing",
        "message": {"type": "template", "template": {"name": "sale", "language": {"code": "en_US"}}}
    })
}

fn person(n: usize, suffix: &str) -> String {
    format!("+999{n:07}{suffix}")
}

fn templates(name: &str, priority: &str, from: usize, count: usize) -> Vec<Value> {
    (from..from + count).map(|n| template(&format!("{name}-{n}"), priority, &person(n, "00"))).collect()
}

/// A simulator whose portfolio has its limit, and fails some messages later.
fn limited(numbers: &[&str], limit: usize) -> SimConfig {
    let failed = vec![format!("code=131026,recipient_suffix={FAILS}").parse().expect("a share")];
    let webhooks = WebhookConfig { scale: 0.01, failed, ..WebhookConfig::new("", APP_SECRET) };
    SimConfig {
        messaging_limit: Some(u32::try_from(limit).expect("small")),
        webhooks: Some(webhooks),
        ..SimConfig::with_numbers(numbers.iter().map(|id| NumberSpec::new(*id).with_mps(80)))
    }
}

fn set_limit(world: &mut World) {
    with_webhooks(world);
    world.set("quota.limit", &LIMIT.to_string());
    world.set("quota.reserve", "0.1");
}

fn people(oracle: &Oracle) -> BTreeSet<String> {
    oracle.accepted_entries().into_iter().map(|entry| entry.recipient).collect()
}

/// A stall of a busy machine may have single requests refused with 130429, but none with these codes.
fn refused(oracle: &Oracle, code: u32) -> u64 {
    oracle.stats().refused_by_code.get(&code).copied().unwrap_or(0)
}

/// How often anything was noted about the jobs that wait: a job that goes to and fro leaves a trail.
async fn trails(world: &World, ledger: &Ledger) -> (usize, usize) {
    let rows = world.rows(ledger).await;
    let waiting: Vec<JobKey> = rows.iter().filter(|row| !row.state.has_ended()).map(|row| row.key).collect();
    let mut noted = 0;
    for key in waiting.iter().step_by(7) {
        noted += ledger.trail(*key).await.expect("a trail").len();
    }
    (waiting.len(), noted)
}

/// Waits two seconds by a job that expires, as no sleep would be seen to be one.
async fn two_seconds_pass(world: &World, ledger: &Ledger, id: &str) {
    let mut clock = template(id, "bulk", &person(9_000_000 + id.len(), "00"));
    clock["ttl"] = json!("2s");
    world.enqueue(ledger, &[clock]).await;
    world.row_when(ledger, id, |row| row.state == State::Expired).await;
}

/// Starts a worker that takes webhooks in, and says where.
fn start_listening(world: &World) -> (Running, watch::Receiver<Option<SocketAddr>>) {
    let (told, address) = watch::channel(None);
    let roles = vec![Role::Sender, Role::Keeper, Role::Gateway];
    (world.start_with(RunOptions { roles, webhook_address: Some(told), ..RunOptions::default() }), address)
}

/// All that the limit promises, before so many workers.
async fn the_limit_is_reached_and_never_passed(world: &World, others: usize) {
    let ledger = world.beside().await;
    let oracle = world.oracle();
    let failing: Vec<Value> =
        (0..FAILING).map(|n| template(&format!("failing-{n}"), "normal", &person(n, FAILS))).collect();
    world.enqueue(&ledger, &failing).await;
    let (first, mut address) = start_listening(world);
    let mut workers = vec![first];
    world.accepted(FAILING as u64).await;
    workers.extend((0..others).map(|_| world.start()));
    world.enqueue(&ledger, &templates("ad", "normal", 100, 2_000 - FAILING)).await;
    world.accepted(ORDINARY as u64).await;
    until(&ledger, "all others wait for a place", async || {
        let waiting = ledger.census().await.expect("a census").waiting;
        waiting.contains(&(Reason::MessagingLimit, (2_000 - ORDINARY) as u64)).then_some(())
    })
    .await;
    assert!(ledger.holds().await.expect("holds").iter().any(|hold| hold.cover.scope == Scope::Quota));
    two_seconds_pass(world, &ledger, "first-clock").await;
    assert_eq!(people(&oracle).len(), ORDINARY, "the reserve is not for ordinary jobs");
    let before = trails(world, &ledger).await;
    two_seconds_pass(world, &ledger, "second-clock!").await;
    assert_eq!(trails(world, &ledger).await, before, "jobs go to and fro while nothing happens");

    world.enqueue(&ledger, &templates("password", "urgent", 5_000, 40)).await;
    world.accepted(LIMIT as u64).await;
    two_seconds_pass(world, &ledger, "third-clock!!!").await;
    assert_eq!(people(&oracle).len(), LIMIT);

    let listens = *address.wait_for(Option::is_some).await.expect("it starts");
    world.sim.set_webhook_url(format!("http://{}/webhook/whatsapp", listens.expect("it is told")));
    world.accepted((LIMIT + FAILING) as u64).await;
    two_seconds_pass(world, &ledger, "fourth-clock!!!!!").await;
    assert_eq!(people(&oracle).len(), LIMIT + FAILING);
    assert_eq!(refused(&oracle, 131_048), 0, "the simulator's own count was never passed");
    assert_eq!(oracle.stats().duplicate_jobs, 0);
    for worker in workers {
        worker.stop();
    }
    let rows = world.rows(&ledger).await;
    assert_eq!(rows.iter().filter(|row| row.state == State::Failed).count(), FAILING);
}

#[tokio::test]
async fn a_portfolio_at_its_limit_sends_to_as_many_people_as_it_may_and_to_none_more() {
    let mut world = World::with(limited(&["1001"], LIMIT), &[("1001", "80/s")]);
    set_limit(&mut world);
    the_limit_is_reached_and_never_passed(&world, 0).await;
}

#[cfg(feature = "services")]
#[tokio::test]
async fn three_workers_that_race_for_the_last_places_never_pass_the_limit() {
    let numbers = ["1001", "1002", "1003"];
    let mut shared = Shared::over(limited(&numbers, LIMIT), &numbers);
    set_limit(&mut shared.world);
    shared.connect();
    shared.declare(&["default"]).await;
    the_limit_is_reached_and_never_passed(&shared.world, 2).await;
}

/// The most different people written to within any time of this length.
#[tokio::test]
async fn people_who_are_written_to_again_keep_their_places_and_no_window_holds_more_than_the_limit() {
    let sim = SimConfig { time_scale: 86_400.0 / DAY.as_secs_f64(), pair_limit: false, ..limited(&["1001"], LIMIT) };
    let mut world = World::with(sim, &[("1001", "80/s")]);
    set_limit(&mut world);
    world.set("quota.reserve", "0");
    world.set("quota.window", &format!("{}s", DAY.as_secs()));
    world.set("cloud_api.connect_timeout", "1s");
    world.set("cloud_api.request_timeout", "2s");
    let ledger = world.beside().await;
    let again_at = clock::now().wall + DAY * 23 / 24;
    world.enqueue(&ledger, &templates("first", "normal", 100, LIMIT)).await;
    let again: Vec<Value> = templates("again", "normal", 100, LIMIT)
        .into_iter()
        .map(|mut job| {
            job["not_before"] = json!(again_at.to_string());
            job
        })
        .collect();
    world.enqueue(&ledger, &again).await;
    let worker = world.start();
    world.accepted(LIMIT as u64).await;
    // New people, for whom there is no place before the others' second day is over.
    world.enqueue(&ledger, &templates("new", "normal", 5_000, 100)).await;
    world.accepted(2 * LIMIT as u64).await;
    world.all_ended(&ledger).await;
    worker.stop();
    let oracle = world.oracle();
    assert_eq!(oracle.most_people_within(DAY), LIMIT);
    assert_eq!(refused(&oracle, 131_048), 0);
    audit(&world.rows(&ledger).await, &oracle);
}

#[tokio::test]
async fn sixty_jobs_at_once_to_one_person_leave_in_order_and_are_never_refused() {
    let sim = SimConfig::with_numbers([NumberSpec::new("1001").with_mps(80)]);
    // Meta's 6 s are 100 ms there; the network's jitter may bring two a little closer together than they left.
    let mut world = World::with(SimConfig { time_scale: 60.0, ..sim }, &[("1001", "80/s")]);
    world.set("pair.interval", "110ms");
    let ledger = world.beside().await;
    let jobs = (0..60).map(|n| {
        let mut job = text(&format!("{n:02}"), "normal");
        job["to"] = json!(person(1, "00"));
        job
    });
    world.enqueue(&ledger, &jobs.collect::<Vec<_>>()).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let oracle = world.oracle();
    assert_eq!(refused(&oracle, 131_056), 0);
    let rows = world.rows(&ledger).await;
    let ids: BTreeMap<Option<String>, String> = rows.iter().map(|row| (row.wamid.clone(), row.id.clone())).collect();
    let order: Vec<&String> = oracle.accepted_entries().iter().map(|entry| &ids[&entry.wamid]).collect();
    assert_eq!(order.len(), 60);
    assert!(order.is_sorted(), "{order:?}");
    audit(&rows, &oracle);
}

/// A number of each of two businesses, whose portfolios each have the limit.
fn two_businesses() -> SimConfig {
    let account = |waba: &str, portfolio: &str| WabaSpec { portfolio: portfolio.to_owned(), ..WabaSpec::new(waba) };
    let number = |id: &str, waba: &str| NumberSpec { waba: waba.to_owned(), ..NumberSpec::new(id).with_mps(80) };
    SimConfig {
        wabas: vec![account("102", "55"), account("103", "66")],
        messaging_limit: Some(u32::try_from(LIMIT).expect("small")),
        ..SimConfig::with_numbers([number("1001", "102"), number("1002", "103")])
    }
}

fn set_businesses(world: &mut World) {
    world.set("cloud_api.waba", "102");
    world.set("accounts[0].waba", "103");
    world.set("quota.reserve", "0.1");
}

/// Both in one pool.
fn two_portfolios() -> World {
    let mut world = World::with(two_businesses(), &[("1001", "80/s"), ("1002", "80/s")]);
    set_businesses(&mut world);
    world
}

/// Takes so many places of the portfolio that the first number belongs to.
async fn first_number_writes_to(world: &World, ledger: &Ledger, people: usize) {
    let pinned = templates("first", "normal", 100, people).into_iter().map(|mut job| {
        job["from"] = json!("1001");
        job
    });
    world.enqueue(ledger, &pinned.collect::<Vec<_>>()).await;
    world.accepted(people.min(ORDINARY) as u64).await;
}

fn sent_by(oracle: &Oracle, number: &str) -> usize {
    oracle.accepted_entries().iter().filter(|entry| &*entry.number == number).count()
}

#[tokio::test]
async fn while_a_portfolio_is_at_its_limit_all_that_needs_a_place_goes_by_the_other_of_the_pool() {
    let world = two_portfolios();
    let ledger = world.beside().await;
    let worker = world.start();
    first_number_writes_to(&world, &ledger, ORDINARY + 1).await;
    until(&ledger, "there is no place for the last", async || {
        let holds = ledger.holds().await.expect("holds");
        holds.iter().any(|hold| hold.cover.scope == Scope::Quota && hold.cover.subject == "55").then_some(())
    })
    .await;
    worker.stop();
    world.enqueue(&ledger, &templates("ad", "normal", 1_000, 40)).await;
    let worker = world.start();
    world.accepted((ORDINARY + 40) as u64).await;
    worker.stop();
    let (oracle, rows) = (world.oracle(), world.rows(&ledger).await);
    assert_eq!((sent_by(&oracle, "1001"), sent_by(&oracle, "1002")), (ORDINARY, 40));
    let waiting: Vec<&str> = rows.iter().filter(|row| !row.state.has_ended()).map(|row| row.id.as_str()).collect();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(waiting[0].starts_with("first-"), "only who names the number waits for its places: {waiting:?}");
    assert_eq!(refused(&oracle, 131_048), 0);
}

/// Forty come as the first number has nine places left for them, before so many workers.
async fn all_go_out_by_whom_they_may(world: &World, workers: usize) {
    let ledger = world.beside().await;
    let workers: Vec<Running> = (0..workers).map(|_| world.start()).collect();
    first_number_writes_to(world, &ledger, ORDINARY - 9).await;
    world.enqueue(&ledger, &templates("ad", "normal", 1_000, 40)).await;
    world.all_ended(&ledger).await;
    for worker in workers {
        worker.stop();
    }
    let oracle = world.oracle();
    let by_first = sent_by(&oracle, "1001") - (ORDINARY - 9);
    assert!(by_first <= 9, "{by_first} by the first");
    assert_eq!(sent_by(&oracle, "1002"), 40 - by_first);
    assert_eq!(refused(&oracle, 131_048), 0);
    audit(&world.rows(&ledger).await, &oracle);
}

#[tokio::test]
async fn who_comes_to_wait_as_a_portfolio_reaches_its_limit_goes_by_the_other_of_the_pool() {
    all_go_out_by_whom_they_may(&two_portfolios(), 1).await;
}

#[cfg(feature = "services")]
#[tokio::test]
async fn who_owns_only_numbers_at_their_limit_leaves_the_jobs_to_who_owns_the_others() {
    let mut shared = Shared::over(two_businesses(), &["1001", "1002"]);
    set_businesses(&mut shared.world);
    shared.connect();
    shared.declare(&["default"]).await;
    all_go_out_by_whom_they_may(&shared.world, 2).await;
}
