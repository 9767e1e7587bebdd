//! A database that falls silent or goes away under a ledger, and comes back.

use std::sync::Arc;
use std::time::Duration;

use tidegate::ledger::postgres::PostgresLedger;
use tidegate::ledger::{Enqueued, JobFilter, Ledger, LedgerError, Migrate, Publish, Settled};
use tidegate::outcome::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use super::ledger::*;
use super::schema::Schema;

/// What the way to the database does with bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Open,
    /// Takes them and passes nothing on.
    Silent,
    /// Ends every connection, and takes no new one.
    Cut,
}

/// The way between a ledger and its database.
struct Wire {
    way: watch::Sender<Way>,
    port: u16,
    _tasks: JoinSet<()>,
}

impl Wire {
    async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (way, seen) = watch::channel(Way::Open);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let seen = seen.clone();
                if *seen.borrow() == Way::Cut {
                    continue;
                }
                let far = TcpStream::connect((host.as_str(), port)).await.expect("the database answers");
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                streams.spawn(pass(near_in, far_out, seen.clone()));
                streams.spawn(pass(far_in, near_out, seen));
            }
        });
        Self { way, port: own, _tasks: tasks }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = way.wait_for(|way| *way == Way::Cut) => return,
        };
        let Ok(n @ 1..) = read else { return };
        if way.wait_for(|way| *way != Way::Silent).await.is_err() || *way.borrow() == Way::Cut {
            return;
        }
        if to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

/// A ledger behind a wire.
async fn behind_a_wire(schema: &Schema) -> (Ledger, Wire) {
    let url: url::Url = (schema.url())().parse().expect("a URL");
    let wire = Wire::to(url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432)).await;
    let mut near = url;
    near.set_host(Some("127.0.0.1")).expect("a host");
    near.set_port(Some(wire.port)).expect("a port");
    let near = near.to_string();
    let ledger = PostgresLedger::open(Arc::new(move || near.clone()), schema.name(), Migrate::Auto, Publish::Off);
    (Ledger::Postgres(ledger.await.expect("opened")), wire)
}

fn is_unreachable<Answer>(answer: &Result<Answer, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Unreachable(_)))
}

#[tokio::test]
async fn a_database_that_falls_silent_fails_every_call_and_is_used_again_when_it_answers() {
    let schema = Schema::new();
    let (ledger, wire) = behind_a_wire(&schema).await;
    let steps = Steps::new(&ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    wire.way.send_replace(Way::Silent);
    let calls = async {
        tokio::join!(
            ledger.enqueue(vec![routed(job("b"))], at(1)),
            ledger.admit(vec![steps.delivery(job("c"))], at(1)),
            ledger.settle(vec![settlement(&admission, accepted(), at(1))]),
            ledger.claim(worker(), vec![room(9, 9)], at(1)),
            ledger.take_leases(worker(), vec!["number:1001".to_owned()], Duration::from_secs(8), at(1)),
            ledger.jobs(JobFilter { limit: 9, ..JobFilter::default() }),
            ledger.holds(),
        )
    };
    let answers = tokio::time::timeout(PATIENCE, calls).await.expect("every call has its deadline");
    assert!(is_unreachable(&answers.0) && is_unreachable(&answers.1) && is_unreachable(&answers.2));
    assert!(is_unreachable(&answers.3) && is_unreachable(&answers.4));
    assert!(is_unreachable(&answers.5) && is_unreachable(&answers.6));
    wire.way.send_replace(Way::Open);
    // What was asked meanwhile may have been done, or not.
    let settled = ledger.settle(vec![settlement(&admission, accepted(), at(2))]).await.expect("settled");
    assert!(matches!(settled[..], [Settled::Done | Settled::Stale]));
    assert_eq!(steps.stands("a").await.0, State::Accepted);
}

#[tokio::test]
async fn a_ledger_whose_connections_were_cut_makes_new_ones_and_hears_again() {
    let schema = Schema::new();
    let (ledger, wire) = behind_a_wire(&schema).await;
    let steps = Steps::new(&ledger).await;
    steps.enqueue(job("a"), at(0)).await;
    wire.way.send_replace(Way::Cut);
    assert!(is_unreachable(&ledger.enqueue(vec![routed(job("b"))], at(1)).await));
    assert!(is_unreachable(&ledger.show(named("a")).await));
    let mut signals = ledger.signals();
    wire.way.send_replace(Way::Open);
    // Whatever happened meanwhile nobody heard: the worker looks for itself.
    let before = *signals.borrow_and_update();
    hear(&mut signals, |signal| signal.work > before.work && signal.holds > before.holds).await;
    assert_eq!(steps.enqueue(job("b"), at(2)).await, Enqueued::Fresh);
    let other = schema.open(Migrate::Check, Publish::Off).await.expect("opened");
    let before = *signals.borrow_and_update();
    other.enqueue(vec![routed(job("c"))], at(3)).await.expect("enqueued");
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["a", "b", "c"]);
}

#[tokio::test]
async fn who_waits_for_a_lock_gives_up_in_time() {
    let schema = Schema::new();
    let ledger = schema.open(Migrate::Auto, Publish::Off).await.expect("opened");
    let steps = Steps::new(&ledger).await;
    let (client, connection) = tokio_postgres::connect(&(schema.url())(), NoTls).await.expect("connected");
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    client.batch_execute(&format!("BEGIN; LOCK TABLE {}.jobs", schema.name())).await.expect("locked");
    let asked = ledger.admit(vec![steps.delivery(job("a"))], at(1));
    let asked = tokio::time::timeout(PATIENCE, asked).await.expect("the call has its deadline");
    assert!(is_unreachable(&asked), "{asked:?}");
    client.batch_execute("ROLLBACK").await.expect("unlocked");
    drop(go(steps.deliver(job("a"), at(2)).await));
}
