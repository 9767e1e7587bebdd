//! The examples that are whole apps, run as they are: one answers what people write, one tells people what happens.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tidegate::app::{Role, RunOptions};
use tidegate::job::{self, Category, Received};
use tidegate::sim::{self, AccountEvent, Inbound, MarketingPreference, TemplateSpec};
use tokio::sync::watch;

use crate::examples::{Example, Language};
use crate::producer::properties;
use crate::services::amqp_url;
use crate::shared::Shared;
use crate::world::{Running, audit, patient, until};

const AUTO_REPLY: &str = "../auto_reply/auto_reply";
const NOTIFY: &str = "../notify/notify --to +447700900123";

/// A worker with every part, which hears what the simulator tells.
async fn hearing(shared: &Shared) -> Running {
    let (told, mut address) = watch::channel(None);
    let roles = vec![Role::Sender, Role::Keeper, Role::Gateway];
    let worker = shared.world.start_with(RunOptions { roles, webhook_address: Some(told), ..RunOptions::default() });
    let address =
        patient("the gateway listens", address.wait_for(Option::is_some)).await.expect("it starts").expect("told");
    shared.world.sim.set_webhook_url(format!("http://{address}/webhook/whatsapp"));
    worker
}

#[tokio::test]
async fn what_people_write_is_answered_once_where_they_wrote_it() {
    let shared = Shared::with_webhooks(&["1001", "1002"]).await;
    let worker = hearing(&shared).await;
    let ledger = shared.ledger().await;
    let producer = shared.producer().await;
    let mut written = producer.listen("inbound.#").await;
    let mut answers = producer.listen_to("jobs", "default.high").await;
    let url = amqp_url();
    let source = format!("bot-{}", uuid::Uuid::now_v7().simple());
    let line = format!("{AUTO_REPLY} --source {source}");
    let mut bot = Example::start(&shared, Language::Python, &line, &url, &[]);
    bot.until_said("following").await;

    let person = "+447700900123";
    let say = |number: &str, said: &Inbound| shared.world.sim.say(number, person, said).expect("it can be said");
    let question = say("1002", &Inbound::text("When do you open?"));
    bot.until_said("answered").await;
    shared.world.accepted(1).await;
    let unanswered = [
        (Inbound::text(" Stop! "), "not answered: text"),
        (Inbound::Image { caption: None, media: None }, "not answered: image"),
    ];
    for (said, words) in unanswered {
        say("1001", &said);
        bot.until_said(words).await;
    }

    let (number, from) = ("1001".to_owned(), person.to_owned());
    let choice = AccountEvent::UserPreference { number, from, value: MarketingPreference::Stop };
    shared.world.sim.announce(&choice).expect("it can be told");
    bot.until_said("not answered: preference").await;

    // The first event comes again: its answer is another copy of the same job.
    let (key, event) = written.next().await;
    assert_eq!((key.as_str(), event["wamid"].as_str()), ("inbound.text.default", Some(question.as_str())));
    producer.publish_to("events", &key, &[(event.to_string().into_bytes(), properties(&event))]).await;
    bot.until_said("answered").await;
    let (first, second) = (answers.next().await.1, answers.next().await.1);
    assert_eq!(first, second);
    assert_eq!((&first["from"], &first["to"]), (&json!("1002"), &json!(person)));
    assert_eq!(first["message"]["context"], json!({ "message_id": question }));
    assert_eq!(first["message"]["text"]["body"], "You wrote: When do you open?");
    let lane = shared.queue_of("default.high");
    until(&ledger, "every copy is taken", async || (producer.ready(&lane).await == 0).then_some(())).await;

    drop(bot);
    worker.stop();
    let rows = shared.world.rows(&ledger).await;
    assert_eq!((rows.len(), shared.world.oracle().accepted()), (1, 1), "{rows:?}");
    let sent = shared.world.oracle().accepted_entries().remove(0);
    assert_eq!((&*sent.number, sent.recipient.as_str()), ("1002", person));
    producer.delete(&format!("{source}.whatsapp-inbound")).await;
}

/// A template's file, by the name of its template.
fn templates() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notify/templates");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        let template: Value = serde_json::from_str(&text).expect("JSON");
        (template["name"].as_str().expect("a name").to_owned(), template)
    };
    std::fs::read_dir(folder).expect("a folder").map(read).collect()
}

/// The component of this type, of a template or of a job: the one writes its types large, the other small.
fn component<'v>(components: &'v Value, kind: &str) -> Option<&'v Value> {
    let is = |component: &&Value| component["type"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(kind));
    components.as_array().expect("components").iter().find(is)
}

/// What stands between double braces, in its order.
fn variables(text: &str) -> Vec<&str> {
    text.split("{{").skip(1).map(|rest| rest.split("}}").next().expect("it ends")).collect()
}

/// The strings under a key of each element.
fn each<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().expect("a list").iter().map(|item| item[key].as_str().expect("a text")).collect()
}

fn body_text(template: &Value) -> &str {
    component(&template["components"], "body").expect("a body")["text"].as_str().expect("a text")
}

/// The one button, if there is one.
fn button(template: &Value) -> Option<&Value> {
    component(&template["components"], "buttons").map(|buttons| &buttons["buttons"][0])
}

#[test]
fn each_template_of_the_notifications_is_one_that_meta_takes() {
    for (name, template) in templates() {
        let text = body_text(&template);
        assert!(text.len() <= 1_024 && !text.starts_with("{{") && !text.ends_with("}}"), "{name}");
        assert!(matches!(template["category"].as_str(), Some("UTILITY" | "MARKETING")), "{name}");
        assert_eq!((&template["language"], &template["parameter_format"]), (&json!("en"), &json!("NAMED")), "{name}");
        let examples =
            &component(&template["components"], "body").expect("a body")["example"]["body_text_named_params"];
        assert_eq!(each(examples, "param_name"), variables(text), "{name}: an example for each");
        assert!(each(examples, "example").iter().all(|example| !example.is_empty()), "{name}");
        let footer = component(&template["components"], "footer");
        assert!(footer.is_none_or(|footer| footer["text"].as_str().expect("a text").len() <= 60), "{name}");
        let Some(button) = button(&template) else { continue };
        let (url, example) = (button["url"].as_str().expect("a URL"), button["example"][0].as_str().expect("one"));
        assert!(url.ends_with("{{1}}") && example.starts_with(url.trim_end_matches("{{1}}")), "{name}: {url}");
        assert!(button["type"] == "URL" && button["text"].as_str().is_some_and(|text| text.len() <= 25), "{name}");
    }
}

/// A job sends what its template has room for: as many, by the same names, in the same language and category.
fn assert_fits(job: &Value, template: &Value) {
    let told = format!("{job} against {template}");
    let sent = &job["message"]["template"];
    assert_eq!(sent["language"]["code"], template["language"], "{told}");
    let category = template["category"].as_str().expect("a category").to_lowercase();
    assert_eq!(job["category"], category.as_str(), "{told}");
    let body = component(&sent["components"], "body").expect("a body");
    assert_eq!(each(&body["parameters"], "parameter_name"), variables(body_text(template)), "{told}");
    let link = component(&sent["components"], "button").map(|button| each(&button["parameters"], "text").len());
    let wanted = button(template).map(|button| variables(button["url"].as_str().expect("a URL")).len());
    assert_eq!(link, wanted, "{told}");
}

#[tokio::test]
async fn the_four_notifications_fit_their_templates_and_are_sent_once_each() {
    let templates = templates();
    let known = templates.iter().map(|(name, template)| TemplateSpec {
        language: "en".to_owned(),
        body_parameters: Some(variables(body_text(template)).len()),
        ..TemplateSpec::new(name, sim::Category::Utility)
    });
    let shared = Shared::with_templates(&["1001"], known.collect()).await;
    let url = amqp_url();
    let mut published = Vec::new();
    for _ in 0..2 {
        let (well, said) = Example::start(&shared, Language::Python, NOTIFY, &url, &[]).ended().await;
        assert!(well, "{said:?}");
        published = said.iter().map(|line| serde_json::from_str::<Value>(line).expect("a job")).collect();
    }
    let names: Vec<_> = published.iter().map(|job| job["message"]["template"]["name"].as_str().expect("one")).collect();
    assert_eq!(names, ["talk_invite", "talk_turn", "talk_agreement", "talk_break"]);
    assert_eq!(names.len(), templates.len());
    for (job, name) in published.iter().zip(names) {
        assert_fits(job, &templates[name]);
        let read = job::parse(job.to_string().as_bytes(), &Received::here(tidegate::clock::now().wall)).expect("a job");
        assert_eq!(read.category == Category::Marketing, name == "talk_invite");
    }
    let producer = shared.producer().await;
    let (normal, high) = (shared.queue_of("default.normal"), shared.queue_of("default.high"));
    assert_eq!((producer.ready(&normal).await, producer.ready(&high).await), (4, 4), "two of each, twice");

    let worker = shared.world.start();
    let ledger = shared.ledger().await;
    shared.world.accepted(4).await;
    let left = async || producer.ready(&normal).await + producer.ready(&high).await;
    until(&ledger, "every copy is taken", async || (left().await == 0).then_some(())).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(shared.world.oracle().accepted(), 4, "{:?}", shared.world.oracle().stats());
    audit(&shared.world.rows(&ledger).await, &shared.world.oracle());
}
