//! Templates that change at Meta's without a webhook.

use std::time::Duration;

use tidegate::app;
use tidegate::clock::{self, Timestamp};
use tidegate::fleet::accounts::share;
use tidegate::fleet::templates::needs_of;
use tidegate::ledger::sqlite::Access;
use tidegate::ledger::{FieldsNews, Ledger, News, READING, TEMPLATE, TemplateReading, WorkerId};
use tidegate::outcome::{Reason, State};
use tidegate::sim::TemplateChange;
use uuid::Uuid;

use crate::accounts::{row, start_on, templated, with_templates};
use crate::process::Process;
use crate::world::{World, until};

/// What became of a job of this form: its reason, and how often Meta was asked.
async fn sent(world: &World, ledger: &Ledger, id: &str, language: &str, parameters: usize) -> (Option<Reason>, u32) {
    world.enqueue(ledger, &[templated(id, language, parameters)]).await;
    let row = world.row_when(ledger, id, |row| row.state.has_ended()).await;
    assert_eq!(row.state == State::Accepted, row.reason.is_none(), "{row:?}");
    (row.reason, row.attempts)
}

/// The same, again and again, until this becomes of one: the worker hears of readings a moment later.
async fn sent_until(
    (world, ledger): (&World, &Ledger),
    (name, language, parameters): (&str, &str, usize),
    wanted: (Option<Reason>, u32),
) {
    for n in 0.. {
        let came = sent(world, ledger, &format!("{name}-{n}"), language, parameters).await;
        if came == wanted {
            return;
        }
        assert!(n < 10_000, "{name}: {came:?}");
    }
}

async fn reading(ledger: &Ledger) -> TemplateReading {
    TemplateReading::of(&row(ledger, READING, "102").await)
}

/// As if the templates had been read long ago.
async fn age(ledger: &Ledger) -> Timestamp {
    let now = clock::now().wall;
    let long_ago = Timestamp::from_millis(now.as_millis() - 3_000_000);
    let fields = vec![FieldsNews::templates_read("102", long_ago)];
    ledger.apply(News { fields, ..News::default() }, now).await.expect("kept");
    long_ago
}

const MISMATCH: Option<Reason> = Some(Reason::TemplateMismatch);

#[tokio::test]
async fn a_template_that_was_changed_without_a_word_fails_no_job_of_its_new_form() {
    let world = with_templates();
    let ledger = world.beside().await;
    let worker = world.start();
    sent_until((&world, &ledger), ("short", "en_US", 1), (MISMATCH, 0)).await;
    let change =
        TemplateChange { body_parameters: Some(3), add_language: Some("de".to_owned()), ..TemplateChange::default() };
    world.sim.set_template("shipped", &change);
    let long_ago = age(&ledger).await;
    // Only while the worker has not heard how old its reading is, that still counts.
    sent_until((&world, &ledger), ("new", "en_US", 3), (None, 1)).await;
    assert_eq!(sent(&world, &ledger, "german", "de", 3).await, (None, 1));
    until(&ledger, "they are read again", async || (reading(&ledger).await.at > long_ago).then_some(())).await;
    assert!(!needs_of(&row(&ledger, TEMPLATE, "shipped/de").await).is_empty());
    sent_until((&world, &ledger), ("old", "en_US", 2), (MISMATCH, 0)).await;
    let refused = world.oracle().totals().refused;
    for n in 0..50 {
        assert_eq!(sent(&world, &ledger, &format!("wrong-{n}"), "en_US", 2).await, (MISMATCH, 0));
    }
    worker.stop();
    assert_eq!(world.oracle().totals().refused, refused, "Meta was not asked in vain");
    assert_eq!(world.oracle().totals().template_reads, 2, "once at the start, once for all these jobs");
}

#[tokio::test]
async fn where_nobody_reads_again_meta_judges_what_an_old_reading_speaks_against() {
    let world = with_templates();
    let (code, said) = Process::run(&world, "templates sync");
    assert_eq!(code, Some(0), "{said}");
    let ledger = app::open_ledger(&world.config(), Access::Worker).await.expect("the ledger opens");
    let long_ago = age(&ledger).await;
    // Another process is to read, and does not.
    let other = WorkerId(Uuid::from_u128(7));
    let duty = format!("task:fleet:{}", share(&world.config()));
    let taken = ledger.take_leases(other, vec![duty], Duration::from_secs(3_600), clock::now().wall).await;
    assert_eq!(taken.expect("the ledger answers").len(), 1);
    let change = TemplateChange { body_parameters: Some(3), ..TemplateChange::default() };
    world.sim.set_template("shipped", &change);
    let (stop, worker) = start_on(&world, &ledger);
    let asked = async || Some(reading(&ledger).await).filter(|reading| reading.doubted == Some(long_ago));
    // A worker that has just started may not have heard of the template: then it has nothing against a job.
    for n in 0.. {
        assert_eq!(sent(&world, &ledger, &format!("new-{n}"), "en_US", 3).await, (None, 1));
        if asked().await.is_some() {
            break;
        }
    }
    for n in 0..20 {
        assert_eq!(sent(&world, &ledger, &format!("wrong-{n}"), "en_US", 1).await, (MISMATCH, 1));
    }
    assert_eq!(reading(&ledger).await, TemplateReading { at: long_ago, doubted: Some(long_ago) });
    assert_eq!(world.oracle().totals().template_reads, 1);
    ledger.release_leases(other).await.expect("given up");
    sent_until((&world, &ledger), ("old", "en_US", 2), (MISMATCH, 0)).await;
    stop.cancel();
    worker.join().expect("the worker did not panic");
    assert_eq!(world.oracle().totals().template_reads, 2);
}
