//! The ledger against the oracle, row by row, and both against what producers were promised.

use std::collections::{BTreeMap, BTreeSet};

/// One row of `jobs_v1`.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub state: String,
    pub wamid: Option<String>,
}

/// One message that the simulated Meta accepted.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Whose recipient it went to; none if nobody's.
    pub job: Option<usize>,
    pub wamid: String,
    /// Which job the sender says that it was for.
    pub key: String,
}

/// Everything that is known once a cell is over.
pub struct Evidence<'a> {
    /// Every job that was handed in, and whether its producer was promised that it is taken.
    pub promises: &'a [bool],
    pub rows: &'a [Row],
    pub sent: &'a [Sent],
    /// Jobs whose attempt a kill may have cut off.
    pub in_flight: &'a BTreeSet<usize>,
    /// Which job has this id.
    pub place: &'a dyn Fn(&str) -> Option<usize>,
    /// Dead jobs and waiting rows that nobody will ever take.
    pub left_over: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub attempts: usize,
    pub acknowledged: usize,
    /// Accepted by Meta once, and the ledger knows it under the same id.
    pub ok: usize,
    /// Promised, and not there; or said to be accepted, and never seen by Meta; or without an end.
    pub lost: usize,
    /// What must not be: a message without a job, an end that nothing explains.
    pub unexpected: usize,
    /// Accepted by Meta once more than once.
    pub doubled: usize,
    /// Not promised, and done all the same.
    pub recovered: usize,
    /// Ended in doubt.
    pub unresolved: usize,
    /// The first few cases, for people.
    pub cases: Vec<String>,
}

const CASES: usize = 12;

impl Findings {
    fn tell(&mut self, case: String) {
        if self.cases.len() < CASES {
            self.cases.push(case);
        }
    }

    fn lose(&mut self, case: String) {
        self.lost += 1;
        self.tell(format!("lost: {case}"));
    }

    fn wonder(&mut self, case: String) {
        self.unexpected += 1;
        self.tell(format!("unexpected: {case}"));
    }
}

/// Compares everything with everything.
pub fn judge(evidence: &Evidence<'_>) -> Findings {
    let promises = evidence.promises;
    let acknowledged = promises.iter().filter(|promised| **promised).count();
    let mut findings = Findings { attempts: promises.len(), acknowledged, ..Findings::default() };

    let mut sent: BTreeMap<usize, Vec<&Sent>> = BTreeMap::new();
    for message in evidence.sent {
        match message.job.filter(|job| *job < promises.len()) {
            Some(job) => sent.entry(job).or_default().push(message),
            None => findings.wonder(format!("a message to nobody's recipient: {message:?}")),
        }
    }
    let mut seen = BTreeSet::new();
    for row in evidence.rows {
        match (evidence.place)(&row.id).filter(|job| *job < promises.len()) {
            Some(job) if seen.insert(job) => {
                look_at(&mut findings, evidence, job, row, sent.remove(&job).unwrap_or_default());
            }
            Some(_) => findings.wonder(format!("a second row: {row:?}")),
            None => findings.wonder(format!("a row of no job: {row:?}")),
        }
    }
    for (job, messages) in sent {
        findings.wonder(format!("sent without a row: job {job}, {messages:?}"));
    }
    for (job, promised) in promises.iter().enumerate() {
        match (promised, seen.contains(&job)) {
            (true, false) => findings.lose(format!("job {job} was promised and has no row")),
            (false, true) => findings.recovered += 1,
            (true, true) | (false, false) => {}
        }
    }
    if evidence.left_over > 0 {
        findings.unexpected += evidence.left_over;
        findings.tell(format!("unexpected: {} dead jobs and waiting rows are left over", evidence.left_over));
    }
    findings
}

fn look_at(findings: &mut Findings, evidence: &Evidence<'_>, job: usize, row: &Row, sent: Vec<&Sent>) {
    let is_in_doubt = evidence.in_flight.contains(&job);
    if sent.len() > 1 {
        findings.doubled += sent.len() - 1;
        findings.tell(format!("doubled: {row:?}, {sent:?}"));
        if !is_in_doubt {
            findings.wonder(format!("doubled though no kill cut it off: {row:?}"));
        }
    }
    if let Some(other) = sent.iter().find(|message| message.key != sent[0].key) {
        findings.wonder(format!("sent under two keys: {row:?}, {other:?}"));
    }
    let is_known = sent.iter().any(|message| row.wamid.as_deref() == Some(message.wamid.as_str()));
    match row.state.as_str() {
        "accepted" if is_known => findings.ok += usize::from(sent.len() == 1),
        "accepted" => findings.lose(format!("Meta never accepted it so: {row:?}, {sent:?}")),
        "unresolved" => {
            findings.unresolved += 1;
            if !is_in_doubt {
                findings.wonder(format!("in doubt though no kill cut it off: {row:?}, {sent:?}"));
            }
        }
        "queued" | "waiting" | "sending" | "unknown" => findings.lose(format!("without an end: {row:?}, {sent:?}")),
        _ => findings.wonder(format!("ended otherwise: {row:?}, {sent:?}")),
    }
}
