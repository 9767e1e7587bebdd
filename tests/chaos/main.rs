//! `make chaos`: what becomes of jobs while everything around their workers breaks.
//!
//! Real workers as processes, a real RabbitMQ and PostgreSQL of its own that it kills, the simulator as Meta. After
//! each cell every job must have ended, and the ledger is compared with the simulator's oracle row by row.
//!
//!     cargo test --features services --test chaos -- [--seed N] [--only CELL,…] [--times N]

#![expect(clippy::print_stdout, reason = "a program that prints its findings")]

mod cells;
mod events;
mod handover;
mod judge;
mod ledger;
mod link;
mod producer;
mod promises;
mod rate;
mod recovery;
mod report;
mod seat;
mod services;
mod setup;
mod stall;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tokio::time::Instant;

use crate::cells::Cell;
use crate::judge::{Evidence, Findings, judge};
use crate::report::{Outcome, table};
use crate::stall::{Stalled, Watch};
use crate::trial::{Shared, Trial};

/// Workers, brokers and databases that a whole run must have killed.
const KILLS: u32 = 100;

struct Arguments {
    seed: u64,
    /// Names of cells; none: all.
    only: Vec<String>,
    times: u32,
}

fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    // Two at once would take each other's ground away.
    let lock = std::fs::File::create(dir.with_extension("lock"))?;
    lock.try_lock().context("this checkout's fault suite runs already")?;
    // What an earlier run left behind, and still runs if that was killed.
    for row in 0..cells::ROWS.len() {
        services::Services::stop(&row_dir(&dir, row));
    }
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    println!("seed {}; logs in {}", arguments.seed, dir.display());
    let stalls = Watch::start()?;
    let rows = thread::scope(|scope| {
        let begin = |(number, row): (usize, &'static [Cell])| {
            let (arguments, stalls, dir) = (&arguments, &stalls, row_dir(&dir, number));
            scope.spawn(move || carry_out_row(arguments, stalls, row, dir))
        };
        let running: Vec<_> = cells::ROWS.into_iter().enumerate().map(begin).collect();
        running.into_iter().map(|row| row.join().expect("a row does not panic")).collect::<Result<Vec<_>>>()
    })?;
    conclude(&arguments, &rows.concat(), &dir)
}

fn row_dir(dir: &Path, row: usize) -> PathBuf {
    dir.join(format!("row-{row}"))
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments { seed: rand::random_range(1..100_000), only: Vec::new(), times: 1 };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut value = || given.next().with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--seed" => arguments.seed = value()?.parse()?,
            "--times" => arguments.times = value()?.parse()?,
            "--only" => arguments.only = value()?.split(',').map(str::to_owned).collect(),
            _ => bail!("what is {flag}? [--seed N] [--only CELL,…] [--times N]"),
        }
    }
    let is_known = |name: &&String| cells::ROWS.concat().iter().any(|cell| cell.name == **name);
    let unknown = arguments.only.iter().find(|name| !is_known(name));
    ensure!(unknown.is_none(), "there is no cell {}", unknown.map_or("", String::as_str));
    Ok(arguments)
}

/// On a runtime of its own. Dropping what it works on ends every process that it started.
fn carry_out_row(arguments: &Arguments, stalls: &Watch, row: &'static [Cell], dir: PathBuf) -> Result<Vec<Outcome>> {
    let wanted =
        |cell: &&'static Cell| arguments.only.is_empty() || arguments.only.iter().any(|name| name == cell.name);
    let cells: Vec<_> = row.iter().filter(wanted).collect();
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carry_out_all = async {
        let services = services::Services::start(&dir).await?;
        let shared = Shared { services, carrier: link::Carrier::start()?, dir, seed: arguments.seed };
        let mut outcomes = Vec::new();
        for cell in cells {
            let outcome = carry_out(cell, &shared, stalls, arguments.times).await;
            println!("{}", outcome.json(arguments.seed));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    };
    runtime.block_on(async {
        tokio::select! {
            ended = carry_out_all => ended,
            interrupted = interrupted() => Err(interrupted.err().unwrap_or_else(|| anyhow!("interrupted"))),
        }
    })
}

async fn interrupted() -> Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

fn conclude(arguments: &Arguments, outcomes: &[Outcome], dir: &Path) -> Result<ExitCode> {
    let lines: Vec<String> = outcomes.iter().map(|outcome| outcome.json(arguments.seed) + "\n").collect();
    std::fs::write(dir.join("report.jsonl"), lines.concat())?;
    println!("\n{}", table(outcomes));
    let kills: u32 = outcomes.iter().map(|outcome| outcome.kills).sum();
    ensure!(!arguments.only.is_empty() || kills >= KILLS, "{kills} kills are not enough");
    let is_good = outcomes.iter().all(Outcome::is_good);
    println!("seed {}, {kills} kills: {}", arguments.seed, if is_good { "ok" } else { "FAILED" });
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Breaks, heals, waits for the end of every job, and judges.
async fn carry_out(cell: &'static Cell, shared: &Shared, stalls: &Watch, times: u32) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome {
        cell: cell.name,
        fault: cell.fault,
        runs: 0,
        kills: 0,
        findings: Findings::default(),
        bound: 0,
        resume: None,
        worst_second: (0, 0),
        throttled: (0, 0),
        shortest_rest: None,
        stalled: Stalled::default(),
        took: Duration::ZERO,
        failures: Vec::new(),
    };
    match Trial::start(shared, cell.name, (cell.setup)()).await {
        Ok(mut trial) => {
            for step in [(cell.run)(&mut trial, times).await, trial.settle().await] {
                outcome.failures.extend(step.err().map(|error| format!("{error:#}")));
            }
            for look in [
                promises::check(cell, &trial, started, stalls, &mut outcome),
                look_back(&mut trial, &mut outcome).await,
            ] {
                outcome.failures.extend(look.err().map(|error| format!("{error:#}")));
            }
        }
        Err(error) => outcome.failures.push(format!("it did not start: {error:#}")),
    }
    outcome.took = started.elapsed();
    outcome
}

/// Judges what is left of a cell.
async fn look_back(trial: &mut Trial<'_>, outcome: &mut Outcome) -> Result<()> {
    (outcome.runs, outcome.kills) = (trial.runs, trial.kills);
    trial.keep_evidence()?;
    let (rows, sent, left_over) = (trial.ledger.rows().await?, trial.sent(), trial.ledger.left_over().await?);
    let jobs = trial.jobs;
    outcome.findings = judge(&Evidence {
        promises: &trial.promises.lock().expect("nobody panicked"),
        rows: &rows,
        sent: &sent,
        in_flight: &trial.in_flight,
        place: &|id| jobs.place(id),
        left_over,
    });
    if trial.setup.on_unknown != "leave" {
        outcome.bound = trial.in_flight.len();
    }
    if let Some(listener) = trial.listener.take() {
        let ended = rows.iter().map(|row| (row.id.clone(), row.state.clone()));
        let missing = listener.missing(ended.collect()).await?;
        ensure!(missing.is_empty(), "{} ends were never told, as of {:?}", missing.len(), missing.iter().next());
    }
    trial.check()
}
