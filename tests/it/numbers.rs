//! Which number sends: the one that is named, those of the pool, those that Meta lets.

use std::collections::BTreeMap;

use serde_json::json;
use tidegate::outcome::State;
use tidegate::sim::{NumberChange, NumberSpec, NumberStatus, Quality, SimConfig, ThroughputLevel};

use crate::process::Process;
use crate::world::{World, audit, text};

fn from(from: &str, id: &str) -> serde_json::Value {
    let mut job = text(id, "normal");
    job["from"] = json!(from);
    job
}

/// How many each number sent.
fn shares(world: &World) -> BTreeMap<String, usize> {
    world.oracle().accepted_entries().iter().fold(BTreeMap::new(), |mut shares, entry| {
        *shares.entry(entry.number.to_string()).or_default() += 1;
        shares
    })
}

/// Numbers without a configured rate: what is read of them decides.
fn unrated(numbers: Vec<NumberSpec>) -> World {
    let ids: Vec<String> = numbers.iter().map(|number| number.id.clone()).collect();
    let mut world = World::with(SimConfig::with_numbers(numbers), &[]);
    for (slot, id) in ids.iter().enumerate() {
        world.set(&format!("numbers[{slot}].id"), id);
    }
    world
}

#[tokio::test]
async fn a_job_that_names_a_number_goes_by_that_one_alone() {
    let mut world = World::with(
        SimConfig::with_numbers(["1001", "1002"].map(NumberSpec::new)),
        &[("1001", "80/s"), ("1002", "80/s")],
    );
    world.set("numbers[1].display", "+1 555 000 1002");
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..20).map(|n| from("1001", &format!("id-{n}"))).collect();
    world.enqueue(&ledger, &jobs).await;
    let jobs: Vec<_> = (0..30).map(|n| from("+15550001002", &format!("display-{n}"))).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(shares(&world), [("1001".to_owned(), 20), ("1002".to_owned(), 30)].into());
    for row in world.rows(&ledger).await {
        let named = if row.id.starts_with("id") { "1001" } else { "1002" };
        assert_eq!(row.number.as_deref(), Some(named), "{}", row.id);
    }
}

#[tokio::test]
async fn pools_keep_apart_and_numbers_of_a_pool_send_for_each_other() {
    let ids = ["1001", "1002", "1003"];
    let mut world = World::with(SimConfig::with_numbers(ids.map(NumberSpec::new)), &ids.map(|id| (id, "80/s")));
    world.set("pools[0].name", "shop");
    world.set("pools[0].numbers[0]", "1002");
    world.set("pools[0].numbers[1]", "1003");
    let ledger = world.beside().await;
    let mut jobs: Vec<_> = (0..60).map(|n| from("shop", &format!("shop-{n}"))).collect();
    jobs.extend((0..10).map(|n| text(&format!("default-{n}"), "normal")));
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let shares = shares(&world);
    assert_eq!(shares["1001"], 10);
    assert_eq!(shares["1002"] + shares["1003"], 60);
    assert!(shares["1002"] >= 20 && shares["1003"] >= 20, "{shares:?}");
    for row in world.rows(&ledger).await {
        let is_shops = row.number.as_deref() != Some("1001");
        assert_eq!(is_shops, row.id.starts_with("shop"), "{} went by {:?}", row.id, row.number);
    }
}

#[tokio::test]
async fn a_number_that_meta_restricts_sends_nothing_until_meta_lets_it() {
    let restricted = NumberSpec { status: NumberStatus::Restricted, ..NumberSpec::new("1002") };
    let mut world = unrated(vec![NumberSpec::new("1001"), restricted]);
    world.set("fleet.refresh", "1s");
    let ledger = world.beside().await;
    let worker = world.start();
    let mut jobs: Vec<_> = (0..40).map(|n| text(&format!("job-{n}"), "normal")).collect();
    jobs.push(from("1002", "pinned"));
    world.enqueue(&ledger, &jobs).await;
    world.accepted(40).await;
    assert_eq!(shares(&world), [("1001".to_owned(), 40)].into());
    let change = NumberChange { status: Some(NumberStatus::Connected), ..NumberChange::default() };
    assert!(world.sim.set_number("1002", &change));
    world.row_when(&ledger, "pinned", |row| row.state == State::Accepted).await;
    worker.stop();
    assert_eq!(world.oracle().totals().refused, 0, "Meta was not asked in vain");
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_number_of_low_quality_gets_a_small_share_of_what_others_could_send() {
    let red = NumberSpec { quality: Quality::Red, ..NumberSpec::new("1002") };
    let world = unrated(vec![NumberSpec::new("1001"), red]);
    let ledger = world.beside().await;
    let worker = world.start();
    // Both have been read once both have sent.
    world.enqueue(&ledger, &[from("1001", "first-1"), from("1002", "first-2")]).await;
    world.accepted(2).await;
    for n in 0..66 {
        world.enqueue(&ledger, &[text(&format!("job-{n}"), "normal")]).await;
        world.accepted(3 + n).await;
    }
    worker.stop();
    let of_red = shares(&world)["1002"] - 1;
    // A tenth of the other's weight: 6 of 66.
    assert!((3..=12).contains(&of_red), "{of_red} of 66");
}

#[tokio::test]
async fn a_number_without_a_configured_rate_sends_at_the_level_that_meta_says() {
    let high = NumberSpec { level: ThroughputLevel::High, ..NumberSpec::new("1001") };
    let shared = NumberSpec { coexistence: true, ..NumberSpec::new("1002") };
    let world = unrated(vec![high, shared]);
    let ledger = world.beside().await;
    let mut jobs: Vec<_> = (0..300).map(|n| from("1001", &format!("high-{n}"))).collect();
    jobs.extend((0..50).map(|n| from("1002", &format!("shared-{n}"))));
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let oracle = world.oracle();
    let (high, shared) = (oracle.worst_sliding_second("1001"), oracle.worst_sliding_second("1002"));
    // A second in which the machine stood still may hold a few more or many fewer: the exact count is the pacer's own
    // test, on virtual time.
    assert!(high > 40 && high > shared, "{high} in a second");
    assert!(shared <= 23, "{shared} in a second");
    assert_eq!(oracle.accepted(), 350);
}

#[tokio::test]
async fn the_sole_number_of_an_account_sends_without_being_named() {
    let mut world = World::with(SimConfig::with_numbers([NumberSpec::new("1001")]), &[]);
    world.set("cloud_api.waba", "2001");
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(shares(&world), [("1001".to_owned(), 1)].into());
}

#[tokio::test]
async fn every_number_of_an_account_sends_where_all_may() {
    let mut world = World::with(SimConfig::with_numbers(["1001", "1002"].map(NumberSpec::new)), &[]);
    world.set("cloud_api.waba", "2001");
    world.set("fleet.discover", "all");
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..60).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let shares = shares(&world);
    assert!(shares.len() == 2 && shares.values().all(|share| *share >= 15), "{shares:?}");
}

#[tokio::test]
async fn several_numbers_of_which_none_is_named_are_listed_and_none_sends() {
    let mut world = World::with(SimConfig::with_numbers(["1001", "1002"].map(NumberSpec::new)), &[]);
    world.set("cloud_api.waba", "2001");
    let (code, said) = Process::run(&world, "run");
    assert_eq!(code, Some(1), "{said}");
    for words in ["has 2 numbers", "1001", "1002", "fleet.discover"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
