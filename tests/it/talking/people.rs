//! What people say: STOP and START, and the window that their messages open.

use std::time::Duration;

use serde_json::json;
use tidegate::app::Role;
use tidegate::clock;
use tidegate::hold::HoldId;
use tidegate::ledger::{Ledger, News, WINDOW, WindowNews};
use tidegate::outcome::{Reason, State};
use tidegate::sim::{Inbound, SimConfig};

use super::{Place, Stage, everywhere, quick, simulated, template};
use crate::world::{recipient, text, until};

everywhere! {
    who_said_stop_gets_no_queued_marketing_and_every_password
    free_form_jobs_go_by_the_number_that_was_written_to_and_outside_a_window_not_at_all
}

/// Waits until so many holds are over people.
async fn held_people(ledger: &Ledger, wanted: usize) {
    until(ledger, "people are held, or free", async || {
        let holds = ledger.recipient_holds(HoldId(0), 100).await.expect("the ledger answers");
        (holds.len() == wanted).then_some(())
    })
    .await;
}

fn to(person: &str, mut job: serde_json::Value) -> serde_json::Value {
    job["to"] = json!(recipient(person));
    job
}

async fn who_said_stop_gets_no_queued_marketing_and_every_password(place: Place) {
    let sim = SimConfig { pair_limit: false, ..simulated(&["1001"], quick()) };
    let stage = Stage::new(place, sim);
    let ledger = stage.world.beside().await;
    let jobs = [
        to("anna", template("sale", "sale", "marketing")),
        to("anna", template("otp", "otp", "authentication")),
        to("anna", template("order", "order", "utility")),
        to("berta", template("other", "sale", "marketing")),
    ];
    stage.world.enqueue(&ledger, &jobs).await;
    let (worker, url) = stage.start_as(&[Role::Sender, Role::Keeper, Role::Gateway], true).await;
    stage.world.sim.set_webhook_url(url);
    stage.world.sim.say("1001", &recipient("anna"), &Inbound::text("Stop!")).expect("said");
    held_people(&ledger, 1).await;
    assert_eq!(stage.world.oracle().accepted(), 0, "all of it was queued when she said so");
    for hold in ledger.holds().await.expect("the ledger answers") {
        assert!(ledger.lift(hold.id, clock::now().wall).await.expect("the ledger answers"));
    }
    stage.world.all_ended(&ledger).await;
    stage.heard(&ledger).await;
    let row = stage.world.row(&ledger, "sale").await;
    assert_eq!((row.state, row.reason, row.attempts), (State::Suppressed, Some(Reason::OptedOut), 0));
    for id in ["otp", "order", "other"] {
        let row = stage.world.row(&ledger, id).await;
        assert!(matches!(row.state, State::Delivered | State::Read), "{id}: {}", row.state);
    }
    let again =
        [to("anna", template("sale-2", "sale", "marketing")), to("anna", template("otp-2", "otp", "authentication"))];
    stage.world.enqueue(&ledger, &again).await;
    stage.world.all_ended(&ledger).await;
    assert_eq!(stage.world.row(&ledger, "sale-2").await.state, State::Suppressed);
    stage.world.sim.say("1001", &recipient("anna"), &Inbound::text("START")).expect("said");
    held_people(&ledger, 0).await;
    stage.world.enqueue(&ledger, &[to("anna", template("sale-3", "sale", "marketing"))]).await;
    stage.world.all_ended(&ledger).await;
    worker.stop();
    assert_eq!(stage.world.oracle().accepted(), 5, "three, her second password, and the sale after START");
    assert_eq!(stage.world.row(&ledger, "sale-3").await.attempts, 1);
}

/// Webhooks of these numbers have been seen for more than a day: from now on a window that is not known is closed.
async fn know_windows(ledger: &Ledger, numbers: &[&str]) {
    let long_ago = clock::now().wall - Duration::from_hours(25);
    let windows = numbers.iter().map(|number| WindowNews {
        number: number.parse().expect("a number"),
        recipient: "+999000000001".to_owned(),
        until: long_ago + WINDOW,
    });
    let news = News { windows: windows.collect(), ..News::default() };
    ledger.apply(news, long_ago).await.expect("applied");
}

async fn free_form_jobs_go_by_the_number_that_was_written_to_and_outside_a_window_not_at_all(place: Place) {
    let sim = SimConfig { strict_windows: true, ..simulated(&["1001", "1002", "1003"], quick()) };
    let stage = Stage::new(place, sim);
    let ledger = stage.world.beside().await;
    know_windows(&ledger, &["1001", "1002", "1003"]).await;
    let worker = stage.start().await;
    let people: Vec<String> = (0..12).map(|n| format!("guest-{n}")).collect();
    for (n, person) in people.iter().enumerate() {
        let number = ["1001", "1002", "1003"][n % 3];
        stage.world.sim.say(number, &recipient(person), &Inbound::text("is anybody there?")).expect("said");
    }
    stage.heard(&ledger).await;
    let mut jobs: Vec<_> = people.iter().map(|person| text(person, "normal")).collect();
    jobs.extend((0..5).map(|n| text(&format!("stranger-{n}"), "normal")));
    // To one who wrote to another number, by this one alone.
    let mut pinned = to("guest-1", text("pinned", "normal"));
    pinned["from"] = json!("1001");
    jobs.push(pinned);
    jobs.push(template("template", "sale", "marketing"));
    stage.world.enqueue(&ledger, &jobs).await;
    stage.world.all_ended(&ledger).await;
    stage.heard(&ledger).await;
    worker.stop();
    for (n, person) in people.iter().enumerate() {
        let row = stage.world.row(&ledger, person).await;
        assert!(matches!(row.state, State::Delivered | State::Read), "{person}: {} {:?}", row.state, row.reason);
        assert_eq!(row.number.as_deref(), Some(["1001", "1002", "1003"][n % 3]), "{person}");
    }
    let outside: Vec<String> = (0..5).map(|n| format!("stranger-{n}")).chain(["pinned".to_owned()]).collect();
    for id in &outside {
        let row = stage.world.row(&ledger, id).await;
        assert_eq!((row.state, row.reason, row.attempts), (State::Failed, Some(Reason::WindowClosed), 0), "{id}");
    }
    let requests = stage.world.oracle().entries_since(0, 1_000);
    assert_eq!(requests.len(), people.len() + 1, "Meta was not asked for those outside");
    assert!(requests.iter().all(|entry| entry.outcome.is_accepted()));
}
#[tokio::test]
async fn a_start_that_is_older_than_the_stop_and_comes_again_lifts_nothing() {
    let stage = Stage::new(Place::Sqlite, simulated(&["1001"], quick()));
    let ledger = stage.world.beside().await;
    let worker = stage.start().await;
    let now = clock::now().wall.as_millis() / 1_000;
    let said = |body: &str, ago: i64| {
        let message = json!({ "from": recipient("anna").trim_start_matches('+'), "id": format!("wamid.{ago}"),
            "timestamp": (now - ago).to_string(), "type": "text", "text": { "body": body } });
        let value = json!({ "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550001001", "phone_number_id": "1001" },
            "contacts": [{ "wa_id": recipient("anna").trim_start_matches('+') }], "messages": [message] });
        let changes = json!([{ "field": "messages", "value": value }]);
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "2001", "changes": changes }] }).to_string()
    };
    for body in [said("START", 60), said("STOP", 30)] {
        assert!(stage.world.sim.send_raw_webhook(body));
        stage.heard(&ledger).await;
    }
    held_people(&ledger, 1).await;
    assert!(stage.world.sim.send_raw_webhook(said("START", 60)));
    stage.heard(&ledger).await;
    worker.stop();
    assert_eq!(ledger.recipient_holds(HoldId(0), 100).await.expect("the ledger answers").len(), 1);
}
