//! The figures that the project promises, taken from the real binary against the simulator's own log.
//!
//! `cargo bench --bench acceptance`: prints each figure beside what is promised, and fails if one is missed. With
//! `TEST_AMQP_URL` and `TEST_DATABASE_URL` (`make acceptance` starts both) over RabbitMQ and PostgreSQL too. Takes
//! some minutes, and wants a quiet machine. A word after `--` takes the figures of that name alone, as `webhooks`; a
//! number after it is how many seconds they are taken for, instead of 60.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod embedded;
mod fleet;
mod limits;
mod places;
#[path = "../end_to_end/producing.rs"]
mod producing;
mod shared;
mod stand;
mod webhooks;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let only = arguments.next();
    let seconds: u64 = arguments.next().map_or(60, |seconds| seconds.parse().expect("a number of seconds"));
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let mut verdicts = Vec::new();
    runtime.block_on(async {
        if is_wanted("embedded") {
            verdicts.push(embedded::throughput(0).await);
            verdicts.push(embedded::throughput(1_000_000).await);
            verdicts.push(embedded::rate().await);
            verdicts.push(embedded::urgent().await);
            verdicts.push(embedded::retry().await);
        }
        if is_wanted("webhooks") {
            let scaled = |whole: u64| usize::try_from(whole * seconds / 60).expect("few");
            verdicts.push(webhooks::statuses_beside_sends(seconds, None).await);
            verdicts.push(webhooks::replay(scaled(100_000)).await);
            verdicts.push(webhooks::slow_clients(2_000).await);
        }
        if is_wanted("limits") {
            verdicts.extend(limits::all().await);
        }
        let Some(services) = stand::Services::named() else {
            println!(
                "TEST_AMQP_URL and TEST_DATABASE_URL are not set: nothing is measured over RabbitMQ and PostgreSQL"
            );
            return;
        };
        if is_wanted("shared") {
            verdicts.push(shared::throughput(&services, 0).await);
            verdicts.push(shared::rate(&services).await);
            verdicts.push(shared::urgent(&services).await);
        }
        if is_wanted("webhooks") {
            verdicts.push(webhooks::statuses_beside_sends(seconds, Some(&services)).await);
        }
        if is_wanted("million") {
            verdicts.push(shared::throughput(&services, 1_000_000).await);
        }
        if is_wanted("limits places") {
            verdicts.extend(places::all(&services).await);
        }
        if is_wanted("fleet") {
            verdicts.extend(fleet::kill_and_roll(&services).await);
        }
    });
    if verdicts.contains(&false) {
        std::process::exit(1);
    }
}

/// Prints one figure beside its promise.
fn verdict(what: &str, figures: &str, kept: bool) -> bool {
    println!("{} {what}: {figures}", if kept { "kept  " } else { "MISSED" });
    kept
}

/// A job of about 600 bytes.
fn line(id: &str, n: usize, priority: &str, from: &str) -> String {
    serde_json::json!({
        "id": id, "to": format!("+4477{n:08}"), "from": from, "priority": priority, "on_unknown": "leave",
        "message": { "type": "template", "template": { "name": "spring_sale", "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Anna ".repeat(60) }] }] } }
    })
    .to_string()
}
