//! One number's debts to its recipients: when it may write to a person again. Pure.
//!
//! Meta takes one message each 6 s from one number to one person, and more at once only on credit: after a burst of N
//! messages within 6 s nothing goes until N × 6 s have passed since its first. Whoever may go beyond his credit waits,
//! and who waits stands in a line: of one priority, people get first attempts in the order of publishing.
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform>, read 2026-09-11.

mod line;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::clock::Mono;
use crate::job::{JobKey, Priority, Recipient};

use line::Line;
pub use rule::PairRule;

/// No sweep below this many pairs.
const FIRST_SWEEP: usize = 4_096;
/// A charge of which nobody told what became of it counts as sent after so long.
const UNTOLD: Duration = Duration::from_secs(60);
/// Who stands in line and has not come so long after his time will not come, and holds up nobody any more.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A person as a number remembers him. Two people with one key share one debt: no more than a needless wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PairKey(u64);

impl PairKey {
    /// The key of a recipient.
    pub fn of(recipient: &Recipient) -> Self {
        let mut hasher = DefaultHasher::new();
        recipient.expose().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A job that would go.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// To whom.
    pub pair: PairKey,
    /// Decides how much it may borrow, and in which line it waits.
    pub priority: Priority,
    /// Which job.
    pub job: JobKey,
    /// When it was due, if it comes back from a wait.
    pub due: Option<Mono>,
}

/// Whether a job may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Now.
    Free,
    /// It has its place in line, and its turn is then.
    At(Mono),
}

/// What was sent to one person since he was owed nothing.
#[derive(Clone, Copy, Debug)]
struct Burst {
    /// When the first of it left; as long as none has, when it was charged.
    start: Mono,
    /// Sent or about to be.
    charged: u32,
    /// Of these, those whose bytes left.
    sent: u32,
    /// When the last was charged.
    touched: Mono,
    /// Meta refused: nothing before this.
    shut_until: Mono,
}

/// The debts and lines of one number.
#[derive(Debug)]
pub struct Pairs {
    rule: PairRule,
    bursts: HashMap<PairKey, Burst>,
    lines: HashMap<(PairKey, Priority), Line>,
    next_sweep: usize,
}

impl Pairs {
    /// No debts yet.
    pub fn new(rule: PairRule) -> Self {
        Self { rule, bursts: HashMap::new(), lines: HashMap::new(), next_sweep: FIRST_SWEEP }
    }

    /// Whether this job may go now; if not, it has its place in line from here on.
    pub fn turn(&mut self, candidate: &Candidate, now: Mono) -> Turn {
        let burst = self.bursts.get(&candidate.pair);
        let free_at = burst.map_or(now, |burst| burst.free_at(&self.rule, candidate.priority, now));
        let at = if self.lines.is_empty() { free_at } else { free_at.max(self.place(candidate, now)) };
        if at <= now {
            return Turn::Free;
        }
        let line = self.lines.entry((candidate.pair, candidate.priority)).or_default();
        line.promise(candidate, at);
        Turn::At(at)
    }

    /// When it is this job's turn among those that wait, whatever the debt. A newcomer stands behind everyone of its
    /// priority and above; who comes back has his place already.
    fn place(&mut self, candidate: &Candidate, now: Mono) -> Mono {
        let given_up = now - self.grace();
        let mut ahead: Option<Mono> = None;
        for priority in Priority::ALL {
            let is_own = *priority == candidate.priority;
            let key = (candidate.pair, *priority);
            if let Some(line) = self.lines.get_mut(&key) {
                line.give_up(given_up, candidate.job);
                let before = if candidate.due.is_none() {
                    line.last()
                } else if is_own {
                    line.before(candidate)
                } else {
                    None
                };
                ahead = ahead.max(before);
                if line.is_empty() {
                    self.lines.remove(&key);
                }
            }
            if is_own {
                break;
            }
        }
        ahead.map_or(now, |ahead| ahead.max(now) + self.rule.interval)
    }

    fn grace(&self) -> Duration {
        self.rule.interval.max(LEAST_GRACE)
    }

    /// A job whose turn it is goes: it is asked for.
    pub fn charge(&mut self, candidate: &Candidate, now: Mono) {
        let key = (candidate.pair, candidate.priority);
        if let Some(line) = self.lines.get_mut(&key) {
            line.leave(candidate.job);
            if line.is_empty() {
                self.lines.remove(&key);
            }
        }
        if self.bursts.len() + self.lines.len() >= self.next_sweep {
            self.sweep(now);
        }
        let new = Burst { start: now, charged: 0, sent: 0, touched: now, shut_until: Mono::default() };
        let burst = self.bursts.entry(candidate.pair).or_insert(new);
        if burst.owes_until(&self.rule, now) <= now {
            *burst = new;
        }
        burst.charged += 1;
        burst.touched = now;
    }

    /// Whether the bytes of a charged job may leave now. Late ones may have missed their burst.
    pub fn may_start(&self, pair: PairKey, now: Mono) -> bool {
        self.bursts.get(&pair).is_none_or(|burst| {
            let is_first = burst.sent == 0;
            now >= burst.shut_until
                && (is_first || now < burst.start + self.rule.late_window() || burst.is_paid(&self.rule, now))
        })
    }

    /// The bytes of a charged job leave.
    pub fn started(&mut self, pair: PairKey, now: Mono) {
        let Some(burst) = self.bursts.get_mut(&pair) else { return };
        if burst.sent == 0 {
            burst.start = now;
        } else if now >= burst.start + self.rule.late_window() && burst.is_paid(&self.rule, now) {
            // What came before is paid back: those that left late begin a burst of their own.
            burst.charged = burst.charged.saturating_sub(burst.sent);
            burst.sent = 0;
            burst.start = now;
        }
        burst.sent += 1;
        burst.charged = burst.charged.max(burst.sent);
    }

    /// A charged job does not go, and its bytes have not left.
    pub fn refund(&mut self, pair: PairKey) {
        if let Some(burst) = self.bursts.get_mut(&pair) {
            burst.charged = burst.charged.saturating_sub(1).max(burst.sent);
        }
    }

    /// A started job has come to nothing: no byte left after all.
    pub fn refund_started(&mut self, pair: PairKey) {
        if let Some(burst) = self.bursts.get_mut(&pair) {
            burst.sent = burst.sent.saturating_sub(1);
            burst.charged = burst.charged.saturating_sub(1).max(burst.sent);
        }
    }

    /// Meta refused one for the pair's sake: whoever else would write to this person waits as long.
    pub fn refused(&mut self, pair: PairKey, until: Mono, now: Mono) {
        let new = Burst { start: now, charged: 0, sent: 0, touched: now, shut_until: until };
        let burst = self.bursts.entry(pair).or_insert(new);
        burst.shut_until = burst.shut_until.max(until);
    }

    /// Forgets who owes nothing and what nobody comes for, whenever the tables have doubled since the last time.
    fn sweep(&mut self, now: Mono) {
        let given_up = now - self.grace();
        self.bursts.retain(|_, burst| burst.owes_until(&self.rule, now) > now);
        self.lines.retain(|_, line| line.last() > Some(given_up));
        let left = self.bursts.len() + self.lines.len();
        self.bursts.shrink_to(left * 2);
        self.lines.shrink_to(left * 2);
        self.next_sweep = (left * 2).max(FIRST_SWEEP);
    }
}

impl Burst {
    /// When one more may go: now, or when the debt is paid back.
    fn free_at(&self, rule: &PairRule, priority: Priority, now: Mono) -> Mono {
        let may_borrow = now < self.start + rule.window() && self.charged < rule.burst(priority);
        if may_borrow { self.shut_until } else { self.owes_until(rule, now) }
    }

    /// When nothing is owed any more. What has not left yet can't be paid for yet.
    fn owes_until(&self, rule: &PairRule, now: Mono) -> Mono {
        if self.charged == 0 {
            return self.shut_until;
        }
        let untold = if now.since(self.touched) < UNTOLD { self.charged - self.sent } else { 0 };
        let mut paid = self.start + rule.interval * self.charged;
        if untold > 0 {
            paid = paid.max(now + rule.interval * untold);
        }
        (paid + rule.margin).max(self.shut_until)
    }

    /// Whether what has left is paid back.
    fn is_paid(&self, rule: &PairRule, now: Mono) -> bool {
        now >= self.start + rule.interval * self.sent + rule.margin
    }
}
