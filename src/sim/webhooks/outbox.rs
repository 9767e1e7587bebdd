//! What is to be posted, when, and what became of it. No I/O, no clock of its own.

use super::config::WebhookConfig;
use super::counts::{Histogram, WebhookCounts};
use super::timeline::Timeline;
use super::update::Update;
use crate::sim::customer::Answer;
use crate::sim::limits::WEBHOOK_BYTES;
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Updates that wait, and POSTs that are to be made again.
pub(crate) struct Outbox {
    pub(crate) config: WebhookConfig,
    updates: Timeline<Update>,
    retries: Timeline<Post>,
    pub(super) answers: Timeline<Answer>,
    /// Updates being posted or waiting to be posted again.
    held_in_posts: usize,
    pub(super) rng: SmallRng,
    pub(super) counts: WebhookCounts,
    times: Histogram,
    bell: Arc<Notify>,
    settled: Arc<Notify>,
    /// Nothing will be posted any more.
    is_closed: bool,
}

/// One POST, made once or more often.
#[derive(Debug)]
pub(crate) struct Post {
    pub(super) updates: Vec<Update>,
    /// The body, once it was written: retries repeat it to the letter.
    pub(super) body: Option<Bytes>,
    first_at_ns: u64,
    attempts: u32,
}

#[cfg(test)]
impl Post {
    /// What it tells, each with the callback data of its message.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |update: &Update| match update {
            Update::Status { message, .. } => format!("{} {:?}", update.kind(), message.callback),
            Update::Message { .. } | Update::Event { .. } | Update::Raw(_) => update.kind().to_owned(),
        };
        self.updates.iter().map(word).collect()
    }
}

/// What is to be done next.
pub(crate) enum Next {
    /// Make this POST, and [`Outbox::settle`] it.
    Post(Post),
    /// Nothing is due before this time.
    WaitUntil(u64),
    /// Nothing waits.
    Idle,
}

impl Outbox {
    /// An empty one; `seed` decides everything it draws.
    pub(crate) fn new(config: WebhookConfig, seed: u64) -> Self {
        Self {
            config,
            updates: Timeline::default(),
            retries: Timeline::default(),
            answers: Timeline::default(),
            held_in_posts: 0,
            rng: SmallRng::seed_from_u64(seed ^ 0x0B0C_5EED),
            counts: WebhookCounts::default(),
            times: Histogram::default(),
            bell: Arc::default(),
            settled: Arc::default(),
            is_closed: false,
        }
    }

    /// Rings when something may be due earlier than was thought.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }

    /// Whether there is nothing left to wait for: nothing waits, or nothing will be posted any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_closed || self.waiting() == 0
    }

    /// Lets everybody go: nothing will be posted any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.settled.notify_waiters();
    }

    /// Rings whenever the last waiting update was acknowledged or given up, and at the end.
    pub(crate) fn settled(&self) -> Arc<Notify> {
        Arc::clone(&self.settled)
    }

    /// Plans an update, and perhaps its repeat. Without room it is dropped.
    pub(crate) fn plan(&mut self, at_ns: u64, update: Update) {
        *self.counts.planned.entry(update.kind()).or_default() += 1;
        if self.draws(self.config.repeat_share) {
            self.counts.repeats += 1;
            let delay_ns = self.delay_ns(self.config.delays.sent);
            self.put(at_ns + delay_ns, update.clone());
        }
        self.put(at_ns, update);
    }

    fn put(&mut self, at_ns: u64, update: Update) {
        if self.waiting() >= self.config.capacity {
            self.counts.dropped += 1;
            if self.counts.dropped.is_power_of_two() {
                let (dropped, capacity) = (self.counts.dropped, self.config.capacity);
                tracing::warn!(dropped, capacity, "the simulator dropped {dropped} webhook updates for want of room");
            }
            return;
        }
        let is_first = self.next_at_ns().is_none_or(|next| at_ns < next);
        self.updates.put(at_ns, update);
        if is_first {
            self.bell.notify_one();
        }
    }

    /// Plans what a customer says at `at_ns`; without room, nothing.
    pub(super) fn plan_answer(&mut self, at_ns: u64, answer: Answer) {
        if self.waiting() < self.config.capacity {
            self.answers.put(at_ns, answer);
            self.bell.notify_one();
        } else {
            self.counts.dropped += 1;
        }
    }

    /// The next answer of a customer that is due, with its time.
    pub(crate) fn take_answer(&mut self, now_ns: u64) -> Option<(u64, Answer)> {
        self.answers.take_due(now_ns)
    }

    /// Another place for everything that is posted from now on.
    pub(crate) fn point_at(&mut self, url: String) {
        self.config.url = url;
        self.bell.notify_one();
    }

    fn next_at_ns(&self) -> Option<u64> {
        [self.updates.next_at_ns(), self.retries.next_at_ns(), self.answers.next_at_ns()].into_iter().flatten().min()
    }

    /// Updates that are not acknowledged yet.
    fn waiting(&self) -> usize {
        self.updates.len() + self.answers.len() + self.held_in_posts
    }

    /// What is to be done now. Retries go before what is new.
    pub(crate) fn next(&mut self, now_ns: u64) -> Next {
        if self.config.url.is_empty() {
            // Customers speak all the same.
            return self.answers.next_at_ns().map_or(Next::Idle, Next::WaitUntil);
        }
        if let Some((_, post)) = self.retries.take_due(now_ns) {
            self.counts.retried += 1;
            return Next::Post(self.count_attempt(post));
        }
        if let Some(post) = self.gather(now_ns) {
            self.held_in_posts += post.updates.len();
            self.counts.largest_post = self.counts.largest_post.max(post.updates.len());
            return Next::Post(self.count_attempt(post));
        }
        self.next_at_ns().map_or(Next::Idle, Next::WaitUntil)
    }

    fn count_attempt(&mut self, post: Post) -> Post {
        self.counts.posted += 1;
        Post { attempts: post.attempts + 1, ..post }
    }

    /// All that is due, as far as one POST can carry it; a raw body goes alone.
    fn gather(&mut self, now_ns: u64) -> Option<Post> {
        let (_, first) = self.updates.take_due(now_ns)?;
        let mut bytes = first.most_bytes();
        let mut updates = vec![first];
        while !matches!(updates[0], Update::Raw(_)) && updates.len() < self.config.most_in_one_post {
            let fits = |update: &Update| {
                bytes += update.most_bytes();
                bytes <= WEBHOOK_BYTES && !matches!(update, Update::Raw(_))
            };
            let Some((_, update)) = self.updates.take_due_if(now_ns, fits) else {
                break;
            };
            updates.push(update);
        }
        Some(Post { updates, body: None, first_at_ns: now_ns, attempts: 0 })
    }

    /// Notes what became of a POST, and plans the next try if it was not acknowledged.
    pub(crate) fn settle(&mut self, post: Post, acknowledged: bool, took: Option<Duration>, now_ns: u64) {
        if let Some(took) = took {
            self.times.note(took);
        }
        if acknowledged {
            self.counts.acknowledged += 1;
            for update in &post.updates {
                *self.counts.acknowledged_updates.entry(update.kind()).or_default() += 1;
            }
        } else {
            self.counts.refused += 1;
            let retry_at_ns = now_ns.saturating_add(self.config.retry_ns(post.attempts));
            let last_ns = post.first_at_ns.saturating_add(self.config.scaled_ns(self.config.give_up_seconds));
            if retry_at_ns <= last_ns {
                self.retries.put(retry_at_ns, post);
                return;
            }
            self.counts.given_up += 1;
            self.counts.given_up_updates += post.updates.len() as u64;
            let (updates, attempts) = (post.updates.len(), post.attempts);
            tracing::warn!(updates, attempts, "the simulator gave up a webhook of {updates} updates");
        }
        self.held_in_posts -= post.updates.len();
        if self.waiting() == 0 {
            self.settled.notify_waiters();
        }
    }

    /// All counts as they stand.
    pub(crate) fn counts(&self) -> WebhookCounts {
        WebhookCounts { waiting: self.waiting(), answers: self.times.summary(), ..self.counts.clone() }
    }

    /// Whether this one is of the share.
    pub(super) fn draws(&mut self, share: f64) -> bool {
        // Nothing is drawn where nothing can differ: so adding an option leaves all else as it was.
        share > 0.0 && (share >= 1.0 || self.rng.random_bool(share))
    }

    /// A delay in scaled nanoseconds.
    pub(super) fn delay_ns(&mut self, between: super::config::Between) -> u64 {
        let share: f64 = self.rng.random();
        let seconds = between.least_seconds + share * (between.most_seconds - between.least_seconds);
        self.config.scaled_ns(seconds)
    }
}
