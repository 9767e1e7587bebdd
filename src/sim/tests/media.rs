//! Media from upload to deletion.

use super::{Client, Got, call, two_numbers};
use crate::sim::{NumberSpec, Sim, SimConfig, Token};

/// Uploads a file as a form of this type; `parts` are names and values of other fields.
async fn upload(sim: &Sim, number: &str, parts: &[(&str, &str)], file: &[u8]) -> Got {
    let mut form = Vec::new();
    for (name, value) in parts {
        let part = format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend_from_slice(part.as_bytes());
    }
    form.extend_from_slice(
        b"--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".as_slice(),
    );
    form.extend_from_slice(file);
    form.extend_from_slice(b"\r\n--b0undary--\r\n");
    let mut client = Client::connect(sim.address()).await;
    let path = format!("/v23.0/{number}/media");
    client.call_with("multipart/form-data; boundary=b0undary", ("POST", &path), Some("secret"), &form).await.unwrap()
}

const PNG: &[(&str, &str)] = &[("messaging_product", "whatsapp"), ("type", "image/png")];

/// The path of the address that a read of the medium shows.
async fn link(sim: &Sim, id: &str) -> String {
    let shown = call(sim, "GET", &format!("/v23.0/{id}?phone_number_id=1001"), "").await;
    let url = shown.json()["url"].as_str().unwrap().to_owned();
    url.strip_prefix("http://sim").unwrap().to_owned()
}

#[tokio::test]
async fn a_file_is_uploaded_read_fetched_and_deleted() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let file = b"\r\n--b0und is not the end\0\xff";
    let uploaded = upload(&sim, "1001", PNG, file).await;
    assert_eq!(uploaded.status, 200);
    let id = uploaded.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v23.0/{id}");
    let shown = call(&sim, "GET", &path, "").await.json();
    assert_eq!(
        (shown["mime_type"].as_str(), shown["file_size"].as_u64()),
        (Some("image/png"), Some(file.len() as u64))
    );
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["sha256"].as_str().unwrap().len(), 64);
    let link = link(&sim, &id).await;
    let fetched = call(&sim, "GET", &link, "").await;
    assert_eq!((fetched.status, fetched.body.as_slice()), (200, file.as_slice()));
    assert!(fetched.head.to_ascii_lowercase().contains("content-type: image/png"));
    assert_eq!(call(&sim, "GET", &format!("{path}?phone_number_id=1002"), "").await.code(), 100);
    assert_eq!(call(&sim, "DELETE", &path, "").await.json()["success"], true);
    assert_eq!(call(&sim, "GET", &path, "").await.code(), 100);
    assert_eq!(call(&sim, "DELETE", &path, "").await.code(), 100);
    assert_eq!(call(&sim, "GET", &link, "").await.status, 404);
}

#[tokio::test]
async fn what_is_no_upload_is_refused() {
    let sim = Sim::start(two_numbers()).await.unwrap();
    let gif: &[(&str, &str)] = &[("messaging_product", "whatsapp"), ("type", "image/gif")];
    for (parts, file) in [(gif, b"x".as_slice()), (PNG, b""), (&PNG[1..], b"x"), (&PNG[..1], b"x")] {
        let refused = upload(&sim, "1001", parts, file).await;
        assert_eq!((refused.status, refused.code()), (400, 100), "{parts:?}");
    }
    let large = upload(&sim, "1001", PNG, &vec![0; 5 * 1024 * 1024 + 1]).await;
    assert_eq!((large.status, large.code()), (400, 100));
    assert_eq!(upload(&sim, "1003", PNG, b"x").await.code(), 100);
    assert_eq!(call(&sim, "POST", "/v23.0/1001/media", "{}").await.code(), 100);
}

#[tokio::test]
async fn an_address_needs_the_token_and_ends_after_five_minutes() {
    let own = NumberSpec { token: Some(Token("secret".to_owned())), ..NumberSpec::new("1001") };
    let other = NumberSpec { token: Some(Token("other".to_owned())), ..NumberSpec::new("1002") };
    let sim = Sim::start(SimConfig::with_numbers([own, other])).await.unwrap();
    let id = upload(&sim, "1001", PNG, b"x").await.json()["id"].as_str().unwrap().to_owned();
    let link = link(&sim, &id).await;
    let mut client = Client::connect(sim.address()).await;
    for (token, status) in [(Some("secret"), 200), (Some("other"), 404), (Some("none"), 401), (None, 401)] {
        assert_eq!(client.call("GET", &link, token, b"").await.unwrap().status, status, "{token:?}");
    }
    assert_eq!(client.call("GET", &format!("{link}0"), Some("secret"), b"").await.unwrap().status, 404);
    // Five minutes in a third of a millisecond: the address is over as soon as it is used, or soon after.
    let hasty = Sim::start(SimConfig { time_scale: 1e6, ..two_numbers() }).await.unwrap();
    let id = upload(&hasty, "1001", PNG, b"x").await.json()["id"].as_str().unwrap().to_owned();
    let over = self::link(&hasty, &id).await;
    while call(&hasty, "GET", &over, "").await.status != 404 {
        tokio::task::yield_now().await;
    }
}
