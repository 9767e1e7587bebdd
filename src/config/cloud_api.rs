//! How Meta's Cloud API is reached.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::form;
use super::reader::{Reader, Told};
use super::{ByteSize, Secret, SecretSource};

/// Group `cloud_api`.
#[derive(Clone, Debug)]
pub struct CloudApiConfig {
    /// Without a path's final slash.
    pub base_url: Url,
    /// As `v25.0`.
    pub version: String,
    /// Which header carries the credential.
    pub auth_header: AuthHeader,
    /// For numbers without a credential of their own.
    pub access_token: Option<SecretSource>,
    /// The business account whose numbers may be found.
    pub waba: Option<String>,
    /// For DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// No byte written so long after its permit: given up, not sent.
    pub write_timeout: Duration,
    /// For a whole request and its answer.
    pub request_timeout: Duration,
    /// What an answer may have at most.
    pub max_response: ByteSize,
    /// Authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// A header with a place for the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHeader {
    name: HeaderName,
    before: String,
    after: String,
}

const PLACE: &str = "{token}";

impl AuthHeader {
    /// Reads `Authorization: Bearer {token}`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = || "a header looks like \"Authorization: Bearer {token}\", with {token} once".to_owned();
        let (name, value) = text.split_once(':').ok_or_else(allowed)?;
        let (before, after) = value.trim().split_once(PLACE).ok_or_else(allowed)?;
        let fits = HeaderValue::from_str(before).is_ok() && HeaderValue::from_str(after).is_ok();
        if !fits || after.contains(PLACE) {
            return Err(allowed());
        }
        let name = HeaderName::try_from(name.trim()).map_err(|_| allowed())?;
        Ok(Self { name, before: before.to_owned(), after: after.to_owned() })
    }

    /// The header's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The header's value with this credential in it, marked so that nobody prints or indexes it.
    pub fn value(&self, token: &Secret) -> HeaderValue {
        let text = format!("{}{}{}", self.before, token.expose(), self.after);
        let mut value = HeaderValue::from_str(&text).expect("a credential is checked to fit a header");
        value.set_sensitive(true);
        value
    }
}

impl CloudApiConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let second = Duration::from_secs(1);
        let base_url = reader.read("cloud_api.base_url", base_url);
        let version = reader.read("cloud_api.version", version);
        let auth_header = reader.read("cloud_api.auth_header", AuthHeader::parse);
        let access_token = reader.secret("cloud_api.access_token", form::credential);
        let waba = reader.read_optional("cloud_api.waba", form::meta_id);
        let connect_timeout = reader.span("cloud_api.connect_timeout", Duration::from_millis(10)..=second * 60);
        let write_timeout = reader.span("cloud_api.write_timeout", Duration::from_millis(1)..=second);
        let request_timeout = reader.span("cloud_api.request_timeout", Duration::from_millis(50)..=second * 300);
        let max_response = reader.read("cloud_api.max_response", max_response);
        let ca_file = reader.file("cloud_api.ca_file");
        Ok(Self {
            base_url: base_url?,
            version: version?,
            auth_header: auth_header?,
            access_token: access_token?,
            waba: waba?,
            connect_timeout: connect_timeout?,
            write_timeout: write_timeout?,
            request_timeout: request_timeout?,
            max_response: max_response?,
            ca_file: ca_file?,
        })
    }
}

fn base_url(text: &str) -> Result<Url, String> {
    let mut url = form::http_url(text)?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("a base URL has no user, password or query".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn version(text: &str) -> Result<String, String> {
    let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = text
        .strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor));
    fits.then(|| text.to_owned()).ok_or_else(|| "a version looks like \"v25.0\"".to_owned())
}

fn max_response(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = form::parsed(text)?;
    let (least, most) = (ByteSize::new(1 << 10), ByteSize::new(16 << 20));
    let fits = (least..=most).contains(&size);
    fits.then_some(size).ok_or_else(|| format!("allowed: {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_filled_in_and_marked_as_sensitive() {
        let header = AuthHeader::parse("D360-API-KEY: {token}").unwrap();
        let value = header.value(&Secret::new("EAAcanary"));
        assert_eq!(header.name().as_str(), "d360-api-key");
        assert_eq!(value.to_str().unwrap(), "EAAcanary");
        assert!(!format!("{value:?}").contains("canary"));
        let bearer = AuthHeader::parse("Authorization: Bearer {token}").unwrap();
        assert_eq!(bearer.value(&Secret::new("x")).to_str().unwrap(), "Bearer x");
    }
}
