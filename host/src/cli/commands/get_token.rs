//! `credential-plugin get-token`: `token` with the command line of ack-ram-tool.
//!
//! A kubeconfig for ack-ram-tool needs only a new `command`.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use ack_ram_client::environment::Environment;
use clap::{Args, Subcommand};

use super::token::note_other_version;
use crate::cli::args::Globals;
use crate::cli::client::{
    ApiVersion, CallOptions, EXEC_INFO, ExecInfo, ExecInfoError, SignedLogin, ToolOptions,
};
use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Create a token with the options of ack-ram-tool
///
/// A kubeconfig that runs ack-ram-tool also works with this program.
#[derive(Args, Debug)]
pub(in crate::cli) struct CredentialPluginArgs {
    #[command(flatten)]
    tool: ToolOptions,

    /// ID of the cluster to log in to
    #[arg(long, short, value_name = "ID", hide = true)]
    cluster_id: Option<String>,

    #[command(subcommand)]
    command: CredentialPluginCommand,
}

#[derive(Debug, Subcommand)]
enum CredentialPluginCommand {
    GetToken(GetTokenArgs),
}

/// Create a token that logs in to a cluster
///
/// Finds the access key as ack-ram-tool does, and prints what ack-ram-tool prints. The command caches temporary keys
/// that STS, a URL or a process issues.
#[derive(Args, Debug)]
#[command(after_long_help = "\
The options of ack-ram-tool and `--cluster-id` may stand before, between or after the words
`credential-plugin` and `get-token`. In each of these places, `-c` means `--cluster-id`. To name a
configuration file, write `--config` before `credential-plugin`.

Most options also exist as a variable, such as ACK_RAM_TOOL_PROFILE_NAME. CONFIGURATION.md lists
the variables. The sessions of roles have the name `ack-ram-tool`, unless a profile or a variable
gives another name.

Examples:
  ack-ram-authenticator credential-plugin get-token --cluster-id c0123456789abcdef0123456789abcdef

In a kubeconfig:
  exec:
    apiVersion: client.authentication.k8s.io/v1beta1
    command: /usr/local/bin/ack-ram-authenticator
    args: [credential-plugin, get-token, --api-version, v1beta1,
           --cluster-id, c0123456789abcdef0123456789abcdef]

Exit codes:
  0  The token is printed.
  1  No token could be created, and nothing is printed.
  2  The command line is wrong.")]
struct GetTokenArgs {
    /// ID of the cluster to log in to; defaults to `clusterId` in the cluster's extension in the kubeconfig
    #[arg(long, short, value_name = "ID")]
    cluster_id: Option<String>,

    #[command(flatten)]
    call: CallOptions,

    #[command(flatten)]
    tool: ToolOptions,

    // Without a doc comment, which the help would show. ack-ram-tool ignores words here, such as that of
    // `--verbose true`, which is `--verbose` and a word.
    #[arg(value_name = "WORD", hide = true)]
    ignored_words: Vec<OsString>,
}

impl CredentialPluginArgs {
    /// Returns all options of ack-ram-tool. `before` are the options before the name of the command.
    pub(super) fn options(&self, before: &ToolOptions) -> ToolOptions {
        let CredentialPluginCommand::GetToken(args) = &self.command;
        args.tool.clone().or(&self.tool.clone().or(before))
    }

    /// Returns the options about calls.
    pub(super) fn call(&self) -> &CallOptions {
        let CredentialPluginCommand::GetToken(args) = &self.command;
        &args.call
    }

    /// Returns whether words after the names of the command have no effect.
    fn has_ignored_words(&self) -> bool {
        let CredentialPluginCommand::GetToken(args) = &self.command;
        !args.ignored_words.is_empty()
    }

    /// Returns the cluster ID of the options; `None` if it is empty, which counts as not given.
    pub(super) fn cluster_id(&self, globals: &Globals) -> Option<String> {
        let CredentialPluginCommand::GetToken(args) = &self.command;
        let ids = [&args.cluster_id, &self.cluster_id, &globals.cluster_id];
        let id = ids.into_iter().flatten().next().cloned();
        id.filter(|id| !id.is_empty())
    }
}

/// Prints a token. `options` are all options of ack-ram-tool.
pub(super) fn run(
    plugin: &CredentialPluginArgs,
    options: &ToolOptions,
    globals: &Globals,
    environment: Environment,
) -> Result<(), CommandFailure> {
    if let Some(id) = &globals.cluster_id
        && Path::new(id).is_file()
    {
        // Before other commands, `-c` is the configuration file, which can name a role.
        tracing::warn!(
            "`{id}` before `credential-plugin` is read as a cluster ID, although a file has this name; write `--config` to name a configuration file"
        );
    }
    if plugin.has_ignored_words() {
        tracing::warn!(
            "words after `get-token` that are no options have no effect; write the value of a switch with `=`, such as `--verbose=false`"
        );
    }
    let given = match options.requests_v1() {
        true => ApiVersion::V1,
        false => ApiVersion::V1beta1,
    };
    let option = plugin.cluster_id(globals);
    let (version, cluster_id) = match environment.get(EXEC_INFO).map(ExecInfo::parse) {
        Some(Ok(request)) => {
            note_other_version(Some(given), request.version);
            (request.version, request.cluster_id(option)?)
        }
        // ack-ram-tool does not read the variable.
        Some(Err(ExecInfoError::Malformed)) | None => (given, option),
        Some(Err(error)) => return Err(error.into_failure()),
    };
    // Of a repeated cluster ID, the last one counts, even if it is empty.
    let globals = Globals {
        cluster_id: None,
        ..globals.clone()
    };
    let command = env::args_os().next().unwrap_or_default();
    let login = SignedLogin::new(
        &globals,
        cluster_id,
        |environment| options.settings(&command, environment),
        plugin.call(),
        environment,
    )?;
    output::print(&login.render(version)?)
}
