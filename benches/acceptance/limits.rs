//! One worker at the limits of its numbers: a fast one, one that becomes faster, five that fare differently, one person
//! who gets everything, and a thousand numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate::sim::{
    AccountEvent, Entry, Fault, NumberSpec, Oracle, Quality, SimConfig, ThroughputLevel, WebhookConfig,
};

use crate::stand::Stand;
use crate::webhooks::{SECRET, listening, stand};
use crate::{line, verdict};

/// Of the rate that is promised of a fast number.
const FAST: f64 = 0.98;

/// All of them, in turn.
pub async fn all() -> Vec<bool> {
    vec![high().await, raised().await, five(false).await, five(true).await, one_person().await, flat().await]
}

fn bulk(stand: &Stand, count: usize) {
    let lines = (0..count).map(|n| line(&format!("job-{n}"), n, "bulk", "default"));
    assert!(stand.send_file(lines), "all is taken");
}

fn within(entries: &[Entry], from: Duration, to: Duration) -> usize {
    entries.iter().filter(|entry| (from..to).contains(&entry.at())).count()
}

/// Level HIGH: 1,000/s by one worker, held over 30 s from its first second's end.
async fn high() -> bool {
    let stand = Stand::new(&[("1001".into(), 1_000)], &[]);
    bulk(&stand, 34_000);
    let worker = stand.run();
    let oracle = stand.sim.oracle();
    oracle.wait_for(31_500).await;
    let entries = oracle.accepted_entries();
    let from = entries[0].at() + Duration::from_secs(1);
    let rate = within(&entries, from, from + Duration::from_secs(30)) as f64 / 30.0;
    let worst = oracle.worst_sliding_second("1001");
    let figures =
        format!("{rate:.1}/s (at least 980), worst sliding second {worst} (at most 1000), peak {} MiB", worker.peak());
    verdict("one number of 1,000/s for 30 s", &figures, rate >= 1_000.0 * FAST && worst <= 1_000)
}

/// STANDARD becomes HIGH in mid-run, announced by webhook: the new rate within 5 s, and no second above the limit that
/// is in force.
async fn raised() -> bool {
    let sim = SimConfig {
        webhooks: Some(WebhookConfig::new("", SECRET)),
        ..SimConfig::with_numbers([NumberSpec::new("1001")])
    };
    let (mut stand, address) = stand(sim, &[("1001".into(), 0)]);
    // It may also be read from the number's own fields, should the webhook be late.
    stand.set("fleet.refresh", "60s");
    bulk(&stand, 20_000);
    let _worker = stand.run();
    listening(address).await;
    stand.sim.set_webhook_url(format!("http://{address}/webhook/whatsapp"));
    let oracle = stand.sim.oracle();
    oracle.wait_for(80 * 6).await;
    let level = Some(ThroughputLevel::High);
    let change = AccountEvent::NumberQuality { number: "1001".into(), quality: None, level };
    let raised_at = Duration::from_nanos(oracle.now_ns());
    stand.sim.announce(&change).expect("a number of this simulator");
    oracle.wait_for(80 * 6 + 12_000).await;
    let entries = oracle.accepted_entries();
    let second = Duration::from_secs(1);
    let rate_from = |at: Duration| within(&entries, at, at + second);
    let tenths = (0..150_u32).map(|tenth| raised_at + second * tenth / 10);
    let reached = tenths.clone().find(|at| rate_from(*at) >= (1_000.0 * FAST) as usize);
    let took = reached.map_or(Duration::MAX, |at| at - raised_at);
    let before = worst_second(&entries, Duration::ZERO, raised_at);
    let after = oracle.worst_sliding_second("1001");
    let refused = oracle.stats().refused_by_code.get(&130_429).copied().unwrap_or(0);
    let figures = format!(
        "980/s after {took:.1?} (at most 5 s), worst second {before} before (at most 80) and {after} after (at most \
         1000), {refused} refused"
    );
    let kept = took <= Duration::from_secs(5) && before <= 80 && after <= 1_000 && refused == 0;
    verdict("a number raised from 80/s to 1,000/s in mid-run", &figures, kept)
}

fn worst_second(entries: &[Entry], from: Duration, to: Duration) -> usize {
    let times: Vec<Duration> = entries.iter().map(Entry::at).filter(|at| (from..to).contains(at)).collect();
    let (mut first, mut worst) = (0, 0);
    for (last, at) in times.iter().enumerate() {
        while *at - times[first] >= Duration::from_secs(1) {
            first += 1;
        }
        worst = worst.max(last + 1 - first);
    }
    worst
}

const FIVE: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];

/// Two GREEN, one of which three requests in ten fail, one YELLOW, one RED: shares at half of the pool's limit, the
/// whole limit where more is asked for.
async fn five(is_full: bool) -> bool {
    let rated = |slot: usize, id: &&str| {
        let quality = [Quality::Green, Quality::Green, Quality::Green, Quality::Yellow, Quality::Red][slot];
        NumberSpec { quality, ..NumberSpec::new(*id).with_mps(80) }
    };
    let sim = SimConfig::with_numbers(FIVE.iter().enumerate().map(|(slot, id)| rated(slot, id)));
    let numbers: Vec<(String, u32)> = FIVE.iter().map(|id| ((*id).to_owned(), 80)).collect();
    let mut stand = Stand::simulated(sim, &numbers, &[]);
    stand.set("retry.base", "1s");
    stand.sim.set_faults(vec!["number=1003,probability=0.3,code=131000,http=500".parse::<Fault>().expect("a fault")]);
    let seconds = 40;
    if is_full {
        bulk(&stand, 400 * (seconds + 4));
    }
    let _worker = stand.run();
    let oracle = stand.sim.oracle();
    if !is_full {
        offer(&stand, 200, seconds + 4).await;
    }
    // Where one number's failures are taken again by others, 400/s is not accepted but asked.
    wait_for_requests(&oracle, if is_full { 400 } else { 200 } * (seconds + 2)).await;
    let entries = oracle.entries_since(0, 1_000_000);
    let from = entries[0].at() + Duration::from_secs(2);
    let to = from + Duration::from_secs(seconds as u64 - 2);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| (from..to).contains(&entry.at())) {
        *counts.entry(&entry.number).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let shares = FIVE.map(|id| counts.get(id).copied().unwrap_or(0) as f64 / all as f64);
    let worst = FIVE.map(|id| oracle.worst_sliding_second(id)).into_iter().max().unwrap_or(0);
    let shown = shares.map(|share| format!("{share:.3}")).join(" ");
    if is_full {
        let rate = all as f64 / (to - from).as_secs_f64();
        let figures = format!("{rate:.1}/s (at least 394), worst second of any {worst} (at most 80), shares {shown}");
        return verdict("a pool of five of 80/s, all of it asked for", &figures, rate >= 394.0 && worst <= 80);
    }
    let weights = [1.0, 1.0, 0.7, 0.5, 0.1];
    let expected = weights.map(|weight| weight / weights.iter().sum::<f64>());
    let off = shares.iter().zip(expected).map(|(share, expected)| (share - expected).abs()).fold(0.0, f64::max);
    let figures = format!("shares {shown}, at most {off:.3} off (at most 0.05), worst second of any {worst}");
    verdict("a pool of five at half of its limit", &figures, off <= 0.05 && worst <= 80)
}

/// Hands in so many jobs a second, one by one: a burst would go to whoever has room, whatever its weight.
async fn offer(stand: &Stand, per_second: usize, seconds: usize) {
    let ledger = stand.beside().await;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
    for tick in 0..seconds * per_second {
        ticks.tick().await;
        stand.enqueue_all(&ledger, [line(&format!("job-{tick}"), tick, "normal", "default")].into_iter()).await;
    }
}

async fn wait_for_requests(oracle: &Oracle, count: usize) {
    let asked = || oracle.totals().accepted + oracle.totals().refused;
    while asked() < count as u64 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Sixty jobs at once to one person, on a clock on which Meta's 6 s are 100 ms.
async fn one_person() -> bool {
    let sim = SimConfig { time_scale: 60.0, ..SimConfig::with_numbers([NumberSpec::new("1001").with_mps(80)]) };
    let mut stand = Stand::simulated(sim, &[("1001".into(), 80)], &[]);
    stand.set("pair.interval", "110ms");
    assert!(stand.send_file((0..60).map(|n| line(&format!("{n:02}"), 1, "normal", "default"))), "all is taken");
    let _worker = stand.run();
    let oracle = stand.sim.oracle();
    let _all = tokio::time::timeout(Duration::from_secs(60), oracle.wait_for(60)).await;
    let ledger = stand.beside().await;
    let rows = ledger.jobs(tidegate::ledger::JobFilter { limit: 100, ..Default::default() }).await.expect("rows");
    let ids: BTreeMap<String, &str> = rows.iter().map(|row| (row.key.to_string(), row.id.as_str())).collect();
    let sent = oracle.accepted_entries();
    let key = |entry: &Entry| entry.callback.as_deref().and_then(|text| text.split(':').next()).map(str::to_owned);
    let order: Vec<&str> = sent.iter().filter_map(|entry| ids.get(&key(entry)?).copied()).collect();
    let refused = oracle.stats().refused_by_code.get(&131_056).copied().unwrap_or(0);
    let is_ordered = order.is_sorted();
    let figures = format!("{} sent, in order: {is_ordered}, {refused} refused with 131056 (none)", order.len());
    verdict("sixty jobs at once to one person", &figures, order.len() == 60 && is_ordered && refused == 0)
}

/// The same 1,000/s in all, by one number and by a thousand: what the worker's process takes for a message.
async fn flat() -> bool {
    let mut cost = BTreeMap::new();
    for numbers in [1_u32, 10, 100, 1_000] {
        let each = 1_000 / numbers;
        let listed: Vec<(String, u32)> = (0..numbers).map(|n| (format!("{}", 10_001 + n), each)).collect();
        let mut stand = Stand::new(&listed, &[]);
        stand.set("pair.interval", "0s");
        bulk(&stand, 24_000);
        let worker = stand.run();
        let oracle = stand.sim.oracle();
        // With a thousand numbers of 1/s each, the first second of each is its window, and the start is not counted.
        oracle.wait_for(3_000).await;
        let (busy, sent) = (worker.busy(), oracle.accepted());
        oracle.wait_for(20_000).await;
        let messages = oracle.accepted() - sent;
        cost.insert(numbers, (worker.busy() - busy).as_secs_f64() * 1e6 / messages as f64);
    }
    let shown: Vec<String> = cost.iter().map(|(numbers, us)| format!("{numbers}: {us:.0} µs")).collect();
    let ratio = cost[&1_000] / cost[&1];
    let figures = format!("processor time a message by numbers {} ({ratio:.2} times, at most 1.5)", shown.join(", "));
    verdict("cost of a message from 1 to 1,000 numbers, 1,000/s in all", &figures, ratio <= 1.5)
}
