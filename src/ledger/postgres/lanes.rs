//! The numbers that lanes go by in the database, and which producers it knows: remembered, since neither ever goes.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::desk::Session;
use crate::job::{Job, NumberId, Priority, Source};
use crate::ledger::{LedgerError, Route, Routed};

/// Sources remembered as known to the database; past that it is told again.
const SOURCES: usize = 1_024;

/// What is known of the tables `lanes` and `sources`.
#[derive(Default)]
pub(super) struct Lanes {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    lanes: HashMap<Route, [Option<i32>; Priority::ALL.len()]>,
    sources: HashSet<Source>,
}

impl Lanes {
    /// The lane's number, if it is remembered.
    fn remembered(&self, route: &Route, priority: Priority) -> Option<i32> {
        let known = self.known.lock().expect("nobody panics while looking");
        known.lanes.get(route).and_then(|lanes| lanes[priority.index()])
    }

    /// The lane's number, if the database knows the lane.
    pub(super) async fn find(
        &self,
        session: &Session,
        route: &Route,
        priority: Priority,
    ) -> Result<Option<i32>, LedgerError> {
        if let Some(lane) = self.remembered(route, priority) {
            return Ok(Some(lane));
        }
        let pinned = route.pinned.as_ref().map_or("", NumberId::as_str);
        let sql = "SELECT id FROM lanes WHERE pool = $1 AND pinned = $2 AND priority = $3";
        let row = session.query_opt(sql, &[&route.pool.as_str(), &pinned, &priority.as_str()]).await?;
        let lane = row.map(|row| row.try_get(0)).transpose()?;
        if let Some(lane) = lane {
            let mut known = self.known.lock().expect("nobody panics while looking");
            known.lanes.entry(route.clone()).or_default()[priority.index()] = Some(lane);
        }
        Ok(lane)
    }

    /// Sees to it that the lanes and sources of these jobs are known, outside any transaction: they stay.
    pub(super) async fn introduce<'a>(
        &self,
        session: &Session,
        jobs: impl Iterator<Item = &'a Routed>,
    ) -> Result<Vec<i32>, LedgerError> {
        let mut lanes = Vec::new();
        for routed in jobs {
            self.know_source(session, routed.job.source.as_ref()).await?;
            lanes.push(self.find_or_add(session, &routed.route, routed.job.priority).await?);
        }
        Ok(lanes)
    }

    /// The lanes of these jobs, if all of them and their sources are remembered.
    pub(super) fn all_remembered<'a>(&self, jobs: impl Iterator<Item = &'a Routed>) -> Option<Vec<i32>> {
        let known = self.known.lock().expect("nobody panics while looking");
        jobs.map(|routed| {
            let Job { source, priority, .. } = &*routed.job;
            let is_known = source.as_ref().is_none_or(|source| known.sources.contains(source));
            is_known.then(|| known.lanes.get(&routed.route).and_then(|lanes| lanes[priority.index()])).flatten()
        })
        .collect()
    }

    async fn find_or_add(&self, session: &Session, route: &Route, priority: Priority) -> Result<i32, LedgerError> {
        loop {
            if let Some(lane) = self.find(session, route, priority).await? {
                return Ok(lane);
            }
            let pinned = route.pinned.as_ref().map_or("", NumberId::as_str);
            let sql = "INSERT INTO lanes (pool, pinned, priority) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            session.execute(sql, &[&route.pool.as_str(), &pinned, &priority.as_str()]).await?;
        }
    }

    /// Makes a source known, so that its jobs are found by their id alone.
    pub(super) async fn know_source(&self, session: &Session, source: Option<&Source>) -> Result<(), LedgerError> {
        let is_new =
            |source: &&Source| !self.known.lock().expect("nobody panics while looking").sources.contains(*source);
        let Some(source) = source.filter(is_new) else { return Ok(()) };
        let sql = "INSERT INTO sources (name) VALUES ($1) ON CONFLICT DO NOTHING";
        session.execute(sql, &[&source.as_str()]).await?;
        let mut known = self.known.lock().expect("nobody panics while looking");
        if known.sources.len() < SOURCES {
            known.sources.insert(source.clone());
        }
        Ok(())
    }
}
