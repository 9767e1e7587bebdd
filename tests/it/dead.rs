//! What could not become a job: set aside, mended, sent.

use serde_json::json;
use tidegate::outcome::State;

use crate::process::Process;
use crate::world::{World, audit, text};

#[tokio::test]
async fn good_lines_are_sent_bad_ones_are_set_aside_and_sent_once_what_ails_them_is_gone() {
    let mut world = World::new();
    let ledger = world.beside().await;
    let worker = world.start();
    let mut of_shop = text("of-shop", "normal");
    of_shop["from"] = json!("shop");
    let lines = [
        text("good-1", "normal").to_string(),
        "rubbish".into(),
        of_shop.to_string(),
        text("good-2", "bulk").to_string(),
    ];
    std::fs::write(world.path().join("jobs.jsonl"), lines.join("\n")).expect("the folder can be written");
    let (code, said) = Process::run(&world, "send --file jobs.jsonl");
    assert_eq!(code, Some(3), "{said}");
    world.accepted(2).await;
    let dead = ledger.dead_list(0, 10).await.expect("the dead");
    let origins: Vec<_> = dead.iter().map(|row| row.dead.origin.as_str()).collect();
    assert_eq!(origins, ["cli:jobs.jsonl:2", "cli:jobs.jsonl:3"]);
    worker.stop();

    world.set("pools[0].name", "shop");
    world.set("pools[0].numbers[0]", "1001");
    let worker = world.start();
    let (code, said) = Process::run(&world, "dead replay --all");
    assert_eq!(code, Some(3), "rubbish stays rubbish: {said}");
    let row = world.row_when(&ledger, "of-shop", |row| row.state.has_ended()).await;
    worker.stop();
    assert_eq!((row.state, row.pool.as_str()), (State::Accepted, "shop"));
    assert_eq!(ledger.dead_list(0, 10).await.expect("the dead").len(), 1);
    assert_eq!(Process::run(&world, "dead drop --all --yes").0, Some(0));
    assert_eq!(ledger.dead_list(0, 10).await.expect("the dead").len(), 0);
    audit(&world.rows(&ledger).await, &world.oracle());
}
