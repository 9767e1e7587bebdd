//! Listens, and leads each request to the hot path or to the router.

use super::oracle::Shared;
use super::response_body::{CutOff, ResponseBody};
use super::wire::{ResetFlag, Wire};
use super::{control, control_account, media, oracle_file, reads, send, webhooks};
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pause after a failed accept, for which running out of descriptors is the usual reason.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until `stop`; then cuts every connection and writes the last rows of the oracle.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    file: Option<File>,
    stop: CancellationToken,
) -> io::Result<()> {
    let _closing = Closing(Arc::clone(&shared));
    let rows_end = CancellationToken::new();
    let mut writers = JoinSet::new();
    if let Some(file) = file {
        writers.spawn(oracle_file::write(file, Arc::clone(&shared), rows_end.clone()));
    }
    let mut webhook_sender = JoinSet::new();
    webhook_sender.spawn(webhooks::run(Arc::clone(&shared), stop.clone()));
    let router = reads::router().merge(control::router()).merge(control_account::router()).merge(media::router());
    let router = router.fallback(reads::unknown_path).with_state(Arc::clone(&shared));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared), router.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
    webhook_sender.shutdown().await;
    rows_end.cancel();
    while let Some(written) = writers.join_next().await {
        written.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Lets those go who wait for the oracle, however the server ends.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut platform = self.0.platform();
        platform.acceptances.close();
        platform.rows.close();
        if let Some(outbox) = &mut platform.outbox {
            outbox.close();
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, router: Router) {
    // Without it, an answer may wait for the sender's next acknowledgement; if it fails, it may.
    let _ = stream.set_nodelay(true);
    let (wire, reset) = Wire::new(stream);
    let service = service_fn(|request| lead(request, &shared, &router, &reset));
    // An error is a sender that went away, or a cut of our own: neither is news.
    let _ = http1::Builder::new().serve_connection(wire, service).await;
}

async fn lead(
    request: Request<Incoming>,
    shared: &Shared,
    router: &Router,
    reset: &ResetFlag,
) -> Result<Response<ResponseBody>, CutOff> {
    if let Some((endpoint, id)) = send::target(request.method(), request.uri().path()) {
        return send::answer(shared, endpoint, &id, request, reset).await;
    }
    let routed = TowerToHyperService::new(router.clone()).call(request).await;
    routed.map(|response| response.map(ResponseBody::Router)).map_err(|never| match never {})
}
