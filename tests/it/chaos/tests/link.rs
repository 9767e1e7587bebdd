//! A link carries, stands still, is cut, and carries again.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::link::{Carrier, Link};
use crate::world::patient;

/// Says everything back, one connection after the other.
async fn echo(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            // A cut may fall in between.
            let _ = stream.write_all(&buffer[..count]).await;
        }
    }
}

struct Bench {
    link: Link,
    _carrier: Carrier,
    _echo: JoinSet<()>,
}

async fn bench() -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let carrier = Carrier::start().expect("a thread");
    let link = carrier.link(&listener.local_addr().expect("bound").to_string()).await.expect("a link");
    let mut running = JoinSet::new();
    running.spawn(echo(listener));
    Bench { link, _carrier: carrier, _echo: running }
}

async fn connect(link: &Link) -> TcpStream {
    TcpStream::connect(link.address()).await.expect("the link listens")
}

/// What comes back, if anything does: nothing after a cut.
async fn said_back(stream: &mut TcpStream, words: &str) -> Option<String> {
    let mut buffer = [0; 64];
    stream.write_all(words.as_bytes()).await.ok()?;
    let read = patient("an answer or an end", stream.read(&mut buffer)).await;
    read.ok().filter(|count| *count > 0).map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned())
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_what_comes_until_it_is_restored() {
    let bench = bench().await;
    let mut stream = connect(&bench.link).await;
    assert_eq!(said_back(&mut stream, "hello").await.as_deref(), Some("hello"));
    bench.link.cut();
    assert_eq!(said_back(&mut stream, "hello").await, None);
    // It may be reset before it has so much as connected.
    if let Ok(mut stream) = TcpStream::connect(bench.link.address()).await {
        assert_eq!(said_back(&mut stream, "hello").await, None);
    }
    bench.link.restore();
    let mut stream = connect(&bench.link).await;
    assert_eq!(said_back(&mut stream, "hello").await.as_deref(), Some("hello"));
    bench.link.cut_once();
    assert_eq!(said_back(&mut stream, "hello").await, None);
    assert_eq!(said_back(&mut connect(&bench.link).await, "hello").await.as_deref(), Some("hello"));
}

#[tokio::test]
async fn what_stands_still_arrives_when_it_moves_again() {
    let bench = bench().await;
    let mut stream = connect(&bench.link).await;
    assert_eq!(said_back(&mut stream, "hello").await.as_deref(), Some("hello"));
    bench.link.stall();
    let answer = timeout(Duration::from_millis(200), said_back(&mut stream, "again")).await;
    assert!(answer.is_err(), "{answer:?}");
    bench.link.restore();
    let mut buffer = [0; 64];
    let count = patient("the answer", stream.read(&mut buffer)).await.expect("nothing was cut");
    assert_eq!(&buffer[..count], b"again");
}

#[tokio::test]
async fn posts_are_noted_with_their_moment_and_their_number() {
    let bench = bench().await;
    let start = Instant::now();
    let mut stream = connect(&bench.link).await;
    said_back(&mut stream, "GET / HTTP/1.1").await.expect("an answer");
    assert_eq!(bench.link.posts().len(), 0);
    said_back(&mut stream, "POST /v1/1001/messages HTTP/1.1").await.expect("an answer");
    let posts = bench.link.posts();
    assert!(posts[0].at >= start && posts[0].at <= Instant::now(), "{posts:?}");
    assert_eq!((posts.len(), posts[0].number.as_str()), (1, "1001"));
}
