//! Opens one connection: DNS, TCP and TLS, all within one deadline. Whatever fails here, nothing was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::Url;

use super::connection::Connection;
use super::wire::{Counted, Wire};
use super::{Settings, SetupError, tls};

/// A silent peer is dropped after this, far sooner than the kernel's own quarter of an hour.
const DEAD_PEER: Duration = Duration::from_secs(20);
/// An idle connection is tried so often.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// At most so many of a name's addresses are tried for one connection.
const MOST_ADDRESSES: usize = 4;

/// Why no connection could be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("cannot resolve {host}")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("cannot agree on TLS")]
    Tls(#[source] io::Error),
    #[error("cannot begin HTTP")]
    Http(#[source] hyper::Error),
    #[error("not open after {0:?}")]
    TooSlow(Duration),
}

impl DialError {
    /// In one line.
    pub fn with_causes(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            line = format!("{line}: {inner}");
            cause = inner.source();
        }
        line
    }
}

/// Knows one server, and how to get there.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    within: Duration,
    max_age: Duration,
}

impl Dialer {
    pub fn new(base: &Url, settings: &Settings) -> Result<Self, SetupError> {
        let unusable = || SetupError::BaseUrl(base.to_string());
        let host = match base.host().ok_or_else(unusable)? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let tls = match base.scheme() {
            "http" => None,
            "https" => {
                let config = tls::client_config(settings.ca_file.as_deref())?;
                let name = ServerName::try_from(host.clone()).map_err(|_| unusable())?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
            _ => return Err(unusable()),
        };
        let port = base.port_or_known_default().ok_or_else(unusable)?;
        Ok(Self { host, port, tls, within: settings.connect_timeout, max_age: settings.max_age })
    }

    /// As people know it.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// About how old a connection may grow.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// Dropping it midway loses nothing but the half-open connection.
    pub async fn dial(&self) -> Result<Connection, DialError> {
        let deadline = Instant::now() + self.within;
        let opened = timeout_at(deadline, self.open(deadline)).await;
        opened.unwrap_or(Err(DialError::TooSlow(self.within)))
    }

    async fn open(&self, deadline: Instant) -> Result<Connection, DialError> {
        let socket = self.connect(deadline).await?;
        tune(&socket).map_err(DialError::Connect)?;
        let counted = Counted::new(socket);
        let written = counted.written();
        let wire = match &self.tls {
            None => Wire::Plain(counted),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), counted).await.map_err(DialError::Tls)?;
                Wire::Tls(Box::new(stream))
            }
        };
        // Connections opened together do not grow old together.
        let retire_at = Instant::now() + self.max_age.mul_f64(rand::random_range(0.75..1.25));
        Connection::start(wire, written, retire_at).await.map_err(DialError::Http)
    }

    async fn connect(&self, deadline: Instant) -> Result<TcpStream, DialError> {
        let unresolved = |source| DialError::Resolve { host: self.host.clone(), source };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await.map_err(unresolved)?;
        let addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
        let mut last = DialError::Connect(io::ErrorKind::AddrNotAvailable.into());
        for (tried, address) in addresses.iter().enumerate() {
            // An address that leads nowhere takes its share of the time, not all of it.
            let left = u32::try_from(addresses.len() - tried).expect("a few addresses");
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(cause)) => last = DialError::Connect(cause),
                Err(_) => last = DialError::TooSlow(share),
            }
        }
        Err(last)
    }
}

fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(Duration::from_secs(5));
    SockRef::from(socket).set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(socket, u32::try_from(DEAD_PEER.as_millis()).expect("some seconds"))?;
    Ok(())
}
