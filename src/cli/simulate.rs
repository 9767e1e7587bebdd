//! `tidegate simulate`: a Cloud API that behaves as Meta's, to try things on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::args;
use super::context::Context;
use super::exit::{BadUsage, Exit};
use super::output::Output;
use super::wording::{Count, say};
use crate::sim::{
    AnswerShares, AppSecret, Delays, FailedShare, Fault, HandshakeError, Latency, NumberSpec, Sim, SimConfig, Token,
    WebhookConfig, WebhookCounts,
};

/// Flags of `tidegate simulate`.
#[derive(Args, Debug)]
pub struct Simulate {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:4010", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A number, as in id=1001,quality=GREEN,mps=80,display=+15550001001; may stand several times (default: any
    /// number that is asked for is there)
    #[arg(long, value_name = "SPEC")]
    number: Vec<NumberSpec>,
    /// A fault, as in number=1001,every=20,code=131000 or first=5,hang; may stand several times
    #[arg(long, value_name = "SPEC")]
    fault: Vec<Fault>,
    /// A token that may use every number; may stand several times (default: any token will do)
    #[arg(long)]
    token: Vec<String>,
    /// Append what it accepted and refused to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    oracle: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long an answer takes: the median, or median/p99, as in 40ms/200ms
    #[arg(long, value_name = "MEDIAN/P99", value_parser = latency)]
    latency: Option<Latency>,
    /// So many simulated seconds pass in a real one, for the pair limit and the messaging limit
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    time_scale: f64,
    /// At most so many different recipients in 24 hours (default: unlimited)
    #[arg(long, value_name = "RECIPIENTS")]
    messaging_limit: Option<u32>,
    /// Let free-form messages fail by webhook (131047) unless their recipient wrote within the last 24 hours
    #[arg(long)]
    strict_windows: bool,
    /// Accept everything at once, check nothing and tell nobody, for benches
    #[arg(long)]
    stub: bool,
    #[command(flatten)]
    webhooks: Box<Webhooks>,
}

/// What it tells by webhook, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Webhooks")]
struct Webhooks {
    /// Post webhooks there, as in http://127.0.0.1:8080/webhook (default: none are posted)
    #[arg(long, value_name = "URL", requires = "app_secret")]
    webhook_url: Option<String>,
    /// What webhooks are signed with
    #[arg(long, value_name = "SECRET", env = "WHATSAPP_APP_SECRET", hide_env_values = true)]
    app_secret: Option<String>,
    /// Make Meta's handshake with this verify token at the start, and say how it went
    #[arg(long, value_name = "TOKEN", requires = "webhook_url")]
    webhook_verify_token: Option<String>,
    /// Multiply all delays and waits of webhooks by this: 0.01 makes a hundred seconds one
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", requires = "webhook_url")]
    webhook_scale: f64,
    /// Seconds that each status takes after the step before it, least/most [default:
    /// sent=0.05/1,delivered=0.2/20,read=1/120]
    #[arg(long, value_name = "SPEC", requires = "webhook_url")]
    webhook_delays: Option<Delays>,
    /// The share of messages that are delivered, 0 to 1; the others are sent and never more
    #[arg(long, default_value_t = 1.0, value_name = "SHARE", requires = "webhook_url")]
    webhook_delivered: f64,
    /// The share of delivered messages that are read, 0 to 1
    #[arg(long, default_value_t = 0.7, value_name = "SHARE", requires = "webhook_url")]
    webhook_read: f64,
    /// The share of read messages of which no delivery is told, because they were read at once, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", requires = "webhook_url")]
    webhook_only_read: f64,
    /// What fails, as in code=131026,share=0.1,number=1001,recipient_suffix=99; may stand several times
    #[arg(long, value_name = "SPEC", requires = "webhook_url")]
    webhook_failed: Vec<FailedShare>,
    /// The share of updates that come twice, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", requires = "webhook_url")]
    webhook_repeats: f64,
    /// The share of messages of which two statuses come in the wrong order, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", requires = "webhook_url")]
    webhook_disorder: f64,
    /// The shares of delivered messages that are answered by STOP, a sentence or a tap on a button, as in
    /// stop=0.01,text=0.1,button=0.05 (default: none are answered)
    #[arg(long, value_name = "SHARES", requires = "webhook_url")]
    webhook_answers: Option<AnswerShares>,
    /// Updates in one webhook, at most: 1 to 1000
    #[arg(long, default_value_t = 100, value_name = "UPDATES", requires = "webhook_url")]
    webhook_batch: usize,
    /// Webhooks under way at a time: 1 to 1024
    #[arg(long, default_value_t = 8, value_name = "POSTS", requires = "webhook_url")]
    webhook_concurrency: usize,
}

impl Webhooks {
    fn config(self) -> Option<WebhookConfig> {
        let url = self.webhook_url?;
        Some(WebhookConfig {
            url,
            app_secret: AppSecret(self.app_secret.unwrap_or_default()),
            scale: self.webhook_scale,
            delays: self.webhook_delays.unwrap_or_default(),
            delivered_share: self.webhook_delivered,
            read_share: self.webhook_read,
            only_read_share: self.webhook_only_read,
            failed: self.webhook_failed,
            repeat_share: self.webhook_repeats,
            disorder_share: self.webhook_disorder,
            answers: self.webhook_answers.unwrap_or_default(),
            most_in_one_post: self.webhook_batch,
            concurrency: self.webhook_concurrency,
            ..WebhookConfig::default()
        })
    }
}

fn latency(text: &str) -> Result<Latency, String> {
    let (median, p99) = text.split_once('/').unwrap_or((text, text));
    let milliseconds = |text: &str| args::length(text).map(|length| length.as_secs_f64() * 1_000.0);
    Ok(Latency { median_ms: milliseconds(median)?, p99_ms: milliseconds(p99)? })
}

#[derive(Serialize)]
struct Running {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
}

impl Simulate {
    fn config(self) -> SimConfig {
        SimConfig {
            listen: self.listen,
            tokens: self.token.into_iter().map(Token).collect(),
            any_number: self.number.is_empty(),
            numbers: self.number,
            faults: self.fault,
            latency: self.latency.unwrap_or_default(),
            seed: self.seed,
            time_scale: self.time_scale,
            messaging_limit: self.messaging_limit,
            strict_windows: self.strict_windows,
            stub: self.stub,
            webhooks: self.webhooks.config(),
            oracle_file: self.oracle,
            ..SimConfig::default()
        }
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let verify_token = self.webhooks.webhook_verify_token.clone();
        let config = self.config();
        config.check().map_err(|error| BadUsage(error.to_string()))?;
        let number = config.numbers.first().map_or_else(|| "1001".to_owned(), |number| number.id.clone());
        let token = config.tokens.first().map_or_else(|| "anything".to_owned(), |token| token.0.clone());
        let webhook_url = config.webhooks.as_ref().map(|webhooks| webhooks.url.clone());
        let address = config.listen;
        let mut terminate = signal(SignalKind::terminate())?;
        let sim = match Sim::start(config).await {
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                return Err(cause)
                    .context(format!("{address} is taken: say another --listen, or port 0 for any free one"));
            }
            started => started.context("the simulator can't start")?,
        };
        let running = Running { url: sim.url(), webhook_url };
        context.output.one(&running, || running.url.clone())?;
        if context.output == Output::Table {
            say(how_to_use(&running.url, &number, &token));
            say(where_webhooks_go(running.webhook_url.as_deref()));
        }
        if let Some(verify_token) = verify_token {
            say(handshake_line(sim.verify_webhook(&verify_token).await));
        }
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        let accepted = sim.oracle().accepted();
        let counts = running.webhook_url.is_some().then(|| sim.webhook_counts());
        sim.stop().await?;
        say(format_args!("accepted {}", Count(accepted)));
        if let Some(counts) = counts {
            say(webhooks_line(&counts));
        }
        Ok(Exit::Done)
    }
}

fn how_to_use(url: &str, number: &str, token: &str) -> String {
    format!(
        "a simulated Cloud API listens at {url}. To send to it, in another terminal:\n\
         \n  \
         export TIDEGATE_CLOUD_API__BASE_URL={url}\n  \
         export WHATSAPP_ACCESS_TOKEN={token} WHATSAPP_PHONE_NUMBER_ID={number}\n  \
         tidegate send --to +447700900123 --text hello --run\n\
         \n\
         Ctrl-C ends it."
    )
}

fn where_webhooks_go(url: Option<&str>) -> String {
    match url {
        Some(url) => format!("webhooks go to {url}"),
        None => "webhooks go nowhere: say --webhook-url and --app-secret to get them".to_owned(),
    }
}

fn handshake_line(made: Result<(), HandshakeError>) -> String {
    match made {
        Ok(()) => "the handshake with the webhook's receiver went well".to_owned(),
        Err(error) => {
            format!("the handshake with the webhook's receiver failed: {error}. Webhooks are posted all the same.")
        }
    }
}

fn webhooks_line(counts: &WebhookCounts) -> String {
    format!(
        "webhooks: {} acknowledged, {} refused, {} given up; {} updates were still waiting",
        Count(counts.acknowledged),
        Count(counts.refused),
        Count(counts.given_up),
        Count(counts.waiting as u64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The webhooks of these flags.
    fn webhooks(flags: &str) -> Option<WebhookConfig> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            simulate: Simulate,
        }
        let words = std::iter::once("simulate").chain(flags.split_whitespace());
        <Line as clap::Parser>::parse_from(words).simulate.config().webhooks
    }

    #[test]
    fn webhooks_need_an_address_and_take_their_options_from_flags() {
        assert!(webhooks("").is_none());
        let read = webhooks(
            "--webhook-url http://127.0.0.1:1/hook --app-secret x --webhook-scale 0.01 --webhook-batch 7 \
             --webhook-failed code=131026,share=0.1 --webhook-failed code=131049 --webhook-answers stop=0.5",
        );
        let read = read.unwrap();
        assert_eq!((read.url.as_str(), read.scale, read.most_in_one_post), ("http://127.0.0.1:1/hook", 0.01, 7));
        assert_eq!(read.failed, [FailedShare::of(131_026, 0.1), FailedShare::of(131_049, 1.0)]);
        assert!((read.answers.stop - 0.5).abs() < 1e-9);
        assert_eq!(read.delays, Delays::default());
    }

    #[test]
    fn latency_is_a_median_and_perhaps_a_p99() {
        assert_eq!(latency("40ms/200ms"), Ok(Latency { median_ms: 40.0, p99_ms: 200.0 }));
        assert_eq!(latency("1s"), Ok(Latency { median_ms: 1_000.0, p99_ms: 1_000.0 }));
        assert!(latency("40").is_err());
    }
}
