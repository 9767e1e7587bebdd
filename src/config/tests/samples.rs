//! The default file and the samples.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::layers::DEFAULT_TOML;
use super::super::{Config, Sources};
use super::Bench;

#[test]
fn the_default_file_holds_every_key_with_a_comment() {
    let shown: BTreeSet<_> = Bench::new().shown().into_keys().collect();
    // A key that the code reads and the file lacks can't be read at all: the load above would fail.
    let mut group = String::new();
    let mut written = BTreeSet::new();
    let mut after_comment = false;
    for line in DEFAULT_TOML.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            group = format!("{name}.");
            after_comment = false;
        } else if line.starts_with('#') {
            after_comment = true;
        } else if let Some((key, _)) = line.split_once(" = ") {
            assert!(after_comment, "{key} stands below a comment");
            written.insert(format!("{group}{key}"));
        } else if line.is_empty() {
            after_comment = false;
        }
    }
    assert_eq!(shown, written);
}

#[test]
fn the_default_file_describes_every_key_of_a_number_and_a_pool() {
    let lists = "[[numbers]]\nid = \"1\"\n[[pools]]\nname = \"p\"\nnumbers = [\"1\"]\n";
    for key in Bench::new().file(lists).shown().into_keys().filter(|key| key.contains('[')) {
        let name = key.rsplit('.').next().unwrap();
        assert!(DEFAULT_TOML.contains(&format!("#   {name} = ")), "{key}");
    }
}

#[test]
fn every_sample_loads_and_can_send() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let bench = Bench::new();
        let token = bench.write("token", "EAAtest\n");
        let mut sources = Sources { file: Some(file.clone()), ..Sources::default() };
        sources.env.insert("TIDEGATE_CLOUD_API__ACCESS_TOKEN_FILE".into(), token);
        if file.ends_with("cluster.toml") {
            sources.env.insert("TIDEGATE_QUEUE__URL_FILE".into(), bench.write("broker", "amqps://u:p@broker/v"));
            sources.env.insert("TIDEGATE_LEDGER__URL_FILE".into(), bench.write("ledger", "postgres://u:p@db/tidegate"));
        }
        if file.ends_with("default.toml") {
            sources.env.insert("WHATSAPP_PHONE_NUMBER_ID".into(), "1".into());
            sources.overrides.push(("cloud_api.waba".into(), "1".into()));
        }
        let config = Config::load(sources).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        config.check_sending().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    assert!(count >= 3, "{count}");
}

#[test]
fn the_example_of_a_dotenv_file_loads() {
    let bench = Bench::new().dotenv(include_str!("../../../.env.example"));
    assert!(bench.load().is_ok());
}
