//! How Meta is asked for all that is not sending: one request, one answer that is bounded in size and time.
//!
//! Rare, never in a hurry, and never repeated by itself: reqwest will do.

use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use url::Url;

use super::{ApiBase, Credential, SetupError, answer, codes, endpoint, tls};
use crate::outcome::{Reason, Refusal};

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// For a whole request and its answer, where nothing large goes over the line.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: usize = 1 << 20;

/// Why Meta did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The access token is not accepted, or may not do this: somebody must set it right.
    #[error("access token refused{}", said(.0))]
    Credential(Refusal),
    /// Too many calls: leave Meta alone for this long.
    #[error("call quota used up, for {} more seconds", .regain.as_secs())]
    Quota {
        /// Meta's own estimate, or ours.
        regain: Duration,
    },
    /// There is no such thing, or it is not ours.
    #[error("not found{}", said(.0))]
    NotFound(Refusal),
    /// Meta refused for another reason.
    #[error("refused{}", said(.0))]
    Refused(Refusal),
    /// No answer: try again later.
    #[error("Meta is unreachable")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is none of Meta's.
    #[error("answer of status {http} is not what Meta answers: {problem}")]
    Unreadable {
        /// Its status.
        http: u16,
        /// What is wrong with it.
        problem: String,
    },
}

/// How much of what Meta lets be asked is used up, in percent: what is highest of calls and time. Over 100 it refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage(pub u32);

/// Asks one server.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    base: ApiBase,
    http: reqwest::Client,
}

/// What Meta answers where there is nothing to tell.
#[derive(Deserialize)]
struct Done {
    success: bool,
}

impl Asker {
    /// Trusts the same authorities as the send path.
    pub fn new(base: ApiBase, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        let tls = match base.url().scheme() {
            "https" => tls::client_config(ca_file)?,
            _ => tls::trusting_nobody()?,
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(endpoint::USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            // As the send path, which knows of no proxies.
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(SetupError::Http)?;
        Ok(Self { base, http })
    }

    pub fn base(&self) -> &ApiBase {
        &self.base
    }

    /// A request with the credential in its header: only for addresses that may learn it.
    pub fn request(&self, method: Method, url: Url, credential: &Credential) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        credential.put(&mut headers);
        self.http.request(method, url).headers(headers)
    }

    pub async fn get<T: for<'de> Deserialize<'de>>(&self, url: Url, credential: &Credential) -> Result<T, AskError> {
        answer_of(self.request(Method::GET, url, credential)).await
    }

    /// The same, with how much of the quota is used.
    pub async fn get_counted<T: for<'de> Deserialize<'de>>(
        &self,
        url: Url,
        credential: &Credential,
    ) -> Result<(T, Usage), AskError> {
        counted_answer_of(self.request(Method::GET, url, credential)).await
    }
}

/// What Meta answers, as the caller expects it, or its error by the table of codes.
pub(super) async fn answer_of<T: for<'de> Deserialize<'de>>(request: RequestBuilder) -> Result<T, AskError> {
    Ok(counted_answer_of(request).await?.0)
}

async fn counted_answer_of<T: for<'de> Deserialize<'de>>(request: RequestBuilder) -> Result<(T, Usage), AskError> {
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body = whole(&mut response).await?;
    if status.is_success()
        && let Ok(read) = serde_json::from_slice(&body)
    {
        return Ok((read, Usage(answer::usage(response.headers()))));
    }
    Err(refused(status, response.headers(), &body))
}

/// For what Meta does without having anything to tell.
pub(super) async fn done(request: RequestBuilder) -> Result<(), AskError> {
    let Done { success } = answer_of(request).await?;
    let problem = || "it says that nothing was done, and not why".to_owned();
    success.then_some(()).ok_or_else(|| AskError::Unreadable { http: 200, problem: problem() })
}

/// An answer's body, as far as an answer may go.
pub(super) async fn whole(response: &mut Response) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            let http = response.status().as_u16();
            return Err(AskError::Unreadable { http, problem: format!("over {LARGEST_ANSWER} bytes") });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer that does not bring what was asked for says.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> AskError {
    match answer::refusal(status, headers, body) {
        Some(refusal) => classify(refusal),
        None => {
            let problem = "neither what was asked for nor an error with a code".to_owned();
            AskError::Unreadable { http: status.as_u16(), problem }
        }
    }
}

/// An error would show its URL, and with it the account's id, or a medium's address.
pub(super) fn unreachable(cause: reqwest::Error) -> AskError {
    AskError::Unreachable(cause.without_url())
}

fn classify(refusal: Refusal) -> AskError {
    let regain = refusal.regain.unwrap_or(Duration::from_secs(600));
    let row = refusal.code.and_then(|code| codes::lookup(endpoint::Path::Messages, code, refusal.subcode));
    match row.map(|row| row.reason) {
        Some(Reason::Credentials | Reason::Permission) => AskError::Credential(refusal),
        Some(Reason::AppQuota | Reason::WabaQuota) => AskError::Quota { regain },
        Some(Reason::NumberGone) => AskError::NotFound(refusal),
        _ if refusal.http == StatusCode::TOO_MANY_REQUESTS => AskError::Quota { regain },
        _ => AskError::Refused(refusal),
    }
}

fn said(refusal: &Refusal) -> String {
    let code =
        refusal.code.map_or_else(|| format!(" with status {}", refusal.http), |code| format!(" with code {code}"));
    if refusal.details.is_empty() { code } else { format!("{code}: {}", refusal.details) }
}
