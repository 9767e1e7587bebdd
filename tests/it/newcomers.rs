//! Numbers that an account gets while workers run: with `fleet.discover = "all"` they send, else they do not.

use serde_json::json;
use tidegate::app;
use tidegate::clock;
use tidegate::ledger::sqlite::Access;
use tidegate::ledger::{Ledger, WORKER};
use tidegate::outcome::State;
use tidegate::sim::{NumberSpec, SimConfig};

use crate::accounts::start_on;
use crate::listing::listed;
use crate::process::Process;
use crate::world::{World, audit, text, until};

/// One number, 1001, as the account lists it.
fn world(settings: &[(&str, &str)]) -> World {
    let mut world = World::with(SimConfig::with_numbers([NumberSpec::new("1001")]), &[]);
    world.set("cloud_api.waba", "2001");
    settings.iter().for_each(|(key, value)| world.set(key, value));
    world
}

fn from(from: &str, id: &str) -> serde_json::Value {
    let mut job = text(id, "normal");
    job["from"] = json!(from);
    job
}

/// One of level STANDARD, which Meta counts with some room for what a busy machine does to the network's jitter.
fn add(world: &World, id: &str) {
    assert!(world.sim.add_number(NumberSpec::new(id).with_mps(100)).expect("there can be one"), "it was not there");
}

fn sync(world: &World) {
    let (code, said) = Process::run(world, "numbers sync");
    assert_eq!(code, Some(0), "{said}");
}

async fn owner(ledger: &Ledger, number: &str) -> Option<uuid::Uuid> {
    let rows = ledger.leases(clock::now().wall).await.expect("the ledger answers");
    rows.into_iter().find(|row| row.name == format!("number:{number}")).and_then(|row| row.owner).map(|owner| owner.0)
}

#[tokio::test]
async fn a_number_that_is_added_sends_once_the_fleet_is_read_and_keeps_its_limit() {
    let world = world(&[("fleet.discover", "all")]);
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[from("1001", "first")]).await;
    world.accepted(1).await;
    // Nobody knows it, and the next reading is minutes away: these wait.
    let jobs: Vec<_> = (0..200).map(|n| from("1002", &format!("job-{n}"))).collect();
    world.enqueue(&ledger, &jobs).await;
    add(&world, "1002");
    sync(&world);
    world.all_ended(&ledger).await;
    assert_eq!(world.oracle().accepted(), 201);
    assert_eq!(world.oracle().totals().refused, 0, "nothing for throughput either");
    let seen = until(&ledger, "it is in the picture", async || {
        let rows = ledger.fleet_list(WORKER.to_owned()).await.expect("the ledger answers");
        rows.into_iter().find(|row| row.fields.contains("\"1002\""))
    });
    assert!(seen.await.fields.contains("\"1001\""));
    let list = listed(&world);
    let number = list.as_array().expect("a list").iter().find(|row| row["id"] == "1002").expect("it is listed");
    assert_eq!((&number["pool"], &number["status"]), (&json!("default"), &json!("CONNECTED")));
    assert!(number["owner"].is_string() && number["now"]["limit"] == json!(80.0), "{number}");
    worker.stop();
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_newcomer_joins_the_pool_that_names_it_on_every_worker_and_within_one_reading() {
    let mut world = world(&[("fleet.discover", "all"), ("fleet.refresh", "1s"), ("lease.renew", "200ms")]);
    for (key, value) in [("pools[0].name", "shop"), ("pools[0].numbers[0]", "1002"), ("pools[0].numbers[1]", "1003")] {
        world.set(key, value);
    }
    let ledger = app::open_ledger(&world.config(), Access::Worker).await.expect("the ledger opens");
    let workers = [start_on(&world, &ledger), start_on(&world, &ledger)];
    let jobs: Vec<_> = (0..40).map(|n| from("shop", &format!("shop-{n}"))).collect();
    world.enqueue(&ledger, &[&jobs[..], &[from("1002", "named"), from("1001", "first")]].concat()).await;
    world.accepted(1).await;
    add(&world, "1002");
    add(&world, "1003");
    world.all_ended(&ledger).await;
    assert_eq!(world.row(&ledger, "named").await.number.as_deref(), Some("1002"));
    for row in world.rows(&ledger).await.iter().filter(|row| row.id.starts_with("shop")) {
        assert_ne!(row.number.as_deref(), Some("1001"), "{}", row.id);
    }
    // Three numbers for two workers: both know the newcomers, or one of them had none or all.
    until(&ledger, "both workers own numbers", async || {
        let owners = [owner(&ledger, "1001").await?, owner(&ledger, "1002").await?, owner(&ledger, "1003").await?];
        (owners.iter().any(|one| *one != owners[0])).then_some(())
    })
    .await;
    for (stop, thread) in workers {
        stop.cancel();
        thread.join().expect("the worker did not panic");
    }
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_second_number_does_not_join_a_sole_one_and_stops_nothing() {
    let world = world(&[("ops.listen", "127.0.0.1:0")]);
    let ledger = world.beside().await;
    let mut worker = Process::start(&world, "run");
    world.enqueue(&ledger, &[text("first", "normal")]).await;
    world.accepted(1).await;
    add(&world, "1002");
    world.enqueue(&ledger, &[from("1002", "named")]).await;
    sync(&world);
    worker.until_said("one more number now, 1002");
    sync(&world);
    world.enqueue(&ledger, &[text("second", "normal")]).await;
    world.accepted(2).await;
    worker.terminate();
    let (code, said) = worker.ended();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("one more number now").count(), 1, "{said}");
    assert_eq!(owner(&ledger, "1002").await, None);
    assert_eq!(world.row(&ledger, "named").await.state, State::Queued);
    assert!(world.oracle().accepted_entries().iter().all(|entry| entry.number.to_string() == "1001"));
}

#[tokio::test]
async fn nobody_joins_a_list_of_numbers() {
    let mut world = world(&[("fleet.discover", "all"), ("fleet.refresh", "1s")]);
    world.set("numbers[0].id", "1001");
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("first", "normal"), from("1002", "named")]).await;
    world.accepted(1).await;
    add(&world, "1002");
    let read_at =
        async || ledger.fleet_get("number".to_owned(), "1001".to_owned()).await.expect("rows").map(|row| row.read_at);
    let before = until(&ledger, "it was read", read_at).await;
    for after in [before, clock::now().wall] {
        until(&ledger, "it is read again", async || read_at().await.filter(|at| *at > after)).await;
    }
    worker.stop();
    assert_eq!(world.row(&ledger, "named").await.state, State::Queued);
    assert_eq!(world.oracle().accepted(), 1);
}

#[cfg(feature = "services")]
#[tokio::test]
async fn jobs_of_the_broker_that_name_a_newcomer_go_by_it() {
    let sim = SimConfig::with_numbers([NumberSpec::new("1001")]);
    let mut shared = crate::shared::Shared::over(sim, &[]);
    for (key, value) in [("cloud_api.waba", "2001"), ("fleet.discover", "all")] {
        shared.world.set(key, value);
    }
    shared.connect();
    shared.declare(&["default"]).await;
    let (producer, ledger) = (shared.producer().await, shared.ledger().await);
    let worker = shared.world.start();
    producer.publish("default.normal", &[text("first", "normal"), from("1002", "early")]).await;
    shared.world.accepted(1).await;
    add(&shared.world, "1002");
    sync(&shared.world);
    // By then the worker knows how it is displayed.
    until(&ledger, "it has an owner", async || owner(&ledger, "1002").await).await;
    let jobs: Vec<_> = (0..100).map(|n| from("+15550001002", &format!("job-{n}"))).collect();
    producer.publish("default.normal", &jobs).await;
    shared.world.accepted(102).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    let rows = shared.world.rows(&ledger).await;
    assert!(rows.iter().filter(|row| row.id != "first").all(|row| row.number.as_deref() == Some("1002")));
    assert_eq!(ledger.census().await.expect("a census").dead, 0, "each found its number");
    audit(&rows, &shared.world.oracle());
}
