//! TLS with a certificate of our own, which no system trusts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::outcomes::accepted;
use super::{Bench, settings};
use crate::graph::{ApiBase, Client, Settings, SetupError};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/graph/fixtures", name].iter().collect()
}

/// For `localhost` and 127.0.0.1, signed by itself.
pub fn certificate() -> PathBuf {
    fixture("localhost.cert.pem")
}

/// A server that answers every request on every connection, as long as its task lives.
async fn serve() -> (u16, JoinSet<()>) {
    let certificates = vec![CertificateDer::from_pem_file(certificate()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else { return };
                let mut buffer = [0; 4096];
                // Every request of these tests fits one record.
                while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
                    let body = r#"{"messages":[{"id":"wamid.1"}]}"#;
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    (port, tasks)
}

#[tokio::test]
async fn an_authority_from_a_file_is_trusted() {
    let (port, _server) = serve().await;
    for host in ["localhost", "127.0.0.1"] {
        let bench =
            Bench::new(&format!("https://{host}:{port}"), &Settings { ca_file: Some(certificate()), ..settings() });
        for _ in 0..3 {
            assert_eq!(bench.send().await, accepted());
        }
        assert_eq!(bench.client.stats().opened, 1);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_opens_nothing() {
    let (port, _server) = serve().await;
    // Another authority, so that the test needs none from the system.
    let bench = Bench::new(
        &format!("https://localhost:{port}"),
        &Settings { ca_file: Some(fixture("stranger.cert.pem")), ..settings() },
    );
    let stats = bench.until(|stats| stats.failed > 0).await;
    assert!(stats.trouble.as_deref().is_some_and(|trouble| trouble.contains("TLS")), "{stats:?}");
    assert_eq!(stats.opened, 0);
}

#[test]
fn a_file_without_certificates_is_refused() {
    let base = ApiBase::new("https://graph.facebook.com".parse().expect("a URL"), "v25.0");
    for name in ["localhost.key.pem", "missing.pem"] {
        let refused = Client::new(&base, &Settings { ca_file: Some(fixture(name)), ..settings() });
        assert!(matches!(refused, Err(SetupError::CaFile { .. })), "{name}");
    }
}

#[test]
fn a_base_that_is_no_http_is_refused() {
    let base = ApiBase::new("ftp://graph.facebook.com".parse().expect("a URL"), "v25.0");
    assert!(matches!(Client::new(&base, &settings()), Err(SetupError::BaseUrl(_))));
}
