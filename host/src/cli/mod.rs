//! The command line.
//!
//! Each command is a module: its arguments, and `run`, which does it. Options of every command may stand before or
//! after its name, as in the Go version.

mod ack_ram_tool;
mod add;
mod args;
mod check;
mod completion;
mod diff;
mod exec_credential;
mod explain;
mod explain_page;
mod failure;
mod findings;
mod get;
mod get_token;
mod init;
mod inspect;
mod inspector;
mod lint;
mod list;
mod mappings;
mod output;
mod remove;
mod server;
mod token;
mod token_source;
mod verify;
mod version;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::env;
use crate::logging;
use ack_ram_tool::ToolOptions;
use args::{Cli, Command, Globals};
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
        .and_then(execute);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(args::requested_command(&matches)),
    }
}

fn execute(cli: Cli) -> Result<(), CommandFailure> {
    let Cli {
        globals: before,
        tool,
        command,
    } = cli;
    let given = |globals: Globals| globals.or(before);
    if tool != ToolOptions::default() && !matches!(command, Command::CredentialPlugin(_)) {
        return Err(ack_ram_tool::misplaced_options());
    }
    match command {
        Command::Server(args) => {
            let globals = given(args.globals);
            // Until the server has ended, or has not started.
            let _log = logging::start_in_background(globals.log_format(), &env::variable)?;
            server::run(args.command, &without_feature_gates(globals))
        }
        Command::Init(args) => init::run(args.command, &start(given(args.globals))?),
        Command::Token(args) => token::run(&args.command, &start(given(args.globals))?),
        Command::Verify(args) => verify::run(&args.command, &start(given(args.globals))?),
        Command::Inspect(args) => inspect::run(&args.command, &start(given(args.globals))?),
        Command::Inspector(args) => {
            start(given(args.globals))?;
            inspector::run(&args.command)
        }
        Command::Explain(args) => explain::run(&args.command, &start(given(args.globals))?),
        Command::Lint(args) => lint::run(&args.command, &start(given(args.globals))?),
        Command::Diff(args) => {
            start(given(args.globals))?;
            diff::run(&args.command)
        }
        Command::Add(args) => {
            let globals = start(given(args.command.globals().or(args.globals)))?;
            add::run(&args.command, &globals)
        }
        Command::Remove(args) => {
            let globals = start(given(args.command.globals().or(args.globals)))?;
            remove::run(&args.command, &globals)
        }
        Command::List(args) => list::run(&args.command, &start(given(args.globals))?),
        Command::Get(args) => {
            let globals = start(given(args.command.globals().or(args.globals)))?;
            get::run(&args.command, &globals)
        }
        Command::Version(args) => version::run(&args.command),
        Command::CredentialPlugin(plugin) => {
            let globals = start(given(Globals::default()))?;
            get_token::run(*plugin, &tool, &globals)
        }
        Command::Completion(args) => completion::run(&args),
    }
}

/// Starts the log, whose format the options say.
fn start(globals: Globals) -> Result<Globals, CommandFailure> {
    logging::start(globals.log_format(), &env::variable)?;
    Ok(without_feature_gates(globals))
}

/// The same, with a word about what is ignored.
fn without_feature_gates(globals: Globals) -> Globals {
    if globals.feature_gates.iter().any(|gate| !gate.is_empty()) {
        tracing::warn!("--feature-gates is ignored: this version has no feature gates");
    }
    globals
}
