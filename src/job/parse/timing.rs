//! When a job may go out, and until when.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::document::Document;
use crate::clock::Timestamp;
use crate::job::Category;
use crate::job::field::{Field, Problem};

pub(super) struct Timing {
    pub not_before: Option<Timestamp>,
    pub expires_at: Timestamp,
    pub deliver_within: Option<Duration>,
}

pub(super) fn read(document: &Document<'_>, published: Timestamp, category: Category) -> Result<Timing, Problem> {
    let not_before = moment(document, "not_before")?;
    let given_end = moment(document, "expires_at")?;
    let ttl = duration(document, "ttl")?;
    let deliver_within = duration(document, "deliver_within")?;
    let start = not_before.map_or(published, |moment| moment.max(published));
    let end = match (given_end, ttl) {
        (Some(_), Some(_)) => return Err(Problem::new("ttl", "stands beside expires_at, only one is allowed")),
        (Some(end), None) if not_before.is_some_and(|moment| end <= moment) => {
            return Err(Problem::new("expires_at", "must be later than not_before"));
        }
        (Some(end), None) => end,
        (None, Some(ttl)) => start + ttl,
        (None, None) => start + default_ttl(category),
    };
    // What is not sent within `deliver_within` could not be delivered within it.
    let expires_at = deliver_within.map_or(end, |within| end.min(start + within));
    Ok(Timing { not_before, expires_at, deliver_within })
}

const fn default_ttl(category: Category) -> Duration {
    match category {
        Category::Authentication => Duration::from_mins(10),
        Category::Utility | Category::Service => Duration::from_hours(24),
        Category::Marketing => Duration::from_hours(72),
    }
}

fn moment(document: &Document<'_>, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = document.value(name)? else { return Ok(None) };
    let field = Field::top(name, &value);
    let refuse = |_| field.refuse("must be a time with its offset, as 2026-11-20T09:00:00Z");
    field.text()?.parse().map(Some).map_err(refuse)
}

/// Friendly (`5m`, `1h 30m`, `3 days`) or ISO 8601 (`PT5M`); a day has 24 hours, and months have no length.
fn duration(document: &Document<'_>, name: &'static str) -> Result<Option<Duration>, Problem> {
    let Some(value) = document.value(name)? else { return Ok(None) };
    let field = Field::top(name, &value);
    let length = field.text()?.parse::<Span>().and_then(|span| {
        let days = SpanRelativeTo::days_are_24_hours();
        span.to_duration(days)
    });
    match length {
        Ok(length) if length > SignedDuration::ZERO => Ok(Some(length.unsigned_abs())),
        _ => Err(field.refuse("must be a duration above zero, as 5m, 24h or PT5M")),
    }
}
