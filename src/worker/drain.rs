//! A clean stop: nothing new, what is in hand goes back, what is in flight comes to its end, leases are given up.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;

use crate::clock;
use crate::ledger::WORKER;
use crate::outcome::NotSentCause;

use super::shell::Worker;

/// Giving up the leases is a courtesy: nobody waits longer for it.
const RELEASE: Duration = Duration::from_secs(3);

/// How a worker stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything it had in hand is settled or given back.
    Clean,
    /// Its time ran out; what was in flight becomes unknown at its deadline.
    OutOfTime {
        /// Requests and commits without an answer.
        left: usize,
    },
}

impl Worker {
    /// Stops within the configured time.
    pub(super) async fn drain(mut self) -> Drained {
        let until = clock::now().mono + self.settings.drain;
        self.stopping = true;
        let in_hand = self.core.scheduler.drain_all();
        tracing::info!(given_back = in_hand.len(), in_flight = self.asked.len(), "stopping");
        self.queue.serve(&BTreeMap::new());
        self.let_go(in_hand);
        while let Some(event) = self.early.pop_front() {
            self.take(event);
        }
        loop {
            for (number, ready) in self.core.clear_pad() {
                self.unsent(ready, number, NotSentCause::Draining);
            }
            let now = clock::now();
            self.ledger_away_until = self.ledger_away_until.filter(|away| *away > now.mono);
            self.flush_settlements();
            self.ask_again(now);
            self.flush_put_backs(now);
            self.flush_asides(now);
            self.flush_tickets();
            self.step_down(now);
            if self.asked.is_empty()
                && self.settlements.is_empty()
                && self.put_backs.is_empty()
                && self.asides.is_empty()
                && self.open.doubtful.is_empty()
            {
                break;
            }
            let left = until.since(now.mono);
            if left.is_zero() {
                let left = self.asked.len() + self.settlements.len();
                tracing::warn!(left, "stopping without answers to {left} requests and commits");
                return Drained::OutOfTime { left };
            }
            let pause = self.ledger_away_until.map_or(left, |away| away.since(now.mono).min(left));
            let next = tokio::time::timeout(pause.max(Duration::from_millis(1)), async {
                match self.asked.next().await {
                    Some(event) => Some(event),
                    None => std::future::pending().await,
                }
            });
            if let Ok(Some(event)) = next.await {
                self.take_events(event);
            }
        }
        self.release().await
    }

    async fn release(self) -> Drained {
        let go = async {
            self.ledger.release_leases(self.id).await?;
            self.ledger.fleet_forget(WORKER.to_owned(), self.id.0.to_string()).await
        };
        match tokio::time::timeout(RELEASE, go).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "leases could not be given up, they run out by themselves: {error}");
            }
            Err(_) => tracing::warn!("the ledger takes too long, leases run out by themselves"),
        }
        Drained::Clean
    }
}
