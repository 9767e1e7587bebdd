//! One message's webhooks and our own answer, in very many orders: each order leaves the same row.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tidegate::clock::Timestamp;
use tidegate::ledger::{Admission, Failure, Fate, Heard, News, Settled, StatusNews};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::ledger_statuses::{price, status};

/// Jobs that go on side by side, each in its own order.
const ABREAST: usize = 500;
/// When everything is applied: after all of it was told.
const NOW: i64 = 900;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Settle,
    Sent,
    Delivered,
    Read,
    Failed,
}

/// One message, what is still to come of it (and whether Meta repeats itself by it), and what came.
struct Life {
    id: String,
    admission: Admission,
    ahead: Vec<(Step, bool)>,
    done: Vec<Step>,
}

impl Step {
    /// When Meta says that it happened; repetitions say it a little later.
    fn at(self, is_repeated: bool) -> Timestamp {
        let second = match self {
            Self::Settle => 1,
            Self::Sent => 2,
            Self::Delivered => 4,
            Self::Failed => 5,
            Self::Read => 6,
        };
        ms(second * 1_000 + i64::from(is_repeated))
    }

    fn heard(self) -> Option<Heard> {
        let (state, reason, code) = (State::Failed, Reason::MetaUnknown, Some(131_000));
        let details = "unavailable".to_owned();
        match self {
            Self::Settle => None,
            Self::Sent => Some(Heard::Sent),
            Self::Delivered => Some(Heard::Delivered),
            Self::Read => Some(Heard::Read),
            Self::Failed => Some(Heard::Failed(Failure { state, reason, code, details, retryable: false })),
        }
    }
}

impl Life {
    fn new(id: String, admission: Admission, random: &mut SmallRng) -> Self {
        let mut ahead = vec![(Step::Settle, false)];
        for step in [Step::Sent, Step::Delivered, Step::Read, Step::Failed] {
            // Most come, and most of these come twice.
            let times = [0, 1, 2, 2, 2][random.random_range(0..5)];
            ahead.extend([(step, false), (step, true)].into_iter().take(times));
        }
        ahead.shuffle(random);
        Self { id, admission, ahead, done: Vec::new() }
    }

    /// The next few statuses up to our own answer, or that answer.
    fn cut(&mut self, random: &mut SmallRng) -> Vec<(Step, bool)> {
        let most = self.ahead.len().min(random.random_range(1..=4));
        let own = self.ahead[..most].iter().position(|(step, _)| *step == Step::Settle);
        let steps: Vec<_> = self.ahead.drain(..own.map_or(most, |own| own.max(1))).collect();
        self.done.extend(steps.iter().map(|(step, _)| *step));
        steps
    }

    fn told(&self, step: Step, is_repeated: bool) -> StatusNews {
        let heard = step.heard().expect("not our own answer");
        let kind = match step {
            Step::Sent => Some("regular"),
            Step::Delivered => Some("free_customer_service"),
            Step::Settle | Step::Read | Step::Failed => None,
        };
        StatusNews { pricing: kind.map(price), ..status(&self.id, heard, step.at(is_repeated)) }
    }

    /// The row that must be left, whatever the order.
    fn row(&self) -> Vec<Option<String>> {
        let has = |step| self.done.contains(&step);
        let is_settled_first = self.done[0] == Step::Settle;
        let state = match () {
            () if has(Step::Read) => State::Read,
            () if has(Step::Delivered) => State::Delivered,
            () if has(Step::Failed) => State::Failed,
            () if has(Step::Sent) => State::Sent,
            () => State::Accepted,
        };
        let time = |step: Step| has(step).then(|| step.at(false));
        let proofs = [Step::Sent, Step::Delivered, Step::Read].map(time);
        let own = is_settled_first.then(|| Step::Settle.at(false));
        let accepted_at = own.or(proofs.into_iter().flatten().min());
        let ended_at = own.unwrap_or(at(NOW));
        let price = match () {
            () if has(Step::Delivered) => Some("free_customer_service"),
            () if has(Step::Sent) => Some("regular"),
            () => None,
        };
        let failed = state == State::Failed;
        let text = |time: Option<Timestamp>| time.map(|time| time.as_millis().to_string());
        let [sent_at, delivered_at, read_at] = proofs.map(text);
        vec![
            Some(state.to_string()),
            failed.then(|| Reason::MetaUnknown.to_string()),
            failed.then(|| "131000".to_owned()),
            Some(format!("wamid.{}", self.id)),
            price.map(str::to_owned),
            text(accepted_at),
            sent_at,
            delivered_at,
            read_at,
            text(Some(ended_at)),
            None,
        ]
    }
}

/// Lets so many messages live, each in an order of its own.
pub async fn every_order_leaves_the_same_row(bench: &Bench, messages: usize) {
    let steps = Steps::new(bench).await;
    let mut random = SmallRng::seed_from_u64(7);
    for group in 0..messages.div_ceil(ABREAST) {
        let ids: Vec<_> = (0..ABREAST).map(|n| format!("{group} {n}")).collect();
        let mut lives = begin(&steps, &ids, &mut random).await;
        while lives.iter().any(|life| !life.ahead.is_empty()) {
            live_on(bench, &mut lives, &mut random).await;
        }
        let query = format!(
            "SELECT id, state, reason, code, wamid, cost_type, accepted_at, sent_at, delivered_at, read_at, ended_at,
                 deadline FROM jobs WHERE id LIKE '{group} %'"
        );
        let mut rows: std::collections::HashMap<_, _> =
            bench.query(&query).await.into_iter().map(|mut row| (row.remove(0), row)).collect();
        for life in &lives {
            let row = rows.remove(&Some(life.id.clone())).expect("its row");
            assert_eq!(row, life.row(), "{:?}", life.done);
        }
    }
    assert!(bench.with_bodies().await.is_empty());
    let counted: u64 = steps.census().await.states.iter().map(|(_, n)| n).sum();
    assert_eq!(counted as usize, messages.div_ceil(ABREAST) * ABREAST);
}

async fn begin(steps: &Steps<'_>, ids: &[String], random: &mut SmallRng) -> Vec<Life> {
    let requests = ids.iter().map(|id| steps.delivery(job(id))).collect();
    let answers = steps.ledger.admit(requests, at(0)).await.expect("answered");
    ids.iter().zip(answers).map(|(id, answer)| Life::new(id.clone(), go(answer), random)).collect()
}

async fn live_on(bench: &Bench, lives: &mut [Life], random: &mut SmallRng) {
    let (mut statuses, mut settlements, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for life in lives.iter_mut().filter(|life| !life.ahead.is_empty()) {
        for (step, is_repeated) in life.cut(random) {
            if step == Step::Settle {
                let fate = Fate::Accepted { wamid: format!("wamid.{}", life.id), held_for_quality: false };
                settlements.push(settlement(&life.admission, fate, step.at(false)));
                expected.push(if life.done.len() == 1 { Settled::Done } else { Settled::Stale });
            } else {
                statuses.push(life.told(step, is_repeated));
            }
        }
    }
    let told = statuses.len();
    let applied = bench.apply(News { statuses, ..News::default() }, at(NOW)).await.expect("applied");
    assert_eq!(applied.statuses.len(), told);
    assert_eq!(bench.settle(settlements).await.expect("settled"), expected);
}
