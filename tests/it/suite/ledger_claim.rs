//! Waiting rows into a worker's hands, and back.

use tidegate::job::{Job, JobKey, Priority};
use tidegate::ledger::{LaneRoom, Ledger, Routed};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

async fn publish(steps: &Steps<'_>, names: &[&str]) {
    for name in names {
        steps.enqueue(job(name), at(0)).await;
    }
}

fn keys(names: &[&str]) -> Vec<JobKey> {
    names.iter().map(|name| job(name).key).collect()
}

pub async fn fresh_rows_come_in_order_of_publishing_and_once(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["a", "b", "c"]).await;
    let claimed = steps.claim(0, 2, at(1)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["a".to_owned(), "b".to_owned()], vec![true]));
    let claimed = steps.claim(0, 2, at(1)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["c".to_owned()], vec![false]));
    assert_eq!(claimed.rows[0].due_at, None);
    assert!(steps.claim(9, 9, at(1)).await.rows.is_empty());
}

pub async fn rows_that_are_due_come_before_fresh_ones(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["fresh", "second", "first"]).await;
    steps.claim(0, 9, at(1)).await;
    let due = put_off;
    ledger.defer(vec![due("second", at(20)), due("first", at(10))], at(2)).await.expect("deferred");
    ledger.give_back(worker(), keys(&["fresh"])).await.expect("given back");
    let claimed = steps.claim(9, 9, at(30)).await;
    assert_eq!(ids(&claimed), ["first", "second", "fresh"]);
    assert_eq!(claimed.rows[0].due_at, Some(at(10)));
}

pub async fn a_deferral_says_why_and_leaves_its_trail(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["a"]).await;
    steps.claim(0, 1, at(1)).await;
    ledger.defer(vec![put_off("a", at(10))], at(2)).await.expect("deferred");
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.due_at), (State::Waiting, Some(Reason::NumberBusy), Some(at(10))));
    let trail = ledger.trail(job("a").key).await.expect("read");
    let entries: Vec<_> = trail.iter().map(|entry| (entry.n, entry.at, entry.reason, entry.until)).collect();
    assert_eq!(entries, [(1, at(2), Reason::NumberBusy, Some(at(10)))]);
}

pub async fn room_of_one_kind_is_not_used_by_the_other(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["fresh", "timed", "timed too"]).await;
    steps.claim(0, 9, at(1)).await;
    let due = |name| put_off(name, at(2));
    ledger.defer(vec![due("timed"), due("timed too")], at(1)).await.expect("deferred");
    ledger.give_back(worker(), keys(&["fresh"])).await.expect("given back");
    let claimed = steps.claim(1, 0, at(3)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["timed".to_owned()], vec![true]));
    let claimed = steps.claim(0, 1, at(3)).await;
    // The other timed row is left, but nobody has room for it.
    assert_eq!((ids(&claimed), claimed.more), (vec!["fresh".to_owned()], vec![false]));
    assert_eq!(ids(&steps.claim(1, 1, at(3)).await), ["timed too"]);
}

pub async fn a_row_given_back_keeps_its_place(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["a", "b", "c"]).await;
    steps.claim(0, 2, at(1)).await;
    ledger.give_back(worker(), keys(&["a"])).await.expect("given back");
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), ["a", "c"]);
}

pub async fn lanes_keep_to_themselves(ledger: &Ledger) {
    let bulk = Job { priority: Priority::Bulk, ..job("bulk") };
    let rows = [(job("plain"), route("default")), (bulk, route("default")), (job("other"), route("other"))];
    let mut rows: Vec<Routed> = rows.into_iter().map(|(job, route)| Routed { job: job.into(), route }).collect();
    rows.push(Routed { job: job("pinned").into(), route: pinned("77") });
    ledger.enqueue(rows, at(0)).await.expect("enqueued");
    let room = |route, priority| LaneRoom { route, priority, timed: 9, fresh: 9, has_places: false };
    for (name, room) in [
        ("bulk", room(route("default"), Priority::Bulk)),
        ("pinned", room(pinned("77"), Priority::Normal)),
        ("other", room(route("other"), Priority::Normal)),
        ("plain", room(route("default"), Priority::Normal)),
    ] {
        let claimed = ledger.claim(worker(), vec![room.clone()], at(1)).await.expect("claimed");
        assert_eq!(ids(&claimed), [name]);
        assert_eq!((&claimed.rows[0].route, claimed.rows[0].priority), (&room.route, room.priority));
    }
    let nowhere = room(route("nowhere"), Priority::Normal);
    let claimed = ledger.claim(worker(), vec![nowhere], at(1)).await.expect("claimed");
    assert_eq!((claimed.rows.len(), claimed.more), (0, vec![false]));
}

pub async fn several_lanes_are_answered_in_one_claim(ledger: &Ledger) {
    let urgent = Job { priority: Priority::Urgent, ..job("urgent") };
    let rows = vec![routed(job("a")), routed(urgent), routed(job("b"))];
    ledger.enqueue(rows, at(0)).await.expect("enqueued");
    let room = |priority, fresh| LaneRoom { priority, ..room(9, fresh) };
    let rooms = vec![room(Priority::Urgent, 9), room(Priority::Normal, 1), room(Priority::Bulk, 9)];
    let claimed = ledger.claim(worker(), rooms, at(1)).await.expect("claimed");
    assert_eq!((ids(&claimed), claimed.more), (vec!["urgent".to_owned(), "a".to_owned()], vec![false, true, false]));
}

pub async fn a_row_out_of_time_ends_instead_of_being_claimed(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(Job { expires_at: at(10), ..job("old") }, at(0)).await;
    steps.enqueue(job("good"), at(0)).await;
    assert_eq!(ids(&steps.claim(9, 9, at(10)).await), ["good"]);
    assert_eq!(steps.stands("old").await, (State::Expired, Some(Reason::TooLate)));
    assert_eq!(steps.show("old").await.ended_at, Some(at(10)));
}

pub async fn rows_behind_others_out_of_time_are_found(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let old = |n: usize| Job { expires_at: at(10), ..job(&format!("old {n}")) };
    for n in 0..3 {
        steps.enqueue(old(n), at(0)).await;
    }
    publish(&steps, &["fresh", "due"]).await;
    let later = |name| put_off(name, at(5));
    steps.claim(0, 9, at(1)).await;
    ledger.defer(vec![later("old 0"), later("old 1"), later("due")], at(1)).await.expect("deferred");
    ledger.give_back(worker(), keys(&["old 2", "fresh"])).await.expect("given back");
    assert_eq!(ids(&steps.claim(1, 1, at(10)).await), ["due", "fresh"]);
}

pub async fn a_claim_that_ends_very_many_says_that_there_is_more(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let names: Vec<_> = (0..900).map(|n| format!("old {n}")).collect();
    let old = names.iter().map(|name| routed(Job { expires_at: at(10), ..job(name) })).collect();
    ledger.enqueue(old, at(0)).await.expect("enqueued");
    publish(&steps, &["good"]).await;
    let mut claims = 0;
    let claimed = loop {
        let claimed = steps.claim(0, 1, at(10)).await;
        claims += 1;
        if claimed.more == [false] {
            break claimed;
        }
    };
    assert_eq!(ids(&claimed), ["good"]);
    assert!(claims > 1, "one claim ended them all");
}

pub async fn rows_in_an_attempt_are_not_given_back_nor_deferred(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    ledger.give_back(worker(), keys(&["a"])).await.expect("given back");
    ledger.defer(vec![put_off("a", at(0))], at(1)).await.expect("deferred");
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
    assert_eq!(steps.stands("a").await, (State::Sending, None));
    steps.settle(&admission, accepted(), at(3)).await;
}

pub async fn a_claim_whose_answer_was_lost_is_freed(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    publish(&steps, &["in hand", "lost", "sending", "due"]).await;
    steps.claim(0, 9, at(1)).await;
    drop(go(steps.admit(job("sending"), at(1)).await));
    ledger.defer(vec![put_off("due", at(2))], at(1)).await.expect("deferred");
    steps.claim(9, 0, at(2)).await;
    ledger.keep_only(worker(), keys(&["in hand"])).await.expect("kept");
    let claimed = steps.claim(9, 9, at(3)).await;
    assert_eq!((ids(&claimed), claimed.rows[0].due_at), (vec!["due".to_owned(), "lost".to_owned()], Some(at(2))));
    drop(go(steps.admit(job("in hand"), at(3)).await));
    ledger.keep_only(worker(), vec![]).await.expect("kept");
    assert_eq!(steps.stands("sending").await, (State::Sending, None));
    assert_eq!(ids(&steps.claim(9, 9, at(4)).await), ["due", "lost"]);
}
