//! The commands.
//!
//! Each command is a module with its arguments and a function `run`. As in the Go version, global options may come
//! before or after the name of the command.

mod add;
mod cache;
mod completion;
mod diff;
mod explain;
mod get;
mod get_token;
mod init;
mod inspect;
mod inspector;
mod kubeconfig;
mod lint;
mod list;
mod remove;
mod server;
mod token;
mod verify;
mod version;

use clap::Subcommand;

use crate::cli::args::{Globals, WithGlobals};
use crate::cli::client::{LogLevel, ToolOptions, misplaced_options};
use crate::cli::command_line::Cli;
use crate::cli::failure::CommandFailure;
use crate::environment;
use crate::logging;
use add::AddArgs;
use cache::CacheArgs;
use completion::CompletionArgs;
use diff::DiffArgs;
use explain::ExplainArgs;
use get::GetArgs;
use get_token::CredentialPluginArgs;
use init::InitArgs;
use inspect::InspectArgs;
use inspector::InspectorArgs;
use kubeconfig::KubeconfigArgs;
use lint::LintArgs;
use list::ListArgs;
use remove::RemoveArgs;
use server::ServerArgs;
use token::TokenArgs;
use verify::VerifyArgs;
use version::VersionArgs;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Server(WithGlobals<ServerArgs>),
    Init(WithGlobals<InitArgs>),
    Token(Box<WithGlobals<TokenArgs>>),
    Verify(WithGlobals<VerifyArgs>),
    Inspect(WithGlobals<InspectArgs>),
    Inspector(WithGlobals<InspectorArgs>),
    Explain(WithGlobals<ExplainArgs>),
    Lint(WithGlobals<LintArgs>),
    Diff(WithGlobals<DiffArgs>),
    Add(Box<WithGlobals<AddArgs>>),
    Remove(Box<WithGlobals<RemoveArgs>>),
    List(Box<WithGlobals<ListArgs>>),
    Get(WithGlobals<GetArgs>),
    Kubeconfig(Box<WithGlobals<KubeconfigArgs>>),
    Cache(WithGlobals<CacheArgs>),
    CredentialPlugin(Box<CredentialPluginArgs>),
    Version(WithGlobals<VersionArgs>),
    Completion(CompletionArgs),
}

/// Runs the command in `cli`.
pub(super) fn execute(cli: Cli) -> Result<(), CommandFailure> {
    let Cli {
        globals: before,
        tool,
        command,
    } = cli;
    let merged = |globals: Globals| globals.or(before);
    if tool != ToolOptions::default() && !matches!(command, Command::CredentialPlugin(_)) {
        return Err(misplaced_options());
    }
    match command {
        Command::Server(args) => {
            let globals = merged(args.globals);
            // Flushes the log after the server has stopped or failed to start.
            let _log = logging::start_in_background(globals.log_format(), &environment::variable)?;
            server::run(args.command, &without_feature_gates(globals))
        }
        Command::Init(args) => init::run(args.command, &start(merged(args.globals))?),
        Command::Token(args) => {
            let level = args.command.client.log_level(&environment::all());
            token::run(&args.command, &start_at(level, merged(args.globals))?)
        }
        Command::Verify(args) => verify::run(&args.command, &start(merged(args.globals))?),
        Command::Inspect(args) => inspect::run(&args.command, &start(merged(args.globals))?),
        Command::Inspector(args) => {
            start(merged(args.globals))?;
            inspector::run(&args.command)
        }
        Command::Explain(args) => explain::run(&args.command, &start(merged(args.globals))?),
        Command::Lint(args) => lint::run(&args.command, &start(merged(args.globals))?),
        Command::Diff(args) => {
            start(merged(args.globals))?;
            diff::run(&args.command)
        }
        Command::Add(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            add::run(&args.command, &globals)
        }
        Command::Remove(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            remove::run(&args.command, &globals)
        }
        Command::List(args) => list::run(&args.command, &start(merged(args.globals))?),
        Command::Get(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            get::run(&args.command, &globals)
        }
        Command::Kubeconfig(args) => kubeconfig::run(&args.command, &start(merged(args.globals))?),
        Command::Cache(args) => {
            start(merged(args.globals))?;
            cache::run(&args.command)
        }
        Command::Version(args) => version::run(&args.command),
        Command::CredentialPlugin(plugin) => {
            let options = plugin.options(&tool);
            let level = options.log_level(&environment::all());
            let globals = start_at(level, merged(Globals::default()))?;
            get_token::run(&plugin, &options, &globals)
        }
        Command::Completion(args) => completion::run(&args),
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
