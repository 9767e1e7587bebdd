//! Meta's webhooks, taken in by the running app.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate::app::{Role, RunOptions};
use tidegate::ledger::Ledger;
use tokio::sync::watch;

use crate::process::Process;
#[cfg(feature = "services")]
use crate::shared::Shared;
#[cfg(feature = "services")]
use crate::world::text;
use crate::world::{World, until};

const BODY: &str = r#"{"object":"whatsapp_business_account","entry":[]}"#;

/// The answer's status to a body that is signed with this secret.
pub fn post(address: SocketAddr, secret: &str, body: &str) -> u16 {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = format!(
        "POST /webhook/whatsapp HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// Options of a gateway that applies nothing, and where it will listen.
fn gateway(others: &[Role]) -> (RunOptions, watch::Receiver<Option<SocketAddr>>) {
    let (told, address) = watch::channel(None);
    let roles = [&[Role::Gateway], others].concat();
    (RunOptions { roles, webhook_address: Some(told), ..RunOptions::default() }, address)
}

async fn listening(address: &mut watch::Receiver<Option<SocketAddr>>) -> SocketAddr {
    address.wait_for(Option::is_some).await.expect("it starts").expect("it is told")
}

/// What its world's webhooks are signed with.
pub const APP_SECRET: &str = "a secret";

/// Workers of this world take webhooks in, wherever there is room.
pub fn with_webhooks(world: &mut World) {
    world.set("webhook.listen", "127.0.0.1:0");
    world.set("webhook.app_secret", APP_SECRET);
    world.set("webhook.verify_token", "a token");
}

async fn kept(ledger: &Ledger) -> usize {
    ledger.inbox_take(10_000, 1 << 30).await.expect("the ledger is there").len()
}

#[tokio::test]
async fn what_meta_signed_is_in_the_ledger_when_it_is_answered() {
    let mut world = World::new();
    with_webhooks(&mut world);
    let (options, mut address) = gateway(&[]);
    let running = world.start_with(options);
    let address = listening(&mut address).await;
    let ledger = world.beside().await;
    assert_eq!((post(address, "a secret", BODY), post(address, "another", BODY)), (200, 403));
    assert_eq!(kept(&ledger).await, 1);
    running.stop();
    assert!(TcpStream::connect(address).is_err(), "it let go of its address");
}

#[cfg(feature = "services")]
#[tokio::test]
async fn webhooks_and_sends_share_a_database_and_one_ends_without_the_other() {
    let mut shared = Shared::ledger_only(&["1001"]);
    with_webhooks(&mut shared.world);
    let ledger = shared.ledger().await;
    let (options, mut address) = gateway(&[Role::Sender]);
    let running = shared.world.start_with(options);
    let address = listening(&mut address).await;
    let jobs: Vec<_> = (0..100).map(|job| text(&format!("job-{job}"), "normal")).collect();
    shared.world.enqueue(&ledger, &jobs).await;
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let posted = move |n| post(address, "a secret", &format!("{{\"n\":\"{thread}-{n}\"}}")) == 200;
            std::thread::spawn(move || (0..25).all(posted))
        })
        .collect();
    shared.world.all_ended(&ledger).await;
    assert!(threads.into_iter().all(|thread| thread.join().expect("a client")));
    assert_eq!((kept(&ledger).await, shared.world.oracle().accepted()), (200, 100));
    running.stop();
}

#[tokio::test]
async fn a_secret_that_changes_in_its_file_counts_without_a_restart() {
    let mut world = World::new();
    with_webhooks(&mut world);
    let path = world.path().join("secret");
    std::fs::write(&path, "old").expect("a file");
    world.set("webhook.app_secret", "");
    world.set("webhook.app_secret_file", &path.display().to_string());
    let (options, mut address) = gateway(&[]);
    let running = world.start_with(options);
    let address = listening(&mut address).await;
    let ledger = world.beside().await;
    assert_eq!((post(address, "old", BODY), post(address, "new", BODY)), (200, 403));
    std::fs::write(&path, "new").expect("a file");
    until(&ledger, "the new secret counts", async || (post(address, "new", BODY) == 200).then_some(())).await;
    assert_eq!(post(address, "old", BODY), 200, "the last one is valid for an hour more");
    running.stop();
}

#[test]
fn without_secrets_nothing_listens_and_it_is_said_how_to_change_that() {
    let world = World::new();
    let mut process = Process::start(&world, "run --set webhook.listen=192.0.2.1:1");
    process.until_said("no webhooks are taken in: set webhook.app_secret and webhook.verify_token");
    process.terminate();
    assert_eq!(process.ended().0, Some(0));
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_its_key() {
    let mut world = World::new();
    with_webhooks(&mut world);
    world.set("webhook.listen", "192.0.2.1:1");
    let (code, said) = Process::run(&world, "run");
    assert!(code == Some(1) && said.contains("webhook.listen: cannot listen on 192.0.2.1:1"), "{code:?} {said}");
}

#[test]
fn with_one_of_the_two_secrets_the_other_is_missed_aloud() {
    let mut world = World::new();
    with_webhooks(&mut world);
    world.set("webhook.app_secret", "");
    let mut process = Process::start(&world, "run");
    process.until_said("webhook.app_secret is not set: every webhook of Meta's is refused");
    process.terminate();
    assert_eq!(process.ended().0, Some(0));
}
