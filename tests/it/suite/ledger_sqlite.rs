//! The ledger's suite on SQLite, and what only a file can promise: one worker, commands beside it, a crash.

use std::path::Path;
use std::process::Command;

use tidegate::ledger::sqlite::{Access, Migrate, SqliteLedger, migrate};
use tidegate::ledger::{Admitted, FleetRow, Ledger, LedgerError, MessagingLimit};
use tidegate::outcome::State;

use super::bench::{Bench, File};
use super::cases::ledger_suite;
use super::ledger::*;
use super::ledger_model::every_job_stands_in_one_state;
use super::ledger_orders::every_order_leaves_the_same_row;
use super::places::{letter, park, say_limit, send};

ledger_suite!(sqlite);

#[test]
fn every_job_stands_in_one_state_whatever_is_done() {
    every_job_stands_in_one_state(48, Bench::sqlite);
}

#[tokio::test]
async fn every_order_of_a_messages_webhooks_leaves_the_same_row() {
    every_order_leaves_the_same_row(&Bench::sqlite().await, 20_000).await;
}

#[tokio::test]
async fn a_file_has_one_worker_and_many_beside_it() {
    let home = File::new();
    let first = home.worker();
    let refused = home.open(Access::Worker).expect_err("taken");
    assert!(matches!(refused, LedgerError::Taken(_)), "{refused}");
    home.beside();
    home.beside();
    drop(first);
    home.worker();
}

#[tokio::test]
async fn a_new_worker_frees_what_the_last_one_held() {
    let home = File::new();
    let (fence, sending) = {
        let ledger = home.worker();
        let steps = Steps::new(&ledger).await;
        let sending = steps.start(job("sending"), at(0)).await;
        steps.enqueue(job("claimed"), at(0)).await;
        assert_eq!(steps.claim(9, 9, at(0)).await.rows.len(), 1);
        (steps.fence, sending)
    };
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    assert!(steps.fence > fence, "a new owner has a new fence");
    assert_eq!(ids(&steps.claim(9, 9, at(1)).await), ["claimed"]);
    // What may have been sent is not sent again.
    assert_eq!(steps.stands("sending").await, (State::Sending, None));
    assert_eq!(steps.admit(job("sending"), at(1)).await, Admitted::InFlight);
    steps.settle(&sending, accepted(), at(2)).await;
    assert_eq!(steps.stands("sending").await, (State::Accepted, None));
}

#[tokio::test]
async fn a_command_does_not_free_what_the_worker_holds() {
    let home = File::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(9, 9, at(0)).await;
    home.beside();
    assert!(steps.claim(9, 9, at(1)).await.rows.is_empty());
    drop(go(steps.admit(job("a"), at(1)).await));
}

const CHILD: &str = "TIDEGATE_TEST_CHILD_LEDGER";

/// Run by the next test in a process of its own, which it kills: answers, then dies in the middle of the next call.
#[tokio::test]
async fn a_worker_that_dies() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let ledger = SqliteLedger::open(Path::new(&path), Access::Worker, Migrate::Auto).expect("opened");
    let ledger = Ledger::Sqlite(ledger);
    let steps = Steps::new(&ledger).await;
    drop(steps.start(job("sending"), at(0)).await);
    steps.enqueue(job("claimed"), at(0)).await;
    steps.claim(9, 9, at(0)).await;
    let many = (0..1_000).map(|n| routed(job(&format!("job {n}")))).collect();
    let writing = ledger.enqueue(many, at(0));
    assert!(futures_util::future::poll_immediate(writing).await.is_none(), "the call is under way");
    std::process::abort();
}

#[tokio::test]
async fn what_was_answered_outlives_a_crash() {
    let home = File::new();
    let program = std::env::current_exe().expect("the test program");
    let name = "suite::ledger_sqlite::a_worker_that_dies";
    let mut child = Command::new(program);
    let died = child.args(["--exact", name]).env(CHILD, home.path()).output().expect("ran").status;
    assert!(!died.success(), "it was to die");
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    assert_eq!(steps.stands("sending").await, (State::Sending, None));
    let claimed = ids(&steps.claim(9, 2_000, at(1)).await);
    assert_eq!(claimed[0], "claimed");
    // Batches of a command are whole or not there.
    assert_eq!((claimed.len() - 1) % 200, 0);
    let check: String = home.look().query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn the_worker_notices_what_a_command_wrote() {
    let home = File::new();
    let (ledger, command) = (home.worker(), home.beside());
    let steps = Steps::new(&ledger).await;
    let mut signals = ledger.signals();
    let before = *signals.borrow_and_update();
    command.enqueue(vec![routed(job("a"))], at(0)).await.expect("enqueued");
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(0)).await), ["a"]);
    let hold = command.place(pause(NUMBER), at(1)).await.expect("placed");
    // The very next admission obeys, whether or not the signal has come.
    assert_eq!(steps.admit(job("a"), at(1)).await, Admitted::Parked(hold.id));
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    let placed = *signals.borrow_and_update();
    assert!(command.lift(hold.id, at(2)).await.expect("answered"));
    hear(&mut signals, |signal| signal.holds > placed.holds).await;
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), ["a"]);
}

#[tokio::test]
async fn the_worker_notices_what_a_command_read_of_the_fleet() {
    let home = File::new();
    let (ledger, command) = (home.worker(), home.beside());
    let mut signals = ledger.signals();
    let before = *signals.borrow_and_update();
    let row = |fields: &str| FleetRow {
        kind: "number".to_owned(),
        id: "1".to_owned(),
        parent: String::new(),
        fields: fields.to_owned(),
        read_at: at(0),
    };
    command.fleet_put(vec![row("{}")]).await.expect("put");
    hear(&mut signals, |signal| signal.fleet > before.fleet).await;
    let before = *signals.borrow_and_update();
    // The same again is written, and changes nothing.
    command.fleet_put(vec![row("{ }")]).await.expect("put");
    command.place(pause(NUMBER), at(1)).await.expect("placed");
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    assert_eq!(signals.borrow_and_update().fleet, before.fleet);
}

#[tokio::test]
async fn a_command_notices_what_the_worker_wrote() {
    let home = File::new();
    let (ledger, command) = (home.worker(), home.beside());
    let mut signals = command.signals();
    let before = *signals.borrow_and_update();
    ledger.enqueue(vec![routed(job("a"))], at(0)).await.expect("enqueued");
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(command.show(named("a")).await.expect("shown").len(), 1);
}

#[tokio::test]
async fn commands_and_the_worker_write_at_once_and_nothing_is_lost() {
    let home = File::new();
    let (ledger, one, two) = (home.worker(), home.beside(), home.beside());
    let publish = |command: Ledger, name: &'static str| async move {
        for batch in 0..10 {
            let jobs = (0..100).map(|n| routed(job(&format!("{name} {batch} {n}")))).collect();
            command.enqueue(jobs, at(0)).await.expect("enqueued");
        }
    };
    let work = async {
        let steps = Steps::new(&ledger).await;
        let mut done = 0;
        let mut signals = ledger.signals();
        while done < 2_000 {
            let claimed = steps.claim(0, 150, at(1)).await;
            let jobs: Vec<_> = claimed.rows.iter().map(claimed_job).collect();
            if jobs.is_empty() {
                signals.changed().await.expect("the ledger is open");
                continue;
            }
            let requests = jobs.into_iter().map(|job| steps.request(job)).collect();
            let answers = ledger.admit(requests, at(1)).await.expect("answered");
            let settlements: Vec<_> =
                answers.into_iter().map(|answer| settlement(&go(answer), accepted(), at(2))).collect();
            done += settlements.len();
            ledger.settle(settlements).await.expect("settled");
        }
    };
    let all = async { tokio::join!(publish(one, "one"), publish(two, "two"), work) };
    tokio::time::timeout(PATIENCE, all).await.expect("in time");
    assert_eq!(ledger.census().await.expect("counted").states, [(State::Accepted, 2_000)]);
}

#[tokio::test]
async fn a_limit_that_another_process_notes_counts_at_once() {
    let home = File::new();
    let (worker, beside) = (home.worker(), home.beside());
    let steps = Steps::new(&worker).await;
    send(&steps, letter("before", 1), 0).await;
    say_limit(&beside, MessagingLimit::Of(2), 1).await;
    // One of the two places is kept for urgent jobs.
    send(&steps, letter("first", 2), 2).await;
    park(&steps, letter("second", 3), 2).await;
    say_limit(&beside, MessagingLimit::Unlimited, 3).await;
    send(&steps, letter("third", 4), 4).await;
    assert_eq!(ids(&steps.claim(9, 9, at(4)).await), ["second"]);
}

#[tokio::test]
async fn a_schema_is_brought_up_only_where_that_is_allowed() {
    let home = File::new();
    let refused = SqliteLedger::open(&home.path(), Access::Worker, Migrate::Check).expect_err("a new file");
    assert!(matches!(refused, LedgerError::Schema { found: 0, known: 3 }), "{refused}");
    assert_eq!(migrate(&home.path()).expect("migrated"), (0, 3));
    assert_eq!(migrate(&home.path()).expect("migrated"), (3, 3));
    let ledger = SqliteLedger::open(&home.path(), Access::Worker, Migrate::Check).expect("opened");
    assert_eq!(ledger.schema_version().await.expect("read"), 3);
}

#[tokio::test]
async fn a_schema_one_version_ahead_still_works_and_a_later_one_does_not() {
    let home = File::new();
    migrate(&home.path()).expect("migrated");
    let age = |version: i64| {
        let sql = "INSERT INTO refinery_schema_history SELECT ?1, 'later', applied_on, checksum
            FROM refinery_schema_history WHERE version = 1";
        home.look().execute(sql, [version]).expect("written");
    };
    age(4);
    drop(Steps::new(&home.worker()).await.start(job("a"), at(0)).await);
    age(5);
    let refused = home.open(Access::Beside).expect_err("too new");
    assert!(matches!(refused, LedgerError::Schema { found: 5, known: 3 }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_called_damaged() {
    let home = File::new();
    std::fs::write(home.path(), vec![b'x'; 8_192]).expect("written");
    let refused = home.open(Access::Worker).expect_err("no database");
    assert!(matches!(refused, LedgerError::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn a_count_of_a_reason_that_a_later_version_wrote_is_left_out() {
    let home = File::new();
    let ledger = home.worker();
    home.look().execute("INSERT INTO tally VALUES ('waiting', 'new', 1)", []).expect("written");
    assert_eq!(ledger.census().await.expect("counted").waiting, []);
}
