//! Lets leave what has its permit: one request each, on a connection that is already open.

use futures_util::FutureExt;

use crate::clock;
use crate::graph::{Path, message};
use crate::ledger::{Fate, Settlement};
use crate::outcome::NotSentCause;

use super::event::{Answered, Event};
use super::index::NumberIdx;
use super::launch::{Launch, Start};
use super::number::Ready;
use super::shell::Worker;

/// So many requests leave before the loop looks at answers again.
const MOST_A_TURN: usize = 64;

impl Worker {
    /// Starts every send whose permit is due, as long as connections are open.
    pub(super) fn launch(&mut self) {
        for _ in 0..MOST_A_TURN {
            if !self.client.has_ready() {
                // Only then does the loop wait for a connection: a token must meet an open one.
                self.starved = true;
                return;
            }
            self.starved = false;
            match self.core.start(clock::now()) {
                Start::Go(launch) => self.send(launch),
                Start::Stopped(ready, number, cause) => {
                    let probe = ready.probe;
                    self.unsent(ready, number, cause);
                    self.core.stopped(number, probe, clock::now().mono);
                }
                Start::WaitUntil(_) | Start::Idle => return,
            }
        }
    }

    fn send(&mut self, launch: Launch) {
        let Launch { admission, permit, delivery, number, probe, admitted_at } = launch;
        let way = &self.ways[number.slot()];
        self.telling.started(&way.metrics, delivery.job(), permit.at().since(admitted_at), clock::now().wall);
        let request = way.endpoint.request(Path::of(delivery.job()), message::body(delivery.job(), admission.attempt()));
        let ready = self.client.take_ready().expect("a connection was ready just now, and nothing awaited since");
        let sent_at = permit.at();
        self.asked.push(
            async move {
                let outcome = ready.send(request).await;
                Event::Answered(Box::new(Answered { admission, delivery, number, probe, sent_at, outcome }))
            }
            .boxed_local(),
        );
    }

    /// Settles a job that was admitted and never left: not charged, due again at once.
    pub(super) fn unsent(&mut self, ready: Ready, number: NumberIdx, cause: NotSentCause) {
        let now = clock::now();
        let fate = Fate::Retry { due: now.wall, reason: cause.reason(), code: None, charged: false };
        let Ready { admission, .. } = ready;
        self.telling.unsent(&self.ways[number.slot()].metrics, cause);
        let (key, attempt) = (admission.key(), admission.attempt());
        self.settle(Settlement { key, attempt, at: now.wall, fate, hold: None, lift: None }, now);
    }
}
