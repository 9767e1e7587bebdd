//! Statuses of 3,000 a second while 800 messages a second go out.

use std::time::Duration;

use tidegate::ledger::JobFilter;
use tidegate::outcome::State;
use tidegate::sim::{Between, Delays, NumberSpec, SimConfig, WebhookConfig};

use super::{SECRET, applied, listening, stand};
use crate::stand::Services;
use crate::{line, producing, verdict};

const NUMBERS: u32 = 10;
const RATE: u32 = 80;
/// Each message is told of three times, and a quarter of that twice: 3,000 a second.
const REPEATED: f64 = 0.25;
/// Until the first messages were read, fewer are told of.
const WARM_UP: Duration = Duration::from_secs(5);

fn simulated(numbers: &[(String, u32)]) -> SimConfig {
    let delays = Delays {
        sent: Between::seconds(0.05, 0.5),
        delivered: Between::seconds(0.2, 1.0),
        read: Between::seconds(0.5, 2.0),
    };
    let webhooks = WebhookConfig { delays, read_share: 1.0, repeat_share: REPEATED, ..WebhookConfig::new("", SECRET) };
    let numbers = numbers.iter().map(|(id, rate)| NumberSpec::new(id.clone()).with_mps(*rate));
    SimConfig { webhooks: Some(webhooks), ..SimConfig::with_numbers(numbers) }
}

/// For so many seconds, over SQLite or these services.
pub async fn statuses_beside_sends(seconds: u64, services: Option<&Services>) -> bool {
    let numbers: Vec<(String, u32)> = (0..NUMBERS).map(|n| (format!("{}", 1001 + n), RATE)).collect();
    let (mut stand, address) = stand(simulated(&numbers), &numbers);
    let window = Duration::from_secs(seconds);
    let jobs = usize::try_from((window + 2 * WARM_UP).as_secs()).expect("few") * (NUMBERS * RATE) as usize;
    if let Some(services) = services {
        stand = stand.on(services).await;
        let all = (0..jobs).map(|n| (format!("job-{n}"), line(&format!("job-{n}"), n, "bulk", "default")));
        producing::publish_to(&services.amqp, stand.prefix(), "default.bulk", all).await;
    } else {
        assert!(stand.send_file((0..jobs).map(|n| line(&format!("job-{n}"), n, "bulk", "default"))), "all is taken");
    }
    let worker = stand.run();
    listening(address).await;
    stand.sim.set_webhook_url(format!("http://{address}/webhook/whatsapp"));
    let oracle = stand.sim.oracle();
    oracle.wait_for(1).await;
    tokio::time::sleep(WARM_UP).await;
    let told = || oracle.webhook_counts().acknowledged_updates.values().sum::<u64>();
    let (begun_ns, sent, updates) = (oracle.now_ns(), oracle.accepted(), told());
    tokio::time::sleep(window).await;
    let took = Duration::from_nanos(oracle.now_ns() - begun_ns).as_secs_f64();
    let (rate, updates) = ((oracle.accepted() - sent) as f64 / took, (told() - updates) as f64 / took);
    let _all = tokio::time::timeout(window + Duration::from_secs(120), oracle.wait_for(jobs as u64)).await;
    let _told = tokio::time::timeout(Duration::from_secs(120), oracle.webhooks_settled()).await;
    let ledger = stand.beside().await;
    let is_applied = applied(&ledger, Duration::from_secs(120)).await;

    let counts = oracle.webhook_counts();
    let answers = counts.answers;
    let rows = ledger.jobs(JobFilter { limit: 1_000_000, ..JobFilter::default() }).await.expect("rows");
    let read = rows.iter().filter(|row| row.state == State::Read).count();
    let planned = counts.planned.get("read").copied().unwrap_or(0);
    let times = rows.iter().filter(|row| row.sent_at.is_some() && row.delivered_at.is_some() && row.read_at.is_some());
    let whole = times.count();
    let lost = planned.abs_diff(read as u64) + counts.dropped + counts.given_up_updates;
    let peak = worker.peak();
    worker.stop();
    if let Some(services) = services {
        producing::delete_lanes(&services.amqp, stand.prefix(), &["default"]).await;
    }
    let place = if services.is_some() { "PostgreSQL and RabbitMQ" } else { "SQLite" };
    let figures = format!(
        "{updates:.0} updates/s taken (at least 2,850), answers: median {:.1} ms (at most 250), p99 {:.1} ms, {:.2} % \
         over 1 s (under 1); {rate:.1}/s sent (at least 760); {read} read of {planned} told and {jobs} sent, {whole} \
         with all three times, {} refused, peak {peak} MiB",
        answers.median_ms,
        answers.p99_ms,
        answers.share_over_one_second * 100.0,
        counts.refused,
    );
    let is_fast = answers.median_ms <= 250.0 && answers.share_over_one_second < 0.01;
    let kept =
        is_applied && is_fast && updates >= 2_850.0 && rate >= 760.0 && lost == 0 && read == jobs && whole == jobs;
    verdict(&format!("3,000 statuses/s beside 800 sends/s for {seconds} s, {place}"), &figures, kept)
}
