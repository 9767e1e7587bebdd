//! Calls that stand in line, and go together: what gathers while one batch is being committed is the next one.

use std::mem;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::desk::{Desk, SharedDesk};
use crate::ledger::LedgerError;

/// A batch takes no more calls past this many rows.
pub(super) const BATCH: usize = 200;
/// So many rows are worth a second commit beside the one that is under way.
const ENOUGH: usize = 64;
/// How many calls may stand in line; who comes later waits for room before it asks.
const ROOM: usize = 512;

type Answers<Answer> = Result<Vec<Answer>, LedgerError>;

/// What becomes of a batch: an answer for each that asked, in order.
pub(super) type Work<Ask, Answer> = for<'a> fn(&'a Desk, &'a [Ask]) -> BoxFuture<'a, Answers<Answer>>;

/// The asking side.
pub(super) struct Line<Ask, Answer> {
    calls: mpsc::Sender<Call<Ask, Answer>>,
}

struct Call<Ask, Answer> {
    asks: Vec<Ask>,
    answer: oneshot::Sender<Answers<Answer>>,
}

/// The side that works; whoever owns it runs it.
pub(super) struct Counter<Ask, Answer> {
    calls: mpsc::Receiver<Call<Ask, Answer>>,
    work: Work<Ask, Answer>,
    /// How many batches may be under way at once.
    abreast: usize,
}

/// Both sides.
pub(super) fn open<Ask, Answer>(work: Work<Ask, Answer>, abreast: usize) -> (Line<Ask, Answer>, Counter<Ask, Answer>) {
    let (sender, calls) = mpsc::channel(ROOM);
    (Line { calls: sender }, Counter { calls, work, abreast })
}

impl<Ask, Answer> Line<Ask, Answer> {
    /// Stands in line; dropping the future loses the answer alone, once it stands there.
    pub(super) async fn ask(&self, asks: impl IntoIterator<Item = Ask>) -> Answers<Answer> {
        let mut asks = asks.into_iter().peekable();
        let mut parts = Vec::new();
        while asks.peek().is_some() {
            let (answer, answered) = oneshot::channel();
            let part = Call { asks: asks.by_ref().take(BATCH).collect(), answer };
            self.calls.send(part).await.map_err(|_| closed())?;
            parts.push(answered);
        }
        let mut answers = Vec::new();
        for part in parts {
            let part = part.await.map_err(|_| closed())??;
            if answers.is_empty() {
                answers = part;
            } else {
                answers.extend(part);
            }
        }
        Ok(answers)
    }
}

fn closed() -> LedgerError {
    LedgerError::Unreachable("the ledger was closed".to_owned())
}

impl<Ask: Send + Sync, Answer: Send> Counter<Ask, Answer> {
    /// Serves the line until nobody can ask any more, and all that was asked is done.
    pub(super) async fn serve(mut self, desk: SharedDesk) {
        let (mut gathered, mut rows, mut is_open) = (Vec::new(), 0, true);
        let mut under_way = FuturesUnordered::new();
        loop {
            while rows < BATCH {
                let Ok(call) = self.calls.try_recv() else { break };
                rows += call.asks.len();
                gathered.push(call);
            }
            let may_go = under_way.is_empty() || under_way.len() < self.abreast && rows >= ENOUGH;
            if rows > 0 && may_go {
                under_way.push(carry_out(&desk, self.work, mem::take(&mut gathered)));
                rows = 0;
            }
            tokio::select! {
                biased;
                Some(()) = under_way.next() => {}
                call = self.calls.recv(), if is_open && rows < BATCH => match call {
                    Some(call) => {
                        rows += call.asks.len();
                        gathered.push(call);
                    }
                    None => is_open = false,
                },
                else => return,
            }
        }
    }
}

async fn carry_out<Ask, Answer>(desk: &Desk, work: Work<Ask, Answer>, mut calls: Vec<Call<Ask, Answer>>) {
    let all: Vec<Ask> = match &mut calls[..] {
        [one] => mem::take(&mut one.asks),
        several => {
            let lengths: Vec<usize> = several.iter().map(|call| call.asks.len()).collect();
            let all = several.iter_mut().flat_map(|call| mem::take(&mut call.asks)).collect();
            return carry_out_together(desk, work, all, calls.into_iter().zip(lengths).collect()).await;
        }
    };
    let call = calls.pop().expect("there is one");
    // Nobody may be waiting any more: the call was dropped, what it asked for is done all the same.
    let _ = call.answer.send(work(desk, &all).await);
}

/// One call's trouble with its values must not be its neighbours': then each goes alone.
async fn carry_out_together<Ask, Answer>(
    desk: &Desk,
    work: Work<Ask, Answer>,
    all: Vec<Ask>,
    calls: Vec<(Call<Ask, Answer>, usize)>,
) {
    let mut rest = &all[..];
    match work(desk, &all).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for (call, length) in calls {
                let _ = call.answer.send(Ok(answers.by_ref().take(length).collect()));
            }
        }
        Err(LedgerError::Damaged(_)) => {
            for (call, length) in calls {
                let (own, others) = rest.split_at(length);
                rest = others;
                let _ = call.answer.send(work(desk, own).await);
            }
        }
        Err(error) => {
            for (call, _) in calls {
                let _ = call.answer.send(Err(error.clone()));
            }
        }
    }
}
