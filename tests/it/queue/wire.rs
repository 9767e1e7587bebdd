//! A way to the broker that can be cut, and stopped without being cut.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Passes bytes on to the broker, until it is cut.
pub struct Wire {
    port: u16,
    /// Counts cuts.
    cuts: Arc<watch::Sender<u64>>,
    /// Dropped with it, and so cut.
    _tasks: JoinSet<()>,
}

impl Wire {
    /// To the broker at this URL.
    pub async fn to(url: &str) -> Self {
        let target = url::Url::parse(url).expect("a URL");
        let target = format!("{}:{}", target.host_str().expect("a host"), target.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let cuts = Arc::new(watch::Sender::new(0));
        let told = cuts.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                passing.spawn(pass(near, target.clone(), told.subscribe()));
            }
        });
        Self { port, cuts, _tasks: tasks }
    }

    /// The broker's URL by way of it.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.to_string()
    }

    /// Cuts all that goes by it; what comes later is let through.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(mut near: TcpStream, target: String, mut cut: watch::Receiver<u64>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = cut.changed() => {}
    }
}
