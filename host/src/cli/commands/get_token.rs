//! `credential-plugin get-token`: `token` with the arguments of ack-ram-tool, so that kubeconfigs that name it need a
//! new `command` and nothing else.

use clap::{Args, Subcommand};

use crate::cli::ack_ram_tool::{self, ToolOptions};
use crate::cli::args::Globals;
use crate::cli::exec_credential::ApiVersion;
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use crate::cli::signed_login::SignedLogin;
use crate::config::Overrides;
use crate::environment;

/// Make a token with the arguments of ack-ram-tool
///
/// Kubeconfigs that run ack-ram-tool work with this program in its place.
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

/// Make a token that logs in to a cluster
///
/// What ack-ram-tool prints, to the byte, for an access key in the environment (see `token --help` for its
/// variables). What asks for another identity than that key's is refused for now.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Each option of ack-ram-tool has a twin in the environment, such as ACK_RAM_TOOL_PROFILE_NAME.

Examples:
  ack-ram-authenticator credential-plugin get-token --cluster-id c0123456789abcdef0123456789abcdef

In a kubeconfig:
  exec:
    apiVersion: client.authentication.k8s.io/v1beta1
    command: /usr/local/bin/ack-ram-authenticator
    args: [credential-plugin, get-token, --cluster-id, c0123456789abcdef0123456789abcdef, --api-version, v1beta1]

Exit codes:
  0  the token is printed
  1  none could be made; nothing is printed
  2  wrong usage")]
struct GetTokenArgs {
    /// The cluster to log in to
    #[arg(long, short, value_name = "ID")]
    cluster_id: String,

    /// The version of ExecCredential to print: `v1`, or else v1beta1
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,

    /// A role to assume first; not in this version
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    #[command(flatten)]
    tool: ToolOptions,
}

/// `before` are options of ack-ram-tool that stood before the command.
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
