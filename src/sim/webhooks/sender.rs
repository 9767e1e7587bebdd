//! Posts what is due, so many at a time, until it is told to stop.

use super::outbox::{Next, Post};
use super::{envelope, handshake, signature};
use crate::sim::oracle::Shared;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A POST that was made: whether it was acknowledged, and how long its answer took, if there was one.
struct Made {
    post: Post,
    acknowledged: bool,
    took: Option<Duration>,
}

/// Posts until `stop`; what is under way then is cut off. Does nothing without a configuration of webhooks.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let Some((bell, config)) = shared.platform().outbox.as_ref().map(|outbox| (outbox.bell(), outbox.config.clone()))
    else {
        return;
    };
    let client = match handshake::client(&config.url, config.answer_within()) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "the simulator can post no webhooks: its HTTP client can't be made");
            return;
        }
    };
    let mut under_way: JoinSet<Made> = JoinSet::new();
    loop {
        let wait = start_posts(&shared, &client, &mut under_way, config.concurrency);
        tokio::select! {
            () = stop.cancelled() => break,
            () = until(wait, &bell) => {}
            Some(made) = under_way.join_next() => {
                // A panic in a POST loses its updates; they stay among those that wait, which is what is true of them.
                if let Ok(Made { post, acknowledged, took }) = made {
                    let (mut platform, now_ns) = shared.platform_now();
                    if let Some(outbox) = &mut platform.outbox {
                        outbox.settle(post, acknowledged, took, now_ns);
                    }
                }
            }
        }
    }
    under_way.shutdown().await;
}

/// Starts every POST that is due and has a place; says how long there is nothing more to start, if that is known.
fn start_posts(
    shared: &Arc<Shared>,
    client: &reqwest::Client,
    under_way: &mut JoinSet<Made>,
    concurrency: usize,
) -> Option<Duration> {
    while under_way.len() < concurrency {
        let (mut platform, now_ns) = shared.platform_now();
        let next = platform.next_post(now_ns);
        let config = platform.outbox.as_ref().map(|outbox| &outbox.config)?;
        match next {
            Next::Post(mut post) => {
                let (url, secret) = (config.url.clone(), config.app_secret.clone());
                drop(platform);
                let body = post.body.get_or_insert_with(|| envelope::body(&post.updates, &shared.clock)).clone();
                let signature = signature::sign(&secret, &body);
                let (client, shared) = (client.clone(), Arc::clone(shared));
                under_way.spawn(async move {
                    let begun_ns = shared.clock.now_ns();
                    let status = deliver(&client, &url, body, &signature).await;
                    let took = Duration::from_nanos(shared.clock.now_ns().saturating_sub(begun_ns));
                    Made { post, acknowledged: status == Some(200), took: status.map(|_| took) }
                });
            }
            Next::WaitUntil(at_ns) => return Some(Duration::from_nanos(at_ns.saturating_sub(now_ns))),
            Next::Idle => return None,
        }
    }
    None
}

/// Waits for the time or the bell.
async fn until(wait: Option<Duration>, bell: &Notify) {
    match wait {
        Some(wait) => {
            // Early rings only mean to look again.
            let _ = tokio::time::timeout(wait, bell.notified()).await;
        }
        None => bell.notified().await,
    }
}

/// The status of the answer, if there was one. The answer is read to its end, so that its connection serves again.
async fn deliver(client: &reqwest::Client, url: &str, body: Bytes, signature: &str) -> Option<u16> {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "facebookexternalua")
        .header(signature::HEADER, signature)
        .body(body);
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    // What it says does not matter, nor whether it says it to the end.
    let _ = answer.bytes().await;
    Some(status)
}
