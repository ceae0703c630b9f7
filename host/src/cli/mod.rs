//! The command line.
//!
//! `commands` has a module for each command. The other modules are shared by several commands.

#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "shared with the commands of the server")
)]
mod args;
mod client;
mod command_line;
mod commands;
#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "shared with the commands of the server")
)]
mod failure;
#[cfg(feature = "server")]
mod findings;
mod identity_page;
#[cfg(feature = "server")]
mod mappings;
#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "shared with the commands of the server")
)]
mod output;
#[cfg(feature = "server")]
mod token_source;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;

use command_line::Cli;
use failure::CommandFailure;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let matches = match command_line::parse(&words) {
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
