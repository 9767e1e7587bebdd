//! Those who want no messages, or cannot get any: by the thousand.

use tidegate::clock::Timestamp;
use tidegate::hold::{Cover, Effect, Hold, HoldId, HoldOrder, Scope};
use tidegate::job::{Category, Job};
use tidegate::ledger::{Admitted, Fate, HoldChange, Ledger, News};
use tidegate::outcome::{Reason, State};

use super::ledger::*;
use super::told::*;

const RECIPIENT: &str = "+447700900123";

fn opt_out(recipient: &str, until: Option<Timestamp>) -> HoldOrder {
    let cover = Cover::of(Scope::Recipient, recipient).category(Category::Marketing);
    HoldOrder { reason: Reason::OptedOut, ..order(cover, Effect::End, until) }
}

fn block(recipient: &str) -> HoldOrder {
    let cover = Cover::of(Scope::Recipient, recipient);
    HoldOrder { reason: Reason::RecipientBlocked, ..order(cover, Effect::End, None) }
}

fn marketing(id: &str) -> Job {
    Job { category: Category::Marketing, ..job(id) }
}

async fn place_many(ledger: &Ledger, orders: Vec<HoldOrder>, now: Timestamp) -> u32 {
    ledger.place_many(orders, now).await.expect("placed")
}

async fn lift(ledger: &Ledger, covers: Vec<Cover>, only: &'static [Reason]) -> u32 {
    ledger.lift_covers(covers, only, at(99)).await.expect("lifted")
}

async fn list(ledger: &Ledger) -> Vec<Hold> {
    ledger.recipient_holds(HoldId(0), 9_999).await.expect("listed")
}

pub async fn many_holds_are_placed_and_new_ones_counted(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let orders: Vec<_> = (0..2_500).map(|n| opt_out(&format!("+49151{n:08}"), None)).collect();
    assert_eq!(place_many(ledger, orders.clone(), at(0)).await, 2_500);
    assert_eq!(place_many(ledger, orders[..300].to_vec(), at(1)).await, 0);
    let twice = vec![opt_out(RECIPIENT, None), opt_out(RECIPIENT, None), block(RECIPIENT)];
    assert_eq!(place_many(ledger, twice, at(2)).await, 2);
    assert_eq!(place_many(ledger, vec![], at(2)).await, 0);
    let holds = list(ledger).await;
    assert_eq!(holds.len(), 2_502);
    assert!(holds.is_sorted_by_key(|hold| hold.id));
    let of = |subject: &str| holds.iter().find(|hold| hold.cover.subject == subject).expect("it stands");
    assert_eq!((of("+4915100000000").step, of("+4915100000000").since), (2, at(0)));
    assert_eq!((of("+4915100002499").step, of("+4915100002499").who.as_str()), (1, "test"));
    assert_eq!(steps.deliver(marketing("a"), at(3)).await, Admitted::Ended(State::Suppressed));
    // General ones, too.
    assert_eq!(place_many(ledger, vec![pause(NUMBER), opt_out("+33612345678", None)], at(4)).await, 2);
    let other = Job { to: "+12025550100".parse().expect("a recipient"), ..job("b") };
    assert!(matches!(steps.deliver(other, at(5)).await, Admitted::Parked(_)));
}

pub async fn of_many_holds_of_one_cover_the_one_that_lasts_rules(ledger: &Ledger) {
    let long = opt_out(RECIPIENT, Some(at(90)));
    let orders = vec![opt_out(RECIPIENT, Some(at(60))), long, opt_out(RECIPIENT, Some(at(30)))];
    assert_eq!(place_many(ledger, orders, at(0)).await, 1);
    let holds = list(ledger).await;
    assert_eq!((holds.len(), holds[0].until, holds[0].step), (1, Some(at(90)), 3));
    place_many(ledger, vec![opt_out(RECIPIENT, None)], at(1)).await;
    assert_eq!(list(ledger).await[0].until, None);
}

pub async fn holds_are_lifted_by_what_they_cover_and_why_they_stand(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let orders = vec![opt_out(RECIPIENT, None), block(RECIPIENT), opt_out("+4915100000001", None)];
    place_many(ledger, orders, at(0)).await;
    let opted_out = || opt_out(RECIPIENT, None).cover;
    let blocked = || block(RECIPIENT).cover;
    assert_eq!(lift(ledger, vec![opted_out(), blocked()], &[Reason::Operator]).await, 0);
    assert_eq!(lift(ledger, vec![opted_out(), blocked()], &[Reason::OptedOut, Reason::Operator]).await, 1);
    assert_eq!(lift(ledger, vec![opted_out()], &[Reason::OptedOut]).await, 0);
    let stand: Vec<_> = list(ledger).await.into_iter().map(|hold| hold.cover).collect();
    assert_eq!(stand, [blocked(), opt_out("+4915100000001", None).cover]);
    assert_eq!(steps.deliver(marketing("a"), at(1)).await, Admitted::Ended(State::Suppressed));
    assert_eq!(lift(ledger, vec![blocked(), blocked()], &[Reason::RecipientBlocked]).await, 1);
    drop(go(steps.deliver(marketing("b"), at(2)).await));
    // Placed again, it begins anew.
    assert_eq!(place_many(ledger, vec![opt_out(RECIPIENT, None)], at(3)).await, 1);
    assert_eq!(list(ledger).await.last().map(|hold| (hold.step, hold.since)), Some((1, at(3))));
}

pub async fn recipients_holds_are_listed_page_by_page(ledger: &Ledger) {
    let orders: Vec<_> = (0..7).map(|n| opt_out(&format!("+4915100000{n:03}"), None)).collect();
    let covers: Vec<Cover> = orders.iter().map(|order| order.cover.clone()).collect();
    place_many(ledger, [vec![pause(NUMBER)], orders].concat(), at(0)).await;
    assert_eq!(lift(ledger, vec![covers[3].clone()], &[Reason::OptedOut]).await, 1);
    let (mut seen, mut after) = (Vec::new(), HoldId(0));
    loop {
        let page = ledger.recipient_holds(after, 2).await.expect("listed");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = last.id;
        seen.extend(page.into_iter().map(|hold| hold.cover));
    }
    seen.sort();
    let expected: Vec<_> = covers.iter().filter(|cover| **cover != covers[3]).cloned().collect();
    assert_eq!(seen, expected);
}

pub async fn webhooks_place_and_lift_in_order(ledger: &Ledger) {
    let mut signals = ledger.signals();
    let before = *signals.borrow_and_update();
    let only: &[Reason] = &[Reason::OptedOut];
    let stop = |recipient| HoldChange::Place(opt_out(recipient, None));
    let start = |recipient| HoldChange::Lift { cover: opt_out(recipient, None).cover, only };
    let holds = vec![stop(RECIPIENT), start(RECIPIENT), start("+4915100000001"), stop("+4915100000001")];
    apply(ledger, News { holds, ..News::default() }, at(0)).await;
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    let stand: Vec<_> = list(ledger).await.into_iter().map(|hold| hold.cover.subject).collect();
    assert_eq!(stand, ["+4915100000001"]);
}

pub async fn who_is_not_on_whatsapp_three_times_in_a_row_is_left_alone(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let tell_failed = async |name: &str, second: i64| {
        let admission = steps.start(job(name), at(second)).await;
        steps.settle(&admission, accepted(), at(second)).await;
        let statuses = vec![status(job(name).key, undeliverable(), at(second))];
        let suppressed = apply(ledger, News { statuses, ..News::default() }, at(second)).await.suppressed;
        // Told again, it counts no more.
        assert_eq!(
            tell(ledger, status(job(name).key, undeliverable(), at(second))).await,
            tidegate::ledger::Moved::Nothing
        );
        suppressed
    };
    assert_eq!((tell_failed("a", 1).await, tell_failed("b", 2).await), (0, 0));
    // Reached: it begins anew.
    let admission = steps.start(job("c"), at(3)).await;
    steps.settle(&admission, accepted(), at(3)).await;
    tell(ledger, status(job("c").key, tidegate::ledger::Heard::Delivered, at(3))).await;
    assert_eq!((tell_failed("d", 4).await, tell_failed("e", 5).await), (0, 0));
    // What Meta's answer says at once counts as well.
    let admission = steps.start(job("f"), at(6)).await;
    let (state, reason, code) = (State::Failed, Reason::NotOnWhatsapp, Some(131_026));
    assert!(list(ledger).await.is_empty());
    steps.settle(&admission, Fate::End { state, reason, code, details: String::new() }, at(6)).await;
    let holds = list(ledger).await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].cover, Cover::of(Scope::Recipient, RECIPIENT));
    assert_eq!((holds[0].effect, holds[0].reason), (Effect::End, Reason::NotOnWhatsapp));
    assert_eq!((holds[0].who.as_str(), holds[0].until), ("131026 three times", Some(at(6 + 7 * 86_400))));
    assert_eq!(steps.deliver(job("g"), at(7)).await, Admitted::Ended(State::Suppressed));
}

pub async fn a_start_that_is_told_again_lifts_no_newer_stop(bench: &Ledger) {
    let order = opt_out("+447700900123", None);
    let stop = |said| HoldChange::Stop { order: order.clone(), said: at(said) };
    let start = |said| HoldChange::Start { cover: order.cover.clone(), said: at(said) };
    let stands = |changes: Vec<HoldChange>| async {
        bench.apply(News { holds: changes, ..News::default() }, at(100)).await.expect("applied");
        !bench.recipient_holds(HoldId(0), 9).await.expect("listed").is_empty()
    };
    assert!(stands(vec![stop(30)]).await);
    assert!(stands(vec![start(20)]).await);
    // Said twice, the later time counts, in whatever order they are told.
    assert!(stands(vec![stop(50), stop(40), start(45)]).await);
    assert!(!stands(vec![start(60)]).await);
    assert!(stands(vec![stop(70)]).await);
}
