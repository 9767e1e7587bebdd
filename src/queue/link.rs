//! One connection to the broker: opened within a time, closed within a time, and cut where it will not close.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, Event};
use socket2::{SockRef, Socket};
use tokio::time::timeout;

use super::{Broker, QueueError};

/// So long a goodbye may take: whoever gets no answer goes without.
const GOODBYE: Duration = Duration::from_secs(2);

/// What lapin tells of a connection as a whole.
pub(super) type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// A connection. Dropped without being closed, it is cut.
pub(super) struct Link {
    connection: Connection,
    cut: Cut,
    step: Duration,
}

/// A second handle on the connection's socket: lapin can hang for ever while it connects or closes, with a thread and
/// 8 MiB of buffers each time, and only the end of its socket brings it back.
#[derive(Clone, Default)]
struct Cut(Arc<Mutex<Line>>);

#[derive(Default)]
enum Line {
    #[default]
    None,
    Up(Socket),
    /// Nobody waits for it any more.
    Cut,
}

impl Link {
    /// Connects to the URL in turn `turn`, and says on whose behalf.
    pub(super) async fn open(broker: &Broker, turn: usize) -> Result<(Self, Events), QueueError> {
        let urls = broker.urls();
        let url = urls.get(turn.checked_rem(urls.len()).unwrap_or(0)).ok_or_else(|| unusable("no URL is given"))?;
        let uri = uri(url, broker.heartbeat)?;
        let (doing, step) =
            (format!("connecting to {}:{}", uri.authority.host, uri.authority.port), broker.step_timeout);
        let (tls, cut) = (tls(broker)?, Cut::default());
        let properties = ConnectionProperties::default().with_connection_name(broker.name.as_str().into());
        let runtime = lapin::runtime::default_runtime().map_err(|error| QueueError::of(&error, &doing))?;
        // Dropped with the future where the answer comes too late: ends what lapin's thread still waits for.
        let guard = CutOnDrop(Some(cut.clone()));
        let kept = cut.clone();
        // In place: only so can the types of lapin's runtime, which it does not export, be inferred.
        let connect = Connection::connector(
            uri,
            runtime,
            async move |uri: AMQPUri, runtime| {
                let AMQPUri { scheme, authority: AMQPAuthority { host, port, .. }, .. } = uri;
                let addresses = runtime.to_socket_addrs((host.clone(), port));
                let stream = timeout(step, AsyncTcpStream::connect(&runtime, addresses)).await.map_err(late)??;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    kept.keep(SockRef::from(plain.get_ref()).try_clone()?)?;
                }
                match scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => {
                        Ok(timeout(step, stream.into_tls(&host, tls.as_ref())).await.map_err(late)??)
                    }
                }
            },
            properties,
        );
        let connection = within(step, &doing, connect).await?;
        guard.disarm();
        let events = Box::pin(connection.events_listener());
        Ok((Self { connection, cut, step: broker.step_timeout }, events))
    }

    /// Opens a channel. Close it by [`close_channel`]: one that is only dropped can make closing the connection hang.
    pub(super) async fn channel(&self) -> Result<Channel, QueueError> {
        within(self.step, "opening a channel", self.connection.create_channel()).await
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker takes nothing from this connection now.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Says goodbye, and cuts the connection if that is not answered.
    pub(super) async fn close(self) {
        if self.is_open() {
            let _ = timeout(GOODBYE, self.connection.close(200, "OK".into())).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut.cut();
    }
}

/// Closes a channel, if it is open.
pub(super) async fn close_channel(channel: &Channel) {
    if channel.status().connected() {
        let _ = timeout(GOODBYE, channel.close(200, "OK".into())).await;
    }
}

/// Waits for one answer of the broker's, and no longer than this.
pub(super) async fn within<T>(
    most: Duration,
    doing: &str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    match timeout(most, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(QueueError::of(&error, doing)),
        Err(_) => Err(QueueError::late(doing, most)),
    }
}

/// A guard that cuts unless it is disarmed.
struct CutOnDrop(Option<Cut>);

impl Cut {
    fn keep(&self, socket: Socket) -> io::Result<()> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*line, Line::Cut) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *line = Line::Up(socket);
        Ok(())
    }

    fn cut(&self) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Line::Up(socket) = std::mem::replace(&mut *line, Line::Cut) {
            // It is closed already where all went well.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl CutOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        if let Some(cut) = self.0.take() {
            cut.cut();
        }
    }
}

fn late(_: tokio::time::error::Elapsed) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

fn unusable(problem: impl ToString) -> QueueError {
    QueueError::Unusable { what: "queue.url".to_owned(), problem: problem.to_string() }
}

/// Never says the URL, which holds a password.
fn uri(url: &str, heartbeat: Duration) -> Result<AMQPUri, QueueError> {
    let mut uri: AMQPUri = url.parse().map_err(unusable)?;
    // lapin takes a host in brackets for none at all, and goes to localhost instead.
    if let Ok(parsed) = url::Url::parse(url)
        && let Some(url::Host::Ipv6(address)) = parsed.host()
    {
        uri.authority.host = address.to_string();
    }
    let heartbeat = u16::try_from(heartbeat.as_secs()).unwrap_or(u16::MAX).max(1);
    uri.query.heartbeat.get_or_insert(heartbeat);
    Ok(uri)
}

/// Read anew at each connect: certificates are renewed while a worker runs.
fn tls(broker: &Broker) -> Result<OwnedTLSConfig, QueueError> {
    let read = |path: &Path| {
        let unusable =
            |error: io::Error| QueueError::Unusable { what: path.display().to_string(), problem: error.to_string() };
        std::fs::read(path).map_err(unusable)
    };
    let cert_chain = match &broker.ca_file {
        Some(path) => Some(String::from_utf8_lossy(&read(path)?).into_owned()),
        None => None,
    };
    let identity = match &broker.client_certificate {
        Some(files) => Some(OwnedIdentity::PKCS8 { pem: read(&files.certificate_file)?, key: read(&files.key_file)? }),
        None => None,
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_host_is_the_one_connected_to() {
        let host = |url| uri(url, Duration::from_secs(5)).expect("valid").authority.host;
        assert_eq!(host("amqp://u:p@[::1]:5672/%2f"), "::1");
        assert_eq!(host("amqp://u:p@127.0.0.1/%2f"), "127.0.0.1");
        assert_eq!(host("amqps://broker.example/"), "broker.example");
    }

    #[test]
    fn a_heartbeat_is_asked_for_unless_the_url_names_one() {
        let heartbeat = |url| uri(url, Duration::from_secs(5)).expect("valid").query.heartbeat;
        assert_eq!(heartbeat("amqp://localhost/%2f"), Some(5));
        assert_eq!(heartbeat("amqp://localhost/%2f?heartbeat=20"), Some(20));
    }

    #[test]
    fn a_url_that_is_none_is_told_of_without_its_password() {
        let error = uri("amqp://user:hunter2@host:port/", Duration::from_secs(5)).expect_err("no port");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
