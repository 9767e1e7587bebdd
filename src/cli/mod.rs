//! The command line: one file per command. Words go to stderr, data to stdout.
//!
//! A command beside a running worker works on the same ledger in small transactions, and never needs the worker's
//! lock. Exit codes are those of [`Exit`].

mod args;
mod ask;
mod cancel;
mod completions;
mod config;
mod context;
mod costs;
mod dead;
mod demo;
mod erase;
mod exit;
mod holds;
mod job_name;
mod jobs;
mod media;
mod migrate;
mod numbers;
mod optouts;
mod output;
mod portfolios;
mod progress;
mod read;
mod run;
mod schema;
mod send;
mod sender;
mod show;
mod simulate;
mod sync;
mod templates;
mod unknown;
mod wording;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use exit::Exit;

use context::Context;
use output::Output;

/// Sends WhatsApp messages through Meta's Cloud API, at the full speed Meta allows, and never faster.
#[derive(Parser, Debug)]
#[command(name = "tidegate", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Args, Debug)]
struct Global {
    /// Read this configuration file (else the one that TIDEGATE_CONFIG names, if any)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    config: Option<PathBuf>,
    /// Set a key of the configuration, as in --set worker.drain=10s; may stand several times
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = args::pair, help_heading = "Everywhere")]
    set: Vec<(String, String)>,
    /// How data is printed
    #[arg(long, global = true, default_value = "table", value_parser = args::word(Output::ALL, Output::as_str), value_name = "FORM", help_heading = "Everywhere")]
    output: Output,
    /// Answer every question with yes
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    yes: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// See it work: three numbers, a campaign, one-time passwords, some trouble; Meta is simulated
    Demo(demo::Demo),
    /// Run a worker: receive jobs, send them, settle them
    Run(run::Run),
    /// Put one job in line, or a file of many
    Send(Box<send::Send>),
    /// Show where a job stands, and why it has not gone out
    Show(show::Show),
    /// Take jobs back that have not left yet
    Cancel(cancel::Cancel),
    /// Look at jobs
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Look at sending numbers; read them of Meta, pause and resume them
    #[command(subcommand)]
    Numbers(numbers::Numbers),
    /// Look at message templates
    #[command(subcommand)]
    Templates(templates::Templates),
    /// Look at what blocks jobs; block, and let go
    #[command(subcommand)]
    Holds(holds::Holds),
    /// Jobs of which nobody knows whether they were sent
    #[command(subcommand)]
    Unknown(unknown::Unknown),
    /// What was handed in and could not become a job
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// Who does not want which messages
    #[command(subcommand)]
    Optouts(optouts::Optouts),
    /// Give Meta files to send by their ids; fetch those that customers sent
    #[command(subcommand)]
    Media(media::Media),
    /// Mark a customer's message as read
    Read(read::Read),
    /// Forget a person
    Erase(erase::Erase),
    /// Run a Cloud API that behaves as Meta's, to try things on
    Simulate(simulate::Simulate),
    /// Bring the ledger's schema up to date
    Migrate(migrate::Migrate),
    /// Check the configuration, or show it
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the JSON Schema of a job, or of an event
    Schema(schema::Schema),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

impl Cli {
    /// Does what was asked; what failed is said on stderr.
    pub async fn run(self) -> Exit {
        let context = Context::new(self.global);
        let done = match self.command {
            Command::Run(command) => command.run(&context).await,
            Command::Demo(command) => command.run().await,
            Command::Send(command) => command.run(&context).await,
            Command::Show(command) => command.run(&context).await,
            Command::Cancel(command) => command.run(&context).await,
            Command::Jobs(command) => command.run(&context).await,
            Command::Numbers(command) => command.run(&context).await,
            Command::Templates(command) => command.run(&context).await,
            Command::Holds(command) => command.run(&context).await,
            Command::Unknown(command) => command.run(&context).await,
            Command::Dead(command) => command.run(&context).await,
            Command::Optouts(command) => command.run(&context).await,
            Command::Media(command) => command.run(&context).await,
            Command::Read(command) => command.run(&context).await,
            Command::Erase(command) => command.run(&context).await,
            Command::Simulate(command) => command.run(&context).await,
            Command::Migrate(command) => command.run(&context).await,
            Command::Config(command) => command.run(&context),
            Command::Schema(command) => command.run(),
            Command::Completions(command) => command.run(),
        };
        done.unwrap_or_else(|error| Exit::of_error(&error))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_misspelt_command_is_corrected() {
        let refused = Cli::try_parse_from(["tidegate", "hodls", "list"]).expect_err("misspelt");
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains("'holds'"), "{refused}");
    }

    #[test]
    fn flags_of_every_command_may_stand_anywhere() {
        for line in
            ["tidegate --output json jobs list", "tidegate jobs --output json list", "tidegate jobs list --output json"]
        {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!(cli.global.output, Output::Json);
        }
    }
}
