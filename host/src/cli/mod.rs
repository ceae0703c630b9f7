//! The command line.
//!
//! `commands` has a module for each command; the other modules are what commands share.

mod ack_ram_tool;
mod args;
mod commands;
mod exec_credential;
mod failure;
mod findings;
mod mappings;
mod output;
mod token_source;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use args::Cli;
use failure::CommandFailure;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return CommandFailure::CommandLine(error).report(args::command()),
    };
    let done = Cli::from_arg_matches(&matches)
        .map_err(CommandFailure::CommandLine)
        .and_then(commands::execute);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(args::requested_command(&matches)),
    }
}
