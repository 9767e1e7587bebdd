//! What a ledger finds in its database that it did not write itself.

use tidegate::hold::Effect;
use tidegate::job::Job;
use tidegate::ledger::{Admitted, Settled};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;

pub async fn lifted_holds_without_rows_are_forgotten_by_the_sweep(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let mut parked = Vec::new();
    for n in 0..5 {
        let hold = steps.place(pause(&format!("2{n:03}")), at(0)).await;
        let name = format!("job {n}");
        steps.enqueue(job(&name), at(0)).await;
        steps.claim(0, 1, at(0)).await;
        bench.park(vec![parking(job(&name).key, hold.id)], at(0)).await.expect("parked");
        parked.push((hold.id, name));
    }
    for (hold, name) in parked {
        steps.lift(hold, at(1)).await;
        if name != "job 4" {
            bench.cancel(vec![named(&name)], Unseen::Refuse, at(1)).await.expect("answered");
        }
    }
    let lifted = || bench.count("SELECT count(*) FROM holds WHERE lifted");
    assert_eq!(lifted().await, 5);
    for left in [3, 1, 1] {
        bench.sweep(at(2), WAIT, 2).await.expect("swept");
        assert_eq!(lifted().await, left);
    }
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["job 4"]);
    assert_eq!(lifted().await, 0);
}

pub async fn a_reason_that_a_later_version_wrote_stops_nobody(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let hold = steps.place(pause("2002"), at(0)).await;
    for name in ["a", "b"] {
        steps.enqueue(job(name), at(0)).await;
    }
    bench.query("UPDATE jobs SET reason = 'new' WHERE id = 'a'").await;
    bench.query("UPDATE holds SET reason = 'new', effect = 'new'").await;
    assert_eq!(ids(&steps.claim(0, 9, at(1)).await), ["a", "b"]);
    let requests = vec![steps.request(job("a")), steps.request(job("b"))];
    let answers = bench.admit(requests, at(1)).await.expect("answered");
    let settlements = answers.into_iter().map(|answer| settlement(&go(answer), accepted(), at(2))).collect();
    bench.settle(settlements).await.expect("settled");
    let holds = bench.holds().await.expect("listed");
    assert_eq!((holds[0].id, holds[0].effect, holds[0].reason), (hold.id, Effect::Wait, Reason::Held));
    assert_eq!(steps.census().await.states, [(State::Accepted, 2)]);
}

pub async fn a_row_that_cannot_be_read_stops_no_other(bench: &Bench) {
    let steps = Steps::new(bench).await;
    for name in ["bad", "good"] {
        steps.enqueue(job(name), at(0)).await;
    }
    steps.claim(0, 9, at(1)).await;
    let requests = || vec![steps.request(job("bad")), steps.request(job("good"))];
    let spoil = "UPDATE jobs SET state = 'new' WHERE id = 'bad'";
    bench.query(spoil).await;
    let mut answers = bench.admit(requests(), at(1)).await.expect("answered");
    let good = go(answers.remove(1));
    assert_eq!(answers, [Admitted::InFlight]);
    bench.query("UPDATE jobs SET state = 'queued' WHERE id = 'bad'").await;
    let bad = go(steps.admit(job("bad"), at(1)).await);
    bench.query(spoil).await;
    let settlements = vec![settlement(&bad, accepted(), at(2)), settlement(&good, unknown(at(9)), at(2))];
    assert_eq!(bench.settle(settlements).await.expect("settled"), [Settled::Stale, Settled::Done]);
    let swept = bench.sweep(at(1_000), WAIT, 100).await.expect("swept");
    assert_eq!((swept.overdue, swept.unresolved), (0, 1));
}

pub async fn a_row_that_cannot_be_read_is_passed_over_once_it_ran_out_of_time(bench: &Bench) {
    let steps = Steps::new(bench).await;
    for name in ["bad", "old"] {
        let old = Job { expires_at: at(10), ..job(name) };
        steps.enqueue(old, at(0)).await;
    }
    steps.enqueue(job("good"), at(0)).await;
    bench.query("UPDATE jobs SET state = 'new' WHERE id = 'bad'").await;
    assert_eq!(bench.sweep(at(10), WAIT, 100).await.expect("swept").expired, 1);
    let claimed = steps.claim(0, 1, at(10)).await;
    assert_eq!((ids(&claimed), claimed.more), (vec!["good".to_owned()], vec![false]));
}
