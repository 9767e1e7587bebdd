//! A place for a worker: the real binary as a process of its own, killed and started again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::handover::Send;
use crate::link::{Link, Post};

/// One worker's place: its settings, its ways to everything, its log.
pub struct Seat {
    pub links: Links,
    flags: Vec<String>,
    /// Everything that workers here said, one after the other.
    log: PathBuf,
    dir: PathBuf,
    child: Option<Child>,
    /// When each of those who sat here began.
    began: Vec<Instant>,
}

/// A worker's own ways to the services, where there are any.
#[derive(Default)]
pub struct Links {
    pub broker: Option<Link>,
    pub database: Option<Link>,
    pub meta: Option<Link>,
}

impl Links {
    /// Only where there is a broker.
    pub fn broker(&self) -> &Link {
        self.broker.as_ref().expect("this cell has a broker")
    }

    /// Only where the ledger is elsewhere.
    pub fn database(&self) -> &Link {
        self.database.as_ref().expect("this cell has a database")
    }
}

/// Longer than a drain may take.
const STOP: Duration = Duration::from_secs(30);

impl Seat {
    pub fn new(dir: &Path, name: &str, flags: Vec<String>, links: Links) -> Self {
        Self { links, flags, log: dir.join(format!("{name}.log")), dir: dir.to_owned(), child: None, began: Vec::new() }
    }

    /// A command of the binary with this seat's settings, not yet started.
    pub fn command(&self, line: &[&str]) -> Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(line).args(&self.flags).current_dir(&self.dir).env_clear().env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Starts a worker.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "somebody sits here");
        self.began.push(Instant::now());
        self.child = Some(self.command(&["run"])?.spawn().context("the binary runs")?);
        Ok(())
    }

    /// `kill -9`; it must have been alive.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.leave()?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// `kill -TERM`, and waits for its end; it must end well.
    pub async fn drain(&mut self) -> Result<Duration> {
        let mut child = self.leave()?;
        let told_at = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let status = await_end(&mut child, STOP).await?;
        ensure!(status.code() == Some(0), "a drain ended with {status}: see {}", self.log.display());
        Ok(told_at.elapsed())
    }

    /// `kill -STOP`.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// `kill -CONT`.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// When it began to send requests, from this instant to that; only where its way to Meta is a link.
    pub fn posts(&self, from: Instant, to: Instant) -> Vec<Instant> {
        let posts = self.links.meta.as_ref().expect("this cell taps the way to Meta").posts();
        posts.into_iter().map(|post| post.at).filter(|at| (from..to).contains(at)).collect()
    }

    /// Everything that was sent from the place of this index, and by which of those who sat here; nothing if its way
    /// to Meta is no link.
    pub fn sends(&self, place: usize) -> Vec<Send> {
        let posts = self.links.meta.as_ref().map_or_else(Vec::new, Link::posts);
        // Whoever sat here before was gone, and what it had written read, before the next began.
        let sent = |Post { at, number }| Send { at, number, owner: (place, self.began.partition_point(|t| *t <= at)) };
        posts.into_iter().map(sent).collect()
    }

    /// Whether a worker sits here.
    pub fn is_taken(&self) -> bool {
        self.child.is_some()
    }

    /// Fails if it ended though nobody told it to, or if a worker here ever panicked.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            bail!("a worker ended by itself with {status}: see {}", self.log.display());
        }
        let said = std::fs::read(&self.log).unwrap_or_default();
        let has_panicked = String::from_utf8_lossy(&said).contains("panicked at");
        ensure!(!has_panicked, "a worker panicked: see {}", self.log.display());
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("nobody sits here")?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    /// Whoever sits here, alive.
    fn leave(&mut self) -> Result<Child> {
        self.check()?;
        self.child.take().context("nobody sits here")
    }
}

/// Waits for a process's end; one that takes longer is killed.
pub async fn await_end(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            bail!("a process did not end within {patience:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
