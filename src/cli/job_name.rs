//! JOB, as people name one: an id, `source/id`, or the ledger's key.

use anyhow::anyhow;

use super::wording::say;
use crate::job::Source;
use crate::ledger::{JobRef, JobRow, Ledger};

/// The readings of what was written, the likelier first: an id may have a slash in it too.
pub fn readings(text: &str) -> Vec<JobRef> {
    let whole = JobRef { source: None, id: text.to_owned() };
    match text.split_once('/') {
        Some((source, id)) if source.parse::<Source>().is_ok() && !id.is_empty() => {
            vec![JobRef { source: Some(source.to_owned()), id: id.to_owned() }, whole]
        }
        Some(_) | None => vec![whole],
    }
}

/// How a job is named so that no other is meant.
pub fn full_name(row: &JobRow) -> String {
    row.source.as_ref().map_or_else(|| row.id.clone(), |source| format!("{source}/{}", row.id))
}

/// The one job of this name; none if no job of this name has been seen.
pub async fn find(ledger: &Ledger, text: &str) -> anyhow::Result<Option<JobRow>> {
    for reading in readings(text) {
        let mut rows = ledger.show(reading).await?;
        if rows.len() > 1 {
            let names: Vec<_> = rows.iter().map(full_name).collect();
            return Err(anyhow!("several producers have a job {text}; say which: {}", names.join(", ")));
        }
        if let Some(row) = rows.pop() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Words for a person who looks for a job that nobody has seen.
pub fn none(text: &str) -> anyhow::Error {
    say("ids are case-sensitive; `tidegate jobs list` shows the newest jobs, `tidegate dead list` what was refused");
    anyhow!("no job {text} has been seen here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_may_stand_behind_a_source_or_in_an_id() {
        let named = |source: Option<&str>, id: &str| JobRef { source: source.map(str::to_owned), id: id.to_owned() };
        assert_eq!(readings("order-17"), [named(None, "order-17")]);
        assert_eq!(readings("shop/order-17"), [named(Some("shop"), "order-17"), named(None, "shop/order-17")]);
        assert_eq!(readings("Order 17/shipped"), [named(None, "Order 17/shipped")]);
        assert_eq!(readings("shop/"), [named(None, "shop/")]);
    }
}
