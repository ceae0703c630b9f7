//! What the command line looks like.

use clap::{ArgMatches, CommandFactory as _, Parser};

use crate::cli::ack_ram_tool::{self, ToolOptions};
use crate::cli::args::Globals;
use crate::cli::commands::Command;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_definition_is_consistent() {
        command().debug_assert();
    }
}
