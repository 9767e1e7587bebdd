//! The broker and the database that cells break: private ones, killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// RabbitMQ and PostgreSQL, both stopped when this is dropped.
pub struct Services {
    pub broker: Service,
    pub database: Service,
}

/// One of them.
pub struct Service {
    script: PathBuf,
    dir: PathBuf,
    url: String,
}

/// Scripts in `tests/services`.
const BROKER: &str = "rabbitmq";
const DATABASE: &str = "postgres";

impl Services {
    /// Starts both, with what they own below this directory.
    pub async fn start(dir: &Path) -> Result<Self> {
        let (mut broker, mut database) = (Service::at(BROKER, dir), Service::at(DATABASE, dir));
        let started = tokio::join!(broker.start(), database.start());
        started.0?;
        started.1?;
        Ok(Self { broker, database })
    }

    /// Stops both, if a run that was killed left them running.
    pub fn stop(dir: &Path) {
        for script in [BROKER, DATABASE] {
            if dir.join(script).exists() {
                drop(Service::at(script, dir));
            }
        }
    }
}

impl Service {
    /// Not started; whatever runs there is stopped when this is dropped.
    fn at(script: &str, dir: &Path) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services");
        Self { script: scripts.join(script), dir: dir.join(script), url: String::new() }
    }

    async fn start(&mut self) -> Result<()> {
        self.url = self.tell("start").await?;
        Ok(())
    }

    /// Where it is, as long as it lives.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        let after_user = self.url.rsplit('@').next().expect("a URL has parts");
        after_user.split('/').next().expect("a URL has parts")
    }

    /// `kill -9`.
    pub async fn kill(&self) -> Result<()> {
        self.tell("kill").await.map(drop)
    }

    /// Ends at once without tidying up; only the database can.
    pub async fn crash(&self) -> Result<()> {
        self.tell("crash").await.map(drop)
    }

    /// Starts it again, and waits until it says that it is up.
    pub async fn start_again(&self) -> Result<()> {
        let url = self.tell("start").await?;
        anyhow::ensure!(url == self.url, "{url} is not where it was");
        Ok(())
    }

    /// What stands in the broker's queues, for people.
    pub async fn queues(&self) -> Result<String> {
        self.ask("ctl", &["list_queues", "name", "messages_ready", "messages_unacknowledged"]).await
    }

    async fn tell(&self, what: &str) -> Result<String> {
        self.ask(what, &[]).await
    }

    /// Runs its script; what it printed.
    async fn ask(&self, what: &str, more: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.script);
        command.arg(what).arg(&self.dir).args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("{} cannot be run", self.script.display()))?;
        let mut script = Script(Some(child));
        while script.is_running()? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let ended = script.0.take().expect("it was running").wait_with_output()?;
        if !ended.status.success() {
            bail!("{} {what} failed: {}", self.script.display(), String::from_utf8_lossy(&ended.stderr));
        }
        Ok(String::from_utf8(ended.stdout)?.trim().to_owned())
    }
}

/// A script that is told to stop when nobody waits for it any more: it must not start what was just stopped.
struct Script(Option<Child>);

impl Script {
    fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.as_mut().map(Child::try_wait).transpose()?.flatten().is_none())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended already.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nobody is left to tell if it fails.
        let _ = Command::new(&self.script).arg("stop").arg(&self.dir).stdout(Stdio::null()).status();
    }
}
