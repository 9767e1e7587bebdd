//! The ledger's suite on SQLite, and what only a file can promise: one worker, commands beside it, a crash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;
use tidegate::hold::Effect;
use tidegate::ledger::sqlite::{Access, Migrate, Publish, SqliteLedger, migrate};
use tidegate::ledger::{Admitted, Ledger, LedgerError, Settled, Signal};
use tidegate::outcome::{Reason, State};
use tokio::sync::watch;

use super::ledger::*;

/// Far longer than anything here takes; only a bug reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

macro_rules! suite {
    ($($module:ident { $($name:ident,)+ })+) => {$($(
        #[tokio::test]
        async fn $name() {
            let home = Home::new();
            super::$module::$name(&home.worker()).await;
        }
    )+)+};
}

suite! {
    ledger_enqueue {
        a_job_handed_in_twice_is_taken_once,
        a_duplicate_is_told_where_the_job_stands,
        an_id_that_says_something_else_is_refused,
        a_batch_is_answered_job_by_job,
        a_large_batch_is_taken_whole_and_in_order,
        two_producers_may_share_an_id,
        a_job_is_found_by_its_key_too,
        a_job_not_to_be_sent_yet_waits_for_its_time,
    }
    ledger_claim {
        fresh_rows_come_in_order_of_publishing_and_once,
        rows_that_are_due_come_before_fresh_ones,
        a_deferral_says_why_and_leaves_its_trail,
        room_of_one_kind_is_not_used_by_the_other,
        a_row_given_back_keeps_its_place,
        lanes_keep_to_themselves,
        several_lanes_are_answered_in_one_claim,
        a_row_out_of_time_ends_instead_of_being_claimed,
        rows_behind_others_out_of_time_are_found,
        a_claim_that_ends_very_many_says_that_there_is_more,
        rows_in_an_attempt_are_not_given_back_nor_deferred,
    }
    ledger_admit {
        a_claimed_job_is_admitted_once,
        a_job_never_seen_is_taken_in_and_admitted,
        a_delivery_of_a_job_that_waits_elsewhere_is_not_sent,
        a_job_that_ended_stays_ended,
        a_job_out_of_time_is_not_sent,
        only_the_owner_of_a_number_sends_by_it,
        a_lease_that_ran_out_admits_nothing,
        a_hold_parks_what_it_covers,
        a_hold_lets_pass_what_it_does_not_cover,
        a_hold_that_ends_jobs_suppresses_them,
        one_job_may_try_a_hold_whose_time_is_over,
        a_trial_is_not_ended_by_another_hold_whose_time_is_over,
        a_job_lost_five_times_is_not_tried_again,
    }
    ledger_settle {
        an_accepted_job_ends_and_its_row_goes,
        a_retry_waits_for_its_time_and_counts,
        a_job_ends_with_its_reason,
        a_job_is_parked_under_the_hold_that_it_places,
        a_job_is_parked_under_a_hold_that_others_placed,
        a_job_with_nothing_to_park_under_goes_at_once,
        an_unknown_job_keeps_its_row_until_its_time,
        a_late_answer_is_welcome,
        an_answer_to_another_attempt_changes_nothing,
        what_an_answer_says_of_the_number_holds_even_if_it_comes_too_late,
        an_answer_does_not_lift_what_a_person_placed,
    }
    ledger_holds {
        holds_of_one_cover_are_one_hold,
        the_hold_that_lasts_longer_rules,
        parked_rows_wait_and_are_let_out_at_the_pace_of_claims,
        rows_let_out_are_not_starved_by_a_backlog,
        rows_of_one_lane_are_let_out_however_many_holds_keep_others,
        a_lifted_hold_can_be_placed_again_over_its_rows,
        parking_under_a_hold_that_is_gone_leaves_the_row_in_line,
        one_parked_row_comes_out_to_try_a_hold_whose_time_is_over,
        a_trial_that_comes_to_nothing_is_given_to_another_row,
        a_hold_that_needs_no_trial_runs_out_by_itself,
        recipients_holds_are_listed_for_people_only,
        who_waits_for_signals_hears_of_rows_and_holds,
    }
    ledger_keep {
        a_lease_has_one_owner_and_a_new_fence_with_each,
        a_lease_given_up_is_free_at_once,
        an_attempt_past_its_deadline_is_unknown,
        an_unknown_job_ends_as_its_policy_says,
        waiting_rows_out_of_time_end_wherever_they_stand,
        an_attempt_outlives_its_jobs_expiry,
        old_jobs_are_forgotten_a_few_at_a_time,
    }
    ledger_people {
        a_job_that_has_not_left_can_be_taken_back,
        an_unknown_job_can_be_decided_by_hand,
        jobs_are_listed_newest_first_and_filtered,
        the_census_counts_every_job_where_it_stands,
        people_learn_how_many_go_before_a_job,
        dead_bodies_are_kept_listed_and_dropped,
        what_was_read_of_the_fleet_is_remembered,
    }
}

/// A folder with a ledger in it.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn open(&self, access: Access) -> Result<Ledger, LedgerError> {
        SqliteLedger::open(&self.path(), access, Migrate::Auto).map(Ledger::Sqlite)
    }

    fn worker(&self) -> Ledger {
        self.open(Access::Worker).expect("opened")
    }

    fn beside(&self) -> Ledger {
        self.open(Access::Beside).expect("opened")
    }

    fn look(&self) -> Connection {
        Connection::open(self.path()).expect("opened")
    }
}

/// Waits until a signal says what the test waits for.
async fn hear(signals: &mut watch::Receiver<Signal>, heard: impl FnMut(&Signal) -> bool) {
    tokio::time::timeout(PATIENCE, signals.wait_for(heard)).await.expect("heard in time").expect("the ledger is open");
}

#[test]
fn every_job_stands_in_one_state_whatever_is_done() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let tried = runner.run(&super::ledger_model::acts(), |acts| {
        let home = Home::new();
        let ledger = home.worker();
        let look = home.look();
        let waiting = || -> BTreeSet<String> {
            let sql = "SELECT j.id FROM waiting w JOIN bodies b ON b.seq = w.seq JOIN jobs j ON j.seq = w.seq";
            let mut find = look.prepare_cached(sql).expect("SQL");
            find.query_map([], |row| row.get(0)).expect("read").collect::<Result<_, _>>().expect("read")
        };
        runtime.block_on(super::ledger_model::keeps_its_promise(&ledger, acts, waiting));
        let orphans = "SELECT (SELECT count(*) FROM waiting) - (SELECT count(*) FROM bodies)";
        assert_eq!(look.query_row(orphans, [], |row| row.get::<_, i64>(0)).expect("read"), 0);
        Ok(())
    });
    tried.expect("no act breaks the promise");
}

#[tokio::test]
async fn a_file_has_one_worker_and_many_beside_it() {
    let home = Home::new();
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
    let home = Home::new();
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
    let home = Home::new();
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
    let home = Home::new();
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
    let home = Home::new();
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
async fn a_command_notices_what_the_worker_wrote() {
    let home = Home::new();
    let (ledger, command) = (home.worker(), home.beside());
    let mut signals = command.signals();
    let before = *signals.borrow_and_update();
    ledger.enqueue(vec![routed(job("a"))], at(0)).await.expect("enqueued");
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(command.show(named("a")).await.expect("shown").len(), 1);
}

#[tokio::test]
async fn commands_and_the_worker_write_at_once_and_nothing_is_lost() {
    let home = Home::new();
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
async fn a_schema_is_brought_up_only_where_that_is_allowed() {
    let home = Home::new();
    let refused = SqliteLedger::open(&home.path(), Access::Worker, Migrate::Check).expect_err("a new file");
    assert!(matches!(refused, LedgerError::Schema { found: 0, known: 1 }), "{refused}");
    assert_eq!(migrate(&home.path()).expect("migrated"), (0, 1));
    assert_eq!(migrate(&home.path()).expect("migrated"), (1, 1));
    let ledger = SqliteLedger::open(&home.path(), Access::Worker, Migrate::Check).expect("opened");
    assert_eq!(ledger.schema_version().await.expect("read"), 1);
}

#[tokio::test]
async fn a_schema_one_version_ahead_still_works_and_a_later_one_does_not() {
    let home = Home::new();
    migrate(&home.path()).expect("migrated");
    let age = |version: i64| {
        let sql = "INSERT INTO refinery_schema_history SELECT ?1, 'later', applied_on, checksum
            FROM refinery_schema_history WHERE version = 1";
        home.look().execute(sql, [version]).expect("written");
    };
    age(2);
    drop(Steps::new(&home.worker()).await.start(job("a"), at(0)).await);
    age(3);
    let refused = home.open(Access::Beside).expect_err("too new");
    assert!(matches!(refused, LedgerError::Schema { found: 3, known: 1 }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_called_damaged() {
    let home = Home::new();
    std::fs::write(home.path(), vec![b'x'; 8_192]).expect("written");
    let refused = home.open(Access::Worker).expect_err("no database");
    assert!(matches!(refused, LedgerError::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn analysts_find_the_documented_columns() {
    let home = Home::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    let admission = steps.start(from_source("shop", job("a")), at(0)).await;
    steps.settle(&admission, accepted(), ms(1_250)).await;
    let look = home.look();
    let mut all = look.prepare("SELECT * FROM jobs_v1").expect("a view");
    let columns = "id, source, state, reason, code, pool, priority, campaign, template, number, recipient, category, \
        attempts, wamid, due_at, created_at, accepted_at, sent_at, delivered_at, read_at, ended_at, cost_type, \
        cost_category, updated_at";
    assert_eq!(all.column_names().collect::<Vec<_>>().join(", "), columns);
    let texts = all.query_row([], |row| {
        Ok(["id", "source", "state", "number", "accepted_at"].map(|column| row.get::<_, String>(column)))
    });
    let texts = texts.expect("a row").map(|text| text.expect("text"));
    assert_eq!(texts, ["a", "shop", "accepted", NUMBER, &ms(1_250).to_string()]);
}

#[tokio::test]
async fn events_are_written_where_somebody_listens() {
    for (publish, expected) in [
        (Publish::Off, vec![]),
        (Publish::Ended, vec!["message.accepted.default.shop"]),
        (Publish::All, vec!["message.waiting.default.shop", "message.accepted.default.shop"]),
    ] {
        let home = Home::new();
        let ledger = SqliteLedger::open_publishing(&home.path(), Access::Worker, Migrate::Auto, publish);
        let ledger = Ledger::Sqlite(ledger.expect("opened"));
        let steps = Steps::new(&ledger).await;
        let metadata = serde_json::from_str(r#"{"order":17}"#).expect("JSON");
        let job = tidegate::job::Job { metadata: Some(metadata), ..from_source("shop", job("a")) };
        let admission = steps.start(job.clone(), at(0)).await;
        steps.settle(&admission, retry(at(10)), at(1)).await;
        let admission = steps.start_again(job, at(10)).await;
        steps.settle(&admission, accepted(), at(11)).await;
        let events = ledger.outbox_take(9).await.expect("taken");
        assert_eq!(events.iter().map(|event| event.topic.as_str()).collect::<Vec<_>>(), expected);
        let Some(last) = events.last() else { continue };
        let body: serde_json::Value = serde_json::from_str(&last.body).expect("JSON");
        let at = at(11).to_string();
        for (field, value) in [("state", "accepted"), ("id", "a"), ("wamid", "wamid.1"), ("at", &at)] {
            assert_eq!(body[field], value, "{body}");
        }
        assert_eq!((&body["metadata"]["order"], &body["attempt"]), (&17.into(), &2.into()));
        assert_eq!(body["event"], last.event.as_str());
        ledger.outbox_done(events.iter().map(|event| event.seq).collect()).await.expect("done");
        assert!(ledger.outbox_take(9).await.expect("taken").is_empty());
    }
}

#[tokio::test]
async fn a_waiting_event_says_until_when() {
    let home = Home::new();
    let ledger = SqliteLedger::open_publishing(&home.path(), Access::Worker, Migrate::Auto, Publish::All);
    let ledger = Ledger::Sqlite(ledger.expect("opened"));
    let steps = Steps::new(&ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, retry(at(10)), at(1)).await;
    let event = ledger.outbox_take(1).await.expect("taken").remove(0);
    let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
    assert_eq!(event.topic, "message.waiting.default.-");
    let reason = Reason::ServiceUnavailable.as_str();
    assert_eq!((body["until"].as_str(), body["reason"].as_str()), (Some(at(10).to_string().as_str()), Some(reason)));
}

#[tokio::test]
async fn lifted_holds_without_rows_are_forgotten_by_the_sweep() {
    let home = Home::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    let mut parked = Vec::new();
    for n in 0..5 {
        let hold = steps.place(pause(&format!("2{n:03}")), at(0)).await;
        let name = format!("job {n}");
        steps.enqueue(job(&name), at(0)).await;
        steps.claim(0, 1, at(0)).await;
        ledger.park(vec![parking(job(&name).key, hold.id)], at(0)).await.expect("parked");
        parked.push((hold.id, name));
    }
    for (hold, name) in parked {
        steps.lift(hold, at(1)).await;
        if name != "job 4" {
            ledger.cancel(vec![named(&name)], Unseen::Refuse, at(1)).await.expect("answered");
        }
    }
    let lifted = || -> i64 {
        let count = "SELECT count(*) FROM holds WHERE lifted = 1";
        home.look().query_row(count, [], |row| row.get(0)).expect("read")
    };
    assert_eq!(lifted(), 5);
    for left in [3, 1, 1] {
        ledger.sweep(at(2), WAIT, 2).await.expect("swept");
        assert_eq!(lifted(), left);
    }
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["job 4"]);
    assert_eq!(lifted(), 0);
}

#[tokio::test]
async fn a_reason_that_a_later_version_wrote_stops_nobody() {
    let home = Home::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    let hold = steps.place(pause("2002"), at(0)).await;
    for name in ["a", "b"] {
        steps.enqueue(job(name), at(0)).await;
    }
    let new_words = "UPDATE jobs SET reason = 'new' WHERE id = 'a';
        UPDATE holds SET reason = 'new', effect = 'new';
        INSERT INTO tally VALUES ('waiting', 'new', 1)";
    home.look().execute_batch(new_words).expect("written");
    assert_eq!(ids(&steps.claim(0, 9, at(1)).await), ["a", "b"]);
    let requests = vec![steps.request(job("a")), steps.request(job("b"))];
    let answers = ledger.admit(requests, at(1)).await.expect("answered");
    let settlements = answers.into_iter().map(|answer| settlement(&go(answer), accepted(), at(2))).collect();
    ledger.settle(settlements).await.expect("settled");
    let holds = ledger.holds().await.expect("listed");
    assert_eq!((holds[0].id, holds[0].effect, holds[0].reason), (hold.id, Effect::Wait, Reason::Held));
    assert_eq!(steps.census().await.states, [(State::Accepted, 2)]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_no_other() {
    let home = Home::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    for name in ["bad", "good"] {
        steps.enqueue(job(name), at(0)).await;
    }
    steps.claim(0, 9, at(1)).await;
    let requests = || vec![steps.request(job("bad")), steps.request(job("good"))];
    let spoil = "UPDATE jobs SET state = 'new' WHERE id = 'bad'";
    home.look().execute(spoil, []).expect("written");
    let mut answers = ledger.admit(requests(), at(1)).await.expect("answered");
    let good = go(answers.remove(1));
    assert_eq!(answers, [Admitted::InFlight]);
    home.look().execute("UPDATE jobs SET state = 'queued' WHERE id = 'bad'", []).expect("written");
    let bad = go(steps.admit(job("bad"), at(1)).await);
    home.look().execute(spoil, []).expect("written");
    let settlements = vec![settlement(&bad, accepted(), at(2)), settlement(&good, unknown(at(9)), at(2))];
    assert_eq!(ledger.settle(settlements).await.expect("settled"), [Settled::Stale, Settled::Done]);
    let swept = ledger.sweep(at(1_000), WAIT, 100).await.expect("swept");
    assert_eq!((swept.overdue, swept.unresolved), (0, 1));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_passed_over_by_claims_and_the_sweep_once_it_ran_out_of_time() {
    let home = Home::new();
    let ledger = home.worker();
    let steps = Steps::new(&ledger).await;
    for name in ["bad", "old"] {
        let old = tidegate::job::Job { expires_at: at(10), ..job(name) };
        steps.enqueue(old, at(0)).await;
    }
    steps.enqueue(job("good"), at(0)).await;
    home.look().execute("UPDATE jobs SET state = 'new' WHERE id = 'bad'", []).expect("written");
    assert_eq!(ledger.sweep(at(10), WAIT, 100).await.expect("swept").expired, 1);
    let claimed = steps.claim(0, 1, at(10)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["good".to_owned()], vec![false]));
}
