//! What is verified is on disk before it is answered.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn the_handshake_answers_the_challenge_as_it_came() {
    let bench = bench(config()).await;
    let query = "hub.mode=subscribe&hub.challenge=%3Cb%3E11+58%26%C3%A9&hub.verify_token=a+token%20of+ours";
    let request = format!("GET /webhook/whatsapp?{query} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let answered = bench.send(request.as_bytes()).await;
    assert_eq!((answered.status, answered.body.as_str()), (Some(200), "<b>11 58&é"));
    assert!(answered.head.contains("content-type: text/plain\r\n"), "{}", answered.head);
    assert!(answered.head.contains("x-content-type-options: nosniff"), "{}", answered.head);
}

#[tokio::test]
async fn bodies_are_kept_as_they_came_and_before_they_are_answered() {
    let bench = bench(config()).await;
    let largest = vec![b' '; 3 << 20];
    let bodies: [&[u8]; 4] = [BODY, b"{ \"no\" : json", b"\xff\x00\r\n", &largest];
    for (count, body) in bodies.iter().enumerate() {
        assert_eq!(bench.status(&signed(body)).await, Some(200));
        let kept = bench.kept().await;
        assert_eq!(kept.len(), count + 1);
        assert!(kept[count].body == *body, "body {count} differs");
    }
    assert_eq!(bench.counted("kept"), 4);
    assert!(bench.metrics.render().contains("tidegate_webhook_seconds_count 4\n"));
}

#[tokio::test]
async fn a_body_in_chunks_and_several_on_one_connection_are_kept() {
    let bench = bench(config()).await;
    let one = String::from_utf8(signed(BODY)).unwrap().replace("connection: close\r\n", "");
    let length = format!("content-length: {}", BODY.len());
    let (head, body) = one.split_once("\r\n\r\n").unwrap();
    let head = head.replace(&length, "transfer-encoding: chunked\r\nconnection: close");
    let chunked = format!("{head}\r\n\r\n1\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..1], body.len() - 1, &body[1..]);
    let answered = bench.send(format!("{one}{one}{chunked}").as_bytes()).await;
    assert_eq!((answered.status, answered.body.matches("HTTP/1.1 200").count()), (Some(200), 2));
    assert_eq!(bench.kept().await.len(), 3);
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    let bench = Arc::new(bench(config()).await);
    let mut senders = JoinSet::new();
    for sender in 0..100 {
        let bench = bench.clone();
        senders.spawn(async move { bench.status(&signed(format!("{{\"n\":{sender}}}").as_bytes())).await });
    }
    assert!(senders.join_all().await.iter().all(|status| *status == Some(200)));
    let mut kept: Vec<_> = bench.kept().await.into_iter().map(|row| row.body).collect();
    kept.sort();
    kept.dedup();
    assert_eq!(kept.len(), 100);
}

#[tokio::test]
async fn two_secrets_are_valid_during_a_rotation() {
    let texts = Arc::new(Mutex::new(vec!["old".to_owned()]));
    let read = texts.clone();
    let mut config = config();
    config.secrets = Secrets::new(Arc::new(move || read.lock().unwrap().clone()), Duration::from_secs(3_600));
    let bench = bench(config).await;
    let status = async |secret: &str| bench.status(&post(&sign(secret, BODY), "", BODY)).await;
    assert_eq!((status("old").await, status("new").await), (Some(200), Some(403)));
    *texts.lock().unwrap() = vec!["new".to_owned(), "of another app".to_owned()];
    assert_eq!((status("old").await, status("new").await), (Some(200), Some(200)));
    assert_eq!((status("of another app").await, status("nobody's").await), (Some(200), Some(403)));
}

#[tokio::test]
async fn while_the_ledger_is_stuck_meta_is_told_to_come_again() {
    let mut config = config();
    config.limits.keep_within = Duration::from_millis(200);
    let bench = bench(config).await;
    let blocker = rusqlite::Connection::open(bench.folder.path().join("ledger.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answered = bench.send(&signed(BODY)).await;
    assert_eq!(answered.status, Some(503));
    assert!(answered.head.contains("retry-after: 5"), "{}", answered.head);
    assert_eq!(bench.counted("ledger_away"), 1);
    blocker.execute_batch("ROLLBACK").unwrap();
    let again = async || while bench.status(&signed(b"{}")).await != Some(200) {};
    tokio::time::timeout(PATIENCE, again()).await.expect("it is kept in the end");
    assert!(bench.kept().await.iter().any(|row| row.body == b"{}"));
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let mut config = config();
    config.limits.waiting_bytes = 4 << 10;
    let bench = bench(config).await;
    assert_eq!(bench.status(&signed(&[b' '; 5 << 10])).await, Some(503));
    assert_eq!(bench.counted("full"), 1);
    assert_eq!(bench.status(&signed(&[b' '; 3 << 10])).await, Some(200));
    assert_eq!(bench.status(&signed(&[b' '; 3 << 10])).await, Some(200), "the space came back");
}

#[tokio::test]
async fn stopping_lets_go_of_the_address_and_of_idle_connections() {
    let mut bench = bench(config()).await;
    let mut idle = TcpStream::connect(bench.address).await.unwrap();
    let kept_alive = String::from_utf8(signed(BODY)).unwrap().replace("connection: close\r\n", "");
    idle.write_all(kept_alive.as_bytes()).await.unwrap();
    assert!(idle.read(&mut [0; 1_024]).await.unwrap() > 0);
    bench.stop.cancel();
    bench.running.join_next().await.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(bench.address).await.is_err());
}

#[tokio::test]
async fn a_taken_address_is_named_with_its_key() {
    let bench = bench(config()).await;
    let refused = Server::bind(Config { listen: bench.address, ..config() }).await.err().expect("it is taken");
    assert_eq!(refused.to_string(), format!("webhook.listen: cannot listen on {}", bench.address));
}
