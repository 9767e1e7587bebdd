//! What Meta's webhooks tell, made to measure.

use tidegate::clock::Timestamp;
use tidegate::job::{Job, JobKey};
use tidegate::ledger::{Applied, Failure, Heard, Ledger, Moved, News, StatusNews, WINDOW, WindowNews};
use tidegate::outcome::{Reason, State};

/// A job without a template.
pub fn free_form(job: Job) -> Job {
    let json = serde_json::json!({ "type": "text", "text": { "body": "hello" } });
    let json = serde_json::value::to_raw_value(&json).expect("JSON");
    Job { message: tidegate::job::Message { kind: "text".to_owned(), template: None, json }, ..job }
}

/// A status of a job's first attempt.
pub fn status(job: JobKey, heard: Heard, at: Timestamp) -> StatusNews {
    StatusNews { key: job, attempt: 1, wamid: "wamid.1".to_owned(), heard, at, pricing: None }
}

/// Not on WhatsApp.
pub fn undeliverable() -> Heard {
    let (state, reason, code) = (State::Failed, Reason::NotOnWhatsapp, Some(131_026));
    Heard::Failed(Failure { state, reason, code, details: "Undeliverable".to_owned(), retryable: false })
}

/// A recipient's message to a number.
pub fn wrote(recipient: &str, number: &str, at: Timestamp) -> WindowNews {
    let number = number.parse().expect("a number");
    WindowNews { number, recipient: recipient.to_owned(), until: at + WINDOW }
}

pub async fn apply(ledger: &Ledger, news: News, now: Timestamp) -> Applied {
    ledger.apply(news, now).await.expect("applied")
}

/// Has windows opened.
pub async fn open(ledger: &Ledger, windows: Vec<WindowNews>, now: Timestamp) {
    apply(ledger, News { windows, ..News::default() }, now).await;
}

/// Tells one status, and says what it did.
pub async fn tell(ledger: &Ledger, status: StatusNews) -> Moved {
    let now = status.at;
    apply(ledger, News { statuses: vec![status], ..News::default() }, now).await.statuses[0]
}
