//! What a run of cells comes to: one table for people, one line of JSON a cell for machines.

use std::time::Duration;

use serde_json::json;

use super::judge::Findings;
use super::stall::Stalled;

/// How one cell ended.
#[derive(Clone)]
pub struct Outcome {
    pub cell: &'static str,
    /// What was broken.
    pub fault: &'static str,
    /// How often.
    pub runs: u32,
    /// Of these, processes that were killed.
    pub kills: u32,
    pub findings: Findings,
    /// How many doubled messages its policy allows.
    pub bound: usize,
    /// The slowest return to work, where it was measured.
    pub resume: Option<Duration>,
    /// The most requests of one number in a sliding second, and its limit.
    pub worst_second: (usize, usize),
    /// Requests that Meta refused as too fast, and those of them that no stall of the machine explains.
    pub throttled: (usize, usize),
    /// The shortest rest of a number between two owners, where it is known who sent.
    pub shortest_rest: Option<Duration>,
    /// How long the machine stood still.
    pub stalled: Stalled,
    pub took: Duration,
    /// What else went wrong.
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn is_good(&self) -> bool {
        let Findings { lost, unexpected, doubled, .. } = self.findings;
        lost == 0 && unexpected == 0 && doubled <= self.bound && self.failures.is_empty()
    }

    /// The line for machines.
    pub fn json(&self, seed: u64) -> String {
        let found = &self.findings;
        json!({
            "cell": self.cell, "seed": seed, "runs": self.runs, "kills": self.kills,
            "attempts": found.attempts, "acknowledged": found.acknowledged, "ok": found.ok,
            "lost": found.lost, "unexpected": found.unexpected, "duplicated": found.doubled,
            "recovered": found.recovered, "unresolved": found.unresolved, "bound": self.bound,
            "resume_ms": self.resume.map(|resume| resume.as_millis() as u64),
            "worst_second": self.worst_second.0, "throttled": self.throttled.0, "throttled_unexplained": self.throttled.1,
            "shortest_rest_ms": self.shortest_rest.map(|rest| rest.as_millis() as u64),
            "longest_stall_ms": self.stalled.longest.as_millis() as u64,
            "stalled_ms": self.stalled.long_ones.as_millis() as u64,
            "took_ms": self.took.as_millis() as u64, "valid": self.is_good(),
        })
        .to_string()
    }

    fn cells(&self) -> [String; COLUMNS] {
        let found = &self.findings;
        let resume = self.resume.map_or_else(|| "-".to_owned(), |resume| format!("{:.1} s", resume.as_secs_f64()));
        [
            self.fault.to_owned(),
            self.runs.to_string(),
            found.attempts.to_string(),
            found.acknowledged.to_string(),
            found.lost.to_string(),
            found.unexpected.to_string(),
            found.doubled.to_string(),
            self.bound.to_string(),
            found.unresolved.to_string(),
            resume,
            self.shortest_rest.map_or_else(|| "-".to_owned(), |rest| format!("{} ms", rest.as_millis())),
            format!("{}/{}", self.worst_second.0, self.worst_second.1),
            format!("{} ({})", self.throttled.0, self.throttled.1),
            format!("{} ms", self.stalled.longest.as_millis()),
            if self.is_good() { "ok" } else { "FAILED" }.to_owned(),
        ]
    }
}

const COLUMNS: usize = 15;
const HEAD: [&str; COLUMNS] = [
    "fault",
    "runs",
    "attempts",
    "acknowledged",
    "lost",
    "unexpected",
    "doubled",
    "bound",
    "unresolved",
    "resume",
    "rest",
    "worst second",
    "throttled",
    "stall",
    "verdict",
];

/// The table, and below it what went wrong.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(outcomes.iter().map(Outcome::cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            // Words stand to the left, figures to the right.
            let padded = if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            text.push_str(if column == 0 { "" } else { "  " });
            text.push_str(&padded);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_good()) {
        for line in outcome.failures.iter().chain(&outcome.findings.cases) {
            text.push_str(&format!("{}: {line}\n", outcome.cell));
        }
    }
    text
}
