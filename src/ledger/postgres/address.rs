//! The ledger's URL: what of it tokio-postgres reads itself, and what we read for it (TLS).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use url::Url;

/// A server that does not answer in this time is tried no longer.
const CONNECT_TIME: Duration = Duration::from_secs(4);
/// Unanswered bytes or an idle connection: after this time its peer counts as gone.
const SILENCE: Duration = Duration::from_secs(10);

/// Where the database is, and how to get there.
pub(super) struct Address {
    pub(super) config: Config,
    /// Set where the URL asks for TLS.
    pub(super) tls: Option<ClientConfig>,
}

impl Address {
    /// Reads a URL. What it says of the failure never repeats the URL: it holds a password.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("the URL cannot be read: {error}"))?;
        let mut authorities = None;
        let mut wants_tls = false;
        // What is not ours stays as it was written: forms and PostgreSQL do not agree on what a plus sign means.
        let mut kept: Vec<String> = Vec::new();
        for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
            match &*name {
                "sslrootcert" => authorities = Some(PathBuf::from(&*value)),
                // rustls proves the certificate and its name in each of these.
                "sslmode" => wants_tls = matches!(&*value, "require" | "verify-ca" | "verify-full"),
                _ => kept.push(pair.to_owned()),
            }
        }
        url.set_query(Some(kept.join("&").as_str()).filter(|query| !query.is_empty()));
        let mut config: Config = url.as_str().parse().map_err(|error| with_causes(&error))?;
        config.ssl_mode(if wants_tls { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_TIME).tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
        if config.get_application_name().is_none() {
            config.application_name("tidegate");
        }
        let tls = wants_tls.then(|| client_config(authorities)).transpose()?;
        Ok(Self { config, tls })
    }
}

/// TLS that never agrees with anybody.
pub(super) fn trusting_nobody() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn client_config(authorities: Option<PathBuf>) -> Result<ClientConfig, String> {
    let extra: Vec<CertificateDer<'static>> = match authorities {
        Some(path) => CertificateDer::pem_file_iter(&path)
            .and_then(|certificates| certificates.collect())
            .map_err(|error| format!("sslrootcert {} cannot be read: {error}", path.display()))?,
        None => Vec::new(),
    };
    let provider = Arc::new(ring::default_provider());
    let untrusted = |error| format!("TLS cannot be set up: {error}");
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone()).map_err(untrusted)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(untrusted)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// An error with everything that caused it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_used_where_the_url_asks_for_it() {
        for (query, wants_tls) in [
            ("", false),
            ("?sslmode=disable", false),
            ("?sslmode=prefer&application_name=x", false),
            ("?sslmode=require", true),
            ("?sslmode=verify-full&connect_timeout=3", true),
        ] {
            let address = Address::read(&format!("postgres://u:p@db.example:5432/x{query}")).expect("read");
            assert_eq!(address.tls.is_some(), wants_tls, "{query}");
        }
    }

    #[test]
    fn options_reach_the_database_as_they_were_written() {
        let url = "postgres://u@db/x?sslmode=disable&options=-c%20work_mem%3D8MB&application_name=a+b";
        let config = Address::read(url).expect("read").config;
        assert_eq!((config.get_options(), config.get_application_name()), (Some("-c work_mem=8MB"), Some("a+b")));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "postgres://u:canary@db/x?sslmode=require&sslrootcert=/nowhere/ca.pem",
            "postgres://u:canary@db:port/x",
            "postgres://u:canary@db/x?no_such_option=1",
        ] {
            let refused = Address::read(url).err().expect("refused");
            assert!(!refused.contains("canary"), "{refused}");
        }
    }
}
