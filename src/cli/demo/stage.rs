//! What the demo is played on: three numbers of a simulated Meta, the trouble they meet, and the configuration that
//! a worker before them is given. All people and numbers are fictional.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use crate::config::{Config, Sources};
use crate::sim::{Category, Fault, Latency, NumberSpec, Quality, SimConfig, TemplateSpec, WabaSpec, WebhookConfig};

/// The business account that the numbers belong to.
const WABA: &str = "102290129340398";

/// What the webhooks are signed with.
const APP_SECRET: &str = "demo-app-secret";

/// What Meta says in its handshake with the webhooks' receiver.
pub const VERIFY_TOKEN: &str = "demo-verify-token";

/// How much faster than in life statuses come: the slowest reader takes four seconds instead of two minutes.
const STATUS_SCALE: f64 = 0.03;

/// One of the sending numbers.
#[derive(Clone, Copy, Debug)]
pub struct Player {
    /// Meta's id of it.
    pub id: &'static str,
    /// As people know it.
    pub display: &'static str,
    /// Meta's rating.
    pub quality: Quality,
    /// Messages a second.
    pub limit: u32,
}

/// The sending numbers. The last is also on the WhatsApp Business app, which has its own limit at Meta.
pub const CAST: [Player; 3] = [
    Player { id: "106540352242922", display: "+1 555 010-0001", quality: Quality::Green, limit: 80 },
    Player { id: "106540352242923", display: "+1 555 010-0002", quality: Quality::Yellow, limit: 80 },
    Player { id: "106540352242924", display: "+1 555 010-0003", quality: Quality::Red, limit: 20 },
];

/// Messages a second, by all numbers together.
pub fn rate() -> u32 {
    CAST.iter().map(|player| player.limit).sum()
}

/// Templates by name, as the account has them.
pub mod template {
    /// Of the campaign.
    pub const CAMPAIGN: &str = "spring_sale";
    /// Of one-time passwords.
    pub const PASSWORD: &str = "login_code";
    /// Of shipping notices.
    pub const NOTICE: &str = "order_shipped";
}

/// What befalls messages of the campaign, by their recipients' last digits, so that a seed fixes who meets what. The
/// passing trouble ends early enough for retries to be done when the campaign is.
const TROUBLE: [&str; 8] = [
    "recipient_suffix=5550107,probability=0.5,until=22,code=131000",
    "recipient_suffix=5550157,probability=0.5,until=22,code=131016",
    "recipient_suffix=5550181,probability=0.4,until=22,http=503",
    "recipient_suffix=5550113,code=131026",
    "recipient_suffix=35550142,code=131050",
    "recipient_suffix=95550190,code=131049",
    "recipient_suffix=75550166,cut_after",
    "recipient_suffix=45550128,cut_before",
];

/// For these seconds the last number fails whatever it is given, and is rested.
const FAILING: (u32, u32) = (14, 16);

/// Meta, simulated.
pub fn simulator(seed: u64) -> SimConfig {
    let numbers = CAST.iter().map(|player| {
        let is_on_app = player.limit == crate::sim::limits::COEXISTENCE_MPS;
        NumberSpec {
            display: player.display.to_owned(),
            quality: player.quality,
            coexistence: is_on_app,
            waba: WABA.to_owned(),
            ..NumberSpec::new(player.id)
        }
    });
    let template = |name, category| TemplateSpec { waba: WABA.to_owned(), ..TemplateSpec::new(name, category) };
    SimConfig {
        wabas: vec![WabaSpec::new(WABA)],
        templates: vec![
            template(template::CAMPAIGN, Category::Marketing),
            template(template::PASSWORD, Category::Authentication),
            template(template::NOTICE, Category::Utility),
        ],
        known_templates_only: true,
        latency: Latency { median_ms: 40.0, p99_ms: 120.0 },
        seed,
        faults: trouble(),
        webhooks: Some(webhooks()),
        ..SimConfig::with_numbers(numbers)
    }
}

/// Statuses as they come in life: not all phones are on, not all messages are read, and some news comes twice or in
/// the wrong order. They wait until the gateway's address is known.
fn webhooks() -> WebhookConfig {
    WebhookConfig {
        scale: STATUS_SCALE,
        delivered_share: 0.97,
        read_share: 0.7,
        repeat_share: 0.02,
        disorder_share: 0.02,
        ..WebhookConfig::new("", APP_SECRET)
    }
}

/// Whether something befalls this recipient's messages.
pub fn is_troubled(recipient: &str) -> bool {
    let suffixes = TROUBLE.iter().filter_map(|text| text.strip_prefix("recipient_suffix=")?.split(',').next());
    suffixes.into_iter().any(|suffix| recipient.ends_with(suffix))
}

fn trouble() -> Vec<Fault> {
    let failing = format!("number={},from={},until={},code=131016", CAST[2].id, FAILING.0, FAILING.1);
    let texts = TROUBLE.iter().copied().chain([failing.as_str()]);
    texts.map(|text| text.parse().expect("the demo's faults are tested to read")).collect()
}

/// What a worker is told to send before `base_url` from a ledger in `folder`: nothing of this machine's environment.
pub fn configuration(folder: &Path, base_url: &str) -> anyhow::Result<Config> {
    let folder = folder.to_str().context("the folder's name is no Unicode text: choose another with --keep")?;
    let overrides = [
        ("data_dir", folder),
        ("cloud_api.base_url", base_url),
        ("cloud_api.access_token", "demo"),
        ("cloud_api.waba", WABA),
        // Every number that the account has sends, with the limit that Meta shows for it.
        ("fleet.discover", "all"),
        ("webhook.listen", "127.0.0.1:0"),
        ("webhook.app_secret", APP_SECRET),
        ("webhook.verify_token", VERIFY_TOKEN),
        // Nobody wants to wait for the end of a demo.
        ("cloud_api.request_timeout", "4s"),
        ("worker.drain", "6s"),
        ("unknown.wait.others", "5s"),
        ("unknown.wait.authentication", "5s"),
        ("retry.cap", "4s"),
        ("retry.attempts", "5"),
    ];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    Ok(Config::load(Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulator_and_worker_can_be_told_so() {
        let simulator = simulator(1);
        simulator.check().unwrap();
        for (number, player) in simulator.numbers.iter().zip(CAST) {
            assert_eq!(number.messages_per_second(), player.limit);
        }
        let config = configuration(Path::new("/nowhere"), "http://127.0.0.1:9").unwrap();
        config.check_sending().unwrap();
    }

    #[test]
    fn trouble_is_known_by_the_end_of_a_number() {
        assert!(is_troubled("+12015550107") && is_troubled("+12135550142"));
        assert!(!is_troubled("+12015550100") && !is_troubled("+12145550142"));
    }
}
