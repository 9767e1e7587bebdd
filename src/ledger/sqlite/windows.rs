//! Windows that recipients opened, and what a free-form job may do by them.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::desk::{Desk, Standing, known_word};
use crate::clock::Timestamp;
use crate::job::NumberId;
use crate::ledger::end::End;
use crate::ledger::{AdmitRequest, Admitted, LedgerError, Route, WINDOW, WindowNews};
use crate::outcome::{Reason, State};

/// A window that closed so long ago is forgotten.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a free-form job may do.
enum Way {
    /// Go by the number that asks.
    Open,
    /// Go by this number of its pool.
    By(NumberId),
    /// Nothing: no window is open.
    Closed,
    /// Try: the number's windows are not all known yet.
    Unknown,
}

impl Desk {
    /// The answer to a free-form job that may not go by the number that asks.
    pub(super) fn mind_window(
        &self,
        standing: &Standing,
        request: &AdmitRequest,
        now: Timestamp,
    ) -> Result<Option<Admitted>, LedgerError> {
        match self.way(request, now)? {
            Way::Open | Way::Unknown => Ok(None),
            Way::By(number) => {
                self.move_to(standing, request, &number, now)?;
                Ok(Some(Admitted::Elsewhere(number)))
            }
            Way::Closed => {
                self.end(standing, &End::ours(State::Failed, Reason::WindowClosed, now))?;
                Ok(Some(Admitted::Ended(State::Failed)))
            }
        }
    }

    /// The answer to a template whose recipient wrote lately: to the number that asks, or to another one of its pool. The
    /// inner none: it may go by this number.
    pub(super) fn answer_by_window(
        &self,
        standing: &Standing,
        request: &AdmitRequest,
        now: Timestamp,
    ) -> Result<Option<Option<Admitted>>, LedgerError> {
        match self.open_way(request, now)? {
            Some(Way::Open) => Ok(Some(None)),
            Some(Way::By(number)) => {
                self.move_to(standing, request, &number, now)?;
                Ok(Some(Some(Admitted::Elsewhere(number))))
            }
            Some(Way::Closed | Way::Unknown) | None => Ok(None),
        }
    }

    fn way(&self, request: &AdmitRequest, now: Timestamp) -> Result<Way, LedgerError> {
        if let Some(open) = self.open_way(request, now)? {
            return Ok(open);
        }
        let since = self.inbound_since(&request.number)?;
        Ok(if since.is_some_and(|since| since + WINDOW <= now) { Way::Closed } else { Way::Unknown })
    }

    /// The way through a window that is open.
    fn open_way(&self, request: &AdmitRequest, now: Timestamp) -> Result<Option<Way>, LedgerError> {
        let open = list(&self.conn, request.routed.job.to.expose(), now)?;
        if open.iter().any(|window| window.number == request.number) {
            return Ok(Some(Way::Open));
        }
        let is_pinned = request.routed.route.pinned.is_some();
        let siblings = open.into_iter().filter(|window| !is_pinned && request.siblings.contains(&window.number));
        Ok(siblings.map(|window| (window.until, window.number)).max().map(|(_, number)| Way::By(number)))
    }

    /// Since when inbound messages of a number are seen.
    fn inbound_since(&self, number: &NumberId) -> Result<Option<Timestamp>, LedgerError> {
        let since: Option<Option<i64>> = self
            .conn
            .prepare_cached("SELECT inbound_since FROM heard WHERE number = ?1")?
            .query_row([number.as_str()], |row| row.get(0))
            .optional()?;
        Ok(since.flatten().map(Timestamp::from_millis))
    }

    /// Puts a job in line for one number alone, keeping its place by time.
    fn move_to(
        &self,
        standing: &Standing,
        request: &AdmitRequest,
        number: &NumberId,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let routed = &request.routed;
        let route = Route { pool: routed.route.pool.clone(), pinned: Some(number.clone()) };
        let lane = self.lanes.find_or_add(&self.conn, &route, routed.job.priority)?;
        self.conn.prepare_cached("UPDATE jobs SET lane = ?2, updated_at = ?3 WHERE seq = ?1")?.execute(params![
            standing.seq,
            lane,
            now.as_millis()
        ])?;
        self.conn
            .prepare_cached("UPDATE waiting SET lane = ?2, owned = 0 WHERE seq = ?1")?
            .execute([standing.seq, lane])?;
        self.stir_work();
        Ok(())
    }

    /// Forgets windows that closed long ago, and what nobody understood for long; at most so many of each.
    pub(super) fn drop_old_news(&self, now: Timestamp, limit: u32) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached(
                "DELETE FROM windows WHERE (recipient, number) IN
                     (SELECT recipient, number FROM windows WHERE until < ?1 ORDER BY until LIMIT ?2)",
            )?
            .execute(params![(now - KEPT).as_millis(), limit])?;
        self.conn
            .prepare_cached(
                "DELETE FROM strange WHERE seq IN (SELECT seq FROM strange WHERE at < ?1 ORDER BY at LIMIT ?2)",
            )?
            .execute(params![(now - 7 * KEPT).as_millis(), limit])?;
        Ok(())
    }
}

/// The windows of a recipient that are open, in order of numbers.
pub(super) fn list(conn: &Connection, recipient: &str, now: Timestamp) -> Result<Vec<WindowNews>, LedgerError> {
    let mut find =
        conn.prepare_cached("SELECT number, until FROM windows WHERE recipient = ?1 AND until > ?2 ORDER BY number")?;
    let mut rows = find.query(params![recipient, now.as_millis()])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let until = Timestamp::from_millis(row.get(1)?);
        let recipient = recipient.to_owned();
        open.extend(known_word(row, 0)?.map(|number| WindowNews { number, recipient, until }));
    }
    Ok(open)
}
