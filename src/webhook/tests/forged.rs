//! What is forged or malformed never comes in.

use super::*;

/// A request, and what may be answered; 0: or nothing.
type Case = (String, Vec<u8>, &'static [u16]);

fn signatures() -> Vec<Case> {
    let good = sign(SECRET, BODY);
    let digits = good.strip_prefix("sha256=").unwrap();
    let spaced = String::from_utf8_lossy(BODY).replace(':', ": ");
    let flipped = format!("{}{}", &good[..70], if good.ends_with('0') { '1' } else { '0' });
    let wrong: Vec<String> = vec![
        String::new(),
        "sha256=".into(),
        "sha256".into(),
        digits.into(),
        format!("sha1={digits}"),
        format!("SHA256={digits}"),
        format!("sha256:{digits}"),
        format!("sha256= {digits}"),
        format!("sha256=0x{digits}"),
        format!("sha256=\"{digits}\""),
        format!("\"{good}\""),
        format!("{good},{good}"),
        format!("{good};"),
        format!("{good}00"),
        good[..69].into(),
        good[..70].into(),
        flipped,
        format!("sha256={}", "0".repeat(64)),
        format!("sha256={}", "g".repeat(64)),
        format!("sha256={}", "é".repeat(32)),
        "sha256=7vk2eC7EXo3qdeeHdrbgXXbTeZ2W0yiPjXqhcKS5mZs=".into(),
        sign("another secret", BODY),
        sign("", BODY),
        sign(TOKEN, BODY),
        sign(&SECRET.to_uppercase(), BODY),
        sign(SECRET, b""),
        sign(SECRET, &BODY[1..]),
        sign(SECRET, &[BODY, b"\n"].concat()),
        sign(SECRET, spaced.as_bytes()),
    ];
    let mut cases: Vec<Case> =
        wrong.into_iter().map(|value| (format!("signature {value:?}"), post(&value, "", BODY), &[403][..])).collect();
    let twice = format!("x-hub-signature-256: {good}\r\n");
    cases.push(("two signatures".into(), post(&good, &twice, BODY), &[403]));
    let other = format!("x-hub-signature: {good}\r\n");
    cases.push(("a signature under another name".into(), post("", &other, BODY), &[403]));
    let replayed = post(&good, "", &[BODY, b" "].concat());
    cases.push(("a signature of another body".into(), replayed, &[403]));
    let none =
        String::from_utf8(post(&good, "", BODY)).unwrap().replace(&format!("x-hub-signature-256: {good}\r\n"), "");
    cases.push(("no signature".into(), none.into_bytes(), &[403]));
    cases
}

/// The good request with a part of its text replaced.
fn altered(name: &str, part: &str, by: &str, allowed: &'static [u16]) -> Case {
    let good = String::from_utf8(signed(BODY)).unwrap();
    assert!(good.contains(part), "{part}");
    (format!("{name} {by:?}"), good.replacen(part, by, 1).into_bytes(), allowed)
}

fn heads() -> Vec<Case> {
    let mut cases = Vec::new();
    for media in ["text/plain", "text/json", "json", "application/jsonx", "application/xml", "", "multipart/form-data"]
    {
        cases.push(altered("content type", "application/json", media, &[415]));
    }
    cases.push(altered("content type", "content-type", "x-content-type", &[415]));
    for method in ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FETCH"] {
        cases.push(altered("method", "POST", method, &[405]));
    }
    cases.push(altered("method", "POST", "post post", &[0, 400]));
    for path in
        ["/", "/webhook", "/webhook/whatsapp/", "/webhook/whatsapp/x", "/WEBHOOK/whatsapp", "//webhook/whatsapp"]
    {
        cases.push(altered("path", "/webhook/whatsapp", path, &[404]));
    }
    cases.push(altered("path", "/webhook/whatsapp", "/webhook%2Fwhatsapp", &[404]));
    cases.push(altered("path", "/webhook/whatsapp", "/x/../webhook/whatsapp", &[404]));
    let length = format!("content-length: {}", BODY.len());
    for wrong in ["content-length: x", "content-length: -1", "content-length: 49\r\ncontent-length: 50", "no colon"] {
        cases.push(altered("head", &length, wrong, &[0, 400, 411]));
    }
    cases.push(altered("head", &length, "x-length: 1", &[411]));
    cases.push(altered("head", &length, "content-length: 0", &[400]));
    cases.push(altered("head", &length, "content-length: 3145729", &[413]));
    cases.push(altered("head", &length, "content-length: 99999999999999999999999", &[0, 400, 413]));
    cases.push(altered("head", "host: h", "ho\0st: h", &[0, 400]));
    cases.push(altered("head", "host: h", &"x: y\r\n".repeat(100), &[0, 431]));
    cases.push(altered("head", "host: h", &format!("x: {}", "y".repeat(40_000)), &[0, 431]));
    cases.push(altered("version", "HTTP/1.1", "HTTP/7.1", &[0, 400]));
    cases
}

fn bodies() -> Vec<Case> {
    let length = format!("content-length: {}", BODY.len());
    let head = |signature: &str| {
        let head = String::from_utf8(post(signature, "", BODY)).unwrap().replace(&length, "transfer-encoding: chunked");
        head.split_once("\r\n\r\n").unwrap().0.to_owned() + "\r\n\r\n"
    };
    let good = sign(SECRET, BODY);
    let chunk = |text: &[u8]| format!("{:x}\r\n{}\r\n", text.len(), String::from_utf8_lossy(text));
    let whole = chunk(BODY) + "0\r\n\r\n";
    let endless = chunk(&[b' '; 1 << 16]).repeat(49);
    vec![
        ("a forged body in chunks".into(), (head(&sign("x", BODY)) + &whole).into(), &[403]),
        ("a body that is not the signed one, in chunks".into(), (head(&good) + &chunk(b"x") + &whole).into(), &[403]),
        ("a chunk of no size".into(), (head(&good) + "zz\r\n").into(), &[0, 400]),
        ("a chunk that is longer than told".into(), (head(&good) + "1\r\n{}}\r\n0\r\n\r\n").into(), &[0, 400]),
        ("chunks without end".into(), (head(&good) + &endless).into(), &[0, 413]),
        ("garbage".into(), b"\x01\x02\x03\x04\r\n\r\n".to_vec(), &[0, 400]),
        ("TLS".into(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0, 400]),
        ("HTTP/2".into(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[0, 400]),
        ("a line without a version".into(), b"POST /webhook/whatsapp\r\n\r\n".to_vec(), &[0, 400]),
    ]
}

fn handshakes() -> Vec<Case> {
    let token = TOKEN.replace(' ', "%20");
    let wrong = [
        String::new(),
        "?".into(),
        format!("?hub.verify_token={token}&hub.challenge=1"),
        format!("?hub.mode=subscribe&hub.verify_token={token}"),
        format!("?hub.mode=unsubscribe&hub.verify_token={token}&hub.challenge=1"),
        "?hub.mode=subscribe&hub.challenge=1".into(),
        "?hub.mode=subscribe&hub.verify_token=&hub.challenge=1".into(),
        "?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1".into(),
        format!("?hub.mode=subscribe&hub.verify_token={token}%00&hub.challenge=1"),
        format!("?hub.mode=subscribe&hub.verify_token={}&hub.challenge=1", &token[..5]),
        format!("?hub.mode=subscribe&hub.verify_token=wrong&hub.verify_token={token}&hub.challenge=1"),
        format!("?hub_mode=subscribe&hub_verify_token={token}&hub_challenge=1"),
    ];
    let request =
        |query: &String| format!("GET /webhook/whatsapp{query} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    wrong.iter().map(|query| (format!("handshake {query:?}"), request(query).into(), &[403][..])).collect()
}

#[tokio::test]
async fn what_is_forged_or_malformed_is_refused_and_nothing_of_it_is_kept() {
    let bench = bench(config()).await;
    let cases = [signatures(), heads(), bodies(), handshakes()].concat();
    assert!(cases.len() >= 60);
    for (name, request, allowed) in &cases {
        let status = bench.status(request).await;
        assert!(allowed.contains(&status.unwrap_or(0)), "{name}: {status:?}");
    }
    assert_eq!((bench.counted("kept"), bench.counted("handshake"), bench.kept().await.len()), (0, 0, 0));
    assert_eq!(bench.status(&signed(BODY)).await, Some(200), "an honest one comes in after all of them");
    assert_eq!(bench.kept().await.len(), 1);
}

#[tokio::test]
async fn refusals_are_counted_by_why() {
    let bench = bench(config()).await;
    for (request, result) in [
        (post("", "", BODY), "signature"),
        (altered("", "POST", "PUT", &[]).1, "method"),
        (altered("", "/webhook/", "/", &[]).1, "path"),
        (altered("", "application/json", "text/plain", &[]).1, "content_type"),
        (b"GET /webhook/whatsapp HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec(), "verify_token"),
        (b"nonsense\r\n\r\n".to_vec(), "broken"),
    ] {
        assert_eq!(bench.counted(result), 0);
        bench.send(&request).await;
        let counted = async || {
            while bench.counted(result) != 1 {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(PATIENCE, counted()).await.unwrap_or_else(|_| panic!("{result}"));
    }
}

#[tokio::test]
async fn without_a_secret_every_webhook_is_refused_and_the_handshake_is_not() {
    let mut config = config();
    config.secrets = Secrets::new(fixed(&[]), Duration::ZERO);
    let bench = bench(config).await;
    assert_eq!(bench.status(&signed(BODY)).await, Some(403));
    assert_eq!(bench.status(&post(&sign("", BODY), "", BODY)).await, Some(403));
    assert_eq!(bench.counted("no_secret"), 2);
}

#[tokio::test]
async fn who_is_not_on_the_list_stays_outside() {
    let mut config = config();
    config.networks = Networks { allowed: vec!["10.0.0.0/8".parse().unwrap()], proxies: 1 };
    let bench = bench(config).await;
    let from = |client: &str| post(&sign(SECRET, BODY), &format!("x-forwarded-for: {client}\r\n"), BODY);
    assert_eq!(bench.status(&signed(BODY)).await, Some(403));
    assert_eq!(bench.status(&from("10.1.2.3, 203.0.113.9")).await, Some(403));
    assert_eq!(bench.counted("network"), 2);
    assert_eq!(bench.status(&from("203.0.113.9, 10.1.2.3")).await, Some(200));
}
