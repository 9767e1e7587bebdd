//! `tidegate numbers list` beside a running worker: whose a number is, how it does, what keeps it from sending more.

use std::process::Command;

use serde_json::Value;
use tidegate::clock;
use tidegate::ledger::{Ledger, WORKER};
use tidegate::outcome::State;
use tidegate::sim::{NumberSpec, SimConfig};

use crate::process::Process;
use crate::world::{World, count, text, until};

/// What the command prints.
pub fn listed(world: &World) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["numbers", "list", "--output", "json"]).args(world.flags()).current_dir(world.path()).env_clear();
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Waits until the worker has said this of its number.
async fn says(ledger: &Ledger, words: &str) {
    until(ledger, words, async || {
        let rows = ledger.fleet_list(WORKER.to_owned()).await.expect("the ledger answers");
        rows.iter().any(|row| row.fields.contains(&format!("\"why\":\"{words}\""))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_list_says_what_keeps_each_number_from_sending_more() {
    let world = World::with(
        tidegate::sim::SimConfig::with_numbers([tidegate::sim::NumberSpec::new("1001")]),
        &[("1001", "20/s")],
    );
    let ledger = world.beside().await;
    let idle = listed(&world);
    assert_eq!(
        (&idle[0]["why"], &idle[0]["now"], &idle[0]["owner"]),
        (&"not_leased".into(), &Value::Null, &Value::Null)
    );
    let worker = world.start();
    says(&ledger, "no_work").await;
    let jobs: Vec<_> = (0..600).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    says(&ledger, "configured").await;
    let busy = listed(&world);
    let number = &busy[0];
    assert_eq!((&number["why"], &number["configured_rate"]), (&"configured".into(), &"20/s".into()));
    assert_eq!((&number["now"]["limit"], &number["now"]["failures"]), (&20.0.into(), &0.into()));
    assert!(number["now"]["rate"].as_f64().is_some_and(|rate| (1.0..=20.0).contains(&rate)), "{number}");
    assert!(
        number["owner"].is_string() && number["leased_until"].as_str().is_some_and(|at| at.ends_with('Z')),
        "{number}"
    );

    assert_eq!(Process::run(&world, "numbers pause 1001").0, Some(0));
    says(&ledger, "paused").await;
    let paused = listed(&world);
    let number = &paused[0];
    assert_eq!((&number["why"], &number["holds"][0]["reason"]), (&"paused".into(), &"operator".into()));
    assert_eq!((&number["holds"][0]["who"], &number["holds"][0]["scope"]), (&"cli".into(), &"number".into()));
    assert_eq!(Process::run(&world, "numbers resume 1001").0, Some(0));
    says(&ledger, "configured").await;
    assert!(listed(&world)[0]["holds"].as_array().is_some_and(Vec::is_empty));

    worker.stop();
    assert!(ledger.fleet_list(WORKER.to_owned()).await.expect("answered").is_empty(), "who goes takes its word along");
    assert_eq!(listed(&world)[0]["why"], "not_leased");
    let rows = count(&world.rows(&ledger).await);
    assert!(rows.get(&State::Accepted).is_some_and(|sent| *sent > 0), "{rows:?}");
}

#[tokio::test]
async fn a_messaging_limit_that_is_reached_is_why_nothing_more_goes() {
    let sim =
        SimConfig { messaging_limit: Some(250), ..SimConfig::with_numbers([NumberSpec::new("1001").with_mps(80)]) };
    let mut world = World::with(sim, &[("1001", "80/s")]);
    world.set("numbers[0].waba", "2001");
    let ledger = world.beside().await;
    let now = clock::now().wall;
    let taken = |count: u32| {
        let file = rusqlite::Connection::open(world.path().join("ledger.db")).expect("the ledger's file");
        let sql = "INSERT INTO bucket VALUES ('portfolio', ?1, ?2) ON CONFLICT DO UPDATE SET n = excluded.n";
        file.execute(sql, rusqlite::params![now.as_millis() / 60_000, count]).expect("written");
    };
    taken(40);
    let worker = world.start();
    says(&ledger, "no_work").await;
    let number = listed(&world)[0].clone();
    let quota = &number["quota"];
    assert_eq!((&quota["portfolio"], &quota["taken"], &quota["left"]), (&"portfolio".into(), &40.into(), &210.into()));
    assert_eq!(number["why"], "no_work");
    taken(250);
    let number = listed(&world)[0].clone();
    worker.stop();
    assert_eq!((&number["quota"]["left"], &number["why"]), (&0.into(), &"messaging_limit".into()));
}
