//! What the ledger and the oracle say of a job, and how it is judged.

use super::super::judge::{Evidence, Findings, Row, Sent, judge};

fn row(job: usize, state: &str, wamid: Option<&str>) -> Row {
    Row { id: job.to_string(), state: state.to_owned(), wamid: wamid.map(str::to_owned) }
}

fn sent(job: usize, wamid: &str) -> Sent {
    Sent { job: Some(job), wamid: wamid.to_owned(), key: format!("key-{job}") }
}

fn judged(promises: &[bool], rows: &[Row], sent: &[Sent], in_flight: &[usize]) -> Findings {
    let in_flight = in_flight.iter().copied().collect();
    let place = |id: &str| id.parse().ok();
    judge(&Evidence { promises, rows, sent, in_flight: &in_flight, place: &place, left_over: 0 })
}

/// lost, unexpected, doubled
fn marks(findings: &Findings) -> (usize, usize, usize) {
    (findings.lost, findings.unexpected, findings.doubled)
}

#[test]
fn what_everybody_agrees_on_is_fine() {
    let rows = [row(0, "accepted", Some("a")), row(1, "unresolved", None), row(2, "accepted", Some("c"))];
    let found = judged(&[true, true, false, false], &rows, &[sent(0, "a"), sent(1, "b"), sent(2, "c")], &[1]);
    assert_eq!(marks(&found), (0, 0, 0), "{found:?}");
    let told = (found.attempts, found.acknowledged, found.ok, found.recovered, found.unresolved);
    assert_eq!(told, (4, 2, 2, 1, 1));
}

#[test]
fn a_promise_without_a_row_is_a_loss() {
    assert_eq!(marks(&judged(&[true], &[], &[], &[])), (1, 0, 0));
}

#[test]
fn a_job_without_an_end_is_a_loss() {
    assert_eq!(marks(&judged(&[true], &[row(0, "sending", None)], &[], &[0])), (1, 0, 0));
}

#[test]
fn an_acceptance_that_meta_does_not_know_is_a_loss() {
    assert_eq!(marks(&judged(&[true], &[row(0, "accepted", Some("a"))], &[], &[])), (1, 0, 0));
    assert_eq!(marks(&judged(&[true], &[row(0, "accepted", Some("a"))], &[sent(0, "b")], &[])), (1, 0, 0));
}

#[test]
fn the_same_message_twice_is_a_double_and_unexplained_without_a_kill() {
    let twice = [sent(0, "a"), sent(0, "b")];
    assert_eq!(marks(&judged(&[true], &[row(0, "accepted", Some("b"))], &twice, &[0])), (0, 0, 1));
    assert_eq!(marks(&judged(&[true], &[row(0, "accepted", Some("b"))], &twice, &[])), (0, 1, 1));
}

#[test]
fn what_nothing_explains_is_unexpected() {
    let accepted = row(0, "accepted", Some("a"));
    let cases: [(&[Row], &[Sent]); 5] = [
        (&[row(0, "failed", None)], &[]),
        (&[row(0, "unresolved", None)], &[]),
        (&[accepted.clone(), row(7, "accepted", Some("x"))], &[sent(0, "a")]),
        (&[accepted.clone(), accepted.clone()], &[sent(0, "a")]),
        (&[accepted], &[sent(0, "a"), Sent { job: None, ..sent(0, "b") }]),
    ];
    for (rows, sent) in cases {
        assert_eq!(marks(&judged(&[true], rows, sent, &[])), (0, 1, 0), "{rows:?} {sent:?}");
    }
    assert_eq!(marks(&judged(&[false], &[], &[sent(0, "a")], &[])), (0, 1, 0), "sent without a row");
}
