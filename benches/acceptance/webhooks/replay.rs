//! Bodies that were applied come again, signed as they were.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidegate::clock;
use tidegate::ledger::{JobFilter, Ledger, OutboxStage};
use tidegate::outcome::State;
use tidegate::sim::{Entry, NumberSpec, SimConfig};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::posting::Poster;
use super::{applied, listening, stand};
use crate::{line, verdict};

const JOBS: usize = 2_000;
const CLIENTS: usize = 16;

/// So many bodies, each of one status that is known already.
pub async fn replay(count: usize) -> bool {
    let numbers: Vec<(String, u32)> = (0..5).map(|n| (format!("{}", 1001 + n), 1_000)).collect();
    let specs = numbers.iter().map(|(id, rate)| NumberSpec::new(id.clone()).with_mps(*rate));
    let (mut stand, address) = stand(SimConfig::with_numbers(specs), &numbers);
    // Nobody is there: events stay, and can be counted.
    stand.set("events.webhook_url", "http://127.0.0.1:1/events");
    stand.set("events.webhook_secret", "whsec_dGhlIGtleSBvZiB0aGUgdGVzdA==");
    assert!(stand.send_file((0..JOBS).map(|n| line(&format!("job-{n}"), n, "bulk", "default"))), "all is taken");
    let worker = stand.run();
    listening(address).await;
    let oracle = stand.sim.oracle();
    oracle.wait_for(JOBS as u64).await;
    let bodies: Arc<Vec<String>> = Arc::new(oracle.accepted_entries().iter().flat_map(bodies).collect());
    let ledger = stand.beside().await;
    let taken = post_all(address, &bodies, bodies.len(), 1).await;
    let mut is_applied = applied(&ledger, Duration::from_secs(60)).await;
    let before = picture(&ledger).await;
    let read = before.0.iter().filter(|row| row.contains(&format!("state: {:?}", State::Read))).count();

    let begun = Instant::now();
    // In another order each time: 7,919 is prime, and so has no part in common with how many there are.
    let again = post_all(address, &bodies, count, 7_919).await;
    let took = begun.elapsed();
    is_applied &= applied(&ledger, Duration::from_secs(300)).await;
    let after = picture(&ledger).await;
    let changed = before.0.iter().zip(&after.0).filter(|(before, after)| before != after).count();
    drop(worker);
    let figures = format!(
        "{again} answered 200 in {took:.1?}, {read} of {JOBS} read before, rows changed {changed}, events {} before and \
         {} after",
        before.1, after.1
    );
    let is_same = before == after && read == JOBS;
    let kept = is_applied && taken == bodies.len() && again == count && is_same;
    verdict(&format!("{count} signed bodies replayed change nothing"), &figures, kept)
}

/// Every row in full, and how many events wait.
async fn picture(ledger: &Ledger) -> (Vec<String>, usize) {
    let rows = ledger.jobs(JobFilter { limit: 1_000_000, ..JobFilter::default() }).await.expect("rows");
    let events = ledger.outbox_take(OutboxStage::Any, 1_000_000).await.expect("events");
    (rows.iter().map(|row| format!("{row:?}")).collect(), events.len())
}

/// Sent, delivered and read, a body for each.
fn bodies(entry: &Entry) -> Vec<String> {
    let now = (clock::now().wall.as_millis() / 1_000).to_string();
    let body = |word: &&str| {
        let status = json!({
            "id": entry.wamid, "status": word, "timestamp": now, "recipient_id": entry.recipient.trim_start_matches('+'),
            "biz_opaque_callback_data": entry.callback,
            "pricing": { "billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing" }
        });
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550001001", "phone_number_id": &*entry.number },
            "statuses": [status]
        });
        let changes = json!([{ "field": "messages", "value": value }]);
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "2001", "changes": changes }] }).to_string()
    };
    ["sent", "delivered", "read"].iter().map(body).collect()
}

/// Posts so many, over a few connections at a time; how many were answered with 200.
async fn post_all(address: SocketAddr, bodies: &Arc<Vec<String>>, count: usize, stride: usize) -> usize {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let bodies = Arc::clone(bodies);
        clients.spawn(async move {
            let mut poster = Poster::connect(address).await;
            let mut taken = 0;
            for n in (client..count).step_by(CLIENTS) {
                let (status, _) = poster.post(bodies[n * stride % bodies.len()].as_bytes()).await;
                taken += usize::from(status == 200);
            }
            taken
        });
    }
    clients.join_all().await.into_iter().sum()
}
