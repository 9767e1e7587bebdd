//! Holds placed and lifted beside a running worker: what they stop, and what goes on.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock;
use tidegate::hold::{Cover, Effect, Hold, HoldOrder, Scope};
use tidegate::ledger::Ledger;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, SimConfig};

use crate::world::{World, audit, count, text};

async fn hold(ledger: &Ledger, cover: Cover, effect: Effect) -> Hold {
    let order = HoldOrder { cover, effect, reason: Reason::Operator, who: "test".into(), until: None, probe: false };
    ledger.place(order, clock::now().wall).await.expect("the ledger places it")
}

async fn lift(ledger: &Ledger, hold: &Hold) {
    assert!(ledger.lift(hold.id, clock::now().wall).await.expect("the ledger lifts it"));
}

fn with(key: &str, value: &str, mut job: Value) -> Value {
    job[key] = json!(value);
    job
}

fn template(id: &str, name: &str) -> Value {
    let mut job = text(id, "normal");
    job["message"] = json!({"type": "template", "template": {"name": name, "language": {"code": "en_US"}}});
    job
}

fn two_numbers() -> World {
    let numbers = ["1001", "1002"].map(NumberSpec::new);
    World::with(SimConfig::with_numbers(numbers), &[("1001", "80/s"), ("1002", "80/s")])
}

/// A worker that sends: it has its leases and its connections.
async fn warm(world: &World, ledger: &Ledger) -> u64 {
    world.enqueue(ledger, &[text("first", "normal")]).await;
    world.accepted(1).await;
    world.oracle().accepted()
}

#[tokio::test]
async fn under_a_hold_over_everything_nothing_is_sent_until_it_is_lifted() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let placed = hold(&ledger, Cover::of(Scope::Everything, ""), Effect::Wait).await;
    // A worker hears of it within milliseconds; a job handed in later meets it for certain, at its admission.
    let jobs: Vec<_> = (0..20).map(|n| text(&format!("job-{n}"), "urgent")).collect();
    world.enqueue(&ledger, &jobs).await;
    world.enqueue(&ledger, &[with("ttl", "2s", text("clock", "urgent"))]).await;
    // Two seconds in which the number was free.
    world.row_when(&ledger, "clock", |row| row.state == State::Expired).await;
    assert_eq!(world.oracle().accepted(), sent);
    lift(&ledger, &placed).await;
    world.accepted(sent + 20).await;
    world.all_ended(&ledger).await;
    worker.stop();
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_worker_that_is_started_held_sends_nothing_until_the_hold_is_lifted() {
    let world = World::new();
    let ledger = world.beside().await;
    let mut jobs: Vec<_> = (0..20).map(|n| text(&format!("job-{n}"), "normal")).collect();
    jobs.push(with("ttl", "3s", text("clock", "normal")));
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start_held();
    world.row_when(&ledger, "clock", |row| row.state == State::Expired).await;
    assert_eq!(world.oracle().accepted(), 0);
    let placed = ledger.holds().await.expect("holds").remove(0);
    assert_eq!((placed.cover.scope, placed.who.as_str()), (Scope::Everything, "run --held"));
    lift(&ledger, &placed).await;
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 20);
}

#[tokio::test]
async fn a_held_number_sends_nothing_and_the_others_of_its_pool_send_for_it() {
    let world = two_numbers();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let placed = hold(&ledger, Cover::of(Scope::Number, "1001"), Effect::Wait).await;
    let mut jobs: Vec<_> = (0..40).map(|n| text(&format!("any-{n}"), "normal")).collect();
    jobs.extend((0..10).map(|n| with("from", "1001", text(&format!("pinned-{n}"), "urgent"))));
    world.enqueue(&ledger, &jobs).await;
    world.accepted(sent + 40).await;
    let by_held = |entry: &tidegate::sim::Entry| &*entry.number == "1001" && entry.seq > sent;
    assert!(!world.oracle().accepted_entries().iter().any(by_held), "the held number sent");
    lift(&ledger, &placed).await;
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    let pinned = rows.iter().filter(|row| row.id.starts_with("pinned"));
    assert!(pinned.clone().all(|row| row.number.as_deref() == Some("1001")));
    assert_eq!(count(&rows), [(State::Accepted, 51)].into());
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_held_campaign_or_template_waits_and_everything_else_goes_on() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let campaign = hold(&ledger, Cover::of(Scope::Campaign, "spring"), Effect::Wait).await;
    let of_template = hold(&ledger, Cover::of(Scope::Template, "sale/en_US"), Effect::Wait).await;
    let mut jobs = Vec::new();
    for n in 0..10 {
        jobs.push(with("campaign", "spring", text(&format!("spring-{n}"), "normal")));
        jobs.push(with("campaign", "autumn", text(&format!("autumn-{n}"), "normal")));
        jobs.push(template(&format!("sale-{n}"), "sale"));
        jobs.push(template(&format!("news-{n}"), "news"));
    }
    world.enqueue(&ledger, &jobs).await;
    world.accepted(sent + 20).await;
    for n in 0..10 {
        for (name, placed) in [("spring", &campaign), ("sale", &of_template)] {
            let row = world.row_when(&ledger, &format!("{name}-{n}"), |row| row.hold.is_some()).await;
            assert_eq!((row.state, row.hold.map(|hold| hold.id)), (State::Waiting, Some(placed.id)));
        }
    }
    assert_eq!(world.oracle().accepted(), sent + 20);
    lift(&ledger, &campaign).await;
    world.accepted(sent + 30).await;
    lift(&ledger, &of_template).await;
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 41)].into());
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn a_hold_that_ends_jobs_suppresses_those_that_meet_it() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let opted_out = text("opted-out", "normal");
    let person = opted_out["to"].as_str().expect("a recipient");
    hold(&ledger, Cover::of(Scope::Recipient, person), Effect::End).await;
    hold(&ledger, Cover::of(Scope::Campaign, "spring"), Effect::End).await;
    let other = with("campaign", "spring", text("called-off", "normal"));
    world.enqueue(&ledger, &[opted_out, other, text("welcome", "normal")]).await;
    world.all_ended(&ledger).await;
    worker.stop();
    for (id, state) in
        [("opted-out", State::Suppressed), ("called-off", State::Suppressed), ("welcome", State::Accepted)]
    {
        assert_eq!(world.row(&ledger, id).await.state, state, "{id}");
    }
    assert_eq!(world.oracle().accepted(), sent + 1);
}

#[tokio::test]
async fn a_hold_of_one_category_stops_that_category_only() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let marketing = with("category", "marketing", template("marketing", "sale"));
    let utility = with("category", "utility", template("utility", "receipt"));
    let recipient = marketing["to"].as_str().expect("a recipient").to_owned();
    let cover = Cover::of(Scope::Recipient, &*recipient).category(tidegate::job::Category::Marketing);
    let placed = hold(&ledger, cover, Effect::Wait).await;
    world.enqueue(&ledger, &[marketing, with("to", &recipient, utility)]).await;
    world.accepted(sent + 1).await;
    assert_eq!(world.row_when(&ledger, "utility", |row| row.state.has_ended()).await.state, State::Accepted);
    world.row_when(&ledger, "marketing", |row| row.hold.as_ref().is_some_and(|hold| hold.id == placed.id)).await;
    lift(&ledger, &placed).await;
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), sent + 2);
}

#[tokio::test]
async fn a_hold_with_an_end_ends_by_itself() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let sent = warm(&world, &ledger).await;
    let until = clock::now().wall + std::time::Duration::from_secs(2);
    let cover = Cover::of(Scope::Campaign, "spring");
    let (effect, reason, who) = (Effect::Wait, Reason::Operator, "test".to_owned());
    let order = HoldOrder { cover, effect, reason, who, until: Some(until), probe: false };
    ledger.place(order, clock::now().wall).await.expect("the ledger places it");
    world.enqueue(&ledger, &[with("campaign", "spring", text("a", "normal"))]).await;
    world.all_ended(&ledger).await;
    worker.stop();
    let row = world.row(&ledger, "a").await;
    assert_eq!(row.state, State::Accepted);
    assert!(row.accepted_at.expect("it is accepted") >= until, "it went before its hold ended");
    assert_eq!(world.oracle().accepted(), sent + 1);
}

#[tokio::test]
async fn a_hold_that_is_tried_at_its_end_lets_what_is_parked_go_though_nothing_else_happens() {
    let world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    warm(&world, &ledger).await;
    let until = Some(clock::now().wall + Duration::from_secs(2));
    let cover = Cover::of(Scope::Template, "spring_sale/en_US");
    let reason = Reason::TemplatePaused;
    let order = HoldOrder { cover, effect: Effect::Wait, reason, who: "test".into(), until, probe: true };
    ledger.place(order, clock::now().wall).await.expect("the ledger places it");
    let jobs: Vec<_> = (0..10).map(|n| template(&format!("job-{n}"), "spring_sale")).collect();
    world.enqueue(&ledger, &jobs).await;
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows)[&State::Accepted], 11);
    assert!(ledger.holds().await.expect("the ledger answers").is_empty(), "who came through lifted it");
}

#[tokio::test]
async fn a_number_whose_requests_hang_leaves_connections_to_the_others() {
    let numbers = ["1001", "1002", "1003"].map(|id| NumberSpec::new(id).with_mps(1_000));
    let mut world =
        World::with(SimConfig::with_numbers(numbers), &[("1001", "1000/s"), ("1002", "1000/s"), ("1003", "1000/s")]);
    world.set("cloud_api.request_timeout", "10s");
    world.sim.set_faults(vec!["number=1001,hang".parse().expect("a fault")]);
    let ledger = world.beside().await;
    let hanging: Vec<_> = (0..600).map(|n| with("from", "1001", text(&format!("hang-{n}"), "normal"))).collect();
    world.enqueue(&ledger, &hanging).await;
    let worker = world.start();
    // As many hang as ever will: a number's share of the connections.
    world.accepted(200).await;
    let others: Vec<_> = (0..200).map(|n| with("from", "1002", text(&format!("fine-{n}"), "normal"))).collect();
    world.enqueue(&ledger, &others).await;
    let fine = world.row_when(&ledger, "fine-199", |row| row.state == State::Accepted).await;
    let hung = world.rows(&ledger).await.iter().filter(|row| row.state == State::Unknown).count();
    assert_eq!((fine.number.as_deref(), hung), (Some("1002"), 0), "long before the others time out");
    drop(worker);
}
