//! Every way to get a configuration wrong, each with the key that is named and what is said.

use super::Bench;

/// TOML, the key that must be named, and a part of the line that names it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("data_dir = \"\"", "data_dir", "a folder's path"),
    ("data_dir = []", "data_dir: a list (my.toml:1)", "one value is expected"),
    ("migrate = \"yes\"", "migrate: \"yes\" (my.toml:1)", "allowed: auto, check"),
    ("retention = 30", "retention: 30 (my.toml:1)", "a length of time looks like"),
    ("retention = \"0s\"", "retention", "allowed: 1s to 3650d"),
    ("retension = \"30d\"", "retension (my.toml:1)", "did you mean retention?"),
    ("[ledger]\nurl = \"mysql://h/x\"", "ledger.url (my.toml:2)", "allowed: \"postgres://"),
    ("[ledger]\nurl = \"sqlite::memory:\"", "ledger.url", "a path follows sqlite:"),
    ("[ledger]\nurl = \"sqlite:a.db?mode=rwc\"", "ledger.url", "a path follows sqlite:"),
    ("[ledger]\nschema = \"public\"", "ledger.schema", "a schema of their own"),
    ("[ledger]\nschema = \"a;b\"", "ledger.schema", "begins with a-z"),
    ("[ledger]\nurl_file = \"/nowhere/x\"", "ledger.url_file", "the file can't be read"),
    ("[ledger]\nurl = \"sqlite:a\"\nurl_file = \"b\"", "ledger.url", "either ledger.url or ledger.url_file"),
    ("[queue]\nurl = \"amqp://h/v\"", "ledger.url", "a broker needs a ledger"),
    ("[queue]\nurl = \"http://h/v\"", "queue.url", "allowed: \"amqp://"),
    ("[queue]\nurl = [\"amqp://h/v\", \"h2\"]", "queue.url", "one or a list"),
    ("[queue]\nurll = \"x\"", "queue.urll (my.toml:2)", "did you mean queue.url?"),
    ("[quue]\nurl = \"x\"", "quue.url", "did you mean queue.url?"),
    ("[queue]\nprefix = \"Tide Gate\"", "queue.prefix", "begins with a-z"),
    ("[queue]\nca_file = \"/nowhere/ca.pem\"", "queue.ca_file", "the file can't be read"),
    ("[queue]\nclient_cert_file = \"/dev/null\"", "queue.client_key_file", "needs its key"),
    (
        "[queue]\nurl = \"amqp://h/v\"\nca_file = \"/dev/null\"\n[ledger]\nurl = \"sqlite:a\"",
        "queue.url",
        "certificates need amqps://",
    ),
    ("queue = \"amqp://h\"", "queue (my.toml:1)", "written [queue]"),
    ("[events]\npublish = \"some\"", "events.publish", "allowed: all, ended, off"),
    ("[events]\nwebhook_url = \"ftp://h\"", "events.webhook_url", "https://host/path"),
    ("[events]\nwebhook_url = \"https://h/x\"", "events.webhook_secret", "signed"),
    ("[webhook]\nlisten = \"8080\"", "webhook.listen", "an address looks like"),
    ("[webhook]\nforward_to = \"h\"", "webhook.forward_to", "https://host/path"),
    (
        "[webhook]\nnetworks = [\"10.0.0.0/33\"]",
        "webhook.networks: \"10.0.0.0/33\" (my.toml:2)",
        "a network looks like",
    ),
    ("[webhook]\nproxies = -1", "webhook.proxies: -1", "allowed: a number from 0 to 10"),
    ("[webhook]\nconnections = 1", "webhook.connections: 1", "allowed: a number from 16"),
    ("[webhook]\nrotation = \"1 year\"", "webhook.rotation", "a length of time looks like"),
    ("[webhook]\napp_secrets = \"a\\tb\"", "webhook.app_secrets (my.toml:2)", "no line ends"),
    ("[webhook]\napp_secret = \"a\"\napp_secret_file = \"b\"", "webhook.app_secret", "either webhook.app_secret"),
    ("[optouts]\ncategories = [\"authentication\"]", "optouts.categories", "nobody opts out of authentication"),
    ("[optouts]\ncategories = [\"news\"]", "optouts.categories", "allowed: marketing, utility, service"),
    ("[optouts]\nstop_words = [\"stop\", \" \"]", "optouts.stop_words", "1 to 40 letters"),
    ("[optouts]\nstart_words = [\"STOP\"]", "optouts.start_words", "is one of optouts.stop_words"),
    ("[api]\nlisten = \"127.0.0.1:99999\"", "api.listen", "an address looks like"),
    ("[ops]\nlisten = \"127.0.0.1:8080\"", "ops.listen", "must not equal api.listen"),
    ("[cloud_api]\nbase_url = \"graph.facebook.com\"", "cloud_api.base_url", "https://host/path"),
    ("[cloud_api]\nbase_url = \"https://u:p@h\"", "cloud_api.base_url", "no user, password"),
    ("[cloud_api]\nversion = \"25\"", "cloud_api.version", "looks like \"v25.0\""),
    ("[cloud_api]\nauth_header = \"Authorization: Bearer\"", "cloud_api.auth_header", "with {token} once"),
    ("[cloud_api]\nauth_header = \"A b: {token}\"", "cloud_api.auth_header", "a header looks like"),
    ("[cloud_api]\naccess_token = \"EAA x\"", "cloud_api.access_token", "no spaces"),
    ("[cloud_api]\naccess_token_file = \"/dev/null\"", "cloud_api.access_token_file", "the file is empty"),
    ("[cloud_api]\nwaba = \"my-waba\"", "cloud_api.waba", "digits"),
    (
        "[cloud_api]\nconnect_timeout = \"16s\"",
        "cloud_api.connect_timeout: \"16s\"",
        "longer than cloud_api.request_timeout (15s)",
    ),
    ("[cloud_api]\nrequest_timeout = \"25s\"", "cloud_api.request_timeout: \"25s\"", "shorter than worker.drain (25s)"),
    ("[cloud_api]\nwrite_timeout = \"-1s\"", "cloud_api.write_timeout", "a length of time"),
    ("[cloud_api]\nmax_response = \"64\"", "cloud_api.max_response", "a size looks like"),
    ("[cloud_api]\nmax_response = \"1 GiB\"", "cloud_api.max_response", "allowed: 1 KiB to 16 MiB"),
    (
        "[[numbers]]\nid = \"1\"\n[[numbers]]\nid = \"2\"\nrate = \"80\"",
        "numbers[1].rate: \"80\" (my.toml:5)",
        "a pace looks like \"80/s\"",
    ),
    ("[[numbers]]\nrate = \"0/s\"\nid = \"1\"", "numbers[0].rate", "between 1 and"),
    ("[[numbers]]\nrate = \"80/s\"", "numbers[0].id", "digits"),
    ("[[numbers]]\nid = \"1\"\nrte = \"80/s\"", "numbers[0].rte (my.toml:3)", "did you mean numbers[0].rate?"),
    ("[[numbers]]\nid = \"1\"\n[[numbers]]\nid = \"1\"", "numbers[1].id: \"1\" (my.toml:4)", "listed once"),
    ("[[numbers]]\nid = \"1\"\ndisplay = \"12\"", "numbers[0].display", "8 to 15 digits"),
    ("numbers = [\"1\"]", "numbers[0]", "written [[numbers]]"),
    ("numbers = \"1\"", "numbers: \"1\"", "written [[numbers]]"),
    ("[[pools]]\nname = \"Shop\"\nnumbers = [\"1\"]", "pools[0].name", "begins with a-z"),
    ("[[pools]]\nname = \"shop\"\nnumbers = []", "pools[0].numbers", "at least one number"),
    ("[[pools]]\nname = \"shop\"", "pools[0].numbers", "at least one number"),
    (
        "[[pools]]\nname = \"a\"\nnumbers = [\"1\"]\n[[pools]]\nname = \"a\"\nnumbers = [\"2\"]",
        "pools[1].name",
        "a name of its own",
    ),
    ("[[pools]]\nname = \"a\"\nnumbers = [\"1\", \"1\"]", "pools[0].numbers", "listed twice"),
    (
        "[[pools]]\nname = \"a\"\nnumbers = [\"15550001001\"]\n\n[[pools]]\nname = \"b\"\nnumbers = [\"+1 555 000 1001\"]",
        "pools[1].numbers",
        "is in pool a already",
    ),
    (
        "[[pools]]\nname = \"a\"\nnumbers = [\"2\"]\n[[numbers]]\nid = \"1\"",
        "pools[0].numbers",
        "not among the numbers",
    ),
    ("[[pools]]\nname = \"a\"\nnumbers = [\"shop\"]", "pools[0].numbers", "neither an id"),
    ("[fleet]\ndiscover = \"ALL\"", "fleet.discover", "allowed: sole, all, off"),
    ("[fleet]\nrefresh = \"100d\"", "fleet.refresh", "allowed: 1s to 1d"),
    ("[quota]\nlimit = 0", "quota.limit: 0", "allowed: none, or a number"),
    ("[quota]\nreserve = 1.5", "quota.reserve: 1.5", "allowed: a number from 0 to 0.9"),
    ("[quota]\nreserve = nan", "quota.reserve", "allowed: a number"),
    ("[quota]\nused_elsewhere = -1", "quota.used_elsewhere", "allowed: a number from 0"),
    ("[pair]\ninterval = \"2h\"", "pair.interval: \"2h\"", "allowed: 0s to 1h"),
    ("[pair]\nburst_urgent = 46", "pair.burst_urgent: 46", "allowed: a number from 1 to 45"),
    ("[pair]\nburst_bulk = 2", "pair.burst_bulk", "burst_"),
    ("[retry]\nbase = \"10m\"", "retry.base: \"10m\"", "longer than retry.cap (5m)"),
    ("[retry]\nattempts = 0", "retry.attempts", "allowed: a number from 1 to 100"),
    ("[unknown.wait]\nothers = \"1 month\"", "unknown.wait.others", "a length of time"),
    ("[unknown]\nwait = \"10s\"", "unknown.wait (my.toml:2)", "written [unknown.wait]"),
    ("[worker]\nin_hand = 0", "worker.in_hand", "allowed: a number from 1"),
    ("[worker]\nin_hand_bytes = \"1 KiB\"", "worker.in_hand_bytes", "allowed: 256 KiB"),
    ("[worker]\nadmit_ahead = \"2s\"", "worker.admit_ahead", "allowed: 1ms to 1s"),
    ("[worker]\ndrain = \"10s\"", "cloud_api.request_timeout: \"15s\" (default)", "shorter than worker.drain (10s)"),
    ("[lease]\nrenew = \"6s\"", "lease.renew: \"6s\"", "shorter than lease.ttl less lease.margin (6s)"),
    ("[lease]\nmargin = \"9s\"", "lease.margin: \"9s\"", "shorter than lease.ttl (8s)"),
    ("[pacing]\nmargin = \"1s\"", "pacing.margin", "allowed: 0s to 200ms"),
    ("[quality.weights]\nred = 0", "quality.weights.red", "allowed: a number from 0.01 to 1"),
    ("[quality.weights]\nbleu = 1", "quality.weights.bleu", "unknown key"),
    ("[log]\nformat = \"xml\"", "log.format", "allowed: auto, json, text"),
    ("[log]\nfilter = \"tidegate=loud\"", "log.filter", "a filter looks like"),
    ("\"queue.url\" = 1", "queue.url (my.toml:1)", "unknown key"),
    ("zzzzzz = 1", "zzzzzz (my.toml:1)", "`tidegate config show` lists all keys"),
    ("a = 1\nretention = \n", "my.toml:2", ""),
    ("[log]\nfilter = \"info\"\nfilter = \"debug\"", "my.toml:3", "duplicate key"),
];

#[test]
fn every_mistake_is_refused_with_its_key_and_what_is_allowed() {
    for (toml, key, fragment) in BROKEN {
        let problems = Bench::new().file(toml).problems();
        let named = problems.lines().any(|line| line.starts_with(key) && line.contains(fragment));
        assert!(named, "{toml}\n  wanted {key} … {fragment}\n  said   {problems}");
    }
}

#[test]
fn one_mistake_is_one_line() {
    let told_twice = ["a = 1\nretention = \n"];
    for (toml, ..) in BROKEN.iter().filter(|(toml, ..)| !told_twice.contains(toml)) {
        let problems = Bench::new().file(toml).problems();
        assert_eq!(problems.lines().count(), 1, "{toml}\n{problems}");
    }
}

#[test]
fn all_problems_of_all_layers_are_told_at_once() {
    let bench = Bench::new()
        .file("[retry]\nattempts = 0\nbase = \"x\"\n[[numbers]]\nid = \"a\"\nrate = \"80\"\n")
        .dotenv("TIDEGATE_LOG__FORMAT=xml\n")
        .env(&[("TIDEGATE_QUEU__URL", "x"), ("TIDEGATE_QUEUE__", "x"), ("PORT", "tcp://10.0.0.7")])
        .flags(&[("lease.ttl", "soon"), ("numbers[5000].id", "1")]);
    let problems = bench.problems();
    for expected in [
        "TIDEGATE_QUEUE__ (environment): a name looks like",
        "api.listen: \"127.0.0.1:tcp://10.0.0.7\" (environment PORT): an address looks like",
        "lease.ttl: \"soon\" (flag): a length of time",
        "log.format: \"xml\" (.env TIDEGATE_LOG__FORMAT): allowed",
        "numbers[0].id: \"a\" (my.toml:5): an id",
        "numbers[0].rate: \"80\" (my.toml:6): a pace looks like \"80/s\"",
        "numbers[5000].id (flag): a key looks like",
        "queu.url (environment TIDEGATE_QUEU__URL): unknown key; did you mean queue.url?",
        "retry.attempts: 0 (my.toml:2): allowed",
        "retry.base: \"x\" (my.toml:3): a length of time",
    ] {
        assert!(problems.lines().any(|line| line.starts_with(expected)), "{expected}\n{problems}");
    }
    assert_eq!(problems.lines().count(), 10, "{problems}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut bench = Bench::new();
    bench.sources.file = Some("/nowhere/my.toml".into());
    assert!(bench.problems().starts_with("/nowhere/my.toml: the configuration file can't be read"));
}

#[test]
fn a_hole_in_a_list_is_told_by_the_keys_it_lacks() {
    let problems = Bench::new().env(&[("TIDEGATE_NUMBERS__1__ID", "7")]).problems();
    assert!(problems.starts_with("numbers[0].id: an id of Meta's"), "{problems}");
}
