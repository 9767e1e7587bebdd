//! What the keeper does when time is over.

use tidegate::hold::HoldOrder;
use tidegate::job::{Category, Job, OnUnknown};
use tidegate::ledger::{Ledger, Swept};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

pub async fn an_attempt_past_its_deadline_is_unknown(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let code = Job { category: Category::Authentication, ..job("code") };
    let short = Job { expires_at: at(1_020), ..job("short") };
    for job in [code, short, job("other")] {
        drop(steps.start(job, at(0)).await);
    }
    assert_eq!(ledger.sweep(ms(999_999), WAIT, 100).await.expect("swept"), Swept::default());
    assert_eq!(ledger.sweep(at(1_000), WAIT, 100).await.expect("swept").overdue, 3);
    // As configured for the category, and at most a quarter of what is left of the job's life.
    for (name, until) in [("code", at(1_010)), ("short", at(1_005)), ("other", at(1_060))] {
        let row = steps.show(name).await;
        assert_eq!((row.state, row.reason), (State::Unknown, Some(Reason::WorkerLost)));
        assert_eq!(row.deadline, Some(until), "{name}");
    }
}

pub async fn an_unknown_job_ends_as_its_policy_says(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (name, on_unknown, expires_at) in [
        ("resend", OnUnknown::Resend, at(3_600)),
        ("too late", OnUnknown::Resend, at(60)),
        ("silent", OnUnknown::ResendIfSilent, at(3_600)),
        ("leave", OnUnknown::Leave, at(3_600)),
    ] {
        let admission = steps.start(Job { on_unknown, expires_at, ..job(name) }, at(0)).await;
        steps.settle(&admission, unknown(at(60)), at(1)).await;
    }
    let swept = ledger.sweep(at(60), WAIT, 100).await.expect("swept");
    assert_eq!(swept, Swept { resent: 1, unresolved: 3, ..Swept::default() });
    let row = steps.show("resend").await;
    assert_eq!((row.state, row.reason, row.due_at), (State::Waiting, Some(Reason::Resent), Some(at(60))));
    for name in ["too late", "silent", "leave"] {
        assert_eq!(steps.stands(name).await, (State::Unresolved, Some(Reason::Left)), "{name}");
    }
    let again = Job { on_unknown: OnUnknown::Resend, ..job("resend") };
    assert_eq!(steps.start_again(again, at(60)).await.attempt(), 2);
}

pub async fn waiting_rows_out_of_time_end_wherever_they_stand(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(HoldOrder { until: None, ..pause(NUMBER) }, at(0)).await;
    for name in ["parked", "claimed", "deferred", "fresh"] {
        steps.enqueue(Job { expires_at: at(100), ..job(name) }, at(0)).await;
    }
    steps.claim(9, 3, at(0)).await;
    ledger.park(vec![parking(job("parked").key, hold.id)], at(0)).await.expect("parked");
    ledger.defer(vec![put_off("deferred", at(500))], at(0)).await.expect("deferred");
    assert_eq!(ledger.sweep(ms(99_999), WAIT, 100).await.expect("swept").expired, 0);
    assert_eq!(ledger.sweep(at(100), WAIT, 3).await.expect("swept").expired, 3, "at most as many as asked");
    assert_eq!(ledger.sweep(at(100), WAIT, 3).await.expect("swept").expired, 1);
    for name in ["parked", "claimed", "deferred", "fresh"] {
        assert_eq!(steps.stands(name).await, (State::Expired, Some(Reason::TooLate)), "{name}");
    }
}

pub async fn an_attempt_outlives_its_jobs_expiry(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(Job { expires_at: at(100), ..job("a") }, at(99)).await;
    assert_eq!(ledger.sweep(at(101), WAIT, 100).await.expect("swept"), Swept::default());
    steps.settle(&admission, accepted(), at(102)).await;
    assert_eq!(steps.stands("a").await, (State::Accepted, None));
}

pub async fn old_jobs_are_forgotten_a_few_at_a_time(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        let now = at(i64::try_from(n).expect("small"));
        let admission = steps.start(job(name), now).await;
        steps.settle(&admission, retry(now), now).await;
        let admission = steps.start_again(job(name), now).await;
        steps.settle(&admission, accepted(), now).await;
    }
    steps.enqueue(job("waits"), at(0)).await;
    assert_eq!(ledger.trim(at(2), 1).await.expect("trimmed"), 1);
    assert_eq!(ledger.trim(at(2), 100).await.expect("trimmed"), 1);
    assert_eq!(ledger.trim(at(2), 100).await.expect("trimmed"), 0);
    assert!(ledger.show(named("b")).await.expect("shown").is_empty());
    assert!(ledger.trail(job("b").key).await.expect("read").is_empty());
    assert_eq!(steps.stands("c").await.0, State::Accepted);
    assert_eq!(steps.census().await.states, [(State::Queued, 1), (State::Accepted, 1)]);
}
