//! The hot path: a post to one of the two send endpoints, from its head to its answer.

use super::answer::{Answer, Content, Ending};
use super::decision::{Arrival, HeadVerdict};
use super::limits::BODY_BYTES;
use super::oracle::Shared;
use super::response_body::{CutOff, ResponseBody};
use super::validate::{self, Endpoint};
use super::wire::ResetFlag;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response};
use serde::Deserialize;
use std::borrow::Cow;

/// The endpoint and the number that a request is for, if it is a send at all.
pub(crate) fn target(method: &Method, path: &str) -> Option<(Endpoint, String)> {
    if method != Method::POST {
        return None;
    }
    let mut parts = path.strip_prefix('/')?.split('/');
    let (version, id, edge) = (parts.next()?, parts.next()?, parts.next()?);
    let endpoint = match edge {
        "messages" => Endpoint::Messages,
        "marketing_messages" => Endpoint::MarketingMessages,
        _ => return None,
    };
    (parts.next().is_none() && is_version(version)).then(|| (endpoint, id.to_owned()))
}

/// Whether this is how Graph writes a version: `v23.0`.
pub(crate) fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|text| text.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Answers a send, or says that the connection is to be cut.
pub(crate) async fn answer(
    shared: &Shared,
    endpoint: Endpoint,
    id: &str,
    request: Request<Incoming>,
    reset: &ResetFlag,
) -> Result<Response<ResponseBody>, CutOff> {
    let verdict = {
        let (mut platform, now) = shared.platform_now();
        platform.meet(id, bearer(request.headers()), now)
    };
    let number = match verdict {
        HeadVerdict::Read(number) => number,
        HeadVerdict::Cut => {
            reset.set();
            return Err(CutOff);
        }
        HeadVerdict::Refuse(answer) => {
            // Reading on keeps the connection good for the next request.
            return match read_body(request.into_body()).await? {
                ReadBody::Whole(_) => Ok(response(answer)),
                ReadBody::TooLong => Ok(too_long()),
            };
        }
    };
    let ReadBody::Whole(body) = read_body(request.into_body()).await? else {
        return Ok(too_long());
    };
    let answer = if shared.stub {
        let to = serde_json::from_slice::<Glance<'_>>(&body).map_or(Cow::Borrowed(""), |glance| glance.to);
        shared.platform().accept_unseen(number, &to)
    } else {
        let posted = validate::read(&body, endpoint);
        let (mut platform, at_ns) = shared.platform_now();
        platform.decide(Arrival { number, at_ns }, posted)
    };
    give(answer, reset).await
}

/// All that stub mode reads.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default)]
    to: Cow<'a, str>,
}

/// Delivers an answer as it is scripted to arrive.
async fn give(answer: Answer, reset: &ResetFlag) -> Result<Response<ResponseBody>, CutOff> {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    match answer.ending {
        Ending::Whole | Ending::Half => Ok(response(answer)),
        Ending::Cut => {
            reset.set();
            Err(CutOff)
        }
        // Ends when the sender gives up its connection, or the simulator stops.
        Ending::Hang => std::future::pending().await,
    }
}

fn response(answer: Answer) -> Response<ResponseBody> {
    let body = Bytes::from(answer.body);
    let body = if answer.ending == Ending::Half { ResponseBody::half(body) } else { ResponseBody::Whole(body) };
    let mut response = Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).expect("statuses are from our tables, or were checked");
    let content = match answer.content {
        Content::Json => "application/json; charset=UTF-8",
        Content::Html => "text/html; charset=utf-8",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

fn too_long() -> Response<ResponseBody> {
    let text = format!("the body is longer than {BODY_BYTES} bytes\n");
    let mut response = response(Answer { content: Content::Html, ..Answer::json(413, text.into_bytes()) });
    // The rest of the body is not read, so the connection is of no further use.
    response.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
    response
}

enum ReadBody {
    Whole(Bytes),
    TooLong,
}

/// Reads a body; one that came in a single piece is not copied.
async fn read_body(mut body: Incoming) -> Result<ReadBody, CutOff> {
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return Ok(ReadBody::TooLong);
    }
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The sender is gone in the middle of its request: nothing was accepted, nobody is there to be told.
        let Ok(data) = frame.map_err(|_| CutOff)?.into_data() else {
            continue;
        };
        if gathered.is_empty() && body.is_end_stream() {
            return Ok(ReadBody::Whole(data));
        }
        if gathered.len() + data.len() > BODY_BYTES {
            return Ok(ReadBody::TooLong);
        }
        gathered.extend_from_slice(&data);
    }
    Ok(ReadBody::Whole(gathered.freeze()))
}
