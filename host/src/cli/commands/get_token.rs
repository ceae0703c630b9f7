//! `credential-plugin get-token`: `token` with the command line of ack-ram-tool.
//!
//! A kubeconfig for ack-ram-tool needs only a new `command`.

use clap::{Args, Subcommand};

use crate::cli::ack_ram_tool::{self, ToolOptions};
use crate::cli::args::Globals;
use crate::cli::exec_credential::ApiVersion;
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use crate::cli::signed_login::SignedLogin;
use crate::config::Overrides;
use crate::environment;

/// Create a token with the options of ack-ram-tool
///
/// A kubeconfig that runs ack-ram-tool also works with this program.
#[derive(Args, Debug)]
pub(in crate::cli) struct CredentialPluginArgs {
    #[command(flatten)]
    tool: ToolOptions,
    #[command(subcommand)]
    command: CredentialPluginCommand,
}

#[derive(Debug, Subcommand)]
enum CredentialPluginCommand {
    GetToken(GetTokenArgs),
}

/// Create a token that logs in to a cluster
///
/// Prints exactly what ack-ram-tool prints for an access key in the environment; `token --help` lists the variables.
/// Options that select another identity are not supported in this version.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Each option of ack-ram-tool also exists as a variable, such as ACK_RAM_TOOL_PROFILE_NAME.

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
    /// ID of the cluster to log in to
    #[arg(long, short, value_name = "ID")]
    cluster_id: String,

    /// Version of the ExecCredential; every value but `v1` means v1beta1
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,

    /// ARN of a role to assume first; not supported in this version
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    #[command(flatten)]
    tool: ToolOptions,
}

/// Prints a token. `before` are the options of ack-ram-tool before the name of the command.
pub(super) fn run(
    plugin: CredentialPluginArgs,
    before: &ToolOptions,
    globals: &Globals,
) -> Result<(), CommandFailure> {
    let CredentialPluginCommand::GetToken(args) = plugin.command;
    for options in [before, &plugin.tool, &args.tool] {
        options.refuse_other_identities()?;
    }
    ack_ram_tool::refuse_other_identities(&environment::variable)?;
    if ack_ram_tool::is_set(args.role_arn.as_deref()) {
        return Err(ack_ram_tool::other_identity_refused("--role-arn"));
    }
    let overrides = Overrides {
        cluster_id: Some(args.cluster_id),
        ..Overrides::default()
    };
    let version = match args.api_version.as_deref() {
        Some("v1") => ApiVersion::V1,
        _ => ApiVersion::V1beta1,
    };
    let login = SignedLogin::new(globals, overrides)?;
    output::print(&login.render(version)?)
}
