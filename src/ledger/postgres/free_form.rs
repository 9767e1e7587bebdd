//! Jobs without a template: they may be sent only to who wrote lately, and only by the number that was written to. Those
//! with one may be sent to anybody, but who wrote lately needs no place of a messaging limit.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::admit::Ask;
use super::change::{self, NewRow};
use super::desk::{Desk, Session, Stir, Tx};
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

/// Whom the recipient of a template wrote to lately: who writes back takes no place of a messaging limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the number that shall send it.
    Own,
    /// To this number of the pool, and it may send it.
    By(NumberId),
    /// To neither.
    Nobody,
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
fn is_free_form(ask: &Ask) -> bool {
    ask.request.routed.job.message.template.is_none()
}

/// What windows say of each of these. Where all have templates, nothing is asked.
pub(super) async fn ways(session: &Session, asks: &[&Ask]) -> Result<Vec<Way>, LedgerError> {
    if !asks.iter().any(|ask| is_free_form(ask)) {
        return Ok(vec![Way::Free; asks.len()]);
    }
    let asked: Vec<&Ask> = asks.iter().copied().filter(|ask| is_free_form(ask)).collect();
    let known = Known::read(session, &asked).await?;
    Ok(asks.iter().map(|ask| if is_free_form(ask) { known.way(ask) } else { Way::Free }).collect())
}

/// Whom the recipients of each of these wrote to lately.
pub(super) async fn reaches(session: &Session, asks: &[&Ask]) -> Result<Vec<Reach>, LedgerError> {
    let known = Known::read(session, asks).await?;
    Ok(asks.iter().map(|ask| known.reach(ask)).collect())
}

/// The requests that may not go by their numbers as far as is known now, or that may need places of messaging limits.
/// The lanes that their jobs will stand in instead are made known here: a transaction needs no second connection for it
/// then.
pub(super) async fn barred(desk: &Desk, asks: &[Ask], limited: &[bool]) -> Result<HashSet<usize>, LedgerError> {
    let is_limited = |place: usize| limited.get(place).is_some_and(|is_limited| *is_limited);
    let looked_at = |(place, ask): &(usize, &Ask)| is_free_form(ask) || is_limited(*place);
    let asked: Vec<(usize, &Ask)> = asks.iter().enumerate().filter(looked_at).collect();
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let session = desk.session().await?;
    let known = session.in_time(Known::read(&session, &asked.iter().map(|(_, ask)| *ask).collect::<Vec<_>>())).await?;
    drop(session);
    let (mut barred, mut rerouted) = (HashSet::new(), Vec::new());
    for (place, ask) in asked {
        if is_limited(place) || known.way(ask) != Way::Free {
            barred.insert(place);
        }
        if let Reach::By(number) = known.reach(ask) {
            rerouted.push(reroute(&ask.request.routed, &number));
        }
    }
    desk.introduce(rerouted.iter()).await?;
    Ok(barred)
}

impl Known {
    async fn read(session: &Session, asks: &[&Ask]) -> Result<Self, LedgerError> {
        let recipients: BTreeSet<&str> = asks.iter().map(|ask| ask.request.routed.job.to.expose()).collect();
        let numbers: BTreeSet<&str> = asks.iter().map(|ask| ask.request.number.as_str()).collect();
        let (recipients, numbers) = (Vec::from_iter(recipients), Vec::from_iter(numbers));
        let sql = "SELECT w.recipient, w.number, w.until FROM unnest($1::text[]) AS a (recipient)
            CROSS JOIN LATERAL (SELECT f.recipient, f.number, f.until FROM windows f
                WHERE f.recipient = a.recipient OFFSET 0) w
            UNION ALL
            SELECT NULL, h.number, h.inbound_since FROM heard h
                WHERE h.number = ANY ($2::text[]) AND h.inbound_since IS NOT NULL";
        let mut known = Self::default();
        for row in session.query(sql, &[&recipients, &numbers]).await? {
            let (number, at) = (row.try_get(1)?, Timestamp::from_millis(row.try_get(2)?));
            match row.try_get::<_, Option<String>>(0)? {
                Some(recipient) => drop(known.windows.insert((recipient, number), at)),
                None => drop(known.since.insert(number, at)),
            }
        }
        Ok(known)
    }

    fn way(&self, ask: &Ask) -> Way {
        match self.reach(ask) {
            Reach::Own => Way::Free,
            Reach::By(number) => Way::By(number),
            Reach::Nobody => {
                let since = self.since.get(ask.request.number.as_str());
                if since.is_some_and(|since| *since + WINDOW <= ask.now) { Way::Closed } else { Way::Free }
            }
        }
    }

    fn reach(&self, Ask { request, now }: &Ask) -> Reach {
        let recipient = request.routed.job.to.expose();
        let until = |number: &NumberId| {
            let window = self.windows.get(&(recipient.to_owned(), number.as_str().to_owned()));
            window.copied().filter(|until| until > now)
        };
        if until(&request.number).is_some() {
            return Reach::Own;
        }
        let others = request.siblings.iter().filter(|_| request.routed.route.pinned.is_none());
        // The one that may answer for longest.
        let open = others.filter_map(|number| Some((until(number)?, number))).max();
        open.map_or(Reach::Nobody, |(_, number)| Reach::By(number.clone()))
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
