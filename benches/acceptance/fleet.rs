//! RabbitMQ and PostgreSQL, three workers, of which one is killed and the others are replaced in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate::ledger::JobFilter;
use tidegate::outcome::State;
use tidegate::sim::Oracle;

use crate::stand::{Services, Stand};
use crate::{line, producing, verdict};

const NUMBERS: usize = 10;
const JOBS: usize = 60 * 800;
/// Around each stop or kill so many seconds count as disturbed: the lease, its takeover, the new owner's full window.
const DISTURBED: u64 = 13;

/// 10 numbers of 80/s, 60 s; a kill -9 of one worker, and a rolling restart of the others.
pub async fn kill_and_roll(services: &Services) -> Vec<bool> {
    let numbers: Vec<(String, u32)> = (0..NUMBERS).map(|n| (format!("{}", 1001 + n), 80)).collect();
    let stand = Stand::new(&numbers, &[]).on(services).await;
    let jobs = (0..JOBS).map(|n| (format!("job-{n}"), line(&format!("job-{n}"), n, "bulk", "default")));
    producing::publish_to(&services.amqp, stand.prefix(), "default.bulk", jobs).await;
    let oracle = stand.sim.oracle();
    let mut workers: Vec<_> = (0..3).map(|_| stand.run()).collect();
    let mut disturbed = BTreeSet::new();
    let mut disturb = |oracle: &Oracle, seconds: u64| {
        let now = oracle.now_ns() / 1_000_000_000;
        disturbed.extend(now..=now + seconds);
    };
    disturb(&oracle, 8);
    oracle.wait_for(12_000).await;
    disturb(&oracle, DISTURBED);
    drop(workers.remove(0));
    let in_flight = open(&stand).await;
    workers.push(stand.run());
    oracle.wait_for(24_000).await;
    for _ in 0..2 {
        disturb(&oracle, 6);
        workers.remove(0).stop();
        workers.push(stand.run());
        let reached = oracle.accepted();
        oracle.wait_for(reached + 4_000).await;
    }
    oracle.wait_for((JOBS as u64).saturating_sub(in_flight)).await;
    let seconds = per_second(&oracle);
    let last = seconds.keys().next_back().copied().unwrap_or(0);
    let undisturbed: Vec<usize> = seconds
        .iter()
        .filter(|(second, _)| !disturbed.contains(second) && **second + 3 < last)
        .map(|(_, n)| *n)
        .collect();
    let mean = undisturbed.iter().sum::<usize>() as f64 / undisturbed.len().max(1) as f64;
    let worst = numbers.iter().map(|(number, _)| oracle.worst_sliding_second(number)).max().unwrap_or(0);
    // Unknown ones wait for their policy, which is to leave them.
    let rows = loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let ledger = stand.beside().await;
        let rows = ledger.jobs(JobFilter { limit: 100_000, ..JobFilter::default() }).await.expect("rows");
        if rows.len() == JOBS && rows.iter().all(|row| row.state.has_ended()) {
            break rows;
        }
    };
    let accepted = rows.iter().filter(|row| row.state == State::Accepted).count();
    let unresolved = rows.iter().filter(|row| row.state == State::Unresolved).count();
    let lost = JOBS - accepted - unresolved;
    let doubled = oracle.stats().duplicate_jobs;
    drop(workers);
    producing::delete_lanes(&services.amqp, stand.prefix(), &["default"]).await;
    vec![
        verdict(
            "10 numbers of 80/s, 3 workers, a kill and a rolling restart: limits",
            &format!("worst sliding second of any number {worst} (at most 80)"),
            worst <= 80,
        ),
        verdict(
            "the same: rate",
            &format!("{mean:.0}/s in {} undisturbed seconds (at least 760)", undisturbed.len()),
            mean >= 760.0,
        ),
        verdict(
            "the same: every job",
            &format!(
                "accepted {accepted}, unresolved {unresolved} (in flight at the kill: at most {in_flight}), lost {lost}, \
                 doubled {doubled}"
            ),
            lost == 0 && doubled == 0 && unresolved as u64 <= in_flight,
        ),
    ]
}

/// How many attempts have no outcome right now.
async fn open(stand: &Stand) -> u64 {
    let census = stand.beside().await.census().await.expect("a census");
    census.states.iter().filter(|(state, _)| *state == State::Sending).map(|(_, count)| count).sum()
}

fn per_second(oracle: &Oracle) -> BTreeMap<u64, usize> {
    oracle.accepted_entries().iter().fold(BTreeMap::new(), |mut seconds, entry| {
        *seconds.entry(entry.at().as_secs()).or_default() += 1;
        seconds
    })
}
