//! The handshake with which Meta checks a webhook's address, and the client that makes it.
//!
//! <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>, copy read 2026-11-20.

use rustls_platform_verifier::Verifier;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why an address was not accepted as a webhook.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// No webhooks are configured, or no address for them.
    #[error("there is no webhook address to shake hands with")]
    NoAddress,
    /// The address is none.
    #[error("`{0}` is no http or https address")]
    BadAddress(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client can't be made")]
    Client(#[source] io::Error),
    /// Nobody answered.
    #[error("the webhook's receiver does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The receiver does not know the verify token, or refuses for another reason.
    #[error("the webhook's receiver answered {0} to the handshake, not 200: does it know this verify token?")]
    Refused(u16),
    /// The receiver did not repeat the challenge.
    #[error("the webhook's receiver did not answer with the challenge, to the letter")]
    WrongChallenge,
}

/// Asks the receiver at `url` to prove that it knows `verify_token`: Meta's `hub.mode=subscribe`.
pub(crate) async fn shake_hands(url: &str, verify_token: &str, within: Duration) -> Result<(), HandshakeError> {
    let mut address = url::Url::parse(url).map_err(|_| HandshakeError::BadAddress(url.to_owned()))?;
    let challenge = rand::random::<u32>().to_string();
    address
        .query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", verify_token);
    let client = client(url, within).map_err(HandshakeError::Client)?;
    // The address carries the token, and errors are printed.
    let unreachable = |cause: reqwest::Error| HandshakeError::Unreachable(cause.without_url());
    let answer = client.get(address).send().await.map_err(unreachable)?;
    if answer.status().as_u16() != 200 {
        return Err(HandshakeError::Refused(answer.status().as_u16()));
    }
    let said = answer.text().await.map_err(unreachable)?;
    if said == challenge { Ok(()) } else { Err(HandshakeError::WrongChallenge) }
}

/// A client for this address that trusts what the machine trusts, and follows nobody elsewhere.
pub(super) fn client(url: &str, within: Duration) -> io::Result<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let tls = if url.starts_with("https") {
        let verifier = Verifier::new(provider).map_err(io::Error::other)?;
        tls.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        // Reading the machine's authorities takes a while, and may fail where there are none.
        tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(within)
        .build()
        .map_err(io::Error::other)
}
