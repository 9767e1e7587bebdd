//! A job as the ledger keeps it.

use crate::clock::Timestamp;
use crate::job::Job;

/// The job in the ledger's own form.
pub(super) fn body(job: &Job) -> String {
    serde_json::to_string(job).expect("a job has no map whose keys are not text")
}

/// When the job stops being worth sending: its expiry, or the time in which it was to be delivered.
pub(super) fn worth_until(job: &Job) -> Timestamp {
    job.late_at().map_or(job.expires_at, |late| late.min(job.expires_at))
}

/// `name/language`, as holds and people name a template.
pub(super) fn template(job: &Job) -> Option<String> {
    job.message.template.as_ref().map(|template| format!("{}/{}", template.name, template.language))
}
