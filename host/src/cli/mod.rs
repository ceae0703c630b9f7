//! The command line.
//!
//! `commands` has a module for each command. The other modules are shared by several commands.

mod args;
mod client;
mod command_line;
mod commands;
mod failure;
mod findings;
mod mappings;
mod output;
mod token_source;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use command_line::Cli;
use failure::CommandFailure;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let matches = match command_line::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return CommandFailure::CommandLine(error).report(command_line::command()),
    };
    let done = Cli::from_arg_matches(&matches)
        .map_err(CommandFailure::CommandLine)
        .and_then(commands::execute);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(command_line::requested_command(&matches)),
    }
}
