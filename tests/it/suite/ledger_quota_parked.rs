//! Jobs that wait for a place of a messaging limit, and how they come out.

use tidegate::job::{Job, Priority};
use tidegate::ledger::{AdmitRequest, Admitted, LaneRoom, MessagingLimit, QuotaRules, Routed};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::places::*;

pub async fn parked_jobs_come_out_as_places_are_freed(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("first", 1), 0).await;
    send(&steps, letter("second", 2), HOUR).await;
    let mut hold = None;
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        let n = u32::try_from(n).expect("small");
        hold = Some(park(&steps, letter(name, 11 + n), 2 * HOUR + i64::from(n)).await);
    }
    for now in [2 * HOUR + 9, DAY + 59] {
        let claimed = steps.claim(9, 9, at(now)).await;
        assert_eq!((claimed.rows.len(), claimed.more), (0, vec![false]));
        assert_eq!(claimed.let_out_at, Some(at(DAY + 60)));
    }
    let claimed = steps.claim(9, 9, at(DAY + 60)).await;
    assert_eq!((ids(&claimed), &claimed.more), (vec!["a".to_owned()], &vec![false]));
    assert_eq!((claimed.rows[0].released, claimed.rows[0].due_at), (hold, None));
    assert_eq!(claimed.let_out_at, Some(at(DAY + HOUR + 60)));
    assert_eq!(quota(&bench, DAY + 60).await.map(|row| (row.taken, row.parked)), Some((2, 2)));
    assert_eq!(ids(&steps.claim(9, 9, at(DAY + HOUR + 60)).await), ["b"]);
    for (name, n) in [("a", 11), ("b", 12)] {
        drop(go(ask_claimed(&steps, letter(name, n), DAY + HOUR + 60).await));
    }
    assert_eq!(steps.stands("c").await, (State::Waiting, Some(Reason::MessagingLimit)));
}

pub async fn the_most_urgent_come_out_first(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, letter("normal", 11), 1).await;
    park(&steps, with(Priority::Urgent, letter("urgent", 12)), 2).await;
    park(&steps, with(Priority::High, letter("high", 13)), 1).await;
    let lanes = || [Priority::Normal, Priority::High, Priority::Urgent].map(|priority| lane(priority, 9, 9)).to_vec();
    let now = DAY + 60;
    let claimed = bench.claim(steps.worker, lanes(), at(now)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.more), (vec!["urgent".to_owned()], vec![false; 3]));
    let now = 2 * DAY + 120;
    assert_eq!(claimed.let_out_at, Some(at(now)));
    let claimed = bench.claim(steps.worker, lanes(), at(now)).await.expect("claimed");
    assert_eq!(ids(&claimed), ["high"]);
}

pub async fn a_row_let_out_has_its_place(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, letter("first", 2), 1).await;
    let now = DAY + 60;
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["first"]);
    // Nobody takes it, also while nobody has the row.
    park(&steps, letter("another", 3), now).await;
    bench.give_back(steps.worker, vec![job("first").key]).await.expect("given back");
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["first"]);
    drop(go(ask_claimed(&steps, letter("first", 2), now + 60).await));
    assert_eq!(taken(&bench, now + 60).await, 1);
    // The place lasts from when it may have arrived.
    assert_eq!(taken(&bench, now + DAY + 119).await, 1);
    assert_eq!(taken(&bench, now + DAY + 120).await, 0);
}

pub async fn the_reserve_stays_when_rows_are_let_out(bench: &Bench) {
    let bench = bench.giving_places(QuotaRules { reserve: 0.5, ..limit(2) }).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, letter("normal", 11), 1).await;
    park(&steps, with(Priority::Bulk, letter("bulk", 12)), 1).await;
    let claimed = steps.claim(9, 9, at(2)).await;
    assert_eq!((claimed.rows.len(), claimed.let_out_at), (0, Some(at(DAY + 60))));
    let lanes = vec![lane(Priority::Bulk, 9, 9), lane(Priority::Normal, 9, 9)];
    let claimed = bench.claim(steps.worker, lanes, at(DAY + 60)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.more), (vec!["normal".to_owned()], vec![false, false]));
    drop(go(ask(&steps, with(Priority::High, letter("high", 13)), DAY + 60).await));
    park(&steps, with(Priority::Urgent, letter("urgent", 14)), DAY + 60).await;
}

pub async fn parked_rows_use_the_room_that_is_left(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    for n in 0..3 {
        send(&steps, letter(&format!("sent {n}"), n), 0).await;
    }
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        park(&steps, letter(name, n), 1).await;
    }
    for n in 0..3 {
        steps.enqueue(letter(&format!("fresh {n}"), 20 + n), at(2)).await;
    }
    let claimed = steps.claim(1, 1, at(DAY + 60)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["a".to_owned(), "fresh 0".to_owned()], vec![true]));
    let claimed = steps.claim(1, 3, at(DAY + 60)).await;
    assert_eq!(
        (ids(&claimed), claimed.more),
        (["b", "fresh 1", "fresh 2", "c"].map(str::to_owned).to_vec(), vec![false])
    );
    assert_eq!(taken(&bench, DAY + 60).await, 3);
}

pub async fn where_another_portfolio_has_places_nobody_waits_for_those_of_the_first(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        park(&steps, letter(name, n), 1).await;
    }
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), [""; 0]);
    let elsewhere = |fresh| vec![LaneRoom { has_places: true, ..room(0, fresh) }];
    let claimed = bench.claim(steps.worker, elsewhere(2), at(3)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.more), (["a", "b"].map(str::to_owned).to_vec(), vec![true]));
    let claimed = bench.claim(steps.worker, elsewhere(2), at(3)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.more), (["c"].map(str::to_owned).to_vec(), vec![false]));
    // They took none of its places, and find none where they go by it after all.
    assert_eq!(taken(&bench, 3).await, 1);
    assert!(matches!(ask_claimed(&steps, letter("c", 13), 4).await, Admitted::Parked(_)));
}

pub async fn a_raised_limit_lets_out_as_many_more(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        park(&steps, letter(name, n), 1).await;
    }
    let mut signals = bench.signals();
    let before = *signals.borrow_and_update();
    say_limit(&bench, MessagingLimit::Of(3), 2).await;
    hear(&mut signals, |signal| signal.work > before.work).await;
    let claimed = steps.claim(9, 9, at(2)).await;
    assert_eq!((ids(&claimed), claimed.let_out_at), (vec!["a".to_owned(), "b".to_owned()], Some(at(DAY + 60))));
    assert_eq!(quota(&bench, 2).await.map(|row| (row.limit, row.taken, row.parked)), Some((Some(3), 3, 1)));
    say_limit(&bench, MessagingLimit::Of(5), 3).await;
    drop(go(ask(&steps, with(Priority::Urgent, letter("fresh", 4)), 3).await));
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["c"]);
}

pub async fn a_limit_that_is_gone_lets_out_all_at_the_pace_of_claims(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        park(&steps, letter(name, n), 1).await;
    }
    say_limit(&bench, MessagingLimit::Unlimited, 2).await;
    let claimed = steps.claim(1, 1, at(2)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["a".to_owned(), "b".to_owned()], vec![true]));
    let claimed = steps.claim(1, 1, at(2)).await;
    assert_eq!((ids(&claimed), claimed.more, claimed.let_out_at), (vec!["c".to_owned()], vec![false], None));
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        drop(go(ask_claimed(&steps, letter(name, n), 3).await));
    }
    assert_eq!(quota(&bench, 3).await.map(|row| (row.limit, row.taken, row.parked)), Some((None, 1, 0)));
    assert_eq!(bench.sweep(at(4), WAIT, 100).await.expect("swept").lifted, 1);
    assert!(bench.holds().await.expect("listed").is_empty());
}

pub async fn a_limit_below_the_count_lets_nobody_go(bench: &Bench) {
    let bench = bench.giving_places(limit(5)).await;
    let steps = Steps::new(&bench).await;
    for n in 0..3 {
        send(&steps, letter(&format!("sent {n}"), n), 0).await;
    }
    say_limit(&bench, MessagingLimit::Of(2), 1).await;
    for (name, n) in [("a", 11), ("b", 12), ("c", 13)] {
        park(&steps, letter(name, n), 2).await;
    }
    // Who has a place keeps it.
    send(&steps, letter("again", 1), 2).await;
    assert!(steps.claim(9, 9, at(3)).await.rows.is_empty());
    assert_eq!(quota(&bench, 3).await.map(|row| (row.limit, row.taken, row.parked)), Some((Some(2), 3, 3)));
    assert_eq!(ids(&steps.claim(9, 9, at(DAY + 60)).await), ["a", "b"]);
}

pub async fn a_parked_row_out_of_time_ends(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, Job { expires_at: at(DAY + 10), ..letter("short", 11) }, 1).await;
    park(&steps, letter("long", 12), 2).await;
    assert_eq!(ids(&steps.claim(9, 9, at(DAY + 60)).await), ["long"]);
    assert_eq!(steps.stands("short").await, (State::Expired, Some(Reason::TooLate)));
    assert_eq!(taken(&bench, DAY + 60).await, 1);
}

pub async fn the_sweep_lifts_a_hold_that_nobody_waits_under(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let lifted = async |now| bench.sweep(at(now), WAIT, 100).await.expect("swept").lifted;
    send(&steps, letter("sent", 1), 0).await;
    park(&steps, letter("parked", 2), 1).await;
    assert_eq!(lifted(2).await, 0);
    // There is a place, but one waits for it; then it has it.
    let now = DAY + 60;
    assert_eq!(lifted(now).await, 0);
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["parked"]);
    assert_eq!(lifted(now).await, 0);
    let admission = go(ask_claimed(&steps, letter("parked", 2), now).await);
    assert_eq!(bench.holds().await.expect("listed").len(), 1);
    steps.settle(&admission, retry(at(now + HOUR)), at(now + 1)).await;
    assert_eq!(lifted(now + 2).await, 1);
    assert!(bench.holds().await.expect("listed").is_empty());
    send(&steps, letter("next", 3), now + 3).await;
    park(&steps, letter("over", 4), now + 3).await;
    assert_eq!(bench.holds().await.expect("listed").len(), 1);
}

pub async fn the_sweep_lifts_a_hold_whose_rows_nobody_asks_for(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    let lifted = async |now| bench.sweep(at(now), WAIT, 100).await.expect("swept").lifted;
    let bound =
        |request| AdmitRequest { routed: Routed { route: pinned(NUMBER), ..routed(letter("bound", 9)) }, ..request };
    let early = begin(&steps, letter("early", 1), 0).await;
    send(&steps, letter("late", 2), HOUR).await;
    let answer = steps.ask(bound(timely(steps.delivery(letter("bound", 9)), HOUR)), at(HOUR)).await;
    let Admitted::Parked(hold) = answer else { panic!("not parked: {answer:?}") };
    // One place for one that waits: it may come for it.
    steps.settle(&early, retry(at(9 * DAY)), at(HOUR)).await;
    assert_eq!(lifted(HOUR).await, 0);
    assert_eq!(lifted(DAY + HOUR + 60).await, 1);
    assert!(bench.holds().await.expect("listed").is_empty());
    // Others take the places. What comes out then finds none, and waits with those for whom there are none.
    let now = DAY + HOUR + 60;
    for n in 3..=4 {
        send(&steps, letter(&format!("next {n}"), n), now).await;
    }
    let lane = || vec![LaneRoom { route: pinned(NUMBER), ..room(9, 9) }, room(9, 9)];
    let claimed = bench.claim(steps.worker, lane(), at(now)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.rows[0].released), (vec!["bound".to_owned()], Some(hold)));
    let answer = steps.ask(bound(timely(steps.request(letter("bound", 9)), now)), at(now)).await;
    let Admitted::Parked(anew) = answer else { panic!("not parked: {answer:?}") };
    assert_eq!(park(&steps, letter("over", 5), now).await, anew);
    assert_eq!(quota(&bench, now).await.map(|row| (row.taken, row.parked)), Some((2, 2)));
    assert_eq!(lifted(now).await, 0);
    let now = now + DAY + 120;
    let claimed = bench.claim(steps.worker, lane(), at(now)).await.expect("claimed");
    assert_eq!(ids(&claimed), ["bound", "over"]);
    assert_eq!(taken(&bench, now).await, 2);
}

pub async fn a_hold_that_was_lifted_stands_again_over_rows_that_nobody_asked_for(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    let urgent = || with(Priority::Urgent, letter("parked", 9));
    for n in 1..=2 {
        send(&steps, letter(&format!("sent {n}"), n), 0).await;
    }
    park(&steps, urgent(), 1).await;
    let now = DAY + 60;
    assert_eq!(bench.sweep(at(now), WAIT, 100).await.expect("swept").lifted, 1);
    send(&steps, letter("next 3", 3), now).await;
    send(&steps, letter("next 4", 4), now + HOUR).await;
    let hold = park(&steps, letter("over", 5), now + HOUR).await;
    let standing = bench.holds().await.expect("listed");
    assert_eq!(standing.iter().map(|hold| hold.id).collect::<Vec<_>>(), [hold]);
    // Those that wait come out as there are places, the most urgent first.
    let lanes = || vec![room(9, 9), lane(Priority::Urgent, 9, 9)];
    let now = 2 * DAY + 120;
    let claimed = bench.claim(steps.worker, lanes(), at(now)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.rows[0].released), (vec!["parked".to_owned()], Some(hold)));
    drop(go(ask_claimed(&steps, urgent(), now).await));
    assert_eq!(taken(&bench, now).await, 2);
}

pub async fn the_sweep_lifts_a_hold_whose_limit_is_gone(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("sent", 1), 0).await;
    for (name, n) in [("a", 11), ("b", 12)] {
        park(&steps, letter(name, n), 1).await;
    }
    say_limit(&bench, MessagingLimit::Unlimited, 2).await;
    assert_eq!(bench.sweep(at(2), WAIT, 100).await.expect("swept").lifted, 1);
    assert!(bench.holds().await.expect("listed").is_empty());
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["a", "b"]);
    for (name, n) in [("a", 11), ("b", 12)] {
        drop(go(ask_claimed(&steps, letter(name, n), 3).await));
    }
}
