//! Media and read receipts through the library: against the simulator, and against servers that mean no good.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::clock::Timestamp;
use tidegate::fleet::{Uploaded, Uploads};
use tidegate::graph::media::{Checksum, Media, MediaError, MediaId, Medium, Upload};
use tidegate::graph::receipt::Receipts;
use tidegate::graph::{ApiBase, AskError, Credential};
use tidegate::job::NumberId;
use tidegate::ledger::sqlite::{Access, SqliteLedger};
use tidegate::ledger::{Ledger, Migrate};
use tidegate::sim::{Inbound, NumberSpec, Sim, SimConfig};
use tokio::task::JoinSet;

const MOST: u64 = 10 << 20;

fn base(url: &str) -> ApiBase {
    ApiBase::new(url.parse().expect("a URL"), "v25.0")
}

fn media(url: &str) -> Media {
    Media::new(base(url), None).expect("needs no authorities")
}

fn credential() -> Credential {
    Credential::new(header::AUTHORIZATION, HeaderValue::from_static("Bearer EAAcanary"))
}

fn number(id: &str) -> NumberId {
    id.parse().expect("a number's id")
}

async fn simulator() -> Sim {
    Sim::start(SimConfig::with_numbers(["1001", "1002"].map(NumberSpec::new))).await.expect("a free port")
}

fn text(content: &str) -> Upload {
    Upload::of_bytes(Bytes::copy_from_slice(content.as_bytes()), None, "a.txt").expect("WhatsApp takes it")
}

fn of_code(error: &AskError) -> Option<u32> {
    match error {
        AskError::Refused(refusal) | AskError::NotFound(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_file_goes_to_meta_and_comes_back_the_same() {
    let sim = simulator().await;
    let media = media(&sim.url());
    let home = TempDir::new().expect("a directory");
    let path = home.path().join("a \"picture\"\r\n; of mine.jpeg");
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| [(n % 253) as u8]).collect();
    std::fs::write(&path, &bytes).expect("written");
    let upload = Upload::of_file(&path, None).await.expect("WhatsApp takes it");
    assert_eq!((upload.mime_type(), upload.size()), ("image/jpeg", 3_000_000));
    assert_eq!(upload.checksum(), Checksum::of(&bytes));
    let id = media.upload(&number("1001"), &credential(), upload).await.expect("uploaded");
    let mut came = Vec::new();
    let medium = media.fetch(&id, &credential(), MOST, &mut came).await.expect("fetched");
    assert!(came == bytes);
    assert_eq!((medium.mime_type.as_str(), medium.file_size), ("image/jpeg", Some(3_000_000)));
    let of_other = media.look_up(&id, Some(&number("1002")), &credential()).await.expect_err("of another number");
    assert!(matches!(of_other, MediaError::Ask(AskError::NotFound(_))), "{of_other}");
    media.delete(&id, Some(&number("1001")), &credential()).await.expect("deleted");
    let gone = media.look_up(&id, None, &credential()).await.expect_err("deleted");
    assert!(matches!(gone, MediaError::Ask(AskError::NotFound(_))), "{gone}");
}

#[tokio::test]
async fn a_file_that_others_write_to_is_not_taken_for_what_it_was() {
    let sim = simulator().await;
    let home = TempDir::new().expect("a directory");
    let path = home.path().join("a.txt");
    std::fs::write(&path, "first").expect("written");
    let upload = Upload::of_file(&path, None).await.expect("WhatsApp takes it");
    std::fs::write(&path, "and now much longer").expect("written");
    let refused = media(&sim.url()).upload(&number("1001"), &credential(), upload).await;
    assert!(refused.is_err(), "{refused:?}");
}

struct Shop {
    uploads: Uploads,
    media: Media,
    _home: TempDir,
}

impl Shop {
    fn new(sim: &Sim) -> Self {
        let home = TempDir::new().expect("a directory");
        let path = home.path().join("ledger.db");
        let ledger = SqliteLedger::open(Path::new(&path), Access::Worker, Migrate::Auto).expect("opened");
        let media = media(&sim.url());
        Self { uploads: Uploads::new(Ledger::Sqlite(ledger), media.clone()), media, _home: home }
    }

    async fn upload(&self, of: &str, upload: Upload, day: u64) -> Uploaded {
        let now = Timestamp::from_millis(1_700_000_000_000) + Duration::from_secs(day * 86_400);
        self.uploads.once(&number(of), &credential(), upload, now).await.expect("uploaded")
    }
}

fn place(id: &MediaId) -> u64 {
    id.as_str().parse().expect("the simulator counts its files")
}

#[tokio::test]
async fn the_same_content_is_uploaded_once_in_29_days_for_each_number() {
    let sim = simulator().await;
    let shop = Shop::new(&sim);
    let first = shop.upload("1001", text("a"), 0).await;
    let again = shop.upload("1001", text("a"), 28).await;
    assert_eq!(again, Uploaded { cached: true, ..first.clone() });
    // The simulator counts: whatever it got in between would have the number between.
    let next = async |of: &str, upload: Upload, day: u64, nth: u64| {
        let uploaded = shop.upload(of, upload, day).await;
        assert!(!uploaded.cached);
        assert_eq!(place(&uploaded.id), place(&first.id) + nth);
    };
    next("1001", text("b"), 28, 1).await;
    next("1002", text("a"), 28, 2).await;
    next("1001", text("a"), 29, 3).await;
    assert!(shop.upload("1001", text("a"), 57).await.cached);
    let pdf = || Upload::of_bytes(Bytes::from_static(b"a"), Some("application/pdf"), "a").expect("WhatsApp takes it");
    next("1001", pdf(), 57, 4).await;
    let medium =
        shop.media.look_up(&shop.upload("1001", pdf(), 57).await.id, None, &credential()).await.expect("there");
    shop.uploads.delete(&medium, &[number("1002"), number("1001")], &credential()).await.expect("deleted");
    next("1001", pdf(), 57, 5).await;
    assert!(shop.upload("1002", text("a"), 28).await.cached, "of the other number, it is another file");
}

#[tokio::test]
async fn two_who_upload_the_same_at_once_both_get_an_id() {
    let sim = simulator().await;
    let shop = Shop::new(&sim);
    let (one, other) = tokio::join!(shop.upload("1001", text("a"), 0), shop.upload("1001", text("a"), 0));
    for uploaded in [&one, &other] {
        shop.media.look_up(&uploaded.id, None, &credential()).await.expect("it is there");
    }
    let later = shop.upload("1001", text("a"), 0).await;
    assert!(later.cached && (later.id == one.id || later.id == other.id));
}

#[tokio::test]
async fn an_address_that_is_over_is_asked_for_again() {
    let sim = simulator().await;
    let media = media(&sim.url());
    let id = media.upload(&number("1001"), &credential(), text("hello")).await.expect("uploaded");
    let mut medium = media.look_up(&id, None, &credential()).await.expect("there");
    medium.url.push('0');
    let mut came = Vec::new();
    media.download(&medium, &credential(), MOST, &mut came).await.expect("fetched");
    assert_eq!(came, b"hello");
}

/// A path, and the credential that came with it.
type Visit = (String, Option<String>);

/// A server that remembers who came, with which credential.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Visit>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// `answer` gets the path, and where the server is.
    async fn start(answer: impl Fn(&str, &str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let seen: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let (noted, own) = (seen.clone(), url.clone());
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path().to_owned();
            let token = request.headers().get(header::AUTHORIZATION);
            let token = token.map(|value| value.to_str().expect("a text").to_owned());
            noted.lock().expect("nobody panicked").push((path.clone(), token));
            let answered = answer(&path, &own);
            async { answered }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, seen, _tasks: tasks }
    }

    /// As Meta, with file 1 at this address of its own.
    async fn with_file(fields: Value, file: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        Self::start(move |path, own| match path {
            "/v25.0/1" => {
                let mut answer = json!({"url": format!("{own}/file"), "mime_type": "text/plain", "id": "1"});
                answer.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
                axum::Json(answer).into_response()
            }
            "/file" => file(),
            other => panic!("{other}"),
        })
        .await
    }

    async fn fetch(&self, most: u64) -> Result<(Medium, Vec<u8>), MediaError> {
        let mut came = Vec::new();
        let id = "1".parse().expect("an id");
        let medium = media(&self.url).fetch(&id, &credential(), most, &mut came).await?;
        Ok((medium, came))
    }

    fn seen(&self) -> Vec<Visit> {
        self.seen.lock().expect("nobody panicked").clone()
    }
}

#[tokio::test]
async fn nobody_but_meta_is_called_or_sees_the_token() {
    let stranger = Server::start(|_, _| "hello".into_response()).await;
    let address = format!("{}/canary", stranger.url);
    let there = Server::with_file(json!({"url": address}), || unreachable!()).await;
    let refused = there.fetch(MOST).await.expect_err("a stranger");
    assert!(matches!(&refused, MediaError::Foreign { host } if stranger.url.starts_with(host)), "{refused}");
    for by_name in ["http://graph.facebook.com/a", "https://evil.example/a", "file:///etc/passwd", "nothing"] {
        let there = Server::with_file(json!({"url": by_name}), || unreachable!()).await;
        there.fetch(MOST).await.expect_err(by_name);
    }
    let sent_on = Server::with_file(json!({}), move || Redirect::temporary(&address).into_response()).await;
    let refused = sent_on.fetch(MOST).await.expect_err("a stranger");
    assert!(matches!(refused, MediaError::Foreign { .. }), "{refused}");
    let token = Some("Bearer EAAcanary".to_owned());
    assert_eq!(sent_on.seen(), [("/v25.0/1".to_owned(), token.clone()), ("/file".to_owned(), token)]);
    assert_eq!(stranger.seen(), []);
    let round = Server::with_file(json!({}), || Redirect::temporary("/file").into_response()).await;
    round.fetch(MOST).await.expect_err("on and on");
    assert_eq!(round.seen().len(), 4);
}

#[tokio::test]
async fn a_file_that_is_nowhere_is_asked_for_twice_and_no_more() {
    let server = Server::with_file(json!({}), || StatusCode::NOT_FOUND.into_response()).await;
    let gone = server.fetch(MOST).await.expect_err("nowhere");
    assert!(matches!(gone, MediaError::Gone), "{gone}");
    assert_eq!(server.seen().into_iter().map(|(path, _)| path).collect::<Vec<_>>(), ["/v25.0/1", "/file"].repeat(2));
}

#[tokio::test]
async fn what_came_is_compared_with_what_meta_keeps() {
    let with = |fields: Value| Server::with_file(fields, || "hello".into_response());
    let right = Checksum::of(b"hello").to_string();
    for fields in [json!({}), json!({"sha256": right, "file_size": 5}), json!({"sha256": right, "file_size": "5"})] {
        assert_eq!(with(fields.clone()).await.fetch(5).await.expect("right").1, b"hello", "{fields}");
    }
    for fields in
        [json!({"sha256": Checksum::of(b"hullo").to_string()}), json!({"sha256": "?"}), json!({"file_size": 4})]
    {
        let refused = with(fields.clone()).await.fetch(5).await.expect_err("damaged");
        assert!(matches!(refused, MediaError::Damaged(_)), "{fields}: {refused}");
    }
    let large = with(json!({"file_size": 5})).await;
    assert!(matches!(large.fetch(4).await, Err(MediaError::TooLarge { size: 5, most: 4, .. })));
    assert_eq!(large.seen().len(), 1, "what is too large is not fetched");
    assert!(matches!(with(json!({})).await.fetch(4).await, Err(MediaError::TooLarge { most: 4, .. })));
}

#[tokio::test]
async fn a_message_is_marked_as_read_or_meta_says_why_not() {
    let sim = simulator().await;
    let receipts = Receipts::new(base(&sim.url()), None).expect("needs no authorities");
    let wamid = sim.say("1001", "+447700900123", &Inbound::text("hello?")).expect("said");
    for typing in [false, true] {
        receipts.mark_read(&number("1001"), &credential(), &wamid, typing).await.expect("marked");
    }
    assert_eq!(sim.oracle().totals().read_receipts, 2);
    for (of, wamid) in [("1002", wamid.as_str()), ("1001", "wamid.nobody"), ("1001", "\"},{")] {
        let refused = receipts.mark_read(&number(of), &credential(), wamid, true).await.expect_err("not its own");
        assert_eq!(of_code(&refused), Some(100));
        assert!(refused.to_string().contains("must be the id of a message that this number received"), "{refused}");
    }
    assert_eq!(sim.oracle().totals().read_receipts, 2);
}
