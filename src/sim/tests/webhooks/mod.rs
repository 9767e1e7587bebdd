//! The simulator's webhooks, over real sockets, as a receiver meets them.

mod account;
mod customers;
mod posts;
mod receiver;
mod statuses;

use super::{Client, call, template, text};
use crate::sim::{Between, Delays, NumberSpec, Sim, SimConfig, WebhookConfig};
use receiver::Receiver;
use serde_json::Value;

const SECRET: &str = "not a secret";

/// Webhooks to this receiver, all due within a few milliseconds, every message read.
fn at_once(receiver: &Receiver) -> WebhookConfig {
    let soon = Between::seconds(0.001, 0.003);
    WebhookConfig {
        delays: Delays { sent: soon, delivered: soon, read: soon },
        read_share: 1.0,
        first_retry_seconds: 0.01,
        ..WebhookConfig::new(receiver.url(), SECRET)
    }
}

/// Two numbers of two accounts.
async fn start(webhooks: WebhookConfig) -> Sim {
    let second = NumberSpec { waba: "2002".to_owned(), ..NumberSpec::new("1002") };
    let numbers = [NumberSpec { display: "+1 (555) 000-1001".to_owned(), ..NumberSpec::new("1001") }, second];
    Sim::start(SimConfig { webhooks: Some(webhooks), ..SimConfig::with_numbers(numbers) }).await.unwrap()
}

/// Sends to so many people, from both numbers in turn; gives the message ids.
async fn send_to_many(sim: &Sim, people: usize) -> Vec<String> {
    let mut client = Client::connect(sim.address()).await;
    let mut ids = Vec::new();
    for n in 0..people {
        let number = if n % 2 == 0 { "1001" } else { "1002" };
        let got = client.send(number, &text(&format!("+4477009{n:05}"), &format!("job-{n}:1"))).await.unwrap();
        ids.push(got.json()["messages"][0]["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Every element of this list in every change of these bodies.
fn all<'a>(bodies: &'a [Value], list: &'a str) -> impl Iterator<Item = &'a Value> {
    changes(bodies).flat_map(move |change| change["value"][list].as_array().into_iter().flatten())
}

/// Every change of these bodies.
fn changes(bodies: &[Value]) -> impl Iterator<Item = &Value> {
    let entries = bodies.iter().flat_map(|body| body["entry"].as_array().unwrap());
    entries.flat_map(|entry| entry["changes"].as_array().unwrap())
}
