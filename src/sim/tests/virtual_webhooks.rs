//! Webhooks without a socket: what is planned, for times that the test chooses.

use super::two_numbers;
use crate::sim::decision::Arrival;
use crate::sim::platform::Platform;
use crate::sim::validate::{self, Endpoint};
use crate::sim::webhooks::Next;
use crate::sim::{FailedShare, SimConfig, WebhookConfig};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

fn platform(webhooks: WebhookConfig, seed: u64) -> Platform {
    Platform::new(SimConfig { webhooks: Some(webhooks), seed, ..two_numbers() })
}

/// Accepts a message from each of so many people at the start.
fn send_to(platform: &mut Platform, people: u64) {
    for n in 0..people {
        let body = super::text(&format!("+{}", 447_700_900_000 + n), &format!("job-{n}:1")).to_string();
        let posted = validate::read(body.as_bytes(), Endpoint::Messages);
        assert_eq!(platform.decide(Arrival { number: 0, at_ns: n * SECOND }, posted).status, 200);
    }
}

/// Every POST until nothing waits, in words, each acknowledged at once: when it was due, and what it told of whom.
fn posts(platform: &mut Platform) -> Vec<(u64, Vec<String>)> {
    let (mut now_ns, mut posts) = (0, Vec::new());
    loop {
        match platform.next_post(now_ns) {
            Next::Post(post) => {
                posts.push((now_ns, post.words()));
                platform.outbox.as_mut().unwrap().settle(post, true, None, now_ns);
            }
            Next::WaitUntil(at_ns) => now_ns = at_ns,
            Next::Idle => return posts,
        }
    }
}

fn everything() -> WebhookConfig {
    WebhookConfig {
        failed: vec![FailedShare::of(131_026, 0.2)],
        repeat_share: 0.2,
        disorder_share: 0.2,
        ..WebhookConfig::new("http://127.0.0.1:1/hook", "x")
    }
}

#[test]
fn the_same_seed_plans_the_same_and_another_does_not() {
    let run = |seed| {
        let mut platform = platform(everything(), seed);
        send_to(&mut platform, 50);
        posts(&mut platform)
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    assert!(first.len() > 100, "{}", first.len());
}

#[test]
fn delays_are_within_their_bounds_and_the_scale_shortens_them() {
    for (scale, shorter) in [(1.0, 1), (0.01, 100)] {
        let webhooks = WebhookConfig { scale, read_share: 1.0, ..WebhookConfig::new("http://127.0.0.1:1/", "x") };
        let mut platform = platform(webhooks, 1);
        send_to(&mut platform, 1);
        let due: Vec<u64> = posts(&mut platform).into_iter().map(|(at_ns, _)| at_ns * shorter).collect();
        let within = |at: u64, least: f64, most: f64| (least..=most).contains(&(at as f64 / 1e9));
        assert_eq!(due.len(), 3);
        assert!(within(due[0], 0.049, 1.0), "{due:?}");
        assert!(within(due[1] - due[0], 0.199, 20.01), "{due:?}");
        assert!(within(due[2] - due[1], 0.99, 120.01), "{due:?}");
    }
}

#[test]
fn retries_wait_longer_and_longer_and_end_after_a_week() {
    let mut platform = platform(WebhookConfig::new("http://127.0.0.1:1/", "x"), 1);
    assert!(platform.plan_raw(bytes::Bytes::from_static(b"{}"), 0));
    let (mut now_ns, mut tried) = (0, Vec::new());
    loop {
        match platform.next_post(now_ns) {
            Next::Post(post) => {
                tried.push(now_ns);
                platform.outbox.as_mut().unwrap().settle(post, false, None, now_ns);
            }
            Next::WaitUntil(at_ns) => now_ns = at_ns,
            Next::Idle => break,
        }
    }
    let waits: Vec<u64> = tried.windows(2).map(|two| (two[1] - two[0]) / SECOND).collect();
    assert_eq!(waits[..4], [2, 4, 8, 16]);
    assert_eq!(waits.iter().max(), Some(&3_600));
    assert!(waits.is_sorted());
    let last = tried.last().unwrap();
    assert!((6 * DAY..=7 * DAY).contains(last), "{last}");
    let counts = platform.outbox.as_ref().unwrap().counts();
    assert_eq!((counts.given_up, counts.waiting), (1, 0));
    assert_eq!(counts.posted, tried.len() as u64);
}
