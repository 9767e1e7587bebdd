//! `tidegate demo`: a whole evening's campaign in half a minute, on this machine alone.
//!
//! Everything in it is real but Meta, which is the simulator: jobs are a producer's JSON, the ledger is on disk, the
//! worker is the one of `tidegate run`. Meta's statuses come back by webhook, and so does a
//! reader's STOP. What the summary says is counted afterwards, in the ledger and in the simulator's own log.

mod bodies;
mod customer;
mod desk;
mod engine;
mod figures;
mod glimpse;
mod grid;
mod intro;
mod observer;
mod optout;
mod play;
mod proof;
mod reckoning;
#[cfg(test)]
mod samples;
mod screen;
mod stage;
mod statuses;
mod story;
mod summary;
mod text;

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tempfile::TempDir;

use super::exit::{BadUsage, Exit};
use super::wording::say;
use crate::app;
use crate::ledger::sqlite::Access;
use crate::sim::Sim;
use play::Play;
use reckoning::{Findings, Reckoning};

/// Flags of `tidegate demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// How many messages the campaign has
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=i64::from(bodies::MOST)))]
    messages: u32,
    /// Who meets which trouble, and how long answers take
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Keep the ledger in this folder, to look at afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Where the ledger lives.
enum Home {
    /// In a folder that goes with the demo.
    Passing(TempDir),
    /// In a folder that stays.
    Kept(PathBuf),
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let home = self.home()?;
        let look = screen::look(&io::stdout());
        screen::print(&intro::lines(self.messages, home.kept(), look.width), look)?;
        let findings = self.play(home.path()).await?;
        let reckoning = reckoning::reckon(findings);
        // Its window may have changed meanwhile.
        let look = screen::look(&io::stdout());
        screen::print(&summary::lines(&reckoning, look.width), look)?;
        screen::print(&intro::next(home.kept(), look.width), look)?;
        home.leave()?;
        Ok(exit(&reckoning))
    }

    fn home(&self) -> anyhow::Result<Home> {
        let Some(folder) = &self.keep else {
            let folder = tempfile::Builder::new().prefix("tidegate-demo-").tempdir();
            return Ok(Home::Passing(folder.context("a folder for the demo's ledger can't be made")?));
        };
        let ledger = folder.join("ledger.db");
        if ledger.exists() {
            let words = format!("--keep: {} is there already; choose another folder, or remove it", ledger.display());
            return Err(BadUsage(words).into());
        }
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} can't be made", folder.display()))?;
        Ok(Home::Kept(folder.clone()))
    }

    async fn play(&self, folder: &Path) -> anyhow::Result<Findings> {
        let simulator = Sim::spawn_thread(stage::simulator(self.seed)).context("the simulator can't start")?;
        let config = stage::configuration(folder, &simulator.url())?;
        let ledger = app::open_ledger(&config, Access::Worker).await?;
        let findings = Play::new(&simulator, ledger, self.seed).perform(config, self.messages).await;
        simulator.stop().await.context("the simulator did not stop")?;
        findings
    }
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    fn kept(&self) -> Option<&Path> {
        match self {
            Self::Passing(_) => None,
            Self::Kept(folder) => Some(folder),
        }
    }

    fn leave(self) -> anyhow::Result<()> {
        match self {
            Self::Passing(folder) => folder.close().context("the demo's folder can't be removed"),
            Self::Kept(_) => Ok(()),
        }
    }
}

/// A demo that finds a message lost or doubled has failed, whoever stopped it.
fn exit(reckoning: &Reckoning) -> Exit {
    if !reckoning.proof.problems.is_empty() {
        say("it does not add up: this is a fault of Tidegate's, please report it with the lines above");
        Exit::Failed
    } else if reckoning.is_cut_short {
        Exit::Partly
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::State;

    #[test]
    fn the_exit_code_says_whether_it_adds_up() {
        let ended = |spoil: fn(&mut reckoning::Findings)| {
            let mut findings = samples::findings(3);
            spoil(&mut findings);
            exit(&reckoning::reckon(findings)).code()
        };
        assert_eq!(ended(|_| {}), 0);
        assert_eq!(ended(|findings| findings.is_cut_short = true), 3);
        assert_eq!(ended(|findings| findings.rows[0].state = State::Cancelled), 1);
        assert_eq!(ended(|findings| drop(findings.rows.pop())), 1);
    }
}
