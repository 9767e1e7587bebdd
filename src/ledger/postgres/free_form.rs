//! Jobs without a template: they may be sent only to who wrote lately, and only by the number that was written to.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::admit::Ask;
use super::change::{self, NewRow};
use super::desk::{Session, Stir, Tx};
use super::standing::{RowOf, Standing, uuid};
use crate::clock::Timestamp;
use crate::job::NumberId;
use crate::ledger::{LedgerError, Route, Routed, WINDOW};

/// What windows say of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing against it.
    Free,
    /// The recipient wrote to this number of the pool, and to this one alone.
    By(NumberId),
    /// The recipient wrote to none of them lately.
    Closed,
}

/// What is known of the recipients of a batch and of its numbers.
#[derive(Default)]
struct Known {
    /// By recipient and number.
    windows: HashMap<(String, String), Timestamp>,
    /// Since when inbound messages of a number are seen.
    since: HashMap<String, Timestamp>,
}

/// Whether it needs an open window.
pub(super) fn is_free_form(ask: &Ask) -> bool {
    ask.request.routed.job.message.template.is_none()
}

/// What windows say of each of these. Where all have templates, nothing is asked.
pub(super) async fn ways(session: &Session, asks: &[&Ask]) -> Result<Vec<Way>, LedgerError> {
    if !asks.iter().any(|ask| is_free_form(ask)) {
        return Ok(vec![Way::Free; asks.len()]);
    }
    let asked = asks.iter().filter(|ask| is_free_form(ask)).map(|ask| &ask.request);
    let recipients: BTreeSet<&str> = asked.clone().map(|request| request.routed.job.to.expose()).collect();
    let numbers: BTreeSet<&str> = asked.map(|request| request.number.as_str()).collect();
    let (recipients, numbers) = (Vec::from_iter(recipients), Vec::from_iter(numbers));
    let sql = "SELECT w.recipient, w.number, w.until FROM unnest($1::text[]) AS a (recipient)
        CROSS JOIN LATERAL (SELECT f.recipient, f.number, f.until FROM windows f
            WHERE f.recipient = a.recipient OFFSET 0) w
        UNION ALL
        SELECT NULL, h.number, h.inbound_since FROM heard h
            WHERE h.number = ANY ($2::text[]) AND h.inbound_since IS NOT NULL";
    let mut known = Known::default();
    for row in session.query(sql, &[&recipients, &numbers]).await? {
        let (number, at) = (row.try_get(1)?, Timestamp::from_millis(row.try_get(2)?));
        match row.try_get::<_, Option<String>>(0)? {
            Some(recipient) => drop(known.windows.insert((recipient, number), at)),
            None => drop(known.since.insert(number, at)),
        }
    }
    Ok(asks.iter().map(|ask| if is_free_form(ask) { known.way(ask) } else { Way::Free }).collect())
}

impl Known {
    fn way(&self, Ask { request, now }: &Ask) -> Way {
        let recipient = request.routed.job.to.expose();
        let until = |number: &NumberId| {
            let window = self.windows.get(&(recipient.to_owned(), number.as_str().to_owned()));
            window.copied().filter(|until| until > now)
        };
        if until(&request.number).is_some() {
            return Way::Free;
        }
        let others = request.siblings.iter().filter(|_| request.routed.route.pinned.is_none());
        // The one that may answer for longest.
        let open = others.filter_map(|number| Some((until(number)?, number))).max();
        if let Some((_, number)) = open {
            return Way::By(number.clone());
        }
        let is_known = self.since.get(request.number.as_str()).is_some_and(|since| *since + WINDOW <= *now);
        if is_known { Way::Closed } else { Way::Free }
    }
}

/// The job in the lane of that number alone.
pub(super) fn reroute(routed: &Routed, number: &NumberId) -> Routed {
    let route = Route { pool: routed.route.pool.clone(), pinned: Some(number.clone()) };
    Routed { job: routed.job.clone(), route }
}

/// Moves jobs into the lanes of the numbers that may answer; they stand there for anybody to claim.
pub(super) async fn move_over(tx: &Tx<'_>, moved: &[(&Standing, Routed)]) -> Result<(), LedgerError> {
    if moved.is_empty() {
        return Ok(());
    }
    let lanes = tx.desk.introduce(moved.iter().map(|(_, routed)| routed)).await?;
    let keys: Vec<Uuid> = moved.iter().map(|(job, _)| uuid(job.key)).collect();
    let jobs = "UPDATE jobs j SET lane = a.lane FROM unnest($1::uuid[], $2::int[]) AS a (key, lane)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM jobs f WHERE f.key = a.key OFFSET 0) f
        WHERE j.ctid = f.place";
    tx.execute(jobs, &[&keys, &lanes]).await?;
    let rows = "UPDATE waiting w SET lane = a.lane, owner = NULL FROM unnest($1::uuid[], $2::int[]) AS a (key, lane)
        CROSS JOIN LATERAL (SELECT f.ctid AS place FROM waiting f WHERE f.key = a.key OFFSET 0) f
        WHERE w.ctid = f.place";
    tx.execute(rows, &[&keys, &lanes]).await?;
    let new = moved.iter().filter(|(job, _)| job.row == RowOf::Nowhere);
    let new = new.map(|(_, routed)| NewRow { routed, due: None, held: 0, owner: None });
    change::insert_rows(tx, &new.collect::<Vec<_>>()).await?;
    tx.stir(Stir::Work);
    Ok(())
}
