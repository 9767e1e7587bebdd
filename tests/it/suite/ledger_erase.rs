//! Forgetting a person: what is counted stays, what names them goes, and what they refused stays refused.

use tidegate::hold::{Cover, Effect, HoldId, HoldOrder, Scope};
use tidegate::job::Job;
use tidegate::ledger::{
    Admitted, Dead, Enqueued, Erased, Heard, Ledger, News, OutboxRow, Publish, Settled, StrangeChange, Swept,
};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::told::*;

const PERSON: &str = "+447700900123";
const OTHER: &str = "+4477009001234";

async fn erase(ledger: &Ledger, now: i64) -> Erased {
    ledger.erase(PERSON.to_owned(), at(now)).await.expect("erased")
}

fn block(recipient: &str) -> HoldOrder {
    let cover = Cover::of(Scope::Recipient, recipient);
    HoldOrder { reason: Reason::OptedOut, ..order(cover, Effect::End, None) }
}

fn with_metadata(job: Job) -> Job {
    let metadata = serde_json::from_str(r#"{"customer":"4711"}"#).expect("JSON");
    Job { metadata: Some(metadata), ..job }
}

pub async fn jobs_of_a_person_stay_without_the_person(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let admission = steps.start(with_metadata(job("sent")), at(0)).await;
    steps.settle(&admission, accepted(), at(1)).await;
    for name in ["queued", "claimed", "parked"] {
        steps.enqueue(job(name), at(1)).await;
    }
    let hold = steps.place(pause(NUMBER), at(1)).await;
    steps.claim(9, 3, at(1)).await;
    bench.give_back(steps.worker, vec![job("queued").key]).await.expect("given back");
    bench.park(vec![parking(job("parked").key, hold.id)], at(1)).await.expect("parked");
    steps.enqueue(to(OTHER, job("another's")), at(1)).await;
    let erased = erase(bench, 2).await;
    assert_eq!(erased, Erased { jobs: 4, cancelled: 3, holds: 0, others: 0 });
    for name in ["queued", "claimed", "parked"] {
        let row = steps.show(name).await;
        assert_eq!((row.state, row.reason, row.recipient.as_str()), (State::Cancelled, Some(Reason::Cancelled), ""));
    }
    let row = steps.show("another's").await;
    assert_eq!((row.state, row.recipient.as_str()), (State::Queued, OTHER));
    let rows = bench.jobs(tidegate::ledger::JobFilter { limit: 9, ..Default::default() }).await.expect("listed");
    let key = job("sent").key;
    let row = rows.iter().find(|row| row.key == key).expect("it is listed");
    assert_eq!(row.id, format!("erased-{}", &key.to_string()[..8]));
    assert_eq!((row.state, row.accepted_at, row.campaign.as_ref()), (State::Accepted, Some(at(1)), None));
    let left = "SELECT count(*) FROM jobs WHERE id = 'sent' OR metadata IS NOT NULL OR recipient = '+447700900123'";
    assert_eq!(bench.count(left).await, 0);
    assert_eq!(bench.with_bodies().await.into_iter().collect::<Vec<_>>(), ["another's"]);
    assert_eq!(steps.census().await.states, [(State::Queued, 1), (State::Accepted, 1), (State::Cancelled, 3)]);
    // The same again is still known.
    assert_eq!(steps.enqueue(job("sent"), at(3)).await, Enqueued::Duplicate(State::Accepted));
    assert_eq!(steps.enqueue(job("queued"), at(3)).await, Enqueued::Duplicate(State::Cancelled));
    assert_eq!(steps.admit(job("claimed"), at(3)).await, Admitted::Ended(State::Cancelled));
    assert_eq!(erase(bench, 4).await, Erased::default());
}

pub async fn an_attempt_under_way_ends_as_it_would_and_is_not_repeated(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let mut admissions = Vec::new();
    for name in ["accepted", "again", "lost", "told"] {
        admissions.push(steps.start(job(name), at(0)).await);
    }
    let unknown_one = steps.start(job("unknown"), at(0)).await;
    steps.settle(&unknown_one, unknown(at(60)), at(1)).await;
    assert_eq!(erase(bench, 2).await, Erased { jobs: 5, cancelled: 0, holds: 0, others: 0 });
    assert!(bench.with_bodies().await.is_empty());
    assert_eq!(steps.stands("unknown").await, (State::Unresolved, Some(Reason::Left)));
    assert_eq!(steps.stands("told").await.0, State::Sending);
    assert_eq!(steps.settle(&admissions[0], accepted(), at(3)).await, Settled::Done);
    assert_eq!(steps.settle(&admissions[1], retry(at(10)), at(3)).await, Settled::Done);
    let lost = of_delivered(job("lost"), settlement(&admissions[2], unknown(at(60)), at(3)));
    assert_eq!(steps.settle_with(lost).await, Settled::Done);
    tell(bench, status(job("told").key, Heard::Delivered, at(4))).await;
    assert_eq!(steps.stands("accepted").await.0, State::Accepted);
    assert_eq!(steps.stands("again").await, (State::Cancelled, Some(Reason::Cancelled)));
    assert_eq!(steps.stands("lost").await.0, State::Unknown);
    assert_eq!(steps.stands("told").await.0, State::Delivered);
    assert!(bench.with_bodies().await.is_empty());
    assert_eq!(steps.deliver(job("lost"), at(5)).await, Admitted::InFlight);
    assert!(bench.with_bodies().await.is_empty(), "the body of one who was forgotten is not kept again");
    assert_eq!(bench.sweep(at(60), WAIT, 100).await.expect("swept"), Swept { unresolved: 1, ..Swept::default() });
    assert!(steps.claim(9, 9, at(99)).await.rows.is_empty());
}

pub async fn what_a_forgotten_person_refused_stays_refused(bench: &Bench) {
    let steps = Steps::new(bench).await;
    assert_eq!(bench.place_many(vec![block(PERSON), block("+4915100000001")], at(0)).await.expect("placed"), 2);
    assert_eq!(erase(bench, 1).await, Erased { jobs: 0, cancelled: 0, holds: 1, others: 0 });
    let holds = bench.recipient_holds(HoldId(0), 9).await.expect("listed");
    let subjects: Vec<_> = holds.iter().map(|hold| hold.cover.subject.as_str()).collect();
    assert_eq!((subjects.len(), subjects.contains(&PERSON)), (2, false));
    let hidden = subjects.iter().find_map(|subject| subject.strip_prefix("erased:")).expect("a keyed hash");
    assert!(hidden.len() == 64 && hidden.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hidden}");
    let second = bench.another().await;
    for ledger in [&**bench, &second] {
        let steps = Steps::of(ledger, worker(), NUMBER).await;
        let name = format!("by {}", if std::ptr::eq(ledger, &second) { "another" } else { "this one" });
        assert_eq!(steps.deliver(job(&name), at(2)).await, Admitted::Ended(State::Suppressed));
        steps.enqueue(job(&(name.clone() + " claimed")), at(2)).await;
        steps.claim(9, 9, at(2)).await;
        let claimed = steps.admit(job(&(name + " claimed")), at(2)).await;
        assert_eq!(claimed, Admitted::Ended(State::Suppressed));
    }
    drop(go(steps.deliver(to(OTHER, job("to another")), at(2)).await));
    // Placed again it is the same hold; a person may be forgotten again.
    assert_eq!(bench.place_many(vec![block(PERSON)], at(3)).await.expect("placed"), 0);
    steps.place(block(PERSON), at(3)).await;
    assert_eq!(bench.recipient_holds(HoldId(0), 9).await.expect("listed").len(), 2);
    erase(bench, 4).await;
    assert_eq!(steps.deliver(job("still"), at(5)).await, Admitted::Ended(State::Suppressed));
    let lifted = bench.lift_covers(vec![block(PERSON).cover], &[Reason::OptedOut], at(6)).await;
    assert_eq!(lifted.expect("lifted"), 1);
    drop(go(steps.deliver(job("willing"), at(7)).await));
    assert_eq!(bench.recipient_holds(HoldId(0), 9).await.expect("listed").len(), 1);
}

pub async fn nothing_else_names_a_forgotten_person(bench: &Bench) {
    let bench = bench.publishing(Publish::All).await;
    let steps = Steps::new(&bench).await;
    let digits = |recipient: &str| recipient.trim_start_matches('+').to_owned();
    for (n, recipient) in [PERSON, OTHER].into_iter().enumerate() {
        let name = format!("job {n}");
        let admission = steps.start(to(recipient, job(&name)), at(0)).await;
        steps.settle(&admission, accepted(), at(1)).await;
        let inbound = format!(r#"{{"event":"message","from":"{}"}}"#, digits(recipient));
        let news = News {
            statuses: vec![status(job(&name).key, undeliverable(), at(2))],
            windows: vec![wrote(recipient, NUMBER, at(2))],
            events: vec![OutboxRow {
                seq: 0,
                topic: format!("inbound.{NUMBER}"),
                event: format!("wamid.{n}"),
                job: String::new(),
                body: inbound.clone(),
            }],
            strange: vec![StrangeChange { field: "new".to_owned(), body: inbound.clone(), at: at(2) }],
            ..News::default()
        };
        apply(&bench, news, at(2)).await;
        bench
            .inbox_put(vec![format!(r#"{{"wa_id":"{}","ü":1}}"#, digits(recipient)).into_bytes()], at(2))
            .await
            .expect("put");
        let (reason, field) = ("must be text".to_owned(), "message".to_owned());
        let body = format!(r#"{{"to":"{recipient}"}}"#).into_bytes();
        bench.bury(vec![Dead { body, reason, field, origin: "cli".to_owned(), at: at(2) }]).await.expect("buried");
    }
    let counts = async || {
        let mut counts = Vec::new();
        for table in ["windows", "misses", "outbox", "strange", "inbox", "dead"] {
            counts.push(bench.count(&format!("SELECT count(*) FROM {table}")).await);
        }
        counts
    };
    // Of each job: accepted, failed; and the inbound message.
    assert_eq!(counts().await, [2, 2, 6, 2, 2, 2]);
    assert_eq!(erase(&bench, 3).await, Erased { jobs: 1, cancelled: 0, holds: 0, others: 8 });
    assert_eq!(counts().await, [1, 1, 3, 1, 1, 1]);
    assert_eq!(steps.census().await.dead, 1);
    let left = bench.outbox_take(9).await.expect("taken");
    assert!(left.iter().all(|event| event.body.contains(&digits(OTHER))), "{left:?}");
    assert_eq!(bench.windows(OTHER.to_owned(), at(3)).await.expect("listed").len(), 1);
}
