//! The commands.
//!
//! Each command is a module with its arguments and a function `run`. As in the Go version, global options may come
//! before or after the name of the command.

#[cfg(feature = "server")]
mod administration;
mod cache;
mod completion;
mod doctor;
mod get_token;
mod kubeconfig;
mod man;
mod stored_login;
mod token;
mod version;
mod whoami;

use clap::Subcommand;

use crate::cli::args::{Globals, WithGlobals};
use crate::cli::client::{LogLevel, ToolOptions, misplaced_options};
use crate::cli::command_line::Cli;
use crate::cli::failure::CommandFailure;
use crate::environment;
use crate::logging;
#[cfg(feature = "server")]
use administration::AdministrationCommand;
use cache::CacheArgs;
use completion::CompletionArgs;
use doctor::DoctorArgs;
use get_token::CredentialPluginArgs;
use kubeconfig::KubeconfigArgs;
use man::ManArgs;
use token::TokenArgs;
use version::VersionArgs;
use whoami::WhoamiArgs;

/// The command of ack-ram-tool.
pub(super) const CREDENTIAL_PLUGIN: &str = "credential-plugin";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[cfg(feature = "server")]
    #[command(flatten)]
    Administration(AdministrationCommand),
    Token(Box<WithGlobals<TokenArgs>>),
    Whoami(Box<WithGlobals<WhoamiArgs>>),
    Doctor(Box<WithGlobals<DoctorArgs>>),
    Kubeconfig(Box<WithGlobals<KubeconfigArgs>>),
    #[command(name = CREDENTIAL_PLUGIN)]
    CredentialPlugin(Box<CredentialPluginArgs>),
    Cache(WithGlobals<CacheArgs>),
    Version(WithGlobals<VersionArgs>),
    Completion(CompletionArgs),
    Man(ManArgs),
}

/// Runs the command in `cli`.
pub(super) fn execute(cli: Cli) -> Result<(), CommandFailure> {
    let Cli {
        globals: before,
        tool,
        command,
    } = cli;
    if tool != ToolOptions::default() && !matches!(command, Command::CredentialPlugin(_)) {
        return Err(misplaced_options());
    }
    let merged = |globals: Globals| globals.or(before.clone());
    match command {
        #[cfg(feature = "server")]
        Command::Administration(command) => administration::execute(command, before),
        Command::Token(args) => {
            let environment = environment::all();
            let level = args.command.client.log_level(&environment);
            let globals = start_at(level, merged(args.globals))?;
            token::run(&args.command, &globals, environment)
        }
        Command::Whoami(args) => {
            let environment = environment::all();
            let level = args.command.client.log_level(&environment);
            let globals = start_at(level, merged(args.globals))?;
            whoami::run(&args.command, &globals, environment)
        }
        Command::Doctor(args) => {
            let environment = environment::all();
            let level = args.command.client.log_level(&environment);
            // The report has the warnings, too.
            let level = level.or(Some(LogLevel::Error));
            let globals = start_at(level, merged(args.globals))?;
            doctor::run(&args.command, &globals, environment)
        }
        Command::Kubeconfig(args) => kubeconfig::run(&args.command, &start(merged(args.globals))?),
        Command::Cache(args) => {
            start(merged(args.globals))?;
            cache::run(&args.command)
        }
        Command::Version(args) => version::run(&args.command),
        Command::CredentialPlugin(plugin) => {
            let options = plugin.options(&tool);
            let environment = environment::all();
            let level = options.log_level(&environment);
            let globals = start_at(level, merged(Globals::default()))?;
            get_token::run(&plugin, &options, &globals, environment)
        }
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Starts the log in the format that the options give.
fn start(globals: Globals) -> Result<Globals, CommandFailure> {
    start_at(None, globals)
}

/// Starts the log at a level; `None` is the default level.
fn start_at(level: Option<LogLevel>, globals: Globals) -> Result<Globals, CommandFailure> {
    let level = level.unwrap_or_default();
    logging::start(globals.log_format(), level.into(), &environment::variable)?;
    Ok(without_feature_gates(globals))
}

/// Returns `globals`, after a warning if feature gates are given.
fn without_feature_gates(globals: Globals) -> Globals {
    if globals.feature_gates.iter().any(|gate| !gate.is_empty()) {
        tracing::warn!("--feature-gates is ignored, since this version has no feature gates");
    }
    globals
}
