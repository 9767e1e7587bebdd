//! From a producer's bytes to a [`Job`], or to a refusal that names the field.
//!
//! Problems are found in the order in which the format lists its fields; the first one is told.

mod choice;
mod document;
mod id;
mod strict;
mod timing;

use std::fmt;
use std::sync::Arc;

pub use self::choice::InvalidFrom;
use self::document::Document;
#[cfg(test)]
pub(super) use self::document::FIELDS;
use super::field::{Field, Grouped, Problem};
use super::{
    Catalogue, Digest, Job, JobId, JobKey, Marketing, Message, OnUnknown, PoolName, Priority, Source, message,
};
use crate::clock::Timestamp;

/// The most bytes that a job's `metadata` may have.
const METADATA_BYTES: usize = 4_096;

/// How a job came: what its carrier knows of it beside its body.
#[derive(Clone, Debug)]
pub struct Received {
    /// The moment of first sight.
    pub now: Timestamp,
    /// AMQP `message_id`, or `Idempotency-Key`: the id of a job that has none in its body.
    pub message_id: Option<String>,
    /// AMQP `app_id`, or the API key's name: the source of a job that has none in its body.
    pub app_id: Option<String>,
    /// AMQP `timestamp`.
    pub timestamp: Option<Timestamp>,
    /// The header `enqueued_at`; goes before `timestamp`.
    pub enqueued_at: Option<Timestamp>,
    /// What the routing key says. The body may say the same or nothing.
    pub routing: Option<(PoolName, Priority)>,
    /// Whether a job without any id gets one, or is refused.
    pub mint_id: bool,
    /// Templates that are known: a job that does not say its category gets its template's.
    pub catalogue: Option<Arc<Catalogue>>,
}

impl Received {
    /// Handed in by hand or over HTTP just now, with nothing beside the body.
    pub const fn here(now: Timestamp) -> Self {
        Self {
            now,
            message_id: None,
            app_id: None,
            timestamp: None,
            enqueued_at: None,
            routing: None,
            mint_id: true,
            catalogue: None,
        }
    }

    /// When the job was published. Not later than now: a clock ahead of ours must not make a job immortal.
    fn published(&self) -> Timestamp {
        self.enqueued_at.or(self.timestamp).unwrap_or(self.now).min(self.now)
    }
}

/// Why a body is no job. Safe to show to its producer and to keep; it may quote words, but no text and no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where, as `message.text.body`; `body` if it is about the whole.
    pub field: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
    /// The job's id, where it could be read.
    pub id: Option<String>,
    /// The job's source, where it could be read.
    pub source: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

// By hand: the field `source` is a producer's name, not an error's cause.
impl std::error::Error for Refused {}

/// Reads one job, fills in every default, and refuses what could not be sent.
///
/// A job whose time is over already is a job: it ends as `expired`, it is not refused.
pub fn parse(bytes: &[u8], received: &Received) -> Result<Job, Refused> {
    let refused = |problem: Problem, id: Option<JobId>, source: Option<Source>| Refused {
        field: problem.field,
        reason: problem.reason,
        id: id.map(|id| id.to_string()),
        source: source.map(|source| source.to_string()),
    };
    let document = match Document::read(bytes) {
        Ok(document) => document,
        Err(problem) => {
            let none = Document::default();
            return Err(refused(problem, id::guess(&none, received), id::guess_source(&none, received)));
        }
    };
    job(&document, received)
        .map_err(|problem| refused(problem, id::guess(&document, received), id::guess_source(&document, received)))
}

fn job(document: &Document<'_>, received: &Received) -> Result<Job, Problem> {
    document.check_names()?;
    version(document)?;
    let id = id::read(document, received)?;
    let source = id::read_source(document, received)?;
    let from = choice::from(document, received)?;
    let given_priority = choice::priority(document, received)?;
    let to = recipient(document)?;
    let (raw, value) = document.message()?;
    let message = message::check(&Field::top("message", &value), raw)?;
    let marketing = marketing(document, &message)?;
    let category = choice::category(document, &message, marketing.is_some(), received)?;
    let campaign = document.parsed("campaign")?;
    let timing = timing::read(document, received.published(), category)?;
    let on_unknown = document.parsed("on_unknown")?.unwrap_or(OnUnknown::default_of(category));
    Ok(Job {
        key: JobKey::of(source.as_ref(), &id),
        digest: Digest::of(&to, &from, &value),
        priority: given_priority.unwrap_or(Priority::default_of(category)),
        id,
        source,
        from,
        to,
        message,
        category,
        campaign,
        not_before: timing.not_before,
        expires_at: timing.expires_at,
        deliver_within: timing.deliver_within,
        on_unknown,
        marketing,
        metadata: metadata(document)?,
        enqueued_at: received.published(),
    })
}

fn version(document: &Document<'_>) -> Result<(), Problem> {
    match document.value("v")? {
        Some(version) if version.as_f64() != Some(1.0) => Err(Problem::new("v", "must be 1")),
        _ => Ok(()),
    }
}

fn recipient(document: &Document<'_>) -> Result<super::Recipient, Problem> {
    document.parsed("to")?.ok_or_else(|| Problem::new("to", "missing"))
}

fn marketing(document: &Document<'_>, message: &Message) -> Result<Option<Marketing>, Problem> {
    let Some(value) = document.value("marketing")? else { return Ok(None) };
    let field = Field::top("marketing", &value);
    if message.is_free_form() {
        return Err(field.refuse("only templates go out by /marketing_messages"));
    }
    let known = ["product_policy", "message_activity_sharing"];
    if let Some(name) = field.object()?.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(document::unknown(Some("marketing"), name, &known));
    }
    let policies = ["CLOUD_API_FALLBACK", "STRICT"];
    let policy = field.get("product_policy").map(|policy| policy.one_of(&policies).map(str::to_owned));
    let sharing = field.get("message_activity_sharing").map(|sharing| sharing.flag());
    Ok(Some(Marketing { product_policy: policy.transpose()?, message_activity_sharing: sharing.transpose()? }))
}

fn metadata(document: &Document<'_>) -> Result<Option<Box<serde_json::value::RawValue>>, Problem> {
    let Some(raw) = document.raw("metadata") else { return Ok(None) };
    let bytes = raw.get().len();
    if bytes > METADATA_BYTES {
        let reason = format!("{} bytes, at most {}", Grouped(bytes), Grouped(METADATA_BYTES));
        return Err(Problem::new("metadata", reason));
    }
    match document.value("metadata")? {
        Some(value) if !value.is_object() => Err(Problem::new("metadata", "must be an object")),
        _ => Ok(Some(raw.to_owned())),
    }
}
