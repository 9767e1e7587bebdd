//! The numbers that lanes go by in the file, remembered: there are as many as pools and pinned numbers, times four.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::job::{NumberId, Priority};
use crate::ledger::{LedgerError, Route};

/// What is known of the table `lanes`; rows of it never change and never go.
#[derive(Default)]
pub(super) struct Lanes {
    known: RefCell<HashMap<Route, [Option<i64>; Priority::ALL.len()]>>,
}

impl Lanes {
    /// The lane's number, if the file knows the lane.
    pub(super) fn find(
        &self,
        conn: &Connection,
        route: &Route,
        priority: Priority,
    ) -> Result<Option<i64>, LedgerError> {
        if let Some(lane) = self.known.borrow().get(route).and_then(|lanes| lanes[priority.index()]) {
            return Ok(Some(lane));
        }
        let pinned = route.pinned.as_ref().map_or("", NumberId::as_str);
        let lane = conn
            .prepare_cached("SELECT id FROM lanes WHERE pool = ?1 AND pinned = ?2 AND priority = ?3")?
            .query_row(params![route.pool.as_str(), pinned, priority.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(lane) = lane {
            self.known.borrow_mut().entry(route.clone()).or_default()[priority.index()] = Some(lane);
        }
        Ok(lane)
    }

    /// The lane's number; a new lane gets one.
    pub(super) fn find_or_add(&self, conn: &Connection, route: &Route, priority: Priority) -> Result<i64, LedgerError> {
        if let Some(lane) = self.find(conn, route, priority)? {
            return Ok(lane);
        }
        let pinned = route.pinned.as_ref().map_or("", NumberId::as_str);
        let lane = conn
            .prepare_cached("INSERT INTO lanes (pool, pinned, priority) VALUES (?1, ?2, ?3)")?
            .insert(params![route.pool.as_str(), pinned, priority.as_str()])?;
        self.known.borrow_mut().entry(route.clone()).or_default()[priority.index()] = Some(lane);
        Ok(lane)
    }

    /// Forgets all: what was added may have been undone.
    pub(super) fn forget(&self) {
        self.known.borrow_mut().clear();
    }
}
