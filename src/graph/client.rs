//! The send path: one request on a connection that is already open, and an outcome, always.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Bounds, Connection};
use super::dial::Dialer;
use super::pool::{Opener, Pool, PoolStats};
use super::{ApiBase, Request};
use crate::outcome::Outcome;

/// How requests travel.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// No byte written so long after its start: the request counts as not sent.
    pub write_timeout: Duration,
    /// For a whole request and its answer; later the outcome is unknown.
    pub request_timeout: Duration,
    /// What an answer may have at most, in bytes.
    pub max_response: usize,
    /// Authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// About how long a connection is used: servers move, and names follow.
    pub max_age: Duration,
    /// How many connections are kept open until somebody wants another number.
    pub connections: usize,
    /// How many there are at most.
    pub max_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_millis(25),
            request_timeout: Duration::from_secs(15),
            max_response: 64 << 10,
            ca_file: None,
            max_age: Duration::from_secs(300),
            connections: 2,
            max_connections: 512,
        }
    }
}

/// Why the client cannot even begin: bad configuration, or a machine without authorities.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not `http` or `https` with a host.
    #[error("cloud_api.base_url {0} must be an http or https URL with a host")]
    BaseUrl(String),
    /// The file cannot be read, or holds no certificate.
    #[error("cloud_api.ca_file {path} holds no certificates in PEM form: {cause}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: rustls::pki_types::pem::Error,
    },
    /// No authority is known, so that no server could be trusted.
    #[error("no authority to trust for TLS: {0}; install ca-certificates, or set cloud_api.ca_file")]
    Trust(rustls::Error),
    /// The client for reads could not be built.
    #[error("cannot set up HTTP: {0}")]
    Http(reqwest::Error),
}

/// Sends requests to one server. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    bounds: Bounds,
}

/// An open connection in hand, for one request. Dropped unused, it goes back.
#[must_use = "a connection that is ready is there to be used"]
pub struct Ready {
    pool: Arc<Pool>,
    connection: Option<Box<Connection>>,
    bounds: Bounds,
}

impl Client {
    /// Binds nothing; connections are opened once the [`Opener`] runs.
    pub fn new(base: &ApiBase, settings: &Settings) -> Result<(Self, Opener), SetupError> {
        let dialer = Dialer::new(base.url(), settings)?;
        let most = settings.max_connections.max(1);
        let pool = Arc::new(Pool::new(settings.connections, most));
        let bounds = Bounds {
            write: settings.write_timeout,
            total: settings.request_timeout,
            max_response: settings.max_response,
        };
        let opener = Opener::new(pool.clone(), dialer);
        Ok((Self { pool, bounds }, opener))
    }

    /// An open connection, if there is one now. Costs no system call.
    pub fn take_ready(&self) -> Option<Ready> {
        let connection = self.pool.take()?;
        Some(Ready { pool: self.pool.clone(), connection: Some(connection), bounds: self.bounds })
    }

    /// Returns once a connection lies idle, though somebody else may take it first. Dropping it loses nothing.
    pub async fn wait_ready(&self) {
        self.pool.wait_ready().await;
    }

    /// How many connections should be open, busy ones included: about the rate times the time of an answer. Half
    /// as many spare as are busy are kept whatever is wanted.
    pub fn set_wanted(&self, connections: usize) {
        self.pool.set_wanted(connections);
    }

    /// What the pool has.
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("connections", &self.stats()).finish_non_exhaustive()
    }
}

impl Ready {
    /// Sends one request. «Not sent» means that the socket took not one byte of it.
    ///
    /// Dropping it midway drops the connection, and nobody knows what became of the request: count it as unknown.
    pub async fn send(mut self, request: Request) -> Outcome {
        let mut connection = self.connection.take().expect("there until it is used");
        let exchanged = connection.exchange(request, &self.bounds).await;
        if exchanged.reusable {
            self.connection = Some(connection);
        }
        exchanged.outcome
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.pool.give_back(self.connection.take());
    }
}
