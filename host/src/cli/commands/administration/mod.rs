//! The commands that run the server and manage its mappings. A build without the feature `server` has none of them.

mod add;
mod diff;
mod explain;
mod get;
mod init;
mod inspect;
mod inspector;
mod lint;
mod list;
mod remove;
mod server;
mod verify;

use clap::Subcommand;

use super::{start, without_feature_gates};
use crate::cli::args::{Globals, WithGlobals};
use crate::cli::failure::CommandFailure;
use crate::environment;
use crate::logging;
use add::AddArgs;
use diff::DiffArgs;
use explain::ExplainArgs;
pub(super) use explain::{explain_identity, mapping_text};
use get::GetArgs;
use init::InitArgs;
use inspect::InspectArgs;
use inspector::InspectorArgs;
use lint::LintArgs;
use list::ListArgs;
use remove::RemoveArgs;
use server::ServerArgs;
use verify::VerifyArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AdministrationCommand {
    Server(WithGlobals<ServerArgs>),
    Init(WithGlobals<InitArgs>),
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
}

/// Runs `command`. `before` are the global options before its name.
pub(super) fn execute(
    command: AdministrationCommand,
    before: Globals,
) -> Result<(), CommandFailure> {
    let merged = |globals: Globals| globals.or(before);
    match command {
        AdministrationCommand::Server(args) => {
            let globals = merged(args.globals);
            // Flushes the log after the server has stopped or failed to start.
            let _log = logging::start_in_background(globals.log_format(), &environment::variable)?;
            server::run(args.command, &without_feature_gates(globals))
        }
        AdministrationCommand::Init(args) => init::run(args.command, &start(merged(args.globals))?),
        AdministrationCommand::Verify(args) => {
            verify::run(&args.command, &start(merged(args.globals))?)
        }
        AdministrationCommand::Inspect(args) => {
            inspect::run(&args.command, &start(merged(args.globals))?)
        }
        AdministrationCommand::Inspector(args) => {
            start(merged(args.globals))?;
            inspector::run(&args.command)
        }
        AdministrationCommand::Explain(args) => {
            explain::run(&args.command, &start(merged(args.globals))?)
        }
        AdministrationCommand::Lint(args) => {
            lint::run(&args.command, &start(merged(args.globals))?)
        }
        AdministrationCommand::Diff(args) => {
            start(merged(args.globals))?;
            diff::run(&args.command)
        }
        AdministrationCommand::Add(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            add::run(&args.command, &globals)
        }
        AdministrationCommand::Remove(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            remove::run(&args.command, &globals)
        }
        AdministrationCommand::List(args) => {
            list::run(&args.command, &start(merged(args.globals))?)
        }
        AdministrationCommand::Get(args) => {
            let globals = start(merged(args.command.globals().or(args.globals)))?;
            get::run(&args.command, &globals)
        }
    }
}
