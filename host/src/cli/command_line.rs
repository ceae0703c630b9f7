//! The definition of the command line.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory as _, Parser};

use crate::cli::args::Globals;
use crate::cli::client::{TOOL_HEADING, ToolOptions};
use crate::cli::commands::{CREDENTIAL_PLUGIN, Command};

/// Log in to Kubernetes with Alibaba Cloud RAM identities
///
/// kubectl runs `token`, which signs a token with an Alibaba Cloud access key. kube-apiserver passes the token to the
/// webhook (`server`). The webhook asks Alibaba Cloud STS who signed the token, and maps that identity to a Kubernetes
/// user and groups. `init` creates the files that the webhook needs.
#[derive(Debug, Parser)]
#[command(name = "ack-ram-authenticator", version, after_long_help = AFTER_HELP, args_override_self = true)]
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
      Create the webhook's certificate and kubeconfig in the current folder
  ack-ram-authenticator server --config config.yaml
      Run the webhook server
  ack-ram-authenticator token --cluster-id c0123456789abcdef0123456789abcdef
      Create a token with the access key in the environment

Environment:
  ACK_RAM_AUTHENTICATOR_LOG  Log level: `error`, `warn`, `info` (default), `debug`, or
                             `module=level,...`
  NO_COLOR                   Turns off colors, even on a terminal

Exit codes:
  0  The command succeeded.
  1  The command failed, and an error message says what to do; or the answer is no.
  2  The command line is wrong: an argument is missing or not valid.
The `--help` of a command says what its exit codes mean.";

/// Returns the definition of the command line. Only the help of `credential-plugin` shows the options of ack-ram-tool.
pub(super) fn command() -> clap::Command {
    Cli::command().mut_args(|arg| {
        if arg.get_help_heading() == Some(TOOL_HEADING) {
            arg.hide(true)
        } else {
            arg
        }
    })
}

/// Parses a command line, which starts with the name of the program.
pub(super) fn parse(words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let matches = command().try_get_matches_from(words);
    match &matches {
        // Both definitions agree on which words are options, values and commands.
        Ok(found) if found.subcommand_name() == Some(CREDENTIAL_PLUGIN) => {
            with_options_of_tool().try_get_matches_from(words)
        }
        Ok(_) => matches,
        // An empty value is no path of a configuration file, but a cluster ID that is not given.
        Err(_) => match with_options_of_tool().try_get_matches_from(words) {
            Ok(found) if found.subcommand_name() == Some(CREDENTIAL_PLUGIN) => Ok(found),
            _ => matches,
        },
    }
}

/// Returns the definition in which `-c` before the name of a command means the cluster ID, as in ack-ram-tool. A
/// kubeconfig with the arguments of ack-ram-tool must select the same cluster in this program.
fn with_options_of_tool() -> clap::Command {
    command()
        .mut_arg("config", |arg| arg.short(None))
        .mut_arg("cluster_id", |arg| arg.short('c').short_alias('i'))
}

/// Returns the definition of the command that `matches` selects, a subcommand included.
pub(super) fn requested_command(matches: &ArgMatches) -> clap::Command {
    let mut command = command();
    // Without this, the usage of a subcommand lacks the names of the commands before it.
    command.build();
    let (mut requested, mut matches) = (&command, matches);
    while let Some((name, inner)) = matches.subcommand() {
        match requested.find_subcommand(name) {
            Some(subcommand) => (requested, matches) = (subcommand, inner),
            None => break,
        }
    }
    requested.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_definition_is_consistent() {
        command().debug_assert();
        with_options_of_tool().debug_assert();
    }
}
