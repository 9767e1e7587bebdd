//! Which layer wins, and what other tools' names set.

use std::time::Duration;

use super::super::{LedgerUrl, Sources};
use super::{Bench, Config};

#[test]
fn each_layer_wins_over_those_below() {
    let key = "worker.drain";
    let origin = |bench: &Bench| bench.shown()[key].clone();
    let owned = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    let bench = Bench::new();
    assert_eq!(origin(&bench), owned("25s", "default"));
    let bench = bench.file("\n[worker]\ndrain = \"26s\"\n");
    assert_eq!(origin(&bench), owned("26s", "my.toml:3"));
    let bench = bench.dotenv("TIDEGATE_WORKER__DRAIN=27s\n");
    assert_eq!(origin(&bench), owned("27s", ".env TIDEGATE_WORKER__DRAIN"));
    let bench = bench.env(&[("TIDEGATE_WORKER__DRAIN", "28s")]);
    assert_eq!(origin(&bench), owned("28s", "environment TIDEGATE_WORKER__DRAIN"));
    let bench = bench.flags(&[(key, "29s"), (key, "30s")]);
    assert_eq!(origin(&bench), owned("30s", "flag"));
    assert_eq!(bench.load().unwrap().worker.drain, Duration::from_secs(30));
}

#[test]
fn a_layer_changes_only_the_keys_it_names() {
    let bench = Bench::new().file("[lease]\nttl = \"9s\"\n").env(&[("TIDEGATE_LEASE__RENEW", "3s")]);
    let lease = bench.load().unwrap().lease;
    assert_eq!((lease.ttl, lease.renew, lease.margin).0, Duration::from_secs(9));
    assert_eq!((lease.renew, lease.margin), (Duration::from_secs(3), Duration::from_secs(2)));
}

#[test]
fn names_that_kubernetes_sets_for_a_service_harm_nobody() {
    let names = ["TIDEGATE_PORT", "TIDEGATE_SERVICE_HOST", "TIDEGATE_PORT_8080_TCP_ADDR"];
    let config = Bench::new().env(&names.map(|name| (name, "tcp://10.0.0.7:8080"))).load().unwrap();
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
    assert!(config.notices().is_empty());
}

#[test]
fn a_key_under_a_name_that_is_not_read_is_noticed() {
    let config = Bench::new().env(&[("TIDEGATE_RETRY_ATTEMPTS", "5")]).load().unwrap();
    let told = "TIDEGATE_RETRY_ATTEMPTS is not read: TIDEGATE_RETRY__ATTEMPTS is its name here";
    assert_eq!(config.notices(), [told]);
    let config = Bench::new().env(&[("TIDEGATE_DATA_DIR", "/x")]).load().unwrap();
    assert_eq!(config.notices(), ["TIDEGATE_DATA_DIR is not read: TIDEGATE__DATA_DIR is its name here"]);
    let config = Bench::new().env(&[("TIDEGATE__DATA_DIR", "/x")]).load().unwrap();
    assert_eq!(config.data_dir.to_str(), Some("/x"));
}

#[test]
fn an_unencrypted_api_elsewhere_is_noticed() {
    let notices = |url: &str| Bench::new().flags(&[("cloud_api.base_url", url)]).load().unwrap().notices().len();
    assert_eq!(notices("http://simulator:8090"), 1);
    assert_eq!(notices("http://127.0.0.1:8090"), 0);
}

#[test]
fn the_environment_names_the_file() {
    let bench = Bench::new();
    let path = bench.write("named.toml", "retention = \"31d\"");
    let bench = bench.env(&[("TIDEGATE_CONFIG", path.as_str())]);
    assert_eq!(bench.shown()["retention"].0, "31d");
}

#[test]
fn names_of_other_tools_work() {
    let bench = Bench::new().env(&[
        ("AMQP_URL", "amqp://guest:canary@broker:5672/%2f"),
        ("DATABASE_URL", "postgres://app:canary@db/app?password=canary"),
        ("WHATSAPP_ACCESS_TOKEN", "EAAcanary"),
        ("WHATSAPP_BUSINESS_ACCOUNT_ID", "102290129340398"),
        ("WHATSAPP_PHONE_NUMBER_ID", "106540352242922"),
        ("WHATSAPP_API_VERSION", "v24.0"),
        ("WEBHOOK_VERIFY_TOKEN", "canary"),
        ("WHATSAPP_APP_SECRET", "canary"),
        ("PORT", "3000"),
        ("UNRELATED", "x"),
    ]);
    let config = bench.load().unwrap();
    let broker = config.queue.broker.clone().unwrap();
    assert_eq!(broker.urls()[0].expose(), "amqp://guest:canary@broker:5672/%2f");
    assert!(matches!(config.ledger.url, LedgerUrl::Postgres(_)));
    assert_eq!(config.cloud_api.access_token.clone().unwrap().current().expose(), "EAAcanary");
    assert_eq!(config.cloud_api.waba.as_deref(), Some("102290129340398"));
    assert_eq!(config.cloud_api.version, "v24.0");
    assert_eq!(config.numbers[0].id, "106540352242922");
    assert!(config.webhook.verify_token.is_some() && config.webhook.app_secret.is_some());
    assert_eq!((config.api.listen.port(), config.webhook.listen.port()), (3000, 3000));
    config.check_sending().unwrap();
    assert_eq!(bench.shown()["queue.url"].1, "environment AMQP_URL");
    let printed = format!("{config:?} {:?}", config.show());
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn the_first_of_two_names_of_other_tools_counts() {
    let bench = Bench::new().env(&[("META_APP_SECRET", "one"), ("WHATSAPP_APP_SECRET", "two")]);
    assert_eq!(bench.load().unwrap().webhook.app_secret.unwrap().current().expose(), "one");
}

#[test]
fn our_own_names_win_over_those_of_other_tools_in_every_layer() {
    let foreign = [("DATABASE_URL", "postgres://theirs/x"), ("PORT", "3000"), ("PHONE_NUMBERS", "1:+15550100000,2")];
    let bench = Bench::new()
        .file("[ledger]\nurl = \"sqlite:ours.db\"\n[api]\nlisten = \"127.0.0.1:4000\"\n[[numbers]]\nid = \"7\"\n")
        .env(&foreign);
    let config = bench.load().unwrap();
    assert!(matches!(&config.ledger.url, LedgerUrl::Sqlite(path) if path.to_str() == Some("ours.db")));
    assert_eq!(config.api.listen.port(), 4000);
    assert_eq!(config.numbers.iter().map(|number| number.id.as_str()).collect::<Vec<_>>(), ["7"]);
}

#[test]
fn phone_numbers_are_a_list_with_displays() {
    let both = [("PHONE_NUMBERS", "101:+1 555 010 0000, 102"), ("WHATSAPP_PHONE_NUMBER_ID", "103")];
    let numbers = Bench::new().env(&both).load().unwrap().numbers;
    let ids: Vec<_> = numbers.iter().map(|number| number.id.as_str()).collect();
    assert_eq!(ids, ["101", "102", "103"]);
    assert_eq!(numbers[0].display.as_ref().unwrap().digits(), "15550100000");
    let same = [("PHONE_NUMBERS", "101:+1 555 010 0000"), ("WHATSAPP_PHONE_NUMBER_ID", "101")];
    assert_eq!(Bench::new().env(&same).load().unwrap().numbers.len(), 1);
}

#[test]
fn empty_variables_of_other_tools_set_nothing() {
    let names = ["AMQP_URL", "DATABASE_URL", "WHATSAPP_ACCESS_TOKEN", "PHONE_NUMBERS", "PORT"];
    let config = Bench::new().env(&names.map(|name| (name, ""))).load().unwrap();
    assert!(config.queue.broker.is_none() && config.cloud_api.access_token.is_none());
}

#[test]
fn lists_can_be_set_by_index_and_by_commas() {
    let bench = Bench::new().file("[[numbers]]\nid = \"101\"\n[[numbers]]\nid = \"102\"\n").env(&[
        ("TIDEGATE_NUMBERS__1__RATE", "40/s"),
        ("TIDEGATE_POOLS__0__NAME", "shop"),
        ("TIDEGATE_POOLS__0__NUMBERS", "101, 102"),
    ]);
    let config = bench.load().unwrap();
    assert_eq!(config.numbers[1].rate.unwrap().to_string(), "40/s");
    assert_eq!(config.pools[0].numbers, ["101", "102"]);
}

#[test]
fn networks_are_ranges_or_single_addresses() {
    let networks =
        |bench: Bench| bench.load().unwrap().webhook.networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(networks(Bench::new()).is_empty());
    let list = "[webhook]\nnetworks = [\"10.0.0.0/8\", \"2001:db8::7\"]\n";
    assert_eq!(networks(Bench::new().file(list)), ["10.0.0.0/8", "2001:db8::7/128"]);
    let commas = [("TIDEGATE_WEBHOOK__NETWORKS", "10.0.0.0/8,192.0.2.7")];
    assert_eq!(networks(Bench::new().env(&commas)), ["10.0.0.0/8", "192.0.2.7/32"]);
}

#[test]
fn a_list_of_brokers_is_tried_in_turn() {
    let bench = Bench::new().file(
        "[queue]\nurl = [\"amqp://u:canary@a/v\", \"amqp://u:canary@b/v\"]\n[ledger]\nurl = \"postgres://db/x\"\n",
    );
    assert_eq!(bench.load().unwrap().queue.broker.unwrap().urls().len(), 2);
    assert_eq!(bench.shown()["queue.url"].0, "amqp://a/***,amqp://b/***");
}

#[test]
fn without_anything_the_embedded_ledger_is_in_the_data_folder() {
    let config = Config::load(Sources::default()).unwrap();
    assert!(matches!(&config.ledger.url, LedgerUrl::Sqlite(path) if path.ends_with("tidegate-data/ledger.db")));
    let keys: Vec<_> = config.check_sending().unwrap_err().problems.into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["cloud_api.access_token", "numbers"]);
}
