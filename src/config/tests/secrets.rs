//! Secrets from files, and which of two ways wins.

use super::Bench;

fn token(bench: &Bench) -> String {
    bench.load().unwrap_or_else(|error| panic!("{error}")).cloud_api.access_token.unwrap().current().expose().to_owned()
}

#[test]
fn any_secret_can_come_from_a_file() {
    let bench = Bench::new();
    let names = [
        ("TIDEGATE_LEDGER__URL_FILE", "ledger.url", "postgres://u:canary@db/x"),
        ("TIDEGATE_QUEUE__URL_FILE", "queue.url", "amqp://u:canary@broker/v"),
        ("TIDEGATE_CLOUD_API__ACCESS_TOKEN_FILE", "cloud_api.access_token", "EAAcanary"),
        ("TIDEGATE_WEBHOOK__VERIFY_TOKEN_FILE", "webhook.verify_token", "a canary"),
        ("TIDEGATE_WEBHOOK__APP_SECRET_FILE", "webhook.app_secret", "canary"),
        ("TIDEGATE_WEBHOOK__APP_SECRETS_FILE", "webhook.app_secrets", "canary\ncanary-too"),
        ("TIDEGATE_WEBHOOK__FORWARD_TO_FILE", "webhook.forward_to", "https://a.example/canary"),
        ("TIDEGATE_EVENTS__WEBHOOK_URL_FILE", "events.webhook_url", "https://a.example/canary"),
        ("TIDEGATE_EVENTS__WEBHOOK_SECRET_FILE", "events.webhook_secret", "whsec_canary"),
        ("TIDEGATE_NUMBERS__0__TOKEN_FILE", "numbers[0].token", "EAAcanary"),
    ];
    let mut variables = vec![("TIDEGATE_NUMBERS__0__ID", "101".to_owned())];
    variables.extend(names.map(|(name, key, text)| (name, bench.write(key, &format!("{text}\n")))));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bench = bench.env(&variables);
    let shown = bench.shown();
    for (name, key, _) in names {
        let (value, origin) = &shown[key];
        assert!(value.ends_with("***") && !value.contains("canary"), "{key}: {value}");
        assert_eq!(origin, &format!("environment {name}"));
    }
    assert!(!format!("{:?}", bench.load()).contains("canary"));
    assert_eq!(bench.load().unwrap().watched.len(), names.len());
}

#[test]
fn files_work_for_names_of_other_tools_and_in_toml() {
    let bench = Bench::new();
    let path = bench.write("token", " EAAfile \n");
    assert_eq!(token(&Bench::new().env(&[("WHATSAPP_ACCESS_TOKEN_FILE", path.as_str())])), "EAAfile");
    assert_eq!(token(&Bench::new().file(&format!("[cloud_api]\naccess_token_file = {path:?}\n"))), "EAAfile");
}

#[test]
fn of_a_text_and_a_file_the_one_of_the_higher_layer_wins() {
    let folder = Bench::new();
    let path = folder.write("token", "EAAfile");
    let in_file = format!("[cloud_api]\naccess_token_file = {path:?}\n");
    let text = [("TIDEGATE_CLOUD_API__ACCESS_TOKEN", "EAAtext")];
    assert_eq!(token(&Bench::new().file(&in_file).env(&text)), "EAAtext");
    let file = [("TIDEGATE_CLOUD_API__ACCESS_TOKEN_FILE", path.as_str())];
    assert_eq!(token(&Bench::new().file("[cloud_api]\naccess_token = \"EAAtext\"\n").env(&file)), "EAAfile");
    assert_eq!(token(&Bench::new().file(&in_file).env(&[("WHATSAPP_ACCESS_TOKEN", "EAAtheirs")])), "EAAfile");
}

#[test]
fn an_empty_text_in_a_higher_layer_unsets_a_secret() {
    let bench =
        Bench::new().file("[cloud_api]\naccess_token = \"EAAtext\"\n").env(&[("TIDEGATE_CLOUD_API__ACCESS_TOKEN", "")]);
    assert!(bench.load().unwrap().cloud_api.access_token.is_none());
}

#[test]
fn problems_never_show_a_secret() {
    let bench = Bench::new();
    let file = bench.write("token", "EAA canary");
    let bench = bench
        .file("[cloud_api]\nacces_token = \"canary\"\n[webhook]\napp_secret = [\"canary\", { a = 1 }]\n")
        .dotenv("AMQP_URL=canary with spaces\n")
        .env(&[
            ("DATABASE_URL", "mysql://u:canary@h/x"),
            ("TIDEGATE_QUEUE__URL", "http://canary"),
            ("TIDEGATE_EVENTS__WEBHOOK_URL", "canary"),
            ("TIDEGATE_CLOUD_API__ACCESS_TOKEN_FILE", file.as_str()),
            ("TIDEGATE_WEBHOOK__VERIFY_TOKEN", "can\nary canary"),
        ]);
    let problems = bench.problems();
    assert!(!problems.contains("canary"), "{problems}");
    assert_eq!(problems.lines().count(), 8, "{problems}");
}

#[test]
fn webhooks_are_signed_with_any_of_several_secrets() {
    let secrets = |bench: Bench| bench.load().unwrap_or_else(|error| panic!("{error}")).webhook.secrets();
    assert!(secrets(Bench::new()).is_empty());
    let list = "[webhook]\napp_secret = \"one\"\napp_secrets = [\"two\", \"three\"]\n";
    assert_eq!(secrets(Bench::new().file(list)), ["one", "two", "three"]);
    assert_eq!(secrets(Bench::new().env(&[("TIDEGATE_WEBHOOK__APP_SECRETS", "two, three")])), ["two", "three"]);
    let bench = Bench::new();
    let path = bench.write("secrets", "old\nnew\n");
    let bench = bench.file(&format!("[webhook]\napp_secrets_file = {path:?}\n"));
    let config = bench.load().unwrap();
    assert_eq!(config.webhook.secrets(), ["old", "new"]);
    std::fs::write(&path, "new, newer").unwrap();
    config.webhook.app_secrets.as_ref().unwrap().reread().unwrap();
    assert_eq!(config.webhook.secrets(), ["new", "newer"]);
}
