//! The table that people read, and the line for machines.

use std::time::Duration;

use super::super::judge::Findings;
use super::super::report::{Outcome, table};
use super::super::stall::Stalled;

fn outcome(doubled: usize, bound: usize) -> Outcome {
    Outcome {
        cell: "kill",
        fault: "kill -9 of a worker",
        runs: 3,
        kills: 3,
        findings: Findings { attempts: 10, acknowledged: 9, ok: 10, recovered: 1, doubled, ..Findings::default() },
        bound,
        resume: Some(Duration::from_millis(2_340)),
        worst_second: (60, 60),
        throttled: (2, 1),
        shortest_rest: Some(Duration::from_millis(1_008)),
        stalled: Stalled::default(),
        took: Duration::from_secs(9),
        failures: Vec::new(),
    }
}

#[test]
fn a_cell_is_good_within_its_bound_only() {
    assert!(outcome(2, 2).is_good());
    assert!(!outcome(3, 2).is_good());
    assert!(!Outcome { failures: vec!["it hung".into()], ..outcome(0, 0) }.is_good());
    let lost = Findings { lost: 1, ..Findings::default() };
    assert!(!Outcome { findings: lost, ..outcome(0, 9) }.is_good());
    let unexpected = Findings { unexpected: 1, ..Findings::default() };
    assert!(!Outcome { findings: unexpected, ..outcome(0, 9) }.is_good());
}

#[test]
fn the_table_says_what_failed_and_why() {
    let failed = Outcome { failures: vec!["it hung".into()], ..outcome(0, 0) };
    let table = table(&[outcome(1, 2), failed]);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("fault  ") && lines[0].ends_with("  verdict"), "{table}");
    assert!(lines[1].contains("2.3 s") && lines[1].ends_with("  ok"), "{table}");
    assert!(lines[2].ends_with("FAILED") && lines[3] == "kill: it hung", "{table}");
}

#[test]
fn a_machine_reads_the_same() {
    let line: serde_json::Value = serde_json::from_str(&outcome(1, 2).json(7)).expect("JSON");
    assert_eq!(
        (line["duplicated"].as_u64(), line["valid"].as_bool(), line["recovered"].as_u64()),
        (Some(1), Some(true), Some(1))
    );
}
