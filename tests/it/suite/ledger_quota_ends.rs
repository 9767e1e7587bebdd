//! Places of a messaging limit that are given back, kept, moved and forgotten.

use tidegate::hold::{Cover, Effect, Scope};
use tidegate::job::Job;
use tidegate::ledger::{AdmitRequest, Admitted, Cancelled, Deferral, Fate, Heard, Resolution, Settled, StatusNews};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::places::*;
use super::told::*;

fn refused() -> Fate {
    let (state, reason, details) = (State::Failed, Reason::NotOnWhatsapp, String::new());
    Fate::End { state, reason, code: Some(131_026), details }
}

async fn rows(bench: &Bench) -> (i64, i64) {
    (bench.count("SELECT count(*) FROM seen").await, bench.count("SELECT count(*) FROM bucket").await)
}

pub async fn what_did_not_leave_gives_its_place_back(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let parked = Fate::Park { reason: Reason::Failing, code: None };
    for (n, fate) in [(1, retry(at(60))), (2, parked), (3, refused())] {
        let admission = begin(&steps, letter(&format!("to {n}"), n), 0).await;
        assert_eq!(taken(&bench, 0).await, 1);
        assert_eq!(steps.settle(&admission, fate, at(1)).await, Settled::Done);
        assert_eq!(rows(&bench).await, (0, 0), "letter to {n}");
    }
}

pub async fn what_may_have_left_keeps_its_place(bench: &Bench) {
    let bench = bench.giving_places(limit(4)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("accepted", 1), 0).await;
    for (name, n) in [("left", 2), ("was sent", 3)] {
        let admission = begin(&steps, letter(name, n), 0).await;
        steps.settle(&admission, unknown(at(60)), at(1)).await;
    }
    drop(begin(&steps, letter("never answered", 4), 0).await);
    assert!(bench.resolve(named("was sent"), Resolution::Sent, at(2)).await.expect("resolved"));
    for now in [TAKES, HOUR, 2 * HOUR] {
        bench.sweep(at(now), WAIT, 100).await.expect("swept");
    }
    for name in ["left", "never answered"] {
        assert_eq!(steps.stands(name).await.0, State::Unresolved);
    }
    assert_eq!(taken(&bench, 2 * HOUR).await, 4);
    assert_eq!(rows(&bench).await, (4, 1));
}

pub async fn a_place_that_another_message_needs_is_kept(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    // Of one person the later message fails, of the other the earlier one.
    send(&steps, letter("early", 1), 0).await;
    let early = begin(&steps, letter("early too", 2), 0).await;
    let late = begin(&steps, letter("late", 1), HOUR).await;
    send(&steps, letter("late too", 2), HOUR).await;
    steps.settle(&late, refused(), at(HOUR)).await;
    steps.settle(&early, refused(), at(HOUR)).await;
    assert_eq!(taken(&bench, HOUR).await, 2);
    assert_eq!(taken(&bench, DAY + 59).await, 2);
    assert_eq!(taken(&bench, DAY + 60).await, 1);
    assert_eq!(taken(&bench, DAY + HOUR + 59).await, 1);
    assert_eq!(taken(&bench, DAY + HOUR + 60).await, 0);
    assert_eq!(rows(&bench).await, (2, 2));
}

pub async fn an_attempt_without_outcome_keeps_its_place_when_a_later_one_fails(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    // A late answer is an outcome: this one did not leave.
    let admission = begin(&steps, letter("late", 1), 0).await;
    steps.settle(&admission, unknown(at(60)), at(1)).await;
    assert_eq!(taken(&bench, 1).await, 1);
    steps.settle(&admission, retry(at(HOUR)), at(2)).await;
    assert_eq!(taken(&bench, 2).await, 0);
    // Of these nobody knows whether the first attempt arrived.
    for (name, n, fate) in [("again", 2, retry(at(HOUR))), ("refused", 3, refused())] {
        let admission = begin(&steps, letter(name, n), 3).await;
        steps.settle_with(of_delivered(letter(name, n), settlement(&admission, unknown(at(60)), at(3)))).await;
        assert!(bench.resolve(named(name), Resolution::Resend, at(4)).await.expect("resolved"));
        assert_eq!(ids(&steps.claim(9, 9, at(4)).await), [name]);
        let admission = go(ask_claimed(&steps, letter(name, n), 4).await);
        steps.settle(&admission, fate, at(5)).await;
    }
    assert_eq!(taken(&bench, 5).await, 2);
}

pub async fn a_message_that_failed_later_gives_its_place_back(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("accepted", 1), 0).await;
    drop(begin(&steps, letter("sending", 2), 0).await);
    assert_eq!(taken(&bench, 0).await, 2);
    tell(&bench, status(job("accepted").key, Heard::Sent, at(1))).await;
    assert_eq!(taken(&bench, 1).await, 2);
    for name in ["accepted", "sending"] {
        tell(&bench, status(job(name).key, undeliverable(), at(2))).await;
        assert_eq!(steps.stands(name).await.0, State::Failed);
    }
    assert_eq!(rows(&bench).await, (0, 0));
    // Told twice it gives nothing back that is not its own.
    send(&steps, letter("another", 1), 3).await;
    tell(&bench, status(job("accepted").key, undeliverable(), at(4))).await;
    assert_eq!(taken(&bench, 4).await, 1);
}

pub async fn a_lost_message_that_is_found_and_fails_gives_its_place_back(bench: &Bench) {
    let bench = bench.giving_places(limit(6)).await;
    let steps = Steps::new(&bench).await;
    let names = ["lost", "sent", "left", "left and sent", "late", "by hand"];
    for (n, name) in (1..).zip(names) {
        let admission = begin(&steps, letter(name, n), 0).await;
        steps.settle(&admission, unknown(at(60)), at(1)).await;
        if name == "late" {
            steps.settle(&admission, accepted(), at(2)).await;
        }
    }
    for (name, resolution) in
        [("left", Resolution::Leave), ("left and sent", Resolution::Leave), ("by hand", Resolution::Sent)]
    {
        assert!(bench.resolve(named(name), resolution, at(2)).await.expect("resolved"));
    }
    for name in ["sent", "left and sent"] {
        tell(&bench, status(job(name).key, Heard::Sent, at(3))).await;
        assert_eq!(steps.stands(name).await.0, State::Sent);
    }
    assert_eq!(taken(&bench, 3).await, 6);
    for (left, name) in (0..6).rev().zip(names) {
        tell(&bench, status(job(name).key, undeliverable(), at(4))).await;
        assert_eq!((steps.stands(name).await.0, taken(&bench, 4).await), (State::Failed, left), "{name}");
    }
    assert_eq!(rows(&bench).await, (0, 0));
}

pub async fn a_message_that_fails_keeps_its_place_for_a_lost_one_before_it(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    let names = ["never found", "the second was sent", "the first was sent"];
    for (n, name) in (1..).zip(names) {
        let admission = begin(&steps, letter(name, n), 0).await;
        steps.settle_with(of_delivered(letter(name, n), settlement(&admission, unknown(at(60)), at(1)))).await;
        assert!(bench.resolve(named(name), Resolution::Resend, at(2)).await.expect("resolved"));
        assert_eq!(ids(&steps.claim(9, 9, at(2)).await), [name]);
        let admission = go(ask_claimed(&steps, letter(name, n), 2).await);
        steps.settle(&admission, unknown(at(60)), at(3)).await;
    }
    let second = |name, heard, now| StatusNews { attempt: 2, ..status(job(name).key, heard, at(now)) };
    tell(&bench, second("the second was sent", Heard::Sent, 4)).await;
    tell(&bench, status(job("the first was sent").key, Heard::Sent, at(4))).await;
    for name in names {
        tell(&bench, second(name, undeliverable(), 5)).await;
        assert_eq!(steps.stands(name).await.0, State::Failed);
    }
    assert_eq!(taken(&bench, 5).await, 3);
}

pub async fn a_delivery_moves_the_place_to_its_time(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("soon", 1), 0).await;
    send(&steps, letter("late", 2), 0).await;
    tell(&bench, status(job("soon").key, Heard::Delivered, at(12 * HOUR))).await;
    // One that was told later than it happened does not go back.
    tell(&bench, status(job("soon").key, Heard::Delivered, at(2))).await;
    assert_eq!(taken(&bench, 12 * HOUR).await, 2);
    assert_eq!(taken(&bench, DAY + 60).await, 1);
    assert_eq!(taken(&bench, DAY + 12 * HOUR + 59).await, 1);
    assert_eq!(taken(&bench, DAY + 12 * HOUR + 60).await, 0);
    // The phone was off for longer than a place lasts: it counts from now.
    tell(&bench, status(job("late").key, Heard::Delivered, at(DAY + HOUR))).await;
    assert_eq!(taken(&bench, DAY + HOUR).await, 2);
    assert_eq!(taken(&bench, 2 * DAY).await, 1);
}

pub async fn whoever_ends_a_job_gives_its_place_back(bench: &Bench) {
    let bench = bench.giving_places(limit(4)).await;
    let steps = Steps::new(&bench).await;
    for n in 0..4 {
        send(&steps, letter(&format!("sent {n}"), n), 0).await;
    }
    let short = Job { expires_at: at(DAY + 600), ..letter("expired", 14) };
    for letter in [letter("cancelled", 11), letter("failed", 12), letter("suppressed", 13), short] {
        park(&steps, letter, 1).await;
    }
    let now = DAY + 60;
    let claimed = steps.claim(9, 9, at(now)).await;
    assert_eq!(ids(&claimed), ["cancelled", "failed", "suppressed", "expired"]);
    assert_eq!(taken(&bench, now).await, 4);
    let cancelled = bench.cancel(vec![named("cancelled")], Unseen::Refuse, at(now)).await.expect("answered");
    assert_eq!((cancelled, taken(&bench, now).await), (vec![Cancelled::Done], 3));
    let unfit = AdmitRequest { unfit: Some(Reason::WindowClosed), ..steps.request(letter("failed", 12)) };
    assert_eq!(steps.ask(unfit, at(now)).await, Admitted::Ended(State::Failed));
    assert_eq!(taken(&bench, now).await, 2);
    steps.place(order(Cover::of(Scope::Recipient, person(13)), Effect::End, None), at(now)).await;
    assert_eq!(ask_claimed(&steps, letter("suppressed", 13), now).await, Admitted::Ended(State::Suppressed));
    assert_eq!(taken(&bench, now).await, 1);
    let key = job("expired").key;
    let later = Deferral { key, due: at(now + 900), reason: Reason::PairLimit, delivered: None };
    bench.defer(vec![later], at(now)).await.expect("deferred");
    assert_eq!(taken(&bench, now).await, 1);
    assert_eq!(bench.sweep(at(now + 900), WAIT, 100).await.expect("swept").expired, 1);
    assert_eq!(taken(&bench, now + 900).await, 0);
}

pub async fn places_given_back_are_told_to_who_waits(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let admission = begin(&steps, letter("refused", 1), 0).await;
    for n in 2..=3 {
        park(&steps, letter(&format!("waits {n}"), n), 0).await;
    }
    let mut signals = bench.signals();
    let before = *signals.borrow_and_update();
    steps.settle(&admission, refused(), at(1)).await;
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(1)).await), ["waits 2"]);
    let admission = go(ask_claimed(&steps, letter("waits 2", 2), 1).await);
    steps.settle(&admission, accepted(), at(2)).await;
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
    let before = *signals.borrow_and_update();
    tell(&bench, status(job("waits 2").key, undeliverable(), at(3))).await;
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["waits 3"]);
}

pub async fn a_place_that_is_not_needed_is_told_to_who_waits(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    for n in 2..=3 {
        park(&steps, letter(&format!("waits {n}"), n), 0).await;
    }
    let now = DAY + 60;
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["waits 2"]);
    // Who was to have the place writes themselves.
    open(&bench, vec![wrote(&person(2), NUMBER, at(now))], at(now)).await;
    let before = bench.signals().borrow().work;
    drop(go(ask_claimed(&steps, letter("waits 2", 2), now).await));
    // At once: a look every so often would find out late.
    assert!(bench.signals().borrow().work > before);
    assert_eq!(taken(&bench, now).await, 0);
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["waits 3"]);
}

pub async fn a_forgotten_person_is_counted_still(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    send(&steps, letter("another's", 2), 0).await;
    bench.erase(person(1), at(1)).await.expect("erased");
    assert_eq!(rows(&bench).await, (1, 1));
    assert_eq!(taken(&bench, 1).await, 2);
    park(&steps, letter("too many", 3), 1).await;
    assert_eq!(taken(&bench, DAY + 60).await, 0);
}

pub async fn places_that_are_over_are_forgotten_a_few_at_a_time(bench: &Bench) {
    let bench = bench.giving_places(limit(9)).await;
    let steps = Steps::new(&bench).await;
    for n in 0..3 {
        send(&steps, letter(&format!("early {n}"), n), 0).await;
    }
    send(&steps, letter("late", 9), HOUR).await;
    for (now, left) in [(DAY + 59, 4), (DAY + 60, 2), (DAY + 60, 1), (DAY + 60, 1)] {
        bench.sweep(at(now), WAIT, 2).await.expect("swept");
        assert_eq!(rows(&bench).await.0, left);
    }
    assert_eq!(rows(&bench).await, (1, 1));
    assert_eq!(taken(&bench, DAY + 60).await, 1);
}
