//! Holds: placed, strengthened, lifted, tried, run out.

use tidegate::hold::{Cover, Effect, HoldId, HoldOrder, Scope};
use tidegate::ledger::{LaneRoom, Ledger, Routed};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

async fn park(steps: &Steps<'_>, names: &[&str], hold: HoldId) {
    for name in names {
        steps.enqueue(job(name), at(0)).await;
    }
    let claimed = steps.claim(100, 100, at(0)).await;
    assert_eq!(ids(&claimed), names);
    let parked = claimed.rows.iter().map(|row| parking(row.key, hold)).collect();
    steps.ledger.park(parked, at(0)).await.expect("parked");
}

pub async fn holds_of_one_cover_are_one_hold(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let first = steps.place(rest(NUMBER, at(30)), at(0)).await;
    assert_eq!((first.since, first.step, first.until), (at(0), 1, Some(at(30))));
    let longer = steps.place(rest(NUMBER, at(60)), at(1)).await;
    assert_eq!((longer.id, longer.since, longer.step, longer.until), (first.id, at(0), 2, Some(at(60))));
    let shorter = steps.place(rest(NUMBER, at(40)), at(2)).await;
    assert_eq!((shorter.step, shorter.until), (3, Some(at(60))));
    let other = Cover::of(Scope::Number, NUMBER).country("44");
    assert_ne!(steps.place(order(other, Effect::Wait, None), at(3)).await.id, first.id);
    assert_eq!(ledger.holds().await.expect("listed").len(), 2);
}

pub async fn the_hold_that_lasts_longer_rules(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.place(pause(NUMBER), at(0)).await;
    let ruled = steps.place(rest(NUMBER, at(30)), at(1)).await;
    assert_eq!((ruled.until, ruled.reason, ruled.probe), (None, Reason::Operator, false));
}

pub async fn parked_rows_wait_and_are_let_out_at_the_pace_of_claims(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(pause(NUMBER), at(0)).await;
    park(&steps, &["a", "b", "c"], hold.id).await;
    assert_eq!(steps.stands("a").await, (State::Waiting, Some(Reason::Operator)));
    assert!(steps.claim(9, 9, at(1)).await.rows.is_empty());
    assert!(steps.lift(hold.id, at(2)).await);
    assert!(!steps.lift(hold.id, at(2)).await);
    assert!(ledger.holds().await.expect("listed").is_empty());
    let claimed = steps.claim(1, 1, at(3)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["a".to_owned(), "b".to_owned()], vec![true]));
    assert_eq!(claimed.rows[0].released, Some(hold.id));
    let claimed = steps.claim(1, 1, at(3)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["c".to_owned()], vec![false]));
}

pub async fn rows_let_out_are_not_starved_by_a_backlog(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(pause(NUMBER), at(0)).await;
    park(&steps, &["parked"], hold.id).await;
    for n in 0..10 {
        steps.enqueue(job(&format!("fresh {n}")), at(1)).await;
    }
    steps.lift(hold.id, at(2)).await;
    assert_eq!(ids(&steps.claim(1, 1, at(3)).await), ["parked", "fresh 0"]);
}

pub async fn rows_of_one_lane_are_let_out_however_many_holds_keep_others(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let room = |pool| LaneRoom { route: route(pool), ..room(9, 9) };
    let mut holds = Vec::new();
    for n in 0..40 {
        let hold = steps.place(pause(&format!("2{n:03}")), at(0)).await;
        let (pool, name) = if n < 30 { ("other", format!("other {n}")) } else { ("default", format!("job {n}")) };
        let row = Routed { route: route(pool), ..routed(job(&name)) };
        ledger.enqueue(vec![row], at(0)).await.expect("enqueued");
        let claimed = ledger.claim(worker(), vec![room(pool)], at(0)).await.expect("claimed");
        ledger.park(vec![parking(claimed.rows[0].key, hold.id)], at(0)).await.expect("parked");
        holds.push(hold.id);
    }
    for hold in holds {
        steps.lift(hold, at(0)).await;
    }
    let claimed = steps.claim(2, 4, at(1)).await;
    assert_eq!((claimed.rows.len(), claimed.more), (6, vec![true]));
    let claimed = steps.claim(0, 4, at(1)).await;
    assert_eq!((claimed.rows.len(), claimed.more), (4, vec![false]));
    let mut others = 0;
    while others < 30 {
        let claimed = ledger.claim(worker(), vec![room("other")], at(1)).await.expect("claimed");
        assert!(!claimed.rows.is_empty());
        others += claimed.rows.len();
        assert_eq!(claimed.more, [others < 30]);
    }
}

pub async fn a_lifted_hold_can_be_placed_again_over_its_rows(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.place(rest(NUMBER, at(30)), at(0)).await;
    let hold = steps.place(rest(NUMBER, at(30)), at(0)).await;
    assert_eq!(hold.step, 2);
    park(&steps, &["a", "b"], hold.id).await;
    steps.lift(hold.id, at(1)).await;
    assert_eq!(ids(&steps.claim(1, 0, at(1)).await), ["a"]);
    let again = steps.place(pause(NUMBER), at(2)).await;
    assert_eq!((again.id, again.step, again.since, again.until), (hold.id, 1, at(2), None));
    assert!(steps.claim(9, 9, at(3)).await.rows.is_empty());
    assert_eq!(steps.show("b").await.hold.map(|hold| hold.id), Some(again.id));
}

pub async fn parking_under_a_hold_that_is_gone_leaves_the_row_in_line(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    park(&steps, &["a"], HoldId(4_711)).await;
    assert_eq!(steps.stands("a").await, (State::Queued, None));
    assert_eq!(ids(&steps.claim(9, 9, at(1)).await), ["a"]);
}

pub async fn one_parked_row_comes_out_to_try_a_hold_whose_time_is_over(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(rest(NUMBER, at(30)), at(0)).await;
    park(&steps, &["a", "b"], hold.id).await;
    let early = steps.claim(9, 9, at(29)).await;
    assert_eq!((early.rows.len(), early.let_out_at), (0, Some(at(30))));
    let claimed = steps.claim(9, 9, at(30)).await;
    assert_eq!((ids(&claimed), claimed.rows[0].released), (vec!["a".to_owned()], Some(hold.id)));
    assert!(steps.claim(9, 9, at(31)).await.rows.is_empty());
    // It did not come through: the hold is placed again, and tried again at its new end.
    ledger.park(vec![parking(job("a").key, hold.id)], at(31)).await.expect("parked");
    steps.place(rest(NUMBER, at(90)), at(31)).await;
    assert!(steps.claim(9, 9, at(89)).await.rows.is_empty());
    assert_eq!(steps.claim(9, 9, at(90)).await.rows.len(), 1);
}

pub async fn a_trial_that_comes_to_nothing_is_given_to_another_row(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(rest(NUMBER, at(30)), at(0)).await;
    park(&steps, &["a", "b"], hold.id).await;
    assert_eq!(ids(&steps.claim(9, 9, at(30)).await), ["a"]);
    assert!(steps.claim(9, 9, at(40)).await.rows.is_empty());
    assert_eq!(ids(&steps.claim(9, 9, at(60)).await), ["b"]);
}

pub async fn a_hold_that_needs_no_trial_runs_out_by_itself(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let until = HoldOrder { until: Some(at(30)), ..pause(NUMBER) };
    let hold = steps.place(until.clone(), at(0)).await;
    park(&steps, &["a"], hold.id).await;
    let claimed = steps.claim(9, 9, at(29)).await;
    assert_eq!((claimed.rows.len(), claimed.let_out_at), (0, Some(at(30))));
    assert_eq!(ids(&steps.claim(9, 9, at(30)).await), ["a"]);
    assert!(ledger.holds().await.expect("listed").is_empty());
    steps.place(until, at(0)).await;
    assert_eq!(ledger.sweep(at(30), WAIT, 100).await.expect("swept").lifted, 1);
    assert!(ledger.holds().await.expect("listed").is_empty());
}

pub async fn recipients_holds_are_listed_for_people_only(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let opted_out = steps.place(order(Cover::of(Scope::Recipient, "+4915112345678"), Effect::End, None), at(0)).await;
    let paused = steps.place(pause(NUMBER), at(1)).await;
    assert_eq!(ledger.holds().await.expect("listed"), std::slice::from_ref(&paused));
    assert_eq!(ledger.holds_list(10).await.expect("listed"), [paused.clone(), opted_out]);
    assert_eq!(ledger.holds_list(1).await.expect("listed"), [paused]);
}

pub async fn who_waits_for_signals_hears_of_rows_and_holds(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let mut signals = ledger.signals();
    let before = *signals.borrow_and_update();
    steps.enqueue(job("a"), at(0)).await;
    hear(&mut signals, |signal| signal.work > before.work).await;
    let enqueued = *signals.borrow_and_update();
    let hold = steps.place(pause(NUMBER), at(1)).await;
    hear(&mut signals, |signal| signal.holds > enqueued.holds).await;
    let placed = *signals.borrow_and_update();
    steps.lift(hold.id, at(2)).await;
    hear(&mut signals, |signal| signal.holds > placed.holds && signal.work > placed.work).await;
}
