//! Workers that take places of one messaging limit and give them back, all at once: what is counted is what there is.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidegate::ledger::{Admission, Admitted, Fate, Heard, JobRef, Ledger, MessagingLimit, WorkerId};
use tidegate::outcome::{Reason, State};
use uuid::Uuid;

use super::bench::Bench;
use super::ledger::*;
use super::places::*;
use super::told::*;

const NUMBERS: [&str; 3] = ["1001", "2002", "3003"];
const ROUNDS: u32 = 40;
const LIMIT: u64 = 30;

/// Whose latest messages lie in which slot, by the messages themselves, beside what is counted there.
const WRONG: &str = "SELECT count(*) FROM (
        SELECT portfolio, at / 60000 AS slot, count(*) AS n FROM (
            SELECT portfolio, recipient, max(at) AS at FROM seen GROUP BY portfolio, recipient) p
        GROUP BY portfolio, at / 60000) s
    FULL JOIN bucket b ON b.portfolio = s.portfolio AND b.slot = s.slot
    WHERE b.n IS DISTINCT FROM s.n";

pub async fn race(bench: &Bench) {
    let bench = &bench.giving_places(limit(LIMIT)).await;
    let ledgers = [bench.another().await, bench.another().await, bench.another().await];
    let [one, two, three] = &ledgers;
    let all = async { tokio::join!(work(one, 0), work(two, 1), work(three, 2), keep(bench)) };
    tokio::time::timeout(4 * PATIENCE, all).await.expect("in time");
    assert_eq!(bench.count(WRONG).await, 0);
    let seen = bench.count("SELECT count(DISTINCT recipient) FROM seen").await;
    assert_eq!(taken(bench, 0).await, u64::try_from(seen).expect("a count"));
    assert!(seen > 0 && taken(bench, 0).await <= LIMIT);
    tokio::time::timeout(PATIENCE, come_out(one)).await.expect("all come out in time");
    let stands = quota(bench, 0).await.expect("it has a limit");
    assert!(stands.parked == 0 || stands.taken == LIMIT, "a place is left that others wait for: {stands:?}");
}

/// Lets out whoever may come out.
async fn come_out(ledger: &Ledger) {
    let steps = Steps::of(ledger, WorkerId(Uuid::from_u128(1)), NUMBERS[0]).await;
    loop {
        let claimed = steps.claim(9, 9, at(0)).await;
        if claimed.rows.is_empty() {
            return;
        }
        for row in &claimed.rows {
            let answer = steps.ask(timely(steps.request(claimed_job(row)), 0), at(0)).await;
            assert!(matches!(answer, Admitted::Go(_) | Admitted::Parked(_)), "{answer:?}");
        }
    }
}

/// Asks for letters to people whom others write to as well, and gives many of them up.
async fn work(ledger: &Ledger, place: u32) {
    let steps = Steps::of(ledger, WorkerId(Uuid::from_u128(u128::from(place) + 1)), NUMBERS[place as usize]).await;
    let mut chance = StdRng::seed_from_u64(u64::from(place));
    for round in 0..ROUNDS {
        let people: Vec<u32> = (0..5).map(|_| chance.random_range(0..60)).collect();
        let letters = people.iter().enumerate().map(|(n, person)| letter(&format!("{place} {round} {n}"), *person));
        let requests = letters.map(|letter| timely(steps.delivery(letter), chance.random_range(0..600))).collect();
        let answers = ledger.admit(requests, at(0)).await.expect("answered");
        let mut settlements = Vec::new();
        for answer in answers {
            match answer {
                Admitted::Go(admission) => settlements.extend(settled(&admission, chance.random_range(0..6))),
                Admitted::Parked(_) => {}
                other => panic!("neither admitted nor parked: {other:?}"),
            }
        }
        ledger.settle(settlements).await.expect("settled");
        let told =
            (0..3).map(|n| JobRef { source: None, id: format!("{place} {} {n}", chance.random_range(0..=round)) });
        drop(ledger.cancel(told.collect(), Unseen::Refuse, at(0)).await.expect("answered"));
        let claimed = steps.claim(0, 2, at(0)).await;
        for row in &claimed.rows {
            let answer = steps.ask(timely(steps.request(claimed_job(row)), 0), at(0)).await;
            if let Admitted::Go(admission) = answer {
                ledger
                    .settle(settled(&admission, chance.random_range(0..6)).into_iter().collect())
                    .await
                    .expect("settled");
            }
        }
    }
}

fn settled(admission: &Admission, n: u32) -> Option<tidegate::ledger::Settlement> {
    let (state, reason, details) = (State::Failed, Reason::NotOnWhatsapp, String::new());
    let fate = match n {
        0 | 1 => Fate::End { state, reason, code: None, details },
        2 => Fate::Retry { due: at(DAY), reason: Reason::ServiceUnavailable, code: None, charged: true },
        3 => Fate::Park { reason: Reason::Failing, code: None },
        4 => accepted(),
        _ => return None,
    };
    Some(settlement(admission, fate, at(0)))
}

/// Statuses come, and the keeper does his round.
async fn keep(bench: &Bench) {
    let mut chance = StdRng::seed_from_u64(9);
    for round in 0..ROUNDS {
        let key = |chance: &mut StdRng| {
            let (place, round, n) =
                (chance.random_range(0..3), chance.random_range(0..=round), chance.random_range(0..5));
            job(&format!("{place} {round} {n}")).key
        };
        let failed = status(key(&mut chance), undeliverable(), at(0));
        let delivered = status(key(&mut chance), Heard::Delivered, at(0));
        tell(bench, failed).await;
        tell(bench, delivered).await;
        bench.sweep(at(0), WAIT, 100).await.expect("swept");
    }
}

pub async fn hear_of_limits(bench: &Bench) {
    let second = bench.another().await;
    let (steps, others) = (Steps::new(bench).await, Steps::of(&second, other(), "2002").await);
    send(&steps, letter("before", 1), 0).await;
    send(&others, letter("before too", 2), 0).await;
    let mut signals = second.signals();
    let before = *signals.borrow_and_update();
    say_limit(bench, MessagingLimit::Of(2), 1).await;
    send(&steps, letter("first", 3), 1).await;
    hear(&mut signals, |signal| signal.fleet > before.fleet).await;
    // One of the two places is kept for urgent jobs.
    park(&others, letter("second", 4), 1).await;
    park(&steps, letter("third", 5), 1).await;
    let before = *signals.borrow_and_update();
    say_limit(bench, MessagingLimit::Unlimited, 2).await;
    hear(&mut signals, |signal| signal.fleet > before.fleet && signal.work > before.work).await;
    send(&others, letter("fourth", 6), 2).await;
    assert_eq!(ids(&others.claim(9, 9, at(2)).await), ["second", "third"]);
    // What had no limit was not counted.
    assert_eq!(bench.count("SELECT count(*) FROM seen").await, 1);
}
