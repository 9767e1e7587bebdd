//! What others changed: notifications on a connection of their own, and a slow look behind them.

use std::future::poll_fn;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::{AsyncMessage, Client, NoTls, Notification};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Url;
use super::address::Address;
use super::connect::{quoted, settings};
use super::desk::{Desk, SharedDesk, Stir};

/// How often the listener looks for itself, and how long it waits before it connects again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look that takes longer means that the connection is gone.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// What a notification that was lost may have said: which holds stand, whether rows were published, and what is known
/// of the fleet.
const LOOK: &str = "SELECT (SELECT general FROM hold_version), (SELECT last_value FROM waiting_seq_seq),
    (SELECT n FROM fleet_version)";

/// What a look saw.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    holds: i64,
    published: i64,
    fleet: i64,
}

/// Listens for as long as it is polled; a connection that breaks is made anew.
pub(super) async fn listen(desk: SharedDesk, url: Url, schema: String) {
    loop {
        let began = Instant::now();
        if let Err(problem) = listen_once(&desk, &url, &schema).await {
            tracing::debug!(problem, "the ledger's notifications are interrupted");
        }
        // What was said meanwhile nobody heard.
        Stir::ALL.into_iter().for_each(|what| desk.ring(what));
        sleep_until(began + LOOK_EVERY).await;
    }
}

async fn listen_once(desk: &Desk, url: &Url, schema: &str) -> Result<(), String> {
    let Address { config, tls } = Address::read(&url())?;
    let connected = async {
        match tls {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok(hear(desk, schema, client, connection).await)
            }
            Some(tls) => {
                let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
                Ok(hear(desk, schema, client, connection).await)
            }
        }
    };
    connected.await.map_err(|error: tokio_postgres::Error| super::address::with_causes(&error))?
}

async fn hear<S, T>(
    desk: &Desk,
    schema: &str,
    client: Client,
    mut connection: tokio_postgres::Connection<S, T>,
) -> Result<(), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Bounded by what the server sends in one read; a note that finds no room is one that says what others said.
    let (notes, mut heard) = mpsc::channel::<Notification>(64);
    let carry = poll_fn(move |context| {
        loop {
            match std::task::ready!(connection.poll_message(context)) {
                Some(Ok(AsyncMessage::Notification(note))) => match notes.try_send(note) {
                    Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        return std::task::Poll::Ready(Err("too many notifications at once".to_owned()));
                    }
                },
                Some(Ok(_)) => {}
                Some(Err(error)) => return std::task::Poll::Ready(Err(super::address::with_causes(&error))),
                None => return std::task::Poll::Ready(Err("the connection was closed".to_owned())),
            }
        }
    });
    let attend = async {
        let start = format!("{} LISTEN {};", settings(schema), quoted(&desk.channel));
        answer(client.batch_execute(&start)).await?;
        // Whatever happened before there were ears.
        Stir::ALL.into_iter().for_each(|what| desk.ring(what));
        let mut seen = look(&client).await?;
        loop {
            match timeout(LOOK_EVERY, heard.recv()).await {
                Ok(Some(note)) => obey(desk, note.payload()),
                Ok(None) => return Ok(()),
                Err(_) => {
                    let now = look(&client).await?;
                    if now.holds != seen.holds {
                        desk.ring(Stir::Holds);
                    }
                    if (now.holds, now.published) != (seen.holds, seen.published) {
                        desk.ring(Stir::Work);
                    }
                    if now.fleet != seen.fleet {
                        desk.ring(Stir::Fleet);
                    }
                    seen = now;
                }
            }
        }
    };
    match select(std::pin::pin!(carry), std::pin::pin!(attend)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

async fn look(client: &Client) -> Result<Seen, String> {
    let row = answer(client.query_one(LOOK, &[])).await?;
    let column = |n| row.try_get::<_, i64>(n).map_err(|error| error.to_string());
    Ok(Seen { holds: column(0)?, published: column(1)?, fleet: column(2)? })
}

async fn answer<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, String> {
    let answered = timeout(LOOK_TIME, asked).await.map_err(|_| "no answer in time".to_owned())?;
    answered.map_err(|error| super::address::with_causes(&error))
}

/// Passes on what another ledger's commit said; our own were passed on when they were made.
fn obey(desk: &Desk, payload: &str) {
    if let Some((instance, what)) = payload.split_once(' ')
        && instance != desk.instance
        && let Some(what) = Stir::ALL.into_iter().find(|known| known.word() == what)
    {
        desk.ring(what);
    }
}
