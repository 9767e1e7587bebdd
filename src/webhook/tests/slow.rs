//! Slow clients lose their connections, and do not keep honest ones out.

use super::*;

fn hasty() -> Config {
    let mut config = config();
    config.limits.head_within = Duration::from_millis(500);
    config.limits.body_grace = Duration::from_millis(500);
    config.limits.body_within = Duration::from_secs(1);
    config
}

async fn open(address: SocketAddr, bytes: &[u8], count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        streams.push(stream);
    }
    streams
}

/// Clients that never get anywhere: in the head, in the body, in chunks, before, and between requests.
async fn slow_ones(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let whole = String::from_utf8(signed(BODY)).unwrap();
    let kept_alive = whole.replace("connection: close\r\n", "");
    let length = format!("content-length: {}", BODY.len());
    let chunked = whole.replace(&length, "transfer-encoding: chunked");
    let (chunked, _) = chunked.split_once("\r\n\r\n").unwrap();
    let mut streams = open(address, &whole.as_bytes()[..80], count).await;
    streams.extend(open(address, &whole.as_bytes()[..whole.len() - 1], count).await);
    streams.extend(open(address, format!("{chunked}\r\n\r\n1\r\n{{\r\n").as_bytes(), count).await);
    streams.extend(open(address, b"", count).await);
    streams.extend(open(address, kept_alive.as_bytes(), count).await);
    streams
}

#[tokio::test]
async fn slow_clients_are_let_go() {
    let bench = bench(hasty()).await;
    let streams = slow_ones(bench.address, 8).await;
    assert_eq!(bench.status(&signed(BODY)).await, Some(200), "an honest one beside them");
    for mut stream in streams {
        let answered = answer(&mut stream).await;
        assert!(matches!(answered.status, None | Some(200 | 408)), "{:?}", answered.status);
    }
    assert_eq!(bench.kept().await.len(), 8 + 1, "those between requests were honest once");
    assert!(bench.counted("too_slow") >= 24);
}

#[tokio::test]
async fn more_slow_clients_than_there_are_places_keep_nobody_out() {
    let mut config = config();
    config.limits.connections = 20;
    let bench = bench(config).await;
    // With deadlines of seconds: only by giving way do these lose their places.
    let streams = slow_ones(bench.address, 10).await;
    for _ in 0..30 {
        assert_eq!(bench.status(&signed(BODY)).await, Some(200));
    }
    assert!(bench.counted("gave_way") >= 30);
    drop(streams);
}

#[tokio::test]
async fn a_body_that_trickles_is_let_go_though_it_never_rests() {
    let bench = bench(hasty()).await;
    let body = vec![b' '; 1 << 20];
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(&signed(&body)[..1_000]).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut answered = [0; 64];
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let trickle = async {
        loop {
            tokio::select! {
                read = reading.read(&mut answered) => return read.unwrap_or(0),
                _ = tick.tick() => { let _ = writing.write_all(b" ").await; }
            }
        }
    };
    let length = tokio::time::timeout(PATIENCE, trickle).await.expect("it is let go");
    assert!(length == 0 || answered.starts_with(b"HTTP/1.1 408"), "{answered:?}");
    assert_eq!((bench.counted("too_slow"), bench.kept().await.len()), (1, 0));
}
