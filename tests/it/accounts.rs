//! Accounts: whose a number is, how much its portfolio may send, and which credential reads and sends.

use serde_json::json;
use tidegate::app::{self, RunOptions};
use tidegate::clock::Timestamp;
use tidegate::fleet::templates;
use tidegate::job::{self, Category as JobCategory, Received};
use tidegate::ledger::sqlite::Access;
use tidegate::ledger::{FleetRow, Ledger, MessagingLimit, PORTFOLIO, TEMPLATE, WABA};
use tidegate::outcome::{Reason, State};
use tidegate::sim::{Category, NumberSpec, SimConfig, TemplateSpec, Token, WabaSpec};
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::world::{World, audit, recipient, text, until};

fn account(waba: &str, portfolio: &str) -> WabaSpec {
    WabaSpec { portfolio: portfolio.to_owned(), ..WabaSpec::new(waba) }
}

fn number(id: &str, waba: &str, token: Option<&str>) -> NumberSpec {
    let token = token.map(|token| Token(token.to_owned()));
    NumberSpec { waba: waba.to_owned(), token, ..NumberSpec::new(id) }
}

pub async fn row(ledger: &Ledger, kind: &str, id: &str) -> FleetRow {
    let look = async || ledger.fleet_get(kind.to_owned(), id.to_owned()).await.expect("the ledger answers");
    until(ledger, &format!("{kind} {id} is known"), look).await
}

async fn limit(ledger: &Ledger, portfolio: &str) -> Option<MessagingLimit> {
    MessagingLimit::of_fields(&row(ledger, PORTFOLIO, portfolio).await.fields)
}

fn pinned(number: &str, id: &str) -> serde_json::Value {
    let mut job = text(id, "normal");
    job["from"] = json!(number);
    job
}

#[tokio::test]
async fn a_portfolio_and_its_limit_are_known_before_the_first_job() {
    let sim = SimConfig {
        wabas: vec![account("102", "55")],
        messaging_limit: Some(2_000),
        ..SimConfig::with_numbers([number("1001", "102", None)])
    };
    let mut world = World::with(sim, &[("1001", "80/s")]);
    world.set("cloud_api.waba", "102");
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(row(&ledger, WABA, "102").await.owner(), Some(("102".to_owned(), "55".to_owned())));
    assert_eq!(limit(&ledger, "55").await, Some(MessagingLimit::Of(2_000)));
    assert_eq!(row(&ledger, "number", "1001").await.parent, "102");
    let known: Vec<_> =
        ledger.fleet_list(PORTFOLIO.to_owned()).await.expect("rows").into_iter().map(|row| row.id).collect();
    assert_eq!(known, ["55"], "nothing was booked for nobody");
}

#[tokio::test]
async fn each_account_is_discovered_with_its_own_token_and_its_numbers_send_by_it() {
    let sim = SimConfig {
        wabas: vec![account("102", "55"), account("103", "66")],
        ..SimConfig::with_numbers([number("1001", "102", Some("of-102")), number("1002", "103", Some("of-103"))])
    };
    let mut world = World::with(sim, &[]);
    let file = world.path().join("token-103");
    std::fs::write(&file, "of-103").expect("the folder can be written");
    for (key, value) in [
        ("fleet.discover", "all"),
        ("accounts[0].waba", "102"),
        ("accounts[0].token", "of-102"),
        ("accounts[1].waba", "103"),
        ("accounts[1].token_file", &file.display().to_string()),
        ("accounts[1].portfolio", "77"),
    ] {
        world.set(key, value);
    }
    let ledger = world.beside().await;
    let worker = world.start();
    let jobs = ["1001", "1002"].map(|id| pinned(id, &format!("by-{id}")));
    world.enqueue(&ledger, &jobs).await;
    world.accepted(2).await;
    worker.stop();
    assert_eq!(world.oracle().totals().refused, 0, "each by its own token");
    assert_eq!(row(&ledger, WABA, "102").await.owner(), Some(("102".to_owned(), "55".to_owned())));
    assert_eq!(row(&ledger, WABA, "103").await.owner().expect("known").1, "77", "the configuration comes first");
    let rows = ledger.fleet_list("waba".to_owned()).await.expect("rows");
    let kept = format!("{rows:?}{:?}", ledger.fleet_list("number".to_owned()).await.expect("rows"));
    assert!(!kept.contains("of-10"), "no token is in the ledger: {kept}");
    audit(&world.rows(&ledger).await, &world.oracle());
}

#[tokio::test]
async fn a_list_of_numbers_allows_and_takes_account_and_name_from_what_is_found() {
    let sim = SimConfig {
        wabas: vec![account("102", "55"), account("103", "66")],
        ..SimConfig::with_numbers([
            number("1001", "102", None),
            number("1002", "103", None),
            number("1003", "103", None),
        ])
    };
    let mut world = World::with(sim, &[]);
    for (key, value) in [
        ("numbers[0].id", "1002"),
        ("cloud_api.waba", "102"),
        ("accounts[0].waba", "103"),
        ("pools[0].name", "shop"),
        ("pools[0].numbers[0]", "1002"),
    ] {
        world.set(key, value);
    }
    let ledger = world.beside().await;
    let worker = world.start();
    let mut job = text("a", "normal");
    job["from"] = json!("shop");
    world.enqueue(&ledger, &[job, text("stays", "normal")]).await;
    world.accepted(1).await;
    assert_eq!(row(&ledger, "number", "1002").await.parent, "103", "found there");
    let numbers = ledger.fleet_list("number".to_owned()).await.expect("rows");
    assert_eq!(numbers.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["1002"], "no other may send");
    worker.stop();
    assert_eq!(world.oracle().accepted(), 1);
    assert_eq!(world.oracle().accepted_entries()[0].number.to_string(), "1002");
}

#[tokio::test]
async fn who_reads_has_a_lease_reads_again_and_gives_it_up() {
    let sim = SimConfig { wabas: vec![account("102", "55")], ..SimConfig::with_numbers([number("1001", "102", None)]) };
    let mut world = World::with(sim, &[]);
    world.set("numbers[0].id", "1001");
    world.set("cloud_api.waba", "102");
    world.set("fleet.refresh", "1s");
    let ledger = world.beside().await;
    let worker = world.start();
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    world.accepted(1).await;
    let leases = ledger.leases(tidegate::clock::now().wall).await.expect("leases");
    assert!(leases.iter().any(|lease| lease.name.starts_with("task:fleet:") && lease.owner.is_some()), "{leases:?}");
    let read_at = row(&ledger, "number", "1001").await.read_at;
    let look = async || Some(row(&ledger, "number", "1001").await).filter(|row| row.read_at > read_at);
    until(&ledger, "it is read again", look).await;
    worker.stop();
    let leases = ledger.leases(tidegate::clock::now().wall).await.expect("leases");
    assert!(leases.iter().all(|lease| lease.owner.is_none()), "given up: {leases:?}");
}

#[tokio::test]
async fn a_number_that_the_account_does_not_list_leaves_the_limit_of_its_portfolio_alone() {
    let stranger = number("1002", "103", Some("of-1002"));
    let sim = SimConfig {
        wabas: vec![account("102", "55"), account("103", "66")],
        messaging_limit: Some(2_000),
        ..SimConfig::with_numbers([number("1001", "102", Some("test-token")), stranger])
    };
    let mut world = World::with(sim, &[("1001", "80/s"), ("1002", "80/s")]);
    world.set("cloud_api.waba", "102");
    world.set("numbers[1].token", "of-1002");
    world.set("fleet.refresh", "1s");
    let ledger = world.beside().await;
    let mut read_at = Timestamp::default();
    // At its start a process reads what is not known, later on schedule, and as it starts again what is known.
    for start in ["first", "second"] {
        let worker = world.start();
        for _ in 0..2 {
            let look = async || Some(row(&ledger, "number", "1002").await).filter(|row| row.read_at > read_at);
            let read = until(&ledger, "it is read again", look).await;
            assert_eq!(read.parent, "", "{start}");
            read_at = read.read_at;
        }
        world.enqueue(&ledger, &[pinned("1002", start)]).await;
        world.all_ended(&ledger).await;
        worker.stop();
        assert_eq!(row(&ledger, "number", "1001").await.parent, "102");
    }
    assert_eq!(world.oracle().accepted(), 2, "it sends all the same");
    let limits = ledger.fleet_list(PORTFOLIO.to_owned()).await.expect("rows");
    assert_eq!(limits.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["", "55"]);
    let (code, said) = Process::run(&world, "numbers sync");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(row(&ledger, "number", "1002").await.parent, "");
}

/// Each on a thread of its own, over one ledger.
pub fn start_on(world: &World, ledger: &Ledger) -> (CancellationToken, std::thread::JoinHandle<()>) {
    let (config, ledger, stop) = (world.config(), ledger.clone(), CancellationToken::new());
    let told = stop.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = RunOptions { quiet: true, ..RunOptions::default() };
        runtime.block_on(app::run_on(&config, options, ledger, told)).expect("the worker runs");
    });
    (stop, thread)
}

#[tokio::test]
async fn a_number_that_other_workers_do_not_know_is_read_all_the_same() {
    let sim = SimConfig::with_numbers([number("1001", "102", None), number("1002", "103", None)]);
    let mut world = World::with(sim, &[]);
    world.set("numbers[0].id", "1001");
    let ledger = app::open_ledger(&world.config(), Access::Worker).await.expect("the ledger opens");
    let first = start_on(&world, &ledger);
    row(&ledger, "number", "1001").await;
    until(&ledger, "it is on duty", async || {
        let leases = ledger.leases(tidegate::clock::now().wall).await.expect("leases");
        leases.iter().any(|lease| lease.name.starts_with("task:fleet:")).then_some(())
    })
    .await;
    // Known from long ago: who starts does not ask for it at once.
    let old = FleetRow {
        kind: "number".to_owned(),
        id: "1002".to_owned(),
        parent: String::new(),
        fields: json!({"id": "1002", "status": "CONNECTED"}).to_string(),
        read_at: Timestamp::from_millis(7),
    };
    ledger.fleet_put(vec![old]).await.expect("kept");
    world.set("numbers[0].id", "1002");
    let second = start_on(&world, &ledger);
    world.enqueue(&ledger, &[pinned("1002", "a")]).await;
    world.accepted(1).await;
    for (stop, thread) in [first, second] {
        stop.cancel();
        thread.join().expect("the worker did not panic");
    }
}

pub fn templated(id: &str, language: &str, parameters: usize) -> serde_json::Value {
    let parameters: Vec<_> = (0..parameters).map(|n| json!({"type": "text", "text": format!("p{n}")})).collect();
    let components = json!([{"type": "body", "parameters": parameters}]);
    let template = json!({"name": "shipped", "language": {"code": language}, "components": components});
    json!({"id": id, "to": recipient(id), "message": {"type": "template", "template": template}})
}

pub fn with_templates() -> World {
    let shipped = TemplateSpec {
        body_parameters: Some(2),
        waba: "102".to_owned(),
        ..TemplateSpec::new("shipped", Category::Utility)
    };
    let sim = SimConfig {
        wabas: vec![account("102", "55")],
        templates: vec![shipped],
        ..SimConfig::with_numbers([number("1001", "102", None)])
    };
    let mut world = World::with(sim, &[("1001", "80/s")]);
    world.set("cloud_api.waba", "102");
    world
}

#[tokio::test]
async fn a_job_takes_its_category_from_its_template_once_that_was_read() {
    let world = with_templates();
    let ledger = world.beside().await;
    let worker = world.start();
    let template = row(&ledger, TEMPLATE, "shipped/en_US").await;
    assert_eq!(template.parent, "102");
    worker.stop();
    let file = world.path().join("job.json");
    std::fs::write(&file, templated("a", "en_US", 2).to_string()).expect("the folder can be written");
    let (code, said) = Process::run(&world, &format!("send --json {}", file.display()));
    assert_eq!(code, Some(0), "{said}");
    let row = world.row(&ledger, "a").await;
    assert_eq!((row.category.as_str(), row.priority.as_str()), ("utility", "normal"));
}

#[tokio::test]
async fn a_message_that_does_not_fit_its_template_fails_without_a_request() {
    let world = with_templates();
    let ledger = world.beside().await;
    let worker = world.start();
    row(&ledger, TEMPLATE, "shipped/en_US").await;
    let failed = async |id: &str, language: &str, parameters: usize| {
        world.enqueue(&ledger, &[templated(id, language, parameters)]).await;
        let row = world.row_when(&ledger, id, |row| row.state == State::Failed).await;
        (row.reason, row.attempts)
    };
    // Until the worker has heard of the template, the simulator refuses it itself.
    let mut tries = 0;
    while failed(&format!("probe-{tries}"), "en_US", 1).await != (Some(Reason::TemplateMismatch), 0) {
        tries += 1;
    }
    let refused = world.oracle().totals().refused;
    assert_eq!(failed("none", "en_US", 0).await, (Some(Reason::TemplateMismatch), 0));
    assert_eq!(failed("german", "de", 2).await, (Some(Reason::TemplateMissing), 0));
    world.enqueue(&ledger, &[templated("fits", "en_US", 2)]).await;
    world.row_when(&ledger, "fits", |row| row.state == State::Accepted).await;
    worker.stop();
    assert_eq!(world.oracle().totals().refused, refused, "Meta was not asked in vain");
    let catalogue = templates::catalogue(&ledger).await.expect("read");
    let received = Received { catalogue: Some(catalogue), ..Received::here(tidegate::clock::now().wall) };
    let job = job::parse(templated("x", "en_US", 2).to_string().as_bytes(), &received).expect("a job");
    assert_eq!(job.category, JobCategory::Utility);
}

#[test]
fn a_person_reads_numbers_and_templates_at_once() {
    let world = with_templates();
    let says = |line: &str, words: &str| {
        let (code, said) = Process::run(&world, line);
        assert_eq!(code, Some(0), "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    };
    says("templates list", "no template is known");
    says("templates sync", "");
    says("templates sync", "nothing has changed");
    says("numbers sync", "");
    says("numbers sync", "nothing has changed");
}
