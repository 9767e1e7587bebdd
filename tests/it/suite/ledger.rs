//! What the ledger's suite works with: jobs made to measure, and a worker's steps in one call each.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::to_raw_value;
use tidegate::clock::Timestamp;
use tidegate::hold::{Cover, Effect, Hold, HoldId, HoldOrder, Scope};
use tidegate::job::{Category, Digest, From, Job, JobKey, Message, OnUnknown, Priority, TemplateRef};
pub use tidegate::ledger::Unseen;
use tidegate::ledger::{
    Account, Admission, AdmitRequest, Admitted, Census, Claimed, ClaimedRow, Deferral, Enqueued, Fate, Fence, Hand,
    JobRef, JobRow, LaneRoom, Ledger, Parking, Route, Routed, Settled, Settlement, Signal, UnknownWait, WorkerId,
};
use tidegate::outcome::{Reason, State};
use tokio::sync::watch;
use uuid::Uuid;

/// The number that sends where a test does not care.
pub const NUMBER: &str = "1001";

/// Far longer than anything here takes; only a bug reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const WAIT: UnknownWait = UnknownWait {
    authentication: Duration::from_secs(10),
    others: Duration::from_secs(60),
    silence: Duration::from_secs(300),
};

/// A moment of a test: so many milliseconds after its beginning.
pub fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + ms)
}

/// A moment of a test: so many seconds after its beginning.
pub fn at(seconds: i64) -> Timestamp {
    ms(seconds * 1_000)
}

/// The worker that a case is about.
pub fn worker() -> WorkerId {
    WorkerId(Uuid::from_u128(1))
}

/// Another one.
pub fn other() -> WorkerId {
    WorkerId(Uuid::from_u128(2))
}

/// A job for pool `default`, priority `normal`, that is worth sending for an hour.
/// A claimed row that shall wait.
pub fn put_off_row(key: JobKey, due: Timestamp) -> Deferral {
    Deferral { key, due, reason: Reason::NumberBusy, delivered: None }
}

/// The same, of a job by its id.
pub fn put_off(id: &str, due: Timestamp) -> Deferral {
    put_off_row(job(id).key, due)
}

pub fn job(id: &str) -> Job {
    let id = id.parse().expect("a job id");
    let json = json!({ "type": "template", "template": { "name": "hello", "language": { "code": "en_US" } } });
    let template = TemplateRef { name: "hello".to_owned(), language: "en_US".to_owned() };
    let to = "+447700900123".parse().expect("a recipient");
    let from = From::Pool("default".parse().expect("a pool"));
    Job {
        key: JobKey::of(None, &id),
        id,
        source: None,
        digest: Digest::of(&to, &from, &json),
        from,
        priority: Priority::Normal,
        to,
        message: Message {
            kind: "template".to_owned(),
            template: Some(template),
            json: to_raw_value(&json).expect("JSON"),
        },
        category: Category::Utility,
        campaign: None,
        not_before: None,
        expires_at: at(3_600),
        deliver_within: None,
        on_unknown: OnUnknown::Leave,
        marketing: None,
        metadata: None,
        enqueued_at: at(0),
    }
}

/// The job of another producer.
pub fn from_source(source: &str, job: Job) -> Job {
    let source = source.parse().expect("a source");
    Job { key: JobKey::of(Some(&source), &job.id), source: Some(source), ..job }
}

/// The same id with other words.
pub fn reworded(job: Job) -> Job {
    Job { digest: Digest::of(&job.to, &job.from, &json!({ "type": "text" })), ..job }
}

pub fn to(recipient: &str, job: Job) -> Job {
    Job { to: recipient.parse().expect("a recipient"), ..job }
}

pub fn route(pool: &str) -> Route {
    Route { pool: pool.parse().expect("a pool"), pinned: None }
}

pub fn pinned(number: &str) -> Route {
    Route { pinned: Some(number.parse().expect("a number")), ..route("default") }
}

pub fn routed(job: Job) -> Routed {
    Routed { job: Arc::new(job), route: route("default") }
}

/// Room in lane (`default`, `normal`).
pub fn room(timed: u32, fresh: u32) -> LaneRoom {
    LaneRoom { route: route("default"), priority: Priority::Normal, timed, fresh, has_places: false }
}

pub fn order(cover: Cover, effect: Effect, until: Option<Timestamp>) -> HoldOrder {
    HoldOrder { cover, effect, reason: Reason::Operator, who: "test".to_owned(), until, probe: false }
}

/// A hold on a number that waits until a person lifts it.
pub fn pause(number: &str) -> HoldOrder {
    order(Cover::of(Scope::Number, number), Effect::Wait, None)
}

/// A hold on a number, whose end one job shall try.
pub fn rest(number: &str, until: Timestamp) -> HoldOrder {
    let reason = Reason::Failing;
    HoldOrder { probe: true, reason, ..order(Cover::of(Scope::Number, number), Effect::Wait, Some(until)) }
}

pub fn parking(key: JobKey, hold: HoldId) -> Parking {
    Parking { key, hold, delivered: None }
}

/// The job's name as people give it.
pub fn named(id: &str) -> JobRef {
    JobRef { source: None, id: id.to_owned() }
}

pub fn ids(claimed: &Claimed) -> Vec<String> {
    claimed.rows.iter().map(|row| claimed_job(row).id.to_string()).collect()
}

pub fn claimed_job(row: &ClaimedRow) -> Job {
    let job: Job = serde_json::from_str(&row.body).expect("a body reads back as its job");
    assert_eq!(job.key, row.key);
    job
}

/// Waits until a signal says what the test waits for.
pub async fn hear(signals: &mut watch::Receiver<Signal>, heard: impl FnMut(&Signal) -> bool) {
    tokio::time::timeout(PATIENCE, signals.wait_for(heard)).await.expect("heard in time").expect("the ledger is open");
}

/// A worker's and a person's steps, with what a test does not care about filled in.
pub struct Steps<'a> {
    pub ledger: &'a Ledger,
    pub worker: WorkerId,
    pub number: &'static str,
    pub fence: Fence,
}

impl<'a> Steps<'a> {
    /// With a lease on [`NUMBER`] that lasts as long as any test.
    pub async fn new(ledger: &'a Ledger) -> Self {
        Self::of(ledger, worker(), NUMBER).await
    }

    /// Of a worker that has one number.
    pub async fn of(ledger: &'a Ledger, worker: WorkerId, number: &'static str) -> Self {
        Self { ledger, worker, number, fence: lease(ledger, worker, number).await }
    }

    pub async fn enqueue(&self, job: Job, now: Timestamp) -> Enqueued {
        self.ledger.enqueue(vec![routed(job)], now).await.expect("enqueued")[0]
    }

    /// Claims from lane (`default`, `normal`).
    pub async fn claim(&self, timed: u32, fresh: u32, now: Timestamp) -> Claimed {
        self.ledger.claim(self.worker, vec![room(timed, fresh)], now).await.expect("claimed")
    }

    /// Asks for a job that was claimed.
    pub fn request(&self, job: Job) -> AdmitRequest {
        AdmitRequest {
            routed: routed(job),
            hand: Hand::Claimed(self.worker),
            again: false,
            number: self.number.parse().expect("a number"),
            fence: self.fence,
            account: Arc::new(Account {
                credential: "main".to_owned(),
                waba: "waba".to_owned(),
                portfolio: "portfolio".to_owned(),
            }),
            deadline: at(1_000),
            probe: None,
            siblings: Arc::new([]),
            unfit: None,
        }
    }

    /// Asks for a job that the broker delivered.
    pub fn delivery(&self, job: Job) -> AdmitRequest {
        AdmitRequest { hand: Hand::Delivered, ..self.request(job) }
    }

    pub async fn admit(&self, job: Job, now: Timestamp) -> Admitted {
        self.ask(self.request(job), now).await
    }

    pub async fn deliver(&self, job: Job, now: Timestamp) -> Admitted {
        self.ask(self.delivery(job), now).await
    }

    pub async fn ask(&self, request: AdmitRequest, now: Timestamp) -> Admitted {
        self.ledger.admit(vec![request], now).await.expect("answered").remove(0)
    }

    /// Enqueues a job, claims it and has it admitted.
    pub async fn start(&self, job: Job, now: Timestamp) -> Admission {
        assert_eq!(self.enqueue(job.clone(), now).await, Enqueued::Fresh);
        self.start_again(job, now).await
    }

    /// Claims the job that is next and has it admitted.
    pub async fn start_again(&self, job: Job, now: Timestamp) -> Admission {
        let claimed = self.claim(1, 1, now).await;
        assert_eq!(ids(&claimed), [job.id.as_str()]);
        go(self.admit(job, now).await)
    }

    pub async fn settle(&self, admission: &Admission, fate: Fate, at: Timestamp) -> Settled {
        self.settle_with(settlement(admission, fate, at)).await
    }

    pub async fn settle_with(&self, settlement: Settlement) -> Settled {
        self.ledger.settle(vec![settlement]).await.expect("settled").remove(0)
    }

    pub async fn show(&self, id: &str) -> JobRow {
        let mut rows = self.ledger.show(named(id)).await.expect("shown");
        assert_eq!(rows.len(), 1, "jobs of name {id}");
        rows.remove(0)
    }

    /// Where a job stands, and why.
    pub async fn stands(&self, id: &str) -> (State, Option<Reason>) {
        let row = self.show(id).await;
        (row.state, row.reason)
    }

    pub async fn place(&self, order: HoldOrder, now: Timestamp) -> Hold {
        self.ledger.place(order, now).await.expect("placed")
    }

    pub async fn lift(&self, hold: HoldId, now: Timestamp) -> bool {
        self.ledger.lift(hold, now).await.expect("answered")
    }

    pub async fn census(&self) -> Census {
        self.ledger.census().await.expect("counted")
    }
}

pub async fn lease(ledger: &Ledger, worker: WorkerId, number: &str) -> Fence {
    let names = vec![format!("number:{number}")];
    let leases = ledger.take_leases(worker, names, Duration::from_secs(1_000_000), at(0)).await.expect("answered");
    leases.first().expect("nobody else has it").fence
}

pub fn go(admitted: Admitted) -> Admission {
    match admitted {
        Admitted::Go(admission) => admission,
        other => panic!("not admitted: {other:?}"),
    }
}

pub fn settlement(admission: &Admission, fate: Fate, at: Timestamp) -> Settlement {
    Settlement { key: admission.key(), attempt: admission.attempt(), at, fate, hold: None, lift: None, delivered: None }
}

/// The settlement of a job that the broker delivered.
pub fn of_delivered(job: Job, settlement: Settlement) -> Settlement {
    Settlement { delivered: Some(routed(job)), ..settlement }
}

pub fn accepted() -> Fate {
    Fate::Accepted { wamid: "wamid.1".to_owned(), held_for_quality: false }
}

pub fn retry(due: Timestamp) -> Fate {
    Fate::Retry { due, reason: Reason::ServiceUnavailable, code: Some(131_016), charged: true }
}

pub fn unknown(until: Timestamp) -> Fate {
    Fate::Unknown { cause: tidegate::outcome::UnknownCause::Timeout, until }
}
