//! The messaging limit: who is written to without having written lately needs a place, and there are so many a day.

use std::sync::Arc;

use tidegate::hold::{Cover, Effect, Scope};
use tidegate::job::Priority;
use tidegate::ledger::{Account, AdmitRequest, Admitted, Ledger, QuotaRules, Resolution, Routed, WorkerId};
use tidegate::outcome::{Reason, State};
use uuid::Uuid;

use super::bench::Bench;
use super::ledger::*;
use super::places::*;
use super::told::*;

const SIBLING: &str = "2002";

fn is_go(answer: &Admitted) -> bool {
    matches!(answer, Admitted::Go(_))
}

pub async fn as_many_people_are_written_to_as_the_limit_says(bench: &Bench) {
    let bench = &bench.giving_places(limit(3)).await;
    let steps = Steps::new(bench).await;
    for n in 1..=3 {
        drop(begin(&steps, letter(&format!("to {n}"), n), 0).await);
        assert_eq!(taken(bench, 0).await, u64::from(n));
    }
    let hold = park(&steps, letter("to 4", 4), 1).await;
    assert_eq!(steps.stands("to 4").await, (State::Waiting, Some(Reason::MessagingLimit)));
    let placed = &bench.holds().await.expect("listed")[..];
    let [standing] = placed else { panic!("one hold: {placed:?}") };
    assert_eq!((standing.id, &standing.cover), (hold, &Cover::of(Scope::Quota, OWN)));
    assert_eq!(
        (standing.effect, standing.reason, standing.who.as_str()),
        (Effect::Wait, Reason::MessagingLimit, "quota")
    );
    assert_eq!((standing.until, standing.probe, standing.step, standing.since), (None, false, 1, at(1)));
    // Who comes next waits under the same one, and nobody need hear of it.
    let holds = bench.signals().borrow().holds;
    assert_eq!(park(&steps, letter("to 5", 5), 2).await, hold);
    assert_eq!(bench.holds().await.expect("listed"), placed);
    assert_eq!(bench.signals().borrow().holds, holds);
    let stands = quota(bench, 3).await.expect("it was heard of");
    assert_eq!((stands.limit, stands.taken, stands.parked), (Some(3), 3, 2));
    let freed = stands.place_at(Priority::Normal).expect("in a day");
    assert!(freed > at(DAY) && freed <= at(DAY + 120), "{freed}");
    assert!(steps.claim(9, 9, at(3)).await.rows.is_empty());
    assert!(bench.with_bodies().await.is_superset(&["to 4", "to 5"].map(str::to_owned).into()));
}

pub async fn a_batch_takes_no_more_places_than_there_are(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    // Two of them are for the same person.
    let people = [1, 2, 1, 3, 4, 5];
    let letters = people.iter().enumerate().map(|(at, n)| letter(&format!("letter {at}"), *n));
    let requests = letters.map(|letter| timely(steps.delivery(letter), 0)).collect();
    let answers = bench.admit(requests, at(0)).await.expect("answered");
    assert_eq!(answers.iter().map(is_go).collect::<Vec<_>>(), [true, true, true, true, false, false], "{answers:?}");
    assert!(matches!(answers[5], Admitted::Parked(_)), "{answers:?}");
    assert_eq!(taken(&bench, 0).await, 3);
}

pub async fn the_reserve_is_for_urgent_jobs(bench: &Bench) {
    let bench = bench.giving_places(QuotaRules { reserve: 0.5, ..limit(4) }).await;
    let steps = Steps::new(&bench).await;
    for (at, (priority, goes)) in [
        (Priority::Normal, true),
        (Priority::Bulk, true),
        (Priority::Normal, false),
        (Priority::Bulk, false),
        (Priority::High, true),
        (Priority::Urgent, true),
        (Priority::Urgent, false),
    ]
    .into_iter()
    .enumerate()
    {
        let letter = letter(&format!("letter {at}"), u32::try_from(at).expect("small"));
        assert_eq!(is_go(&ask(&steps, with(priority, letter), 0).await), goes, "letter {at}");
    }
    assert_eq!(taken(&bench, 0).await, 4);
}

pub async fn places_that_others_use_are_taken(bench: &Bench) {
    let bench = bench.giving_places(QuotaRules { used_elsewhere: 2, ..limit(3) }).await;
    let steps = Steps::new(&bench).await;
    drop(begin(&steps, letter("first", 1), 0).await);
    park(&steps, letter("second", 2), 0).await;
    assert_eq!(taken(&bench, 0).await, 3);
}

pub async fn who_wrote_lately_needs_no_place(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    open(&bench, vec![wrote(&person(1), NUMBER, at(0))], at(0)).await;
    send(&steps, letter("answer", 1), 1).await;
    send(&steps, free_form(letter("words", 1)), 1).await;
    assert_eq!(taken(&bench, 1).await, 0);
    send(&steps, letter("first", 2), 2).await;
    park(&steps, letter("second", 3), 3).await;
    send(&steps, letter("answer again", 1), DAY - 1).await;
    // The window is over: it would need a place.
    park(&steps, letter("late", 1), DAY).await;
}

pub async fn a_number_that_the_person_wrote_to_sends_without_a_place(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let siblings: Arc<[_]> = [NUMBER, SIBLING].map(|number| number.parse().expect("a number")).into();
    open(&bench, vec![wrote(&person(1), SIBLING, at(0)), wrote(&person(2), SIBLING, at(0))], at(0)).await;
    let either = |request| AdmitRequest { siblings: siblings.clone(), ..timely(request, 1) };
    let elsewhere = Admitted::Elsewhere(SIBLING.parse().expect("a number"));
    assert_eq!(steps.ask(either(steps.delivery(letter("moved", 1))), at(1)).await, elsewhere);
    assert_eq!(taken(&bench, 1).await, 0);
    // One that may go by no other number needs a place.
    let bound = |name, n| {
        let routed = Routed { route: pinned(NUMBER), ..routed(letter(name, n)) };
        AdmitRequest { routed, ..either(steps.delivery(letter(name, n))) }
    };
    drop(go(steps.ask(bound("bound", 1), at(1)).await));
    assert_eq!(taken(&bench, 1).await, 1);
    assert!(matches!(steps.ask(bound("bound too", 2), at(1)).await, Admitted::Parked(_)));
    // Now that there is none left too.
    assert_eq!(steps.ask(either(steps.delivery(letter("moved too", 2))), at(1)).await, elsewhere);
    let sibling = Steps::of(&bench, other(), SIBLING).await;
    let lane = tidegate::ledger::LaneRoom { route: pinned(SIBLING), ..room(9, 9) };
    let claimed = bench.claim(other(), vec![lane], at(2)).await.expect("claimed");
    assert_eq!(ids(&claimed), ["moved", "moved too"]);
    for (name, n) in [("moved", 1), ("moved too", 2)] {
        let routed = Routed { route: pinned(SIBLING), ..routed(letter(name, n)) };
        drop(go(sibling.ask(AdmitRequest { routed, ..either(sibling.request(letter(name, n))) }, at(2)).await));
    }
    assert_eq!(taken(&bench, 2).await, 1);
}

pub async fn a_person_has_one_place_however_many_messages_go(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    send(&steps, letter("first", 1), 0).await;
    send(&steps, letter("other", 2), 0).await;
    park(&steps, letter("too many", 3), 1).await;
    send(&steps, letter("second", 1), 12 * HOUR).await;
    // An earlier deadline takes nothing back.
    let early = AdmitRequest { deadline: at(1), ..steps.delivery(letter("early", 1)) };
    drop(go(steps.ask(early, at(12 * HOUR)).await));
    assert_eq!(taken(&bench, 12 * HOUR).await, 2);
    assert_eq!(taken(&bench, DAY + 59).await, 2);
    assert_eq!(taken(&bench, DAY + 60).await, 1);
    assert_eq!(taken(&bench, DAY + 12 * HOUR + 59).await, 1);
    assert_eq!(taken(&bench, DAY + 12 * HOUR + 60).await, 0);
}

pub async fn within_a_day_no_more_people_are_written_to_than_the_limit(bench: &Bench) {
    let bench = bench.giving_places(limit(3)).await;
    let steps = Steps::new(&bench).await;
    let mut sent_at = Vec::new();
    for hour in 0..72 {
        // Who waits comes out before who comes new.
        for row in &steps.claim(9, 9, at(hour * HOUR)).await.rows {
            drop(go(ask_claimed(&steps, claimed_job(row), hour * HOUR).await));
            sent_at.push(hour);
        }
        let letter = letter(&format!("hour {hour}"), u32::try_from(hour).expect("small"));
        if is_go(&ask(&steps, letter, hour * HOUR).await) {
            sent_at.push(hour);
        }
        if hour % 7 == 0 {
            bench.sweep(at(hour * HOUR), WAIT, 100).await.expect("swept");
        }
    }
    // What went within hour 0 may have reached Meta half a minute later: a day after that the place is free.
    assert_eq!(sent_at, [0, 1, 2, 25, 26, 27, 50, 51, 52]);
}

pub async fn portfolios_count_apart(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let of = |portfolio: &str, name: &str| {
        let request = timely(steps.delivery(letter(name, 1)), 0);
        let account = Account { portfolio: portfolio.to_owned(), ..(*request.account).clone() };
        AdmitRequest { account: Arc::new(account), ..request }
    };
    send(&steps, letter("own", 2), 0).await;
    park(&steps, letter("own too", 3), 0).await;
    drop(go(steps.ask(of("another", "another's"), at(0)).await));
    // Numbers whose portfolio is not known count together.
    drop(go(steps.ask(of("", "nobody's"), at(0)).await));
    let rows = bench.quotas(at(0)).await.expect("listed");
    let counts: Vec<_> = rows.iter().map(|row| (row.portfolio.as_str(), row.taken, row.parked)).collect();
    assert_eq!(counts, [("", 1, 0), ("another", 1, 0), (OWN, 1, 1)]);
}

pub async fn who_sends_for_another_portfolio_gives_the_place_of_the_first_back(bench: &Bench) {
    let bench = bench.giving_places(limit(2)).await;
    let steps = Steps::new(&bench).await;
    let another = |request: AdmitRequest| {
        let account = Account { portfolio: "another".to_owned(), ..(*request.account).clone() };
        AdmitRequest { account: Arc::new(account), ..request }
    };
    for n in 1..=2 {
        send(&steps, letter(&format!("sent {n}"), n), 0).await;
    }
    for n in 3..=5 {
        park(&steps, letter(&format!("waits {n}"), n), 1).await;
    }
    let now = DAY + 60;
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["waits 3", "waits 4"]);
    let before = bench.signals().borrow().work;
    let claimed = [3, 4].map(|n| timely(steps.request(letter(&format!("waits {n}"), n)), now));
    let [own, others] = claimed;
    let answers = bench.admit(vec![own, another(others)], at(now)).await.expect("answered");
    assert!(answers.iter().all(is_go), "{answers:?}");
    let rows = bench.quotas(at(now)).await.expect("listed");
    let counts: Vec<_> = rows.iter().map(|row| (row.portfolio.as_str(), row.taken, row.parked)).collect();
    assert_eq!(counts, [("another", 1, 0), (OWN, 1, 1)]);
    assert_eq!(bench.count("SELECT count(*) FROM seen WHERE at > 0").await, 4);
    assert!(bench.signals().borrow().work > before);
    assert_eq!(ids(&steps.claim(9, 9, at(now)).await), ["waits 5"]);
}

pub async fn an_attempt_in_doubt_keeps_the_place_of_its_portfolio(bench: &Bench) {
    let bench = bench.giving_places(limit(1)).await;
    let steps = Steps::new(&bench).await;
    let admission = begin(&steps, letter("lost", 1), 0).await;
    steps.settle_with(of_delivered(letter("lost", 1), settlement(&admission, unknown(at(60)), at(1)))).await;
    assert!(bench.resolve(named("lost"), Resolution::Resend, at(2)).await.expect("resolved"));
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), ["lost"]);
    let request = timely(steps.request(letter("lost", 1)), 2);
    let account = Account { portfolio: "another".to_owned(), ..(*request.account).clone() };
    drop(go(steps.ask(AdmitRequest { account: Arc::new(account), ..request }, at(2)).await));
    let rows = bench.quotas(at(2)).await.expect("listed");
    let counts: Vec<_> = rows.iter().map(|row| (row.portfolio.as_str(), row.taken)).collect();
    assert_eq!(counts, [("another", 1), (OWN, 1)]);
}

pub async fn without_a_limit_nothing_is_counted(bench: &Bench) {
    let steps = Steps::new(bench).await;
    for n in 0..9 {
        send(&steps, letter(&format!("letter {n}"), n), 0).await;
    }
    assert_eq!(bench.count("SELECT (SELECT count(*) FROM seen) + (SELECT count(*) FROM bucket)").await, 0);
    assert!(bench.quotas(at(0)).await.expect("listed").is_empty());
}

pub async fn workers_that_race_for_the_last_places_take_no_more(bench: &Bench) {
    let bench = bench.giving_places(limit(50)).await;
    let ledgers = [bench.another().await, bench.another().await, bench.another().await];
    let race = |ledger, n: u32, number| async move {
        let worker = WorkerId(Uuid::from_u128(u128::from(n)));
        let steps = Steps::of(ledger, worker, number).await;
        went(&steps, n).await
    };
    let [first, second, third] = &ledgers;
    let (first, second, third) = tokio::join!(race(first, 1, "1001"), race(second, 2, "1002"), race(third, 3, "1003"));
    assert_eq!(first + second + third, 50);
    assert_eq!(quota(&bench, 0).await.map(|row| (row.taken, row.parked)), Some((50, 70)));
    assert_eq!(bench.holds().await.expect("listed").len(), 1);
}

/// How many of forty letters may go, asked for a few at a time.
async fn went(steps: &Steps<'_>, worker: u32) -> usize {
    let ledger: &Ledger = steps.ledger;
    let mut went = 0;
    for batch in 0..10 {
        let people = (0..4).map(|n| worker * 100 + batch * 4 + n);
        let letters = people.map(|n| timely(steps.delivery(letter(&format!("letter {n}"), n)), 0)).collect();
        let answers = ledger.admit(letters, at(0)).await.expect("answered");
        went += answers.iter().filter(|answer| is_go(answer)).count();
    }
    went
}
