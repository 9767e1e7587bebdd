//! What Meta refuses: what is tried again, at whose cost, and what ends.

use serde_json::{Value, json};
use tidegate::hold::Scope;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{Category, TemplateChange, TemplateStatus};

use crate::world::{World, audit, count, text};

fn to(recipient: &str, mut job: Value) -> Value {
    job["to"] = json!(recipient);
    job
}

fn template(id: &str, name: &str, category: &str) -> Value {
    let mut job = text(id, "normal");
    job["category"] = json!(category);
    job["message"] = json!({"type": "template", "template": {"name": name, "language": {"code": "en_US"}}});
    job
}

#[tokio::test]
async fn a_throttle_is_tried_again_and_costs_no_attempt() {
    for (fault, reason) in [
        ("first=3,code=130429", Reason::Throughput),
        ("first=1,code=131056", Reason::PairLimit),
        ("first=3,http=429", Reason::NotTaken),
    ] {
        let mut world = World::new();
        world.set("retry.attempts", "1");
        world.faults(&[fault]);
        let ledger = world.beside().await;
        world.enqueue(&ledger, &[text("a", "normal")]).await;
        let worker = world.start();
        let row = world.row_when(&ledger, "a", |row| row.state.has_ended()).await;
        worker.stop();
        assert_eq!(row.state, State::Accepted, "{fault}: {:?}", row.reason);
        let trail = ledger.trail(row.key).await.expect("a trail");
        let waits: Vec<_> = trail.iter().map(|entry| (entry.state, entry.reason)).collect();
        assert_eq!(waits.len() as u32 + 1, row.attempts, "{fault}: {waits:?}");
        assert!(waits.iter().all(|wait| *wait == (State::Waiting, reason)), "{fault}: {waits:?}");
    }
}

#[tokio::test]
async fn a_fault_of_metas_is_tried_again_until_it_passes() {
    let world = World::new();
    world.faults(&[
        "recipient_suffix=0002,first=1,code=2",
        "recipient_suffix=1000,first=2,code=131000",
        "recipient_suffix=0503,first=2,http=503",
    ]);
    let ledger = world.beside().await;
    let jobs = [
        to("+447700900002", text("overloaded", "normal")),
        to("+447700901000", text("wrong", "normal")),
        to("+447700900503", text("busy", "normal")),
    ];
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    for (id, reason, attempts) in [
        ("overloaded", Reason::ServiceUnavailable, 2),
        ("wrong", Reason::MetaUnknown, 3),
        ("busy", Reason::NotTaken, 3),
    ] {
        let row = world.row(&ledger, id).await;
        assert_eq!((row.state, row.attempts), (State::Accepted, attempts), "{id}");
        let trail = ledger.trail(row.key).await.expect("a trail");
        assert_eq!(trail.last().expect("it waited").reason, reason, "{id}");
    }
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_job_is_not_tried_more_often_than_allowed() {
    let mut world = World::new();
    world.set("retry.attempts", "3");
    world.faults(&["code=131000"]);
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let row = world.row(&ledger, "a").await;
    assert_eq!((row.state, row.reason), (State::Failed, Some(Reason::AttemptsExhausted)));
    assert_eq!((row.attempts, row.code), (3, Some(131_000)));
    assert_eq!(world.oracle().totals().refused, 3);
}

#[tokio::test]
async fn what_cannot_succeed_ends_at_once_with_its_reason_and_code() {
    let cases = [
        (131_026, State::Failed, Reason::NotOnWhatsapp),
        (131_047, State::Failed, Reason::WindowClosed),
        (131_049, State::Failed, Reason::MarketingLimit),
        (131_050, State::Suppressed, Reason::OptedOut),
        (130_403, State::Suppressed, Reason::RecipientBlocked),
        (130_472, State::Failed, Reason::Experiment),
        (131_021, State::Failed, Reason::SameAsSender),
        (131_030, State::Failed, Reason::RecipientNotAllowed),
        (131_009, State::Failed, Reason::InvalidParameter),
        (131_008, State::Failed, Reason::InvalidParameter),
        (131_051, State::Failed, Reason::UnsupportedType),
        (132_000, State::Failed, Reason::TemplateMismatch),
        (132_001, State::Failed, Reason::TemplateMissing),
        (132_005, State::Failed, Reason::TemplateMismatch),
        (132_012, State::Failed, Reason::TemplateMismatch),
    ];
    let world = World::new();
    let faults: Vec<String> = cases.iter().map(|(code, ..)| format!("recipient_suffix={code},code={code}")).collect();
    world.faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    let ledger = world.beside().await;
    let job = |code: &u32| to(&format!("+447700{code}"), template(&format!("job-{code}"), "hello_world", "marketing"));
    let jobs: Vec<_> = cases.iter().map(|(code, ..)| job(code)).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    for (code, state, reason) in cases {
        let row = world.row(&ledger, &format!("job-{code}")).await;
        assert_eq!((row.state, row.reason, row.code), (state, Some(reason), Some(code)));
        assert_eq!(row.attempts, 1, "{code}");
    }
    assert_eq!(world.oracle().totals().refused, cases.len() as u64);
}

#[tokio::test]
async fn a_paused_template_holds_its_own_jobs_and_no_others() {
    let world = World::new();
    let paused = TemplateChange {
        status: Some(TemplateStatus::Paused),
        category: Some(Category::Utility),
        ..TemplateChange::default()
    };
    world.sim.set_template("paused", &paused);
    let ledger = world.beside().await;
    let job = |n: u32| template(&format!("job-{n}"), if n.is_multiple_of(2) { "paused" } else { "fine" }, "utility");
    world.enqueue(&ledger, &(0..40).map(job).collect::<Vec<_>>()).await;
    let worker = world.start();
    world.accepted(20).await;
    for n in (0..40).step_by(2) {
        let row = world.row_when(&ledger, &format!("job-{n}"), |row| row.hold.is_some()).await;
        assert_eq!((row.state, row.reason), (State::Waiting, Some(Reason::TemplatePaused)));
        let hold = row.hold.expect("it is parked");
        assert_eq!((hold.cover.scope, hold.cover.subject.as_str()), (Scope::Template, "paused/en_US"));
        assert_eq!(hold.reason, Reason::TemplatePaused);
    }
    let hold = ledger.holds().await.expect("holds").remove(0);
    world.sim.set_template("paused", &TemplateChange::status(TemplateStatus::Approved));
    assert!(ledger.lift(hold.id, tidegate::clock::now().wall).await.expect("the ledger lifts it"));
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows)[&State::Accepted], 40);
    audit(&rows, &world.oracle());
}

#[tokio::test]
async fn under_a_storm_of_refusals_every_job_is_accepted_once() {
    let world = World::new();
    world.faults(&[
        "probability=0.1,code=131000",
        "probability=0.1,http=503",
        "probability=0.05,code=130429",
        "probability=0.05,cut_before",
    ]);
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..150).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    worker.stop();
    let rows = world.rows(&ledger).await;
    for row in &rows {
        assert!(matches!(row.state, State::Accepted | State::Unresolved), "{}: {} {:?}", row.id, row.state, row.reason);
    }
    assert_eq!(world.oracle().stats().duplicate_jobs, 0);
    audit(&rows, &world.oracle());
}
