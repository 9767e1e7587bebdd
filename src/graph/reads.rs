//! What is asked of Meta besides sending: a number's fields, and an account's numbers.
//!
//! Rare, never in a hurry, and never repeated by itself: reqwest will do.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ApiBase, Credential, SetupError, answer, codes, endpoint, tls};
use crate::job::NumberId;
use crate::outcome::{Reason, Refusal};

/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/reference>, phone number API, read
/// 2026-09-11.
const FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,status,throughput,platform_type,\
                      is_on_biz_app,code_verification_status,name_status,account_mode,\
                      whatsapp_business_manager_messaging_limit";
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: usize = 1 << 20;
const PAGE: &str = "100";
/// More numbers than any portfolio has; a server that pages for ever is left.
const MOST_PAGES: usize = 50;

/// A sending number's fields. Meta adds values as it likes: all are open texts, and any may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// Meta's id of it.
    pub id: String,
    /// How people know it, as `+44 7700 900123`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_phone_number: Option<String>,
    /// The name that recipients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_name: Option<String>,
    /// `GREEN`, `YELLOW`, `RED`, `NA`, `UNKNOWN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_rating: Option<String>,
    /// `CONNECTED`, `FLAGGED`, `RESTRICTED`, `BANNED`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How fast it may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// `CLOUD_API`, `ON_PREMISE`, `NOT_APPLICABLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_type: Option<String>,
    /// Whether the number is used on the WhatsApp Business app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_on_biz_app: Option<bool>,
    /// `VERIFIED`, `NOT_VERIFIED`, `EXPIRED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_verification_status: Option<String>,
    /// `APPROVED`, `DECLINED`, `PENDING_REVIEW`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_status: Option<String>,
    /// `LIVE` or `SANDBOX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_mode: Option<String>,
    /// `TIER_250` … `TIER_UNLIMITED`: of the whole portfolio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp_business_manager_messaging_limit: Option<String>,
}

/// How fast a number may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// `STANDARD`, `HIGH`, `NOT_APPLICABLE`.
    pub level: String,
}

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The access token is not accepted, or may not read this: somebody must set it right.
    #[error("access token refused{}", said(.0))]
    Credential(Refusal),
    /// Too many calls: leave Meta alone for this long.
    #[error("call quota used up, for {} more seconds", .regain.as_secs())]
    Quota {
        /// Meta's own estimate, or ours.
        regain: Duration,
    },
    /// There is no such number or account, or it is not ours.
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

/// Reads from one server.
#[derive(Clone, Debug)]
pub struct Reads {
    base: ApiBase,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<PhoneNumber>,
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    cursors: Option<Cursors>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    #[serde(default)]
    after: Option<String>,
}

impl PhoneNumber {
    /// How people know it; empty if Meta does not say.
    pub fn display(&self) -> &str {
        self.display_phone_number.as_deref().unwrap_or_default()
    }

    /// Its status; empty if Meta does not say.
    pub fn status(&self) -> &str {
        self.status.as_deref().unwrap_or_default()
    }

    /// Its quality rating; empty if Meta does not say.
    pub fn quality(&self) -> &str {
        self.quality_rating.as_deref().unwrap_or_default()
    }

    /// Its throughput level; empty if Meta does not say.
    pub fn level(&self) -> &str {
        self.throughput.as_ref().map(|throughput| throughput.level.as_str()).unwrap_or_default()
    }

    /// Whether it is in coexistence with the WhatsApp Business app, which slows it.
    pub fn is_on_business_app(&self) -> bool {
        self.is_on_biz_app.unwrap_or(false)
    }
}

impl Reads {
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

    /// One number's fields.
    pub async fn phone_number(&self, number: &NumberId, credential: &Credential) -> Result<PhoneNumber, ReadError> {
        let mut url = self.base.join(number.as_str());
        url.query_pairs_mut().append_pair("fields", FIELDS);
        self.get(url, credential).await
    }

    /// All numbers of a business account, with their fields.
    pub async fn phone_numbers(&self, waba: &str, credential: &Credential) -> Result<Vec<PhoneNumber>, ReadError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.base.join(&format!("{waba}/phone_numbers"));
            url.query_pairs_mut().append_pair("fields", FIELDS).append_pair("limit", PAGE);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let page: Page = self.get(url, credential).await?;
            found.extend(page.data);
            // By the cursor and not by `next`, which is a URL with the token in it.
            let paging = page.paging.filter(|paging| paging.next.is_some());
            match paging.and_then(|paging| paging.cursors?.after) {
                Some(cursor) => after = Some(cursor),
                None => break,
            }
        }
        Ok(found)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, url: Url, credential: &Credential) -> Result<T, ReadError> {
        let mut request = self.http.get(url);
        let mut headers = http::HeaderMap::new();
        credential.put(&mut headers);
        request = request.headers(headers);
        // An error would show its URL, and with it the account's id.
        let unreachable = |cause: reqwest::Error| ReadError::Unreachable(cause.without_url());
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let unreadable = |problem: String| ReadError::Unreadable { http: status.as_u16(), problem };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(unreadable(format!("over {LARGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success()
            && let Ok(read) = serde_json::from_slice(&body)
        {
            return Ok(read);
        }
        match answer::refusal(status, response.headers(), &body) {
            Some(refusal) => Err(classify(refusal)),
            None => Err(unreadable("neither the fields asked for nor an error with a code".to_owned())),
        }
    }
}

fn classify(refusal: Refusal) -> ReadError {
    let regain = refusal.regain.unwrap_or(Duration::from_secs(600));
    let row = refusal.code.and_then(|code| codes::lookup(endpoint::Path::Messages, code, refusal.subcode));
    match row.map(|row| row.reason) {
        Some(Reason::Credentials | Reason::Permission) => ReadError::Credential(refusal),
        Some(Reason::AppQuota | Reason::WabaQuota) => ReadError::Quota { regain },
        Some(Reason::NumberGone) => ReadError::NotFound(refusal),
        _ if refusal.http == StatusCode::TOO_MANY_REQUESTS => ReadError::Quota { regain },
        _ => ReadError::Refused(refusal),
    }
}

fn said(refusal: &Refusal) -> String {
    let code =
        refusal.code.map_or_else(|| format!(" with status {}", refusal.http), |code| format!(" with code {code}"));
    if refusal.details.is_empty() { code } else { format!("{code}: {}", refusal.details) }
}
