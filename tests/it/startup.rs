//! What a start refuses.

use rusqlite::Connection;

use crate::process::Process;
use crate::world::{World, text};

/// As a binary does that brings so many versions more.
fn migrate_further(world: &World, versions: u32) {
    let file = Connection::open(world.path().join("ledger.db")).expect("the ledger's file");
    let sql = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
        SELECT version + ?1, 'later', applied_on, checksum FROM refinery_schema_history ORDER BY version DESC LIMIT 1";
    assert_eq!(file.execute(sql, [versions]).expect("its history"), 1);
}

#[tokio::test]
async fn a_ledger_of_a_much_newer_schema_is_refused() {
    let world = World::new();
    drop(world.beside().await);
    migrate_further(&world, 2);
    for command in ["run", "jobs list", "send --to +447700900123 --text hello"] {
        let (code, said) = Process::run(&world, command);
        assert_eq!(code, Some(1), "{command}: {said}");
        assert!(said.contains("ledger has schema") && said.contains("a newer tidegate"), "{command}: {said}");
    }
    assert_eq!(world.oracle().accepted(), 0);
}

#[tokio::test]
async fn a_ledger_of_the_next_schema_is_worked_with() {
    let world = World::new();
    drop(world.beside().await);
    migrate_further(&world, 1);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 1);
}

#[tokio::test]
async fn a_start_that_only_checks_refuses_a_ledger_without_a_schema() {
    let mut world = World::new();
    world.set("migrate", "check");
    let (code, said) = Process::run(&world, "run");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("tidegate migrate"), "{said}");
    assert_eq!(Process::run(&world, "migrate").0, Some(0));
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(world.oracle().accepted(), 1);
}

#[tokio::test]
async fn every_problem_of_a_configuration_is_told_at_once() {
    let mut world = World::new();
    world.set("worker.dran", "1s");
    world.set("cloud_api.request_timeout", "1h");
    world.set("retry.base", "10m");
    world.set("numbers[0].rate", "fast");
    world.set("quality.weights.green", "7");
    world.set("log.format", "xml");
    let (code, said) = Process::run(&world, "run");
    assert_eq!(code, Some(78), "{said}");
    for key in
        ["worker.drain", "cloud_api.request_timeout", "retry.base", "rate", "quality.weights.green", "log.format"]
    {
        assert!(said.contains(key), "{key}: {said}");
    }
    assert_eq!(world.oracle().accepted(), 0);
}
