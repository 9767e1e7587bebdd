//! Bodies that come again: what was applied is applied, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidegate::app::Role;
use tidegate::clock;
use tidegate::ledger::Ledger;
use tidegate::outcome::State;

use super::{Place, SECRET, Stage, events, everywhere, quick, simulated};
use crate::gateway;
use crate::world::{count, text, until};

everywhere! {
    every_body_of_metas_pages_is_applied_or_kept_and_twice_is_once
    statuses_that_are_posted_again_change_nothing
}

const CORPUS: [(&str, &str); 7] = [
    ("account_update", include_str!("../../corpus/webhooks/account_update.json")),
    ("message", include_str!("../../corpus/webhooks/message.json")),
    ("message_status", include_str!("../../corpus/webhooks/message_status.json")),
    ("template_status_update", include_str!("../../corpus/webhooks/template_status_update.json")),
    ("user_marketing_preferences", include_str!("../../corpus/webhooks/user_marketing_preferences.json")),
    ("openapi", include_str!("../../corpus/webhooks/openapi.json")),
    ("reference", include_str!("../../corpus/webhooks/reference.json")),
];

/// Every body of the corpus, as it could come over the wire.
fn corpus() -> Vec<(String, String)> {
    let named = |(file, text): (&str, &str)| {
        let bodies: BTreeMap<String, Value> = serde_json::from_str(text).expect("JSON");
        bodies.into_iter().map(|(name, body)| (format!("{file}/{name}"), body.to_string())).collect::<Vec<_>>()
    };
    CORPUS.into_iter().flat_map(named).collect()
}

/// The answer's status to a signed body.
fn post(url: &str, body: &str) -> u16 {
    let address = url.trim_start_matches("http://").split('/').next().and_then(|address| address.parse().ok());
    gateway::post(address.expect("an address"), SECRET, body)
}

async fn applied(ledger: &Ledger) {
    until(ledger, "all is applied", async || {
        let left = ledger.inbox_take(1, 1 << 20).await.expect("the ledger answers");
        left.is_empty().then_some(())
    })
    .await;
}

/// All that webhooks may change, but for when it was last told. Events and what is strange by what they say: told
/// twice, an event has the same id, by which its readers know it.
async fn picture(stage: &Stage) -> BTreeMap<&'static str, Vec<String>> {
    let mut picture = BTreeMap::new();
    for (what, sql) in [
        ("jobs", "SELECT * FROM jobs ORDER BY 1"),
        ("waiting", "SELECT * FROM waiting ORDER BY 1"),
        ("windows", "SELECT recipient, number, until FROM windows ORDER BY 1, 2"),
        ("misses", "SELECT recipient, n FROM misses ORDER BY 1"),
        ("heard", "SELECT number, inbound_since, accepted_at FROM heard ORDER BY 1"),
        (
            "holds",
            "SELECT scope, subject, category, country, effect, reason, until, lifted FROM holds ORDER BY 1, 2, 3",
        ),
        // How fast people write just now is a fact of now: what comes again, comes.
        ("fleet", "SELECT kind, id, parent, fields FROM fleet WHERE kind <> 'inbound' ORDER BY 1, 2"),
        // Meta gives no time to what it could not tell: when it comes again, it may be a second one, and is told again.
        ("events", "SELECT DISTINCT topic, event FROM outbox WHERE topic <> 'number.error' ORDER BY 2"),
        ("strange", "SELECT DISTINCT field, body FROM strange ORDER BY 1, 2"),
    ] {
        picture.insert(what, stage.ask(sql).await);
    }
    picture
}

async fn every_body_of_metas_pages_is_applied_or_kept_and_twice_is_once(place: Place) {
    let stage = Stage::new(place, simulated(&["1001"], quick()));
    let ledger = stage.world.beside().await;
    // Nobody reads the fleet meanwhile: what changes, a webhook changed.
    let (running, url) = stage.start_as(&[Role::Keeper, Role::Gateway], false).await;
    let bodies = corpus();
    assert!(bodies.len() >= 80);
    let mut without_trace = Vec::new();
    for (name, body) in &bodies {
        let trace = async || (events(&ledger).await.len(), stage.ask("SELECT count(*) FROM strange").await);
        let before = trace().await;
        assert_eq!(post(&url, body), 200, "{name}");
        applied(&ledger).await;
        if trace().await == before {
            without_trace.push(name.as_str());
        }
    }
    // Statuses are of no jobs of ours; all else leaves an event, or is kept as it came.
    let is_status = |name: &&str| bodies.iter().any(|(known, body)| known == name && body.contains("\"statuses\""));
    let traceless: Vec<_> = without_trace.iter().filter(|name| !is_status(name)).collect();
    assert!(traceless.is_empty(), "{traceless:?}");
    let strange: BTreeSet<String> = stage.ask("SELECT field FROM strange").await.into_iter().collect();
    assert!(!strange.contains("unappliable"), "{strange:?}");

    let first = picture(&stage).await;
    for (name, body) in &bodies {
        assert_eq!(post(&url, body), 200, "{name}");
    }
    applied(&ledger).await;
    running.stop();
    for (what, rows) in picture(&stage).await {
        let news = |these: &[String], those: &[String]| {
            these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>()
        };
        let (gone, new) = (news(&first[what], &rows), news(&rows, &first[what]));
        assert!(gone.is_empty() && new.is_empty(), "{what} when all came again: {gone:#?} became {new:#?}");
    }
}

async fn statuses_that_are_posted_again_change_nothing(place: Place) {
    let stage = Stage::new(place, simulated(&["1001", "1002"], quick()));
    let ledger = stage.world.beside().await;
    let jobs: Vec<_> = (0..40).map(|n| text(&format!("job-{n}"), "normal")).collect();
    stage.world.enqueue(&ledger, &jobs).await;
    let (running, url) = stage.start_as(&[Role::Sender, Role::Keeper, Role::Gateway], false).await;
    stage.world.all_ended(&ledger).await;
    running.stop();
    // What Meta tells of them, in two orders and in bodies of every size.
    let (keeper, url) = {
        drop(url);
        stage.start_as(&[Role::Keeper, Role::Gateway], false).await
    };
    let told = statuses(&stage);
    for body in bodies(&told, 7) {
        assert_eq!(post(&url, &body), 200);
    }
    applied(&ledger).await;
    let rows = stage.world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Delivered, 20), (State::Read, 20)].into());
    let first = (picture(&stage).await, events(&ledger).await);
    let backward: Vec<Value> = told.iter().rev().cloned().collect();
    for size in [1, 3, 40] {
        for body in bodies(&told, size).into_iter().chain(bodies(&backward, size)) {
            assert_eq!(post(&url, &body), 200);
        }
    }
    applied(&ledger).await;
    keeper.stop();
    let again = (picture(&stage).await, events(&ledger).await);
    assert_eq!(again.1, first.1, "events");
    for (what, rows) in again.0 {
        assert_eq!(rows, first.0[what], "{what}");
    }
}

/// Sent, delivered, and of every other message read.
fn statuses(stage: &Stage) -> Vec<Value> {
    let now = clock::now().wall.as_millis() / 1_000;
    let mut told = Vec::new();
    for (n, entry) in stage.world.oracle().accepted_entries().iter().enumerate() {
        let words = if n % 2 == 0 { &["sent", "delivered", "read"][..] } else { &["sent", "delivered"] };
        told.extend(words.iter().map(|word| {
            json!({
                "id": entry.wamid, "status": word, "timestamp": now.to_string(),
                "recipient_id": entry.recipient.trim_start_matches('+'), "biz_opaque_callback_data": entry.callback,
                "pricing": { "billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility" }
            })
        }));
    }
    told
}

/// So many statuses in each body.
fn bodies(told: &[Value], size: usize) -> Vec<String> {
    let body = |some: &[Value]| {
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550001001", "phone_number_id": "1001" }, "statuses": some
        });
        let entry = json!([{ "id": "2001", "changes": [{ "field": "messages", "value": value }] }]);
        json!({ "object": "whatsapp_business_account", "entry": entry }).to_string()
    };
    told.chunks(size).map(body).collect()
}
