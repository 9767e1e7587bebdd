//! «Accept, then X»: every way in which an answer can fail to come.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::server::{Server, Step};
use super::{AMPLE, Bench, settings};
use crate::graph::connection::{Bounds, Connection};
use crate::graph::wire::{Counted, Wire};
use crate::graph::{Settings, client};
use crate::outcome::{NotSentCause, Outcome, UnknownCause};

const SUCCESS: &str = r#"{"messages":[{"id":"wamid.1"}]}"#;
const GARBLED: Outcome = Outcome::Unknown(UnknownCause::Garbled);
const LOST: Outcome = Outcome::Unknown(UnknownCause::ConnectionLost);
const TIMEOUT: Outcome = Outcome::Unknown(UnknownCause::Timeout);

pub fn http(status: &str, body: &str) -> Step {
    Step::Write(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn raw(bytes: &str) -> Step {
    Step::Write(bytes.as_bytes().to_vec())
}

pub fn accepted() -> Outcome {
    Outcome::Accepted { wamid: "wamid.1".to_owned(), held_for_quality: false }
}

async fn outcome(script: Vec<Step>, settings: &Settings) -> Outcome {
    let server = Server::start(script);
    Bench::new(&server.url(), settings).send().await
}

#[tokio::test]
async fn an_answer_in_any_framing_is_read() {
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{SUCCESS}\r\n0\r\n\r\n", SUCCESS.len());
    let to_the_end = format!("HTTP/1.0 200 OK\r\n\r\n{SUCCESS}");
    let continued =
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{SUCCESS}", SUCCESS.len());
    for answer in [chunked, to_the_end, continued] {
        assert_eq!(outcome(vec![Step::Read, raw(&answer)], &settings()).await, accepted(), "{answer}");
    }
    let in_pieces = [&SUCCESS[..9], &SUCCESS[9..]];
    let script = vec![
        Step::Read,
        raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", SUCCESS.len())),
        raw(in_pieces[0]),
        raw(in_pieces[1]),
    ];
    assert_eq!(outcome(script, &settings()).await, accepted());
}

#[tokio::test]
async fn what_is_no_answer_of_metas_is_unknown() {
    let cases = [
        vec![http("200 OK", "{}")],
        vec![http("200 OK", "<html>")],
        vec![http("200 OK", &SUCCESS[..20])],
        vec![http("302 Found", "")],
        vec![http("500 Internal Server Error", "")],
        vec![http("502 Bad Gateway", "<html>bad gateway</html>")],
        vec![http("504 Gateway Timeout", "")],
        vec![raw("SSH-2.0-OpenSSH_9.9\r\n\r\n")],
        vec![raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\u{8}\x08")],
        vec![raw("HTTP/1.1 200 OK\r\n"), Step::Flood(b"x-endless: header\r\n")],
        vec![raw("HTTP/1.1 200 OK\r\n\r\n"), Step::Flood(b"{\"messages\": \"and so on, without end\"}")],
        vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n"), Step::Flood(&[b' '; 4096])],
    ];
    for case in cases {
        let script = [vec![Step::Read], case.clone()].concat();
        assert_eq!(outcome(script, &settings()).await, GARBLED, "{case:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_its_answer_is_unknown() {
    let half = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", SUCCESS.len(), &SUCCESS[..20]);
    let cases = [
        vec![Step::Finish],
        vec![Step::Reset],
        vec![raw("HTTP/1.1 200 OK\r\ncontent-le"), Step::Finish],
        vec![raw(&half), Step::Finish],
        vec![raw(&half), Step::Reset],
        vec![raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{"), Step::Finish],
    ];
    for case in cases {
        let script = [vec![Step::Read], case.clone()].concat();
        assert_eq!(outcome(script, &settings()).await, LOST, "{case:?}");
    }
}

#[tokio::test]
async fn a_silent_or_endlessly_slow_answer_ends_at_the_deadline() {
    let short = Settings { request_timeout: Duration::from_millis(60), ..settings() };
    let cases = [
        vec![Step::Hang],
        vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), Step::Hang],
        vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n"), Step::Drip(b" ")],
        vec![raw("HTTP/1.1 200 OK\r\n"), Step::Drip(b"a: b\r\n")],
        vec![Step::Drip(b"HTTP/1.1 100 Continue\r\n\r\n")],
    ];
    for case in cases {
        let script = [vec![Step::Read], case.clone()].concat();
        assert_eq!(outcome(script, &short).await, TIMEOUT, "{case:?}");
    }
}

#[tokio::test]
async fn an_error_is_refused_by_its_code() {
    let body = r#"{"error":{"message":"(#130429) Rate limit hit","code":130429}}"#;
    let Outcome::Refused(refusal) = outcome(vec![Step::Read, http("429 Too Many Requests", body)], &settings()).await
    else {
        panic!("not refused");
    };
    assert_eq!((refusal.code, refusal.http), (Some(130_429), 429));
    let Outcome::Refused(refusal) = outcome(vec![Step::Read, http("503 Busy", "<html>")], &settings()).await else {
        panic!("not refused");
    };
    assert_eq!((refusal.code, refusal.http), (None, 503));
}

#[tokio::test]
async fn a_server_that_stops_reading_midway_leaves_it_unknown() {
    let server = Server::start(vec![Step::Drip(b"")]);
    let bench = Bench::new(&server.url(), &Settings { request_timeout: Duration::from_millis(100), ..settings() });
    let request = bench.request(Bytes::from(vec![b' '; 64 << 20]));
    assert_eq!(bench.take().await.send(request).await, TIMEOUT);
}

/// The server sends a FIN to every connection at once, and counts what comes in nevertheless.
#[tokio::test]
async fn what_counts_as_not_sent_never_arrived() {
    let mut server = Server::start(vec![Step::Finish]);
    let bench = Bench::new(&server.url(), &settings());
    let mut seen = [0, 0];
    for _ in 0..300 {
        // Taken before the FIN is noticed, or after, as it happens.
        let Some(ready) = bench.client.take_ready() else {
            tokio::task::yield_now().await;
            continue;
        };
        let outcome = ready.send(bench.request(Bytes::from_static(b"{}"))).await;
        match outcome {
            Outcome::NotSent(NotSentCause::ClosedBeforeWrite) => seen[0] += 1,
            LOST => seen[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    let accepted = server.accepted();
    drop(bench);
    let mut arrived = 0;
    for _ in 0..accepted {
        let received = timeout(AMPLE, server.ended.recv()).await.expect("all end").expect("one each");
        arrived += usize::from(received > 0);
    }
    assert_ne!(seen, [0, 0]);
    assert!(arrived <= seen[1], "{arrived} arrived, of {seen:?} (not sent, unknown)");
}

#[tokio::test]
async fn a_connection_closed_while_in_hand_takes_no_byte() {
    let mut server = Server::start(vec![Step::Reset]);
    let address = server.url().replace("http://", "");
    let mut connection = connection(TcpStream::connect(&address).await.expect("listening")).await;
    timeout(AMPLE, server.ended.recv()).await.expect("reset").expect("one");
    // Parks until the socket is known to be closed.
    timeout(
        AMPLE,
        std::future::poll_fn(|cx| {
            if connection.is_ready(cx.waker()) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        }),
    )
    .await
    .expect("noticed");
    let bench = Bench::new(&server.url(), &settings());
    let exchanged = connection.exchange(bench.request(Bytes::from_static(b"{}")), &bounds(AMPLE)).await;
    assert_eq!(exchanged.outcome, Outcome::NotSent(NotSentCause::ClosedBeforeWrite));
    assert!(!exchanged.reusable);
}

#[tokio::test]
async fn a_socket_that_takes_nothing_counts_as_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
    socket2::SockRef::from(&socket).set_send_buffer_size(4096).expect("settable");
    // Full only when it stays full: what it holds still moves to the other side for a while.
    while timeout(Duration::from_millis(100), socket.writable()).await.is_ok() {
        while socket.try_write(&[0; 4096]).is_ok() {}
    }
    let mut connection = connection(socket).await;
    let bench = Bench::new("http://127.0.0.1:9", &settings());
    let stalled =
        connection.exchange(bench.request(Bytes::from_static(b"{}")), &bounds(Duration::from_millis(25))).await;
    assert_eq!(stalled.outcome, Outcome::NotSent(NotSentCause::WriteStalled));
    assert!(!stalled.reusable);
}

#[tokio::test]
async fn a_process_that_goes_on_too_late_writes_nothing_more() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
    let mut connection = connection(socket).await;
    let bench = Bench::new("http://127.0.0.1:9", &settings());
    // The time to write is over before the first byte can leave.
    let late = connection.exchange(bench.request(Bytes::from_static(b"{}")), &bounds(Duration::ZERO)).await;
    assert_eq!(late.outcome, Outcome::NotSent(NotSentCause::WriteStalled));
    assert!(!late.reusable);
}

#[test]
fn the_default_deadlines_are_those_of_rule_t() {
    let client::Settings { connect_timeout, write_timeout, request_timeout, .. } = Settings::default();
    let millis = [connect_timeout, write_timeout, request_timeout].map(|deadline| deadline.as_millis());
    assert_eq!(millis, [3_000, 25, 15_000]);
}

async fn connection(socket: TcpStream) -> Connection {
    let counted = Counted::new(socket);
    let written = counted.written();
    Connection::start(Wire::Plain(counted), written, Instant::now() + AMPLE).await.expect("writes nothing yet")
}

fn bounds(write: Duration) -> Bounds {
    Bounds { write, total: AMPLE, max_response: 1 << 16 }
}
