//! Messages that come too late: told of while something else can still be done.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate::app::Role;
use tidegate::outcome::{Reason, State};
use tidegate::sim::WebhookConfig;

use super::{Place, Stage, events, everywhere, quick, simulated};
use crate::world::{text, until};

everywhere! {
    what_is_not_delivered_in_time_is_told_once_and_what_is_not_sent_in_time_never_goes
}

fn within(id: &str, limit: &str) -> Value {
    let mut job = text(id, "normal");
    job["deliver_within"] = json!(limit);
    job
}

/// The jobs that were told to be late, with doubles.
async fn late(ledger: &tidegate::ledger::Ledger) -> Vec<String> {
    let told = events(ledger).await;
    told.into_iter().filter(|event| event.topic.starts_with("message.late.")).map(|event| event.job).collect()
}

async fn what_is_not_delivered_in_time_is_told_once_and_what_is_not_sent_in_time_never_goes(place: Place) {
    let webhooks = WebhookConfig { delivered_share: 0.5, read_share: 0.0, ..quick() };
    let stage = Stage::new(place, simulated(&["1001", "1002"], webhooks));
    let ledger = stage.world.beside().await;
    let worker = stage.start().await;
    let mut jobs: Vec<_> = (0..30).map(|n| within(&format!("job-{n}"), "4s")).collect();
    jobs.extend((0..10).map(|n| text(&format!("patient-{n}"), "normal")));
    jobs.push(within("in time", "10m"));
    stage.world.enqueue(&ledger, &jobs).await;
    stage.world.all_ended(&ledger).await;
    stage.heard(&ledger).await;
    let rows = stage.world.rows(&ledger).await;
    let hurried = || rows.iter().filter(|row| row.id.starts_with("job-"));
    let undelivered: BTreeSet<String> =
        hurried().filter(|row| row.state == State::Sent).map(|row| row.id.clone()).collect();
    let delivered = hurried().filter(|row| row.state == State::Delivered).count();
    assert_eq!(undelivered.len() + delivered, 30);
    assert!((5..=25).contains(&delivered), "{delivered}");
    until(&ledger, "those that are late are told of", async || {
        (late(&ledger).await.len() >= undelivered.len()).then_some(())
    })
    .await;
    worker.stop();

    // Nothing goes while everything is held.
    let before = stage.world.oracle().totals();
    let (worker, url) = stage.start_as(&[Role::Sender, Role::Keeper, Role::Gateway], true).await;
    stage.world.sim.set_webhook_url(url);
    stage.world.enqueue(&ledger, &[within("never sent", "1s")]).await;
    let row = stage.world.row_when(&ledger, "never sent", |row| row.state.has_ended()).await;
    worker.stop();
    assert_eq!((row.state, row.reason, row.attempts), (State::Expired, Some(Reason::TooLate), 0));
    assert_eq!(stage.world.oracle().totals(), before);

    let told = late(&ledger).await;
    assert_eq!(told.len(), undelivered.len(), "each is told once: {told:?}");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), undelivered);
    for row in stage.world.rows(&ledger).await.iter().filter(|row| undelivered.contains(&row.id)) {
        assert_eq!(row.state, State::Sent, "that it is late changes nothing of it");
    }
    let expired = events(&ledger).await;
    assert_eq!(expired.iter().filter(|event| event.topic.starts_with("message.expired.")).count(), 1);
}
