//! A way to the broker that can be cut, and stopped without being cut.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Cut,
    Frozen,
}

/// Passes bytes on to the broker, until it is cut.
pub struct Wire {
    port: u16,
    /// What became last of all that went by it until then; counted, so that each time is news.
    fate: Arc<watch::Sender<(u64, Fate)>>,
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
        let fate = Arc::new(watch::Sender::new((0, Fate::Cut)));
        let told = fate.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                passing.spawn(pass(near, target.clone(), told.subscribe()));
            }
        });
        Self { port, fate, _tasks: tasks }
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
        self.fate.send_modify(|fate| *fate = (fate.0 + 1, Fate::Cut));
    }

    /// Lets nothing more through of all that goes by it, and cuts nothing: as a host that froze, or a cable pulled
    /// somewhere on the way. What comes later is let through.
    pub fn freeze(&self) {
        self.fate.send_modify(|fate| *fate = (fate.0 + 1, Fate::Frozen));
    }
}

async fn pass(mut near: TcpStream, target: String, mut fate: watch::Receiver<(u64, Fate)>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = fate.changed() => {}
    }
    if fate.borrow().1 == Fate::Frozen {
        // Both sides stay open until the test is over.
        std::future::pending().await
    }
}
