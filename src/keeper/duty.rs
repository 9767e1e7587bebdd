//! Who does which of the keeper's tasks: each has a lease, so that it runs once in the whole fleet.
//!
//! A keeper that cannot renew is off duty before anyone else can be on it, and one that stops gives its tasks up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::{self, Mono};
use crate::ledger::{Lease, LeaseTimes, Ledger, LedgerError, WorkerId};
use crate::outcome::words;

/// Giving up the tasks is a courtesy: nobody waits longer for it.
const RELEASE: Duration = Duration::from_secs(3);

words! {
    /// What one keeper does for the whole fleet.
    Task {
        /// Ends what is over.
        Sweep = "sweep",
        /// Forgets what ended long ago.
        Trim = "trim",
        /// Publishes events.
        Relay = "relay",
        /// Hands events to the outgoing webhook.
        Hook = "hook",
        /// Applies webhooks.
        Apply = "apply",
        /// Reads the fleet's fields of Meta: whoever has the credentials for it does, a keeper or not.
        Fleet = "fleet",
    }
}

/// One keeper's tasks.
#[derive(Debug)]
pub struct Duties {
    ledger: Ledger,
    keeper: WorkerId,
    times: LeaseTimes,
    tasks: Vec<Duty>,
}

#[derive(Debug)]
struct Duty {
    task: Task,
    /// The lease that gives it.
    lease: String,
    on: watch::Sender<bool>,
    /// Nothing is done for it from then on, unless the lease is renewed.
    until: Option<Mono>,
}

impl Task {
    fn lease(self) -> String {
        format!("task:{self}")
    }
}

impl Duties {
    /// Off duty for now.
    pub(super) fn new(ledger: Ledger, times: LeaseTimes) -> Self {
        let own: Vec<Task> = Task::ALL.iter().copied().filter(|task| *task != Task::Fleet).collect();
        Self::of(ledger, times, own.into_iter().map(|task| Duty::new(task, task.lease())).collect())
    }

    /// The same for the share of one task that several may do, each for those who share it.
    pub fn for_share(ledger: Ledger, times: LeaseTimes, task: Task, share: &str) -> Self {
        let lease = format!("{}:{share}", task.lease());
        Self::of(ledger, times, vec![Duty::new(task, lease)])
    }

    fn of(ledger: Ledger, times: LeaseTimes, tasks: Vec<Duty>) -> Self {
        Self { ledger, keeper: WorkerId(Uuid::now_v7()), times, tasks }
    }

    /// Whether this keeper is on duty for a task.
    pub fn on(&self, task: Task) -> watch::Receiver<bool> {
        let duty = self.tasks.iter().find(|duty| duty.task == task).expect("every task has its duty");
        duty.on.subscribe()
    }

    /// Takes and renews until told to stop, then gives up.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep()).await;
        for duty in &mut self.tasks {
            duty.set(None);
        }
        match tokio::time::timeout(RELEASE, self.ledger.release_leases(self.keeper)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "tasks could not be given up, they run out by themselves: {error}")
            }
            Err(_) => tracing::warn!("the ledger takes too long, tasks run out by themselves"),
        }
    }

    async fn keep(&mut self) {
        let mut signals = self.ledger.signals();
        loop {
            let sent = clock::now();
            let names = self.tasks.iter().map(|duty| duty.lease.clone()).collect();
            let ledger = self.ledger.clone();
            let take = ledger.take_leases(self.keeper, names, self.times.ttl, sent.wall);
            let taken = self.while_on_duty(take).await;
            self.note(taken, sent.mono);
            let leases = signals.borrow_and_update().leases;
            let news = async {
                // Without its sender, the ledger has stopped: then there is no news, but the next renewal says so.
                if signals.wait_for(|signal| signal.leases != leases).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let renew = sleep_until(sent.mono + self.times.renew);
            self.while_on_duty(async {
                tokio::select! { () = news => {}, () = renew => {} }
            })
            .await;
        }
    }

    fn note(&mut self, taken: Result<Vec<Lease>, LedgerError>, sent: Mono) {
        // A failure is told by whoever has something to do at the ledger: the leases run out quietly.
        let Ok(leases) = taken else { return };
        for duty in &mut self.tasks {
            let is_ours = leases.iter().any(|lease| lease.name == duty.lease);
            duty.set(is_ours.then_some(sent + self.times.ttl - self.times.margin));
        }
    }

    /// Waits, and goes off duty meanwhile where a lease is not to be trusted any more.
    async fn while_on_duty<Answer>(&mut self, wait: impl Future<Output = Answer>) -> Answer {
        tokio::pin!(wait);
        loop {
            let end = self.tasks.iter().filter_map(|duty| duty.until).min();
            tokio::select! {
                answer = &mut wait => return answer,
                () = sleep_until(end.unwrap_or_default()), if end.is_some() => {
                    let now = clock::now().mono;
                    self.tasks.iter_mut().filter(|duty| duty.until.is_some_and(|until| until <= now))
                        .for_each(|duty| duty.set(None));
                }
            }
        }
    }
}

impl Duty {
    fn new(task: Task, lease: String) -> Self {
        Self { task, lease, on: watch::Sender::new(false), until: None }
    }

    fn set(&mut self, until: Option<Mono>) {
        self.until = until;
        let on = until.is_some();
        if self.on.send_if_modified(|was| std::mem::replace(was, on) != on) {
            let change = if on { "takes" } else { "gives up" };
            tracing::info!(task = %self.task, "this process {change} the task {}", self.task);
        }
    }
}

async fn sleep_until(at: Mono) {
    tokio::time::sleep(at.since(clock::now().mono)).await;
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::ledger::sqlite::{Access, Migrate, SqliteLedger};

    const PATIENCE: Duration = Duration::from_secs(60);
    const TIMES: LeaseTimes = LeaseTimes {
        ttl: Duration::from_millis(900),
        renew: Duration::from_millis(100),
        margin: Duration::from_millis(300),
    };
    /// Nobody waits for the end of such a lease.
    const LONG: LeaseTimes = LeaseTimes { ttl: Duration::from_secs(600), ..TIMES };

    fn ledger(dir: &TempDir) -> Ledger {
        let path = dir.path().join("ledger.sqlite");
        Ledger::Sqlite(SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("the ledger opens"))
    }

    async fn wait_for(receiver: &mut watch::Receiver<bool>, wanted: bool) {
        let wait = receiver.wait_for(|on| *on == wanted);
        tokio::time::timeout(PATIENCE, wait).await.expect("in time").expect("the keeper lives");
    }

    #[tokio::test]
    async fn a_task_has_one_keeper_and_passes_on_when_that_one_stops() {
        let dir = TempDir::new().expect("a directory");
        let ledger = ledger(&dir);
        let [first, second] = [(); 2].map(|()| Duties::new(ledger.clone(), LONG));
        let [mut first_on, mut second_on] = [&first, &second].map(|duties| duties.on(Task::Relay));
        let [stop_first, stop_second] = [(); 2].map(|()| CancellationToken::new());
        let mut keepers = tokio::task::JoinSet::new();
        keepers.spawn(first.run(stop_first.clone()));
        wait_for(&mut first_on, true).await;
        keepers.spawn(second.run(stop_second.clone()));
        assert!(*first_on.borrow() && !*second_on.borrow());
        stop_first.cancel();
        wait_for(&mut second_on, true).await;
        assert!(!*first_on.borrow());
        stop_second.cancel();
        keepers.join_all().await;
        let owned = ledger.leases(clock::now().wall).await.expect("read").into_iter().filter(|row| row.owner.is_some());
        assert_eq!(owned.count(), 0);
    }

    #[tokio::test]
    async fn a_keeper_that_cannot_renew_is_off_duty_before_its_lease_ends() {
        let dir = TempDir::new().expect("a directory");
        let ledger = ledger(&dir);
        let duties = Duties::new(ledger.clone(), TIMES);
        let mut on = duties.on(Task::Sweep);
        let stop = CancellationToken::new();
        let mut keepers = tokio::task::JoinSet::new();
        keepers.spawn(duties.run(stop.clone()));
        wait_for(&mut on, true).await;
        let blocker = rusqlite::Connection::open(dir.path().join("ledger.sqlite")).expect("opens");
        blocker.execute_batch("BEGIN IMMEDIATE").expect("the write lock is free");
        wait_for(&mut on, false).await;
        blocker.execute_batch("ROLLBACK").expect("given up");
        wait_for(&mut on, true).await;
        stop.cancel();
        keepers.join_all().await;
    }
}
