//! A template that Meta pauses in mid-campaign.

use std::time::Duration;

use serde_json::json;
use tidegate::clock;
use tidegate::ledger::{JobRow, Ledger};
use tidegate::outcome::State;
use tidegate::sim::{Category, Entry, SimConfig, TemplateSpec};

use super::{Place, Stage, everywhere, quick, simulated, template};
use crate::world::{count, until};

everywhere! {
    what_a_webhook_pauses_stops_and_goes_on_by_itself
    what_meta_pauses_and_refuses_is_lost_to_nobody
}

const JOBS: usize = 500;
/// From the moment at which the webhook is due at the simulator, by the simulator's clock. A free machine takes half a
/// second; one that is busy with other tests has one more than the second that is promised.
const WITHIN: Duration = Duration::from_secs(2);

/// The news of a template as Meta tells them, and nothing else changes: the simulator goes on taking its messages.
fn news(event: &str, title: &str) -> String {
    let value = json!({
        "event": event, "message_template_id": 9_000_000, "message_template_name": "sale",
        "message_template_language": "en-US", "reason": "NONE", "message_template_category": "MARKETING",
        "other_info": { "title": title, "description": "-" }
    });
    let changes = json!([{ "field": "message_template_status_update", "value": value }]);
    let entry = json!([{ "id": "2001", "time": clock::now().wall.as_millis() / 1_000, "changes": changes }]);
    json!({ "object": "whatsapp_business_account", "entry": entry }).to_string()
}

fn stage(place: Place) -> Stage {
    let templates = vec![TemplateSpec::new("sale", Category::Marketing), TemplateSpec::new("news", Category::Utility)];
    Stage::new(place, SimConfig { templates, ..simulated(&["1001", "1002"], quick()) })
}

/// A campaign of two templates, one after the other by turns.
fn campaign() -> Vec<serde_json::Value> {
    let pair =
        |n| [template(&format!("sale-{n}"), "sale", "marketing"), template(&format!("news-{n}"), "news", "utility")];
    (0..JOBS).flat_map(pair).collect()
}

fn of(entries: &[Entry], category: Category, after: Duration) -> usize {
    entries.iter().filter(|entry| entry.category == Some(category) && entry.at() > after).count()
}

async fn others_end(stage: &Stage, ledger: &Ledger) {
    until(ledger, "the other template goes on to its end", async || {
        let rows = stage.world.rows(ledger).await;
        let is_open = |row: &JobRow| row.id.starts_with("news") && !row.state.has_ended();
        (!rows.iter().any(is_open)).then_some(())
    })
    .await;
}

async fn what_a_webhook_pauses_stops_and_goes_on_by_itself(place: Place) {
    let stage = stage(place);
    let ledger = stage.world.beside().await;
    stage.world.enqueue(&ledger, &campaign()).await;
    let worker = stage.start().await;
    stage.world.accepted(100).await;
    let oracle = stage.world.oracle();
    let paused_at = Duration::from_nanos(oracle.now_ns());
    assert!(stage.world.sim.send_raw_webhook(news("PAUSED", "FIRST_PAUSE")));
    others_end(&stage, &ledger).await;
    let entries = oracle.accepted_entries();
    assert_eq!(of(&entries, Category::Marketing, paused_at + WITHIN), 0, "sent later than {WITHIN:?} after the pause");
    assert!(of(&entries, Category::Utility, paused_at + WITHIN) > JOBS / 10, "the others flow");
    let waiting = JOBS - of(&entries, Category::Marketing, Duration::ZERO);
    let rows = stage.world.rows(&ledger).await;
    let open = rows.iter().filter(|row| !row.state.has_ended()).count();
    assert!(open == waiting && waiting > JOBS / 2, "{open} {waiting} {:?}", count(&rows));
    assert!(stage.world.sim.send_raw_webhook(news("APPROVED", "UNPAUSE")));
    stage.world.all_ended(&ledger).await;
    worker.stop();
    let stats = oracle.stats();
    assert_eq!((oracle.accepted(), stats.duplicate_jobs), (2 * JOBS as u64, 0));
    // A stall of the machine may cost a refusal for speed; the pause was told by webhook alone.
    assert!(!stats.refused_by_code.contains_key(&132_015), "{:?}", stats.refused_by_code);
}

async fn what_meta_pauses_and_refuses_is_lost_to_nobody(place: Place) {
    let stage = stage(place);
    let ledger = stage.world.beside().await;
    stage.world.enqueue(&ledger, &campaign()).await;
    let worker = stage.start().await;
    stage.world.accepted(100).await;
    let oracle = stage.world.oracle();
    let paused_at = Duration::from_nanos(oracle.now_ns());
    stage.world.sim.pause_template("sale");
    others_end(&stage, &ledger).await;
    let requests = oracle.entries_since(0, 10_000);
    let asked = of(&requests, Category::Marketing, paused_at + WITHIN);
    assert_eq!(asked, 0, "asked later than {WITHIN:?} after the pause");
    stage.world.sim.unpause_template("sale");
    stage.world.all_ended(&ledger).await;
    stage.heard(&ledger).await;
    worker.stop();
    let rows = stage.world.rows(&ledger).await;
    let failed: Vec<_> = rows.iter().filter(|row| matches!(row.state, State::Failed | State::Suppressed)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!((oracle.accepted(), oracle.stats().duplicate_jobs), (2 * JOBS as u64, 0));
}
