//! Whom we trust: the system's authorities, and those of `cloud_api.ca_file`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::SetupError;
use super::endpoint::USER_AGENT;

/// Name, connection and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// TLS for clients, with the ring provider, which no other crate has to install.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, SetupError> {
    let extra = match ca_file {
        Some(path) => authorities(path)?,
        None => Vec::new(),
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone()).map_err(SetupError::Trust)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Trust)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A client for addresses that the operator names: it follows no redirects and knows of no proxies.
pub fn outward_client(ca_file: Option<&Path>, within: Duration) -> Result<reqwest::Client, SetupError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(ca_file)?)
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(within)
        .build()
        .map_err(SetupError::Http)
}

/// TLS that never agrees with anybody: for a client that must have some, and a server that has none.
pub(super) fn trusting_nobody() -> Result<ClientConfig, SetupError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Trust)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(config)
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let unreadable = |cause| SetupError::CaFile { path: path.to_owned(), cause };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect()).map_err(unreadable)?;
    if found.is_empty() { Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}
