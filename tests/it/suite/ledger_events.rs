//! Events to publish, written by the commit that changes the job.

use tidegate::ledger::{Admitted, OutboxStage, Publish};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;

pub async fn events_are_written_where_somebody_listens(bench: &Bench) {
    for (publish, expected) in [
        (Publish::Off, vec![]),
        (Publish::Ended, vec!["message.accepted.default.shop"]),
        (Publish::All, vec!["message.waiting.default.shop", "message.accepted.default.shop"]),
    ] {
        let bench = bench.publishing(publish).await;
        let steps = Steps::new(&bench).await;
        let metadata = serde_json::from_str(r#"{"order":17}"#).expect("JSON");
        let job = tidegate::job::Job { metadata: Some(metadata), ..from_source("shop", job("a")) };
        let admission = steps.start(job.clone(), at(0)).await;
        steps.settle(&admission, retry(at(10)), at(1)).await;
        let admission = steps.start_again(job, at(10)).await;
        steps.settle(&admission, accepted(), at(11)).await;
        let events = bench.outbox_take(OutboxStage::Any, 9).await.expect("taken");
        assert_eq!(events.iter().map(|event| event.topic.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(steps.census().await.outbox, expected.len() as u64);
        let Some(last) = events.last() else { continue };
        let body: serde_json::Value = serde_json::from_str(&last.body).expect("JSON");
        let at = at(11).to_string();
        for (field, value) in [("state", "accepted"), ("id", "a"), ("wamid", "wamid.1"), ("at", &at)] {
            assert_eq!(body[field], value, "{body}");
        }
        assert_eq!((&body["metadata"]["order"], &body["attempt"]), (&17.into(), &2.into()));
        assert_eq!(body["event"], last.event.as_str());
        bench.outbox_done(events.iter().map(|event| event.seq).collect()).await.expect("done");
        assert!(bench.outbox_take(OutboxStage::Any, 9).await.expect("taken").is_empty());
    }
}

pub async fn a_waiting_event_says_until_when(bench: &Bench) {
    let bench = bench.publishing(Publish::All).await;
    let steps = Steps::new(&bench).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, retry(at(10)), at(1)).await;
    let event = bench.outbox_take(OutboxStage::Any, 1).await.expect("taken").remove(0);
    let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
    assert_eq!(event.topic, "message.waiting.default.-");
    let reason = Reason::ServiceUnavailable.as_str();
    assert_eq!((body["until"].as_str(), body["reason"].as_str()), (Some(at(10).to_string().as_str()), Some(reason)));
}

pub async fn events_of_delivered_jobs_say_the_same(bench: &Bench) {
    let bench = bench.publishing(Publish::All).await;
    let steps = Steps::new(&bench).await;
    let bulk = |id: &str| from_source("shop", job(id));
    for (name, fate) in [("accepted", accepted()), ("retried", retry(at(10))), ("lost", unknown(at(60)))] {
        let admission = go(steps.deliver(bulk(name), at(0)).await);
        steps.settle_with(of_delivered(bulk(name), settlement(&admission, fate, at(1)))).await;
    }
    let late = tidegate::job::Job { expires_at: at(1), ..bulk("late") };
    assert_eq!(steps.deliver(late, at(1)).await, Admitted::Ended(State::Expired));
    bench.expire(vec![routed(bulk("given up"))], at(1)).await.expect("expired");
    let hold = steps.place(pause(NUMBER), at(2)).await;
    assert_eq!(steps.deliver(bulk("parked"), at(2)).await, Admitted::Parked(hold.id));
    let events = bench.outbox_take(OutboxStage::Any, 9).await.expect("taken");
    let told: Vec<_> = events.iter().map(|event| (event.job.as_str(), event.topic.as_str())).collect();
    let expected = [
        ("accepted", "message.accepted.default.shop"),
        ("retried", "message.waiting.default.shop"),
        ("lost", "message.unknown.default.shop"),
        ("late", "message.expired.default.shop"),
        ("given up", "message.expired.default.shop"),
        ("parked", "message.waiting.default.shop"),
    ];
    assert_eq!(told, expected);
    let different: std::collections::BTreeSet<_> = events.iter().map(|event| &event.event).collect();
    assert_eq!(different.len(), expected.len());
    for event in &events {
        let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        assert_eq!((body["id"].as_str(), body["source"].as_str()), (Some(event.job.as_str()), Some("shop")));
        assert_eq!(body["to"], "+447700900123");
    }
}
