//! Reads of numbers: typed fields, pages, and errors that say what to do.

use std::time::Duration;

use http::{HeaderValue, header};
use serde_json::json;

use super::outcomes::http;
use super::server::{Server, Step};
use crate::graph::reads::{PhoneNumber, ReadError, Reads};
use crate::graph::{ApiBase, Credential, Usage};

fn credential() -> Credential {
    Credential::new(header::AUTHORIZATION, HeaderValue::from_static("Bearer EAAcanary"))
}

fn reads(server: &Server) -> Reads {
    let base = ApiBase::new(server.url().parse().expect("a URL"), "v25.0");
    Reads::new(base, None).expect("needs no authorities")
}

async fn read(step: Step) -> Result<PhoneNumber, ReadError> {
    let server = Server::start(vec![Step::Read, step]);
    let read = reads(&server).phone_number(&"17".parse().expect("a number id"), &credential()).await;
    read.map(|(number, _)| number)
}

#[tokio::test]
async fn a_numbers_fields_are_read_as_open_texts() {
    let full = json!({"id": "17", "display_phone_number": "+44 7700 900123", "quality_rating": "VIOLET",
        "status": "CONNECTED", "throughput": {"level": "HIGH"}, "is_on_biz_app": true, "new_field": [1]});
    let number = read(http("200 OK", &full.to_string())).await.expect("fields");
    assert_eq!((number.display(), number.status(), number.quality()), ("+44 7700 900123", "CONNECTED", "VIOLET"));
    assert_eq!((number.level(), number.is_on_business_app()), ("HIGH", true));
    let bare = read(http("200 OK", r#"{"id":"17"}"#)).await.expect("fields");
    assert_eq!((bare.display(), bare.status(), bare.quality(), bare.level()), ("", "", "", ""));
    assert!(!bare.is_on_business_app());
}

#[tokio::test]
async fn numbers_come_page_by_page() {
    let first = json!({"data": [{"id": "1"}, {"id": "2"}],
        "paging": {"cursors": {"before": "a", "after": "b"}, "next": "https://elsewhere.invalid/"}});
    let last = json!({"data": [{"id": "3"}], "paging": {"cursors": {"before": "c", "after": "d"}}});
    let counted = |usage: &str, body: &serde_json::Value| {
        let usage = format!("200 OK\r\nx-business-use-case-usage: {{\"1\":[{{\"call_count\":{usage}}}]}}");
        http(&usage, &body.to_string())
    };
    let script = vec![Step::Read, counted("81", &first), Step::Read, counted("79", &last)];
    let server = Server::start(script);
    let (found, usage) = reads(&server).phone_numbers("99", &credential()).await.expect("numbers");
    assert_eq!(found.iter().map(|number| number.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(usage, Usage(81));
}

#[tokio::test]
async fn an_error_says_what_to_do() {
    let error = |code: u32, subcode: u32| {
        let body = json!({"error": {"message": "said", "code": code, "error_subcode": subcode}});
        read(http("400 Bad Request", &body.to_string()))
    };
    assert!(matches!(error(190, 463).await, Err(ReadError::Credential(refusal)) if refusal.code == Some(190)));
    assert!(matches!(error(200, 0).await, Err(ReadError::Credential(_))));
    assert!(matches!(error(80_008, 0).await, Err(ReadError::Quota { regain }) if regain == Duration::from_secs(600)));
    assert!(matches!(error(100, 33).await, Err(ReadError::NotFound(_))));
    assert!(matches!(error(803, 0).await, Err(ReadError::NotFound(_))));
    let refused = error(100, 0).await.expect_err("refused");
    assert_eq!(refused.to_string(), "refused with code 100: said");
    assert!(matches!(read(http("429 Too Many Requests", "")).await, Err(ReadError::Quota { .. })));
    assert!(matches!(read(http("503 Busy", "")).await, Err(ReadError::Refused(_))));
    assert!(matches!(read(http("200 OK", "<html>")).await, Err(ReadError::Unreadable { http: 200, .. })));
}

#[tokio::test]
async fn nobody_is_followed_and_nothing_endless_is_read() {
    let moved = Step::Write(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_vec());
    assert!(matches!(read(moved).await, Err(ReadError::Unreadable { http: 302, .. })));
    let server =
        Server::start(vec![Step::Read, Step::Write(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Flood(&[b' '; 4096])]);
    let endless = reads(&server).phone_number(&"17".parse().expect("a number id"), &credential()).await;
    assert!(matches!(endless, Err(ReadError::Unreadable { http: 200, .. })), "{endless:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = Server::start(vec![Step::Reset]);
    let read = reads(&server).phone_number(&"17".parse().expect("a number id"), &credential()).await;
    let unreachable = read.expect_err("reset");
    assert!(matches!(unreachable, ReadError::Unreachable(_)));
    assert!(!format!("{unreachable:?}").contains("v25.0"), "{unreachable:?}");
}
