//! What the simulator is told about its webhooks.

use crate::sim::key_values::SpecError;
use crate::sim::limits::{WEBHOOK_RETRIES_LAST, WEBHOOK_UPDATES};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// Where webhooks go and what they tell. The default tells everything once and in order, and reads most of it.
///
/// All seconds but `answer_within_seconds` are multiplied by `scale`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where they go; empty: they wait until [`Sim::set_webhook_url`](crate::sim::Sim::set_webhook_url) says where.
    pub url: String,
    /// What they are signed with.
    pub app_secret: AppSecret,
    /// All waiting is multiplied by this: 0.01 makes a hundred seconds one.
    pub scale: f64,
    /// How long after the step before it each status comes.
    pub delays: Delays,
    /// The share of messages that did not fail and are delivered (0 to 1); the others are `sent` and never more.
    pub delivered_share: f64,
    /// The share of delivered messages that are read.
    pub read_share: f64,
    /// The share of read messages that were read at once: Meta then tells of no `delivered`.
    pub only_read_share: f64,
    /// What fails; of several, the first that meets a message decides.
    pub failed: Vec<FailedShare>,
    /// The share of updates that are sent twice.
    pub repeat_share: f64,
    /// The share of messages of which two neighbouring statuses come in the wrong order.
    pub disorder_share: f64,
    /// The share of delivered messages that their recipients answer.
    pub answers: AnswerShares,
    /// Free-form messages, and utility templates inside a service window, cost nothing: as it was until 2026-09-30.
    pub service_is_free: bool,
    /// Updates in one POST, at most (1 to 1,000): those that are due together.
    pub most_in_one_post: usize,
    /// POSTs under way at a time.
    pub concurrency: usize,
    /// Updates held at a time, those being posted and retried included; past that, new ones are dropped and counted.
    pub capacity: usize,
    /// An answer that takes longer (real seconds, never scaled) is none.
    pub answer_within_seconds: f64,
    /// The wait after the first POST that was not answered with 200; it doubles each time.
    pub first_retry_seconds: f64,
    /// The longest such wait.
    pub longest_retry_seconds: f64,
    /// A POST is given up so long after it was first made.
    pub give_up_seconds: f64,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            app_secret: AppSecret(String::new()),
            scale: 1.0,
            delays: Delays::default(),
            delivered_share: 1.0,
            read_share: 0.7,
            only_read_share: 0.0,
            failed: Vec::new(),
            repeat_share: 0.0,
            disorder_share: 0.0,
            answers: AnswerShares::default(),
            service_is_free: false,
            most_in_one_post: 100,
            concurrency: 8,
            capacity: 1_000_000,
            answer_within_seconds: 10.0,
            first_retry_seconds: 2.0,
            longest_retry_seconds: 3_600.0,
            give_up_seconds: WEBHOOK_RETRIES_LAST.as_secs_f64(),
        }
    }
}

impl WebhookConfig {
    /// The default, sent to `url` and signed with `app_secret`.
    pub fn new(url: impl Into<String>, app_secret: impl Into<String>) -> Self {
        Self { url: url.into(), app_secret: AppSecret(app_secret.into()), ..Self::default() }
    }

    /// What is wrong with it, if anything: the first problem, with its key and what is allowed.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let bad = |key: &str, given: String, allowed: &str| {
            Err(SpecError::bad_value(&format!("webhooks.{key}"), &given, allowed))
        };
        let is_web = |text: &str| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !self.url.is_empty() && !is_web(&self.url) {
            return bad("url", self.url.clone(), "an http or https address");
        }
        if self.app_secret.0.is_empty() {
            return bad("app_secret", String::new(), "any text but the empty one");
        }
        if !(1e-6..=1e3).contains(&self.scale) {
            return bad("scale", self.scale.to_string(), "a number from 0.000001 to 1000");
        }
        let AnswerShares { stop, text, button } = self.answers;
        let shares = [
            ("delivered_share", self.delivered_share),
            ("read_share", self.read_share),
            ("only_read_share", self.only_read_share),
            ("repeat_share", self.repeat_share),
            ("disorder_share", self.disorder_share),
            ("answers", stop.min(text).min(button)),
            ("answers", stop + text + button),
        ];
        for (key, share) in shares.into_iter().chain(self.failed.iter().map(|failed| ("failed.share", failed.share))) {
            if !(0.0..=1.0).contains(&share) {
                return bad(key, share.to_string(), "a share from 0 to 1");
            }
        }
        let Delays { sent, delivered, read } = self.delays;
        for Between { least_seconds, most_seconds } in [sent, delivered, read] {
            if !(least_seconds >= 0.0 && most_seconds >= least_seconds && most_seconds <= 1e7) {
                return bad("delays", format!("{least_seconds} to {most_seconds}"), "0 <= least <= most <= 10000000");
            }
        }
        if !(1..=WEBHOOK_UPDATES).contains(&self.most_in_one_post) {
            return bad("most_in_one_post", self.most_in_one_post.to_string(), "a whole number from 1 to 1000");
        }
        if !(1..=1_024).contains(&self.concurrency) {
            return bad("concurrency", self.concurrency.to_string(), "a whole number from 1 to 1024");
        }
        let waits = [
            ("answer_within_seconds", self.answer_within_seconds),
            ("first_retry_seconds", self.first_retry_seconds),
            ("longest_retry_seconds", self.longest_retry_seconds),
            ("give_up_seconds", self.give_up_seconds),
        ];
        for (key, seconds) in waits {
            if !(0.0..=1e7).contains(&seconds) || seconds == 0.0 {
                return bad(key, seconds.to_string(), "a number of seconds above 0, at most 10000000");
            }
        }
        Ok(())
    }

    /// So many of our seconds as real nanoseconds.
    pub(super) fn scaled_ns(&self, seconds: f64) -> u64 {
        (seconds * self.scale * 1e9) as u64
    }

    /// The wait after the `attempts`-th POST in vain.
    pub(super) fn retry_ns(&self, attempts: u32) -> u64 {
        let doubled = self.first_retry_seconds * 2f64.powi(attempts.saturating_sub(1).min(60) as i32);
        self.scaled_ns(doubled.min(self.longest_retry_seconds))
    }

    /// See [`WebhookConfig::answer_within_seconds`].
    pub(crate) fn answer_within(&self) -> Duration {
        Duration::from_secs_f64(self.answer_within_seconds)
    }
}

/// The app secret. It is only a simulated one, but people paste real ones by mistake: it is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AppSecret(pub String);

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A length of time drawn evenly between two.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The shortest.
    pub least_seconds: f64,
    /// The longest.
    pub most_seconds: f64,
}

impl Between {
    /// From so many seconds to so many.
    pub fn seconds(least_seconds: f64, most_seconds: f64) -> Self {
        Self { least_seconds, most_seconds }
    }
}

/// How long each status takes after the step before it: `sent` after the acceptance, `delivered` after `sent`, `read`
/// after `delivered`. As text: `sent=0.05/1,delivered=0.2/20,read=1/120`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// From the acceptance to `sent`, or to `failed`.
    pub sent: Between,
    /// From `sent` to `delivered`.
    pub delivered: Between,
    /// From `delivered` to `read`, and to an answer.
    pub read: Between,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            sent: Between::seconds(0.05, 1.0),
            delivered: Between::seconds(0.2, 20.0),
            read: Between::seconds(1.0, 120.0),
        }
    }
}

/// What fails after it was accepted. As text: `code=131026,share=0.1,number=1001,recipient_suffix=99`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedShare {
    /// The code that the status carries.
    pub code: u32,
    /// The share of the messages that meet the conditions (0 to 1).
    #[serde(default = "all")]
    pub share: f64,
    /// Only messages of this number.
    #[serde(default)]
    pub number: Option<String>,
    /// Only messages to recipients that end so.
    #[serde(default)]
    pub recipient_suffix: Option<String>,
}

fn all() -> f64 {
    1.0
}

impl FailedShare {
    /// This share of all messages fails with this code.
    pub fn of(code: u32, share: f64) -> Self {
        Self { code, share, number: None, recipient_suffix: None }
    }
}

/// How many delivered messages are answered, and by what. As text: `stop=0.01,text=0.1,button=0.05`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerShares {
    /// By the word STOP.
    pub stop: f64,
    /// By a sentence.
    pub text: f64,
    /// By a tap on the message's first button; by a sentence, if it has none.
    pub button: f64,
}
