//! The figures that the project promises, taken from the real binary against the simulator's own log.
//!
//! `cargo bench --bench acceptance`: prints each figure beside what is promised, and fails if one is missed. With
//! `TEST_AMQP_URL` and `TEST_DATABASE_URL` (`make acceptance` starts both) over RabbitMQ and PostgreSQL too. Takes
//! some minutes, and wants a quiet machine.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod embedded;
mod fleet;
#[path = "../end_to_end/producing.rs"]
mod producing;
mod shared;
mod stand;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with("--"));
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
        if is_wanted("million") {
            verdicts.push(shared::throughput(&services, 1_000_000).await);
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
