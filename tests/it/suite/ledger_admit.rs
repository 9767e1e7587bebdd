//! May this job be sent now?

use std::time::Duration;

use tidegate::hold::{Cover, Effect, HoldOrder, Scope};
use tidegate::job::{Category, Job, OnUnknown};
use tidegate::ledger::{AdmitRequest, Admitted, Ledger, Settled, Settlement};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

pub async fn a_claimed_job_is_admitted_once(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(1)).await;
    assert_eq!((admission.attempt(), admission.tries(), admission.deadline()), (1, 0, at(1_000)));
    assert_eq!(steps.admit(job("a"), at(2)).await, Admitted::InFlight);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.attempts, row.number.as_deref()), (State::Sending, 1, Some(NUMBER)));
    assert_eq!(row.deadline, Some(at(1_000)));
}

pub async fn a_job_that_ended_stays_ended(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, accepted(), at(1)).await;
    assert_eq!(steps.admit(job("a"), at(2)).await, Admitted::Ended(State::Accepted));
    steps.enqueue(job("b"), at(3)).await;
    steps.claim(0, 1, at(3)).await;
    ledger.cancel(vec![named("b")], Unseen::Refuse, at(4)).await.expect("answered");
    assert_eq!(steps.admit(job("b"), at(5)).await, Admitted::Ended(State::Cancelled));
}

pub async fn a_job_out_of_time_is_not_sent(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let late = Job { expires_at: at(10), ..job("late") };
    let slow = Job { deliver_within: Some(Duration::from_secs(9)), enqueued_at: at(0), ..job("slow") };
    for job in [late, slow] {
        steps.enqueue(job.clone(), at(0)).await;
        steps.claim(0, 1, at(1)).await;
        assert_eq!(steps.admit(job, at(10)).await, Admitted::Ended(State::Expired));
    }
    assert_eq!(steps.stands("slow").await, (State::Expired, Some(Reason::TooLate)));
}

pub async fn an_ask_that_is_repeated_finds_its_attempt(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let first = steps.start(job("claimed"), at(0)).await;
    let again = |request| AdmitRequest { again: true, ..request };
    assert_eq!(steps.ask(again(steps.request(job("claimed"))), at(1)).await, Admitted::Go(first));
    let first = go(steps.deliver(job("delivered"), at(0)).await);
    assert_eq!(steps.ask(again(steps.delivery(job("delivered"))), at(1)).await, Admitted::Go(first));
    // Another number has asked nothing yet: somebody else may be sending.
    let other = Steps::of(ledger, worker(), "2002").await;
    for request in [other.request(job("claimed")), other.delivery(job("delivered"))] {
        assert_eq!(other.ask(again(request), at(1)).await, Admitted::InFlight);
    }
    // What the lost answer did not begin begins now.
    let admission = go(steps.ask(again(steps.delivery(job("unheard"))), at(1)).await);
    assert_eq!(admission.attempt(), 1);
    assert_eq!(steps.settle(&admission, accepted(), at(2)).await, Settled::Done);
    assert_eq!(steps.ask(again(steps.delivery(job("unheard"))), at(3)).await, Admitted::Ended(State::Accepted));
}

pub async fn a_hold_parks_what_it_covers(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let covers = [
        Cover::of(Scope::Everything, ""),
        Cover::of(Scope::Credential, "main"),
        Cover::of(Scope::Portfolio, "portfolio"),
        Cover::of(Scope::Waba, "waba").country("44"),
        Cover::of(Scope::Number, NUMBER),
        Cover::of(Scope::Template, "hello/en_US"),
        Cover::of(Scope::Recipient, "+447700900123").category(Category::Utility),
        Cover::of(Scope::Campaign, "spring"),
    ];
    for (n, cover) in covers.into_iter().enumerate() {
        let name = format!("job {n}");
        let job = Job { campaign: Some("spring".parse().expect("a campaign")), ..job(&name) };
        steps.enqueue(job.clone(), at(0)).await;
        steps.claim(0, 1, at(1)).await;
        let hold = steps.place(order(cover, Effect::Wait, Some(at(500))), at(1)).await;
        assert_eq!(steps.admit(job.clone(), at(2)).await, Admitted::Parked(hold.id), "{hold:?}");
        let row = steps.show(&name).await;
        assert_eq!((row.state, row.reason), (State::Waiting, Some(Reason::Operator)));
        assert_eq!(row.hold.as_ref(), Some(&hold));
        assert_eq!(ledger.trail(job.key).await.expect("read")[0].until, Some(at(500)));
        assert!(steps.claim(9, 9, at(3)).await.rows.is_empty());
        ledger.cancel(vec![named(&name)], Unseen::Refuse, at(4)).await.expect("answered");
        assert!(steps.lift(hold.id, at(4)).await);
    }
}

pub async fn a_hold_lets_pass_what_it_does_not_cover(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for cover in [
        Cover::of(Scope::Credential, "other"),
        Cover::of(Scope::Waba, "waba").country("33"),
        Cover::of(Scope::Waba, "waba").category(Category::Marketing),
        Cover::of(Scope::Recipient, "+447700900123").category(Category::Marketing),
        Cover::of(Scope::Recipient, "+447700900999"),
        Cover::of(Scope::Campaign, "spring"),
    ] {
        steps.place(order(cover, Effect::Wait, None), at(0)).await;
    }
    steps.place(order(Cover::of(Scope::Number, NUMBER), Effect::Wait, Some(at(1))), at(0)).await;
    drop(steps.start(job("a"), at(1)).await);
}

pub async fn a_hold_that_ends_jobs_suppresses_them(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let opted_out = Cover::of(Scope::Recipient, "+447700900123").category(Category::Marketing);
    steps.place(order(opted_out, Effect::End, None), at(0)).await;
    // Also what is held in general ends: it need not wait first.
    steps.place(pause(NUMBER), at(0)).await;
    let marketing = Job { category: Category::Marketing, ..job("offer") };
    steps.enqueue(marketing.clone(), at(0)).await;
    steps.claim(0, 1, at(1)).await;
    assert_eq!(steps.admit(marketing, at(1)).await, Admitted::Ended(State::Suppressed));
    assert_eq!(steps.stands("offer").await, (State::Suppressed, Some(Reason::Operator)));
}

pub async fn one_job_may_try_a_hold_whose_time_is_over(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(rest(NUMBER, at(30)), at(0)).await;
    let cover = Cover::of(Scope::Template, "hello/en_US");
    let other = steps.place(HoldOrder { cover, ..rest(NUMBER, at(30)) }, at(0)).await;
    let tries = |probe| AdmitRequest { probe, ..steps.request(job("a")) };
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(0, 1, at(0)).await;
    assert_eq!(steps.ask(tries(Some(hold.id)), at(29)).await, Admitted::Parked(hold.id));
    let claimed = steps.claim(9, 9, at(30)).await;
    assert_eq!((ids(&claimed), claimed.rows[0].released), (vec!["a".to_owned()], Some(hold.id)));
    // Who tries nothing does not pass.
    assert!(matches!(steps.ask(tries(None), at(60)).await, Admitted::Parked(_)));
    assert_eq!(ids(&steps.claim(9, 9, at(60)).await), ["a"]);
    // The other hold's time is over too: if it stood in the way of this one's trial, neither would ever be lifted.
    let admission = go(steps.ask(tries(Some(hold.id)), at(60)).await);
    let settled = Settlement { lift: Some(hold.id), ..settlement(&admission, accepted(), at(61)) };
    assert_eq!(steps.settle_with(settled).await, Settled::Done);
    assert_eq!(ledger.holds().await.expect("listed"), [other]);
}

pub async fn a_trial_is_not_ended_by_another_hold_whose_time_is_over(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(rest(NUMBER, at(30)), at(0)).await;
    for cover in [Cover::of(Scope::Waba, "waba").country("44"), Cover::of(Scope::Recipient, "+447700900123")] {
        steps.place(HoldOrder { cover, effect: Effect::End, ..rest(NUMBER, at(30)) }, at(0)).await;
    }
    let tries = |name, probe| AdmitRequest { probe, ..steps.request(job(name)) };
    for name in ["tries", "tries nothing"] {
        steps.enqueue(job(name), at(0)).await;
    }
    steps.claim(0, 9, at(0)).await;
    drop(go(steps.ask(tries("tries", Some(hold.id)), at(30)).await));
    assert_eq!(steps.ask(tries("tries nothing", None), at(30)).await, Admitted::Ended(State::Suppressed));
}

pub async fn a_job_lost_five_times_is_not_tried_again(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let job = Job { on_unknown: OnUnknown::Resend, ..job("a") };
    steps.enqueue(job.clone(), at(0)).await;
    for n in 1..=5 {
        let admission = steps.start_again(job.clone(), at(n * 100)).await;
        assert_eq!(i64::from(admission.attempt()), n);
        steps.settle(&admission, unknown(at(n * 100 + 10)), at(n * 100 + 1)).await;
        ledger.sweep(at(n * 100 + 10), WAIT, 100).await.expect("swept");
    }
    assert_eq!(steps.stands("a").await, (State::Failed, Some(Reason::Poison)));
    let dead = ledger.dead_list(0, 9).await.expect("listed");
    assert_eq!(dead.len(), 1);
    let body: Job = serde_json::from_slice(&dead[0].dead.body).expect("the body is kept");
    assert_eq!(body.key, job.key);
}
