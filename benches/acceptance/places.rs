//! The messaging limit over RabbitMQ and PostgreSQL, with three workers that race for its last places.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock;
use tidegate::ledger::{JobFilter, Ledger};
use tidegate::outcome::State;
use tidegate::sim::{NumberSpec, Oracle, SimConfig, WebhookConfig};
use tokio_postgres::NoTls;

use crate::stand::{Services, Stand};
use crate::webhooks::{SECRET, listening, stand};
use crate::{producing, verdict};

const LIMIT: usize = 250;
const ORDINARY: usize = 225;
const FAILING: usize = 10;
/// On the scaled clock, 24 hours.
const DAY: Duration = Duration::from_secs(120);
/// So long nothing may change.
const QUIET: Duration = Duration::from_secs(20);

/// Both rows.
pub async fn all(services: &Services) -> Vec<bool> {
    let mut verdicts = at_the_limit(services).await;
    verdicts.push(the_next_day(services).await);
    verdicts
}

fn template(id: &str, person: &str, priority: &str) -> Value {
    json!({
        "id": id, "to": person, "priority": priority, "on_unknown": "leave", "category": "marketing",
        "message": {"type": "template", "template": {"name": "sale", "language": {"code": "en_US"}}}
    })
}

fn person(n: usize, suffix: &str) -> String {
    format!("+999{n:07}{suffix}")
}

fn jobs(name: &str, priority: &str, from: usize, count: usize, suffix: &str) -> Vec<(String, String)> {
    let job = |n: usize| {
        let id = format!("{name}-{n}");
        let body = template(&id, &person(n, suffix), priority).to_string();
        (id, body)
    };
    (from..from + count).map(job).collect()
}

fn people(oracle: &Oracle) -> usize {
    oracle.accepted_entries().into_iter().map(|entry| entry.recipient).collect::<BTreeSet<_>>().len()
}

async fn limited(services: &Services, sim: SimConfig) -> (Stand, std::net::SocketAddr) {
    let failed = vec!["code=131026,recipient_suffix=77".parse().expect("a share")];
    let webhooks = WebhookConfig { scale: 0.01, failed, ..WebhookConfig::new("", SECRET) };
    let sim = SimConfig { messaging_limit: Some(LIMIT as u32), webhooks: Some(webhooks), ..sim };
    let (mut stand, address) = stand(sim, &NUMBERS.map(|id| (id.to_owned(), 80)));
    stand.set("quota.limit", &LIMIT.to_string());
    (stand.on(services).await, address)
}

const NUMBERS: [&str; 3] = ["1001", "1002", "1003"];

fn three() -> SimConfig {
    SimConfig::with_numbers(NUMBERS.map(|id| NumberSpec::new(id).with_mps(80)))
}

/// How often rows of the ledger were written, leases, trail and outbox aside: the trail is counted on its own.
async fn writes(services: &Services, schema: &str) -> (i64, i64) {
    let (client, connection) = tokio_postgres::connect(&services.database, NoTls).await.expect("PostgreSQL answers");
    let told = async {
        let rows = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables
            WHERE schemaname = $1 AND relname = ANY ($2)";
        client.execute("SELECT pg_stat_clear_snapshot()", &[]).await.expect("it answers");
        let tables = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let waiting = client.query_one(rows, &[&schema, &tables(&["waiting", "jobs"])]).await.expect("it answers");
        let trail = client.query_one(rows, &[&schema, &tables(&["trail"])]).await.expect("it answers");
        (waiting.get(0), trail.get(0))
    };
    tokio::select! { told = told => told, _ = connection => panic!("PostgreSQL went away") }
}

/// 2,000 ordinary jobs to as many people, then 40 one-time passwords, then ten that failed.
async fn at_the_limit(services: &Services) -> Vec<bool> {
    let (stand, address) = limited(services, three()).await;
    let (prefix, oracle) = (stand.prefix().to_owned(), stand.sim.oracle());
    // Ten that will be reported as failed go first; the rest does not matter.
    let failing = jobs("failing", "normal", 0, FAILING, "77").into_iter();
    producing::publish_to(&services.amqp, &prefix, "default.normal", failing).await;
    let mut workers = vec![stand.run()];
    listening(address).await;
    oracle.wait_for(FAILING as u64).await;
    // Two others, which take no webhooks in: the address is the first one's.
    let mut beside = stand;
    beside.set("webhook.listen", "127.0.0.1:0");
    workers.extend([beside.run(), beside.run()]);
    let ordinary = jobs("ad", "normal", 100, 2_000 - FAILING, "00").into_iter();
    producing::publish_to(&services.amqp, &prefix, "default.normal", ordinary).await;
    let _reached = tokio::time::timeout(Duration::from_secs(60), oracle.wait_for(ORDINARY as u64)).await;
    tokio::time::sleep(QUIET / 2).await;
    let first = people(&oracle);
    let before = writes(services, &prefix).await;
    tokio::time::sleep(QUIET).await;
    let after = writes(services, &prefix).await;
    let still = people(&oracle);
    let urgent = jobs("password", "urgent", 5_000, 40, "00").into_iter();
    producing::publish_to(&services.amqp, &prefix, "default.urgent", urgent).await;
    let _reached = tokio::time::timeout(Duration::from_secs(60), oracle.wait_for(LIMIT as u64)).await;
    tokio::time::sleep(QUIET / 2).await;
    let second = people(&oracle);
    beside.sim.set_webhook_url(format!("http://{address}/webhook/whatsapp"));
    let more = (LIMIT + FAILING) as u64;
    let _reached = tokio::time::timeout(Duration::from_secs(60), oracle.wait_for(more)).await;
    tokio::time::sleep(QUIET / 2).await;
    let third = people(&oracle);
    let stats = oracle.stats();
    let refused: u64 = stats.refused_by_code.values().sum();
    drop(workers);
    producing::delete_lanes(&services.amqp, &prefix, &["default"]).await;
    vec![
        verdict(
            "portfolio limit 250, reserve 10 %, 3 workers, 2,000 ordinary jobs",
            &format!("{first} people, {still} after {QUIET:.0?} more (225)"),
            (first, still) == (ORDINARY, ORDINARY),
        ),
        verdict(
            "the same: what is parked does not churn",
            &format!(
                "{} writes of rows and {} of trails in {QUIET:.0?} (none)",
                after.0 - before.0,
                after.1 - before.1
            ),
            before == after,
        ),
        verdict("the same, then 40 urgent ones", &format!("{second} people (250)"), second == LIMIT),
        verdict(
            "the same, then 10 reported as failed",
            &format!(
                "{third} people (260), {refused} refused by the simulator's own count (none), {} doubled",
                stats.duplicate_jobs
            ),
            third == LIMIT + FAILING && refused == 0 && stats.duplicate_jobs == 0,
        ),
    ]
}

/// The same 250 people again 23 hours later on a scaled clock, and others who wait for a place.
async fn the_next_day(services: &Services) -> bool {
    let scale = 86_400.0 / DAY.as_secs_f64();
    let (mut stand, _) = limited(services, SimConfig { time_scale: scale, pair_limit: false, ..three() }).await;
    stand.set("quota.window", &format!("{}s", DAY.as_secs()));
    stand.set("quota.reserve", "0");
    stand.set("pair.interval", "0s");
    stand.set("webhook.listen", "127.0.0.1:0");
    let (prefix, oracle) = (stand.prefix().to_owned(), stand.sim.oracle());
    let again_at = clock::now().wall + DAY * 23 / 24;
    let first = jobs("first", "normal", 100, LIMIT, "00").into_iter();
    producing::publish_to(&services.amqp, &prefix, "default.normal", first).await;
    let again = (100..100 + LIMIT).map(|n| {
        let id = format!("again-{n}");
        let mut job = template(&id, &person(n, "00"), "normal");
        job["not_before"] = json!(again_at.to_string());
        (id, job.to_string())
    });
    producing::publish_to(&services.amqp, &prefix, "default.normal", again).await;
    let workers: Vec<_> = (0..3).map(|_| stand.run()).collect();
    let _reached = tokio::time::timeout(Duration::from_secs(60), oracle.wait_for(LIMIT as u64)).await;
    let new = jobs("new", "normal", 5_000, 100, "00").into_iter();
    producing::publish_to(&services.amqp, &prefix, "default.normal", new).await;
    let ledger = stand.beside().await;
    let _all = tokio::time::timeout(DAY * 4, ended(&ledger, 2 * LIMIT + 100)).await;
    let (most, refused) = (oracle.most_people_within(DAY), oracle.stats().refused_by_code);
    let accepted = oracle.accepted();
    drop(workers);
    producing::delete_lanes(&services.amqp, &prefix, &["default"]).await;
    let figures = format!("{accepted} sent (600), at most {most} people in any 24 h (250), refused {refused:?} (none)");
    let kept = accepted == 2 * LIMIT as u64 + 100 && most == LIMIT && refused == BTreeMap::new();
    verdict("the same 250 people 23 h later, on a clock 720 times as fast", &figures, kept)
}

async fn ended(ledger: &Ledger, count: usize) {
    let filter = || JobFilter { state: Some(State::Accepted), limit: 10_000, ..JobFilter::default() };
    while ledger.jobs(filter()).await.expect("rows").len() < count {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
