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
use crate::sim::{Fault, Latency, NumberSpec, Sim, SimConfig, Token};

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
    /// Accept everything at once and check nothing, for benches
    #[arg(long)]
    stub: bool,
}

fn latency(text: &str) -> Result<Latency, String> {
    let (median, p99) = text.split_once('/').unwrap_or((text, text));
    let milliseconds = |text: &str| args::length(text).map(|length| length.as_secs_f64() * 1_000.0);
    Ok(Latency { median_ms: milliseconds(median)?, p99_ms: milliseconds(p99)? })
}

#[derive(Serialize)]
struct Running {
    url: String,
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
            stub: self.stub,
            oracle_file: self.oracle,
            ..SimConfig::default()
        }
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = self.config();
        config.check().map_err(|error| BadUsage(error.to_string()))?;
        let number = config.numbers.first().map_or_else(|| "1001".to_owned(), |number| number.id.clone());
        let token = config.tokens.first().map_or_else(|| "anything".to_owned(), |token| token.0.clone());
        let address = config.listen;
        let mut terminate = signal(SignalKind::terminate())?;
        let sim = match Sim::start(config).await {
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                return Err(cause)
                    .context(format!("{address} is taken: say another --listen, or port 0 for any free one"));
            }
            started => started.context("the simulator can't start")?,
        };
        let running = Running { url: sim.url() };
        context.output.one(&running, || running.url.clone())?;
        if context.output == Output::Table {
            say(how_to_use(&running.url, &number, &token));
        }
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        let accepted = sim.oracle().accepted();
        sim.stop().await?;
        say(format_args!("accepted {}", Count(accepted)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_a_median_and_perhaps_a_p99() {
        assert_eq!(latency("40ms/200ms"), Ok(Latency { median_ms: 40.0, p99_ms: 200.0 }));
        assert_eq!(latency("1s"), Ok(Latency { median_ms: 1_000.0, p99_ms: 1_000.0 }));
        assert!(latency("40").is_err());
    }
}
