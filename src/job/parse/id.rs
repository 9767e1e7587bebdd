//! Which job it is: the id and the source, from the body or from what carried it.

use std::time::Duration;

use super::Received;
use super::document::Document;
use crate::clock::Timestamp;
use crate::job::field::Problem;
use crate::job::{JobId, Source};

/// How far ahead of our clock the time in an id may be.
const AHEAD: Duration = Duration::from_hours(24);

pub(super) fn read(document: &Document<'_>, received: &Received) -> Result<JobId, Problem> {
    let refuse = |reason: String| Problem::new("id", reason);
    let id = match (document.parsed("id")?, &received.message_id) {
        (Some(id), _) => id,
        (None, Some(carried)) => carried
            .parse::<JobId>()
            .map_err(|error| refuse(format!("taken from message_id or Idempotency-Key, {error}")))?,
        (None, None) if received.mint_id => mint(received.now),
        (None, None) => return Err(refuse("missing, and there is no message_id either".to_owned())),
    };
    match id.made_at() {
        // Such ids would lie in a day that the ledger does not have yet.
        Some(made) if made > received.now + AHEAD => {
            Err(refuse(format!("a UUIDv7 of {made}, may be at most a day ahead")))
        }
        _ => Ok(id),
    }
}

pub(super) fn read_source(document: &Document<'_>, received: &Received) -> Result<Option<Source>, Problem> {
    match (document.parsed("source")?, &received.app_id) {
        (Some(source), _) => Ok(Some(source)),
        (None, Some(carried)) => match carried.parse() {
            Ok(source) => Ok(Some(source)),
            Err(error) => Err(Problem::new("source", format!("taken from app_id or the API key's name, {error}"))),
        },
        (None, None) => Ok(None),
    }
}

/// The id of a job that is refused, if it can be read.
pub(super) fn guess(document: &Document<'_>, received: &Received) -> Option<JobId> {
    match document.parsed("id") {
        Ok(Some(id)) => Some(id),
        Ok(None) => received.message_id.as_ref()?.parse().ok(),
        Err(_) => None,
    }
}

/// The source of a job that is refused, if it can be read.
pub(super) fn guess_source(document: &Document<'_>, received: &Received) -> Option<Source> {
    read_source(document, received).ok().flatten()
}

fn mint(now: Timestamp) -> JobId {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    uuid.to_string().parse().expect("a UUID is printable and short")
}
