//! What the command line looks like.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, CommandFactory as _, Parser, Subcommand};

use crate::cli::ack_ram_tool::{self, ToolOptions};
use crate::cli::add::AddArgs;
use crate::cli::completion::CompletionArgs;
use crate::cli::diff::DiffArgs;
use crate::cli::explain::ExplainArgs;
use crate::cli::failure::CommandFailure;
use crate::cli::get::GetArgs;
use crate::cli::get_token::CredentialPluginArgs;
use crate::cli::init::InitArgs;
use crate::cli::inspect::InspectArgs;
use crate::cli::inspector::InspectorArgs;
use crate::cli::lint::LintArgs;
use crate::cli::list::ListArgs;
use crate::cli::remove::RemoveArgs;
use crate::cli::server::ServerArgs;
use crate::cli::token::TokenArgs;
use crate::cli::verify::VerifyArgs;
use crate::cli::version::VersionArgs;
use crate::config::{ConfigError, ConfigFile, ConfigSources, Location, Overrides, Problem};
use crate::env;
use crate::logging::Format;

/// Log in to Kubernetes with Alibaba Cloud RAM identities
///
/// A person's kubectl makes a token with an Alibaba Cloud access key (`token`). The cluster's kube-apiserver asks a
/// webhook (`server`) whose token it is; the webhook asks Alibaba Cloud's STS and maps the identity to a Kubernetes
/// user and groups. `init` prepares the webhook.
#[derive(Debug, Parser)]
#[command(name = "ack-ram-authenticator", version, after_long_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(flatten)]
    pub(super) tool: ToolOptions,
    #[command(subcommand)]
    pub(super) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  ack-ram-authenticator init
      Make the webhook's certificate and kubeconfig in the current folder
  ack-ram-authenticator server --config config.yaml
      Answer the API server
  ack-ram-authenticator token --cluster-id c0123456789abcdef0123456789abcdef
      Make a token with the access key in the environment

Environment:
  ACK_RAM_AUTHENTICATOR_LOG  what is logged: `error`, `warn`, `info` (the default), `debug`, or `module=level,...`
  NO_COLOR                   no colours, also on a terminal

Exit codes:
  0  done
  1  failed, or the answer is no; one line on standard error says what failed, where and what to do
  2  wrong usage: an argument is missing, or is none that the command can use
What a command's own codes mean, its `--help` says.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Server(WithGlobals<ServerArgs>),
    Init(WithGlobals<InitArgs>),
    Token(WithGlobals<TokenArgs>),
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
    CredentialPlugin(Box<CredentialPluginArgs>),
    Version(WithGlobals<VersionArgs>),
    Completion(CompletionArgs),
}

// The arguments of a command, among them the global ones. (A doc comment would become the help of every command.)
#[derive(Args, Debug)]
pub(super) struct WithGlobals<T: Args> {
    #[command(flatten)]
    pub(super) command: T,
    #[command(flatten)]
    pub(super) globals: Globals,
}

// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The cluster's id, in place of `clusterID` in the configuration file
    #[arg(long, short = 'i', value_name = "ID")]
    pub(super) cluster_id: Option<String>,

    /// How the log on standard error is written
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<Format>,

    /// Accepted for the Go version's sake, and ignored
    #[arg(long, value_name = "GATES", hide = true)]
    pub(super) feature_gates: Vec<String>,
}

impl Globals {
    /// These, and where one is not given, the one `before` the command's name.
    pub(super) fn or(self, before: Self) -> Self {
        let mut feature_gates = before.feature_gates;
        feature_gates.extend(self.feature_gates);
        Self {
            config: self.config.or(before.config),
            cluster_id: self.cluster_id.or(before.cluster_id),
            log_format: self.log_format.or(before.log_format),
            feature_gates,
        }
    }

    /// How the log is written.
    pub(super) fn log_format(&self) -> Format {
        self.log_format.unwrap_or_default()
    }

    /// Reads the configuration with `load`, of the module [`config`](crate::config). `overrides` are what the options
    /// of the command say; a cluster id among them wins over the global one.
    pub(super) fn configuration<T>(
        &self,
        load: impl FnOnce(&ConfigSources<'_>) -> Result<T, ConfigError>,
        mut overrides: Overrides,
    ) -> Result<T, CommandFailure> {
        if overrides.cluster_id.is_none() {
            overrides.cluster_id.clone_from(&self.cluster_id);
        }
        let sources = ConfigSources {
            file: self.config.as_deref().map(ConfigFile::Path),
            overrides: &overrides,
            variables: &env::variable,
        };
        load(&sources).map_err(|error| match error {
            ConfigError::Setting(Problem {
                place: Location::CommandLine,
                text,
            }) => CommandFailure::Usage(text),
            ConfigError::NoClusterId { path: None } => CommandFailure::Usage(error.to_string()),
            other => other.into(),
        })
    }
}

/// The name that the help has for the value of an option that is on or off.
pub(super) const BOOL: &str = "BOOL";

/// Lets an option with the value [`BOOL`] be written as Go's: `--x`, `--x=true` or `--x=false`.
pub(super) fn as_go_bool(arg: Arg) -> Arg {
    let is_bool = arg
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name.as_str() == BOOL));
    if !is_bool {
        return arg;
    }
    arg.num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
}

/// The whole command line. Options of ack-ram-tool are shown in the help of its command alone.
pub(super) fn command() -> clap::Command {
    Cli::command().mut_args(|arg| {
        if arg.get_help_heading() == Some(ack_ram_tool::TOOL_HEADING) {
            arg.hide(true)
        } else {
            arg
        }
    })
}

/// The command that was asked for, by the whole of its name.
pub(super) fn requested_command(matches: &ArgMatches) -> clap::Command {
    let mut command = command();
    // Else a command does not know the names before its own.
    command.build();
    let (mut asked, mut matches) = (&command, matches);
    while let Some((name, inner)) = matches.subcommand() {
        match asked.find_subcommand(name) {
            Some(subcommand) => (asked, matches) = (subcommand, inner),
            None => break,
        }
    }
    asked.clone()
}

/// Wrong usage: something is missing.
pub(super) fn missing_argument(what: &str) -> CommandFailure {
    CommandFailure::Usage(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_definition_is_consistent() {
        command().debug_assert();
    }
}
