//! An access token that Meta refuses: its jobs wait, uncharged, until there is another.

use std::path::Path;
use std::time::Duration;

use tidegate::clock;
use tidegate::hold::Scope;
use tidegate::outcome::{Reason, State};
use tidegate::sim::{NumberSpec, SimConfig, Token};

use crate::world::{World, audit, count, text, until};

/// As an editor or a secret store does it: in one step.
fn replace(path: &Path, secret: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, secret).expect("the folder can be written");
    std::fs::rename(&new, path).expect("it takes its place");
}

#[tokio::test]
async fn jobs_wait_uncharged_for_a_new_token_and_go_when_its_file_has_one() {
    let number = |id: &str, token: &str| NumberSpec { token: Some(Token(token.into())), ..NumberSpec::new(id) };
    let sim = SimConfig::with_numbers([number("1001", "renewed"), number("1002", "always-good")]);
    let mut world = World::with(sim, &[("1001", "80/s"), ("1002", "80/s")]);
    let file = world.path().join("token");
    replace(&file, "expired");
    world.set("numbers[0].token_file", &file.display().to_string());
    world.set("numbers[1].token", "always-good");
    world.set("retry.attempts", "1");
    let ledger = world.beside().await;
    let job = |n: u32| {
        let mut job = text(&format!("job-{n}"), "normal");
        job["from"] = if n.is_multiple_of(2) { "1001".into() } else { "1002".into() };
        job
    };
    world.enqueue(&ledger, &(0..60).map(job).collect::<Vec<_>>()).await;
    let worker = world.start();

    // Those of the other token are not concerned.
    world.accepted(30).await;
    let hold = until(&ledger, "the credential is held", async || ledger.holds().await.expect("holds").pop()).await;
    assert_eq!((hold.cover.scope, hold.cover.subject.as_str()), (Scope::Credential, "number-1001"));
    assert_eq!((hold.reason, hold.probe), (Reason::Credentials, true));
    let in_the_air = world.oracle().totals().refused;
    assert!(in_the_air <= 8, "{in_the_air} requests found out that the token is refused");
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows).get(&State::Failed), None, "nothing is burnt");

    let replaced_at = clock::now().mono;
    replace(&file, "renewed");
    world.all_ended(&ledger).await;
    // Far below the minute after which the refused token would have been tried again.
    assert!(clock::now().mono.since(replaced_at) < Duration::from_secs(30), "the new token was waited for too long");
    worker.stop();
    let rows = world.rows(&ledger).await;
    assert_eq!(count(&rows), [(State::Accepted, 60)].into());
    assert_eq!(ledger.holds().await.expect("holds"), [], "the hold went with the old token");
    audit(&rows, &world.oracle());
}
