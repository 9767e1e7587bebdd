//! What is asked of Meta besides sending: a number's fields, and an account's numbers.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ask::{Asker, Usage};
use super::{ApiBase, Credential, SetupError};
use crate::job::NumberId;

/// Why a read brought nothing.
pub use super::ask::AskError as ReadError;

/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/reference>, phone number API, read
/// 2026-09-11.
const FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,status,throughput,platform_type,\
                      is_on_biz_app,code_verification_status,name_status,account_mode,\
                      whatsapp_business_manager_messaging_limit";
const TEMPLATE_FIELDS: &str = "name,language,category,status,components,quality_score,parameter_format";
const PAGE: &str = "100";
/// Templates are long, and an answer may be only so long.
const TEMPLATE_PAGE: &str = "40";
/// More numbers than any portfolio has; a server that pages for ever is left.
const MOST_PAGES: usize = 200;

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

/// A message template.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its language, as `en_US`.
    pub language: String,
    /// `MARKETING`, `UTILITY`, `AUTHENTICATION`.
    #[serde(default)]
    pub category: Option<String>,
    /// `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED`, ….
    #[serde(default)]
    pub status: Option<String>,
    /// `POSITIONAL` or `NAMED`.
    #[serde(default)]
    pub parameter_format: Option<String>,
    /// `score` and `date`.
    #[serde(default)]
    pub quality_score: Option<Value>,
    /// What it is made of.
    #[serde(default)]
    pub components: Vec<Value>,
}

/// A business account, and who owns it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Meta's id of it.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// The portfolio that owns it.
    #[serde(default)]
    pub owner_business_info: Option<Owner>,
}

/// A business portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// Meta's id of it.
    pub id: String,
}

/// How fast a number may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// `STANDARD`, `HIGH`, `NOT_APPLICABLE`.
    pub level: String,
}

/// Reads from one server.
#[derive(Clone, Debug)]
pub struct Reads {
    asker: Asker,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
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
        Ok(Self { asker: Asker::new(base, ca_file)? })
    }

    /// One number's fields.
    pub async fn phone_number(
        &self,
        number: &NumberId,
        credential: &Credential,
    ) -> Result<(PhoneNumber, Usage), ReadError> {
        let mut url = self.asker.base().join(number.as_str());
        url.query_pairs_mut().append_pair("fields", FIELDS);
        self.asker.get_counted(url, credential).await
    }

    /// An account, and who owns it.
    pub async fn account(&self, waba: &str, credential: &Credential) -> Result<Account, ReadError> {
        let mut url = self.asker.base().join(waba);
        url.query_pairs_mut().append_pair("fields", "id,name,owner_business_info");
        self.asker.get(url, credential).await
    }

    /// All numbers of a business account, with their fields.
    pub async fn phone_numbers(
        &self,
        waba: &str,
        credential: &Credential,
    ) -> Result<(Vec<PhoneNumber>, Usage), ReadError> {
        self.pages(&format!("{waba}/phone_numbers"), (FIELDS, PAGE), credential).await
    }

    /// All templates of a business account.
    pub async fn templates(&self, waba: &str, credential: &Credential) -> Result<(Vec<Template>, Usage), ReadError> {
        self.pages(&format!("{waba}/message_templates"), (TEMPLATE_FIELDS, TEMPLATE_PAGE), credential).await
    }

    /// A list, page by page, and what is used of the quota then.
    async fn pages<T: for<'de> Deserialize<'de>>(
        &self,
        edge: &str,
        (fields, limit): (&str, &str),
        credential: &Credential,
    ) -> Result<(Vec<T>, Usage), ReadError> {
        let (mut found, mut used) = (Vec::new(), Usage::default());
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.asker.base().join(edge);
            url.query_pairs_mut().append_pair("fields", fields).append_pair("limit", limit);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let (page, usage): (Page<T>, Usage) = self.asker.get_counted(url, credential).await?;
            found.extend(page.data);
            used = used.max(usage);
            // By the cursor and not by `next`, which is a URL with the token in it.
            let paging = page.paging.filter(|paging| paging.next.is_some());
            match paging.and_then(|paging| paging.cursors?.after) {
                Some(cursor) => after = Some(cursor),
                None => break,
            }
        }
        Ok((found, used))
    }
}
