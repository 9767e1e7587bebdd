//! How to reach the broker, and why it could not be reached.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lapin::ErrorKind;

use super::Names;
use crate::metrics::BrokerTrouble;

/// Closed by an operator, or since the broker stops.
const CONNECTION_FORCED: u16 = 320;
/// No such virtual host.
const NOT_ALLOWED: u16 = 530;

type Urls = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// How to reach the broker. Its clones reach the same one.
#[derive(Clone)]
pub struct Broker {
    urls: Urls,
    /// What exchanges and queues are called.
    pub names: Names,
    /// How a connection calls itself, for the broker's operators: `tidegate <role> <host>`.
    pub name: String,
    /// Authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// For brokers that ask for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// A worker that froze loses its deliveries after twice this time. At most 5 s unless there is a reason.
    pub heartbeat: Duration,
    /// The most that one step may take: connecting, opening a channel, declaring, closing.
    pub step_timeout: Duration,
    /// So long a confirm may take; brokers that change their leader take up to 27 s.
    pub confirm_timeout: Duration,
}

/// Two PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and what leads to its authority.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// What the broker, or the way to it, did not allow.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueueError {
    /// No connection, or it was lost: try again.
    #[error("the broker is unreachable: {0}")]
    Unreachable(String),
    /// It could not do what was asked, and closed the whole connection over it.
    #[error("the broker failed: {0}")]
    Internal(String),
    /// It does not let this user in, or not do this: somebody must change something.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// A file or a URL of ours is no good.
    #[error("{what}: {problem}")]
    Unusable {
        /// The file, or `queue.url`.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Exchanges or queues that must be there are not.
    #[error("the broker lacks {}: run `tidegate migrate`", .0.join(", "))]
    Missing(Vec<String>),
    /// Something of this name is there and is of another make.
    #[error("at the broker {name} is of another make, and cannot be changed in place: {told}")]
    Differs {
        /// The exchange or queue.
        name: String,
        /// In the broker's words.
        told: String,
    },
}

impl Broker {
    /// At these URLs, asked for anew at each connect, since passwords change; tried in turn. `name` is for operators.
    pub fn new(
        urls: impl Fn() -> Vec<String> + Send + Sync + 'static,
        prefix: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            urls: Arc::new(urls),
            names: Names::new(prefix),
            name: name.into(),
            ca_file: None,
            client_certificate: None,
            heartbeat: Duration::from_secs(5),
            step_timeout: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(30),
        }
    }

    /// The URLs as they are now, with their passwords.
    pub(super) fn urls(&self) -> Vec<String> {
        (self.urls)()
    }
}

impl QueueError {
    /// What lapin says happened, `doing` something.
    pub(super) fn of(error: &lapin::Error, doing: &str) -> Self {
        let told = format!("{doing}: {}", words(error));
        match error.kind() {
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == NOT_ALLOWED => Self::Refused(told),
            // No permission, not there, of another make, in use by somebody alone.
            ErrorKind::ProtocolError(_) if error.is_amqp_soft_error() => Self::Refused(told),
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == CONNECTION_FORCED => Self::Unreachable(told),
            ErrorKind::ProtocolError(_) if error.is_amqp_hard_error() => Self::Internal(told),
            _ => Self::Unreachable(told),
        }
    }

    /// Its kind, to be counted.
    pub(super) fn trouble(&self) -> BrokerTrouble {
        match self {
            Self::Unreachable(_) | Self::Internal(_) => BrokerTrouble::Unreachable,
            Self::Refused(_) => BrokerTrouble::Refused,
            Self::Unusable { .. } | Self::Missing(_) | Self::Differs { .. } => BrokerTrouble::Unfit,
        }
    }

    pub(super) fn late(doing: &str, most: Duration) -> Self {
        Self::Unreachable(format!("{doing}: no answer within {} s", most.as_secs_f32()))
    }
}

/// An error in words that a person can use: the broker's own, where it spoke.
pub(super) fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(amqp) => amqp.get_message().to_string(),
        ErrorKind::IOError(cause) => cause.to_string(),
        ErrorKind::MissingHeartbeatError => "heard nothing from it for too long".to_owned(),
        _ => error.to_string(),
    }
}

/// Without the URLs, which hold passwords.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("names", &self.names).field("name", &self.name).finish_non_exhaustive()
    }
}
