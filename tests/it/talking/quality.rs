//! A number whose quality drops: others send in its place at once.

use std::time::Duration;

use tidegate::sim::{AccountEvent, Entry, NumberSpec, Quality, SimConfig};

use super::{Place, Stage, everywhere, quick};
use crate::world::text;

everywhere! {
    a_number_that_meta_flags_gets_nothing_a_second_later_and_a_tenth_once_it_is_read
}

/// Jobs one by one, so that the choice is by weight alone, until `enough` of what was accepted.
async fn feed(stage: &Stage, ledger: &tidegate::ledger::Ledger, name: &str, enough: impl Fn(&[Entry]) -> bool) {
    let oracle = stage.world.oracle();
    for n in 0_u32.. {
        if enough(&oracle.accepted_entries()) {
            return;
        }
        let next = oracle.accepted() + 1;
        stage.world.enqueue(ledger, &[text(&format!("{name}-{n}"), "normal")]).await;
        stage.world.accepted(next).await;
    }
}

fn by(entries: &[Entry], number: &str, after: Duration) -> (usize, usize) {
    let late: Vec<_> = entries.iter().filter(|entry| entry.at() > after).collect();
    (late.iter().filter(|entry| *entry.number == *number).count(), late.len())
}

async fn a_number_that_meta_flags_gets_nothing_a_second_later_and_a_tenth_once_it_is_read(place: Place) {
    let numbers = ["1001", "1002"].map(NumberSpec::new);
    let sim = SimConfig { webhooks: Some(quick()), ..SimConfig::with_numbers(numbers) };
    let stage = Stage::new(place, sim);
    let ledger = stage.world.beside().await;
    let worker = stage.start().await;
    feed(&stage, &ledger, "before", |entries| entries.len() >= 40).await;
    let oracle = stage.world.oracle();
    let (share, all) = by(&oracle.accepted_entries(), "1002", Duration::ZERO);
    assert!((12..=28).contains(&share), "{share} of {all} while both are well");
    let flagged = AccountEvent::NumberQuality { number: "1002".to_owned(), quality: Some(Quality::Red), level: None };
    stage.world.sim.announce(&flagged).expect("the number is there");
    let from = Duration::from_nanos(oracle.now_ns()) + Duration::from_secs(1);
    feed(&stage, &ledger, "after", |entries| by(entries, "1002", from).1 >= 40).await;
    worker.stop();
    assert_eq!(by(&oracle.accepted_entries(), "1002", from).0, 0, "FLAGGED gets nothing");

    // At its start a worker reads what Meta says now: of low quality, and connected all the same.
    let worker = stage.start().await;
    feed(&stage, &ledger, "again", |entries| by(entries, "1002", from).0 >= 1).await;
    let read = oracle.accepted_entries().last().expect("some").at();
    feed(&stage, &ledger, "since", |entries| by(entries, "1002", read).1 >= 110).await;
    worker.stop();
    let (share, all) = by(&oracle.accepted_entries(), "1002", read);
    // Ten to one: 10 of 110.
    assert!((4..=18).contains(&share), "{share} of {all}");
}
