//! `make chaos`: what becomes of jobs while everything around their workers breaks.
//!
//! Real workers as processes, a real RabbitMQ and PostgreSQL of its own that it kills, the simulator as Meta. After
//! each cell every job must have ended, and the ledger is compared with the simulator's oracle row by row.
//!
//!     cargo test --features services --test chaos -- [--seed N] [--only CELL,…] [--times N]

#![expect(clippy::print_stdout, reason = "a program that prints its findings")]

mod cells;
mod events;
mod judge;
mod ledger;
mod link;
mod producer;
mod rate;
mod recovery;
mod report;
mod seat;
mod services;
mod setup;
mod trial;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::Instant;

use crate::cells::Cell;
use crate::judge::{Evidence, Findings, judge};
use crate::report::{Outcome, table};
use crate::trial::{Shared, Trial};

/// Workers, brokers and databases that a whole run must have killed.
const KILLS: u32 = 100;

struct Arguments {
    seed: u64,
    cells: Vec<&'static Cell>,
    times: u32,
}

fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    // What an earlier run left behind.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    println!("seed {}; logs in {}", arguments.seed, dir.display());
    runtime.block_on(async {
        tokio::select! {
            ended = run(&arguments, dir) => ended,
            // Dropping the run ends every process that it started.
            _ = interrupted() => bail!("interrupted"),
        }
    })
}

fn arguments() -> Result<Arguments> {
    let mut arguments =
        Arguments { seed: rand::random_range(1..100_000), cells: cells::ALL.iter().collect(), times: 1 };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut value = || given.next().with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--seed" => arguments.seed = value()?.parse()?,
            "--times" => arguments.times = value()?.parse()?,
            "--only" => {
                let names = value()?;
                let named = |name: &str| cells::ALL.iter().find(|cell| cell.name == name);
                let cells =
                    names.split(',').map(|name| named(name).with_context(|| format!("there is no cell {name}")));
                arguments.cells = cells.collect::<Result<_>>()?;
            }
            _ => bail!("what is {flag}? [--seed N] [--only CELL,…] [--times N]"),
        }
    }
    Ok(arguments)
}

async fn interrupted() -> Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

async fn run(arguments: &Arguments, dir: PathBuf) -> Result<ExitCode> {
    let services = services::Services::start(&dir).await?;
    let shared = Shared { services, carrier: link::Carrier::start()?, dir, seed: arguments.seed };
    let mut outcomes = Vec::new();
    let mut lines = std::fs::File::create(shared.dir.join("report.jsonl"))?;
    for cell in &arguments.cells {
        let outcome = carry_out(cell, &shared, arguments.times).await;
        println!("{}", outcome.json(arguments.seed));
        writeln!(lines, "{}", outcome.json(arguments.seed))?;
        outcomes.push(outcome);
    }
    println!("\n{}", table(&outcomes));
    let kills: u32 = outcomes.iter().map(|outcome| outcome.kills).sum();
    let is_whole = arguments.cells.len() == cells::ALL.len();
    ensure!(!is_whole || kills >= KILLS, "{kills} kills are not enough");
    let is_good = outcomes.iter().all(Outcome::is_good);
    println!("seed {}, {kills} kills: {}", arguments.seed, if is_good { "ok" } else { "FAILED" });
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Breaks, heals, waits for the end of every job, and judges.
async fn carry_out(cell: &'static Cell, shared: &Shared, times: u32) -> Outcome {
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
        took: Duration::ZERO,
        failures: Vec::new(),
    };
    match Trial::start(shared, cell.name, (cell.setup)()).await {
        Ok(mut trial) => {
            for step in [(cell.run)(&mut trial, times).await, trial.settle().await] {
                outcome.failures.extend(step.err().map(|error| format!("{error:#}")));
            }
            if let Err(error) = conclude(cell, &mut trial, &mut outcome).await {
                outcome.failures.push(format!("{error:#}"));
            }
        }
        Err(error) => outcome.failures.push(format!("it did not start: {error:#}")),
    }
    outcome.took = started.elapsed();
    outcome
}

async fn conclude(cell: &Cell, trial: &mut Trial<'_>, outcome: &mut Outcome) -> Result<()> {
    (outcome.runs, outcome.kills) = (trial.runs, trial.kills);
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
    let oracle = trial.sim.oracle();
    let seconds = trial.setup.number_ids().map(|id| oracle.worst_sliding_second(&id));
    outcome.worst_second = (seconds.max().unwrap_or(0), trial.setup.rate);
    // A restart that forgot the last second would show twice the rate; a stall of the machine shows a little more.
    if outcome.worst_second.0 * 10 > trial.setup.rate * 11 {
        outcome.failures.push(format!("{} requests in a sliding second", outcome.worst_second.0));
    }
    ensure!(oracle.stats().rows_dropped == 0, "the oracle forgot rows");
    match trial.recovery.slowest() {
        Ok(resume) => outcome.resume = resume,
        Err(never) => outcome.failures.push(never),
    }
    if outcome.resume.is_some_and(|resume| resume > cell.resumes_within) {
        outcome.failures.push(format!("sending was back after more than {:?}", cell.resumes_within));
    }
    if let Some(listener) = trial.listener.take() {
        let ended = rows.iter().map(|row| (row.id.clone(), row.state.clone()));
        let missing = listener.missing(ended.collect()).await?;
        ensure!(missing.is_empty(), "{} ends were never told, as of {:?}", missing.len(), missing.iter().next());
    }
    trial.check()
}
