//! Where a number's messages are posted, and with which headers: worked out once a number, cloned for each request.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use http_body_util::Full;
use url::Url;

use crate::job::{Job, NumberId};

/// A request as it goes to [`Ready::send`](super::Ready::send).
pub type Request = http::Request<Full<Bytes>>;

/// Which of a number's two paths a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/messages`.
    Messages,
    /// `/marketing_messages`.
    MarketingMessages,
}

impl Path {
    /// The path of a job.
    pub fn of(job: &Job) -> Self {
        if job.marketing.is_some() { Self::MarketingMessages } else { Self::Messages }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::MarketingMessages => "marketing_messages",
        }
    }
}

/// The Cloud API as configured: `cloud_api.base_url` and `cloud_api.version`.
#[derive(Clone, Debug)]
pub struct ApiBase {
    url: Url,
    version: String,
}

impl ApiBase {
    /// `url` is `http` or `https` with a host; `version` looks like `v25.0`.
    pub fn new(url: Url, version: impl Into<String>) -> Self {
        Self { url, version: version.into() }
    }

    /// Its URL, without a version.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of a node or an edge, as `106540352242922` or `106540352242922/phone_numbers`.
    pub fn join(&self, node: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{}/{node}", self.url.path().trim_end_matches('/'), self.version));
        url
    }
}

/// A header with an access token in it. Prints neither.
#[derive(Clone, Debug)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// The header's name and whole value, as `Authorization` and `Bearer …`.
    pub fn new(name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self { name, value }
    }

    pub(super) fn put(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }
}

/// Where and how one number sends.
#[derive(Clone, Debug)]
pub struct Endpoint {
    messages: Uri,
    marketing: Uri,
    headers: HeaderMap,
}

impl Endpoint {
    /// For a number, with its access token.
    pub fn new(base: &ApiBase, number: &NumberId, credential: &Credential) -> Self {
        let target = |path: Path| -> Uri {
            let url = base.join(&format!("{number}/{}", path.as_str()));
            url.path().parse().expect("the path of a URL is a request target")
        };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::HOST, host(&base.url));
        credential.put(&mut headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Self { messages: target(Path::Messages), marketing: target(Path::MarketingMessages), headers }
    }

    /// A request that posts this body.
    pub fn request(&self, path: Path, body: Bytes) -> Request {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = match path {
            Path::Messages => self.messages.clone(),
            Path::MarketingMessages => self.marketing.clone(),
        };
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// How we name ourselves to servers.
pub(super) const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

fn host(url: &Url) -> HeaderValue {
    let host = url.host_str().expect("an http URL has a host");
    let text = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::from_str(&text).expect("the host of a URL fits a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        let base = ApiBase::new(url.parse().expect("a URL"), "v25.0");
        let credential = Credential::new(header::AUTHORIZATION, HeaderValue::from_static("Bearer EAAcanary"));
        Endpoint::new(&base, &"106540352242922".parse().expect("a number id"), &credential)
    }

    #[test]
    fn a_request_goes_to_the_numbers_path_with_its_token() {
        let request = endpoint("https://graph.facebook.com").request(Path::Messages, Bytes::from_static(b"{}"));
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/v25.0/106540352242922/messages");
        assert_eq!(request.headers()["host"], "graph.facebook.com");
        assert_eq!(request.headers()["authorization"], "Bearer EAAcanary");
        assert_eq!(request.headers()["content-type"], "application/json");
    }

    #[test]
    fn a_base_with_port_and_path_keeps_both() {
        let request = endpoint("http://localhost:8099/meta/").request(Path::MarketingMessages, Bytes::new());
        assert_eq!(request.uri(), "/meta/v25.0/106540352242922/marketing_messages");
        assert_eq!(request.headers()["host"], "localhost:8099");
    }

    #[test]
    fn the_token_is_not_printed() {
        let printed = format!("{:?}", endpoint("https://graph.facebook.com"));
        assert!(!printed.contains("EAAcanary"), "{printed}");
    }
}
