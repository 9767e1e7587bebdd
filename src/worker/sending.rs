//! Lets leave what has its permit: one request each, on a connection that is already open.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::task::coop::unconstrained;

use crate::clock::{self, Mono};
use crate::graph::{self, Path, message};
use crate::ledger::{Fate, Settlement};
use crate::outcome::{NotSentCause, Outcome};

use super::event::{Answered, Event};
use super::index::NumberIdx;
use super::launch::{Launch, Start};
use super::number::Ready;
use super::shell::Worker;

/// So many requests leave before the loop looks at answers again.
const MOST_A_TURN: usize = 64;
/// Connections beside those that are busy.
const SPARE: usize = 2;
/// Answers are never taken to be faster: an idle pool must be ready for the first burst.
const LEAST_ANSWER: Duration = Duration::from_millis(50);

impl Worker {
    /// Starts every send whose permit is due, as long as connections are open.
    pub(super) fn launch(&mut self) {
        let began = clock::now().mono;
        let mut launched = Vec::new();
        for _ in 0..MOST_A_TURN {
            let now = clock::now();
            if self.core.next_start().is_none_or(|at| at > now.mono) {
                break;
            }
            // The connection first: a permit must meet an open one.
            let Some(ready) = self.client.take_ready() else {
                self.starved = true;
                break;
            };
            self.starved = false;
            match self.core.start(now) {
                Start::Go(launch) => {
                    launched.push(launch.number);
                    self.send(launch, ready);
                }
                Start::Stopped(stopped, number, cause) => {
                    let probe = stopped.probe;
                    self.unsent(stopped, number, cause);
                    self.core.stopped(number, probe, now.mono);
                }
                Start::WaitUntil(_) | Start::Idle => {}
            }
        }
        if !launched.is_empty() {
            self.write_now(&launched, began);
        }
    }

    /// Lets the bytes of these numbers' requests leave here and now: whatever else this turn does must not come between
    /// a permit and its bytes. Answers that are there already are taken up later.
    fn write_now(&mut self, launched: &[NumberIdx], began: Mono) {
        self.begun.set(0);
        // Each look polls some of them only: an exchange that begins wakes itself, which is taken for a reason to yield.
        // And however much this task has done in one go: whatever yields here would leave bytes for later.
        for _ in 0..=self.asked.len() {
            if self.begun.get() >= launched.len() {
                break;
            }
            if let Some(Some(event)) = unconstrained(self.asked.next()).now_or_never() {
                self.early.push_back(event);
            }
        }
        let now = clock::now().mono;
        for number in launched {
            self.core.left(*number, began, now);
        }
    }

    /// Once a second: asks for as many connections as are used, and gives up what none has come for.
    pub(super) fn look_after_connections(&mut self) {
        let now = clock::now();
        let rate: f64 = self.core.scheduler.indices().map(|number| self.core.scheduler.rate_of(number, now.mono)).sum();
        let busy = rate * self.answer_time.max(LEAST_ANSWER).as_secs_f64();
        self.client.set_wanted(busy as usize + SPARE);
        if self.starved {
            for (number, ready) in self.core.overdue(now.mono) {
                let probe = ready.probe;
                self.unsent(ready, number, NotSentCause::NotConnected);
                self.core.stopped(number, probe, now.mono);
            }
        }
    }

    fn send(&mut self, launch: Launch, connection: graph::Ready) {
        let Launch { admission, permit, delivery, number, probe, admitted_at } = launch;
        let way = &self.ways[number.slot()];
        self.telling.started(&way.metrics, delivery.job(), permit.at().since(admitted_at), clock::now().wall);
        let request =
            way.endpoint.request(Path::of(delivery.job()), message::body(delivery.job(), admission.attempt()));
        let sent_at = permit.at();
        let within = self.settings.write_timeout;
        let begun = self.begun.clone();
        let exchange = async move {
            begun.set(begun.get() + 1);
            // A process that was frozen right here must not send on yesterday's permit.
            let is_stale = clock::now().mono.since(sent_at) > within;
            let outcome =
                if is_stale { Outcome::NotSent(NotSentCause::WriteStalled) } else { connection.send(request).await };
            Event::Answered(Box::new(Answered { admission, delivery, number, probe, sent_at, outcome }))
        };
        self.asked.push(exchange.boxed_local());
    }

    /// Settles a job that was admitted and never left: not charged, due again at once.
    pub(super) fn unsent(&mut self, ready: Ready, number: NumberIdx, cause: NotSentCause) {
        let now = clock::now();
        let fate = Fate::Retry { due: now.wall, reason: cause.reason(), code: None, charged: false };
        let Ready { admission, delivery, .. } = ready;
        self.telling.unsent(&self.ways[number.slot()].metrics, cause);
        let (key, attempt) = (admission.key(), admission.attempt());
        let delivered = delivery.delivered();
        let settlement = Settlement { key, attempt, at: now.wall, fate, hold: None, lift: None, delivered };
        self.settle(settlement, &delivery, now);
    }
}
