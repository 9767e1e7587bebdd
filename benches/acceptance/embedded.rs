//! One binary and one SQLite file.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate::ledger::{JobFilter, JobRef};
use tidegate::outcome::State;
use tidegate::sim::Fault;

use crate::stand::Stand;
use crate::{line, verdict};

/// 20,000 jobs by `send --file`, accepted exactly once, in 64 MiB; also with many others standing.
pub async fn throughput(standing: usize) -> bool {
    let numbers: Vec<(String, u32)> =
        (0..20).map(|n| (format!("{}", 1001 + n), 1_000)).chain([("5001".into(), 1)]).collect();
    let stand = Stand::new(&numbers, &[("slow".into(), vec!["5001".into()])]);
    assert!(stand.send_file((0..standing).map(|n| line(&format!("slow-{n}"), n, "bulk", "slow"))), "all is taken");
    let worker = stand.run();
    let taken = stand.send_file((0..20_000).map(|n| line(&format!("fast-{n}"), n, "normal", "default")));
    let oracle = stand.sim.oracle();
    let fast =
        || oracle.stats().numbers.iter().filter(|(id, _)| id.as_ref() != "5001").map(|(_, n)| n.accepted).sum::<u64>();
    let mut waited = 0;
    while fast() < 20_000 && waited < 600 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        waited += 1;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ledger = stand.beside().await;
    let filter = JobFilter { pool: Some("default".parse().expect("a pool")), limit: 30_000, ..JobFilter::default() };
    let rows = ledger.jobs(filter).await.expect("rows");
    let accepted = rows.iter().filter(|row| row.state == State::Accepted).count();
    let doubled = oracle.stats().duplicate_jobs;
    let peak = worker.peak();
    let kept = taken && fast() == 20_000 && accepted == 20_000 && doubled == 0 && peak <= 64;
    let what = format!("20,000 jobs by send --file, {standing} others standing");
    verdict(
        &what,
        &format!("at Meta {}, rows accepted {accepted}, doubled {doubled}, peak {peak} MiB (at most 64)", fast()),
        kept,
    )
}

/// One number of 80/s with a backlog, over 30 s from its first send.
pub async fn rate() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    assert!(stand.send_file((0..3_000).map(|n| line(&format!("job-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let oracle = stand.sim.oracle();
    oracle.wait_for(80 * 31).await;
    let entries = oracle.accepted_entries();
    let first = entries[0].at();
    let within = entries.iter().filter(|entry| entry.at() - first < Duration::from_secs(30)).count();
    let rate = within as f64 / 30.0;
    let worst = oracle.worst_sliding_second("1001");
    let figures = format!("{rate:.2}/s (at least 78.8), worst sliding second {worst} (at most 80)");
    verdict("one number of 80/s for 30 s", &figures, rate >= 78.8 && worst <= 80)
}

/// Urgent jobs behind 20,000 bulk jobs of the same number: from the enqueueing commit to the simulator.
pub async fn urgent() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    assert!(stand.send_file((0..20_000).map(|n| line(&format!("bulk-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let (oracle, ledger) = (stand.sim.oracle(), stand.beside().await);
    oracle.wait_for(100).await;
    let mut committed = BTreeMap::new();
    for n in 0..200_usize {
        let recipient = 99_000_000 + n;
        let at = stand.enqueue(&ledger, &line(&format!("otp-{n}"), recipient, "urgent", "default")).await;
        committed.insert(format!("+4477{recipient:08}"), at);
        // Not in step with the permits.
        tokio::time::sleep(Duration::from_millis(45 + (n as u64 * 7) % 23)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let arrivals = oracle.accepted_entries();
    let mut waits: Vec<Duration> = arrivals
        .iter()
        .filter_map(|entry| Some(entry.at().saturating_sub(*committed.get(entry.recipient.as_str())?)))
        .collect();
    waits.sort_unstable();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    let figures = format!("{} sent, median {median:.1?} (at most 30 ms), p99 {p99:.1?} (at most 80 ms)", waits.len());
    let kept = waits.len() == 200 && median <= Duration::from_millis(30) && p99 <= Duration::from_millis(80);
    verdict("urgent behind 20,000 bulk jobs", &figures, kept)
}

/// Retries behind the same backlog leave on their due time.
pub async fn retry() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    stand.sim.set_faults(vec!["recipient_suffix=7,probability=0.3,code=131000".parse::<Fault>().expect("a fault")]);
    assert!(stand.send_file((0..20_000).map(|n| line(&format!("bulk-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let (oracle, ledger) = (stand.sim.oracle(), stand.beside().await);
    oracle.wait_for(800).await;
    let mut late = Vec::new();
    let rows = ledger
        .jobs(JobFilter { state: Some(State::Accepted), limit: 2_000, ..JobFilter::default() })
        .await
        .expect("rows");
    for row in rows.iter().filter(|row| row.attempts == 2) {
        let due = ledger.trail(row.key).await.expect("a trail")[0].until.expect("a retry has a time");
        let shown = ledger.show(JobRef { source: None, id: row.id.clone() }).await.expect("a row");
        let wamid = shown[0].wamid.clone();
        if let Some(entry) = oracle.accepted_entries().iter().find(|entry| entry.wamid == wamid) {
            late.push(i64::try_from(entry.unix_ms).unwrap_or(0) - due.as_millis());
        }
    }
    late.sort_unstable();
    let worst = late.last().copied().unwrap_or(i64::MAX);
    let median = late.get(late.len() / 2).copied().unwrap_or(i64::MAX);
    let figures = format!("{} retries, {median} ms late at the median, {worst} ms at worst (at most 100)", late.len());
    verdict("retries behind 20,000 bulk jobs", &figures, !late.is_empty() && worst <= 100)
}
